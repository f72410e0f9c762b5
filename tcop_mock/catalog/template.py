"""Templates of an entry's ``[dimensions]``: ``"{a.b}"`` in strings, ``{ value = "a.b" }`` for typed values.

``str.format`` would reach attributes, and users' entries are untrusted input.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Values: TypeAlias = "Mapping[str, Any]"
Render: TypeAlias = "Callable[[Values], Any]"

_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\}")
_PATH_ONLY = frozenset({"value"})


def split_template(template: str) -> tuple[str, ...]:
    """Split a template string: literal, path, literal, path, ..., literal."""
    return tuple(_FIELD.split(template))


def is_reference(node: Any) -> bool:  # noqa: ANN401 - a node of the entry's tree
    """Return whether a node is ``{ value = "a.b" }``."""
    return isinstance(node, dict) and node.keys() == _PATH_ONLY


def referenced_paths(node: Any) -> Iterator[str]:  # noqa: ANN401 - a node of the entry's tree
    """Yield each path that a string or a reference names, in order, with repeats."""
    if is_reference(node):
        yield node["value"]
    elif isinstance(node, str):
        yield from split_template(node)[1::2]


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a node of the entry's tree
    """Yield the dotted path and the node of each string, reference or other scalar in a tree."""
    if isinstance(node, dict) and not is_reference(node):
        for key, child in node.items():
            yield from leaves(child, f"{path}.{key}" if path else f"{key}")
    else:
        yield path, node


def has_stray_brace(node: Any) -> bool:  # noqa: ANN401 - a node of the entry's tree
    """Return whether a node is a string with a brace outside of a ``{field}``."""
    return isinstance(node, str) and any(brace in literal for literal in split_template(node)[::2] for brace in "{}")


def resolve(values: Values, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value at a path."""
    name, *keys = path.split(".")
    value = values[name]
    for key in keys:
        value = value[key]
    return value


def format_value(value: Any) -> str:  # noqa: ANN401 - any JSON scalar
    """Return the text of a value inside a string; booleans as in JSON."""
    return json.dumps(value) if isinstance(value, bool) else f"{value}"


def compile_tree(node: Any) -> Render:  # noqa: ANN401 - a node of the entry's tree
    """Compile a tree of templates to a function from generated values to wire values."""
    if is_reference(node):
        path = node["value"]
        return lambda values: resolve(values, path)
    if isinstance(node, dict):
        children = [(key, compile_tree(child)) for key, child in node.items()]
        return lambda values: {key: render(values) for key, render in children}
    if not isinstance(node, str):
        return lambda _values: node
    return _compile_text(node)


def _compile_text(template: str) -> Render:
    pieces = split_template(template)
    if len(pieces) == 1:
        return lambda _values: template
    fields = [(pieces[index], pieces[index + 1]) for index in range(0, len(pieces) - 1, 2)]
    tail = pieces[-1]

    def render(values: Values) -> str:
        return "".join([f"{literal}{format_value(resolve(values, path))}" for literal, path in fields]) + tail

    return render
