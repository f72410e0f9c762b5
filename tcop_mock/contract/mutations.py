"""What clauses change in a body: on its tree, by path, or all of it."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.json_edit import value_at, with_value, without
from tcop_mock.domain.alarm import Times, wire_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TIMES = frozenset({"firstOccurTime", "durationTime", "recoverTime"})
TYPES: dict[str, Callable[[Any], Any]] = {"string": str, "integer": int, "number": float}
"""JSON types that a scalar can be given, by their names in clause files."""


def changed(tree: Any, variant: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with what a variant of a clause changes: ``set``, ``null`` (TOML has none), ``unset``, ``fill``.

    Raises:
        UnknownNameError: the body has no such path.
    """
    for path, value in variant.get("set", {}).items():
        tree = with_value(tree, _placed(tree, path), value, create=True)
    for path in variant.get("null", ()):
        tree = with_value(tree, _placed(tree, path), None, create=True)
    for path in variant.get("unset", ()):
        tree = without(tree, _placed(tree, path))
    return _filled(tree, **variant["fill"]) if "fill" in variant else tree


def retyped(tree: Any, path: str, kind: str) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the scalar at a path in another JSON type.

    Raises:
        UnknownNameError: the body has no such path.
    """
    placed = _placed(tree, path)
    return with_value(tree, placed, TYPES[kind](value_at(tree, placed)))


def _placed(tree: Any, path: str) -> str:  # noqa: ANN401 - JSON trees
    """Return where a value stands in this body: the oldest callbacks have their times inside the policy."""
    inside = path in _TIMES and path not in tree and _TIMES & tree.get(Times.POLICY, {}).keys()
    return f"{Times.POLICY}.{path}" if inside else path


def written(tree: Any, variant: Mapping[str, Any]) -> bytes:  # noqa: ANN401 - JSON trees
    """Return a body as a variant of a clause writes it.

    ``ascii``, ``order``, ``indent``, ``twice`` (a key), ``encoding``, ``bom``, ``cut`` (a text, which loses its last
    byte).
    """
    if "order" in variant:
        tree = _ordered(tree, backwards=variant["order"] == "reversed")
    if "indent" in variant:
        return json.dumps(tree, ensure_ascii=False, indent=variant["indent"]).encode()
    raw = json.dumps(tree).encode() if variant.get("ascii") else wire_bytes(tree)
    if "twice" in variant:
        key = variant["twice"]
        raw = raw[:-1] + b"," + wire_bytes({key: tree[key]})[1:]
    if "cut" in variant:
        text = variant["cut"].encode()
        raw = raw.replace(text, text[:-1])
    raw = raw.decode().encode(variant["encoding"]) if "encoding" in variant else raw
    return codecs.BOM_UTF8 + raw if variant.get("bom") else raw


def raw_body(raw: Mapping[str, Any]) -> bytes:
    """Return the bytes that a clause writes down as ``text``, as ``hex``, or nested so many ``times``."""
    if "hex" in raw:
        return bytes.fromhex(re.sub(r"\s", "", raw["hex"]))
    if "times" in raw:
        return f"{raw['open'] * raw['times']}{raw.get('inner', '')}{raw['close'] * raw['times']}".encode()
    return str(raw["text"]).encode()


def _ordered(tree: Any, *, backwards: bool) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the keys of each object in alphabetical order, or as they are, backwards."""
    if isinstance(tree, list):
        return [_ordered(item, backwards=backwards) for item in tree]
    if not isinstance(tree, dict):
        return tree
    keys = reversed(tree) if backwards else sorted(tree)
    return {key: _ordered(tree[key], backwards=backwards) for key in keys}


def _filled(tree: Any, paths: Sequence[str], text: str, bytes: int) -> Any:  # noqa: ANN401, A002 - JSON; the clause file's key
    for path in paths:
        tree = with_value(tree, path, "")
    missing = bytes - len(wire_bytes(tree))
    for path in paths:
        tree = with_value(tree, path, text * -(-missing // (len(text.encode()) * len(paths))))
    return tree
