"""Lenient read-only view of a callback body, and the key that identifies its notification."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.alarm import BEIJING, TIME_FORMAT
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_OBJECT_FIELDS = frozenset({"region", "namespace", "appId", "uin"})
"""Fields of ``alarmObjInfo`` that do not identify the object."""


@dataclass(frozen=True, slots=True)
class CallbackView:
    """View of a callback's tree. A missing value or one of another type reads as empty.

    Args:
        tree: the body's JSON object.
    """

    tree: Mapping[str, Any]

    @property
    def object_info(self) -> Mapping[str, Any]:
        """The object ``alarmObjInfo``."""
        return object_at(self.tree, "alarmObjInfo")

    @property
    def dimensions(self) -> Mapping[str, Any]:
        """The object's dimensions."""
        return object_at(self.object_info, "dimensions")

    @property
    def object_keys(self) -> Mapping[str, Any]:
        """The names and values of the object: its dimensions, or the labels of an alarm of Prometheus.

        Without dimensions, as in alarms of APM and RUM: all other fields of ``alarmObjInfo`` but account and product.
        """
        if "dimensions" in self.object_info:
            return self.dimensions
        if self.tree.get("alarmType") == AlarmKind.PROMETHEUS:
            return object_at(self.object_info, "tags")
        return {key: value for key, value in self.object_info.items() if key not in _OBJECT_FIELDS}

    @property
    def policy(self) -> Mapping[str, Any]:
        """The object ``alarmPolicyInfo``."""
        return object_at(self.tree, "alarmPolicyInfo")

    @property
    def conditions(self) -> Mapping[str, Any]:
        """The policy's conditions."""
        return object_at(self.policy, "conditions")

    @property
    def is_resolved(self) -> bool:
        """Whether the alarm is resolved; ``alarmStatus`` may be a string or a number."""
        return str(self.tree.get("alarmStatus")) == "0"

    @property
    def object_name(self) -> str:
        """Display name of the object; the dimensions if it has no name."""
        keys = self.object_keys
        name = keys.get("objName") or keys.get("unInstanceId")
        return str(name) if name else ", ".join(f"{key}={value}" for key, value in keys.items())

    @property
    def metric_label(self) -> str:
        """Display name of the metric or event."""
        keys = ("metricShowName", "eventShowName", "metricName", "eventName")
        return next((str(self.conditions[key]).strip() for key in keys if self.conditions.get(key)), "")

    @property
    def metric_name(self) -> str:
        """API name of the metric or event."""
        return str(self.conditions.get("metricName") or self.conditions.get("eventName") or "")

    @property
    def condition_text(self) -> str:
        """The metric and its threshold, or the event."""
        conditions = self.conditions
        threshold = (
            f" {conditions['calcType']} {conditions['calcValue']}{self.unit}"
            if {"calcType", "calcValue"} <= set(conditions)
            else ""
        )
        return f"{self.metric_label}{threshold}"

    @property
    def unit(self) -> str:
        """Unit of the metric's values."""
        return str(self.conditions.get("unit") or "")

    @property
    def current_value(self) -> str:
        """Value of the metric with its unit; empty if missing."""
        value = self.conditions.get("currentValue")
        return f"{value}{self.unit}" if value not in (None, "") else ""

    @property
    def product_name(self) -> str:
        """Display name of the policy type, or of the event's product."""
        return str(self.policy.get("policyTypeCName") or self.conditions.get("productShowName") or "")

    @property
    def duration_s(self) -> int:
        """Age of the alarm in seconds: ``durationTime``, else ``recoverTime - firstOccurTime``, else 0."""
        try:
            return int(self._raw_time("durationTime"))
        except (TypeError, ValueError):
            return (
                int((self.recovered_at - self.first_occurred_at).total_seconds())
                if self.recovered_at and self.first_occurred_at
                else 0
            )

    @property
    def first_occurred_at(self) -> datetime | None:
        """Time at which the alarm began."""
        return parse_time(self._raw_time("firstOccurTime"))

    @property
    def recovered_at(self) -> datetime | None:
        """Time at which the alarm ended; ``None`` if unresolved."""
        return parse_time(self._raw_time("recoverTime"))

    @property
    def sent_at(self) -> datetime | None:
        """Time of the notification: start plus age; for a resolved alarm, its end."""
        if self.is_resolved and self.recovered_at:
            return self.recovered_at
        return self.first_occurred_at + timedelta(seconds=self.duration_s) if self.first_occurred_at else None

    def _raw_time(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        return self.tree.get(key, self.policy.get(key))  # in alarmPolicyInfo in the callbacks of 2018 and 2019


_STATES = {"1": State.FIRING, "0": State.RESOLVED}


def state_of(tree: Mapping[str, Any]) -> State | None:
    """Return the state in ``alarmStatus``, as a string or a number; ``None`` for any other value."""
    return _STATES.get(str(tree.get("alarmStatus")))


def object_at(tree: object, key: str) -> Mapping[str, Any]:
    """Return the object under a key of a tree, or an empty one if either is not an object."""
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, dict) else {}


def string_or_none(value: object) -> str | None:
    """Return a string, or ``None`` for any other JSON value."""
    return value if isinstance(value, str) else None


def parse_time(text: object) -> datetime | None:
    """Parse a time of a callback, or return ``None`` for anything else."""
    try:
        return datetime.strptime(str(text), TIME_FORMAT).replace(tzinfo=BEIJING)
    except ValueError:
        return None


def format_time(time: datetime | None) -> str:
    """Format a time like those in callbacks; an empty string for ``None``."""
    return f"{time:{TIME_FORMAT}}" if time else ""


_HASH_CHARS = 32


class NotificationKey(NamedTuple):
    """Key of one notification of one alarm. Retries share it; a repeat and a resolve have other keys."""

    alarm_key: str
    """Policy, metric or event, and object, joined by slashes."""
    object_id: str
    """``objId``; for events ``unInstanceId``; else the dimensions."""
    session_id: str
    """``sessionId``; for CloudEvents ``id``; else a hash of the body: ``sha256:...``."""
    state: str
    """``firing``, ``repeated`` or ``resolved``; empty if the body is not a TCOP callback."""


def key_from_body(body: bytes) -> NotificationKey:
    """Return the key of a body. Never raises."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    return key_from_tree(tree if isinstance(tree, dict) else {}, body)


def key_from_tree(tree: Mapping[str, Any], body: bytes) -> NotificationKey:
    """Return the key of a parsed body."""
    view = CallbackView(tree)
    session_id = session_id_of(tree) or f"sha256:{hashlib.sha256(body).hexdigest()[:_HASH_CHARS]}"
    object_id = object_id_of(view.dimensions) or _object_keys(view)
    alarm_key = "/".join(filter(None, (str(view.policy.get("policyId") or ""), view.metric_name, object_id)))
    return NotificationKey(alarm_key or session_id, object_id or session_id, session_id, _state(view))


def session_id_of(tree: Mapping[str, Any]) -> str:
    """Return the session id of a body, or an empty string."""
    cloud_event_id = tree.get("id") if "specversion" in tree else None
    return string_or_none(tree.get("sessionId")) or string_or_none(cloud_event_id) or ""


def object_id_of(dimensions: Mapping[str, Any]) -> str:
    """Return the object's id from its dimensions, or an empty string."""
    return string_or_none(dimensions.get("objId")) or string_or_none(dimensions.get("unInstanceId")) or ""


def _object_keys(view: CallbackView) -> str:
    return ",".join(f"{key}={value}" for key, value in view.object_keys.items())


def _state(view: CallbackView) -> str:
    if "alarmStatus" not in view.tree:
        return ""
    if view.is_resolved:
        return State.RESOLVED
    return State.REPEATED if view.duration_s else State.FIRING
