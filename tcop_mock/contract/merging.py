"""Merge JSON Schemas: what keeps one of several keeps the merged one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    Schema = dict[str, Any]


def merged(schemas: Iterable[Schema]) -> Schema:
    """Return one schema that all that keeps any of several keeps.

    Tables become one table: keys that all have are required, those of any are known. Constants become one ``enum``;
    other alternatives are counted in ``anyOf``.

    Args:
        schemas: of closed tables, lists, constants and alternatives of these; at least one.
    """
    alternatives: list[Schema] = []
    constants: list[Any] = []
    table: Schema | None = None
    for schema in schemas:
        for one in schema.get("anyOf", [schema]):
            if one.get("type") == "object":
                table = _joined(table, one) if table else one
            elif "const" in one or "enum" in one:
                constants += [value for value in one.get("enum", [one.get("const")]) if not _has(constants, value)]
            elif one not in alternatives:
                alternatives.append(one)
    if len(constants) > 1:
        alternatives.append({"enum": constants})
    elif constants:
        alternatives.append({"const": constants[0]})
    if table:
        alternatives.append(table)
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _joined(first: Schema, second: Schema) -> Schema:
    if first == second:
        return first
    known = {**first["properties"]}
    for key, schema in second["properties"].items():
        known[key] = merged((known[key], schema)) if key in known else schema
    required = [key for key in first["required"] if key in second["required"]]
    return {**first, "properties": known, "required": required}


def _has(values: list[Any], wanted: Any) -> bool:  # noqa: ANN401 - any JSON scalar
    """Tell whether a value is there with its own JSON type: Python's ``True`` equals ``1``."""
    return any(value == wanted and type(value) is type(wanted) for value in values)
