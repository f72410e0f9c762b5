"""One alarm and its callbacks. ``to_wire()`` is the one place where our names become TCOP's camelCase.

Field order and JSON types are those of the alarm callback page (2023-08-07) for metric alarms, and of its versions of
2018 to 2022, the last that print one, for event alarms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tcop_mock.model.shape import Kind, Lang

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.model.shape import Event, Metric, Policy, Product

NOT_RECOVERED = "0"
_STATUS = {True: "0", False: "1"}


class State(StrEnum):
    """Where in its life an alarm is when a callback is pushed."""

    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"


class NotifyType(StrEnum):
    """Whether and how an unresolved alarm is told again; the wire's ``alarmNotifyType``."""

    SINGLE = "singleAlarm"
    CONTINUOUS = "continuousAlarm"
    EXPONENTIAL = "exponentialAlarm"


@dataclass(frozen=True, slots=True)
class Account:
    """The customer's account."""

    app_id: int
    uin: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """The life of one alarm: what stays the same from its firing to its resolve."""

    shape_id: str
    serial: int
    kind: Kind
    lang: Lang
    account: Account
    region: str | None
    """Region short code; ``None`` for a product that is not region-specific."""
    namespace: str
    dimensions: Mapping[str, Any]
    """As on the wire."""
    policy_id: str
    policy_name: str
    policy: Policy
    first_occur: datetime
    """Beijing time (UTC+8), naive, whole seconds: as TCOP writes it."""
    metric: Metric | None = None
    event: Event | None = None
    product: Product | None = None
    period_s: int = 60
    """Statistical period."""
    period_num: int = 1
    """How many breaching periods it takes to fire."""
    notify_type: NotifyType = NotifyType.SINGLE
    notify_period_s: int = 0

    @property
    def repeats(self) -> bool:
        """Whether it is told again while unresolved. Event alarms never are."""
        return self.kind is Kind.METRIC and self.notify_type is not NotifyType.SINGLE

    @property
    def recovers(self) -> bool:
        """Whether a resolved callback follows. It does for every metric."""
        return self.event is None or self.event.recoverable


@dataclass(frozen=True, slots=True)
class Callback:
    """One JSON body as TCOP posts it: an alarm at one moment of its life."""

    alarm: Alarm
    state: State
    session_id: str
    """24 characters; another one in each callback of an alarm."""
    duration_s: int
    """Seconds from the first occurrence to this callback."""
    current_value: str = ""
    history_value: str = ""

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a tree of JSON values in wire order."""
        if self.alarm.kind is Kind.EVENT:
            return self._event_wire()
        return self._metric_wire()

    def body(self) -> bytes:
        """Return the body's bytes: compact JSON in UTF-8, as captured callbacks are written."""
        return wire_bytes(self.to_wire())

    def _metric_wire(self) -> dict[str, Any]:
        alarm = self.alarm
        info: dict[str, Any] = {} if alarm.region is None else {"region": alarm.region}
        info |= {
            "namespace": alarm.namespace,
            "appId": str(alarm.account.app_id),
            "uin": alarm.account.uin,
            "dimensions": alarm.dimensions,
        }
        return {
            "sessionId": self.session_id,
            "alarmStatus": _STATUS[self.state is State.RESOLVED],
            "alarmType": alarm.kind.value,
            "alarmObjInfo": info,
            "alarmPolicyInfo": {
                "policyId": alarm.policy_id,
                "policyType": alarm.policy.type,
                "policyName": alarm.policy_name,
                "policyTypeCName": alarm.policy.name.in_(alarm.lang),
                "conditions": self._metric_conditions(),
            },
            "firstOccurTime": _beijing(alarm.first_occur),
            "durationTime": self.duration_s,
            "recoverTime": self._recover_time(),
        }

    def _metric_conditions(self) -> dict[str, Any]:
        alarm, metric = self.alarm, self.alarm.metric
        assert metric is not None  # noqa: S101 - the generator gives every metric alarm one
        conditions: dict[str, Any] = {
            "metricName": metric.name,
            "metricShowName": metric.show_name.in_(alarm.lang),
        }
        if metric.calc_type is None:
            return conditions  # the page: none of the fields below is returned for metrics without a threshold
        unit = metric.unit.in_(alarm.lang)
        return conditions | {
            "calcType": metric.calc_type,
            "calcValue": metric.calc_value,
            "calcUnit": unit,
            "currentValue": self.current_value,
            "historyValue": self.history_value,
            "unit": unit,
            "period": str(alarm.period_s),
            "periodNum": str(alarm.period_num),
            "alarmNotifyType": alarm.notify_type.value,
            "alarmNotifyPeriod": alarm.notify_period_s,
        }

    def _event_wire(self) -> dict[str, Any]:
        alarm, event, product = self.alarm, self.alarm.event, self.alarm.product
        assert event is not None  # noqa: S101 - the generator gives every event alarm both
        assert product is not None  # noqa: S101
        info: dict[str, Any] = {} if alarm.region is None else {"region": alarm.region}
        return {
            "sessionId": self.session_id,
            "alarmStatus": _STATUS[self.state is State.RESOLVED],
            "alarmType": alarm.kind.value,
            "alarmObjInfo": info | {"dimensions": alarm.dimensions},
            "alarmPolicyInfo": {
                "policyId": alarm.policy_id,
                "policyType": alarm.policy.type,
                "policyName": alarm.policy_name,
                "conditions": {
                    "productName": product.name,
                    "productShowName": product.show_name.in_(alarm.lang),
                    "eventName": event.name,
                    "eventShowName": event.show_name.in_(alarm.lang),
                    "alarmNotifyType": NotifyType.SINGLE.value,
                    "alarmNotifyPeriod": "0",
                },
                "policyTypeCName": alarm.policy.name.in_(alarm.lang),
            },
            "firstOccurTime": _beijing(alarm.first_occur),
            "recoverTime": self._recover_time(),
        }

    def _recover_time(self) -> str:
        if self.state is not State.RESOLVED:
            return NOT_RECOVERED
        return _beijing(self.alarm.first_occur + timedelta(seconds=self.duration_s))


def wire_bytes(tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON value's bytes as our callbacks are written: compact, UTF-8, not escaped."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def _beijing(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
