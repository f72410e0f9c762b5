"""Finder of the generation of a body: the profile and the form whose fields and JSON types fit it best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.callback import Form, StatusType, TimesLocation
from tcop_mock.domain.callback_view import CallbackView, object_at
from tcop_mock.domain.profile import DEFAULT_PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.profile import Profile

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
"""Fields that all bodies of a generation have, and by which it is known."""


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
