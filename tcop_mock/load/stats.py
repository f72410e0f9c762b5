"""Times counted by the millions: log-linear buckets, 128 to an octave, filled by a few operations on whole batches.

The upper half of a float of 32 bits (IEEE 754) is its exponent and the first seven bits of its mantissa: times that
share it differ by less than 1 %. So a batch is cut into buckets without a step of Python per time. Buckets of two
counts are the same, so that they can be added; there are some thousands at the most, however long a run is.
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
    """How often times came. Can be pickled, and added to another one's."""

    __slots__ = ("buckets", "max_s", "sum_s")

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.max_s = 0.0
        self.sum_s = 0.0

    def record(self, times_s: Sequence[float]) -> None:
        """Count a batch of times, in seconds, none below 0."""
        if times_s:
            halves = memoryview(array("f", times_s)).cast("B").cast("H")
            self.buckets.update(halves[_UPPER_HALF::2].tolist())
            self.max_s = max(self.max_s, max(times_s))  # noqa: PLW3301 - one tuple of all of them would be made
            self.sum_s += sum(times_s)

    def merge(self, other: Histogram) -> None:
        """Count what another one has counted, too."""
        self.buckets.update(other.buckets)
        self.max_s = max(self.max_s, other.max_s)
        self.sum_s += other.sum_s

    def to_distribution(self) -> Distribution:
        """Return what has been counted."""
        buckets = tuple(Bucket(_upper_bound_s(bucket), times) for bucket, times in sorted(self.buckets.items()))
        return Distribution(buckets, self.max_s, self.sum_s)


def _upper_bound_s(bucket: int) -> float:
    """Return the least time that is beyond a bucket; of the bucket of 0, 0."""
    [bound] = struct.unpack("<f", struct.pack("<I", (bucket + 1) << 16)) if bucket else [0.0]
    return float(bound)


SHORT_BATCH, LONG_BATCH = 128, 1024

"""Attempts that are counted at once. Some 50 µs are no pause; longer ones save a tenth of the time."""


class Counters:
    """What was counted of some attempts. Can be pickled, and added to another one's."""

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
        """By outcome and status."""
        self.ack_times, self.service_times, self.lateness = Histogram(), Histogram(), Histogram()
        """From the intended start to an ack; from the actual start to an ack; from the one to the other.

        The last two are left out of a closed load, where the one is the other.
        """
        self.dropped = self.notifications = self.lost = self.duplicates = self.alarms = 0

    def merge(self, other: Counters) -> None:
        """Count what another one has counted, too."""
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
    """Which second, from 0."""
    span_s: float
    """How long it was: the last one is shorter, or takes in what came behind it."""
    started: int
    """Attempts that began."""
    counters: Counters
    warm_up_counters: Counters
    """What was due in the warm-up."""
    in_flight: int
    """At its end."""
    replayed: int
    """Since the start."""
    connections: int
    """Since the start."""
    exhausted_reason: str = ""
    """Why this machine could open no further connection, when that was so."""


class StatsRecorder:
    """Collects times as they come, and counts them in batches: constant in memory, cheap for each.

    Args:
        batch: attempts that are counted at once.
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
        """Record the start of an attempt, so much later than intended; counted with the attempts that end."""

    def record_ack(self, status: int | None, ack_s: float, service_s: float | None) -> None:
        """Record an attempt that was acked, and its times; ``None`` where they are the same by intention."""
        statuses = self._statuses
        statuses.append(status)
        self._ack_times.append(ack_s)
        if service_s is not None:
            self._service_times.append(service_s)
        if len(statuses) >= self._batch:
            self._flush()

    def record_acks(self, statuses: Iterable[int | None], acks_s: Iterable[float]) -> None:
        """Record attempts of a closed load that were acked."""
        self._statuses += statuses
        self._ack_times += acks_s
        if len(self._statuses) >= self._batch:
            self._flush()

    def record_failure(self, outcome: Outcome, status: int | None) -> None:
        """Record an attempt that ended otherwise."""
        self.counters.outcomes[outcome, status] += 1
        if len(self._lateness) >= self._batch:
            self._flush()

    def take_counters(self) -> Counters:
        """Return what was counted since the last time."""
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
