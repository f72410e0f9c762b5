"""A shape compiled once, so that drawing an alarm parses no template and looks nothing up by name."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import EntryError, did_you_mean
from tcop_mock.generate.cells import Clock, text_of
from tcop_mock.generate.generators import Drawer, drawer
from tcop_mock.generate.template import compile_tree, has_stray_brace, leaves, paths
from tcop_mock.model.problem import Problem
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.generate.template import Render
    from tcop_mock.model.alarm import Extras
    from tcop_mock.model.shape import Shape

BUILT_IN = ("account.app_id", "account.uin", "region", "region_name")
"""Values that every alarm has; an entry need not declare them."""


class Objects(NamedTuple):
    """What an alarm is about, as the wire tells it."""

    dimensions: dict[str, Any]
    observed: dict[str, Any]
    """Keys that captured dimensions have beside them."""
    additional_msg: tuple[tuple[str, str], ...]
    cloud_event: dict[str, Any]

    def extras(self, extras: Extras) -> Extras:
        """Return a policy's extras with those of the alarm."""
        return dataclasses.replace(
            extras,
            dimensions=self.observed,
            additional_msg=self.additional_msg,
            cloud_event=self.cloud_event,
        )


class Slot:
    """A declared value and the first column of a block that decides it."""

    __slots__ = ("at", "drawer", "pieces", "tokens")

    def __init__(self, drawn: Drawer, at: int) -> None:
        self.drawer = drawn
        self.at = at
        self.pieces = cache(lambda lang, key: drawn.pieces(at, lang, key))
        """How it is written inside a text, by language and key."""
        self.tokens = cache(lambda lang, key: drawn.tokens(at, lang, key))
        """How it is written as JSON of its own, by language and key."""


def misnamed(shape: Shape, drawers: Mapping[str, Drawer | None]) -> Iterator[Problem]:
    """Yield what is wrong between a shape's templates and its values.

    Args:
        shape: an entry, right or wrong.
        drawers: its values by name; ``None`` for one that cannot be drawn, of which nothing more is told.
    """
    offered = [path for name, drawn in drawers.items() if drawn for path in _paths_of(name, drawn)]
    broken = {name for name, drawn in drawers.items() if drawn is None}
    used = set()
    for key, leaf in leaves(templates(shape)):
        if has_stray_brace(leaf):
            yield Problem(
                key, f"template {leaf!r} has a brace that is no {{field}}", "there is no way to write a brace"
            )
        for path in paths(leaf):
            name = path.partition(".")[0]
            used.add(name)
            if path not in BUILT_IN and path not in offered and name not in broken:
                near = did_you_mean(path, [*offered, *BUILT_IN])
                hint = f"; did you mean {near}?" if near else ""
                yield Problem(key, f"{path!r} is no declared value{hint}", "declare it in [values], or name another")
    for name in drawers:
        if name not in used:
            yield Problem(f"values.{name}", "never used", "name it in a template, or take it out")


def templates(shape: Shape) -> dict[str, Any]:
    """Return all templates of an entry, by the keys that they have there."""
    messages = {f"{at}.value": value for at, (_, value) in enumerate(shape.observed.additional_msg)}
    return {
        "dimensions": shape.dimensions,
        "dimensions_zh": shape.dimensions_zh,
        "observed": {"dimensions": shape.observed.dimensions, "additionalMsg": messages},
        "cloudevent": dataclasses.asdict(shape.cloud_event) if shape.cloud_event else {},
    }


def _paths_of(name: str, drawn: Drawer) -> list[str]:
    return [f"{name}.{key}" for key in drawn.keys] or [name]


class Plan:
    """How to draw what one shape's alarms are about.

    Raises:
        EntryError: a template names a value that the entry does not declare, or a declared one is never named.
        UnknownNameError: a value names a generator or a pool that is not there.
    """

    __slots__ = ("_render", "shape", "slots", "width")

    CLOCK = 0
    """First of the columns of the first occurrence."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.shape = shape
        self.slots: dict[str, Slot] = {}
        self.width = Clock.WIDTH
        for name in shape.values:
            drawn = drawer(shape, name, seed)
            self.slots[name] = Slot(drawn, self.width)
            self.width += drawn.width
        for problem in misnamed(shape, {name: slot.drawer for name, slot in self.slots.items()}):
            raise EntryError(shape.where, problem.key, problem.problem)
        self._render: dict[Lang, Render] = {lang: compile_tree(tree) for lang, tree in self._templates().items()}

    def values(self, block: bytes, row: int, lang: Lang) -> dict[str, Any]:
        """Return the declared values of one alarm."""

        def drawn(slot: Slot, key: str) -> Any:  # noqa: ANN401 - any JSON scalar
            return json.loads(text_of(slot.tokens(lang, key), block, row))

        return self.each(drawn)

    def each(self, draw: Callable[[Slot, str], Any]) -> dict[str, Any]:
        """Return what a function makes of each declared value, or of each key of those that pick tables."""
        return {
            name: {key: draw(slot, key) for key in slot.drawer.keys} if slot.drawer.keys else draw(slot, "")
            for name, slot in self.slots.items()
        }

    def objects(self, values: Mapping[str, Any], lang: Lang) -> Objects:
        """Write what an alarm with these values, built-in ones included, is about."""
        drawn = self._render[lang](values)
        messages = tuple((row["key"], row["value"]) for row in drawn["additional_msg"].values())
        return Objects(drawn["dimensions"], drawn["observed"], messages, drawn["cloud_event"])

    def _templates(self) -> dict[Lang, dict[str, Any]]:
        shape = self.shape
        additional = enumerate(shape.observed.additional_msg)
        messages = {str(at): {"key": key, "value": value} for at, (key, value) in additional}
        cloud = shape.cloud_event
        rest = {
            "observed": dict(shape.observed.dimensions),
            "additional_msg": messages,
            "cloud_event": dataclasses.asdict(cloud) if cloud else {},
        }
        english = dict(shape.dimensions)
        return {
            Lang.EN: {"dimensions": english, **rest},
            Lang.ZH: {"dimensions": english | dict(shape.dimensions_zh), **rest},
        }
