"""Values of a metric's callback against what the catalogue knows of the metric: units, orders of magnitude, times."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.parsing import Note
from tcop_mock.validation import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.model.shape import Metric, Shape

_CONDITIONS = "alarmPolicyInfo.conditions"
_FAR = 10
"""How many times the greatest value that makes sense is another order of magnitude."""
_TIME = "%Y-%m-%d %H:%M:%S"


def odd_values(shape: Shape, body: Any) -> Iterator[Note]:  # noqa: ANN401 - any JSON value
    """Yield which values of a body are odd for a metric of a shape; none, where the metric is not known.

    Another unit than the metric's page or captured callbacks have, a value far beyond what makes sense, a duration that
    is not the time between the first occurrence and the recovery (in captured callbacks it is exactly that).
    """
    policy = _table(body, "alarmPolicyInfo")
    conditions = _table(policy, "conditions")
    name = conditions.get("metricName")
    metric = next((metric for metric in shape.metrics if metric.name == name), None)
    if metric is not None:
        yield from _units(metric, conditions)
        yield from _far(metric, conditions)
        yield from _duration(
            body if "durationTime" in body else policy, "" if "durationTime" in body else "alarmPolicyInfo."
        )


def _units(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Note]:
    known = {text for unit in (metric.unit, metric.observed_unit) if unit for text in (unit.en, unit.zh)}
    for key in ("calcUnit", "unit"):
        unit = conditions.get(key)
        if isinstance(unit, str) and unit not in known:
            told = " or ".join(map(shown, sorted(known)))
            yield Note(f"{_CONDITIONS}.{key}", f"is {shown(unit)}; the unit of {metric.name} is {told}")


def _far(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Note]:
    if metric.calc_type is None:
        return
    for key in ("calcValue", "currentValue", "historyValue"):
        number = _number(conditions.get(key))
        if number is not None and (number > Decimal(str(metric.high)) * _FAR or number < 0 <= metric.low):
            told = f"{metric.low:g} to {metric.high:g} {metric.unit.en}".strip()
            yield Note(
                f"{_CONDITIONS}.{key}", f"is {shown(conditions[key])}, far from what {metric.name} can be ({told})"
            )


def _number(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _duration(times: Mapping[str, Any], prefix: str) -> Iterator[Note]:
    first, over = (_moment(times.get(key)) for key in ("firstOccurTime", "recoverTime"))
    seconds = _number(times.get("durationTime"))
    if first is None or over is None or seconds is None:
        return
    between = int((over - first).total_seconds())
    if between >= 0 and seconds != between:
        told = f"is {shown(times['durationTime'])}; from firstOccurTime to recoverTime it is {between} s"
        yield Note(f"{prefix}durationTime", told)


def _moment(value: Any) -> datetime | None:  # noqa: ANN401 - any JSON value
    try:
        return datetime.strptime(value, _TIME)  # noqa: DTZ007 - Beijing time without offset
    except (TypeError, ValueError):
        return None


def _table(tree: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    found = tree.get(key)
    return found if isinstance(found, dict) else {}
