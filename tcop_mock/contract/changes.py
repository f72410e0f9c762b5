"""What clauses change in a body: on its tree, by path, or all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tcop_mock.generate.edits import value_at, with_value, without
from tcop_mock.model.wire import wire_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TYPES: dict[str, Callable[[Any], Any]] = {"string": str, "integer": int, "number": float}
"""JSON types that a scalar can be given, by their names in clause files."""


def changed(tree: Any, variant: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with what a variant of a clause changes: ``set``, ``null`` (TOML has none), ``unset``, ``fill``.

    Raises:
        UnknownNameError: the body has no such path.
    """
    for path, value in variant.get("set", {}).items():
        tree = with_value(tree, path, value, create=True)
    for path in variant.get("null", ()):
        tree = with_value(tree, path, None, create=True)
    for path in variant.get("unset", ()):
        tree = without(tree, path)
    return _filled(tree, **variant["fill"]) if "fill" in variant else tree


def retyped(tree: Any, path: str, kind: str) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the scalar at a path in another JSON type.

    Raises:
        UnknownNameError: the body has no such path.
    """
    return with_value(tree, path, TYPES[kind](value_at(tree, path)))


def raw_body(raw: Mapping[str, str]) -> bytes:
    """Return the bytes that a clause writes down as ``text`` or ``hex``."""
    return bytes.fromhex(re.sub(r"\s", "", raw["hex"])) if "hex" in raw else raw["text"].encode()


def _filled(tree: Any, paths: Sequence[str], text: str, bytes: int) -> Any:  # noqa: ANN401, A002 - JSON; the clause file's key
    times = 0
    filled = tree
    while len(wire_bytes(filled)) < bytes:
        times += 1
        for path in paths:
            filled = with_value(filled, path, text * times)
    return filled
