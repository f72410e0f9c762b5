"""Clauses of the contract, the requests that test them, and the scenarios that test a receiver's effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.effects import Effect, EffectSnapshot
    from tcop_mock.domain.target import Parser


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"

    def includes(self, other: Level) -> bool:
        """Return whether clauses of level ``other`` gate a run that fails on this level: they bind at least as much."""
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
    DINGTALK_OR_FEISHU = "dingtalk-or-feishu"
    """The receiver forwards to the DingTalk stub or the Feishu stub."""
    RESTART = "restart"
    """The run can restart the receiver."""
    RUN = "run"
    """The run has started the receiver: it can end it, measure it and read its output."""
    TEMPLATE = "template"
    """The run has the user's notification template."""
    PROFILE = "profile"
    """The run uses a profile of the clause."""
    HTTP_REQUESTS = "http-requests"
    """The target takes HTTP requests: it is neither a parser nor a callable."""
    TCOP_BODIES = "tcop-bodies"
    """The run sends TCOP's own bodies, not those of a template."""
    SOCKET = "socket"
    """The run writes to the socket itself: the target is not an HTTP client, which does that in its own way."""
    CONCURRENT_REQUESTS = "concurrent-requests"
    """The run may have several requests in flight: no rate limit forces it to send one after the other."""
    ENOUGH_JOBS = "enough-jobs"
    """The run may have as many requests in flight as the clause sends at once."""
    CONCURRENT_CALLS = "concurrent-calls"
    """The target can be called in several threads: it is not an app that one thread calls."""
    VISIBLE_EFFECT = "visible-effect"
    """The observer shows an effect of a plain alarm."""
    FORWARDED_EFFECT = "forwarded-effect"
    """The receiver forwards a plain alarm, where the stub services are the only observer."""
    VISIBLE_INCIDENT = "visible-incident"
    """The observer shows an open incident of a firing alarm."""
    CAUGHT_CALL = "caught-call"
    """The receiver has called a host that is caught."""
    FORWARDING = "forwarding"
    """The receiver has forwarded anything at all."""
    TIME = "time"
    """The run has not reached its time limit."""


@dataclass(frozen=True, slots=True)
class MissingPrerequisite:
    """A precondition that a run does not meet. The command line and pytest each word it in their own terms."""

    kind: Prerequisite
    details: tuple[str, ...] = ()
    """Values for the message, such as a name or a time."""


DOWNSTREAM_PREREQUISITES = frozenset(
    {Prerequisite.DOWNSTREAM, Prerequisite.PAGERDUTY, Prerequisite.WECOM, Prerequisite.DINGTALK_OR_FEISHU}
)
"""Preconditions that only our stub services meet."""
EFFECT_PREREQUISITES = DOWNSTREAM_PREREQUISITES | {
    Prerequisite.OBSERVER,
    Prerequisite.OPEN_INCIDENTS,
    Prerequisite.RESTART,
}
"""Preconditions of clauses about effects: ways to observe effects, and to act on the receiver during the run."""


class Phase(StrEnum):
    """When a clause runs. Phases follow each other in this order; the clauses of one phase run concurrently."""

    MAIN = "main"
    EFFECTS = "effects"
    """Scenarios of alarms and their effects."""
    MALFORMED_INPUT = "malformed-input"
    """Malformed input: after ``MAIN``, so that a crash of the receiver affects no other clause."""
    FINAL = "final"
    """Checks that the receiver is still alive after malformed input."""
    DEEP_NESTING = "deep-nesting"
    """Input that blocks some parsers, and a check that the receiver is still alive afterwards."""
    SLOW_SENDER = "slow-sender"
    """A sender that sends slowly, byte by byte; nothing else runs."""
    BURST = "burst"
    """Runs alone, because it would delay every other response."""
    AUTH = "auth"
    """Wrong credentials: after everything that needs the right ones, because a receiver may lock out the sender."""
    SLOW_EFFECTS = "slow-effects"
    """Scenarios with late effects: at the end, because they may take all the time that is left."""
    LASTING_FAULTS = "lasting-faults"
    """Scenarios with a downstream service that stays broken, one after the other: they may stop all messages."""
    CRASHES = "crashes"
    """Scenarios that end the receiver and start it again, one clause after the other."""
    PROCESS = "process"
    """Looks at the process of the receiver, one clause after the other."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A builder or an assertion by name, with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    plugin: Any = None
    """Object loaded from an entry point of another package; ``None`` for the built-in ones."""


BUILT_IN_PREFIX = "TCM"
"""Prefix of the codes of built-in clauses."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One obligation of a receiver."""

    code: str
    """``TCM`` and three digits; never reused or redefined. Custom clauses use other letters."""
    slug: str
    level: Level
    profiles: tuple[str, ...]
    """Profiles to which it applies; empty: all."""
    prerequisites: frozenset[Prerequisite]
    phase: Phase
    requirement: str
    source: str
    why: str
    fix: str
    builder: Invocation
    assertions: tuple[Invocation, ...]
    parsers: frozenset[Parser] = frozenset()
    """Kinds of parser targets to which it also applies. Only the acceptance of a body is visible there."""

    @property
    def id(self) -> str:
        """Code and slug: ``TCM302-recover-time-zero``."""
        return f"{self.code}-{self.slug}"

    @property
    def is_built_in(self) -> bool:
        """Whether it is a built-in clause: only these have codes ``TCM...``."""
        return self.code.startswith(BUILT_IN_PREFIX)


class CredentialVariant(StrEnum):
    """Credentials that a case sends to the receiver."""

    RIGHT = "right"
    """The target's own credentials; none if the target has none."""
    NONE = "none"
    WRONG_USER = "wrong-user"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - the name of a case
    EMPTY_PASSWORD = "empty-password"  # noqa: S105 - the name of a case
    EMPTY_USER = "empty-user"
    NEITHER = "neither-user-nor-password"
    USER_AS_PASSWORD = "user-as-password"  # noqa: S105 - the name of a case
    LONGER_PASSWORD = "longer-password"  # noqa: S105 - the name of a case
    SHORTER_PASSWORD = "shorter-password"  # noqa: S105 - the name of a case
    SIMILAR_PASSWORD = "similar-password"  # noqa: S105 - the name of a case
    OTHER_CASE_PASSWORD = "other-case-password"  # noqa: S105 - the name of a case
    BLANK_BEFORE_PASSWORD = "blank-before-password"  # noqa: S105 - the name of a case
    BLANK_AFTER_PASSWORD = "blank-after-password"  # noqa: S105 - the name of a case
    BEARER = "bearer"
    """The right token behind the scheme ``Bearer``."""
    MALFORMED = "malformed"
    """A header that is not proper Basic."""


@dataclass(frozen=True, slots=True)
class RequestCase:
    """One request of a clause test."""

    title: str
    """The tested property of the request, worded to follow "a callback": ``with recoverTime 0 while resolved``."""
    request: OutgoingRequest
    shape_id: str | None = None
    credential_variant: CredentialVariant = CredentialVariant.RIGHT
    is_asserted: bool = True
    """``False`` for a request that only prepares the following ones."""
    also_accept: tuple[str, ...] = ()
    """Statuses (``413``) or classes of statuses (``2xx``) that are acceptable here, whatever the clause expects."""
    is_changed: bool = False
    """Whether its body differs from those of the catalogue: a control with the values that the cases need."""
    firing: OutgoingRequest | None = None
    """For a resolve: the firing of its alarm. A receiver that rejects unknown resolves gets it first."""


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """Cases that are asserted together.

    The control is the same request without the tested property. If the receiver rejects it, the cases prove nothing
    about the clause and are skipped. The negative control must be rejected; otherwise the cases are skipped, too.
    With ``any_accepted`` the cases are skipped unless the receiver accepts at least one of them.
    """

    cases: tuple[RequestCase, ...]
    control: RequestCase | None = None
    negative_control: RequestCase | None = None
    any_accepted: bool = False
    auth_probe: RequestCase | None = None
    """Sent if a case is rejected with a status other than 401 or 403. If this request is rejected with one of the two,
    the receiver reads credentials correctly and rejects the case for another reason."""
    background: RequestCase | None = None
    """Sent before the cases and kept open while they run; its response is not awaited."""


class SendOrder(StrEnum):
    """How the cases of a group are ordered in time."""

    CONCURRENT = "concurrent"
    """Concurrently, up to the run's limit."""
    SEQUENTIAL = "sequential"
    BURST = "burst"
    """Open loop: all on a schedule, without waiting for responses."""


@dataclass(frozen=True, slots=True)
class ClauseTest:
    """Everything that one clause sends."""

    groups: tuple[CaseGroup, ...]
    send_order: SendOrder = SendOrder.CONCURRENT
    burst_duration_s: float = 0.0
    """Time in seconds over which a burst is spread evenly."""
    deadline_factor: float = 1.0
    """Deadline of an attempt in multiples of the profile's. Above 1, the test finds out whether the attempt ends."""
    effect_scenarios: tuple[EffectScenario, ...] = ()
    """Scenarios in place of groups, for clauses about effects."""
    is_about_process: bool = False
    """Whether it inspects the process of the receiver, so that no single request reproduces a finding."""
    unique_secrets: tuple[str, ...] = field(default=(), repr=False)
    """Generated secrets that were sent to the receiver and must not come back."""

    @property
    def needs_socket(self) -> bool:
        """Whether it has a request that no HTTP client can send."""
        cases = [case for group in self.groups for case in group.cases]
        cases += [case for scenario in self.effect_scenarios for step in scenario.steps for case in step.cases]
        return any(case.request.needs_socket for case in cases) or any(group.background for group in self.groups)


class SendMode(StrEnum):
    """How the requests of a step are sent."""

    SEQUENTIAL = "sequential"
    CONCURRENT = "concurrent"
    ACK_LOST = "ack-lost"
    """Closes the connection after sending the request and never reads the response."""
    DURING_RESTART = "during-restart"
    """Repeatedly while the receiver is restarted, until it accepts."""
    THEN_KILLED = "then-killed"
    """Concurrently; as soon as all have an answer, the receiver is killed and started again."""
    WHILE_STOPPED = "while-stopped"
    """While the receiver ends after SIGTERM: half of them just before it, the others after it. Then it is started."""


ENDING_MODES = frozenset({SendMode.THEN_KILLED, SendMode.WHILE_STOPPED})
"""Modes that end the receiver of ``--run``."""


@dataclass(frozen=True, slots=True)
class Step:
    """Requests of a scenario, and the effects they should have."""

    title: str
    """What the step does, worded to follow "after": ``the same push four times``."""
    cases: tuple[RequestCase, ...]
    send_mode: SendMode = SendMode.SEQUENTIAL
    expected_effects: str = ""
    """``=1``, ``>=1``, ``more``, ``less``, ``same`` (as before the step), ``per-push`` (as many as one
    callback of a plain alarm causes), ``as-step-2`` (more or less, if there were in step 2), ``mentioned`` (one
    that names its alarms); empty: anything. With a question mark it is waited for, not required."""
    expected_open: str = ""
    """The same for open incidents."""
    continue_on_error: bool = False
    """Whether the scenario continues after a request that is not accepted."""
    downstream_fault: str = ""
    """Fault of the downstream stubs for messages about its alarms: ``refuses``, ``fails-with-200``, ``late``,
    ``rejects`` (for good), ``hangs``."""
    fault_steps: int = 1
    """Number of steps that the fault lasts. 1: until the receiver has met it."""
    tokens: frozenset[str] = frozenset()
    """Strings of its alarms. The fault applies to messages that mention one; such messages are expected."""
    pause_s: float = 0.0
    """Pause before it."""
    wait_s: float = 0.0
    """Maximum time in seconds until its effects appear; 0: the run's limit."""


@dataclass(frozen=True, slots=True)
class ExpectedContent:
    """Content of the callbacks of a scenario, for assertions about messages."""

    object_names: frozenset[str]
    """String values of the dimensions."""
    metric_names: frozenset[str]
    """Names of metrics and events."""
    sent_text: str
    """Everything that was sent, as text."""
    started_at: datetime | None = None
    """``firstOccurTime`` as TCOP writes it: Beijing time without offset."""
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectScenario:
    """A few alarms, the steps of their lives and the expected effects."""

    title: str
    shape_id: str | None
    object_id: str
    """Object id that is passed to the observer."""
    unique_tokens: frozenset[str]
    """Strings that only this scenario's alarms contain: an effect that mentions one is theirs."""
    object_names: frozenset[str]
    """Strings such as names and addresses that are unique only if no other alarm of the run contains them."""
    steps: tuple[Step, ...]
    expected_content: ExpectedContent
    other_object_ids: tuple[str, ...] = ()
    """Object ids of its other alarms, for an observer that returns only the requested object."""
    left_out: str = ""
    """Why it cannot be run with the callbacks of the profile."""
    names_no_alarm: bool = False
    """Whether its requests name no alarm: its effects are those that mention nothing that the run has sent."""


class StepResult(NamedTuple):
    """One step, its attempts and its effects."""

    step: Step
    attempts: tuple[Attempt, ...]
    before: EffectSnapshot
    after: EffectSnapshot
    is_fault_met: bool = True
    """Whether the receiver sent a message that met the fault of the step."""
    is_cut_short: bool = False
    """Whether the end of the run left less time for the effects than the step allows."""

    @property
    def new_effects(self) -> tuple[Effect, ...]:
        """The effects that the step added."""
        return self.after.effects[len(self.before.effects) :]


class EffectScenarioResult(NamedTuple):
    """A scenario as far as it ran; a step with unexpected effects is its last."""

    scenario: EffectScenario
    step_results: tuple[StepResult, ...]


class Inconclusive(NamedTuple):
    """Why a scenario is inconclusive for the clause."""

    reason: str
    not_applicable: bool = False
    """Whether the clause does not apply to this receiver."""
