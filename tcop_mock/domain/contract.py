"""A clause: one obligation of a receiver. Read from one file of ``contracts/clauses/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.effects import EffectSnapshot
    from tcop_mock.domain.target import Parser


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Prerequisite(StrEnum):
    """What has to be there for a clause to be run; otherwise it is reported not-run."""

    AUTH = "auth"
    """The target's userinfo says which credentials the receiver wants."""
    SPECIAL_CHARACTER_CREDENTIALS = "odd-credentials"
    """They hold signs that have to be percent-encoded in the URL."""
    HTTP = "http"
    """The receiver has connections of its own: it is no app in this process."""
    OBSERVER = "observer"
    """What the receiver does behind its answers can be seen."""
    OPEN_INCIDENTS = "open"
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


EFFECT_PREREQUISITES = frozenset(
    {
        Prerequisite.OBSERVER,
        Prerequisite.OPEN_INCIDENTS,
        Prerequisite.DOWNSTREAM,
        Prerequisite.PAGERDUTY,
        Prerequisite.WECOM,
        Prerequisite.RESTART,
    }
)

"""What clauses about effects need, to see them or to do something to the receiver meanwhile."""


class Phase(StrEnum):
    """When a clause is played. Stages follow each other in this order; the clauses of one are played side by side."""

    MAIN = "main"
    EFFECTS = "effects"
    """Stories of alarms, and what the receiver makes of them."""
    MALFORMED_INPUT = "abuse"
    """Broken input: after ``MAIN``, so that a receiver that dies of it takes no other clause with it."""
    FINAL = "last"
    """After broken input: is the receiver still alive?"""
    DEEP_NESTING = "depth"
    """Input that stops parsers of some kinds, and a look whether the receiver is alive after that, too."""
    SLOW_SENDER = "drip"
    """A sender that drips, and nobody else beside."""
    BURST = "burst"
    """Alone, because it would make every other answer late."""
    AUTH = "auth"
    """Wrong credentials: after all that needs the right ones, because a receiver may lock out who offers wrong ones."""
    SLOW_EFFECTS = "patience"
    """Stories in which something may be told late: at the end, because it may be waited for until the run is over."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A player or a judge by name, with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    plugin: Any = None
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
    prerequisites: frozenset[Prerequisite]
    phase: Phase
    requirement: str
    source: str
    why: str
    fix: str
    builder: Invocation
    assertions: tuple[Invocation, ...]
    parsers: frozenset[Parser] = frozenset()
    """Parsers of bodies that it is about, too: of those, only what becomes of a parsed body can be judged."""

    @property
    def id(self) -> str:
        """Code and slug: ``TCM302-recover-time-zero``."""
        return f"{self.code}-{self.slug}"


class CredentialVariant(StrEnum):
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
class RequestCase:
    """One request of a clause."""

    title: str
    """What is special about it, as it can follow "a callback": ``with recoverTime 0 while resolved``."""
    request: OutgoingRequest
    shape_id: str | None = None
    credential_variant: CredentialVariant = CredentialVariant.RIGHT
    is_asserted: bool = True
    """``False`` for a request that only prepares the ground."""
    also_accept: tuple[str, ...] = ()
    """Statuses (``413``) or classes of them (``2xx``) that are fine for this one, whatever the clause expects."""


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """Cases that belong together.

    The control is the same request without what the cases try. Where the receiver does not take it, the cases would
    say nothing about the clause, and are left out. A gate is the other way round: a request that has to be refused.
    Spellings are cases of which one at least is taken, or all are left out.
    """

    cases: tuple[RequestCase, ...]
    control: RequestCase | None = None
    negative_control: RequestCase | None = None
    any_accepted: bool = False
    auth_probe: RequestCase | None = None
    """Sent where a case is refused by another status than 401 or 403: who asks this one for its credentials reads them
    well, and refuses the case for something else."""
    background: RequestCase | None = None
    """Sent before the cases and for as long as they take; nobody waits for its answer."""


class SendOrder(StrEnum):
    """In which order the cases of a scene are sent."""

    PARALLEL = "any"
    """As many in flight as the receiver stands."""
    SEQUENTIAL = "in-turn"
    BURST = "burst"
    """All of them on a schedule that waits for no answer."""


@dataclass(frozen=True, slots=True)
class ClauseTest:
    """All that one clause sends."""

    groups: tuple[CaseGroup, ...]
    send_order: SendOrder = SendOrder.PARALLEL
    burst_duration_s: float = 0.0
    """Time in which a burst is started, evenly."""
    deadline_factor: float = 1.0
    """How many of the profile's deadlines each attempt may take (more than one only to see whether it ends at all)."""
    effect_scenarios: tuple[EffectScenario, ...] = ()
    """In place of scenes, where effects are looked at."""
    unique_secrets: tuple[str, ...] = field(default=(), repr=False)
    """Made-up secrets that were shown to the receiver and must not come back."""


class SendMode(StrEnum):
    """How the pushes of an act are sent."""

    SEQUENTIAL = "in-turn"
    CONCURRENT = "at-once"
    ACK_LOST = "lost"
    """The sender hangs up when the request is out, and never sees the answer."""
    DURING_RESTART = "restarted"
    """Again and again while the receiver is restarted, until it is taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """Pushes, and what they change."""

    title: str
    """As it can follow "after": ``the same push four times``."""
    cases: tuple[RequestCase, ...]
    send_mode: SendMode = SendMode.SEQUENTIAL
    expected_effects: str = ""
    """``=1``, ``>=1``, ``more``, ``less``, ``same`` (as before the act), ``once`` (as many as one push of a plain alarm
    has); empty: whatever."""
    expected_open: str = ""
    """The same of open incidents."""
    continue_on_error: bool = False
    """Whether the story goes on where a push is not taken."""
    downstream_fault: str = ""
    """What goes wrong at the ends while it is sent: ``refuses``, ``fails-with-200``, ``late``."""


@dataclass(frozen=True, slots=True)
class ExpectedContent:
    """What the callbacks of a story tell, for judges who read messages."""

    object_names: frozenset[str]
    """Texts of the dimensions."""
    metric_names: frozenset[str]
    """Names of metrics and events."""
    sent_text: str
    """All that was sent, as text."""
    started_at: datetime | None = None
    """``firstOccurTime`` as TCOP writes it: Beijing time without offset."""
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectScenario:
    """A few alarms and what becomes of them."""

    title: str
    shape_id: str | None
    object_id: str
    """The object that an observer is asked for."""
    unique_tokens: frozenset[str]
    """Texts that nothing but this story's alarms has: whatever mentions one is about them."""
    object_names: frozenset[str]
    """Texts of which that holds only where nothing else that is sent has them, too: names, addresses."""
    steps: tuple[Step, ...]
    expected_content: ExpectedContent
    other_object_ids: tuple[str, ...] = ()
    """The objects of its other alarms, for an observer that shows only what it is asked for."""


class StepResult(NamedTuple):
    """One act and what became of it."""

    step: Step
    attempts: tuple[Attempt, ...]
    before: EffectSnapshot
    after: EffectSnapshot


class EffectScenarioResult(NamedTuple):
    """A story as far as it was told; an act that went wrong is its last."""

    scenario: EffectScenario
    step_results: tuple[StepResult, ...]
