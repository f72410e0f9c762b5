"""What a load is to do: what is due when, and what became of each push.

Times are seconds since the start of the load, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.model.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.profile import DeliveryRules
    from tcop_mock.model.target import Target


class Model(StrEnum):
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


class Due(NamedTuple):
    """One notification that is to be pushed."""

    at_s: float
    """Its intended start."""
    body: bytes
    alarm: str = ""
    """Which alarm's it is: the same text in each notification of one alarm's life."""
    object_id: str = ""
    """What the alarm is about: ``objId``, or where the shape has none, what names the object."""
    state: str = ""
    """``firing``, ``repeated`` or ``resolved``."""
    session_id: str = ""
    shape: str = ""


Script: TypeAlias = "Iterator[Due]"
"""Notifications, the earliest first."""


class Pushed(NamedTuple):
    """One attempt of a notification."""

    intended_s: float
    started_s: float
    ended_s: float
    outcome: Outcome
    status: int | None = None
    replayed: bool = False
    """It was sent twice: the kept-alive connection was gone when it went out, and no byte of an answer had come."""

    @property
    def arrived(self) -> bool:
        """Whether the receiver has it, or may have it."""
        return self.outcome in _ARRIVED


_ARRIVED = frozenset(
    {
        Outcome.ACKED,
        Outcome.TIMED_OUT,
        Outcome.RESET_BEFORE_ANSWER,
        Outcome.RESET_IN_ANSWER,
        Outcome.BAD_ANSWER,
    }
)
"""Outcomes after which a receiver may have the callback, though all but one of them ask for it again."""


class Notified(NamedTuple):
    """What became of one notification: a line of the ledger."""

    due: Due
    pushes: tuple[Pushed, ...]
    """In the order in which they ended; empty for one that was dropped."""

    @property
    def acked(self) -> bool:
        """Whether the last attempt was."""
        return bool(self.pushes) and self.pushes[-1].outcome is Outcome.ACKED

    @property
    def duplicates(self) -> int:
        """How many times too often the receiver may have it: acks that got lost, and replays."""
        return max(0, sum(1 + one.replayed for one in self.pushes if one.arrived) - 1)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load is to do. Everything in it may be printed but the target's credentials, which do not show."""

    target: Target
    rules: DeliveryRules
    profile: str
    seed: int
    model: Model = Model.OPEN
    stages: tuple[Stage, ...] = ()
    """Of an open load."""
    poisson: bool = False
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
    pause_scale: float = 1.0
    """Of a script: seconds that a second of the profile's pauses takes. Deadlines are not scaled."""
    workers: int = 1
    insecure: bool = False
    mix: tuple[tuple[str, float], ...] = ()
    """Shapes and weights that the bodies are of; a script brings its own."""
    title: str = ""
    """What is played, in a few words: ``2000/s, Poisson`` or the name of a scenario."""
    assumptions: tuple[str, ...] = ()
