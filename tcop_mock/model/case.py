"""What a clause plays: cases in scenes. A player writes them, a run sends them, judges look at each case's attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcop_mock.model.delivery import Push
    from tcop_mock.model.story import Story


class Offer(StrEnum):
    """Which credentials a case shows to the receiver."""

    RIGHT = "right"
    """Those of the target's userinfo; none where it has none."""
    NONE = "none"
    WRONG_USER = "wrong-user"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - the name of a case
    EMPTY_PASSWORD = "empty-password"  # noqa: S105 - the name of a case
    LONGER_PASSWORD = "longer-password"  # noqa: S105 - the name of a case
    SHORTER_PASSWORD = "shorter-password"  # noqa: S105 - the name of a case
    SIMILAR_PASSWORD = "similar-password"  # noqa: S105 - the name of a case
    OTHER_CASE_PASSWORD = "other-case-password"  # noqa: S105 - the name of a case
    BLANK_BEFORE_PASSWORD = "blank-before-password"  # noqa: S105 - the name of a case
    BLANK_AFTER_PASSWORD = "blank-after-password"  # noqa: S105 - the name of a case


@dataclass(frozen=True, slots=True)
class Case:
    """One request of a clause."""

    title: str
    """What is special about it, as it can follow "a callback": ``with recoverTime 0 while resolved``."""
    push: Push
    shape: str | None = None
    offer: Offer = Offer.RIGHT
    judged: bool = True
    """``False`` for a request that only prepares the ground."""
    besides: tuple[str, ...] = ()
    """Statuses (``413``) or classes of them (``2xx``) that are fine for this one, whatever the clause expects."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Cases that belong together.

    The control is the same request without what the cases try. Where the receiver does not take it, the cases would
    say nothing about the clause, and are left out. A gate is the other way round: a request that has to be refused.
    Spellings are cases of which one at least is taken, or all are left out.
    """

    cases: tuple[Case, ...]
    control: Case | None = None
    gate: Case | None = None
    spellings: bool = False
    asker: Case | None = None
    """Sent where a case is refused by another status than 401 or 403: who asks this one for its credentials reads them
    well, and refuses the case for something else."""
    meanwhile: Case | None = None
    """Sent before the cases and for as long as they take; nobody waits for its answer."""


class Pace(StrEnum):
    """In which order the cases of a scene are sent."""

    ANY = "any"
    """As many in flight as the receiver stands."""
    IN_TURN = "in-turn"
    BURST = "burst"
    """All of them on a schedule that waits for no answer."""


@dataclass(frozen=True, slots=True)
class Play:
    """All that one clause sends."""

    scenes: tuple[Scene, ...]
    pace: Pace = Pace.ANY
    over_s: float = 0.0
    """Time in which a burst is started, evenly."""
    deadline_factor: float = 1.0
    """How many of the profile's deadlines each attempt may take (more than one only to see whether it ends at all)."""
    stories: tuple[Story, ...] = ()
    """In place of scenes, where effects are looked at."""
    sentinels: tuple[str, ...] = field(default=(), repr=False)
    """Made-up secrets that were shown to the receiver and must not come back."""
