"""A callback: the state of an alarm at one moment, and its JSON body in every form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.alarm import BEIJING
from tcop_mock.domain.shape import AlarmKind, Lang
from tcop_mock.domain.target import Target, mask_query_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Event, Metric, Product


class Form(StrEnum):
    """Format of a callback body."""

    DOCUMENTED = "documented"
    """As printed on the profile's alarm callback page."""
    OBSERVED = "observed"
    """As captured callbacks look: includes undocumented fields; dimension keys in alphabetical order."""
    EVENTBRIDGE = "eventbridge"
    """The body that EventBridge posts in the format of an event alarm."""
    CLOUDEVENTS = "cloudevents"
    """The CloudEvents that EventBridge posts: standard events, and those of Anti-DDoS."""


class StatusType(StrEnum):
    """JSON type of ``alarmStatus``."""

    STRING = "string"
    INTEGER = "integer"


class TimesLocation(StrEnum):
    """Object that holds ``firstOccurTime``, ``durationTime`` and ``recoverTime``."""

    ROOT = "root"
    POLICY = "alarmPolicyInfo"


_DOCUMENTED = frozenset({"alarmType", "appId", "uin", "calcUnit", "historyValue"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """Fields around the dimensions in one generation of the callback; the defaults are those of profile 2023."""

    status_type: StatusType = StatusType.STRING
    times_location: TimesLocation = TimesLocation.ROOT
    fields: frozenset[str] = _DOCUMENTED
    """Wire names of the optional fields that this generation includes."""
    notify_periods: tuple[int, ...] = ()
    """Captured values of ``alarmNotifyPeriod`` that are not seconds; empty if it holds seconds."""
    is_period_num_in_seconds: bool = False
    """Whether ``periodNum`` holds seconds instead of a number of periods, as in some captures."""


@dataclass(frozen=True, slots=True)
class WireFormat:
    """Body format of a profile; the defaults are those of profile 2023."""

    documented: Envelope = Envelope()
    observed: Envelope = Envelope(fields=_DOCUMENTED | {"policyDetailURL", "policyTags", "policyTypeEname", "tag"})

    def envelope(self, form: Form) -> Envelope:
        """Return the envelope of a form. EventBridge and CloudEvents bodies do not depend on it."""
        return self.observed if form is Form.OBSERVED else self.documented


NOT_RECOVERED = "0"


_STATUS_FIRING, _STATUS_RESOLVED = "1", "0"


_SINGLE = "singleAlarm"


_DETAIL_URL = "https://tcop.qq.com/r/"


class CallbackValues(NamedTuple):
    """Values that change with each callback, in their wire format.

    Values may be markers while a body is compiled; the same holds for an alarm's dimensions.
    """

    session_id: Any
    first_occur_time: Any
    duration_s: Any
    recover_time: Any
    """``"0"`` while the alarm is unresolved."""
    current_value: Any = ""
    history_value: Any = ""
    first_occur_ms: Any = 0
    """The first occurrence in milliseconds since 1970 UTC."""


class CallbackRequest(NamedTuple):
    """The request that carries a callback, in the words of httpx."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes

    def __repr__(self) -> str:
        """Return the request without its credentials."""
        names = ", ".join(self.headers)
        return f"<{self.method} {mask_query_secrets(self.url)} ({names}), {len(self.content)} bytes>"


def encode_json(tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON value's bytes as our callbacks are written: compact, UTF-8, not escaped."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def build_body(
    alarm: Alarm, values: CallbackValues, form: Form, envelope: Envelope, *, is_resolved: bool
) -> dict[str, Any]:
    """Return the body of one callback. The alarm's shape must support the form.

    Args:
        alarm: alarm that the callback reports.
        values: values of this callback.
        form: body format.
        envelope: fields of the form in the profile.
        is_resolved: whether the alarm is resolved.
    """
    return _BODY_BUILDERS[alarm.kind, form](
        alarm, values, envelope, _STATUS_RESOLVED if is_resolved else _STATUS_FIRING
    )


def _documented_metric_body(alarm: Alarm, values: CallbackValues, envelope: Envelope, status: str) -> dict[str, Any]:
    assert alarm.metric is not None  # noqa: S101 - the generator gives every metric alarm one
    name, unit = alarm.metric.show_name, alarm.metric.unit
    return _metric_body(
        alarm,
        values,
        envelope,
        status,
        dimensions=alarm.dimensions,
        names={"policyTypeCName": alarm.policy.name.for_language(alarm.lang)},
        conditions=_conditions(
            alarm, alarm.metric, values, envelope, (name.for_language(alarm.lang), unit.for_language(alarm.lang))
        ),
    )


def _observed_metric_body(alarm: Alarm, values: CallbackValues, envelope: Envelope, status: str) -> dict[str, Any]:
    assert alarm.metric is not None  # noqa: S101 - the generator gives every metric alarm one
    metric, extras = alarm.metric, alarm.optional_fields
    observed_name = metric.observed_show_name
    name = (
        observed_name.for_language(alarm.lang)
        if observed_name
        else metric.show_name.for_language(alarm.lang) + extras.show_name_suffix
    )
    unit = (metric.observed_unit or metric.unit).for_language(alarm.lang)
    conditions = _conditions(alarm, metric, values._replace(history_value=""), envelope, (name, unit))
    if envelope.notify_periods and "alarmNotifyPeriod" in conditions:
        conditions["alarmNotifyPeriod"] = envelope.notify_periods[alarm.period_num % len(envelope.notify_periods)]
    if envelope.is_period_num_in_seconds and "periodNum" in conditions:
        conditions["periodNum"] = str(alarm.period_s)
    return _metric_body(
        alarm,
        values,
        envelope,
        status,
        dimensions=_sorted_dimensions(alarm),
        names=_observed_names(alarm, envelope),
        conditions=conditions,
    )


def _metric_body(  # noqa: PLR0913 - the parts of one body
    alarm: Alarm,
    values: CallbackValues,
    envelope: Envelope,
    status: str,
    *,
    dimensions: Any,  # noqa: ANN401 - a JSON value
    names: dict[str, str],
    conditions: dict[str, Any],
) -> dict[str, Any]:
    level = alarm.optional_fields.level
    body: dict[str, Any] = {"sessionId": values.session_id}
    if "alertId" in envelope.fields:
        body["alertId"] = f"{values.session_id}_{level}" if level else values.session_id
    body["alarmStatus"] = int(status) if envelope.status_type is StatusType.INTEGER else status
    if "alarmType" in envelope.fields:
        body["alarmType"] = alarm.kind.value
    if level and "alarmLevel" in envelope.fields:
        body["alarmLevel"] = level
    body["alarmObjInfo"] = _object_info(alarm, envelope, dimensions)
    body["alarmPolicyInfo"] = policy_info = _policy_info(alarm, envelope, names, conditions)
    times = policy_info if envelope.times_location is TimesLocation.POLICY else body
    times["firstOccurTime"] = values.first_occur_time
    times["durationTime"] = values.duration_s
    times["recoverTime"] = values.recover_time
    if "policyDetailURL" in envelope.fields:
        body["policyDetailURL"] = f"{_DETAIL_URL}{alarm.optional_fields.detail_url_suffix}"
    return body


def _object_info(alarm: Alarm, envelope: Envelope, dimensions: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    info: dict[str, Any] = dict(_region_field(alarm))
    if alarm.namespace:
        info["namespace"] = alarm.namespace
    info |= _account_fields(alarm, envelope)
    info |= dimensions if alarm.in_object_info else {"dimensions": dimensions}
    return info


def _account_fields(alarm: Alarm, envelope: Envelope) -> dict[str, str]:
    fields = {"appId": str(alarm.account.app_id), "uin": alarm.account.uin}
    return {key: value for key, value in fields.items() if key in envelope.fields}


def _policy_info(alarm: Alarm, envelope: Envelope, names: dict[str, str], conditions: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = {"policyId": alarm.policy_id}
    if alarm.policy.type:
        info["policyType"] = alarm.policy.type
    info["policyName"] = alarm.policy_name
    info |= names
    info["conditions"] = conditions
    if "tag" in envelope.fields:
        info["tag"] = []
    if "policyTags" in envelope.fields:
        info["policyTags"] = [{"key": key, "value": value} for key, value in alarm.optional_fields.policy_tags]
    return info


def _conditions(
    alarm: Alarm, metric: Metric, values: CallbackValues, envelope: Envelope, labels: tuple[str, str]
) -> dict[str, Any]:
    name, unit = labels
    conditions: dict[str, Any] = {"metricName": metric.name, "metricShowName": name}
    if metric.calc_type is None:
        return conditions  # documented: metrics without a threshold omit the fields below
    conditions |= {"calcType": metric.calc_type, "calcValue": metric.calc_value}
    if "calcUnit" in envelope.fields:
        conditions["calcUnit"] = unit
    conditions["currentValue"] = values.current_value
    if "historyValue" in envelope.fields:
        conditions["historyValue"] = values.history_value
    return conditions | {
        "unit": unit,
        "period": str(alarm.period_s),
        "periodNum": str(alarm.period_num),
        "alarmNotifyType": alarm.notify_type.value,
        "alarmNotifyPeriod": alarm.notify_period_s,
    }


def _documented_event_body(alarm: Alarm, values: CallbackValues, _envelope: Envelope, status: str) -> dict[str, Any]:
    event, product = _event_of(alarm)
    return {
        "sessionId": values.session_id,
        "alarmStatus": status,
        "alarmType": alarm.kind.value,
        "alarmObjInfo": {**_region_field(alarm), "dimensions": alarm.dimensions},
        "alarmPolicyInfo": {
            "policyId": alarm.policy_id,
            "policyType": alarm.policy.type,
            "policyName": alarm.policy_name,
            "conditions": _event_conditions(alarm, event, product, "0"),
            "policyTypeCName": alarm.policy.name.for_language(alarm.lang),
        },
        "firstOccurTime": values.first_occur_time,
        "recoverTime": values.recover_time,
    }


def _observed_event_body(alarm: Alarm, values: CallbackValues, envelope: Envelope, status: str) -> dict[str, Any]:
    """Return an event body as captured in 2021: no policyId, durationTime 0, recoverTime "0" even if resolved."""
    event, product = _event_of(alarm)
    return {
        "sessionId": values.session_id,
        "alarmStatus": status,
        "alarmType": alarm.kind.value,
        "alarmObjInfo": {**_region_field(alarm), "dimensions": _sorted_dimensions(alarm)},
        "alarmPolicyInfo": {
            "policyType": alarm.policy.type,
            "policyName": alarm.policy_name,
            **_observed_names(alarm, envelope),
            "conditions": _event_conditions(alarm, event, product, ""),
        },
        "additionalMsg": [{"key": key, "value": value} for key, value in alarm.optional_fields.additional_msg],
        "firstOccurTime": values.first_occur_time,
        "durationTime": 0,
        "recoverTime": NOT_RECOVERED,
    }


def _eventbridge_body(alarm: Alarm, values: CallbackValues, _envelope: Envelope, status: str) -> dict[str, Any]:
    event, product = _event_of(alarm)
    capitalized = alarm.optional_fields.has_capitalized_keys
    key_key, value_key = ("Key", "Value") if capitalized else ("key", "value")
    extra_dimensions = {
        key[0].upper() + key[1:] if capitalized else key: value
        for key, value in alarm.optional_fields.dimensions.items()
    }
    return {
        "sessionId": values.session_id,
        "alarmStatus": status,
        "alarmType": alarm.kind.value,
        "alarmObjInfo": {**_region_field(alarm), "dimensions": {**alarm.dimensions, **extra_dimensions}},
        "alarmPolicyInfo": {
            "policyName": alarm.policy_name,
            "conditions": {
                "productName": product.name,
                "eventName": event.name,
                "alarmNotifyType": "",  # documented: empty for compatibility
                "alarmNotifyPeriod": "",
            },
        },
        "additionalMsg": [{key_key: key, value_key: value} for key, value in alarm.optional_fields.additional_msg],
        "firstOccurTime": values.first_occur_time,
        "durationTime": 0,
        "recoverTime": values.recover_time,
    }


def _cloud_event_body(alarm: Alarm, values: CallbackValues, _envelope: Envelope, status: str) -> dict[str, Any]:
    """Return a CloudEvent: the standard event of EventBridge, or that of Anti-DDoS, which has no resource."""
    event, _ = _event_of(alarm)
    cloud_event = alarm.optional_fields.cloud_event
    fields = {
        "specversion": "1.0",
        "id": values.session_id,
        "source": cloud_event["source"],
        "type": event.cloud_type,
        "subject": cloud_event["subject"],
        "time": values.first_occur_ms,
        "region": alarm.optional_fields.region,
        "resource": [cloud_event["resource"]],
        "datacontenttype": "application/json;charset=utf-8",
        "tags": {},
        "status": cloud_event["status"] or status,
        "data": cloud_event["data"],
    }
    if cloud_event["resource"]:
        return fields
    return {key: fields[key] for key in _DDOS_KEYS} | {"tags": None, "data": cloud_event["data"]}


_DDOS_KEYS = ("id", "type", "specversion", "source", "subject", "time", "region", "datacontenttype", "status")
"""Keys of the CloudEvents of Anti-DDoS, in the order of the page; tags and data follow."""


def _prometheus_body(alarm: Alarm, values: CallbackValues, envelope: Envelope, status: str) -> dict[str, Any]:
    """Return the body of an alarm of Prometheus: the keys that a receiver of Tencent reads, with the usual times."""
    return {
        "sessionId": values.session_id,
        "alarmStatus": int(status) if envelope.status_type is StatusType.INTEGER else status,
        "alarmType": alarm.kind.value,
        "alarmObjInfo": {
            **_account_fields(alarm, envelope),
            **alarm.optional_fields.alert_texts,
            "tags": alarm.dimensions,
        },
        "alarmPolicyInfo": {"policyId": alarm.policy_id, "policyName": alarm.policy_name},
        "firstOccurTime": values.first_occur_time,
        "durationTime": values.duration_s,
        "recoverTime": values.recover_time,
    }


def _cls_body(alarm: Alarm, values: CallbackValues, _envelope: Envelope, _status: str) -> dict[str, Any]:
    """Return the callback of CLS with the request content of its page, at the first trigger of the alarm."""
    fields = {
        "UIN": alarm.account.uin,
        "Region": alarm.optional_fields.city,
        "AlarmName": alarm.policy_name,
        "TriggerTime": values.first_occur_time,
        "ConsecutiveAlertNums": "1",
        "FireTime": values.first_occur_time,
        "Duration": "0",
        "CustomizeMessage": "",
        **alarm.dimensions,
    }
    return {key: fields[key] for key in _CLS_KEYS if key in fields} | fields


_CLS_KEYS = (
    *("UIN", "User", "Region", "AlarmID", "AlarmName", "Condition", "TriggerTime", "ConsecutiveAlertNums"),
    *("TopicName", "TopicID", "LogsetName", "LogsetID", "FireTime", "Duration", "Query", "CustomizeMessage"),
)
"""Keys of a callback of CLS, in the order of the page; keys of an entry of one's own follow."""


def unix_ms(time: datetime) -> int:
    """Convert a Beijing time without offset to milliseconds since 1970 UTC."""
    return int(time.replace(tzinfo=BEIJING).timestamp()) * 1000


def _event_of(alarm: Alarm) -> tuple[Event, Product]:
    assert alarm.event is not None  # noqa: S101 - the generator gives every event alarm both
    assert alarm.product is not None  # noqa: S101 - events have one
    return alarm.event, alarm.product


def _event_conditions(alarm: Alarm, event: Event, product: Product, notify_period: str) -> dict[str, Any]:
    return {
        "productName": product.name,
        "productShowName": product.show_name.for_language(alarm.lang),
        "eventName": event.name,
        "eventShowName": event.show_name.for_language(alarm.lang),
        "alarmNotifyType": _SINGLE,
        "alarmNotifyPeriod": notify_period,
    }


def _region_field(alarm: Alarm) -> dict[str, Any]:
    return {} if alarm.region is None else {"region": alarm.region}


def _sorted_dimensions(alarm: Alarm) -> dict[str, Any]:
    return dict(sorted({**alarm.dimensions, **alarm.optional_fields.dimensions}.items()))


def _observed_names(alarm: Alarm, envelope: Envelope) -> dict[str, str]:
    """Return both names of the policy type; captured callbacks fill only the one in the account's language."""
    if "policyTypeEname" not in envelope.fields:
        return {"policyTypeCName": alarm.policy.name.for_language(alarm.lang)}
    if alarm.lang is Lang.ZH:
        return {"policyTypeCName": alarm.policy.name.zh, "policyTypeEname": ""}
    return {"policyTypeCName": "", "policyTypeEname": alarm.policy.ename or alarm.policy.name.en}


_BODY_BUILDERS: dict[tuple[AlarmKind, Form], Callable[[Alarm, CallbackValues, Envelope, str], dict[str, Any]]] = {
    (AlarmKind.METRIC, Form.DOCUMENTED): _documented_metric_body,
    (AlarmKind.METRIC, Form.OBSERVED): _observed_metric_body,
    (AlarmKind.EVENT, Form.DOCUMENTED): _documented_event_body,
    (AlarmKind.EVENT, Form.OBSERVED): _observed_event_body,
    (AlarmKind.EVENT, Form.EVENTBRIDGE): _eventbridge_body,
    (AlarmKind.EVENT, Form.CLOUDEVENTS): _cloud_event_body,
    (AlarmKind.PROMETHEUS, Form.DOCUMENTED): _prometheus_body,
    (AlarmKind.CLS, Form.DOCUMENTED): _cls_body,
}


class State(StrEnum):
    """State of an alarm when a callback is sent."""

    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Callback:
    """One JSON body as TCOP posts it: the state of an alarm at one moment."""

    alarm: Alarm
    state: State
    session_id: str
    """24 characters or a UUID; different in each callback of an alarm."""
    duration_s: int
    """Seconds from the first occurrence to this callback."""
    current_value: str = ""
    history_value: str = ""
    form: Form = Form.DOCUMENTED
    wire_format: WireFormat = field(default_factory=WireFormat)

    def __repr__(self) -> str:
        """Return a short text, because failures of tests show it."""
        form = "" if self.form is Form.DOCUMENTED else f" in the form {self.form}"
        return f"<Callback {self.alarm.shape_id} {self.state}{form}, session {self.session_id}>"

    @property
    def recovered_at(self) -> datetime | None:
        """Time at which the alarm ended, like ``Alarm.first_occurred_at``; ``None`` if unresolved."""
        if self.state is not State.RESOLVED:
            return None
        return self.alarm.first_occurred_at + timedelta(seconds=self.duration_s)

    def to_bytes(self) -> bytes:
        """Return the body as compact UTF-8 JSON, as in captured callbacks."""
        return encode_json(self.to_dict())

    def request(self, url: str = "/") -> CallbackRequest:
        """Return the request that TCOP sends: ``client.request(**callback.request(url)._asdict())``.

        Args:
            url: URL of the receiver, or a path for a client with a base URL. ``USER:PASSWORD@`` becomes the
                Authorization header.

        Raises:
            UsageError: the URL is invalid.
        """
        headers = {"Content-Type": "application/json"}
        if not url.startswith("/"):
            target = Target.parse(url)
            url = target.url
            if target.credentials is not None:
                headers["Authorization"] = f"Basic {target.credentials.token().reveal()}"
        return CallbackRequest("POST", url, headers, self.to_bytes())

    def to_dict(self) -> dict[str, Any]:
        """Return the body as a tree of JSON values in wire order."""
        recovered_at = self.recovered_at
        values = CallbackValues(
            session_id=self.session_id,
            first_occur_time=str(self.alarm.first_occurred_at),
            duration_s=self.duration_s,
            recover_time=str(recovered_at) if recovered_at else NOT_RECOVERED,
            current_value=self.current_value,
            history_value=self.history_value,
            first_occur_ms=unix_ms(self.alarm.first_occurred_at),
        )
        return build_body(
            self.alarm,
            values,
            self.form,
            self.wire_format.envelope(self.form),
            is_resolved=self.state is State.RESOLVED,
        )
