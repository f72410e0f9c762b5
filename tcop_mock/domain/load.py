"""The plan of a load, its scenarios and objectives, and the records of its attempts.

Times are seconds since the start of the load, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target


class LoadModel(StrEnum):
    """Trigger for starting the next request."""

    OPEN = "open"
    """A schedule that does not depend on the receiver."""
    CLOSED = "closed"
    """The previous response: a fixed number of requests is in flight."""
    SCRIPT = "script"
    """A list of scheduled notifications; failed ones are retried as the profile says."""


class Stage(NamedTuple):
    """Part of an open load in which the rate changes linearly."""

    duration_s: float
    """May be infinite for the last stage."""
    from_rate: float
    """Requests per second at the start."""
    to_rate: float
    """Requests per second at the end."""


class ScheduledCallback(NamedTuple):
    """One scheduled notification."""

    at_s: float
    """Intended start."""
    body: bytes
    alarm_key: str = ""
    """Key of its alarm: the same string in each notification of one alarm."""
    object_id: str = ""
    """Object of the alarm: ``objId``, or if the shape has none, other dimensions that identify it."""
    state: str = ""
    """``firing``, ``repeated`` or ``resolved``."""
    session_id: str = ""
    shape: str = ""


Schedule: TypeAlias = "Iterator[ScheduledCallback]"

"""Notifications in ascending order of their intended start."""


class AttemptRecord(NamedTuple):
    """One attempt of a notification."""

    intended_s: float
    started_s: float
    ended_s: float
    outcome: Outcome
    status: int | None = None
    is_replayed: bool = False
    """Sent twice: the kept-alive connection was closed, and no byte of a response had arrived."""

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

"""Outcomes after which the receiver may have the callback, although TCOP retries after all but one of them."""


class DeliveryRecord(NamedTuple):
    """Result of one notification: one line of the ledger."""

    callback: ScheduledCallback
    attempts: tuple[AttemptRecord, ...]
    """In the order in which they ended; empty for a dropped notification."""

    @property
    def is_acked(self) -> bool:
        """Whether the last attempt was acknowledged."""
        return bool(self.attempts) and self.attempts[-1].outcome is Outcome.ACKED

    @property
    def duplicate_count(self) -> int:
        """Number of extra copies that the receiver may have because of lost acks and replays."""
        return max(0, sum(1 + attempt.is_replayed for attempt in self.attempts if attempt.is_possibly_received) - 1)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Settings of a load. Everything in it may be printed; the target masks its credentials."""

    target: Target
    rules: DeliveryRules
    profile: str
    seed: int
    model: LoadModel = LoadModel.OPEN
    stages: tuple[Stage, ...] = ()
    """Open load only."""
    is_poisson: bool = False
    """Whether an open load has random arrivals (exponential gaps) instead of evenly spaced ones."""
    concurrency: int = 1
    """Closed load only."""
    duration_s: float | None = None
    """No request starts after this; a script ends when its notifications are delivered."""
    count: int | None = None
    """Maximum number of requests."""
    max_inflight: int = 1000
    """Maximum number of attempts in flight; further requests wait and become late."""
    warm_up_s: float = 0.0
    """Requests due before this are only part of the series."""
    time_scale: float = 1.0
    """Script only: real seconds per second of the profile's pauses. Deadlines are not scaled."""
    max_idle_s: float | None = None
    """Script only: while nothing is in flight, longer idle times are cut to this."""
    workers: int = 1
    insecure: bool = False
    mix: tuple[tuple[str, float], ...] = ()
    """Shapes of the bodies, with weights; a script has its own bodies."""
    title: str = ""
    """Short description: ``2000/s, Poisson`` or the name of a scenario."""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """One bound of ``--slo``."""

    text: str
    """As written on the command line: ``p99<500ms``."""
    name: str
    """Name of the measured value."""
    relation: str
    """``<``, ``<=``, ``=``, ``>=`` or ``>``."""
    bound: float
    """Seconds for times, 0 to 1 for shares, else a number."""
    is_share: bool = False
    """Whether the bound is a share of all attempts where it could also be a count."""


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """One objective and its result."""

    objective: Objective
    is_met: bool
    measurement: str
    """The measured value as text: ``612 ms``, ``7 of 2000 (0.35%)``, or the reason why there is none."""

    @property
    def summary(self) -> str:
        """One line about the result."""
        return f"{self.objective.text}: {'kept' if self.is_met else 'broken'}, {self.measurement}"


@dataclass(frozen=True, slots=True)
class ScenarioGroup:
    """Alarms with common properties."""

    title: str
    shapes: tuple[str, ...]
    """Ids or globs of the catalogue; alarms use them in turn."""
    alarms: int
    within_s: float
    """Period in which the alarms fire first, each at a random time."""
    start_s: float = 0.0
    """Start of this period."""
    metric: str | None = None
    event: str | None = None
    repeat_policy: RepeatPolicy | None = None
    """Repetition of unresolved alarms; ``None``: sent once."""
    period_s: int | None = None
    """Statistical period of the policies; ``None``: random."""
    period_num: int | None = None
    """Number of breaching periods before an alarm fires; ``None``: random."""
    lasts_s: tuple[float, float] | None = None
    """Minimum and maximum duration of an alarm, each random."""
    over_s: float | None = None
    """Time at which all alarms resolve. Without this and ``lasts_s``, they outlive the scenario."""
    lives: int = 1
    """Number of times each alarm fires."""
    between_s: tuple[float, float] = (0.0, 0.0)
    """Minimum and maximum pause before an alarm fires again; at least the policy's periods."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An alarm storm, read from one file of ``contracts/scenarios/`` or from a user's own file."""

    name: str
    title: str
    source: str
    assumed: Mapping[str, str]
    """Assumptions: keys of the groups without a source, and a sentence for each."""
    groups: tuple[ScenarioGroup, ...]
    region: str = ""
    """Short code of the region of all alarms; empty: each policy has its own."""
    ends_s: float | None = None
    """No notification is sent after this; ``None``: until the last alarm is resolved."""
    file: str = ""
    """File of a user's own scenario; empty for a shipped one."""

    @property
    def location(self) -> str:
        """Name of the scenario in error messages."""
        return self.file or self.name

    @property
    def alarm_count(self) -> int:
        """Total number of alarms."""
        return sum(group.alarms for group in self.groups)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
