"""Load plans, objectives, scenarios, and the records of the deliveries of a load.

Times are seconds since the start of the load, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target


class LoadModel(StrEnum):
    """What determines when the next attempt starts."""

    OPEN = "open"
    """A rate, independent of the receiver."""
    CLOSED = "closed"
    """The previous response: a constant number of attempts is in flight."""
    SCRIPT = "script"
    """A schedule of notifications, with the profile's retries."""


class Stage(NamedTuple):
    """A part of an open load in which the rate changes linearly."""

    duration_s: float
    """May be infinite for the last stage."""
    from_rate: float
    """Attempts per second at its start."""
    to_rate: float
    """Attempts per second at its end."""


class ScheduledCallback(NamedTuple):
    """One notification and the time at which it is due."""

    at_s: float
    """The intended start of its first attempt."""
    body: bytes
    alarm_key: str = ""
    """The key of its alarm, the same in all notifications of one alarm."""
    object_id: str = ""
    """The object of the alarm: ``objId``, or another dimension if the shape has none."""
    state: str = ""
    """``firing``, ``repeated`` or ``resolved``."""
    session_id: str = ""
    shape: str = ""
    alarm_number: int = -1
    """The number of its alarm in a scenario, from 0; -1 outside of one."""


Schedule: TypeAlias = "Iterator[ScheduledCallback]"

"""Notifications, the earliest first."""


class AttemptRecord(NamedTuple):
    """One attempt of a notification."""

    intended_s: float
    started_s: float
    ended_s: float
    outcome: Outcome
    status: int | None = None
    is_replayed: bool = False
    """Whether it was sent twice, because the kept-alive connection was closed before any byte of a response."""

    @property
    def is_possibly_received(self) -> bool:
        """Whether the receiver may have received it."""
        return self.outcome in _POSSIBLY_RECEIVED


_POSSIBLY_RECEIVED = frozenset(
    {
        Outcome.ACKED,
        Outcome.TIMED_OUT,
        Outcome.RESET_BEFORE_ANSWER,
        Outcome.RESET_IN_ANSWER,
        Outcome.BAD_ANSWER,
    }
)

"""Outcomes after which the receiver may have the callback; all but ``ACKED`` can still cause a retry."""


class DeliveryRecord(NamedTuple):
    """The attempts of one notification; a line of the ledger."""

    callback: ScheduledCallback
    attempts: tuple[AttemptRecord, ...]
    """In the order in which they ended; empty if the notification was dropped."""

    @property
    def is_acked(self) -> bool:
        """Whether the last attempt was acknowledged."""
        return bool(self.attempts) and self.attempts[-1].outcome is Outcome.ACKED

    @property
    def duplicate_count(self) -> int:
        """How many duplicates the receiver may have, because of lost acknowledgements and replays."""
        return max(0, sum(1 + attempt.is_replayed for attempt in self.attempts if attempt.is_possibly_received) - 1)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The plan of a load. All of it may be printed; the credentials of the target are masked."""

    target: Target
    rules: DeliveryRules
    profile: str
    seed: int
    model: LoadModel = LoadModel.OPEN
    stages: tuple[Stage, ...] = ()
    """The stages of an open load."""
    is_poisson: bool = False
    """Whether the arrivals of an open load are a Poisson process instead of evenly spaced."""
    concurrency: int = 1
    """Attempts in flight in a closed load."""
    duration_s: float | None = None
    """No attempt starts after this time; a scenario has its own end."""
    count: int | None = None
    """Maximum number of attempts."""
    max_inflight: int = 1000
    """Maximum number of attempts in flight; further attempts wait and start late."""
    warm_up_s: float = 0.0
    """Attempts that are due before count only in the series."""
    time_scale: float = 1.0
    """Real seconds per second of a scenario and its pauses. Deadlines are not scaled."""
    max_idle_s: float | None = None
    """Longest idle gap of a scenario; longer gaps with nothing in flight are shortened to this."""
    workers: int = 1
    insecure: bool = False
    connection: ConnectionOptions = DEFAULTS
    mix: tuple[tuple[str, float], ...] = ()
    """Shapes and weights of the bodies; a scenario has its own."""
    title: str = ""
    """A short description of the load: ``2000/s, Poisson`` or the name of a scenario."""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """One bound of ``--slo``."""

    text: str
    """The text of the option: ``p99<500ms``."""
    name: str
    """The name of the measure."""
    relation: str
    """``<``, ``<=``, ``=``, ``>=`` or ``>``."""
    bound: float
    """Seconds for a time, 0 to 1 for a share, otherwise the number."""
    is_share: bool = False
    """Whether the bound is a share instead of a count."""


class ObjectiveStatus(StrEnum):
    """The result of an objective."""

    KEPT = "kept"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"
    """It is broken only by what this tool held back."""


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """One objective and its result."""

    objective: Objective
    status: ObjectiveStatus
    measurement: str
    """The measured value: ``612 ms``, ``7 of 2000 (0.35%)``, or why there is none."""

    @property
    def is_met(self) -> bool:
        """Whether it is kept."""
        return self.status is ObjectiveStatus.KEPT

    @property
    def summary(self) -> str:
        """One line for reports."""
        return f"{self.objective.text}: {self.status}, {self.measurement}"


@dataclass(frozen=True, slots=True)
class ScenarioGroup:
    """Alarms of a scenario with common properties."""

    title: str
    shapes: tuple[str, ...]
    """Ids or globs of the catalogue; alarms are assigned to the shapes in turn."""
    alarms: int
    within_s: float
    """The first firings are distributed randomly over this time."""
    start_s: float = 0.0
    """When that time starts."""
    metric: str | None = None
    event: str | None = None
    repeat_policy: RepeatPolicy | None = None
    """How unresolved alarms repeat; ``None``: not at all."""
    period_s: int | None = None
    """Statistical period of the policies; ``None``: random."""
    period_num: int | None = None
    """Number of breaching periods before an alarm fires; ``None``: random."""
    lasts_s: tuple[float, float] | None = None
    """Minimum and maximum duration of an alarm, chosen randomly."""
    over_s: float | None = None
    """When all of them end together. Without this and ``lasts_s`` they do not end within the scenario."""
    lives: int = 1
    """How often each alarm fires."""
    between_s: tuple[float, float] = (0.0, 0.0)
    """Pause between the resolve and the next firing; at least the periods of the policy."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An alarm storm, from a file in ``contracts/scenarios/`` or from a file of the user."""

    name: str
    title: str
    source: str
    assumed: Mapping[str, str]
    """Decisions without a source: keys of the groups and a sentence each."""
    groups: tuple[ScenarioGroup, ...]
    region: str = ""
    """Short code of the region of all alarms; empty: each policy has its own."""
    ends_s: float | None = None
    """No notification is due after this time; ``None``: until the last alarm resolves."""
    file: str = ""
    """The file of the user; empty for a shipped scenario."""

    @property
    def location(self) -> str:
        """The name of the scenario in errors."""
        return self.file or self.name

    @property
    def alarm_count(self) -> int:
        """The number of alarms."""
        return sum(group.alarms for group in self.groups)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
