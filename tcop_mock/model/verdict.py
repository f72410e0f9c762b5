"""What a run found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tcop_mock.model.clause import Clause
    from tcop_mock.model.shape import Shape


class Result(StrEnum):
    """What became of one clause."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    ERROR = "error"
    """It could not be judged; the reason says why."""
    NOT_RUN = "not-run"
    """It was left out; the reason says why."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Two ways to see a finding again, each runs as it stands."""

    curl: str
    cli: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken clause, with evidence and a way to see it again."""

    title: str
    detail: str
    shape: str | None
    evidence: str
    """The request and the answer, bounded, without credentials."""
    reproduce: Reproduction


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """What became of one clause."""

    clause: Clause
    result: Result
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    duration_s: float = 0.0
    """How long it was played."""


@dataclass(frozen=True, slots=True)
class Ran:
    """When, how long and on what a run ran."""

    started: datetime
    """With its time zone."""
    started_s: float
    """What the run's own clock said then."""
    duration_s: float
    deadline_s: float
    """Of one attempt, by the profile."""
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    """The catalogue in use, the user's own shapes included."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a whole run found."""

    target: str
    """Redacted."""
    profile: str
    seed: int
    assumptions: tuple[str, ...]
    results: tuple[ClauseResult, ...]
    ran: Ran | None = None
    """``None`` where nobody looked at a clock."""

    def count(self, result: Result) -> int:
        """Return how many clauses ended so."""
        return sum(1 for item in self.results if item.result is result)
