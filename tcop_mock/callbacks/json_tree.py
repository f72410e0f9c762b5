"""JSON trees of bodies, by path: edits, and differences, for which neither order of keys nor white space counts."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tcop_mock.callbacks.strict_json import path_of
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator


Kind = Literal["added", "removed", "changed", "type"]
_ABSENT = object()


def with_value(tree: Any, path: str, value: Any, *, create: bool = False) -> Any:  # noqa: ANN401 - JSON trees
    """Return a copy of a tree with a new value at a dotted path (list items by number).

    Args:
        tree: the body.
        path: ``alarmPolicyInfo.conditions.calcValue``.
        value: any JSON value.
        create: whether to add the last key if it is missing.

    Raises:
        UnknownNameError: the body has no such path; suggests similar ones.
    """
    copied = copy.deepcopy(tree)
    parent, key = _locate(copied, path, create=create)
    parent[key] = value
    return copied


def without_value(tree: Any, path: str) -> Any:  # noqa: ANN401 - JSON trees
    """Return a copy of a tree without the value at a path.

    Raises:
        UnknownNameError: the body has no such path; suggests similar ones.
    """
    copied = copy.deepcopy(tree)
    parent, key = _locate(copied, path, create=False)
    del parent[key]
    return copied


def value_at(tree: Any, path: str) -> Any:  # noqa: ANN401 - JSON trees
    """Return the value at a path.

    Raises:
        UnknownNameError: the body has no such path; suggests similar ones.
    """
    parent, key = _locate(tree, path, create=False)
    return parent[key]


def all_paths(tree: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON trees
    """Yield the dotted path of every value in a tree, parents first."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in items:
        path = f"{prefix}{key}"
        yield path
        yield from all_paths(child, f"{path}.")


def _locate(tree: Any, path: str, *, create: bool) -> tuple[Any, Any]:  # noqa: ANN401 - JSON trees
    *parents, last_key = path.split(".")
    node = tree
    for name in parents:
        key = _key(node, name)
        if key is None:
            raise _unknown(tree, path)
        node = node[key]
    if create and isinstance(node, dict):
        return node, last_key
    key = _key(node, last_key)
    if key is None:
        raise _unknown(tree, path)
    return node, key


def _key(node: Any, name: str) -> str | int | None:  # noqa: ANN401 - JSON trees
    if isinstance(node, dict):
        return name if name in node else None
    if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
        return int(name)
    return None


def _unknown(tree: Any, path: str) -> UnknownNameError:  # noqa: ANN401 - JSON trees
    return UnknownNameError("path", path, all_paths(tree), where="the body")


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
