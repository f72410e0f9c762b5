"""What a clause about effects plays: alarms that live through acts, and what is to be seen after each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from tcop_mock.model.case import Case
    from tcop_mock.model.delivery import Attempt
    from tcop_mock.model.effect import Sight


class Manner(StrEnum):
    """How the pushes of an act are sent."""

    IN_TURN = "in-turn"
    AT_ONCE = "at-once"
    LOST = "lost"
    """The sender hangs up when the request is out, and never sees the answer."""
    RESTARTED = "restarted"
    """Again and again while the receiver is restarted, until it is taken."""


@dataclass(frozen=True, slots=True)
class Act:
    """Pushes, and what they change."""

    title: str
    """As it can follow "after": ``the same push four times``."""
    cases: tuple[Case, ...]
    manner: Manner = Manner.IN_TURN
    effects: str = ""
    """``=1``, ``>=1``, ``more``, ``less``, ``same`` (as before the act), ``once`` (as many as one push of a plain alarm
    has); empty: whatever."""
    open: str = ""
    """The same of open incidents."""
    any_answer: bool = False
    """Whether the story goes on where a push is not taken."""
    trouble: str = ""
    """What goes wrong at the ends while it is sent: ``refuses``, ``fails-with-200``, ``late``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the callbacks of a story tell, for judges who read messages."""

    objects: frozenset[str]
    """Texts of the dimensions."""
    whats: frozenset[str]
    """Names of metrics and events."""
    sent: str
    """All that was sent, as text."""
    started: datetime | None = None
    """``firstOccurTime`` as TCOP writes it: Beijing time without offset."""
    recovered: datetime | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A few alarms and what becomes of them."""

    title: str
    shape: str | None
    token: str
    """The object that an observer is asked for."""
    tokens: frozenset[str]
    """Texts that nothing but this story's alarms has: whatever mentions one is about them."""
    names: frozenset[str]
    """Texts of which that holds only where nothing else that is sent has them, too: names, addresses."""
    acts: tuple[Act, ...]
    facts: Facts
    others: tuple[str, ...] = ()
    """The objects of its other alarms, for an observer that shows only what it is asked for."""


class ActTold(NamedTuple):
    """One act and what became of it."""

    act: Act
    attempts: tuple[Attempt, ...]
    before: Sight
    after: Sight


class StoryTold(NamedTuple):
    """A story as far as it was told; an act that went wrong is its last."""

    story: Story
    acts: tuple[ActTold, ...]
