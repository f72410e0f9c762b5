"""Edits by path on the JSON tree of a body, never on its text."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
