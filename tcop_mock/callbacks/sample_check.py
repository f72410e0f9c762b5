"""Could a shape have drawn the documentation's sample? Templates become one pattern with back-references."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import Plan
from tcop_mock.catalog.pools import regions
from tcop_mock.catalog.template import is_reference, leaves, parts, resolve, text
from tcop_mock.domain.shape import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.domain.shape import Shape

_BETWEEN = "\x1f"
_APP_ID = r"1[23]\d{8}"


def could_draw(shape: Shape, dimensions: Mapping[str, Any], *, placeholder: bool = False) -> bool:
    """Tell whether these dimensions (keys, order, JSON types and all values together) are one of the shape's.

    A name stands for whatever a human would type, so any name matches; what is named twice must be the same twice.

    Args:
        shape: what should have drawn them.
        dimensions: as a callback or a page has them.
        placeholder: a text ``xxx`` stands for any text.
    """
    templates = list(leaves(dict(shape.dimensions)))
    values = list(leaves(dict(dimensions)))
    if [path for path, _ in templates] != [path for path, _ in values]:
        return False
    told = [not (placeholder and value == PLACEHOLDER) for _, value in values]
    have = _BETWEEN.join(_typed(value) for _, value in values)
    plan = Plan(shape)
    nodes = [node for _, node in templates]
    return any(re.fullmatch(_pattern(plan, nodes, told, chosen), have) for chosen in _choices(plan))


def _typed(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value so that its JSON type shows: 443 and "443" are different products here."""
    return f"text {value}" if isinstance(value, str) else f"json {json.dumps(value)}"


def _choices(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield every combination of what the entry picks from lists."""
    counted = {name: slot.drawer.choices for name, slot in plan.slots.items() if slot.drawer.choices}
    for combination in itertools.product(*counted.values()):
        yield dict(zip(counted, combination, strict=True))


def _pattern(plan: Plan, nodes: list[Any], told: list[bool], chosen: Mapping[str, Any]) -> str:
    groups: dict[str, str] = {}
    return _BETWEEN.join(
        _leaf_pattern(plan, node, chosen, groups) if is_told else _type_pattern(plan, node, chosen)
        for node, is_told in zip(nodes, told, strict=True)
    )


def _type_pattern(plan: Plan, node: Any, chosen: Mapping[str, Any]) -> str:  # noqa: ANN401 - a template
    """Return the pattern of the placeholder where a text is drawn, and of nothing else elsewhere."""
    return f"text {PLACEHOLDER}" if _leaf_pattern(plan, node, chosen, {}).startswith("text") else "json"


def _leaf_pattern(
    plan: Plan,
    node: Any,  # noqa: ANN401 - a template
    chosen: Mapping[str, Any],
    groups: dict[str, str],
) -> str:
    if is_reference(node):
        path = node["value"]
        if path.partition(".")[0] in chosen:
            return re.escape(_typed(resolve(chosen, path)))
        is_text = path != "account.app_id" and (path not in plan.slots or plan.slots[path].drawer.is_text)
        return f"{'text' if is_text else 'json'} {_field(plan, path, chosen, groups)}"
    if not isinstance(node, str):
        return re.escape(_typed(node))
    pieces = parts(node)
    written = [_field(plan, piece, chosen, groups) if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)]
    return f"text {''.join(written)}"


def _field(plan: Plan, path: str, chosen: Mapping[str, Any], groups: dict[str, str]) -> str:
    name = path.partition(".")[0]
    if name in chosen:
        return re.escape(text(resolve(chosen, path)))
    if path in groups:
        return f"(?P={groups[path]})"
    groups[path] = f"v{len(groups)}"
    built_in = {
        "account.app_id": _APP_ID,
        "account.uin": r"\d{12}",
        "region": "|".join(re.escape(region.code) for region in regions()),
    }
    pattern = built_in[path] if path in built_in else plan.slots[name].drawer.pattern
    return f"(?P<{groups[path]}>{pattern})"
