"""Mutations: changes that clauses make to a body, by path in its tree or to its serialization."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.json_tree import value_at, with_value, without_value
from tcop_mock.domain.callback import TimesLocation, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TIME_FIELDS = frozenset({"firstOccurTime", "durationTime", "recoverTime"})
SCALAR_TYPES: dict[str, Callable[[Any], Any]] = {
    "string": str,
    "integer": int,
    "number": float,
    "empty string": lambda _value: "",
}
"""Converters to JSON types, by their names in clause files."""


def apply_mutation(tree: Any, mutation: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the changes of a mutation: ``set``, ``null`` (TOML has no null), ``unset``, ``fill``.

    Raises:
        UnknownNameError: the body does not have the path.
    """
    for path, value in mutation.get("set", {}).items():
        tree = with_value(tree, _locate(tree, path), value, create=True)
    for path in mutation.get("null", ()):
        tree = with_value(tree, _locate(tree, path), None, create=True)
    for path in mutation.get("unset", ()):
        tree = without_value(tree, _locate(tree, path))
    return _fill(tree, **mutation["fill"]) if "fill" in mutation else tree


def change_type(tree: Any, path: str, type_name: str) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the scalar at a path in another JSON type.

    Raises:
        UnknownNameError: the body does not have the path.
    """
    location = _locate(tree, path)
    return with_value(tree, location, SCALAR_TYPES[type_name](value_at(tree, location)))


def _locate(tree: Any, path: str) -> str:  # noqa: ANN401 - JSON trees
    """Return the path of a value in this body: the oldest callbacks have their times inside the policy."""
    is_in_policy = (
        path in _TIME_FIELDS and path not in tree and _TIME_FIELDS & tree.get(TimesLocation.POLICY, {}).keys()
    )
    return f"{TimesLocation.POLICY}.{path}" if is_in_policy else path


def serialize_variant(tree: Any, variant: Mapping[str, Any]) -> bytes:  # noqa: ANN401 - JSON trees
    """Return a body as a mutation serializes it.

    Keys: ``ascii_only``, ``key_order``, ``indent``, ``duplicate_key``, ``encoding``, ``bom``, ``drop_last_byte_of`` (a
    text), ``drop_last_bytes`` (a number).
    """
    if "key_order" in variant:
        tree = _reorder(tree, is_reversed=variant["key_order"] == "reversed")
    if "indent" in variant:
        return json.dumps(tree, ensure_ascii=False, indent=variant["indent"]).encode()
    raw = json.dumps(tree).encode() if variant.get("ascii_only") else encode_json(tree)
    if "duplicate_key" in variant:
        key = variant["duplicate_key"]
        raw = raw[:-1] + b"," + encode_json({key: tree[key]})[1:]
    if "drop_last_byte_of" in variant:
        text = variant["drop_last_byte_of"].encode()
        raw = raw.replace(text, text[:-1])
    if "drop_last_bytes" in variant:
        raw = raw[: -variant["drop_last_bytes"]]
    raw = raw.decode().encode(variant["encoding"]) if "encoding" in variant else raw
    return codecs.BOM_UTF8 + raw if variant.get("bom") else raw


def raw_body(table: Mapping[str, Any]) -> bytes:
    """Return the bytes that a clause gives as ``text``, as ``hex``, or as nesting of a ``depth``."""
    if "hex" in table:
        return bytes.fromhex(re.sub(r"\s", "", table["hex"]))
    if "depth" in table:
        return f"{table['open'] * table['depth']}{table.get('inner', '')}{table['close'] * table['depth']}".encode()
    return str(table["text"]).encode()


def _reorder(tree: Any, *, is_reversed: bool) -> Any:  # noqa: ANN401 - JSON trees
    """Return a tree with the keys of each object in alphabetical order, or in reverse of the given order."""
    if isinstance(tree, list):
        return [_reorder(item, is_reversed=is_reversed) for item in tree]
    if not isinstance(tree, dict):
        return tree
    keys = reversed(tree) if is_reversed else sorted(tree)
    return {key: _reorder(tree[key], is_reversed=is_reversed) for key in keys}


def _fill(tree: Any, paths: Sequence[str], text: str, min_bytes: int) -> Any:  # noqa: ANN401 - JSON; the clause file's key
    """Return a tree of ``min_bytes``, or of some bytes more where a character of the text has several."""
    for path in paths:
        tree = with_value(tree, path, "")
    missing = min_bytes - len(encode_json(tree))
    for number, path in enumerate(paths, start=1):
        value = text * -(-missing // (len(text.encode()) * (len(paths) - number + 1)))
        if number == len(paths):
            value = _cut_to(value, missing)
        tree = with_value(tree, path, value)
        missing -= len(value.encode())
    return tree


def _cut_to(text: str, min_bytes: int) -> str:
    """Return the shortest beginning of a text that has at least this number of bytes."""
    surplus = len(text.encode()) - min_bytes
    while text and surplus >= len(text[-1].encode()):
        surplus -= len(text[-1].encode())
        text = text[:-1]
    return text
