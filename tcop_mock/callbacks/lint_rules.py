"""Rules about what an entry says: names, translations, sources and assumptions."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.compiler import BUILTIN_VALUES, CompiledShape, make_value_generator, template_errors
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.pieces import RandomChoice
from tcop_mock.callbacks.sample_check import sample_matches
from tcop_mock.callbacks.sampling import forms_of, supports
from tcop_mock.catalog.loader import parse_shape, undrawable
from tcop_mock.catalog.template import leaves, referenced_paths
from tcop_mock.domain.alarm import State
from tcop_mock.domain.shape import PLACEHOLDER, Lang, Problem
from tcop_mock.errors import EntryError, TcopMockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.callbacks.pieces import Piece
    from tcop_mock.domain.alarm import Form
    from tcop_mock.domain.shape import Shape


_CHINESE = re.compile(r"[\u4e00-\u9fff]")

_OBSERVED_UNIT_ZH = "observedUnit_zh"

"""A unit that was captured may be one in any script."""

_TRANSLATED = {
    "": ("title",),
    "policy": ("name",),
    "product": ("productShowName",),
    "metrics": ("metricShowName",),
    "events": ("eventShowName",),
}

_ASSUMED_PHRASES = {
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


def duplicate_name(entry: LintedEntry) -> Iterator[Problem]:
    """Yield names that are there twice: a metric or an event is chosen by its name."""
    seen: dict[str, str] = {}
    for key, row in entry.subjects():
        name_key = "metricName" if "metricName" in row else "eventName"
        first = seen.setdefault(row[name_key], key)
        if first != key:
            yield Problem(f"{key}.{name_key}", f"{row[name_key]!r} is the name of {first}, too", "take one of them out")


def missing_translation(entry: LintedEntry) -> Iterator[Problem]:
    """Yield texts that are there in one language only."""
    tables = [(name, entry.table if not name else entry.table.get(name, {})) for name in ("", "policy", "product")]
    tables += list(entry.subjects())
    for location, table in tables:
        for key in _TRANSLATED[location.partition(".")[0]]:
            if key in table and f"{key}_zh" not in table:
                path = f"{location}.{key}" if location else key
                yield Problem(f"{path}_zh", f"is missing: accounts in Chinese get {table[key]!r}", "add the text")


def not_chinese(entry: LintedEntry) -> Iterator[Problem]:
    """Yield texts in Chinese that are no Chinese: they repeat the other text and hide that one is missing."""
    for path, text in _translations(entry.table):
        if not _CHINESE.search(text):
            yield Problem(path, f"{text!r} holds no Chinese", "translate it, or leave it out: it falls back by itself")


def _translations(node: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a TOML value
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if str(key).endswith("_zh") and key != _OBSERVED_UNIT_ZH and isinstance(child, str):
            yield f"{path}{key}", child
        yield from _translations(child, f"{path}{key}.")


def dangling_assumption(entry: LintedEntry) -> Iterator[Problem]:
    """Yield assumptions about keys that are not there: what moved would mark another fact as a guess."""
    for index, path in enumerate(entry.table.get("assumed", ())):
        if not _has_path(entry.table, path.split(".")):
            yield Problem(f"assumed.{index}", f"{path!r} is no key of this file", "name the key that it is about")


def _has_path(node: Any, path: list[str]) -> bool:  # noqa: ANN401 - a TOML value
    for key in path:
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return False
    return True


def source_contradicts_assumed(entry: LintedEntry) -> Iterator[Problem]:
    """Yield keys of which ``source`` and ``assumed`` tell different stories."""
    assumed = set(entry.table.get("assumed", ()))
    for location, row in entry.subjects():
        rules = _ASSUMED_PHRASES[location.partition(".")[0]]
        assumed_by_source = {key for phrase, key in rules if phrase in row["source"]}
        for key in dict.fromkeys(key for _, key in rules):
            path = f"{location}.{key}"
            if key in assumed_by_source and path not in assumed:
                yield Problem(path, "its source calls it ours, and `assumed` does not name it", "name it in `assumed`")
            if key not in assumed_by_source and path in assumed:
                phrase = next(phrase for phrase, other_key in rules if other_key == key)
                yield Problem(path, "is assumed, and its source does not say so", f"write {phrase!r} into `source`")


def placeholder_not_assumed(entry: LintedEntry) -> Iterator[Problem]:
    """Yield dimensions that the documentation shows as a placeholder and that are not assumed."""
    sample = entry.shape.sample
    for key, value in sample.dimensions.items() if sample else ():
        path = f"dimensions.{key}"
        if value == PLACEHOLDER and path not in entry.shape.assumed:
            yield Problem(path, f"the sample shows {PLACEHOLDER}, so what is drawn is a guess", "name it in `assumed`")


_SEED = 0

_ID = re.compile(r"id$", re.IGNORECASE)

_MAX_COMBINATIONS = 4096

_MAX_BYTES = 4096

"""Receivers are held to bodies of 4 KiB (TCM115); no captured one was longer."""


def value_template_mismatch(entry: LintedEntry) -> Iterator[Problem]:
    """Yield values that cannot be drawn, templates that name no value, and values that none names."""
    shape, generators = entry.shape, dict[str, "Drawer | None"]()
    for name, spec in shape.values.items():
        generators[name] = None
        if undrawable(spec):
            continue  # told as a contradiction
        try:
            generators[name] = make_value_generator(shape, name, _SEED)
        except TcopMockError as problem:
            yield Problem(f"values.{name}", problem.problem if isinstance(problem, EntryError) else f"{problem}")
    yield from template_errors(shape, generators)


def constant_id(entry: LintedEntry) -> Iterator[Problem]:
    """Yield what makes an id the same in all alarms: incidents of two objects would be taken for one."""
    plan = CompiledShape(entry.shape)
    for key, leaf in leaves(entry.shape.dimensions):
        if not _ID.search(key):
            continue
        used_paths = list(referenced_paths(leaf))
        if not used_paths:
            yield Problem(f"dimensions.{key}", "is an id, and the same in all alarms", "name a value in it")
        for path in used_paths:
            name, _, part = path.partition(".")
            if path not in BUILTIN_VALUES and not any(map(_varies, plan.slots[name].pieces(Lang.EN, part))):
                message = f"draws one thing only, and the id {key} is made of {path}"
                yield Problem(f"values.{name}", message, "let it draw more, or write it into the template")


def _varies(piece: Piece) -> bool:
    return len(set(piece.texts)) > 1 if isinstance(piece, RandomChoice) else not isinstance(piece, str)


def sample_not_checkable(entry: LintedEntry) -> Iterator[Problem]:
    """Yield that the sample is not checked: each combination of what is picked would be a pattern of its own."""
    combinations = _combinations(entry.shape)
    if entry.shape.sample and combinations > _MAX_COMBINATIONS:
        message = f"is not checked: picks give {combinations} combinations, {_MAX_COMBINATIONS} are the most"
        yield Problem("sample.agrees", message, "pick from tables, so that what belongs together is one choice")


def sample_agrees_wrong(entry: LintedEntry) -> Iterator[Problem]:
    """Yield ``agrees`` that is not true: whether the templates could have drawn the documentation's sample."""
    shape = entry.shape
    if shape.sample is None or _combinations(shape) > _MAX_COMBINATIONS:
        return
    agrees = sample_matches(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder)
    if agrees is not shape.sample.agrees:
        result = "could have been drawn" if agrees else "could not have been drawn: keys, order, types or values differ"
        yield Problem(
            "sample.agrees", f"is {str(not agrees).lower()}, and the sample {result}", f"write {agrees}".lower()
        )


def _combinations(shape: Shape) -> int:
    return math.prod(len(slot.generator.choices) or 1 for slot in CompiledShape(shape).slots.values())


def generation_error(entry: LintedEntry) -> Iterator[Problem]:
    """Yield why a metric or an event cannot be told in a form, a language and a state that it has, each reason once."""
    seen_messages: set[str] = set()
    for form in forms_of(entry.shape):
        for lang in Lang:
            for name, generate_body in _body_generators(entry.shape, form, lang, *State):
                try:
                    generate_body()
                except TcopMockError as problem:
                    if f"{problem}" not in seen_messages:
                        seen_messages.add(f"{problem}")
                        yield Problem("", f"{name} as {form} in {lang}: {problem}")


def body_too_large(entry: LintedEntry) -> Iterator[Problem]:
    """Yield the longest body where it is longer than what receivers are held to."""
    bodies = [
        (len(generate_body()), form)
        for form in forms_of(entry.shape)
        for lang in Lang
        for _, generate_body in _body_generators(entry.shape, form, lang, State.FIRING)
    ]
    max_bytes, form = max(bodies)
    if max_bytes > _MAX_BYTES:
        message = f"the {form} body has {max_bytes} bytes; receivers are held to {_MAX_BYTES}"
        yield Problem("", message, "shorten names and texts")


def _body_generators(shape: Shape, form: Form, lang: Lang, *states: State) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield for each metric or event and each of these states that it has: its name, and what draws the body."""
    generator = Generator(_SEED, lang, form=form)

    def generate_body(name: str, state: State) -> bytes:
        alarm = generator.alarm(shape, metric=name, required_state=state)
        return generator.callback(alarm, state).to_bytes()

    for subject in shape.metrics or shape.events:
        for state in states:
            if supports(shape, {state}, form) and (
                state is not State.RESOLVED or getattr(subject, "recoverable", True)
            ):
                yield subject.name, partial(generate_body, subject.name, state)


class LintedEntry(NamedTuple):
    """One entry, as written and as read."""

    table: Mapping[str, Any]
    """The file."""
    shape: Shape

    @classmethod
    def from_table(cls, shape_id: str, table: dict[str, Any], file: str = "") -> LintedEntry:
        """Return the entry of a table that keeps its schema; ``file`` is told in errors."""
        return cls(table, parse_shape(shape_id, table, file))

    def subjects(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the metrics and events as written, each with its key: ``metrics.0``."""
        for kind in ("metrics", "events"):
            for index, row in enumerate(self.table.get(kind, ())):
                yield f"{kind}.{index}", row


_COUNT_UNITS = frozenset(
    {"Count", "Times", "Packets/sec", "Count/s", "Count/min", "Times/sec", "Times/min", "Requests/min"}
)

_MAX_PERCENT = 100

_REQUEST_SUFFIX = "_request"

"""Part of the names of metrics that are a percentage of what was requested, and may exceed it."""


def percentage_over_100(entry: LintedEntry) -> Iterator[Problem]:
    """Yield percentages with a range beyond 0 to 100."""
    for index, metric in enumerate(entry.shape.metrics):
        is_within = metric.low >= 0 and metric.high <= _MAX_PERCENT
        if metric.unit.en == "%" and not is_within and _REQUEST_SUFFIX not in metric.name:
            message = f"[{metric.low}, {metric.high}] is beyond 0 to 100, and the unit is %"
            yield Problem(f"metrics.{index}.range", message, "give a range within [0, 100], or another unit")


def fractional_count(entry: LintedEntry) -> Iterator[Problem]:
    """Yield counts with decimals: there is no half connection."""
    for index, metric in enumerate(entry.shape.metrics):
        if metric.unit.en in _COUNT_UNITS and metric.decimals:
            message = f"what is counted in {metric.unit.en} has no decimals"
            yield Problem(f"metrics.{index}.decimals", message, "leave decimals out")
