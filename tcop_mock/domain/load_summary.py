"""Statistics and events of a load, for its progress display and its reports.

Times are seconds since the start of the load, unless a name says otherwise. The time to an ack counts from the
*intended* start, so that a receiver that stalls slows down every request due meanwhile (no coordinated omission).
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
"""A request that starts later than this after its intended start counts as late."""
ACK_LIMIT_S = 5.0
"""Documented timeout. TCOP would retry a request that takes longer from its intended start to its ack."""


class Bucket(NamedTuple):
    """Number of times up to this bound and above the previous one."""

    up_to_s: float
    sample_count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Histogram of times with buckets at most 1 % wide."""

    buckets: tuple[Bucket, ...] = ()
    """Non-empty buckets in ascending order."""
    max_s: float = 0.0
    """Longest time, with microsecond precision."""
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """Number of times."""
        return sum(bucket.sample_count for bucket in self.buckets)

    @property
    def mean_s(self) -> float:
        """Mean of the times; 0 if empty."""
        return self.sum_s / self.count if self.buckets else 0.0

    def percentile(self, percent: float) -> float:
        """Return the time that this percentage of all times does not exceed; 0 if empty."""
        remaining = self.count * percent / 100
        for bucket in self.buckets:
            remaining -= bucket.sample_count
            if remaining <= 1e-9:  # noqa: PLR2004 - rounding error of floats
                return min(bucket.up_to_s, self.max_s)
        return self.max_s

    def count_over(self, limit_s: float) -> int:
        """Return the number of times above a limit."""
        return sum(bucket.sample_count for bucket in self.buckets if bucket.up_to_s > limit_s)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One second of a load; in a long load, several consecutive seconds."""

    at_s: float
    """Start of the interval."""
    span_s: float
    """Length of the interval."""
    started: int
    """Attempts started in the interval."""
    acked: int
    """Attempts acknowledged in the interval."""
    failed: int
    """Attempts that ended in the interval without an ack."""
    dropped: int
    """Requests dropped in the interval without an attempt."""
    late: int
    """Attempts started in the interval more than ``LATE_THRESHOLD_S`` after their intended start."""
    in_flight: int
    """Attempts in flight at the end of the interval."""
    p50_s: float
    """Time to ack of attempts that ended in the interval; over several seconds, the worst second's."""
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """Totals of a load."""

    plan: LoadPlan
    elapsed_s: float
    """From the start to the end of the last attempt."""
    attempts: int
    """Attempts that ended."""
    outcomes: Mapping[Outcome, int]
    statuses: Mapping[int, int]
    ack_times: Distribution
    """From the intended start to the ack; in a script this covers all attempts of a notification."""
    service_times: Distribution
    """From the actual start of an acked attempt to its end: what a closed load would have measured."""
    lateness: Distribution
    """From the intended to the actual start of attempts; empty for a closed load, which has no schedule."""
    late: int
    """Attempts that started more than ``LATE_THRESHOLD_S`` late."""
    dropped: int
    """Requests that never started: they would have started later than an attempt's deadline allows, or after the end of
    the load."""
    replayed: int
    """Attempts whose kept-alive connection was closed and that were sent again on a new one."""
    connections: int
    """Connections opened."""
    series: tuple[SeriesPoint, ...] = ()
    alarms: int = 0
    """Distinct alarms; script only."""
    notifications: int = 0
    """Notifications with a final result: acked, lost or dropped."""
    lost: int = 0
    """Notifications that were dropped or whose attempts all failed."""
    duplicates: int = 0
    """Duplicates that the receiver may have because acks got lost."""
    recovery_s: float | None = None
    """From the last scheduled notification to the end of the last attempt; script only."""
    interrupted: bool = False
    warm_up_attempts: int = 0
    """Attempts of the warm-up, which only the series includes."""
    notes: tuple[str, ...] = ()
    """Limits of the measurement: this machine was too slow, or descriptors ran out."""

    @property
    def acked(self) -> int:
        """Number of acknowledged attempts."""
        return self.outcomes.get(Outcome.ACKED, 0)

    @property
    def failed(self) -> int:
        """Number of other attempts that ended."""
        return self.attempts - self.acked

    @property
    def rate(self) -> float:
        """Ended attempts per second."""
        return self.attempts / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def amplification(self) -> float:
        """Attempts per notification: 1 without retries."""
        return self.attempts / self.notifications if self.notifications else 0.0

    @property
    def over_limit_count(self) -> int:
        """Attempts (script: notifications) timed out or acked over ``ACK_LIMIT_S`` after their intended start."""
        if self.plan.model is LoadModel.SCRIPT:
            return self.ack_times.count_over(ACK_LIMIT_S) + self.lost
        return self.ack_times.count_over(ACK_LIMIT_S) + self.outcomes.get(Outcome.TIMED_OUT, 0)

    @property
    def over_limit_total(self) -> int:
        """Base of ``over_limit_count``: attempts, or in a script notifications."""
        return self.notifications if self.plan.model is LoadModel.SCRIPT else self.attempts


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """The target is reachable; the first request is about to start."""

    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class SecondElapsed:
    """A second has passed."""

    point: SeriesPoint
    attempts: int
    """Attempts that ended so far."""
    failed: int
    """Of these, attempts that were not acked."""


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """Last event of a load, even if it was interrupted."""

    summary: LoadSummary


LoadEvent: TypeAlias = LoadStarted | SecondElapsed | LoadFinished
