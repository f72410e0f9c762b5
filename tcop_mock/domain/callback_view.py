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
class Told:
    """A callback's tree, read leniently: what is not there, or is of another type, reads as nothing.

    Args:
        tree: the body's JSON object.
    """

    tree: Mapping[str, Any]

    @property
    def about(self) -> Mapping[str, Any]:
        """The object ``alarmObjInfo``."""
        return _table(self.tree, "alarmObjInfo")

    @property
    def dimensions(self) -> Mapping[str, Any]:
        """The object's dimensions."""
        return _table(self.about, "dimensions")

    @property
    def policy(self) -> Mapping[str, Any]:
        """The object ``alarmPolicyInfo``."""
        return _table(self.tree, "alarmPolicyInfo")

    @property
    def conditions(self) -> Mapping[str, Any]:
        """The policy's conditions."""
        return _table(self.policy, "conditions")

    @property
    def resolved(self) -> bool:
        """Whether the alarm is over; ``alarmStatus`` is a text or a number."""
        return str(self.tree.get("alarmStatus")) == "0"

    @property
    def object(self) -> str:
        """What the alarm is about, as TCOP names it; its dimensions where it has no name."""
        named = self.dimensions.get("objName") or self.dimensions.get("unInstanceId")
        return str(named) if named else ", ".join(f"{key}={value}" for key, value in self.dimensions.items())

    @property
    def subject(self) -> str:
        """Name of the metric or event for people."""
        keys = ("metricShowName", "eventShowName", "metricName", "eventName")
        return next((str(self.conditions[key]).strip() for key in keys if self.conditions.get(key)), "")

    @property
    def name(self) -> str:
        """Name of the metric or event for programs."""
        return str(self.conditions.get("metricName") or self.conditions.get("eventName") or "")

    @property
    def content(self) -> str:
        """The metric and its threshold, or the event."""
        told = self.conditions
        limit = f" {told['calcType']} {told['calcValue']}{self.unit}" if {"calcType", "calcValue"} <= set(told) else ""
        return f"{self.subject}{limit}"

    @property
    def unit(self) -> str:
        """Unit of the metric's values."""
        return str(self.conditions.get("unit") or "")

    @property
    def current(self) -> str:
        """The metric's value with its unit; empty where there is none."""
        value = self.conditions.get("currentValue")
        return f"{value}{self.unit}" if value not in (None, "") else ""

    @property
    def product(self) -> str:
        """What the policy watches: name of its type, or of the event's product."""
        return str(self.policy.get("policyTypeCName") or self.conditions.get("productShowName") or "")

    @property
    def duration_s(self) -> int:
        """Age of the alarm in seconds: as told, or until it was over; 0 where neither is told."""
        try:
            return int(self._time("durationTime"))
        except (TypeError, ValueError):
            return int((self.recovered - self.first).total_seconds()) if self.recovered and self.first else 0

    @property
    def first(self) -> datetime | None:
        """When the alarm began."""
        return _instant(self._time("firstOccurTime"))

    @property
    def recovered(self) -> datetime | None:
        """When it was over; ``None`` while it is not."""
        return _instant(self._time("recoverTime"))

    @property
    def now(self) -> datetime | None:
        """When it was told: its age after its beginning; for a resolve, when it was over."""
        if self.resolved and self.recovered:
            return self.recovered
        return self.first + timedelta(seconds=self.duration_s) if self.first else None

    def _time(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        return self.tree.get(key, self.policy.get(key))  # in the policy on the pages of 2018 and 2019


def _table(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _instant(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


_HASH_CHARS = 32


class Identity(NamedTuple):
    """One notification of one alarm. Its retries have the same one, a repeat and the resolve have others."""

    alarm: str
    """Policy, metric or event, and object, with slashes between them."""
    object: str
    """``objId``; of events ``unInstanceId``; else the dimensions."""
    session: str
    """``sessionId``; of CloudEvents ``id``; of what has neither, a hash of the body: ``sha256:...``."""
    state: str
    """``firing``, ``repeated`` or ``resolved``; empty where the body is no callback of TCOP's."""


def identity_of(body: bytes) -> Identity:
    """Return the identity of a body; whatever the bytes are, nothing is raised."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    return identity_in(tree if isinstance(tree, dict) else {}, body)


def identity_in(tree: Mapping[str, Any], body: bytes) -> Identity:
    """Return the identity of a body whose tree is known."""
    told = Told(tree)
    session = session_in(tree) or f"sha256:{hashlib.sha256(body).hexdigest()[:_HASH_CHARS]}"
    where = object_in(told.dimensions) or _dimensions(told)
    alarm = "/".join(filter(None, (str(told.policy.get("policyId") or ""), told.name, where)))
    return Identity(alarm or session, where or session, session, _state(told))


def session_in(tree: Mapping[str, Any]) -> str:
    """Return the session id of a body, or an empty text."""
    return _text(tree.get("sessionId")) or (_text(tree.get("id")) if "specversion" in tree else "")


def object_in(table: Mapping[str, Any]) -> str:
    """Return the id of an object from its dimensions, or an empty text."""
    return _text(table.get("objId")) or _text(table.get("unInstanceId"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dimensions(told: Told) -> str:
    return ",".join(f"{key}={value}" for key, value in told.dimensions.items())


def _state(told: Told) -> str:
    if "alarmStatus" not in told.tree:
        return ""
    if told.resolved:
        return State.RESOLVED
    return State.REPEATED if told.duration_s else State.FIRING
