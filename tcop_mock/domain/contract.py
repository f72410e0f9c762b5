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

    def includes(self, other: Level) -> bool:
        """Return whether clauses of ``other`` decide on a run that fails on this level: it is as binding, or more."""
        order = tuple(Level)
        return order.index(other) <= order.index(self)


class Prerequisite(StrEnum):
    """A precondition of a clause. Without it the clause is not run, or its result would prove nothing.

    Clause files declare those up to ``TEMPLATE``. The others follow from the run itself.
    """

    AUTH = "auth"
    """The target's userinfo has the credentials that the receiver wants."""
    SPECIAL_CHARACTER_CREDENTIALS = "odd-credentials"
    """The credentials hold characters that must be percent-encoded in a URL."""
    HTTP = "http"
    """The receiver has connections of its own: it is not an app in this process."""
    OBSERVER = "observer"
    """An observer shows the effects of the receiver."""
    OPEN_INCIDENTS = "open"
    """The observer shows which incidents are open."""
    DOWNSTREAM = "downstream"
    """The receiver forwards to our stub services."""
    PAGERDUTY = "pagerduty"
    """The receiver forwards to the PagerDuty stub."""
    WECOM = "wecom"
    """The receiver forwards to the WeCom stub."""
    RESTART = "restart"
    """The run can restart the receiver."""
    TEMPLATE = "template"
    """The run has the user's notification template."""
    PROFILE = "profile"
    """The run uses a profile of the clause."""
    HTTP_REQUESTS = "http-requests"
    """The target takes HTTP requests: it is neither a parser nor a callable."""
    TCOP_BODIES = "tcop-bodies"
    """The run sends TCOP's own bodies, not those of a template."""
    PARALLEL_REQUESTS = "parallel-requests"
    """The run may have several requests in flight."""
    VISIBLE_EFFECT = "visible-effect"
    """The observer shows an effect of a plain alarm."""
    FORWARDED_EFFECT = "forwarded-effect"
    """The receiver forwards a plain alarm, where the stub services are the only observer."""
    VISIBLE_INCIDENT = "visible-incident"
    """The observer shows an open incident of a firing alarm."""
    FORWARDING = "forwarding"
    """The receiver has forwarded anything at all."""
    TIME = "time"
    """The run has not reached its time limit."""


@dataclass(frozen=True, slots=True)
class MissingPrerequisite:
    """A precondition that a run does not meet. The command line and pytest each have words for it."""

    kind: Prerequisite
    details: tuple[str, ...] = ()
    """Values that belong into the words, such as a name or a time."""


DOWNSTREAM_PREREQUISITES = frozenset({Prerequisite.DOWNSTREAM, Prerequisite.PAGERDUTY, Prerequisite.WECOM})
"""Preconditions that only our stub services meet."""
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
"""Preconditions of clauses about effects: ways to observe effects, and to act on the receiver during the run."""


class Phase(StrEnum):
    """When a clause runs. Phases follow each other in this order; the clauses of one phase run in parallel."""

    MAIN = "main"
    EFFECTS = "effects"
    """Scenarios of alarms and their effects."""
    MALFORMED_INPUT = "malformed-input"
    """Broken input: after ``MAIN``, so that a receiver that dies of it takes no other clause with it."""
    FINAL = "final"
    """After broken input: is the receiver still alive?"""
    DEEP_NESTING = "deep-nesting"
    """Input that stops parsers of some kinds, and a look whether the receiver is alive after that, too."""
    SLOW_SENDER = "slow-sender"
    """A sender that drips, and nobody else beside."""
    BURST = "burst"
    """Alone, because it would make every other answer late."""
    AUTH = "auth"
    """Wrong credentials: after all that needs the right ones, because a receiver may lock out who offers wrong ones."""
    SLOW_EFFECTS = "slow-effects"
    """Scenarios with late effects: at the end, because they may take all the time that is left."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A builder or an assertion by name, with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    plugin: Any = None
    """What an entry point of another package gives, where the name is none of ours."""


BUILT_IN_PREFIX = "TCM"
"""Begins the codes of the contract's own clauses."""


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

    @property
    def is_built_in(self) -> bool:
        """Whether it is a clause of the contract, not one of the user's own: only those have codes ``TCM...``."""
        return self.code.startswith(BUILT_IN_PREFIX)


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
    """In which order the cases of a group are sent."""

    PARALLEL = "parallel"
    """As many in flight as the receiver stands."""
    SEQUENTIAL = "sequential"
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
    """Scenarios in place of groups, for clauses about effects."""
    unique_secrets: tuple[str, ...] = field(default=(), repr=False)
    """Made-up secrets that were shown to the receiver and must not come back."""


class SendMode(StrEnum):
    """How the requests of a step are sent."""

    SEQUENTIAL = "sequential"
    CONCURRENT = "concurrent"
    ACK_LOST = "ack-lost"
    """The sender hangs up when the request is out, and never sees the answer."""
    DURING_RESTART = "during-restart"
    """Again and again while the receiver is restarted, until it is taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """Pushes, and what they change."""

    title: str
    """As it can follow "after": ``the same push four times``."""
    cases: tuple[RequestCase, ...]
    send_mode: SendMode = SendMode.SEQUENTIAL
    expected_effects: str = ""
    """``=1``, ``>=1``, ``more``, ``less``, ``same`` (as before the act), ``per-push`` (as many as one push of a plain
    alarm has); empty: whatever."""
    expected_open: str = ""
    """The same of open incidents."""
    continue_on_error: bool = False
    """Whether the scenario continues after a request that is not accepted."""
    downstream_fault: str = ""
    """What goes wrong at the ends while it is sent: ``refuses``, ``fails-with-200``, ``late``."""


@dataclass(frozen=True, slots=True)
class ExpectedContent:
    """What the callbacks of a scenario hold, for assertions about messages."""

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
    """One step, its attempts and its effects."""

    step: Step
    attempts: tuple[Attempt, ...]
    before: EffectSnapshot
    after: EffectSnapshot


class EffectScenarioResult(NamedTuple):
    """A scenario as far as it ran; a step with unexpected effects is its last."""

    scenario: EffectScenario
    step_results: tuple[StepResult, ...]
