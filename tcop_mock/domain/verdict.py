"""The result of a run: findings, results of clauses, the verdict, and the events of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.domain.contract import CredentialVariant, Level

if TYPE_CHECKING:
    from datetime import date, datetime

    from tcop_mock.domain.contract import Clause, MissingPrerequisite, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.shape import Shape


class ClauseStatus(StrEnum):
    """The status of one clause."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    ERROR = "error"
    """Inconclusive; the reason says why."""
    NOT_RUN = "not-run"
    """It was not run; the reason says why."""
    KNOWN = "known"
    """It is broken only in ways that a baseline lists."""


INTERRUPTED = "interrupted"
"""The reason of inconclusive clauses if Ctrl-C, SIGTERM or SIGHUP ended the run."""

_CONCLUSIVE_STATUSES = frozenset({ClauseStatus.PASS, ClauseStatus.FAIL, ClauseStatus.KNOWN})


@dataclass(frozen=True, slots=True)
class ReproducedRequest:
    """One request that shows a finding, or prepares it, without credentials."""

    url: str
    """Without userinfo, secrets in the query masked."""
    request: OutgoingRequest
    credential_variant: CredentialVariant = CredentialVariant.NONE
    """The credentials with which it was sent."""
    is_asserted: bool = True
    """``False`` if it only prepares the next one."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Commands that reproduce a finding; each can be run unchanged."""

    curl: str
    """Empty if curl cannot send the request: truncated, in segments, or on a reused connection."""
    cli: str
    replay: str = ""
    """A ``replay`` command that sends the request again; empty if several requests have to be in flight together."""
    requests: tuple[ReproducedRequest, ...] = field(default=(), repr=False)
    """The requests of the replay, in order."""

    @property
    def commands(self) -> tuple[str, ...]:
        """All of the command lines that are not empty."""
        return tuple(filter(None, (self.curl, self.cli, self.replay)))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a finding and its answer, both without the receiver's credentials."""

    url: str
    """Without userinfo, secrets in the query masked."""
    case: RequestCase
    attempt: Attempt
    has_credentials: bool = False
    """Whether the request showed credentials."""


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """A finding that a baseline lists."""

    fingerprint: str
    """Hash of clause and cause; independent of the seed, the port and the time."""
    clause: str
    """Its code."""
    first_seen: date
    cause: str = ""
    title: str = ""
    cases: tuple[str, ...] = ()
    """Titles of the cases in which it is known; empty: all cases."""
    expires: date | None = None
    """From this day on it counts again."""
    note: str = ""
    """Comment of the user."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken clause, with evidence and a way to reproduce it."""

    title: str
    detail: str
    shape: str | None
    evidence: str
    """The request and the answer, bounded, without credentials."""
    reproduction: Reproduction
    extent: str = ""
    """How many cases show it, and what these have in common."""
    cause: str = ""
    """The failure in words that do not depend on the cases."""
    cases: tuple[str, ...] = ()
    """Titles of the cases that show it; empty if these differ between runs."""
    exchanges: tuple[Exchange, ...] = ()
    """Bounded; the first is the one that is shown."""
    fix_clause: Clause | None = None
    """The clause whose fix mends it, because late answers have one fix in all clauses; ``None``: the broken one."""
    fingerprint: str = ""
    """Set if the run has a baseline."""
    baseline_entry: BaselineEntry | None = None
    """Its entry in the baseline."""
    is_expired: bool = False
    """Whether its entry in the baseline has expired."""
    new_cases: tuple[str, ...] = ()
    """Cases in which it was not known."""

    @property
    def is_gating(self) -> bool:
        """Whether it breaks the clause: the baseline lacks it, lacks one of its cases, or its entry has expired."""
        return self.baseline_entry is None or self.is_expired or bool(self.new_cases)


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """The status of one clause."""

    clause: Clause
    status: ClauseStatus
    reason: str = ""
    """Why the clause has this status; empty if the findings or ``missing`` give the reason."""
    findings: tuple[Finding, ...] = ()
    duration_s: float = 0.0
    """How long its requests took, in seconds."""
    missing: MissingPrerequisite | None = None
    """The precondition that the run does not meet; :func:`tcop_mock.reports.text.reason_text` has its words."""

    @property
    def fixes(self) -> tuple[Clause, ...]:
        """The clauses whose fixes end the findings, each once; without findings the clause itself."""
        by_code = {one.code: one for one in (finding.fix_clause or self.clause for finding in self.findings)}
        return tuple(by_code.values()) or (self.clause,)


@dataclass(frozen=True, slots=True)
class BaselineSummary:
    """Comparison of a whole run with its baseline."""

    path: str
    entry_count: int
    """How many findings it lists."""
    stale_entries: tuple[BaselineEntry, ...] = ()
    """Entries that were not found again, although their clauses have a result."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Start, duration and shapes of a run."""

    started_at: datetime
    """With its time zone."""
    started_s: float
    """The time on the clock of the run, in seconds."""
    duration_s: float
    deadline_s: float
    """Deadline of one attempt in seconds, from the profile."""
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    """The catalogue in use, the user's own shapes included."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a whole run."""

    target: str
    """Redacted."""
    profile: str
    seed: int
    assumptions: tuple[str, ...]
    results: tuple[ClauseResult, ...]
    run_info: RunInfo | None = None
    """``None`` if no clock was read."""
    baseline: BaselineSummary | None = None
    """Comparison with the baseline; ``None`` without one."""
    notes: tuple[str, ...] = ()
    """Decisions of the run, such as the callback that it used as the plain one."""
    fail_on: Level = Level.MUST
    """The least binding level whose clauses decide on :attr:`passed` and :attr:`failed`."""

    def count(self, status: ClauseStatus) -> int:
        """Return how many clauses have this status."""
        return sum(1 for clause_result in self.results if clause_result.status is status)

    @property
    def passed(self) -> bool:
        """Whether the receiver keeps the contract.

        It does if no clause down to the level ``fail_on`` failed or is inconclusive (status ``error``), and
        at least one must clause has a result. Findings that a baseline lists do not count.
        """
        return self.any_must_checked and not self._gating_statuses & {ClauseStatus.FAIL, ClauseStatus.ERROR}

    @property
    def failed(self) -> bool:
        """Whether a clause down to the level ``fail_on`` failed.

        A run that decided nothing has neither passed nor failed.
        """
        return ClauseStatus.FAIL in self._gating_statuses

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all clauses, in the order of the codes."""
        return tuple(finding for clause_result in self.results for finding in clause_result.findings)

    @property
    def any_must_checked(self) -> bool:
        """Whether at least one must clause passed, failed, or failed only as its baseline lists."""
        return any(one.clause.level is Level.MUST and one.status in _CONCLUSIVE_STATUSES for one in self.results)

    @property
    def _gating_statuses(self) -> frozenset[ClauseStatus]:
        return frozenset(one.status for one in self.results if self.fail_on.includes(one.clause.level))


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The target answers and the clauses are chosen."""

    target: str
    profile: str
    seed: int
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class ClauseStarted:
    """A clause is running."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class ClauseFinished:
    """A clause has its result."""

    result: ClauseResult


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event of a run, also of one that was cut short."""

    verdict: Verdict


RunEvent: TypeAlias = RunStarted | ClauseStarted | ClauseFinished | RunFinished
