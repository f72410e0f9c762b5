"""An alarm: the data that all its callbacks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.shape import Event, Metric, Policy, Product


ALARM_LEVELS = ("Remind", "Warn", "Serious")
"""Levels of hierarchical policies, as ``alarmLevel`` and the end of ``alertId`` name them."""


BEIJING = timezone(timedelta(hours=8))
"""Time zone of all times in callbacks, which have no offset."""


TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
"""Format of all times in callbacks."""


class NotifyType(StrEnum):
    """Repetition of notifications for an unresolved alarm; the wire's ``alarmNotifyType``."""

    SINGLE = "singleAlarm"
    CONTINUOUS = "continuousAlarm"
    EXPONENTIAL = "exponentialAlarm"


REPEAT_PERIODS_S = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between repeated notifications in the first day: values of the API's ``NoticeFrequency`` except 0."""


class RepeatPolicy(NamedTuple):
    """Repetition rule for notifications of an unresolved alarm."""

    type: NotifyType
    every_s: int
    """One of ``REPEAT_PERIODS_S``; 0 for an alarm that is sent only once."""


@dataclass(frozen=True, slots=True)
class Account:
    """The customer's account."""

    app_id: int
    uin: str


@dataclass(frozen=True, slots=True)
class OptionalFields:
    """Values that only some forms and generations of the callback include."""

    has_uuid_session_id: bool = False
    """Whether observed session ids are UUIDs; otherwise they have 24 characters, as documented."""
    level: str = ""
    """Alarm level of a hierarchical policy (profile 2025: ``alarmLevel`` and the suffix of ``alertId``)."""
    policy_tags: tuple[tuple[str, str], ...] = ()
    detail_url_suffix: str = ""
    """Last path segment of ``policyDetailURL``."""
    has_capitalized_keys: bool = False
    """Whether EventBridge bodies use ``Key``, ``Value`` and ``DeviceName``, as the English page prints them."""
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    """Dimension keys of observed bodies in addition to the documented ones."""
    additional_msg: tuple[tuple[str, str], ...] = ()
    cloud_event: Mapping[str, Any] = field(default_factory=dict)
    """``source``, ``subject``, ``status``, ``resource`` and ``data`` of its CloudEvents."""
    show_name_suffix: str = ""
    """Suffix of observed metric names (CVM: a blank)."""
    region: str = ""
    """Full name of the region; also set for products without regions."""
    region_code: str = ""
    """Short code of the region."""
    city: str = ""
    """Display name of the region, in the account's language."""
    alert_texts: Mapping[str, str] = field(default_factory=dict)
    """``content`` and ``summary`` of an alarm of Prometheus."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The data of one alarm that stays the same from its first callback to its resolved one."""

    shape_id: str
    serial: int
    kind: AlarmKind
    lang: Lang
    account: Account
    region: str | None
    """Region short code; ``None`` for a product that is not region-specific."""
    namespace: str
    """Empty if ``alarmObjInfo`` has none."""
    dimensions: Mapping[str, Any]
    """In wire format."""
    policy_id: str
    policy_name: str
    policy: Policy
    first_occurred_at: datetime
    """Beijing time (UTC+8), naive, whole seconds, as TCOP writes it."""
    metric: Metric | None = None
    event: Event | None = None
    product: Product | None = None
    period_s: int = 60
    """Statistical period in seconds."""
    period_num: int = 1
    """Number of breaching periods before the alarm fires."""
    notify_type: NotifyType = NotifyType.SINGLE
    notify_period_s: int = 0
    optional_fields: OptionalFields = field(default_factory=OptionalFields)
    in_object_info: bool = False
    """Whether the dimensions stand in ``alarmObjInfo`` itself."""

    @property
    def can_repeat(self) -> bool:
        """Whether notifications repeat while it is unresolved. Only those of metric alarms are known to."""
        return self.kind is AlarmKind.METRIC and self.notify_type is not NotifyType.SINGLE

    @property
    def can_resolve(self) -> bool:
        """Whether a resolved callback follows. Always true for metrics; callbacks of CLS do not say so."""
        return self.kind is not AlarmKind.CLS and (self.event is None or self.event.recoverable)

    @property
    def field_signature(self) -> tuple[object, ...]:
        """Return the values that decide which fields the bodies have.

        Bodies of one shape with the same signature differ only in values.
        """
        fields = self.optional_fields
        return (self.metric, self.event, fields.policy_tags, fields.has_capitalized_keys, bool(fields.level))
