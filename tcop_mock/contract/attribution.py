"""Attribution of failures to clauses.

A clause may leave out a case and name another clause in the reason; that clause reports the case. If one request broke
the receiver permanently, that request is the finding, and later failures are not findings of other clauses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import BUSY_MACHINE, describe_response
from tcop_mock.contract.clause_outcome import (
    CLAUSE_CODES,
    LATE_CLAUSE,
    LOAD_CLAUSE,
    NOBODYS_STATUSES,
    ClauseOutcome,
    Exclusion,
)
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.plan import EFFECT_PHASES
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import Clause, ClauseTest, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport

NAMED_CLAUSES = frozenset(
    {"TCM101", LATE_CLAUSE, "TCM201", "TCM202", "TCM409", "TCM505", LOAD_CLAUSE, "TCM519", "TCM527", "TCM601"}
)
"""Clauses that reasons name. Their results are final only at the end of a run."""

_COLLECTING_CLAUSES = frozenset({LATE_CLAUSE, LOAD_CLAUSE})
"""Clauses that report cases of others even if they fail already: late responses have one cause in all clauses."""

_BROKEN = frozenset({ClauseStatus.FAIL, ClauseStatus.KNOWN})
_GONE = frozenset({Outcome.REFUSED, Outcome.RESET_BEFORE_ANSWER})
_CATALOGUE_CLAUSE = "TCM101"
"""The clause whose requests are callbacks as the catalogue has them."""


def attributed_results(
    results: Mapping[str, ClauseResult],
    outcomes: Mapping[str, ClauseOutcome],
    context_of: Callable[[Clause, tuple[str, ...]], ReproductionContext],
) -> dict[str, ClauseResult]:
    """Return the results by code, with each exclusion reported.

    The case becomes a failure of the clause that the reason names, unless that one failed already. If that clause has
    no result of its own, the clause that left the case out has the status ``error``: nobody reports the reason.

    Args:
        results: results by code.
        outcomes: outcomes of the clauses that sent requests, by code.
        context_of: returns the context of a clause's findings, with the codes of the clauses whose requests met them.
    """
    failures, met_by, unreported = _reported(results, outcomes)
    settled = dict(results)
    for code, reasons in unreported.items():
        if results[code].status is ClauseStatus.PASS:
            settled[code] = replace(results[code], status=ClauseStatus.ERROR, reason="; ".join(dict.fromkeys(reasons)))
    for code, by_case in failures.items():
        if code == LOAD_CLAUSE and BUSY_MACHINE in results[code].reason and _are_late(by_case.values()):
            continue
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
    """Return the failures that each clause reports for others, the clauses that met them, and unreported reasons."""
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
            if failure and reporter == LOAD_CLAUSE and _is_late_beside_observer(failure, results[code], results):
                continue
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


def _is_late_beside_observer(failure: Failure, result: ClauseResult, results: Mapping[str, ClauseResult]) -> bool:
    """Return whether a push was late only while the receiver's effects were observed, not alone and not in the burst.

    The observer may have made it late, so no clause fails; the clause that sent the push reports the exclusion.
    """
    is_late = failure.attempt.outcome is Outcome.TIMED_OUT and result.clause.phase in EFFECT_PHASES
    return is_late and results[LOAD_CLAUSE].status is ClauseStatus.PASS


def _are_late(failures: Collection[Failure]) -> bool:
    return all(failure.attempt.outcome is Outcome.TIMED_OUT for failure in failures)


def _are_of_one_moment(failures: Collection[Failure]) -> bool:
    """Return whether all failures are late answers to requests in flight together: the machine may have stood still."""
    attempts = [failure.attempt for failure in failures]
    return _are_late(failures) and max(one.started_s for one in attempts) < min(one.ended_s for one in attempts)


def _reporter(exclusion: Exclusion, results: Mapping[str, ClauseResult]) -> str | None:
    """Return the code of the clause that has to report an exclusion and does not yet."""
    named = [code for code in exclusion.codes if code in results]
    for code in named:
        if results[code].status in _BROKEN and code not in _COLLECTING_CLAUSES:
            return None
    return next((code for code in named if results[code].status is not ClauseStatus.NOT_RUN), None)


def _is_reported(exclusion: Exclusion, results: Mapping[str, ClauseResult]) -> bool:
    return not exclusion.codes or any(code in results and results[code].status in _BROKEN for code in exclusion.codes)


class SentRequest(NamedTuple):
    """A request and its attempt."""

    request: OutgoingRequest
    attempt: Attempt


@dataclass(slots=True)
class RequestLog:
    """A transport that records the requests, in the order in which the attempts ended.

    Args:
        transport: sends a request.
    """

    transport: Transport
    sent: list[SentRequest] = field(default_factory=list, init=False)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        attempt = await self.transport(request, deadline_s=deadline_s, intended_s=intended_s)
        self.sent.append(SentRequest(request, attempt))
        return attempt


class Breakdown(NamedTuple):
    """The request after which the receiver accepts nothing."""

    code: str
    """Code of the clause that sent it."""
    case: RequestCase
    attempt: Attempt
    later: tuple[Attempt, ...]
    """The attempts that ended after it."""
    plain: Attempt
    """Attempt of a plain callback, sent alone afterwards."""

    def without_consequences(self, outcome: ClauseOutcome, reporter: str) -> ClauseOutcome:
        """Return an outcome without the results after the request.

        Args:
            outcome: of any clause.
            reporter: the code of the clause that reports the breakdown.
        """
        later = {id(attempt) for attempt in self.later}
        if self.attempt.status is None and reporter != self.code:  # it ended the receiver: no other cause is needed
            later.add(id(self.attempt))
        consequences = [failure for failure in outcome.failures if id(failure.attempt) in later]
        titles = {failure.title for failure in consequences}
        skipped = [
            exclusion._replace(reason=CLAUSE_CODES.sub(f"({reporter})", exclusion.reason))
            if exclusion.failure and id(exclusion.failure.attempt) in later
            else exclusion
            for exclusion in outcome.skipped
        ]
        skipped += [
            Exclusion(failure.title, f"{failure.title}: {failure.text} ({reporter})", failure)
            for failure in consequences
        ]
        return replace(
            outcome,
            failures=tuple(failure for failure in outcome.failures if failure.title not in titles),
            skipped=tuple(skipped),
            asserted=outcome.asserted - titles,
            rerun=outcome.rerun - titles,
        )

    def failure(self, plain_case: RequestCase | None) -> Failure:
        """Return the failure that the reporting clause reports.

        Args:
            plain_case: the plain callback; ``None``: the clause that sent the request reports it.
        """
        answer = describe_response(self.plain)
        if plain_case:
            text = f"{answer}, as all callbacks since {self.case.title!r} of {self.code}"
            return Failure(plain_case, self.plain, text, cause=f"{answer} since one request")
        text = f"{describe_response(self.attempt)}, and all callbacks after it are {answer}"
        return Failure(self.case, self.attempt, text)


def is_broken(plain: Attempt) -> bool:
    """Return whether an answer to a plain callback is one of a receiver that is broken or gone, not busy or slow."""
    if plain.outcome in _GONE:
        return True
    status = plain.status or HTTPStatus.OK
    if plain.outcome is Outcome.CANCELLED:  # it has no result
        return False
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in NOBODYS_STATUSES


def is_suspect(sent: Sequence[SentRequest]) -> bool:
    """Return whether the receiver accepted nothing since it broke for the first time after its last good answer."""
    for one in reversed(sent):
        if one.attempt.accepted:
            return False
        if is_broken(one.attempt):
            return True
    return False


def find_breakdown(
    sent: Sequence[SentRequest], tests: Mapping[tuple[str, int], ClauseTest], plain: Attempt
) -> Breakdown | None:
    """Return the request that broke the receiver; ``None`` if no case was sent when it broke.

    Of several requests in flight, it is the one that is least like a callback.

    Args:
        sent: all requests of the run, in the order in which their attempts ended.
        tests: requests of the clauses.
        plain: attempt of a plain callback afterwards.
    """
    last_good = max((index for index, one in enumerate(sent) if one.attempt.accepted), default=-1)
    rejected = (index for index, one in enumerate(sent) if index > last_good and one.attempt.status == plain.status)
    first_bad = next(rejected, None)
    if last_good < 0 or first_bad is None:
        return None
    since_s, until_s = sent[last_good].attempt.started_s, sent[first_bad].attempt.ended_s
    cases = _cases_by_request(tests)
    candidates = [
        (one.attempt.status != plain.status, *_likeness(*cases[key]), index)
        for index, one in enumerate(sent)
        if (key := _request_key(one.request)) in cases
        and (index == first_bad or (one.attempt.ended_s > since_s and one.attempt.started_s < until_s))
    ]
    if not candidates:
        return None
    index = min(candidates)[-1]
    code, case = cases[_request_key(sent[index].request)]
    later = tuple(one.attempt for one in sent[last_good + 1 :] if one is not sent[index])
    return Breakdown(code, case, sent[index].attempt, later, plain)


def _likeness(code: str, case: RequestCase) -> tuple[bool, bool]:
    """Return whether a request has the form of a callback, and whether it is one of the catalogue."""
    request = case.request
    is_malformed = request.method != "POST" or request.truncate_at is not None or not _is_object(request.body)
    return not is_malformed, code == _CATALOGUE_CLAUSE


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _request_key(request: OutgoingRequest) -> tuple[str, str, bytes, int | None]:
    return request.method, request.query, request.body, request.truncate_at


def _cases_by_request(
    tests: Mapping[tuple[str, int], ClauseTest],
) -> dict[tuple[str, str, bytes, int | None], tuple[str, RequestCase]]:
    cases: dict[tuple[str, str, bytes, int | None], tuple[str, RequestCase]] = {}
    for (code, _), test in tests.items():
        for case in _cases_of(test):
            cases.setdefault(_request_key(case.request), (code, case))
    return cases


def _cases_of(test: ClauseTest) -> Iterable[RequestCase]:
    return (case for group in test.groups for case in group.cases)
