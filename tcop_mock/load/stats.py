"""Per-second statistics and histograms that can record millions of times.

A histogram has log-linear buckets, 128 per octave. The upper half of a 32-bit float (IEEE 754) holds the exponent and
the first seven bits of the mantissa, so times in one bucket differ by less than 1 %. A batch is sorted into buckets
without a Python step per time. All histograms have the same buckets, so they can be added. There are at most some
thousand buckets in a run of any length.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load_summary import Bucket, Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_UPPER_HALF = 1 if sys.byteorder == "little" else 0


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


SHORT_BATCH, LONG_BATCH = 128, 1024

"""Attempts counted at once. A short batch takes some 50 µs; a long one saves a tenth of the time."""


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
