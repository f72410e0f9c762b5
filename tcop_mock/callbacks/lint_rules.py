"""Lint rules for catalogue entries: names, translations, sources, assumptions, values and samples."""

from __future__ import annotations

import itertools
import json
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.compiler import (
    BUILTIN_VALUES,
    CompiledShape,
    ValueGenerator,
    make_value_generator,
    template_errors,
)
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.pieces import RandomChoice
from tcop_mock.callbacks.sampling import forms_of, supports
from tcop_mock.catalog.loader import parse_shape, undrawable
from tcop_mock.catalog.pools import regions
from tcop_mock.catalog.template import format_value, is_reference, leaves, referenced_paths, resolve, split_template
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import PLACEHOLDER, Lang, Problem
from tcop_mock.errors import EntryError, TcopMockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.callbacks.pieces import Piece
    from tcop_mock.domain.callback import Form
    from tcop_mock.domain.shape import Shape

_SEPARATOR = "\x1f"
_APP_ID = r"1[23]\d{8}"
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_OBSERVED_UNIT_ZH = "observedUnit_zh"

"""Captured units may be in any script."""
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

"""Phrases in ``source`` that mark a key without a source."""
_SEED = 0
_ID = re.compile(r"id$", re.IGNORECASE)
_MAX_COMBINATIONS = 4096
_MAX_BYTES = 4096

"""Receivers must accept bodies up to 4 KiB (TCM115); no captured body was longer."""
_COUNT_UNITS = frozenset(
    {"Count", "Times", "Packets/sec", "Count/s", "Count/min", "Times/sec", "Times/min", "Requests/min"}
)
_MAX_PERCENT = 100
_REQUEST_SUFFIX = "_request"

"""Name suffix of metrics that are a percentage of a requested amount and may exceed 100."""


def sample_matches(shape: Shape, dimensions: Mapping[str, Any], *, placeholder: bool = False) -> bool:
    """Return whether the shape could generate these dimensions (keys, order, JSON types and values together).

    Any name matches, because people type names; a value that is used twice must be the same twice.

    Args:
        shape: the shape.
        dimensions: dimensions of a callback or page.
        placeholder: whether the string ``xxx`` matches any string.
    """
    templates = list(leaves(dict(shape.dimensions)))
    values = list(leaves(dict(dimensions)))
    if [path for path, _ in templates] != [path for path, _ in values]:
        return False
    specified = [not (placeholder and value == PLACEHOLDER) for _, value in values]
    sample_text = _SEPARATOR.join(_typed_text(value) for _, value in values)
    plan = CompiledShape(shape)
    nodes = [node for _, node in templates]
    return any(
        re.fullmatch(_sample_pattern(plan, nodes, specified, choices), sample_text)
        for choices in _choice_combinations(plan)
    )


def _typed_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value with its JSON type, because 443 and "443" are different."""
    return f"text {value}" if isinstance(value, str) else f"json {json.dumps(value)}"


def _choice_combinations(plan: CompiledShape) -> Iterator[dict[str, Any]]:
    """Yield every combination of the entry's picked values."""
    choices_by_name = {name: slot.generator.choices for name, slot in plan.slots.items() if slot.generator.choices}
    for combination in itertools.product(*choices_by_name.values()):
        yield dict(zip(choices_by_name, combination, strict=True))


def _sample_pattern(plan: CompiledShape, nodes: list[Any], specified: list[bool], choices: Mapping[str, Any]) -> str:
    groups: dict[str, str] = {}
    return _SEPARATOR.join(
        _leaf_pattern(plan, node, choices, groups) if is_specified else _type_pattern(plan, node, choices)
        for node, is_specified in zip(nodes, specified, strict=True)
    )


def _type_pattern(plan: CompiledShape, node: Any, choices: Mapping[str, Any]) -> str:  # noqa: ANN401 - a template
    """Return a pattern that matches the placeholder if a string is expected, and else nothing."""
    return f"text {PLACEHOLDER}" if _leaf_pattern(plan, node, choices, {}).startswith("text") else "json"


def _leaf_pattern(
    plan: CompiledShape,
    node: Any,  # noqa: ANN401 - a template
    choices: Mapping[str, Any],
    groups: dict[str, str],
) -> str:
    if is_reference(node):
        path = node["value"]
        if path.partition(".")[0] in choices:
            return re.escape(_typed_text(resolve(choices, path)))
        is_text = path != "account.app_id" and (path not in plan.slots or plan.slots[path].generator.is_text)
        return f"{'text' if is_text else 'json'} {_field_pattern(plan, path, choices, groups)}"
    if not isinstance(node, str):
        return re.escape(_typed_text(node))
    pieces = split_template(node)
    patterns = [
        _field_pattern(plan, piece, choices, groups) if index % 2 else re.escape(piece)
        for index, piece in enumerate(pieces)
    ]
    return f"text {''.join(patterns)}"


def _field_pattern(plan: CompiledShape, path: str, choices: Mapping[str, Any], groups: dict[str, str]) -> str:
    name = path.partition(".")[0]
    if name in choices:
        return re.escape(format_value(resolve(choices, path)))
    if path in groups:
        return f"(?P={groups[path]})"
    groups[path] = f"v{len(groups)}"
    builtin_patterns = {
        "account.app_id": _APP_ID,
        "account.uin": r"\d{12}",
        "region": "|".join(re.escape(region.code) for region in regions()),
    }
    pattern = builtin_patterns[path] if path in builtin_patterns else plan.slots[name].generator.pattern
    return f"(?P<{groups[path]}>{pattern})"


def duplicate_name(entry: LintedEntry) -> Iterator[Problem]:
    """Yield duplicate names: policies select a metric or an event by its name."""
    seen: dict[str, str] = {}
    for key, row in entry.subjects():
        name_key = "metricName" if "metricName" in row else "eventName"
        first = seen.setdefault(row[name_key], key)
        if first != key:
            yield Problem(f"{key}.{name_key}", f"{row[name_key]!r} is the name of {first}, too", "remove one of them")


def missing_translation(entry: LintedEntry) -> Iterator[Problem]:
    """Yield texts without a Chinese version."""
    tables = [(name, entry.table if not name else entry.table.get(name, {})) for name in ("", "policy", "product")]
    tables += list(entry.subjects())
    for location, table in tables:
        for key in _TRANSLATED[location.partition(".")[0]]:
            if key in table and f"{key}_zh" not in table:
                path = f"{location}.{key}" if location else key
                yield Problem(f"{path}_zh", f"is missing: Chinese accounts get {table[key]!r}", "add the text")


def not_chinese(entry: LintedEntry) -> Iterator[Problem]:
    """Yield Chinese texts without Chinese characters, which hide that a translation is missing."""
    for path, text in _translations(entry.table):
        if not _CHINESE.search(text):
            yield Problem(path, f"{text!r} contains no Chinese", "translate it, or remove it to use the other text")


def _translations(node: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a TOML value
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if str(key).endswith("_zh") and key != _OBSERVED_UNIT_ZH and isinstance(child, str):
            yield f"{path}{key}", child
        yield from _translations(child, f"{path}{key}.")


def dangling_assumption(entry: LintedEntry) -> Iterator[Problem]:
    """Yield assumptions about keys that do not exist, because a renamed key would no longer be marked."""
    for index, path in enumerate(entry.table.get("assumed", ())):
        if not _has_path(entry.table, path.split(".")):
            yield Problem(f"assumed.{index}", f"{path!r} is not a key of this file", "use the key that it is about")


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
    """Yield keys for which ``source`` and ``assumed`` disagree."""
    assumed = set(entry.table.get("assumed", ()))
    for location, row in entry.subjects():
        rules = _ASSUMED_PHRASES[location.partition(".")[0]]
        assumed_by_source = {key for phrase, key in rules if phrase in row["source"]}
        for key in dict.fromkeys(key for _, key in rules):
            path = f"{location}.{key}"
            if key in assumed_by_source and path not in assumed:
                yield Problem(path, "its source calls it ours, but `assumed` does not list it", "add it to `assumed`")
            if key not in assumed_by_source and path in assumed:
                phrase = next(phrase for phrase, other_key in rules if other_key == key)
                yield Problem(path, "is assumed, but its source does not say so", f"add {phrase!r} to `source`")


def placeholder_not_assumed(entry: LintedEntry) -> Iterator[Problem]:
    """Yield dimensions that the documentation shows as a placeholder and that are not assumed."""
    sample = entry.shape.sample
    for key, value in sample.dimensions.items() if sample else ():
        path = f"dimensions.{key}"
        if value == PLACEHOLDER and path not in entry.shape.assumed:
            yield Problem(path, f"the sample shows {PLACEHOLDER}, so its value is a guess", "add it to `assumed`")


def value_template_mismatch(entry: LintedEntry) -> Iterator[Problem]:
    """Yield invalid values, templates with undeclared values, and unused values."""
    shape, generators = entry.shape, dict[str, ValueGenerator | None]()
    for name, spec in shape.values.items():
        generators[name] = None
        if undrawable(spec):
            continue  # reported by contradictions()
        try:
            generators[name] = make_value_generator(shape, name, _SEED)
        except TcopMockError as problem:
            yield Problem(f"values.{name}", problem.problem if isinstance(problem, EntryError) else f"{problem}")
    yield from template_errors(shape, generators)


def constant_id(entry: LintedEntry) -> Iterator[Problem]:
    """Yield ids that are the same in all alarms: a receiver would merge incidents of different objects."""
    plan = CompiledShape(entry.shape)
    for key, leaf in leaves(entry.shape.dimensions):
        if not _ID.search(key):
            continue
        used_paths = list(referenced_paths(leaf))
        if not used_paths:
            yield Problem(f"dimensions.{key}", "is an id, but the same in all alarms", "use a value in it")
        for path in used_paths:
            name, _, part = path.partition(".")
            if path not in BUILTIN_VALUES and not any(map(_varies, plan.slots[name].pieces(Lang.EN, part))):
                message = f"has only one possible value, but the id {key} depends on {path}"
                yield Problem(f"values.{name}", message, "allow more values, or write it into the template")


def _varies(piece: Piece) -> bool:
    return len(set(piece.texts)) > 1 if isinstance(piece, RandomChoice) else not isinstance(piece, str)


def sample_not_checkable(entry: LintedEntry) -> Iterator[Problem]:
    """Yield that the sample is not checked because its pattern would need too many combinations of picked values."""
    combinations = _combinations(entry.shape)
    if entry.shape.sample and combinations > _MAX_COMBINATIONS:
        message = f"is not checked: picks give {combinations} combinations, more than {_MAX_COMBINATIONS}"
        yield Problem("sample.agrees", message, "pick from tables, so that related values are one choice")


def sample_agrees_wrong(entry: LintedEntry) -> Iterator[Problem]:
    """Yield ``agrees`` if it is wrong about whether the templates could generate the documented sample."""
    shape = entry.shape
    if shape.sample is None or _combinations(shape) > _MAX_COMBINATIONS:
        return
    agrees = sample_matches(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder)
    if agrees is not shape.sample.agrees:
        result = "could have been generated" if agrees else "could not have been: keys, order, types or values differ"
        yield Problem(
            "sample.agrees", f"is {str(not agrees).lower()}, but the sample {result}", f"write {agrees}".lower()
        )


def _combinations(shape: Shape) -> int:
    return math.prod(len(slot.generator.choices) or 1 for slot in CompiledShape(shape).slots.values())


def generation_error(entry: LintedEntry) -> Iterator[Problem]:
    """Yield why a metric or an event fails in a form, language and state that it supports; each reason once."""
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
    """Yield the longest body if it exceeds the limit of receivers."""
    bodies = [
        (len(generate_body()), form)
        for form in forms_of(entry.shape)
        for lang in Lang
        for _, generate_body in _body_generators(entry.shape, form, lang, State.FIRING)
    ]
    max_bytes, form = max(bodies)
    if max_bytes > _MAX_BYTES:
        message = f"the {form} body has {max_bytes} bytes; receivers must accept up to {_MAX_BYTES}"
        yield Problem("", message, "shorten names and texts")


def _body_generators(shape: Shape, form: Form, lang: Lang, *states: State) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the name of each metric or event and a generator of its body, for each supported state of these.

    A shape without metrics and events has one, under the shape's id.
    """
    generator = Generator(_SEED, lang, form=form)

    def generate_body(name: str | None, state: State) -> bytes:
        alarm = generator.alarm(shape, metric=name, required_state=state)
        return generator.callback(alarm, state).to_bytes()

    for subject in shape.metrics or shape.events or (None,):
        for state in states:
            if supports(shape, {state}, form) and (
                state is not State.RESOLVED or getattr(subject, "recoverable", True)
            ):
                name = subject.name if subject else None
                yield name or shape.id, partial(generate_body, name, state)


class LintedEntry(NamedTuple):
    """One entry, as a table and as a shape."""

    table: Mapping[str, Any]
    """Content of the file."""
    shape: Shape

    @classmethod
    def from_table(cls, shape_id: str, table: dict[str, Any], file: str = "") -> LintedEntry:
        """Return the entry of a table that is valid by its schema; error messages name ``file``."""
        return cls(table, parse_shape(shape_id, table, file))

    def subjects(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the tables of metrics and events, each with its key: ``metrics.0``."""
        for kind in ("metrics", "events"):
            for index, row in enumerate(self.table.get(kind, ())):
                yield f"{kind}.{index}", row


def percentage_over_100(entry: LintedEntry) -> Iterator[Problem]:
    """Yield percentages with a range beyond 0 to 100."""
    for index, metric in enumerate(entry.shape.metrics):
        is_within = metric.low >= 0 and metric.high <= _MAX_PERCENT
        if metric.unit.en == "%" and not is_within and _REQUEST_SUFFIX not in metric.name:
            message = f"[{metric.low}, {metric.high}] is beyond 0 to 100, and the unit is %"
            yield Problem(f"metrics.{index}.range", message, "give a range within [0, 100], or another unit")


def fractional_count(entry: LintedEntry) -> Iterator[Problem]:
    """Yield counts with decimals, which cannot occur."""
    for index, metric in enumerate(entry.shape.metrics):
        if metric.unit.en in _COUNT_UNITS and metric.decimals:
            message = f"a count in {metric.unit.en} has no decimals"
            yield Problem(f"metrics.{index}.decimals", message, "remove decimals")
