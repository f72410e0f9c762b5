"""What is told of a load while it runs and at its end.

Times are seconds since the start of the load, unless a name says otherwise. A time to an ack counts from the
*intended* start of what was to be told, so that a receiver which stalls is seen to stall everybody who came meanwhile
(no coordinated omission).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.load import LoadPlan

LATE_THRESHOLD_S = 0.01
"""A push that begins later than this after its intended start counts as late."""
ACK_LIMIT_S = 5.0
"""The page's timeout: what takes longer from its intended start to its ack would have been pushed again."""


class Bucket(NamedTuple):
    """So many times up to a bound, and beyond the bound before it."""

    up_to_s: float
    sample_count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times, counted in buckets that are at most 1 % wide."""

    buckets: tuple[Bucket, ...] = ()
    """Those that hold any, in rising order."""
    max_s: float = 0.0
    """The longest, to the microsecond."""
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many times were counted."""
        return sum(bucket.sample_count for bucket in self.buckets)

    @property
    def mean_s(self) -> float:
        """Their mean; 0 of none."""
        return self.sum_s / self.count if self.buckets else 0.0

    def percentile(self, percent: float) -> float:
        """Return the time that so many per cent of all do not exceed; 0 of none."""
        remaining = self.count * percent / 100
        for bucket in self.buckets:
            remaining -= bucket.sample_count
            if remaining <= 1e-9:  # noqa: PLR2004 - what floats leave of 0
                return min(bucket.up_to_s, self.max_s)
        return self.max_s

    def count_over(self, limit_s: float) -> int:
        """Return how many are longer than a bound."""
        return sum(bucket.sample_count for bucket in self.buckets if bucket.up_to_s > limit_s)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A second of a load; of a long one, several seconds that follow each other."""

    at_s: float
    """Where it begins."""
    span_s: float
    """How long it is."""
    started: int
    """Attempts that began in it."""
    acked: int
    """Attempts that ended in it, acked."""
    failed: int
    """Attempts that ended in it otherwise."""
    dropped: int
    """Pushes that were given up in it without an attempt."""
    late: int
    """Attempts of those that began in it more than ``LATE_S`` after their intended start."""
    in_flight: int
    """Attempts under way at its end."""
    p50_s: float
    """Time to an ack, of those that ended in it; of several seconds, the worst second's."""
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a load came to."""

    plan: LoadPlan
    elapsed_s: float
    """From the start to the end of the last attempt."""
    attempts: int
    """That ended."""
    outcomes: Mapping[Outcome, int]
    statuses: Mapping[int, int]
    ack_times: Distribution
    """From the intended start of what was to be told to its ack; in a script that covers all attempts of it."""
    service_times: Distribution
    """From the actual start of an acked attempt to its end: what a closed loop would have shown."""
    lateness: Distribution
    """From the intended to the actual start of attempts; empty of a closed load, which has no schedule."""
    late: int
    """Attempts that began more than ``LATE_S`` late."""
    dropped: int
    """Pushes that never began: they would have been later than the deadline of an attempt is long, or nothing new was
    begun any more."""
    replayed: int
    """Attempts that found their kept-alive connection gone and were sent again on another."""
    connections: int
    """That were opened."""
    series: tuple[SeriesPoint, ...] = ()
    alarms: int = 0
    """Different ones that were told of; of a script."""
    notifications: int = 0
    """That came to an end: acked, lost or dropped."""
    lost: int = 0
    """Notifications whose attempts all failed, or that were dropped."""
    duplicates: int = 0
    """Pushes that the receiver may have had too often, because their acks got lost."""
    recovery_s: float | None = None
    """From the last notification that was due to the end of the last attempt; of a script."""
    interrupted: bool = False
    warm_up_attempts: int = 0
    """Attempts of the warm-up, which count in nothing but the series."""
    notes: tuple[str, ...] = ()
    """What limits what was measured: this machine could not keep up, descriptors ran out."""

    @property
    def acked(self) -> int:
        """Attempts that were."""
        return self.outcomes.get(Outcome.ACKED, 0)

    @property
    def failed(self) -> int:
        """Attempts that ended otherwise."""
        return self.attempts - self.acked

    @property
    def rate(self) -> float:
        """Attempts that ended, a second."""
        return self.attempts / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def amplification(self) -> float:
        """Attempts for each notification: 1 where none had to be repeated."""
        return self.attempts / self.notifications if self.notifications else 0.0

    @property
    def over_limit_count(self) -> int:
        """Attempts acked over ``LIMIT_S`` after they were due, or timed out; of a script, notifications."""
        if self.plan.model is LoadModel.SCRIPT:
            return self.ack_times.count_over(ACK_LIMIT_S) + self.lost
        return self.ack_times.count_over(ACK_LIMIT_S) + self.outcomes.get(Outcome.TIMED_OUT, 0)

    @property
    def over_limit_total(self) -> int:
        """Of how many: attempts, or of a script notifications."""
        return self.notifications if self.plan.model is LoadModel.SCRIPT else self.attempts


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """The target answers; the first push is about to begin."""

    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class SecondElapsed:
    """A second has passed."""

    point: SeriesPoint
    attempts: int
    """That have ended so far."""
    failed: int
    """Of these, those that were not acked."""


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """The last event of a load, also of one that was cut short."""

    summary: LoadSummary


LoadEvent: TypeAlias = LoadStarted | SecondElapsed | LoadFinished
