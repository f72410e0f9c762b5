"""Drafts of catalogue entries from captured callbacks, and the drift between callbacks and an entry."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import (
    EVENTBRIDGE,
    ShapeClassifier,
    ShapeFeatures,
    is_cloud_event,
    kind_of,
    match_keys,
)
from tcop_mock.callbacks.compiler import CompiledShape
from tcop_mock.callbacks.draft_values import Capture, DraftValues, Vocabulary
from tcop_mock.callbacks.sampling import format_number
from tcop_mock.callbacks.strict_json import Issue
from tcop_mock.catalog.schema_check import type_of
from tcop_mock.catalog.template import is_reference
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tcop_mock.domain.shape import Shape

    Body = Mapping[str, Any]
    Path = tuple[str, ...]

SOURCE = "captured callbacks"
_COMPARISONS = frozenset({">", ">=", "<", "<=", "=", "!="})
_NAMESPACE = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)+")
_MAX_DECIMALS = 3
_PERCENT = 100
_OPTIONAL_KEY = "objName"
_LEARNED_KINDS = frozenset({AlarmKind.METRIC.value, AlarmKind.EVENT.value, AlarmKind.PROMETHEUS.value})
_PROMETHEUS_TITLE = "Prometheus - alerts"


class Draft(NamedTuple):
    """An entry that bodies suggest."""

    id: str
    table: dict[str, Any]
    """The entry, as its file has it."""
    body_count: int


class BodyGroup(NamedTuple):
    """Bodies of one shape: of the same kind, policy type or product, and keys of the dimensions."""

    kind: AlarmKind
    bodies: list[Body]


def learned_kind(body: Any) -> AlarmKind | None:  # noqa: ANN401 - any JSON value
    """Return the kind of entry for a body; ``None`` if no entry can be drafted from it."""
    kind = kind_of(body)
    if kind == EVENTBRIDGE and not is_cloud_event(body):
        return AlarmKind.EVENT
    return AlarmKind(kind) if kind in _LEARNED_KINDS else None


def group_bodies(bodies: Iterable[Body]) -> list[BodyGroup]:
    """Return the groups of bodies, in the order of their first one; bodies of other kinds are left out."""
    groups: dict[object, BodyGroup] = {}
    for body in bodies:
        kind = learned_kind(body)
        if kind is None:
            continue
        features = ShapeFeatures.from_body(body)
        paths = frozenset(path for path, _ in _leaves(features.dimensions))
        product = features.product if kind is AlarmKind.EVENT else features.policy_type or features.namespace
        group = groups.setdefault((kind, product, features.policy_type, paths), BodyGroup(kind, []))
        group.bodies.append(body)
    return [group for group in groups.values() if CallbackView(group.bodies[0]).object_keys]


class DraftBuilder:
    """Builds drafts.

    Args:
        shapes: shipped entries, whose words a draft may use.
        taken_ids: ids that no draft may have.
    """

    def __init__(self, shapes: Iterable[Shape], taken_ids: Iterable[str] = ()) -> None:
        self._vocabulary = Vocabulary.from_shapes(shapes)
        self._taken_ids = set(taken_ids)

    def build(self, group: BodyGroup) -> Draft:
        """Return the draft of a group."""
        if group.kind is AlarmKind.PROMETHEUS:
            return self._build_prometheus(group)
        first = CallbackView(group.bodies[0])
        namespaces = Counter(_namespace_of(body) for body in group.bodies)
        namespace = namespaces.most_common(1)[0][0]
        policy_type = str(first.policy.get("policyType") or "unknown")
        in_object_info = ShapeFeatures.from_body(group.bodies[0]).in_object_info
        has_namespace = bool(first.object_info.get("namespace"))
        in_object_info = ShapeFeatures.from_body(group.bodies[0]).in_object_info
        has_namespace, has_policy_type = bool(first.object_info.get("namespace")), "policyType" in first.policy
        assumed = [] if has_policy_type or in_object_info else ["policy.type"]
        if not (has_namespace or in_object_info):
            assumed.append("namespace")
        values = DraftValues([_capture(body) for body in group.bodies], self._vocabulary)
        dimensions = _nested(values.learn())
        policy = {"type": policy_type, "name": _first_text(group.bodies, "policyTypeCName", policy_type)}
        ename = _first_text(group.bodies, "policyTypeEname", "")
        policy |= {"ename": ename} if ename else {}
        is_metric = group.kind is AlarmKind.METRIC
        rows = _metric_rows(group.bodies, namespace, assumed) if is_metric else _event_rows(group.bodies, assumed)
        table: dict[str, Any] = {
            "title": policy["name"],
            "kind": group.kind.value,
            **({"in_object_info": True} if in_object_info else {}),
            **({"namespace": namespace} if has_namespace or not in_object_info else {}),
            "regional": any("region" in CallbackView(body).object_info for body in group.bodies),
            "source": SOURCE,
            "assumed": assumed,
            **({"policy": policy} if has_policy_type or not in_object_info else {}),
            **({} if is_metric else {"product": _product(first.conditions)}),
            "values": values.values,
            "dimensions": dimensions,
            ("metrics" if is_metric else "events"): rows,
        }
        return Draft(self._new_id(namespace, policy_type, group.kind), table, len(group.bodies))

    def _build_prometheus(self, group: BodyGroup) -> Draft:
        """Return the draft of alarms of Prometheus that have the same labels."""
        captures = [_prometheus_capture(body) for body in group.bodies]
        shared = frozenset.intersection(*(frozenset(one.leaves) for one in captures))
        captures = [
            one._replace(leaves={path: one.leaves[path] for path in captures[0].leaves if path in shared})
            for one in captures
        ]
        values = DraftValues(captures, self._vocabulary)
        learned = _nested(values.learn())
        table = {
            "title": _PROMETHEUS_TITLE,
            "kind": group.kind.value,
            "source": SOURCE,
            "assumed": [],
            "values": values.values,
            "dimensions": learned["tags"],
            **({"alert": learned["alert"]} if "alert" in learned else {}),
        }
        return Draft(self._new_id("qce/prometheus", "alerts", group.kind), table, len(group.bodies))

    def _new_id(self, namespace: str, policy_type: str, kind: AlarmKind) -> str:
        product = _slug(namespace.partition("/")[2])
        form = "events" if kind is AlarmKind.EVENT else _slug(policy_type)
        base = f"{product}/{form}"
        new_id, number = base, 1
        while new_id in self._taken_ids:
            number += 1
            new_id = f"{base}-{number}"
        self._taken_ids.add(new_id)
        return new_id


def find_entry(group: BodyGroup, shapes: Sequence[Shape]) -> Shape | None:
    """Return the entry that the bodies of a group are of, or the one of their product whose keys are nearest."""
    body = group.bodies[0]
    keys = CallbackView(body).object_keys
    if group.kind is AlarmKind.PROMETHEUS:  # each rule has labels of its own
        rules = (shape for shape in shapes if shape.kind is group.kind and shape.dimensions.keys() == keys.keys())
        return next(rules, None)
    classification = ShapeClassifier(shapes).classify(body)
    candidates = classification.shapes or classification.product
    return min(candidates, key=lambda shape: len(keys.keys() ^ shape.dimensions.keys()), default=None)


def drift(group: BodyGroup, shape: Shape) -> list[Issue]:
    """Return how the bodies of a group differ from an entry: keys, JSON types, metrics or events; each once."""
    found: dict[Issue, None] = {}
    plan = CompiledShape(shape)
    for body in group.bodies:
        found |= dict.fromkeys(_differences(CallbackView(body), shape, plan))
    return list(found)


def _differences(view: CallbackView, shape: Shape, plan: CompiledShape) -> Iterator[Issue]:
    dimensions, matches = view.object_keys, match_keys(shape, view.object_keys)
    known = dict(shape.dimensions) | dict(shape.observed.dimensions)
    key_of = {found: key for key, found in matches.items()}
    for key, value in dimensions.items():
        template = known.get(key_of.get(key, key))
        if template is None:
            yield Issue(f"dimensions.{key}", "is a new key")
        elif type(value) not in _types_of(template, plan):
            yield Issue(f"dimensions.{key}", f"is {type_of(value)}, which the entry has not")
    for key in shape.dimensions:
        if key not in matches and key not in {*shape.optional, _OPTIONAL_KEY}:
            yield Issue(f"dimensions.{key}", "is missing")
    name = view.metric_name
    names = {metric.name for metric in shape.metrics} | {event.name for event in shape.events}
    if name and name not in names:
        yield Issue("metrics" if shape.metrics else "events", f"{name} is new")
    policy_type = view.policy.get("policyType")
    if shape.policy.type and policy_type is not None and policy_type != shape.policy.type:
        yield Issue("policy.type", f"is {policy_type}, and {shape.policy.type} in the entry")


_TYPES: dict[str, type] = {"integer": int, "number": float, "boolean": bool, "string": str}


def _types_of(template: Any, plan: CompiledShape) -> frozenset[type]:  # noqa: ANN401 - a template
    """Return the types of the values that a template draws."""
    if not is_reference(template):
        return frozenset({type(template)})
    path: str = template["value"]
    name, _, key = path.partition(".")
    if name not in plan.slots:
        return frozenset({int if path == "account.app_id" else str})
    generator = plan.slots[name].generator
    if generator.choices:
        return frozenset(type(choice[key] if key else choice) for choice in generator.choices)
    return frozenset({str if generator.is_text else _TYPES.get(generator.json_type, str)})


def _leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - any JSON value
    for key, child in tree.items():
        if isinstance(child, dict) and child:
            yield from _leaves(child, (*path, key))
        else:
            yield (*path, key), child


def _nested(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, template in leaves.items():
        parent = tree
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
        parent[path[-1]] = template
    return tree


def _capture(body: Body) -> Capture:
    info = CallbackView(body).object_info
    names = {"account.app_id": "appId", "account.uin": "uin", "region": "region"}
    dimensions = dict(_leaves(CallbackView(body).object_keys))
    builtins = {name: str(info.get(key) or "") for name, key in names.items()}
    app_ids = [str(value) for path, value in dimensions.items() if path[-1].lower() == "appid"]
    if not builtins["account.app_id"] and app_ids:
        builtins["account.app_id"] = app_ids[0]
    return Capture(dimensions, builtins)


def _prometheus_capture(body: Body) -> Capture:
    """Return the labels of an alarm of Prometheus below ``tags``, and its texts below ``alert``."""
    capture, info = _capture(body), CallbackView(body).object_info
    own = {"region", "namespace", "appId", "uin", "tags"}
    leaves: dict[Path, Any] = {("tags", *path): value for path, value in capture.leaves.items()}
    leaves |= {("alert", key): text for key, text in info.items() if key not in own and isinstance(text, str) and text}
    return capture._replace(leaves=leaves)


def _namespace_of(body: Body) -> str:
    view = CallbackView(body)
    namespace = str(view.object_info.get("namespace") or "").lower()
    return namespace if _NAMESPACE.fullmatch(namespace) else f"qce/{_slug(_product_name(view.conditions), '_')}"


def _product_name(conditions: Mapping[str, Any]) -> str:
    return str(conditions.get("productName") or "unknown")


def _product(conditions: Mapping[str, Any]) -> dict[str, str]:
    name = _product_name(conditions)
    return {"productName": name, "productShowName": str(conditions.get("productShowName") or name)}


def _slug(text: str, joint: str = "-") -> str:
    return re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint) or "unknown"


def _first_text(bodies: Sequence[Body], key: str, default: str) -> str:
    texts = (CallbackView(body).policy.get(key) for body in bodies)
    return next((text for text in texts if isinstance(text, str) and text), default)


def _conditions_by_name(bodies: Sequence[Body], key: str) -> dict[str, list[CallbackView]]:
    found: dict[str, list[CallbackView]] = {}
    for body in bodies:
        view = CallbackView(body)
        name = view.conditions.get(key)
        if isinstance(name, str) and name:
            found.setdefault(name, []).append(view)
    return found


def _metric_rows(bodies: Sequence[Body], namespace: str, assumed: list[str]) -> list[dict[str, Any]]:
    rows = []
    for index, (name, views) in enumerate(_conditions_by_name(bodies, "metricName").items()):
        conditions = views[0].conditions
        show_name = str(conditions.get("metricShowName") or name)
        row: dict[str, Any] = {
            "metricName": name,
            "metricShowName": show_name.strip() or name,
            **({"observedShowName": show_name} if show_name != show_name.strip() else {}),
            "unit": str(next((one.conditions["unit"] for one in views if one.conditions.get("unit")), "")),
        }
        threshold = _threshold([view.conditions for view in views], row["unit"])
        if threshold:
            assumed.append(f"metrics.{index}.range")
        other = str(views[0].object_info.get("namespace") or namespace).lower()
        row |= threshold | ({"namespace": other} if other != namespace and _NAMESPACE.fullmatch(other) else {})
        row["source"] = f"name, texts, threshold: {SOURCE}; range: ours" if threshold else f"name, texts: {SOURCE}"
        rows.append(row)
    return rows


def _threshold(all_conditions: Sequence[Mapping[str, Any]], unit: str) -> dict[str, Any]:
    """Return the keys of the threshold, with a range that has values on both sides of it."""
    with_threshold = [
        one
        for one in all_conditions
        if one.get("calcType") in _COMPARISONS and _number(one.get("calcValue")) is not None
    ]
    if not with_threshold:
        return {}
    keys = ("calcValue", "currentValue", "historyValue")
    numbers = [number for one in with_threshold for key in keys if (number := _number(one.get(key))) is not None]
    threshold, comparison = numbers[0], with_threshold[0]["calcType"]
    greatest, least = max(numbers), min(numbers)
    if comparison in {"<", ">="} and threshold == 0:
        least = min(least, Decimal(-1))
    decimals = max(0, min(max(-int(number.normalize().as_tuple().exponent) for number in numbers), _MAX_DECIMALS))
    return {
        "calcType": comparison,
        "calcValue": format_number(round(threshold, decimals)),
        "range": [
            0 if least >= 0 else -_power_above(-least),
            _PERCENT if unit == "%" and greatest < _PERCENT else _power_above(greatest),
        ],
        **({"decimals": decimals} if decimals else {}),
    }


def _power_above(number: Decimal) -> int:
    """Return the least power of ten above a number, at least 10."""
    return int("1" + "0" * len(str(max(int(number), 1))))


def _number(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _event_rows(bodies: Sequence[Body], assumed: list[str]) -> list[dict[str, Any]]:
    rows = []
    for index, (name, views) in enumerate(_conditions_by_name(bodies, "eventName").items()):
        is_recoverable = any(view.is_resolved for view in views)
        if not is_recoverable:
            assumed.append(f"events.{index}.recoverable")
        show_names = (view.conditions.get("eventShowName") for view in views)
        rows.append(
            {
                "eventName": name,
                "eventShowName": str(next(filter(None, show_names), name)),
                "recoverable": is_recoverable,
                "source": f"name, texts: {SOURCE}; recovery: {SOURCE if is_recoverable else 'ours'}",
            }
        )
    return rows
