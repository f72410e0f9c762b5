"""Attribution: what one clause leaves out is reported by the clause that its reason names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.contract.clause_outcome import LATE_CLAUSE, LOAD_CLAUSE, ClauseOutcome
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tcop_mock.contract.clause_outcome import Exclusion
    from tcop_mock.contract.findings import Failure
    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import Clause

NAMED_CLAUSES = frozenset(
    {"TCM101", LATE_CLAUSE, "TCM201", "TCM202", "TCM409", "TCM505", LOAD_CLAUSE, "TCM519", "TCM527", "TCM601"}
)
"""Clauses that reasons name. Their results are final only at the end of a run."""

_COLLECTING_CLAUSES = frozenset({LATE_CLAUSE, LOAD_CLAUSE})
"""They report what other clauses met also if they fail already: late responses are one cause, wherever they are met."""

_BROKEN = frozenset({ClauseStatus.FAIL, ClauseStatus.KNOWN})


def attributed_results(
    results: Mapping[str, ClauseResult],
    outcomes: Mapping[str, ClauseOutcome],
    context_of: Callable[[Clause, tuple[str, ...]], ReproductionContext],
) -> dict[str, ClauseResult]:
    """Return the results by code, with each exclusion reported.

    The case becomes a failure of the clause that the reason names, unless that one failed already. If that clause has
    no result of its own, the clause that left the case out has the status ``error``: nobody reports the reason.

    Args:
        results: by code.
        outcomes: of the clauses that sent requests, by code.
        context_of: returns the context of a clause's findings, with the codes of the clauses that met them.
    """
    failures, met_by, unreported = _reported(results, outcomes)
    settled = dict(results)
    for code, reasons in unreported.items():
        if results[code].status is ClauseStatus.PASS:
            settled[code] = replace(results[code], status=ClauseStatus.ERROR, reason="; ".join(dict.fromkeys(reasons)))
    for code, by_case in failures.items():
        if code == LOAD_CLAUSE and results[code].status is ClauseStatus.PASS and _are_of_one_moment(by_case.values()):
            settled[code] = _with_stall(results[code], by_case.values())
            continue
        context = context_of(results[code].clause, tuple(dict.fromkeys(met_by[code])))
        outcome = outcomes.get(code, ClauseOutcome()).with_failures(tuple(by_case.values()))
        settled[code] = replace(outcome.to_result(context), duration_s=results[code].duration_s)
    return settled


def _reported(
    results: Mapping[str, ClauseResult], outcomes: Mapping[str, ClauseOutcome]
) -> tuple[dict[str, dict[tuple[str, str], Failure]], dict[str, list[str]], dict[str, list[str]]]:
    """Return what each clause reports for others, which clauses met it, and the reasons that no clause reports."""
    causes = {(finding.cause, finding.shape) for result in results.values() for finding in result.findings}
    failures: dict[str, dict[tuple[str, str], Failure]] = {}
    met_by: dict[str, list[str]] = {}
    unreported: dict[str, list[str]] = {}
    for code, outcome in outcomes.items():
        for exclusion in outcome.skipped:
            failure = exclusion.failure
            if failure and failure.case.is_changed:
                if (failure.text, failure.case.shape_id) not in causes:  # else the clause about that change reports it
                    unreported.setdefault(code, []).append(exclusion.reason)
                continue
            reporter = _reporter(exclusion, results)
            if reporter and failure:
                met_by.setdefault(reporter, []).append(code)
                failures.setdefault(reporter, {})[failure.title, failure.text] = failure
            elif not _is_reported(exclusion, results):
                unreported.setdefault(code, []).append(exclusion.reason)
    return failures, met_by, unreported


def _with_stall(result: ClauseResult, failures: Collection[Failure]) -> ClauseResult:
    titles = ", ".join(failure.title for failure in failures)
    note = f"{titles}: late at one moment, and in time alone and in a burst"
    return replace(result, reason="; ".join(filter(None, (result.reason, note))))


def _are_of_one_moment(failures: Collection[Failure]) -> bool:
    """Return whether all failures are late answers to requests in flight together: the machine may have stood still."""
    attempts = [failure.attempt for failure in failures]
    are_late = all(attempt.outcome is Outcome.TIMED_OUT for attempt in attempts)
    return are_late and max(one.started_s for one in attempts) < min(one.ended_s for one in attempts)


def _reporter(exclusion: Exclusion, results: Mapping[str, ClauseResult]) -> str | None:
    """Return the code of the clause that has to report an exclusion and does not yet."""
    named = [code for code in exclusion.codes if code in results]
    for code in named:
        if results[code].status in _BROKEN and code not in _COLLECTING_CLAUSES:
            return None
    return next((code for code in named if results[code].status is not ClauseStatus.NOT_RUN), None)


def _is_reported(exclusion: Exclusion, results: Mapping[str, ClauseResult]) -> bool:
    return not exclusion.codes or any(code in results and results[code].status in _BROKEN for code in exclusion.codes)
