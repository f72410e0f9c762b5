"""Which shape a body is of: by its dimensions, policy type, namespace, and what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.template import is_reference
from tcop_mock.domain.shape import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.shape import Shape

EVENTBRIDGE, DDOS, TEMPLATE, UNKNOWN = "eventbridge", "ddos", "template", "unknown"
_POLICY_TYPE, _NAMESPACE, _SUBJECT, _KEYS, _TYPES = 8.0, 4.0, 2.0, 4.0, 1.0
"""What each sign weighs. A policy type names one shape, or few; a namespace is a product's."""


class Recognised(NamedTuple):
    """What a body is."""

    kind: str
    """``metric``, ``event``, ``eventbridge``, ``ddos`` or ``unknown``."""
    shapes: tuple[Shape, ...] = ()
    """Those that it fits best, all as well; none where the product or its dimensions are not in the catalogue."""
    product: tuple[Shape, ...] = ()
    """Shapes of the product, where it is known and its dimensions are not."""


class Recogniser:
    """Tells shapes of a catalogue by the bodies of their callbacks."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._known = tuple(map(_Known.of, shapes))

    def recognise(self, body: Any) -> Recognised:  # noqa: ANN401 - any JSON value
        """Return what a body is, whatever is in it."""
        kind = kind_of(body)
        if kind == UNKNOWN:
            return Recognised(kind)
        if kind == DDOS:
            return self._cloud_event(body)
        signs = Signs.of(body)
        wanted = Kind.METRIC if kind == Kind.METRIC.value else Kind.EVENT
        product = [known for known in self._known if known.shape.kind is wanted and known.is_product(signs)]
        rated = [(known.shape, known.rating(signs)) for known in product if known.has_keys(signs.dimensions)]
        best = max((rating for _, rating in rated), default=0.0)
        fitting = tuple(shape for shape, rating in rated if rating == best)
        fitting = tuple(sorted(fitting, key=lambda shape: -len(shape.dimensions)))  # first who documents most
        return Recognised(kind, fitting, () if fitting else tuple(known.shape for known in product))

    def _cloud_event(self, body: Mapping[str, Any]) -> Recognised:
        known = [one.shape for one in self._known if one.shape.cloud_event]
        told = _text(body.get("type"))
        found = [shape for shape in known if told and told in {event.cloud_type for event in shape.events}]
        same = [shape for shape in known if shape.cloud_event and body.get("source") == shape.cloud_event.source]
        return Recognised(DDOS, tuple(found or same))


class Signs(NamedTuple):
    """By what a shape is told."""

    dimensions: Mapping[str, Any]
    policy_type: str | None
    namespace: str | None
    subject: str | None
    product: str | None

    @classmethod
    def of(cls, body: Any) -> Signs:  # noqa: ANN401 - any JSON value
        """Read them out of a body."""
        about, policy = _table(body, "alarmObjInfo"), _table(body, "alarmPolicyInfo")
        conditions = _table(policy, "conditions")
        namespace = _text(about.get("namespace"))
        return cls(
            _table(about, "dimensions"),
            _text(policy.get("policyType")),
            namespace and namespace.casefold(),
            _text(conditions.get("metricName", conditions.get("eventName"))),
            _text(conditions.get("productName")),
        )


def kind_of(body: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a body's kind by the fields that no other kind has."""
    if not isinstance(body, dict):
        return UNKNOWN
    if "specversion" in body and "alarmObjInfo" not in body:
        return DDOS
    if not body.keys() & {"alarmStatus", "alarmObjInfo", "alarmPolicyInfo"}:
        return UNKNOWN
    policy = _table(body, "alarmPolicyInfo")
    conditions = _table(policy, "conditions")
    is_event = "eventName" in conditions or (body.get("alarmType") == "event" and "metricName" not in conditions)
    if not is_event:
        return Kind.METRIC.value
    imitated = not policy.keys() & {"policyId", "policyType", "policyTypeCName"} and "eventShowName" not in conditions
    return EVENTBRIDGE if imitated else Kind.EVENT.value


def spelling(shape: Shape, dimensions: Iterable[str]) -> dict[str, str]:
    """Return for each documented key the key that stands for it, where one does: itself, an alias, another case."""
    given = list(dimensions)
    folded = {key.casefold(): key for key in given}
    found: dict[str, str] = {}
    for key in shape.dimensions:
        others = [name for name in (key, *shape.aliases.get(key, ())) if name in given]
        near = others[:1] or [folded[key.casefold()]] if key.casefold() in folded or others else []
        found |= dict.fromkeys([key], near[0]) if near else {}
    return found


class _Known(NamedTuple):
    """A shape and what need not be worked out for each body."""

    shape: Shape
    namespaces: frozenset[str]
    subjects: frozenset[str]

    @classmethod
    def of(cls, shape: Shape) -> _Known:
        """Work it out."""
        others = (metric.namespace for metric in shape.metrics if metric.namespace)
        subjects = frozenset([*(one.name for one in shape.metrics), *(one.name for one in shape.events)])
        return cls(shape, frozenset((shape.namespace, *others)), subjects)

    def is_product(self, signs: Signs) -> bool:
        """Tell whether anything says that it is this product; where a body says nothing, its dimensions have to."""
        if signs.policy_type is None and signs.namespace is None and signs.product is None:
            return len(spelling(self.shape, signs.dimensions)) == len(self.shape.dimensions)
        return self.shape.policy.type == signs.policy_type or self._is_namespace(signs)

    def has_keys(self, dimensions: Mapping[str, Any]) -> bool:
        """Tell whether all documented keys are there, or some were lost and none came that nobody knows."""
        found = spelling(self.shape, dimensions)
        return len(found) == len(self.shape.dimensions) or not self._unknown(found, dimensions)

    def rating(self, signs: Signs) -> float:
        """Return how well the shape fits."""
        documented = self.shape.dimensions
        found = spelling(self.shape, signs.dimensions)
        typed = sum(_same_type(documented[key], signs.dimensions[other]) for key, other in found.items())
        return (
            _POLICY_TYPE * (self.shape.policy.type == signs.policy_type)
            + _NAMESPACE * self._is_namespace(signs)
            + _SUBJECT * (signs.subject in self.subjects)
            + _KEYS * len(found) / (len(documented) + self._unknown(found, signs.dimensions))
            + _TYPES * typed / len(documented)
        )

    def _is_namespace(self, signs: Signs) -> bool:
        product = self.shape.product
        return signs.namespace in self.namespaces or (product is not None and product.name == signs.product)

    def _unknown(self, found: Mapping[str, str], dimensions: Mapping[str, Any]) -> int:
        return len(dimensions.keys() - set(found.values()) - self.shape.observed.dimensions.keys())


def _same_type(template: Any, value: Any) -> bool:  # noqa: ANN401 - a template, any JSON value
    if isinstance(template, str):
        return isinstance(value, str)
    return isinstance(value, dict) is not is_reference(template) and not isinstance(value, str)


def _table(body: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    found = body.get(key) if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else None
