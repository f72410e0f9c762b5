"""Options that say which callbacks to draw, shared by ``emit`` and ``send``."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.errors import UsageError
from tcop_mock.generate import Generator
from tcop_mock.generate.edits import with_value, without
from tcop_mock.generate.lifecycle import parse_lifecycle
from tcop_mock.model.alarm import State, wire_bytes
from tcop_mock.model.shape import Kind, Lang

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.model.shape import Shape


class Drawn(NamedTuple):
    """One callback, drawn and edited."""

    shape: Shape
    state: State
    tree: dict[str, Any]

    def body(self) -> bytes:
        """Return the bytes as they go over the wire."""
        return wire_bytes(self.tree)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw of a shape."""

    state: str
    lifecycle: str | None
    metric: str | None
    event: str | None
    threshold: bool
    lang: str
    edits: tuple[tuple[str, Any], ...]
    removals: tuple[str, ...]

    def callbacks(self, shapes: Sequence[Shape], seed: int, count: int) -> Iterator[Drawn]:
        """Draw ``count`` alarms of each shape, each in the states that were asked for.

        Of several shapes, those that can have no such state are passed over (events never repeat).

        Raises:
            UsageError: a name, a path or a state that the shape does not have.
        """
        moments = parse_lifecycle(self.lifecycle) if self.lifecycle else ((State(self.state), 1),)
        generator = Generator(seed, Lang(self.lang))
        for shape in shapes:
            if len(shapes) > 1 and not _can(shape, moments):
                continue
            for serial in range(count):
                alarm = generator.alarm(
                    shape,
                    serial,
                    metric=self.metric,
                    event=self.event,
                    threshold=self.threshold,
                    reaching=_furthest(shape, moments),
                )
                for state, occurrence in moments:
                    yield Drawn(shape, state, self._edited(generator.callback(alarm, state, occurrence).to_wire()))

    def _edited(self, tree: dict[str, Any]) -> dict[str, Any]:
        for path, value in self.edits:
            tree = with_value(tree, path, value)
        for path in self.removals:
            tree = without(tree, path)
        return tree


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets one ``drawing`` in their place."""

    @functools.wraps(command)
    def gathered(  # noqa: PLR0913 - click hands them in one by one
        *args: Any,  # noqa: ANN401
        state: str,
        lifecycle: str | None,
        metric: str | None,
        event: str | None,
        no_threshold: bool,
        lang: str,
        sets: tuple[str, ...],
        unset: tuple[str, ...],
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        edits = tuple(map(_parse_edit, sets))
        drawing = Drawing(state, lifecycle, metric, event, not no_threshold, lang, edits, unset)
        return command(*args, drawing=drawing, **kwargs)

    options = (
        click.option(
            "--state",
            type=click.Choice([state.value for state in State]),
            default=State.FIRING.value,
            show_default=True,
        ),
        click.option("--lifecycle", metavar="STEPS", help="A whole life in place of one state: fire,repeat:3,resolve."),
        click.option("--metric", metavar="NAME", help="Metric by name.  [default: drawn]"),
        click.option("--event", metavar="NAME", help="Event by name.  [default: drawn]"),
        click.option("--no-threshold", is_flag=True, help="As for a metric without a threshold: no threshold fields."),
        click.option(
            "--lang", type=click.Choice([lang.value for lang in Lang]), default=Lang.EN.value, show_default=True
        ),
        click.option("--set", "sets", multiple=True, metavar="PATH=JSON", help="Change a value; repeatable."),
        click.option("--unset", multiple=True, metavar="PATH", help="Leave a value out; repeatable."),
    )
    wrapped: Callable[..., Any] = gathered
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def _parse_edit(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--set {text!r}: write PATH=JSON, as in alarmStatus=1")
    try:
        return path, json.loads(value)
    except json.JSONDecodeError:
        quoted = json.dumps(value, ensure_ascii=False)
        raise UsageError(
            f"--set {path}: {value!r} is no JSON; a text needs its quotes: --set '{path}={quoted}'"
        ) from None


def _can(shape: Shape, moments: Sequence[tuple[State, int]]) -> bool:
    if shape.kind is Kind.METRIC:
        return True
    states = {state for state, _ in moments}
    recovers = any(event.recoverable for event in shape.events)
    return State.REPEATED not in states and (State.RESOLVED not in states or recovers)


def _furthest(shape: Shape, moments: Sequence[tuple[State, int]]) -> State:
    """Return the state that asks most of an alarm: a metric's repeats, an event's recovery."""
    states = {state for state, _ in moments}
    if State.REPEATED in states:
        return State.REPEATED
    return State.RESOLVED if State.RESOLVED in states and shape.kind is Kind.EVENT else State.FIRING
