"""Rules about what an entry says: names, translations, sources and assumptions."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.compiler import BUILT_IN, Plan, drawer, misnamed
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.pieces import Words
from tcop_mock.callbacks.sample_check import could_draw
from tcop_mock.callbacks.sampling import comes, forms
from tcop_mock.catalog.loader import parse_shape, undrawable
from tcop_mock.catalog.template import leaves, paths
from tcop_mock.domain.alarm import State
from tcop_mock.domain.shape import PLACEHOLDER, Lang, Problem
from tcop_mock.errors import EntryError, TcopMockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.callbacks.compiler import Drawer
    from tcop_mock.callbacks.pieces import Piece
    from tcop_mock.domain.alarm import Form
    from tcop_mock.domain.shape import Shape


_CHINESE = re.compile(r"[\u4e00-\u9fff]")

_CAPTURED_ZH = "observedUnit_zh"

"""A unit that was captured may be one in any script."""

_TRANSLATED = {
    "": ("title",),
    "policy": ("name",),
    "product": ("productShowName",),
    "metrics": ("metricShowName",),
    "events": ("eventShowName",),
}

_OURS = {
    "metrics": (
        ("threshold: ours", "calcValue"),
        ("range: ours", "range"),
        ("name: from API name", "metricName"),
        ("name: after ", "metricName"),
        ("zh ours", "metricShowName_zh"),
        ("for this metric ours", "namespace"),
    ),
    "events": (
        ("recovery: ours", "recoverable"),
        ("name: from event name", "eventName"),
        ("en ours", "eventShowName"),
        ("zh ours", "eventShowName_zh"),
    ),
}

"""What ``source`` says of a key that no source prints."""


def named_twice(entry: Entry) -> Iterator[Problem]:
    """Yield names that are there twice: a metric or an event is chosen by its name."""
    seen: dict[str, str] = {}
    for key, row in entry.subjects():
        what = "metricName" if "metricName" in row else "eventName"
        first = seen.setdefault(row[what], key)
        if first != key:
            yield Problem(f"{key}.{what}", f"{row[what]!r} is the name of {first}, too", "take one of them out")


def untranslated(entry: Entry) -> Iterator[Problem]:
    """Yield texts that are there in one language only."""
    tables = [(name, entry.table if not name else entry.table.get(name, {})) for name in ("", "policy", "product")]
    tables += list(entry.subjects())
    for place, table in tables:
        for key in _TRANSLATED[place.partition(".")[0]]:
            if key in table and f"{key}_zh" not in table:
                path = f"{place}.{key}" if place else key
                yield Problem(f"{path}_zh", f"is missing: accounts in Chinese get {table[key]!r}", "add the text")


def not_chinese(entry: Entry) -> Iterator[Problem]:
    """Yield texts in Chinese that are no Chinese: they repeat the other text and hide that one is missing."""
    for path, text in _translations(entry.table):
        if not _CHINESE.search(text):
            yield Problem(path, f"{text!r} holds no Chinese", "translate it, or leave it out: it falls back by itself")


def _translations(node: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a TOML value
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if str(key).endswith("_zh") and key != _CAPTURED_ZH and isinstance(child, str):
            yield f"{path}{key}", child
        yield from _translations(child, f"{path}{key}.")


def lost_assumptions(entry: Entry) -> Iterator[Problem]:
    """Yield assumptions about keys that are not there: what moved would mark another fact as a guess."""
    for at, path in enumerate(entry.table.get("assumed", ())):
        if not _is_there(entry.table, path.split(".")):
            yield Problem(f"assumed.{at}", f"{path!r} is no key of this file", "name the key that it is about")


def _is_there(node: Any, path: list[str]) -> bool:  # noqa: ANN401 - a TOML value
    for key in path:
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return False
    return True


def told_otherwise(entry: Entry) -> Iterator[Problem]:
    """Yield keys of which ``source`` and ``assumed`` tell different stories."""
    assumed = set(entry.table.get("assumed", ()))
    for place, row in entry.subjects():
        rules = _OURS[place.partition(".")[0]]
        ours = {key for phrase, key in rules if phrase in row["source"]}
        for key in dict.fromkeys(key for _, key in rules):
            path = f"{place}.{key}"
            if key in ours and path not in assumed:
                yield Problem(path, "its source calls it ours, and `assumed` does not name it", "name it in `assumed`")
            if key not in ours and path in assumed:
                phrase = next(phrase for phrase, about in rules if about == key)
                yield Problem(path, "is assumed, and its source does not say so", f"write {phrase!r} into `source`")


def hidden_and_sure(entry: Entry) -> Iterator[Problem]:
    """Yield dimensions that the documentation shows as a placeholder and that are not assumed."""
    sample = entry.shape.sample
    for key, value in sample.dimensions.items() if sample else ():
        path = f"dimensions.{key}"
        if value == PLACEHOLDER and path not in entry.shape.assumed:
            yield Problem(path, f"the sample shows {PLACEHOLDER}, so what is drawn is a guess", "name it in `assumed`")


_SEED = 0

_ID = re.compile(r"id$", re.IGNORECASE)

_MOST_COMBINATIONS = 4096

_MOST_BYTES = 4096

"""Receivers are held to bodies of 4 KiB (TCM115); no captured one was longer."""


def misfits(entry: Entry) -> Iterator[Problem]:
    """Yield values that cannot be drawn, templates that name no value, and values that none names."""
    shape, drawers = entry.shape, dict[str, "Drawer | None"]()
    for name, spec in shape.values.items():
        drawers[name] = None
        if undrawable(spec):
            continue  # told as a contradiction
        try:
            drawers[name] = drawer(shape, name, _SEED)
        except TcopMockError as problem:
            yield Problem(f"values.{name}", problem.problem if isinstance(problem, EntryError) else f"{problem}")
    yield from misnamed(shape, drawers)


def constant_ids(entry: Entry) -> Iterator[Problem]:
    """Yield what makes an id the same in all alarms: incidents of two objects would be taken for one."""
    plan = Plan(entry.shape)
    for key, leaf in leaves(entry.shape.dimensions):
        if not _ID.search(key):
            continue
        named = list(paths(leaf))
        if not named:
            yield Problem(f"dimensions.{key}", "is an id, and the same in all alarms", "name a value in it")
        for path in named:
            name, _, part = path.partition(".")
            if path not in BUILT_IN and not any(map(_varies, plan.slots[name].pieces(Lang.EN, part))):
                told = f"draws one thing only, and the id {key} is made of {path}"
                yield Problem(f"values.{name}", told, "let it draw more, or write it into the template")


def _varies(piece: Piece) -> bool:
    return len(set(piece.texts)) > 1 if isinstance(piece, Words) else not isinstance(piece, str)


def unchecked_sample(entry: Entry) -> Iterator[Problem]:
    """Yield that the sample is not checked: each combination of what is picked would be a pattern of its own."""
    combinations = _combinations(entry.shape)
    if entry.shape.sample and combinations > _MOST_COMBINATIONS:
        told = f"is not checked: picks give {combinations} combinations, {_MOST_COMBINATIONS} are the most"
        yield Problem("sample.agrees", told, "pick from tables, so that what belongs together is one choice")


def wrong_about_the_sample(entry: Entry) -> Iterator[Problem]:
    """Yield ``agrees`` that is not true: whether the templates could have drawn the documentation's sample."""
    shape = entry.shape
    if shape.sample is None or _combinations(shape) > _MOST_COMBINATIONS:
        return
    agrees = could_draw(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder)
    if agrees is not shape.sample.agrees:
        told = "could have been drawn" if agrees else "could not have been drawn: keys, order, types or values differ"
        yield Problem(
            "sample.agrees", f"is {str(not agrees).lower()}, and the sample {told}", f"write {agrees}".lower()
        )


def _combinations(shape: Shape) -> int:
    return math.prod(len(slot.drawer.choices) or 1 for slot in Plan(shape).slots.values())


def fails(entry: Entry) -> Iterator[Problem]:
    """Yield why a metric or an event cannot be told in a form, a language and a state that it has, each reason once."""
    told: set[str] = set()
    for form in forms(entry.shape):
        for lang in Lang:
            for name, draw in _draws(entry.shape, form, lang, *State):
                try:
                    draw()
                except TcopMockError as problem:
                    if f"{problem}" not in told:
                        told.add(f"{problem}")
                        yield Problem("", f"{name} as {form} in {lang}: {problem}")


def oversized(entry: Entry) -> Iterator[Problem]:
    """Yield the longest body where it is longer than what receivers are held to."""
    bodies = [
        (len(draw()), form)
        for form in forms(entry.shape)
        for lang in Lang
        for _, draw in _draws(entry.shape, form, lang, State.FIRING)
    ]
    most, form = max(bodies)
    if most > _MOST_BYTES:
        told = f"the {form} body has {most} bytes; receivers are held to {_MOST_BYTES}"
        yield Problem("", told, "shorten names and texts")


def _draws(shape: Shape, form: Form, lang: Lang, *states: State) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield for each metric or event and each of these states that it has: its name, and what draws the body."""
    generator = Generator(_SEED, lang, form=form)

    def draw(name: str, state: State) -> bytes:
        alarm = generator.alarm(shape, metric=name, reaching=state)
        return generator.callback(alarm, state).body()

    for subject in shape.metrics or shape.events:
        for state in states:
            if comes(shape, {state}, form) and (state is not State.RESOLVED or getattr(subject, "recoverable", True)):
                yield subject.name, partial(draw, subject.name, state)


class Entry(NamedTuple):
    """One entry, as written and as read."""

    table: Mapping[str, Any]
    """The file."""
    shape: Shape

    @classmethod
    def of(cls, shape_id: str, table: dict[str, Any], file: str = "") -> Entry:
        """Return the entry of a table that keeps its schema; ``file`` is told in errors."""
        return cls(table, parse_shape(shape_id, table, file))

    def subjects(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the metrics and events as written, each with its key: ``metrics.0``."""
        for kind in ("metrics", "events"):
            for at, row in enumerate(self.table.get(kind, ())):
                yield f"{kind}.{at}", row


_COUNTS = frozenset({"Count", "Times", "Packets/sec", "Count/s", "Count/min", "Times/sec", "Times/min", "Requests/min"})

_MOST_PERCENT = 100

_OF_A_REQUEST = "_request"

"""Part of the names of metrics that are a percentage of what was requested, and may exceed it."""


def beyond_a_hundred(entry: Entry) -> Iterator[Problem]:
    """Yield percentages with a range beyond 0 to 100."""
    for at, metric in enumerate(entry.shape.metrics):
        within = metric.low >= 0 and metric.high <= _MOST_PERCENT
        if metric.unit.en == "%" and not within and _OF_A_REQUEST not in metric.name:
            told = f"[{metric.low}, {metric.high}] is beyond 0 to 100, and the unit is %"
            yield Problem(f"metrics.{at}.range", told, "give a range within [0, 100], or another unit")


def halves(entry: Entry) -> Iterator[Problem]:
    """Yield counts with decimals: there is no half connection."""
    for at, metric in enumerate(entry.shape.metrics):
        if metric.unit.en in _COUNTS and metric.decimals:
            told = f"what is counted in {metric.unit.en} has no decimals"
            yield Problem(f"metrics.{at}.decimals", told, "leave decimals out")
