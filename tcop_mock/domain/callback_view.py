"""What a callback tells, whatever generation or form it is of: read from its tree, for who writes a message of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.alarm import State

if TYPE_CHECKING:
    from collections.abc import Mapping


BEIJING = timezone(timedelta(hours=8))

"""TCOP writes its times without an offset."""


@dataclass(frozen=True, slots=True)
class CallbackView:
    """A callback's tree, read leniently: what is not there, or is of another type, reads as nothing.

    Args:
        tree: the body's JSON object.
    """

    tree: Mapping[str, Any]

    @property
    def object_info(self) -> Mapping[str, Any]:
        """The object ``alarmObjInfo``."""
        return _get_object(self.tree, "alarmObjInfo")

    @property
    def dimensions(self) -> Mapping[str, Any]:
        """The object's dimensions."""
        return _get_object(self.object_info, "dimensions")

    @property
    def policy(self) -> Mapping[str, Any]:
        """The object ``alarmPolicyInfo``."""
        return _get_object(self.tree, "alarmPolicyInfo")

    @property
    def conditions(self) -> Mapping[str, Any]:
        """The policy's conditions."""
        return _get_object(self.policy, "conditions")

    @property
    def is_resolved(self) -> bool:
        """Whether the alarm is over; ``alarmStatus`` is a text or a number."""
        return str(self.tree.get("alarmStatus")) == "0"

    @property
    def object_name(self) -> str:
        """What the alarm is about, as TCOP names it; its dimensions where it has no name."""
        name = self.dimensions.get("objName") or self.dimensions.get("unInstanceId")
        return str(name) if name else ", ".join(f"{key}={value}" for key, value in self.dimensions.items())

    @property
    def metric_label(self) -> str:
        """Name of the metric or event for people."""
        keys = ("metricShowName", "eventShowName", "metricName", "eventName")
        return next((str(self.conditions[key]).strip() for key in keys if self.conditions.get(key)), "")

    @property
    def metric_name(self) -> str:
        """Name of the metric or event for programs."""
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
        """The metric's value with its unit; empty where there is none."""
        value = self.conditions.get("currentValue")
        return f"{value}{self.unit}" if value not in (None, "") else ""

    @property
    def product_name(self) -> str:
        """What the policy watches: name of its type, or of the event's product."""
        return str(self.policy.get("policyTypeCName") or self.conditions.get("productShowName") or "")

    @property
    def duration_s(self) -> int:
        """Age of the alarm in seconds: as told, or until it was over; 0 where neither is told."""
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
        """When the alarm began."""
        return _parse_time(self._raw_time("firstOccurTime"))

    @property
    def recovered_at(self) -> datetime | None:
        """When it was over; ``None`` while it is not."""
        return _parse_time(self._raw_time("recoverTime"))

    @property
    def sent_at(self) -> datetime | None:
        """When it was told: its age after its beginning; for a resolve, when it was over."""
        if self.is_resolved and self.recovered_at:
            return self.recovered_at
        return self.first_occurred_at + timedelta(seconds=self.duration_s) if self.first_occurred_at else None

    def _raw_time(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        return self.tree.get(key, self.policy.get(key))  # in the policy on the pages of 2018 and 2019


def _get_object(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _parse_time(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


_HASH_CHARS = 32


class NotificationKey(NamedTuple):
    """One notification of one alarm. Its retries have the same one, a repeat and the resolve have others."""

    alarm_key: str
    """Policy, metric or event, and object, with slashes between them."""
    object_id: str
    """``objId``; of events ``unInstanceId``; else the dimensions."""
    session_id: str
    """``sessionId``; of CloudEvents ``id``; of what has neither, a hash of the body: ``sha256:...``."""
    state: str
    """``firing``, ``repeated`` or ``resolved``; empty where the body is no callback of TCOP's."""


def key_from_body(body: bytes) -> NotificationKey:
    """Return the identity of a body; whatever the bytes are, nothing is raised."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    return key_from_tree(tree if isinstance(tree, dict) else {}, body)


def key_from_tree(tree: Mapping[str, Any], body: bytes) -> NotificationKey:
    """Return the identity of a body whose tree is known."""
    view = CallbackView(tree)
    session_id = session_id_of(tree) or f"sha256:{hashlib.sha256(body).hexdigest()[:_HASH_CHARS]}"
    object_id = object_id_of(view.dimensions) or _dimensions(view)
    alarm_key = "/".join(filter(None, (str(view.policy.get("policyId") or ""), view.metric_name, object_id)))
    return NotificationKey(alarm_key or session_id, object_id or session_id, session_id, _state(view))


def session_id_of(tree: Mapping[str, Any]) -> str:
    """Return the session id of a body, or an empty text."""
    return _text(tree.get("sessionId")) or (_text(tree.get("id")) if "specversion" in tree else "")


def object_id_of(dimensions: Mapping[str, Any]) -> str:
    """Return the id of an object from its dimensions, or an empty text."""
    return _text(dimensions.get("objId")) or _text(dimensions.get("unInstanceId"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dimensions(view: CallbackView) -> str:
    return ",".join(f"{key}={value}" for key, value in view.dimensions.items())


def _state(view: CallbackView) -> str:
    if "alarmStatus" not in view.tree:
        return ""
    if view.is_resolved:
        return State.RESOLVED
    return State.REPEATED if view.duration_s else State.FIRING
