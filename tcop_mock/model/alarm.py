"""One alarm and its callbacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.model.form import Form, Wire
from tcop_mock.model.shape import Kind, Lang
from tcop_mock.model.wire import NOT_RECOVERED, Said, to_wire, unix_ms, wire_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.model.shape import Event, Metric, Policy, Product


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


REPEAT_PERIODS_S = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""How often an unresolved alarm can be told again in its first day: the API's ``NoticeFrequency``, without its 0."""


class Notify(NamedTuple):
    """Whether, how and how often an unresolved alarm is told again."""

    type: NotifyType
    every_s: int
    """One of ``REPEAT_PERIODS_S``; 0 for an alarm that is told once."""


@dataclass(frozen=True, slots=True)
class Account:
    """The customer's account."""

    app_id: int
    uin: str


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some forms and generations of a callback tell of an alarm."""

    session_uuid: bool = False
    """Whether observed session ids are UUIDs; else they have 24 characters, as those of the pages."""
    level: str = ""
    """Level of an alarm of a hierarchical policy (profile 2025: the end of ``alertId``)."""
    policy_tags: tuple[tuple[str, str], ...] = ()
    link: str = ""
    """End of ``policyDetailURL``."""
    capitals: bool = False
    """Whether EventBridge's imitation writes ``Key``, ``Value`` and ``DeviceName``, as the page in English prints."""
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    """Keys that observed dimensions have beside the documented ones."""
    additional_msg: tuple[tuple[str, str], ...] = ()
    cloud_event: Mapping[str, Any] = field(default_factory=dict)
    """``source``, ``subject``, ``status`` and ``data`` of its CloudEvents."""
    show_name_suffix: str = ""
    """What stands behind observed metric names (CVM: a blank)."""
    region: str = ""
    """Full name of the region, drawn for products without regions, too."""
    region_code: str = ""
    """Its short code."""


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
    extras: Extras = field(default_factory=Extras)

    @property
    def repeats(self) -> bool:
        """Whether it is told again while unresolved. Event alarms never are."""
        return self.kind is Kind.METRIC and self.notify_type is not NotifyType.SINGLE

    @property
    def recovers(self) -> bool:
        """Whether a resolved callback follows. It does for every metric."""
        return self.event is None or self.event.recoverable

    @property
    def fields(self) -> tuple[object, ...]:
        """What decides which fields its bodies have: alarms of one shape that share it differ in values only."""
        return (self.metric, self.event, self.extras.policy_tags, self.extras.capitals)


@dataclass(frozen=True, slots=True)
class Callback:
    """One JSON body as TCOP posts it: an alarm at one moment of its life."""

    alarm: Alarm
    state: State
    session_id: str
    """24 characters or a UUID; another one in each callback of an alarm."""
    duration_s: int
    """Seconds from the first occurrence to this callback."""
    current_value: str = ""
    history_value: str = ""
    form: Form = Form.DOCUMENTED
    wire: Wire = field(default_factory=Wire)

    @property
    def recovered(self) -> datetime | None:
        """When the alarm ended, as ``Alarm.first_occur``; ``None`` while it has not."""
        if self.state is not State.RESOLVED:
            return None
        return self.alarm.first_occur + timedelta(seconds=self.duration_s)

    def body(self) -> bytes:
        """Return the body's bytes: compact JSON in UTF-8, as captured callbacks are written."""
        return wire_bytes(self.to_wire())

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a tree of JSON values in wire order."""
        recovered = self.recovered
        said = Said(
            session_id=self.session_id,
            first_occur=str(self.alarm.first_occur),
            duration_s=self.duration_s,
            recover_time=str(recovered) if recovered else NOT_RECOVERED,
            current_value=self.current_value,
            history_value=self.history_value,
            first_occur_ms=unix_ms(self.alarm.first_occur),
        )
        return to_wire(self.alarm, said, self.form, self.wire.envelope(self.form), over=self.state is State.RESOLVED)
