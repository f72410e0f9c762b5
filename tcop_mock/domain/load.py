"""What a load is to do: what is due when, and what became of each push.

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
    """Who decides when the next push begins."""

    OPEN = "open"
    """A schedule, whatever the receiver does."""
    CLOSED = "closed"
    """The answer before it: so many are under way at any time."""
    SCRIPT = "script"
    """Notifications that are due one by one, and the profile's retries of those that fail."""


class Stage(NamedTuple):
    """A stretch of an open load, over which the rate changes evenly."""

    duration_s: float
    """May be infinite for the last one."""
    from_rate: float
    """Pushes a second at its beginning."""
    to_rate: float
    """And at its end."""


class ScheduledCallback(NamedTuple):
    """One notification that is to be pushed."""

    at_s: float
    """Its intended start."""
    body: bytes
    alarm_key: str = ""
    """Which alarm's it is: the same text in each notification of one alarm's life."""
    object_id: str = ""
    """What the alarm is about: ``objId``, or where the shape has none, what names the object."""
    state: str = ""
    """``firing``, ``repeated`` or ``resolved``."""
    session_id: str = ""
    shape: str = ""


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
    """It was sent twice: the kept-alive connection was gone when it went out, and no byte of an answer had come."""

    @property
    def is_possibly_received(self) -> bool:
        """Whether the receiver has it, or may have it."""
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

"""Outcomes after which a receiver may have the callback, though all but one of them ask for it again."""


class DeliveryRecord(NamedTuple):
    """What became of one notification: a line of the ledger."""

    callback: ScheduledCallback
    attempts: tuple[AttemptRecord, ...]
    """In the order in which they ended; empty for one that was dropped."""

    @property
    def is_acked(self) -> bool:
        """Whether the last attempt was."""
        return bool(self.attempts) and self.attempts[-1].outcome is Outcome.ACKED

    @property
    def duplicate_count(self) -> int:
        """How many times too often the receiver may have it: acks that got lost, and replays."""
        return max(0, sum(1 + attempt.is_replayed for attempt in self.attempts if attempt.is_possibly_received) - 1)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load is to do. Everything in it may be printed but the target's credentials, which do not show."""

    target: Target
    rules: DeliveryRules
    profile: str
    seed: int
    model: LoadModel = LoadModel.OPEN
    stages: tuple[Stage, ...] = ()
    """Of an open load."""
    is_poisson: bool = False
    """Whether the arrivals of an open load are drawn (exponential gaps) rather than evenly spaced."""
    concurrency: int = 1
    """Of a closed load."""
    duration_s: float | None = None
    """After which nothing new begins; a script ends by itself."""
    count: int | None = None
    """The most pushes that begin."""
    max_inflight: int = 1000
    """The most attempts under way at once; what is due beyond waits, and is late."""
    warm_up_s: float = 0.0
    """What is due before counts for nothing but the series."""
    time_scale: float = 1.0
    """Of a script: seconds that a second of the profile's pauses takes. Deadlines are not scaled."""
    max_idle_s: float | None = None
    """Of a script: while nothing is under way, a longer stretch in which nothing is due is cut down to this."""
    workers: int = 1
    insecure: bool = False
    mix: tuple[tuple[str, float], ...] = ()
    """Shapes and weights that the bodies are of; a script brings its own."""
    title: str = ""
    """What is played, in a few words: ``2000/s, Poisson`` or the name of a scenario."""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """One bound of ``--slo``."""

    text: str
    """As it was written: ``p99<500ms``."""
    name: str
    """What is measured."""
    relation: str
    """``<``, ``<=``, ``=``, ``>=`` or ``>``."""
    bound: float
    """Seconds of a time, 0 to 1 of a share, else the number."""
    is_share: bool = False
    """Whether a share of all is meant, where a count could be."""


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """One objective and what came of it."""

    objective: Objective
    is_met: bool
    measurement: str
    """What was measured, in words: ``612 ms``, ``7 of 2000 (0.35%)``, or why nothing was."""

    @property
    def summary(self) -> str:
        """What is told of it."""
        return f"{self.objective.text}: {'kept' if self.is_met else 'broken'}, {self.measurement}"


@dataclass(frozen=True, slots=True)
class ScenarioGroup:
    """Alarms that have something in common."""

    title: str
    shapes: tuple[str, ...]
    """Ids or globs of the catalogue; the alarms are dealt to them in turn."""
    alarms: int
    within_s: float
    """The first firings fall into so long a time, each by chance."""
    start_s: float = 0.0
    """When that begins."""
    metric: str | None = None
    event: str | None = None
    repeat_policy: RepeatPolicy | None = None
    """How unresolved alarms are told again; ``None``: once."""
    period_s: int | None = None
    """Statistical period of the policies; ``None``: drawn."""
    period_num: int | None = None
    """How many breaching periods it takes to fire; ``None``: drawn."""
    lasts_s: tuple[float, float] | None = None
    """How long an alarm lasts, at least and at the most, each by chance."""
    over_s: float | None = None
    """When what is behind all of them is over. Without this and ``lasts_s``, they outlive the scenario."""
    lives: int = 1
    """How often each of them fires."""
    between_s: tuple[float, float] = (0.0, 0.0)
    """How long it is resolved before it fires again; the policy's periods at the least."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A storm. Read from one file of ``contracts/scenarios/``, or from a user's own."""

    name: str
    title: str
    source: str
    assumed: Mapping[str, str]
    """What no source says: names of the groups' keys and a sentence each."""
    groups: tuple[ScenarioGroup, ...]
    region: str = ""
    """Short code of the region that all alarms are of; empty: each policy's own."""
    ends_s: float | None = None
    """After which nothing is told; ``None``: when the last alarm is over."""
    file: str = ""
    """Where a user's own was read from; empty for a shipped one."""

    @property
    def location(self) -> str:
        """How an error names it."""
        return self.file or self.name

    @property
    def alarm_count(self) -> int:
        """How many alarms it has."""
        return sum(group.alarms for group in self.groups)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
