"""A JSON tree as lines of text, each with its path; bounded, whatever the tree is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.strict_json import path_of
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 2_000
MAX_CHARS = 500
"""Limit of one line."""
_MAX_DEPTH = 30


class JsonLine(NamedTuple):
    """One line of a tree."""

    depth: int
    """Number of objects and lists around it."""
    text: str
    path: str
    """Path of the value that begins in this line; of a closing bracket, an empty string."""


def json_lines(tree: Any) -> list[JsonLine]:  # noqa: ANN401 - a JSON tree
    """Return a tree as lines; the last one says so if there are more."""
    lines: list[JsonLine] = []
    for line in _lines(tree, (), "", ""):
        if len(lines) == MAX_LINES:
            return [*lines, JsonLine(0, f"… more than {MAX_LINES} lines", "")]
        lines.append(line)
    return lines


def _lines(value: Any, keys: tuple[str | int, ...], label: str, end: str) -> Iterator[JsonLine]:  # noqa: ANN401 - JSON
    depth, path = len(keys), path_of(keys)
    if not isinstance(value, dict | list) or not value:
        yield JsonLine(depth, f"{label}{_scalar(value)}{end}", path)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if depth == _MAX_DEPTH:
        yield JsonLine(depth, f"{label}{opening}…{closing}{end}", path)
        return
    yield JsonLine(depth, f"{label}{opening}", path)
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for number, (key, child) in enumerate(items, start=1):
        name = f"{_scalar(key)}: " if isinstance(key, str) else ""
        yield from _lines(child, (*keys, key), name, "," if number < len(items) else "")
    yield JsonLine(depth, f"{closing}{end}", "")


def _scalar(value: Any) -> str:  # noqa: ANN401 - a JSON value
    text = value if isinstance(value, str) else None
    if text is not None and len(text) > MAX_CHARS:
        return f"{one_line(json.dumps(text[:MAX_CHARS], ensure_ascii=False), 2 * MAX_CHARS)}… ({len(text)} characters)"
    return one_line(json.dumps(value, ensure_ascii=False), 2 * MAX_CHARS)
