"""What a ledger says was delivered, beside what the receiver says it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tcop_mock.domain.callback_view import NotificationKey


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of a ledger: one notification and what became of it."""

    key: NotificationKey
    outcome: str
    """Of the last attempt; ``acked`` where the notification was accepted."""
    attempts: int
    started_s: float
    """When the first attempt began, on the run's own clock."""
    ended_s: float
    """When the last attempt ended."""

    @property
    def is_acked(self) -> bool:
        """Whether the receiver acknowledged it."""
        return self.outcome == "acked"


class ReceivedItem(NamedTuple):
    """One thing that a receiver says it has."""

    session_id: str
    """Empty where it names an object only."""
    object_id: str
    """Empty where it is not known."""
    state: str
    """Of what names an object only: empty for whatever state."""
    is_request: bool
    """A request that came, of which retries make several; else an effect, of which there should be one."""


class Difference(NamedTuple):
    """One notification about which the two disagree."""

    object_id: str
    alarm_key: str
    session_id: str
    state: str
    attempts: int
    """As the ledger has it; 0 where it has none."""
    received_count: int
    """How often the receiver has it."""


class Differences(NamedTuple):
    """All notifications about which the two disagree in one way."""

    notifications: int
    objects: int
    examples: tuple[Difference, ...]
    """Those of the first objects."""


class ReadStats(NamedTuple):
    """What was read of what the receiver has."""

    requests: int
    effects: int
    skipped: int
    """Lines of a recording that are no callbacks."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How far a ledger and a receiver agree."""

    notifications: int
    alarms: int
    acked: int
    read_stats: ReadStats
    lost: Differences
    """Acknowledged, and not there."""
    duplicated: Differences
    """There more often than the attempts explain; as an effect, more than once."""
    out_of_order: Differences
    """There behind a later notification of the same alarm whose first attempt began when this one's last had ended."""
    unknown: Differences
    """There, and not in the ledger."""
    unacked: int
    """Given up by the sender, and yet there: the receiver took it and was too slow or too clumsy to say so."""

    @property
    def is_consistent(self) -> bool:
        """Whether there is no difference."""
        return not any(
            differences.notifications for differences in (self.lost, self.duplicated, self.out_of_order, self.unknown)
        )
