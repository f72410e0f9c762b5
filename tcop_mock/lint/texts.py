"""Rules about what an entry says: names, translations, sources and assumptions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tcop_mock.model.problem import Problem
from tcop_mock.model.shape import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.lint.entry import Entry

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
