"""Differences between two JSON trees, by path: neither order of keys nor white space counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tcop_mock.callbacks.strict_json import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["added", "removed", "changed", "type"]
_ABSENT = object()


class Difference(NamedTuple):
    """One place at which two trees differ."""

    path: str
    """Dotted path, items of lists by number; empty for the whole tree."""
    kind: Kind
    """``type``: the value has another JSON type, such as ``"443"`` and ``443``."""
    a: Any = None
    """The value in the first tree; ``None`` if it was added."""
    b: Any = None
    """The value in the second tree; ``None`` if it was removed."""


def differences(a: Any, b: Any, keys: tuple[str | int, ...] = ()) -> Iterator[Difference]:  # noqa: ANN401 - JSON trees
    """Yield the differences from one tree to another, in the order of the first tree, then what the second adds."""
    if isinstance(a, dict) and isinstance(b, dict):
        names: list[str | int] = [*a, *(key for key in b if key not in a)]
        for name in names:
            yield from _at((*keys, name), a.get(name, _ABSENT), b.get(name, _ABSENT))
    elif isinstance(a, list) and isinstance(b, list):
        for index in range(max(len(a), len(b))):
            yield from _at((*keys, index), *(tree[index] if index < len(tree) else _ABSENT for tree in (a, b)))
    elif json_type(a) != json_type(b):
        yield Difference(path_of(keys), "type", a, b)
    elif a != b:
        yield Difference(path_of(keys), "changed", a, b)


def json_type(value: Any) -> str:  # noqa: ANN401 - a JSON value
    """Return the name of the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):  # before numbers, because Python counts it as one
        return "boolean"
    names: dict[type, str] = {str: "string", dict: "object", list: "array"}
    return names.get(type(value), "number")


def _at(keys: tuple[str | int, ...], a: Any, b: Any) -> Iterator[Difference]:  # noqa: ANN401 - JSON trees
    if a is _ABSENT:
        yield Difference(path_of(keys), "added", b=b)
    elif b is _ABSENT:
        yield Difference(path_of(keys), "removed", a=a)
    else:
        yield from differences(a, b, keys)
