"""The statistics and events of a load.

Times are seconds since the start of the load, unless a name says otherwise. The time to an ack counts from the
*intended* start, so that a stall of the receiver also shows in the times of the attempts that were due meanwhile (no
coordinated omission).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tcop_mock.domain.load import LoadPlan, ObjectiveResult

LATE_THRESHOLD_S = 0.01
"""An attempt that starts later than this after its intended start is late."""
ACK_LIMIT_S = 5.0
"""The documented timeout: TCOP would retry a callback that takes longer from its intended start to its ack."""


class Bucket(NamedTuple):
    """The number of times up to a bound and above the previous bound."""

    up_to_s: float
    sample_count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram of times with buckets that are at most 1 % wide."""

    buckets: tuple[Bucket, ...] = ()
    """The non-empty buckets in ascending order."""
    max_s: float = 0.0
    """The longest time, to the microsecond."""
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """The number of recorded times."""
        return sum(bucket.sample_count for bucket in self.buckets)

    @property
    def mean_s(self) -> float:
        """The mean; 0 without data."""
        return self.sum_s / self.count if self.buckets else 0.0

    def percentile(self, percent: float) -> float:
        """Return a percentile of the times; 0 without data."""
        remaining = self.count * percent / 100
        for bucket in self.buckets:
            remaining -= bucket.sample_count
            if remaining <= 1e-9:  # noqa: PLR2004 - a rounding error
                return min(bucket.up_to_s, self.max_s)
        return self.max_s

    def count_over(self, limit_s: float) -> int:
        """Return the number of times above a bound."""
        return sum(bucket.sample_count for bucket in self.buckets if bucket.up_to_s > limit_s)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One second of a load, or several consecutive seconds of a long load."""

    at_s: float
    """Its start."""
    span_s: float
    """Its length."""
    started: int
    """Attempts that started in it."""
    acked: int
    """Attempts that ended in it and were acknowledged."""
    failed: int
    """Attempts that ended in it and failed."""
    dropped: int
    """Callbacks that were dropped in it without an attempt."""
    late: int
    """Started attempts that were late by more than ``LATE_THRESHOLD_S``."""
    in_flight: int
    """Attempts in flight at its end."""
    p50_s: float
    """Median time to an ack of the attempts that ended in it; for several seconds, the worst of them."""
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """The result of a load."""

    plan: LoadPlan
    elapsed_s: float
    """Time from the start of the load to the end of the last attempt."""
    attempts: int
    """Attempts that ended."""
    outcomes: Mapping[Outcome, int]
    statuses: Mapping[int, int]
    ack_times: Distribution
    """Intended start to ack; in a scenario this includes all attempts of a notification."""
    service_times: Distribution
    """Actual start to end of acknowledged attempts, the times that a closed load would measure."""
    lateness: Distribution
    """Intended start to actual start; empty in a closed load, which has no schedule."""
    late: int
    """Attempts that started more than ``LATE_THRESHOLD_S`` late."""
    dropped: int
    """Callbacks that were never sent: they waited longer than the deadline, or the load ended first."""
    replayed: int
    """Attempts that were sent again because their kept-alive connection was closed."""
    connections: int
    """Connections that were opened."""
    series: tuple[SeriesPoint, ...] = ()
    alarms: int = 0
    """Number of different alarms of a scenario."""
    notifications: int = 0
    """Notifications that are acknowledged, lost or dropped."""
    lost: int = 0
    """Notifications whose attempts all failed, or that were dropped."""
    duplicates: int = 0
    """Requests that the receiver may have received again because an acknowledgement was lost."""
    recovery_s: float | None = None
    """Time from the last due notification to the end of the last attempt of a scenario."""
    interrupted: bool = False
    warm_up_attempts: int = 0
    """Attempts of the warm-up, which count only in the series."""
    notes: tuple[str, ...] = ()
    """Limits of the measurement, for example that this machine had no descriptor left."""
    is_held_back: bool = False
    """Whether attempts started late because of this tool or its machine, so that the times include its waits."""
    is_exhausted: bool = False
    """Whether attempts were cancelled because this machine could not open another connection."""
    probes: int = 0
    """Callbacks that were sent before the load, and that count nowhere else."""

    @property
    def acked(self) -> int:
        """Attempts that were acknowledged."""
        return self.outcomes.get(Outcome.ACKED, 0)

    @property
    def failed(self) -> int:
        """Attempts that failed."""
        return self.attempts - self.acked

    @property
    def rate(self) -> float:
        """Ended attempts per second."""
        return self.attempts / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def amplification(self) -> float:
        """Attempts per notification; 1 without retries."""
        return self.attempts / self.notifications if self.notifications else 0.0

    @property
    def over_limit_count(self) -> int:
        """Attempts (in a scenario: notifications) that timed out or were acknowledged after ``ACK_LIMIT_S``."""
        if self.plan.model is LoadModel.SCRIPT:
            return self.ack_times.count_over(ACK_LIMIT_S) + self.lost
        return self.ack_times.count_over(ACK_LIMIT_S) + self.outcomes.get(Outcome.TIMED_OUT, 0)

    @property
    def over_limit_total(self) -> int:
        """The total for that count: attempts, in a scenario notifications."""
        return self.notifications if self.plan.model is LoadModel.SCRIPT else self.attempts


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """The target responds; the first attempt is about to start."""

    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class SecondElapsed:
    """A second has passed."""

    point: SeriesPoint
    attempts: int
    """Attempts that have ended so far."""
    failed: int
    """Attempts that have failed so far."""


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """The last event of a load, even if it was interrupted."""

    summary: LoadSummary


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A finished load, with everything that its reports show."""

    summary: LoadSummary
    objectives: tuple[ObjectiveResult, ...]
    alarms_by_attempts: Mapping[int, int]
    """Number of alarms by the number of their attempts, of a scenario."""
    started_at: datetime


LoadEvent: TypeAlias = LoadStarted | SecondElapsed | LoadFinished
