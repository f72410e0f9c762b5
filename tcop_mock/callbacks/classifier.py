"""Which shape a body is of: by its dimensions, policy type, namespace, and what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.template import is_reference
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.shape import Shape

EVENTBRIDGE, DDOS, TEMPLATE, UNKNOWN = "eventbridge", "ddos", "template", "unknown"
_POLICY_TYPE_WEIGHT, _NAMESPACE_WEIGHT, _SUBJECT_WEIGHT, _KEYS_WEIGHT, _TYPES_WEIGHT = 8.0, 4.0, 2.0, 4.0, 1.0
"""What each sign weighs. A policy type names one shape, or few; a namespace is a product's."""


class Classification(NamedTuple):
    """What a body is."""

    kind: str
    """``metric``, ``event``, ``eventbridge``, ``ddos`` or ``unknown``."""
    shapes: tuple[Shape, ...] = ()
    """Those that it fits best, all as well; none where the product or its dimensions are not in the catalogue."""
    product: tuple[Shape, ...] = ()
    """Shapes of the product, where it is known and its dimensions are not."""


class ShapeClassifier:
    """Tells shapes of a catalogue by the bodies of their callbacks."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._profiles = tuple(map(_ShapeProfile.from_shape, shapes))

    def classify(self, body: Any) -> Classification:  # noqa: ANN401 - any JSON value
        """Return what a body is, whatever is in it."""
        kind = kind_of(body)
        if kind == UNKNOWN:
            return Classification(kind)
        if kind == DDOS:
            return self._classify_cloud_event(body)
        features = ShapeFeatures.from_body(body)
        shape_kind = AlarmKind.METRIC if kind == AlarmKind.METRIC.value else AlarmKind.EVENT
        same_product = [
            profile for profile in self._profiles if profile.shape.kind is shape_kind and profile.is_product(features)
        ]
        scores = [
            (profile.shape, profile.score(features))
            for profile in same_product
            if profile.has_keys(features.dimensions)
        ]
        best_score = max((score for _, score in scores), default=0.0)
        best_shapes = tuple(shape for shape, score in scores if score == best_score)
        best_shapes = tuple(sorted(best_shapes, key=lambda shape: -len(shape.dimensions)))  # first who documents most
        return Classification(
            kind, best_shapes, () if best_shapes else tuple(profile.shape for profile in same_product)
        )

    def _classify_cloud_event(self, body: Mapping[str, Any]) -> Classification:
        shapes = [profile.shape for profile in self._profiles if profile.shape.cloud_event]
        event_type = _text_or_none(body.get("type"))
        same_type = [
            shape for shape in shapes if event_type and event_type in {event.cloud_type for event in shape.events}
        ]
        same_source = [
            shape for shape in shapes if shape.cloud_event and body.get("source") == shape.cloud_event.source
        ]
        return Classification(DDOS, tuple(same_type or same_source))


class ShapeFeatures(NamedTuple):
    """By what a shape is told."""

    dimensions: Mapping[str, Any]
    policy_type: str | None
    namespace: str | None
    subject: str | None
    product: str | None

    @classmethod
    def from_body(cls, body: Any) -> ShapeFeatures:  # noqa: ANN401 - any JSON value
        """Read them out of a body."""
        object_info, policy = _object_at(body, "alarmObjInfo"), _object_at(body, "alarmPolicyInfo")
        conditions = _object_at(policy, "conditions")
        namespace = _text_or_none(object_info.get("namespace"))
        return cls(
            _object_at(object_info, "dimensions"),
            _text_or_none(policy.get("policyType")),
            namespace and namespace.casefold(),
            _text_or_none(conditions.get("metricName", conditions.get("eventName"))),
            _text_or_none(conditions.get("productName")),
        )


def kind_of(body: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a body's kind by the fields that no other kind has."""
    if not isinstance(body, dict):
        return UNKNOWN
    if "specversion" in body and "alarmObjInfo" not in body:
        return DDOS
    if not body.keys() & {"alarmStatus", "alarmObjInfo", "alarmPolicyInfo"}:
        return UNKNOWN
    policy = _object_at(body, "alarmPolicyInfo")
    conditions = _object_at(policy, "conditions")
    is_event = "eventName" in conditions or (body.get("alarmType") == "event" and "metricName" not in conditions)
    if not is_event:
        return AlarmKind.METRIC.value
    is_eventbridge = (
        not policy.keys() & {"policyId", "policyType", "policyTypeCName"} and "eventShowName" not in conditions
    )
    return EVENTBRIDGE if is_eventbridge else AlarmKind.EVENT.value


def match_keys(shape: Shape, dimensions: Iterable[str]) -> dict[str, str]:
    """Return for each documented key the key that stands for it, where one does: itself, an alias, another case."""
    keys = list(dimensions)
    folded = {key.casefold(): key for key in keys}
    matches: dict[str, str] = {}
    for key in shape.dimensions:
        spellings = [name for name in (key, *shape.aliases.get(key, ())) if name in keys]
        matching = spellings[:1] or [folded[key.casefold()]] if key.casefold() in folded or spellings else []
        matches |= dict.fromkeys([key], matching[0]) if matching else {}
    return matches


class _ShapeProfile(NamedTuple):
    """A shape and what need not be worked out for each body."""

    shape: Shape
    namespaces: frozenset[str]
    subjects: frozenset[str]

    @classmethod
    def from_shape(cls, shape: Shape) -> _ShapeProfile:
        """Work it out."""
        metric_namespaces = (metric.namespace for metric in shape.metrics if metric.namespace)
        subjects = frozenset(
            [*(subject.name for subject in shape.metrics), *(subject.name for subject in shape.events)]
        )
        return cls(shape, frozenset((shape.namespace, *metric_namespaces)), subjects)

    def is_product(self, features: ShapeFeatures) -> bool:
        """Tell whether anything says that it is this product; where a body says nothing, its dimensions have to."""
        if features.policy_type is None and features.namespace is None and features.product is None:
            return len(match_keys(self.shape, features.dimensions)) == len(self.shape.dimensions)
        return self.shape.policy.type == features.policy_type or self._is_namespace(features)

    def has_keys(self, dimensions: Mapping[str, Any]) -> bool:
        """Tell whether all documented keys are there, or some were lost and none came that nobody knows."""
        matches = match_keys(self.shape, dimensions)
        return len(matches) == len(self.shape.dimensions) or not self._unknown_key_count(matches, dimensions)

    def score(self, features: ShapeFeatures) -> float:
        """Return how well the shape fits."""
        documented = self.shape.dimensions
        matches = match_keys(self.shape, features.dimensions)
        same_type_count = sum(
            _same_type(documented[key], features.dimensions[key_in_body]) for key, key_in_body in matches.items()
        )
        return (
            _POLICY_TYPE_WEIGHT * (self.shape.policy.type == features.policy_type)
            + _NAMESPACE_WEIGHT * self._is_namespace(features)
            + _SUBJECT_WEIGHT * (features.subject in self.subjects)
            + _KEYS_WEIGHT * len(matches) / (len(documented) + self._unknown_key_count(matches, features.dimensions))
            + _TYPES_WEIGHT * same_type_count / len(documented)
        )

    def _is_namespace(self, features: ShapeFeatures) -> bool:
        product = self.shape.product
        return features.namespace in self.namespaces or (product is not None and product.name == features.product)

    def _unknown_key_count(self, matches: Mapping[str, str], dimensions: Mapping[str, Any]) -> int:
        return len(dimensions.keys() - set(matches.values()) - self.shape.observed.dimensions.keys())


def _same_type(template: Any, value: Any) -> bool:  # noqa: ANN401 - a template, any JSON value
    if isinstance(template, str):
        return isinstance(value, str)
    return isinstance(value, dict) is not is_reference(template) and not isinstance(value, str)


def _object_at(body: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    value = body.get(key) if isinstance(body, dict) else None
    return value if isinstance(value, dict) else {}


def _text_or_none(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else None
