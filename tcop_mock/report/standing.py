"""What a whole run says, in one word and one sentence."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result

if TYPE_CHECKING:
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.verdict import Verdict


class Standing(StrEnum):
    """How the receiver stands after a run."""

    KEPT = "kept"
    BROKEN = "broken"
    UNJUDGED = "unjudged"
    """Nothing broken was found, but not all that counts could be judged."""


def counts(clause: Clause, fail_on: Level) -> bool:
    """Tell whether a broken clause of this level fails the run."""
    return clause.level is Level.MUST or (clause.level is Level.SHOULD and fail_on is Level.SHOULD)


def standing(verdict: Verdict, fail_on: Level) -> tuple[Standing, str]:
    """Return how the receiver stands, and a sentence that says so.

    Args:
        verdict: what was found.
        fail_on: the least level that counts; ``may`` never does.
    """
    results = [item.result for item in verdict.results if counts(item.clause, fail_on)]
    broken, unknown = results.count(Result.FAIL), results.count(Result.ERROR)
    if broken:
        return Standing.BROKEN, f"the contract is broken: {_clauses(broken)} that must be kept"
    if unknown:
        return Standing.UNJUDGED, f"not judged in full: {_clauses(unknown)} that must be kept could not be run"
    if Result.PASS not in results:
        return Standing.UNJUDGED, "no clause that must be kept was run, so this says nothing about the receiver"
    below = sum(item.result is Result.FAIL for item in verdict.results)
    note = f" ({_clauses(below)} below --fail-on broken)" if below else ""
    return Standing.KEPT, f"the contract is kept{note}"


def _clauses(number: int) -> str:
    return f"{number} clause" if number == 1 else f"{number} clauses"
