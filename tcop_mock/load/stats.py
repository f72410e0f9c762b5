"""Statistics of a load: histograms that can record millions of times, by second and in total, and their sums.

A histogram has log-linear buckets, 128 per octave. The upper half of a 32-bit float (IEEE 754) holds the exponent and
the first seven bits of the mantissa, so times in one bucket differ by less than 1 %. A batch is sorted into buckets
without a Python step per time. All histograms have the same buckets, so those of all processes can be added. There are
at most some thousand buckets in a run of any length.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import (
    LATE_THRESHOLD_S,
    Bucket,
    Distribution,
    LoadSummary,
    SecondElapsed,
    SeriesPoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tcop_mock.domain.load import LoadPlan

_UPPER_HALF = 1 if sys.byteorder == "little" else 0
SHORT_BATCH, LONG_BATCH = 128, 1024

"""Attempts counted at once. A short batch takes some 50 µs; a long one saves a tenth of the time."""
_MAX_POINTS = 1200
"""In a longer series, points are merged in pairs."""
_LATE_SHARE = 0.01
"""Share of late attempts from which percentiles show the lateness, and the load was held back."""
_FULL_SHARE = 0.95
"""Share of ``max_inflight`` in flight at the end of a second from which callbacks wait for a free place."""


class Histogram:
    """A histogram of times, which can be pickled and merged."""

    __slots__ = ("buckets", "max_s", "sum_s")

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.max_s = 0.0
        self.sum_s = 0.0

    def record(self, times_s: Sequence[float]) -> None:
        """Record a batch of non-negative times in seconds."""
        if times_s:
            halves = memoryview(array("f", times_s)).cast("B").cast("H")
            self.buckets.update(halves[_UPPER_HALF::2].tolist())
            self.max_s = max(self.max_s, max(times_s))  # noqa: PLW3301 - it would build a tuple of all times
            self.sum_s += sum(times_s)

    def merge(self, other: Histogram) -> None:
        """Add the data of another one."""
        self.buckets.update(other.buckets)
        self.max_s = max(self.max_s, other.max_s)
        self.sum_s += other.sum_s

    def to_distribution(self) -> Distribution:
        """Return the recorded times as a distribution."""
        buckets = tuple(Bucket(_upper_bound_s(bucket), times) for bucket, times in sorted(self.buckets.items()))
        return Distribution(buckets, self.max_s, self.sum_s)


def _upper_bound_s(bucket: int) -> float:
    """Return the exclusive upper bound of a bucket; 0 for the bucket of 0."""
    [bound] = struct.unpack("<f", struct.pack("<I", (bucket + 1) << 16)) if bucket else [0.0]
    return float(bound)


class Counters:
    """Counts and times of attempts, which can be pickled and merged."""

    __slots__ = (
        "ack_times",
        "alarms",
        "dropped",
        "duplicates",
        "lateness",
        "lost",
        "notifications",
        "outcomes",
        "service_times",
    )

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[Outcome, int | None]] = Counter()
        """Number of attempts by outcome and status."""
        self.ack_times, self.service_times, self.lateness = Histogram(), Histogram(), Histogram()
        """Intended start to ack; actual start to ack; intended start to actual start.

        A closed load leaves the last two empty, because its intended and actual starts are the same.
        """
        self.dropped = self.notifications = self.lost = self.duplicates = self.alarms = 0

    def merge(self, other: Counters) -> None:
        """Add the data of another one."""
        self.outcomes.update(other.outcomes)
        self.ack_times.merge(other.ack_times)
        self.service_times.merge(other.service_times)
        self.lateness.merge(other.lateness)
        self.dropped += other.dropped
        self.notifications += other.notifications
        self.lost += other.lost
        self.duplicates += other.duplicates
        self.alarms += other.alarms


class SecondStats(NamedTuple):
    """One second of one process."""

    second: int
    """The number of the second, from 0."""
    span_s: float
    """Its length, which differs from 1 only for the last one."""
    started: int
    """Attempts that started."""
    counters: Counters
    warm_up_counters: Counters
    """The attempts that were due in the warm-up."""
    in_flight: int
    """Attempts in flight at its end."""
    replayed: int
    """Replayed attempts since the start."""
    connections: int
    """Connections opened since the start."""
    exhausted_reason: str = ""
    """Why this machine could not open another connection; empty if it always could."""


class StatsRecorder:
    """Records attempts and counts them in batches, in constant memory.

    Args:
        batch: the number of attempts counted at once.
    """

    __slots__ = ("_ack_times", "_batch", "_lateness", "_service_times", "_statuses", "counters", "record_start")

    def __init__(self, batch: int = SHORT_BATCH) -> None:
        self._batch = batch
        self.counters = Counters()
        self._ack_times: list[float] = []
        self._service_times: list[float] = []
        self._lateness: list[float] = []
        self._statuses: list[int | None] = []
        self.record_start: Callable[[float], None] = self._lateness.append
        """Record the delay of the start of an attempt; counted with the next batch."""

    def record_ack(self, status: int | None, ack_s: float, service_s: float | None) -> None:
        """Record an acknowledged attempt; ``service_s`` is ``None`` in a closed load."""
        statuses = self._statuses
        statuses.append(status)
        self._ack_times.append(ack_s)
        if service_s is not None:
            self._service_times.append(service_s)
        if len(statuses) >= self._batch:
            self._flush()

    def record_acks(self, statuses: Iterable[int | None], acks_s: Iterable[float]) -> None:
        """Record acknowledged attempts of a closed load."""
        self._statuses += statuses
        self._ack_times += acks_s
        if len(self._statuses) >= self._batch:
            self._flush()

    def record_failure(self, outcome: Outcome, status: int | None) -> None:
        """Record an attempt that was not acknowledged."""
        self.counters.outcomes[outcome, status] += 1
        if len(self._lateness) >= self._batch:
            self._flush()

    def take_counters(self) -> Counters:
        """Return the counts since the last call."""
        self._flush()
        counters, self.counters = self.counters, Counters()
        return counters

    def _flush(self) -> None:
        counters, ack_times, service_times, lateness = (
            self.counters,
            self._ack_times,
            self._service_times,
            self._lateness,
        )
        counters.lateness.record(lateness)
        counters.ack_times.record(ack_times)
        counters.service_times.record(service_times)
        for status, count in Counter(self._statuses).items():
            counters.outcomes[Outcome.ACKED, status] += count
        for values in (ack_times, service_times, lateness, self._statuses):
            values.clear()


class StatsAggregator:
    """The statistics of a load so far.

    Args:
        plan: the plan of the load.
        probes: number of callbacks that were sent before it.
    """

    def __init__(self, plan: LoadPlan, probes: int = 0) -> None:
        self._plan, self._probes = plan, probes
        self._total = Counters()
        self._warm_up_attempts = 0
        self._attempts = self._failed = 0
        self._pending: dict[int, list[SecondStats]] = {}
        self._finished_workers: set[int] = set()
        """Processes that have sent their last statistics."""
        self._series: list[SeriesPoint] = []
        self._span_s = 1.0
        self._last_seconds: dict[int, SecondStats] = {}
        self._elapsed_s = 0.0

    def add(self, second: SecondStats, worker: int = 0) -> list[SecondElapsed]:
        """Add a second of one process; return the seconds that all processes have completed."""
        self._total.merge(second.counters)
        self._warm_up_attempts += sum(second.warm_up_counters.outcomes.values())
        self._last_seconds[worker] = second
        self._elapsed_s = max(self._elapsed_s, second.second + second.span_s)
        self._pending.setdefault(second.second, []).append(second)
        return self._complete_seconds()

    def finish(self, worker: int = 0) -> list[SecondElapsed]:
        """Note that a process has finished; return the seconds that waited for it."""
        self._finished_workers.add(worker)
        return self._complete_seconds()

    def summary(self, *, recovery_s: float | None = None, interrupted: bool = False) -> LoadSummary:
        """Return the statistics of the load."""
        total, last = self._total, self._last_seconds.values()
        outcomes: Counter[Outcome] = Counter()
        statuses: Counter[int] = Counter()
        for (outcome, status), count in sorted(total.outcomes.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
            outcomes[outcome] += count
            if status is not None:
                statuses[status] += count
        attempts, lateness = sum(outcomes.values()), total.lateness.to_distribution()
        late = lateness.count_over(LATE_THRESHOLD_S)
        held_back_note = self._held_back_note(late, lateness.count)
        exhausted = {_exhausted_note(second.exhausted_reason) for second in last if second.exhausted_reason}
        return LoadSummary(
            plan=self._plan,
            elapsed_s=self._elapsed_s,
            attempts=attempts,
            outcomes=dict(outcomes),
            statuses=dict(statuses),
            ack_times=total.ack_times.to_distribution(),
            service_times=(
                total.ack_times if self._plan.model is LoadModel.CLOSED else total.service_times
            ).to_distribution(),
            lateness=lateness,
            late=late,
            dropped=total.dropped,
            replayed=sum(second.replayed for second in last),
            connections=sum(second.connections for second in last),
            series=tuple(self._series),
            alarms=total.alarms,
            notifications=total.notifications or attempts + total.dropped,
            lost=total.lost if total.notifications else attempts - outcomes[Outcome.ACKED] + total.dropped,
            duplicates=total.duplicates,
            recovery_s=recovery_s,
            interrupted=interrupted,
            warm_up_attempts=self._warm_up_attempts,
            notes=(*([held_back_note] if held_back_note else []), *sorted(exhausted)),
            is_held_back=bool(held_back_note),
            is_exhausted=bool(exhausted),
            probes=self._probes,
        )

    def _held_back_note(self, late: int, total: int) -> str:
        """Return a note if this tool began attempts late, else an empty string."""
        if self._plan.model is LoadModel.CLOSED:
            return ""
        limit = self._plan.max_inflight
        full_s = sum(point.span_s for point in self._series if point.late and point.in_flight >= _FULL_SHARE * limit)
        if full_s:
            total_s = sum(point.span_s for point in self._series)
            return (
                f"this tool held callbacks back: --max-inflight {limit} was reached at the end of {full_s:.0f} of "
                f"{total_s:.0f} s, so what was due then began late; the times below count this wait, too"
            )
        if late > _LATE_SHARE * total:
            is_storm = self._plan.model is LoadModel.SCRIPT
            advice = "Use a larger --time-scale" if is_storm else "Lower the rate, use --workers"
            return (
                f"this tool held callbacks back: its machine was too slow or too busy to begin {late} of {total} in "
                "time; the times below count this wait, too. "
                f"{advice}, or leave a core to this tool"
            )
        return ""

    def _complete_seconds(self) -> list[SecondElapsed]:
        """Return the seconds that are complete, in order."""
        events = []
        while self._pending and self._is_complete(number := min(self._pending)):
            events.append(self._combine(self._pending.pop(number)))
        return events

    def _is_complete(self, number: int) -> bool:
        workers = (worker for worker in range(self._plan.workers) if worker not in self._finished_workers)
        return all(worker in self._last_seconds and self._last_seconds[worker].second >= number for worker in workers)

    def _combine(self, seconds: list[SecondStats]) -> SecondElapsed:
        counters = Counters()
        for second in seconds:
            counters.merge(second.counters)
            counters.merge(second.warm_up_counters)
        acks = counters.ack_times.to_distribution()
        acked = sum(count for (outcome, _), count in counters.outcomes.items() if outcome is Outcome.ACKED)
        failed = sum(counters.outcomes.values()) - acked
        point = SeriesPoint(
            at_s=float(seconds[0].second),
            span_s=max(second.span_s for second in seconds),
            started=sum(second.started for second in seconds),
            acked=acked,
            failed=failed,
            dropped=counters.dropped,
            late=counters.lateness.to_distribution().count_over(LATE_THRESHOLD_S),
            in_flight=sum(second.in_flight for second in seconds),
            p50_s=acks.percentile(50),
            p99_s=acks.percentile(99),
            max_s=acks.max_s,
        )
        self._append(point)
        self._attempts += acked + failed
        self._failed += failed
        return SecondElapsed(point, self._attempts, self._failed)

    def _append(self, point: SeriesPoint) -> None:
        """Add a point to the series and keep the series within its bound."""
        series = self._series
        if series and series[-1].span_s + point.span_s <= self._span_s:
            series[-1] = merge_points(series[-1], point)
        else:
            series.append(point)
        if len(series) > _MAX_POINTS:
            self._span_s *= 2
            pairs = zip(series[::2], series[1::2], strict=False)
            rest = series[len(series) // 2 * 2 :]
            self._series = [merge_points(first, second) for first, second in pairs] + rest


def merge_points(first: SeriesPoint, second: SeriesPoint) -> SeriesPoint:
    """Merge two consecutive points; of times, keep the worse one, an upper bound."""
    return replace(
        first,
        span_s=first.span_s + second.span_s,
        started=first.started + second.started,
        acked=first.acked + second.acked,
        failed=first.failed + second.failed,
        dropped=first.dropped + second.dropped,
        late=first.late + second.late,
        in_flight=second.in_flight,
        p50_s=max(first.p50_s, second.p50_s),
        p99_s=max(first.p99_s, second.p99_s),
        max_s=max(first.max_s, second.max_s),
    )


def _exhausted_note(reason: str) -> str:
    return (
        f"this machine had nothing left for another connection ({reason}), so attempts were cancelled that say nothing "
        "of the receiver: lower --max-inflight, or raise the limit with ulimit -n"
    )
