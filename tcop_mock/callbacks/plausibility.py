"""Implausible values of a body: units, ranges and durations of known metrics, times, and ids that do not fit."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.strict_json import Issue
from tcop_mock.catalog.schema_errors import short_repr
from tcop_mock.domain.alarm import ALARM_LEVELS
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import CallbackView, parse_time, state_of, string_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.domain.shape import Metric, Shape

_EMPTY_TIMES = ("0", 0, "")
_CONDITIONS_PATH = "alarmPolicyInfo.conditions"

_OUTLIER_FACTOR = 10

"""Factor above the largest plausible value from which a value is reported."""


def implausible_values(shape: Shape, body: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield implausible values of a body for a metric of a shape; nothing if the metric is unknown.

    Reported are units other than the documented or captured ones, values far out of range, and a duration other than
    the time from the first occurrence to the recovery (in captured callbacks they are equal).
    """
    view = CallbackView(body)
    conditions = view.conditions
    name = conditions.get("metricName")
    metric = next((metric for metric in shape.metrics if metric.name == name), None)
    if metric is not None:
        yield from _unknown_units(metric, conditions)
        yield from _outliers(metric, conditions)
        yield from _wrong_durations(
            body if "durationTime" in body else view.policy, "" if "durationTime" in body else "alarmPolicyInfo."
        )


def _unknown_units(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Issue]:
    known_units = {text for unit in (metric.unit, metric.observed_unit) if unit for text in (unit.en, unit.zh)}
    for key in ("calcUnit", "unit"):
        unit = conditions.get(key)
        if isinstance(unit, str) and unit not in known_units:
            expected = " or ".join(map(short_repr, sorted(known_units)))
            yield Issue(f"{_CONDITIONS_PATH}.{key}", f"is {short_repr(unit)}; the unit of {metric.name} is {expected}")


def _outliers(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Issue]:
    if metric.calc_type is None:
        return
    for key in ("calcValue", "currentValue", "historyValue"):
        number = _decimal_or_none(conditions.get(key))
        if number is not None and (number > Decimal(str(metric.high)) * _OUTLIER_FACTOR or number < 0 <= metric.low):
            expected = f"{metric.low:g} to {metric.high:g} {metric.unit.en}".strip()
            yield Issue(
                f"{_CONDITIONS_PATH}.{key}",
                f"is {short_repr(conditions[key])}, far outside the range of {metric.name} ({expected})",
            )


def _decimal_or_none(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _wrong_durations(times: Mapping[str, Any], prefix: str) -> Iterator[Issue]:
    first_occurred_at, recovered_at = (parse_time(times.get(key)) for key in ("firstOccurTime", "recoverTime"))
    duration_s = _decimal_or_none(times.get("durationTime"))
    if first_occurred_at is None or recovered_at is None or duration_s is None:
        return
    elapsed_s = int((recovered_at - first_occurred_at).total_seconds())
    if elapsed_s >= 0 and duration_s != elapsed_s:
        message = f"is {short_repr(times['durationTime'])}; from firstOccurTime to recoverTime it is {elapsed_s} s"
        yield Issue(f"{prefix}durationTime", message)


def implausible_times(tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield what does not fit between ``alarmStatus``, ``firstOccurTime`` and ``recoverTime``."""
    times, prefix = (tree, "") if "recoverTime" in tree else (CallbackView(tree).policy, "alarmPolicyInfo.")
    if "recoverTime" not in times:
        return
    state, recovered_at = state_of(tree), times["recoverTime"]
    remarks = []
    if state is State.FIRING and recovered_at not in _EMPTY_TIMES:
        remarks.append("is set although the alarm is not resolved")
    elif state is State.RESOLVED and recovered_at in _EMPTY_TIMES:
        remarks.append("is not set although the alarm is resolved")
    view = CallbackView(tree)
    if view.recovered_at and view.first_occurred_at and view.recovered_at < view.first_occurred_at:
        remarks.append("is before firstOccurTime")
    if remarks:
        yield Issue(f"{prefix}recoverTime", ", and ".join(remarks))


def implausible_ids(tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield what does not fit between ``sessionId``, ``alertId`` and ``alarmLevel``."""
    session_id, alert_id, level = (string_or_none(tree.get(key)) for key in ("sessionId", "alertId", "alarmLevel"))
    if level is not None and level not in ALARM_LEVELS:
        yield Issue("alarmLevel", f"is {short_repr(level)}, not {', '.join(ALARM_LEVELS[:-1])} or {ALARM_LEVELS[-1]}")
    if not alert_id or not session_id or alert_id == session_id:
        return
    start, _, level_of_id = alert_id.rpartition("_")
    if start != session_id or not level_of_id:
        yield Issue("alertId", "is neither the sessionId nor the sessionId followed by _ and a level")
    elif level is not None and level_of_id != level:
        yield Issue("alertId", f"ends with the level {short_repr(level_of_id)}, and alarmLevel is {short_repr(level)}")
