"""Classifier of callback bodies: finds their shape and their generation.

The shape is found by dimensions, policy type, namespace and metric or event. The generation is the profile and the form
whose fields and JSON types fit best.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.template import is_reference
from tcop_mock.domain.callback import Form, StatusType, TimesLocation
from tcop_mock.domain.callback_view import CallbackView, object_at, string_or_none
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.shape import Shape

_OBJECT_IN_BASE64 = ("eyJ", "ewog", "ewoJ", "eyAi")
"""How JSON objects begin in base64."""
_ROOT, _OBJECT, _POLICY, _CONDITIONS = "", "alarmObjInfo", "alarmPolicyInfo", "alarmPolicyInfo.conditions"
FIELD_PATHS: Mapping[str, str] = {
    "alarmType": _ROOT,
    "alertId": _ROOT,
    "alarmLevel": _ROOT,
    "policyDetailURL": _ROOT,
    "appId": _OBJECT,
    "uin": _OBJECT,
    "policyTypeEname": _POLICY,
    "policyTags": _POLICY,
    "tag": _POLICY,
    "calcUnit": _CONDITIONS,
    "historyValue": _CONDITIONS,
}
"""Paths of the objects that hold the optional fields of a generation."""
TIME_FIELDS = ("firstOccurTime", "durationTime", "recoverTime")
_WRONG_STATUS, _WRONG_TIMES, _WRONG_NUMBERS = 2.0, 4.0, 1.0
_FUTURE_FIELD, _NO_MARK, _NO_FIELD, _NO_CAPTURED_FIELD = 8.0, 3.0, 1.0, 0.25
"""Costs of a difference. No body has a field of a later generation, and many lack one of their own."""
_MARKS = frozenset({"alertId"})
"""Fields that identify a generation: all of its bodies have them."""
PROMETHEUS, EVENTBRIDGE, DDOS = "prometheus", "eventbridge", "ddos"
CLS, TEMPLATE, UNKNOWN = "cls", "template", "unknown"
_TENCENT_SOURCE = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.cloud\.tencent")
_DDOS_PRODUCT = "antiddos"
_CALLBACK_KEYS = frozenset({"alarmStatus", "alarmObjInfo", "alarmPolicyInfo"})
_CLS_KEYS = frozenset({"TopicID", "LogsetID", "LogsetName", "TriggerTime", "FireTime", "ConsecutiveAlertNums"})
_MIN_CLS_KEYS = 2
_MAX_DEPTH = 6
_ONE_PRODUCT = frozenset({AlarmKind.PROMETHEUS, AlarmKind.CLS})
"""Kinds of alarms of one product, whose users choose the labels or the whole content."""
_POLICY_TYPE_WEIGHT, _NAMESPACE_WEIGHT, _SUBJECT_WEIGHT, _KEYS_WEIGHT, _TYPES_WEIGHT = 8.0, 4.0, 2.0, 4.0, 1.0
"""Weights of the features. A policy type identifies one shape or a few; a namespace identifies a product."""


def field_paths(envelope: Envelope) -> frozenset[str]:
    """Return the paths of the fields that an envelope has, and not every generation."""
    times_parent = _POLICY if envelope.times_location is TimesLocation.POLICY else _ROOT
    parents = {field: FIELD_PATHS[field] for field in envelope.fields} | dict.fromkeys(TIME_FIELDS, times_parent)
    return frozenset(f"{parent}.{field}" if parent else field for field, parent in parents.items())


class Generation(NamedTuple):
    """A profile and a form of its bodies."""

    profile: Profile
    form: Form


def find_generation(body: Any, profiles: Iterable[Profile]) -> Generation:  # noqa: ANN401 - any JSON value
    """Return the generation that fits the body of a metric alarm best; of equals, the default profile or a later one.

    Args:
        body: the body.
        profiles: the possible profiles; at least one.
    """
    features = _Features.from_body(body)
    generations = [Generation(profile, form) for profile in profiles for form in (Form.DOCUMENTED, Form.OBSERVED)]

    def rank(generation: Generation) -> tuple[float, bool, bool]:
        profile, form = generation
        return (
            features.cost(profile.wire_format.envelope(form), profile.wire_format.documented.fields),
            form is Form.OBSERVED,
            profile.name != DEFAULT_PROFILE,
        )

    return min(sorted(generations, key=lambda generation: generation.profile.name, reverse=True), key=rank)


def find_event_form(body: Any) -> Form:  # noqa: ANN401 - any JSON value
    """Return the form of an event alarm's body: captured ones have other fields than the page prints."""
    policy = CallbackView(body).policy
    captured_count = sum(("additionalMsg" in body, "durationTime" in body, "policyTypeEname" in policy))
    return Form.OBSERVED if captured_count + ("policyId" not in policy) > 1 else Form.DOCUMENTED


def _object_at_path(body: Any, path: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    for key in path.split(".") if path else ():
        body = object_at(body, key)
    return body if isinstance(body, dict) else {}


class _Features(NamedTuple):
    """Features of a body that differ between generations."""

    fields: frozenset[str]
    """Optional fields that it has."""
    status: Any
    has_threshold: bool
    times_in_policy: bool
    period_num_in_seconds: bool
    notify_period: Any

    @classmethod
    def from_body(cls, body: Any) -> _Features:  # noqa: ANN401 - any JSON value
        view = CallbackView(body)
        conditions = view.conditions
        period, period_num = (str(conditions.get(key, "")) for key in ("period", "periodNum"))
        return cls(
            frozenset(field for field, path in FIELD_PATHS.items() if field in _object_at_path(body, path)),
            body.get("alarmStatus"),
            "calcType" in conditions,
            "firstOccurTime" in view.policy,
            period.isdecimal() and period_num.isdecimal() and int(period_num) >= int(period) > 0,
            conditions.get("alarmNotifyPeriod"),
        )

    def cost(self, envelope: Envelope, documented_fields: frozenset[str]) -> float:
        """Return how far the body is from an envelope."""
        is_integer = isinstance(self.status, int)
        expected = envelope.fields if self.has_threshold else envelope.fields - {"calcUnit", "historyValue"}
        missing = expected - self.fields
        return (
            _WRONG_STATUS * (is_integer is not (envelope.status_type is StatusType.INTEGER))
            + _WRONG_TIMES * (self.times_in_policy is not (envelope.times_location is TimesLocation.POLICY))
            + _FUTURE_FIELD * len(self.fields - envelope.fields)
            + _NO_MARK * len(missing & _MARKS)
            + _NO_FIELD * len((missing & documented_fields) - _MARKS)
            + _NO_CAPTURED_FIELD * len(missing - documented_fields)
            + _WRONG_NUMBERS * self._number_differences(envelope)
        )

    def _number_differences(self, envelope: Envelope) -> int:
        if not self.has_threshold:
            return 0
        is_captured_period = self.notify_period in envelope.notify_periods
        return (self.period_num_in_seconds is not envelope.is_period_num_in_seconds) + (
            bool(envelope.notify_periods) is not is_captured_period
        )


class Classification(NamedTuple):
    """Result of classifying a body."""

    kind: str
    """``metric``, ``event``, ``prometheus``, ``eventbridge``, ``ddos``, ``cls`` or ``unknown``."""
    shapes: tuple[Shape, ...] = ()
    """Best matching shapes, all with the same score; empty if the product or its dimensions are unknown."""
    product: tuple[Shape, ...] = ()
    """Shapes of a known product, if the dimensions are unknown."""


class ShapeClassifier:
    """Finds the shape of a callback body."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._profiles = tuple(map(_ShapeProfile.from_shape, shapes))

    def classify(self, body: Any) -> Classification:  # noqa: ANN401 - any JSON value
        """Return the kind and the shapes of a body, which may be any JSON value."""
        kind = kind_of(body)
        if kind == UNKNOWN:
            return Classification(kind)
        if is_cloud_event(body):
            return self._classify_cloud_event(kind, body)
        features = ShapeFeatures.from_body(body)
        shape_kind = AlarmKind.EVENT.value if kind == EVENTBRIDGE else kind
        same_product = [
            profile
            for profile in self._profiles
            if profile.shape.kind.value == shape_kind and profile.is_product(features)
        ]
        scores = [(profile.shape, profile.score(features)) for profile in same_product if profile.has_keys(features)]
        best_score = max((score for _, score in scores), default=0.0)
        best_shapes = tuple(shape for shape, score in scores if score == best_score)
        best_shapes = tuple(sorted(best_shapes, key=lambda shape: -len(shape.dimensions)))  # most dimensions first
        return Classification(
            kind, best_shapes, () if best_shapes else tuple(profile.shape for profile in same_product)
        )

    def _classify_cloud_event(self, kind: str, body: Mapping[str, Any]) -> Classification:
        shapes = [profile.shape for profile in self._profiles if profile.shape.kind is AlarmKind.EVENT]
        event_type, source = (string_or_none(body.get(key)) or "" for key in ("type", "source"))
        product, _, name = event_type.partition(":")
        name = name.rpartition(":")[2]
        same_source = [shape for shape in shapes if source in _sources_of(shape)]
        same_type = [
            shape
            for shape in shapes
            if any(
                event_type == event.cloud_type or (event.name in (name, event_type) and shape in same_source)
                for event in shape.events
            )
        ]
        same_product = [shape for shape in shapes if product and f"{product}.cloud.tencent" in _sources_of(shape)]
        return Classification(kind, tuple(same_type or same_source or same_product))


def _sources_of(shape: Shape) -> tuple[str, ...]:
    """Return the ``source`` values of a product's CloudEvents."""
    declared = (shape.cloud_event.source,) if shape.cloud_event else ()
    return (*declared, f"{shape.product.name}.cloud.tencent") if shape.product else declared


class ShapeFeatures(NamedTuple):
    """Features of a body that identify its shape."""

    dimensions: Mapping[str, Any]
    policy_type: str | None
    namespace: str | None
    subject: str | None
    product: str | None
    in_object_info: bool = False
    """Whether the dimensions stand in ``alarmObjInfo`` itself."""

    @classmethod
    def from_body(cls, body: Any) -> ShapeFeatures:  # noqa: ANN401 - any JSON value
        """Extract the features of a body."""
        view = CallbackView(body)
        conditions = view.conditions
        namespace = string_or_none(view.object_info.get("namespace"))
        return cls(
            body if kind_of(body) == CLS else view.object_keys,
            string_or_none(view.policy.get("policyType")),
            namespace and namespace.casefold(),
            string_or_none(conditions.get("metricName", conditions.get("eventName"))),
            string_or_none(conditions.get("productName")),
            "dimensions" not in view.object_info and bool(view.object_keys),
        )


def kind_of(body: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a body's kind, decided by fields that only this kind has."""
    if not isinstance(body, dict):
        return UNKNOWN
    if is_cloud_event(body):
        return _cloud_event_kind(body)
    if not body.keys() & _CALLBACK_KEYS:
        return CLS if "AlarmID" in body and len(body.keys() & _CLS_KEYS) >= _MIN_CLS_KEYS else UNKNOWN
    if body.get("alarmType") == PROMETHEUS:
        return PROMETHEUS
    policy = CallbackView(body).policy
    conditions = CallbackView(body).conditions
    is_event = "eventName" in conditions or (body.get("alarmType") == "event" and "metricName" not in conditions)
    if not is_event:
        return AlarmKind.METRIC.value
    is_eventbridge = (
        not policy.keys() & {"policyId", "policyType", "policyTypeCName"} and "eventShowName" not in conditions
    )
    return EVENTBRIDGE if is_eventbridge else AlarmKind.EVENT.value


def find_nested_callback(tree: Any, depth: int = _MAX_DEPTH) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the path at which a JSON value holds an alarm callback: an object, its text, or that in base64.

    Logs, queues and gateways wrap callbacks so. ``None``: it holds none.
    """
    if isinstance(tree, str) and tree.startswith(_OBJECT_IN_BASE64):
        with contextlib.suppress(ValueError):
            tree = base64.b64decode(tree).decode()
    if isinstance(tree, str) and "alarmObjInfo" in tree and tree.lstrip().startswith("{"):
        try:
            tree = json.loads(tree)
        except (ValueError, RecursionError):
            return None
    if isinstance(tree, dict) and {"alarmObjInfo", "alarmPolicyInfo"} <= tree.keys():
        return ""
    children: Iterable[tuple[Any, Any]] = ()
    if depth and isinstance(tree, dict | list):
        children = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, child in children:
        path = find_nested_callback(child, depth - 1)
        if path is not None:
            return f"{key}.{path}" if path else str(key)
    return None


def is_cloud_event(body: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether a body is a CloudEvent and no alarm callback."""
    return isinstance(body, dict) and "specversion" in body and "alarmObjInfo" not in body


def _cloud_event_kind(body: Mapping[str, Any]) -> str:
    """Return the kind of a CloudEvent: EventBridge's have a source of Tencent Cloud."""
    event_type, source = (string_or_none(body.get(key)) or "" for key in ("type", "source"))
    if not _TENCENT_SOURCE.fullmatch(source):
        return UNKNOWN
    is_ddos = source.startswith(f"{_DDOS_PRODUCT}.") or event_type.startswith(f"{_DDOS_PRODUCT}:")
    return DDOS if is_ddos else EVENTBRIDGE


def match_keys(shape: Shape, dimensions: Iterable[str]) -> dict[str, str]:
    """Map each documented key to the body's key for it, if any: the key itself, an alias, or another case."""
    keys = list(dimensions)
    folded = {key.casefold(): key for key in keys}
    matches: dict[str, str] = {}
    for key in shape.dimensions:
        spellings = [name for name in (key, *shape.aliases.get(key, ())) if name in keys]
        matching = spellings[:1] or [folded[key.casefold()]] if key.casefold() in folded or spellings else []
        matches |= dict.fromkeys([key], matching[0]) if matching else {}
    return matches


class _ShapeProfile(NamedTuple):
    """A shape with precomputed features."""

    shape: Shape
    namespaces: frozenset[str]
    subjects: frozenset[str]

    @classmethod
    def from_shape(cls, shape: Shape) -> _ShapeProfile:
        """Precompute the features of a shape."""
        metric_namespaces = (metric.namespace for metric in shape.metrics if metric.namespace)
        subjects = frozenset(
            [*(subject.name for subject in shape.metrics), *(subject.name for subject in shape.events)]
        )
        return cls(shape, frozenset((shape.namespace, *metric_namespaces)), subjects)

    def is_product(self, features: ShapeFeatures) -> bool:
        """Return whether the body is of this product. Without any other feature, all dimensions must match."""
        if self.shape.kind in _ONE_PRODUCT:
            return True
        if self.shape.in_object_info:
            return features.in_object_info and (self._is_policy_type(features) or self._has_half(features.dimensions))
        if features.policy_type is None and features.namespace is None and features.product is None:
            return len(match_keys(self.shape, features.dimensions)) == len(self.shape.dimensions)
        return self._is_policy_type(features) or self._is_namespace(features)

    def has_keys(self, features: ShapeFeatures) -> bool:
        """Return whether all documented keys are present, or some are missing and none is unknown."""
        if self.shape.kind in _ONE_PRODUCT:
            return True
        if self.shape.in_object_info is not features.in_object_info:
            return False
        matches = match_keys(self.shape, features.dimensions)
        return len(matches) == len(self.shape.dimensions) or not self._unknown_key_count(matches, features.dimensions)

    def score(self, features: ShapeFeatures) -> float:
        """Return how well the shape matches; more is better."""
        documented = self.shape.dimensions
        matches = match_keys(self.shape, features.dimensions)
        same_type_count = sum(
            _same_type(documented[key], features.dimensions[key_in_body]) for key, key_in_body in matches.items()
        )
        return (
            _POLICY_TYPE_WEIGHT * self._is_policy_type(features)
            + _NAMESPACE_WEIGHT * self._is_namespace(features)
            + _SUBJECT_WEIGHT * (features.subject in self.subjects)
            + _KEYS_WEIGHT * len(matches) / (len(documented) + self._unknown_key_count(matches, features.dimensions))
            + _TYPES_WEIGHT * same_type_count / len(documented)
        )

    def _is_policy_type(self, features: ShapeFeatures) -> bool:
        return bool(features.policy_type) and self.shape.policy.type == features.policy_type

    def _has_half(self, dimensions: Mapping[str, Any]) -> bool:
        return 2 * len(match_keys(self.shape, dimensions)) >= len(self.shape.dimensions)

    def _is_namespace(self, features: ShapeFeatures) -> bool:
        product = self.shape.product
        return (bool(features.namespace) and features.namespace in self.namespaces) or (
            product is not None and product.name == features.product
        )

    def _unknown_key_count(self, matches: Mapping[str, str], dimensions: Mapping[str, Any]) -> int:
        return len(dimensions.keys() - set(matches.values()) - self.shape.observed.dimensions.keys())


def _same_type(template: Any, value: Any) -> bool:  # noqa: ANN401 - a template, any JSON value
    if isinstance(template, str):
        return isinstance(value, str)
    return isinstance(value, dict) is not is_reference(template) and not isinstance(value, str)
