"""Reports of ``diff``: the differences between each body and the one before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.json_tree import json_type
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.callbacks.json_tree import Difference

_MAX_CHARS = 300


class Comparison(NamedTuple):
    """Two bodies, by where they were read, and their differences."""

    a: str
    b: str
    differences: tuple[Difference, ...]


def differences_document(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """Return the document of ``diff --json``."""
    return {
        "version": VERSION,
        "comparisons": [
            {"a": one.a, "b": one.b, "differences": [_difference_document(found) for found in one.differences]}
            for one in comparisons
        ],
    }


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of one comparison: a heading, and a line per difference."""
    count = pluralize(len(comparison.differences), "difference") if comparison.differences else "no differences"
    yield one_line(f"{comparison.a} -> {comparison.b}: {count}", _MAX_CHARS)
    for found in comparison.differences:
        yield f"  {found.kind:<8} {one_line(found.path or '(the whole body)', _MAX_CHARS)}: {_values(found)}"


def _values(found: Difference) -> str:
    a, b = _text(found.a), _text(found.b)
    if found.kind == "added":
        return b
    if found.kind == "removed":
        return a
    if found.kind == "type":
        return f"{json_type(found.a)} {a} -> {json_type(found.b)} {b}"
    return f"{a} -> {b}"


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return one_line(json.dumps(value, ensure_ascii=False), _MAX_CHARS)


def _difference_document(found: Difference) -> dict[str, Any]:
    document = {"path": found.path, "kind": found.kind}
    if found.kind != "added":
        document["a"] = found.a
    if found.kind != "removed":
        document["b"] = found.b
    return document
