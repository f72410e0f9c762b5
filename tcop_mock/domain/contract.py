"""A clause: one obligation of a receiver. Read from one file of ``contracts/clauses/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tcop_mock.domain.delivery import Attempt, Push
    from tcop_mock.domain.effects import Sight
    from tcop_mock.domain.target import Parser


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Need(StrEnum):
    """What has to be there for a clause to be run; otherwise it is reported not-run."""

    AUTH = "auth"
    """The target's userinfo says which credentials the receiver wants."""
    ODD_CREDENTIALS = "odd-credentials"
    """They hold signs that have to be percent-encoded in the URL."""
    HTTP = "http"
    """The receiver has connections of its own: it is no app in this process."""
    OBSERVER = "observer"
    """What the receiver does behind its answers can be seen."""
    OPEN = "open"
    """It can be seen which incidents are open."""
    DOWNSTREAM = "downstream"
    """The receiver forwards to our ends."""
    PAGERDUTY = "pagerduty"
    """It forwards to PagerDuty's."""
    WECOM = "wecom"
    """It forwards to WeCom's."""
    RESTART = "restart"
    """It can be restarted."""
    TEMPLATE = "template"
    """The user's own notification template is there."""


EFFECT_NEEDS = frozenset({Need.OBSERVER, Need.OPEN, Need.DOWNSTREAM, Need.PAGERDUTY, Need.WECOM, Need.RESTART})

"""What clauses about effects need, to see them or to do something to the receiver meanwhile."""


class Stage(StrEnum):
    """When a clause is played. Stages follow each other in this order; the clauses of one are played side by side."""

    MAIN = "main"
    EFFECTS = "effects"
    """Stories of alarms, and what the receiver makes of them."""
    ABUSE = "abuse"
    """Broken input: after ``MAIN``, so that a receiver that dies of it takes no other clause with it."""
    LAST = "last"
    """After broken input: is the receiver still alive?"""
    DEPTH = "depth"
    """Input that stops parsers of some kinds, and a look whether the receiver is alive after that, too."""
    DRIP = "drip"
    """A sender that drips, and nobody else beside."""
    BURST = "burst"
    """Alone, because it would make every other answer late."""
    AUTH = "auth"
    """Wrong credentials: after all that needs the right ones, because a receiver may lock out who offers wrong ones."""
    PATIENCE = "patience"
    """Stories in which something may be told late: at the end, because it may be waited for until the run is over."""


@dataclass(frozen=True, slots=True)
class Call:
    """A player or a judge by name, with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    own: Any = None
    """What an entry point of another package gives, where the name is none of ours."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One obligation of a receiver."""

    code: str
    """``TCM`` and three digits; never changes its meaning, is never reused. Own clauses have letters of their own."""
    slug: str
    level: Level
    profiles: tuple[str, ...]
    """Profiles in which it holds; empty: in all."""
    needs: frozenset[Need]
    stage: Stage
    requirement: str
    source: str
    why: str
    fix: str
    play: Call
    expect: tuple[Call, ...]
    parsers: frozenset[Parser] = frozenset()
    """Parsers of bodies that it is about, too: of those, only what becomes of a parsed body can be judged."""

    @property
    def id(self) -> str:
        """Code and slug: ``TCM302-recover-time-zero``."""
        return f"{self.code}-{self.slug}"


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
