"""What a run tells as it goes. Terminal, JSON and JUnit only listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.verdict import ClauseResult, Verdict


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The target answers and the clauses are chosen."""

    target: str
    profile: str
    seed: int
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class ClauseStarted:
    """A clause is being played."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class ClauseFinished:
    """A clause has been judged, could not be, or was left out."""

    result: ClauseResult


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event of a run, also of one that was cut short."""

    verdict: Verdict


RunEvent: TypeAlias = RunStarted | ClauseStarted | ClauseFinished | RunFinished
