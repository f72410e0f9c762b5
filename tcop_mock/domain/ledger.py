"""Ledger entries, the records of a receiver, and the differences between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tcop_mock.domain.callback_view import NotificationKey


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of a ledger: one notification and its result."""

    key: NotificationKey
    outcome: str
    """The outcome of the last attempt; ``acked`` if the notification was accepted."""
    attempts: int
    started_s: float
    """When the first attempt started, on the clock of the run; negative for the probe before it."""
    ended_s: float
    """When the last attempt ended."""

    @property
    def is_acked(self) -> bool:
        """Whether the receiver acknowledged it."""
        return self.outcome == "acked"


class ReceivedItem(NamedTuple):
    """One record of a receiver."""

    session_id: str
    """Empty if the record only names an object."""
    object_id: str
    """Empty if unknown."""
    state: str
    """Empty matches every state, for a record that only names an object."""
    is_request: bool
    """Whether it is a received request, which retries repeat; otherwise an effect, which should be unique."""


class Difference(NamedTuple):
    """One notification that the ledger and the records disagree about."""

    object_id: str
    alarm_key: str
    session_id: str
    state: str
    attempts: int
    """Attempts in the ledger; 0 if it has no entry."""
    received_count: int
    """How often the records contain it."""


class Differences(NamedTuple):
    """All differences of one kind."""

    notifications: int
    objects: int
    examples: tuple[Difference, ...]
    """The differences of the first objects."""


class ReadStats(NamedTuple):
    """How many records of the receiver were read."""

    requests: int
    effects: int
    skipped: int
    """Lines of a recording that are not callbacks."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of comparing a ledger with the records of a receiver."""

    notifications: int
    alarms: int
    acked: int
    read_stats: ReadStats
    lost: Differences
    """Acknowledged, but missing from the records."""
    duplicated: Differences
    """More requests than attempts, or more than one effect."""
    out_of_order: Differences
    """Recorded after a later notification of the same alarm that started only after the last attempt of this one."""
    unknown: Differences
    """Recorded, but not in the ledger."""
    unacked: int
    """Given up by the sender, but recorded: the receiver processed it without a valid and timely acknowledgement."""
    probes: int = 0
    """How many of the notifications were sent before the load, as its probe."""

    @property
    def is_consistent(self) -> bool:
        """Whether there are no differences."""
        return not any(
            differences.notifications for differences in (self.lost, self.duplicated, self.out_of_order, self.unknown)
        )
