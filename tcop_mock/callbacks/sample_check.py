"""Check of documented samples: the templates become one regular expression with back-references."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import CompiledShape
from tcop_mock.catalog.pools import regions
from tcop_mock.catalog.template import format_value, is_reference, leaves, resolve, split_template
from tcop_mock.domain.shape import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.domain.shape import Shape

_SEPARATOR = "\x1f"
_APP_ID = r"1[23]\d{8}"


def sample_matches(shape: Shape, dimensions: Mapping[str, Any], *, placeholder: bool = False) -> bool:
    """Return whether the shape could generate these dimensions (keys, order, JSON types and values together).

    Any name matches, because people type names; a value that is used twice must be the same twice.

    Args:
        shape: the shape.
        dimensions: dimensions of a callback or page.
        placeholder: whether the string ``xxx`` matches any string.
    """
    templates = list(leaves(dict(shape.dimensions)))
    values = list(leaves(dict(dimensions)))
    if [path for path, _ in templates] != [path for path, _ in values]:
        return False
    specified = [not (placeholder and value == PLACEHOLDER) for _, value in values]
    sample_text = _SEPARATOR.join(_typed_text(value) for _, value in values)
    plan = CompiledShape(shape)
    nodes = [node for _, node in templates]
    return any(
        re.fullmatch(_sample_pattern(plan, nodes, specified, choices), sample_text)
        for choices in _choice_combinations(plan)
    )


def _typed_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value with its JSON type, because 443 and "443" are different."""
    return f"text {value}" if isinstance(value, str) else f"json {json.dumps(value)}"


def _choice_combinations(plan: CompiledShape) -> Iterator[dict[str, Any]]:
    """Yield every combination of the entry's picked values."""
    choices_by_name = {name: slot.generator.choices for name, slot in plan.slots.items() if slot.generator.choices}
    for combination in itertools.product(*choices_by_name.values()):
        yield dict(zip(choices_by_name, combination, strict=True))


def _sample_pattern(plan: CompiledShape, nodes: list[Any], specified: list[bool], choices: Mapping[str, Any]) -> str:
    groups: dict[str, str] = {}
    return _SEPARATOR.join(
        _leaf_pattern(plan, node, choices, groups) if is_specified else _type_pattern(plan, node, choices)
        for node, is_specified in zip(nodes, specified, strict=True)
    )


def _type_pattern(plan: CompiledShape, node: Any, choices: Mapping[str, Any]) -> str:  # noqa: ANN401 - a template
    """Return a pattern that matches the placeholder if a string is expected, and else nothing."""
    return f"text {PLACEHOLDER}" if _leaf_pattern(plan, node, choices, {}).startswith("text") else "json"


def _leaf_pattern(
    plan: CompiledShape,
    node: Any,  # noqa: ANN401 - a template
    choices: Mapping[str, Any],
    groups: dict[str, str],
) -> str:
    if is_reference(node):
        path = node["value"]
        if path.partition(".")[0] in choices:
            return re.escape(_typed_text(resolve(choices, path)))
        is_text = path != "account.app_id" and (path not in plan.slots or plan.slots[path].generator.is_text)
        return f"{'text' if is_text else 'json'} {_field_pattern(plan, path, choices, groups)}"
    if not isinstance(node, str):
        return re.escape(_typed_text(node))
    pieces = split_template(node)
    patterns = [
        _field_pattern(plan, piece, choices, groups) if index % 2 else re.escape(piece)
        for index, piece in enumerate(pieces)
    ]
    return f"text {''.join(patterns)}"


def _field_pattern(plan: CompiledShape, path: str, choices: Mapping[str, Any], groups: dict[str, str]) -> str:
    name = path.partition(".")[0]
    if name in choices:
        return re.escape(format_value(resolve(choices, path)))
    if path in groups:
        return f"(?P={groups[path]})"
    groups[path] = f"v{len(groups)}"
    builtin_patterns = {
        "account.app_id": _APP_ID,
        "account.uin": r"\d{12}",
        "region": "|".join(re.escape(region.code) for region in regions()),
    }
    pattern = builtin_patterns[path] if path in builtin_patterns else plan.slots[name].generator.pattern
    return f"(?P<{groups[path]}>{pattern})"
