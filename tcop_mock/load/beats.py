"""What became of the attempts of one second, counted; and the counting."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tcop_mock.load.counts import Counts
from tcop_mock.model.delivery import Outcome

BATCH = 512
"""Times that are counted at once: some 30 µs."""


class Part:
    """What was counted of some attempts. Can be pickled, and added to another one's."""

    __slots__ = (
        "acks",
        "alarms",
        "dropped",
        "duplicates",
        "ended",
        "lateness",
        "lost",
        "notifications",
        "services",
        "started",
    )

    def __init__(self) -> None:
        self.started = 0
        self.ended: Counter[tuple[Outcome, int | None]] = Counter()
        """By outcome and status."""
        self.acks, self.services, self.lateness = Counts(), Counts(), Counts()
        """From the intended start to an ack; from the actual start to an ack; from the one to the other."""
        self.dropped = self.notifications = self.lost = self.duplicates = self.alarms = 0

    def add(self, other: Part) -> None:
        """Count what another one has counted, too."""
        self.started += other.started
        self.ended.update(other.ended)
        self.acks.add(other.acks)
        self.services.add(other.services)
        self.lateness.add(other.lateness)
        self.dropped += other.dropped
        self.notifications += other.notifications
        self.lost += other.lost
        self.duplicates += other.duplicates
        self.alarms += other.alarms


class Beat(NamedTuple):
    """One second of one process."""

    number: int
    """Which second, from 0."""
    span_s: float
    """How long it was: the last one is shorter, or takes in what came behind it."""
    counted: Part
    warming: Part
    """What was due in the warm-up."""
    in_flight: int
    """At its end."""
    replayed: int
    """Since the start."""
    connections: int
    """Since the start."""
    exhausted: str = ""
    """Why this machine could open no further connection, when that was so."""


class Recorder:
    """Collects times as they come, and counts them in batches: constant in memory, cheap for each."""

    __slots__ = ("_acks", "_lateness", "_services", "_statuses", "part")

    def __init__(self) -> None:
        self.part = Part()
        self._acks: list[float] = []
        self._services: list[float] = []
        self._lateness: list[float] = []
        self._statuses: list[int | None] = []

    def began(self, late_s: float) -> None:
        """Record the start of an attempt."""
        lateness = self._lateness
        lateness.append(late_s)
        if len(lateness) >= BATCH:
            self._count_starts()

    def acked(self, status: int | None, ack_s: float, service_s: float) -> None:
        """Record an attempt that was acked, and its times."""
        acks = self._acks
        acks.append(ack_s)
        self._services.append(service_s)
        self._statuses.append(status)
        if len(acks) >= BATCH:
            self._count_acks()

    def failed(self, outcome: Outcome, status: int | None) -> None:
        """Record an attempt that ended otherwise."""
        self.part.ended[outcome, status] += 1

    def _count_starts(self) -> None:
        self.part.started += len(self._lateness)
        self.part.lateness.take(self._lateness)
        self._lateness.clear()

    def _count_acks(self) -> None:
        part = self.part
        part.acks.take(self._acks)
        part.services.take(self._services)
        for status, times in Counter(self._statuses).items():
            part.ended[Outcome.ACKED, status] += times
        for collected in (self._acks, self._services, self._statuses):
            collected.clear()

    def taken(self) -> Part:
        """Return what was counted since the last time."""
        self._count_acks()
        self._count_starts()
        part, self.part = self.part, Part()
        return part
