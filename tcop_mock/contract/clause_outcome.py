"""The outcome of the cases of a clause, concurrently and sequentially."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import FAILED_CALL, TOO_SLOW, cancelled_reason, describe_response
from tcop_mock.contract.findings import Failure, findings
from tcop_mock.domain.contract import SendMode, SendOrder
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import ClauseTest, EffectScenario, RequestCase
    from tcop_mock.domain.delivery import Attempt

_BUSY_STATUSES = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses with which a correct receiver may answer more requests per second than TCOP sends."""

NOBODYS_STATUSES = frozenset({HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses with which a correct receiver may answer one request of many: no clause reports them."""

CLAUSE_CODES = re.compile(r"\((TCM\d{3}(?:, TCM\d{3})*)\)")
"""The clauses that a reason names, as in ``answered 500 (TCM101)``."""

LATE_CLAUSE, LOAD_CLAUSE = "TCM102", "TCM515"
"""The clauses that report late responses, and failures under concurrency only."""

_MAX_SHAPES_WITH_MAIN = 10
_RERUN_ALIKE = 2
"""Number of slow failures of a kind that are rerun alone."""

NOT_REPEATED = "beside other callbacks; no time was left to repeat it alone"


def named_codes(reason: str) -> tuple[str, ...]:
    """Return the codes of the clauses that a reason names, each once."""
    return tuple(dict.fromkeys(code for match in CLAUSE_CODES.finditer(reason) for code in match[1].split(", ")))


class Exclusion(NamedTuple):
    """One case that a clause leaves out, and why."""

    title: str
    """Title of the case."""
    reason: str
    """It names the clause that reports the cause, if there is one: ``answered 500 (TCM101)``."""
    failure: Failure | None = None
    """The failure that this clause reports."""
    is_repeated: bool = True
    """Whether the failure occurred again with no other request in flight."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the clauses that report the cause; empty: no clause does."""
        return named_codes(self.reason)

    @property
    def is_refusal(self) -> bool:
        """Whether a request that the case needs was not accepted, whichever clause reports it."""
        return self.failure is not None or self.reason == TOO_SLOW or FAILED_CALL in self.reason


def refusal(title: str, case: RequestCase, attempt: Attempt, label: str = "") -> Exclusion:
    """Return the exclusion of a case because a request that it needs is not accepted.

    Args:
        title: title of the case that is left out.
        case: the request that is not accepted.
        attempt: its attempt.
        label: name of the request in the reason; by default its title.
    """
    if attempt.outcome is Outcome.CANCELLED:
        return Exclusion(title, cancelled_reason(attempt))
    label, text = label or case.title, _describe(attempt)
    if attempt.outcome is Outcome.TIMED_OUT:
        reason = f"{label} is not answered inside the deadline ({LATE_CLAUSE})"
    elif attempt.status in NOBODYS_STATUSES or case.is_changed:
        reason = f"{label}: {text}"
    else:
        reason = f"{label}: {text} (TCM101)"
    return Exclusion(title, reason, Failure(case, attempt, text))


def is_late(failure: Failure) -> bool:
    """Return whether a failure is a missing response to a callback that was sent as TCOP sends it."""
    request = failure.case.request
    is_plain_request = request.method == "POST" and not (
        request.segment_sizes or request.chunked or request.reuse_connection or request.truncate_at is not None
    )
    return is_plain_request and failure.attempt.outcome is Outcome.TIMED_OUT and failure.attempt.status is None


def _describe(attempt: Attempt) -> str:
    return attempt.parse_errors[0].message if attempt.parse_errors else describe_response(attempt)


@dataclass(frozen=True, slots=True)
class ClauseOutcome:
    """The outcome of the cases of a clause, which are identified by their titles."""

    failures: tuple[Failure, ...] = ()
    inconclusive: tuple[str, ...] = ()
    """Why cases that were sent are inconclusive."""
    skipped: tuple[Exclusion, ...] = ()
    """Cases that are left out, and why."""
    not_applicable: tuple[str, ...] = ()
    """Behaviour that the receiver lacks, although cases are about it."""
    asserted: frozenset[str] = frozenset()
    not_sent: frozenset[str] = frozenset()
    """Cases that were not sent because others had no answer."""
    too_slow: frozenset[str] = frozenset()
    """Cases that were given up, or not sent, because the run had waited too long for others."""
    rerun: frozenset[str] = frozenset()
    """Cases to rerun sequentially: failed, inconclusive, or not sent; not those that nothing else made late."""
    main_title: str = ""
    """The first case. Without its result the clause does not pass."""
    notes: tuple[str, ...] = ()
    """Notes of a passed clause for the reader."""

    @property
    def is_only_late(self) -> bool:
        """Whether there are failures, and all of them are answers that came late or not at all."""
        return bool(self.failures) and all(one.attempt.outcome is Outcome.TIMED_OUT for one in self.failures)

    def merge_rerun(self, sequential: ClauseOutcome, *, keeps_late: bool = False) -> ClauseOutcome:
        """Return this outcome with the results of the sequential rerun.

        A failure without a response stays if the rerun did not send its case, because others had no response.

        Args:
            sequential: the rerun.
            keeps_late: whether a late response stays for the clause about the deadline if the run could not wait for
                another one.
        """
        lost = sequential.too_slow if keeps_late else frozenset()
        unanswered = tuple(
            failure
            for failure in self.failures
            if failure.title not in self.rerun
            or failure.title in sequential.not_sent
            or (is_late(failure) and failure.title in lost)
        )
        late = tuple(
            exclusion
            for exclusion in self.skipped
            if exclusion.title not in self.rerun or (LATE_CLAUSE in exclusion.codes and exclusion.title in lost)
        )
        asserted = (self.asserted - self.rerun) | sequential.asserted | {failure.title for failure in unanswered}
        return replace(
            sequential,
            failures=(*sequential.failures, *unanswered),
            skipped=(*sequential.skipped, *late),
            asserted=asserted,
            main_title=self.main_title,
        )

    def vanished_failures(self, sequential: ClauseOutcome) -> tuple[Failure, ...]:
        """Return the concurrent failures whose cases passed sequentially."""
        failed_in_rerun = {failure.title for failure in sequential.failures}
        passed = sequential.asserted - failed_in_rerun
        return tuple(failure for failure in self.failures if failure.title in passed)

    def alike_slow_failures(self, slow_s: float) -> dict[str, str]:
        """Return the slow failures after the first ones of each kind: the first ones represent them.

        Args:
            slow_s: minimum duration of the attempts of these failures, in seconds.

        Returns:
            The text by the title.
        """
        slow: dict[str, list[str]] = {}
        for failure in self.failures:
            if failure.attempt.duration_s >= slow_s and failure.title in self.rerun:
                slow.setdefault(failure.text, []).append(failure.title)
        return {title: text for text, titles in slow.items() for title in titles[_RERUN_ALIKE:]}

    def with_failures(self, failures: Sequence[Failure]) -> ClauseOutcome:
        """Return the outcome with failures added."""
        titles = {failure.title for failure in failures}
        return replace(self, failures=(*self.failures, *failures), asserted=self.asserted | titles)

    def without_late(self) -> ClauseOutcome:
        """Return the outcome with late responses left out, because the clause about the deadline reports them."""
        late = [failure for failure in self.failures if is_late(failure)]
        exclusions = tuple(
            Exclusion(failure.title, f"{failure.title} is not answered inside the deadline ({LATE_CLAUSE})", failure)
            for failure in late
        )
        return replace(
            self,
            failures=tuple(failure for failure in self.failures if not is_late(failure)),
            skipped=(*self.skipped, *exclusions),
            asserted=self.asserted - {failure.title for failure in late},
        )

    def blaming(self, code: str) -> ClauseOutcome:
        """Return the outcome with requests without a response named as failures of another clause; empty: of none."""
        exclusions = tuple(
            exclusion
            if exclusion.failure is None or exclusion.failure.attempt.status is not None
            else exclusion._replace(reason=CLAUSE_CODES.sub(f"({code})" if code else "", exclusion.reason).strip())
            for exclusion in self.skipped
        )
        return replace(self, skipped=exclusions)

    def cut_short(self, *, is_concurrent: bool) -> ClauseOutcome:
        """Return the outcome that is known when the time of the run is over.

        Args:
            is_concurrent: whether other requests were in flight, so a failure is marked as not repeated.
        """
        if not is_concurrent:
            return self
        busy = [failure for failure in self.failures if failure.attempt.status in _BUSY_STATUSES]
        failures = tuple(
            failure._replace(text=f"{failure.text}, {NOT_REPEATED}", cause="")
            for failure in self.failures
            if failure not in busy
        )
        reasons = tuple(f"{failure.title}: {failure.text}, {NOT_REPEATED}" for failure in busy)
        return replace(self, failures=failures, inconclusive=(*self.inconclusive, *reasons))

    def to_result(self, context: ReproductionContext) -> ClauseResult:
        """Return the clause's result."""
        clause, skipped = context.clause, [one.reason for one in self.skipped if one.title not in self.asserted]
        notes = [one.reason for one in self.skipped if one.title in self.asserted]
        if self.not_sent:
            skipped.append(f"{_format_cases(len(self.not_sent))}, after others had no answer")
        if self.not_applicable and not (self.failures or self.inconclusive or self.asserted or skipped):
            return ClauseResult(clause, ClauseStatus.NOT_RUN, reason=_join_unique(self.not_applicable))
        if not (self.rerun or self.asserted or self.inconclusive or skipped):
            reason = f"callbacks of profile {context.profile} have nothing that it could change"
            return ClauseResult(clause, ClauseStatus.NOT_RUN, reason=reason)
        if self.failures:
            passed = self._passed_cases(context.test) if context.test else ()
            return ClauseResult(
                clause,
                ClauseStatus.FAIL,
                findings=findings(self.failures, len(self.asserted), context, passed),
            )
        if self.inconclusive or not self.asserted or self._lacks_main_case():
            return ClauseResult(clause, ClauseStatus.ERROR, reason=_join_unique([*self.inconclusive, *skipped]))
        reasons = [*self.notes, *notes, *(f"left out: {reason}" for reason in (*skipped, *self.not_applicable))]
        return ClauseResult(clause, ClauseStatus.PASS, reason=_join_unique(reasons))

    def with_vanished(self, failure: Failure, repeated: Failure | None, repetitions: int) -> ClauseOutcome:
        """Return the outcome with a failure that vanished when its case was first sent alone.

        Args:
            failure: the failure with other callbacks in flight.
            repeated: the same failure, alone, if it occurred again.
            repetitions: number of times that the case was sent alone.
        """
        if repeated is not None:
            text = f"{failure.text}, now and then: again alone, at attempt {repetitions + 1}"
            return self.with_failures([repeated._replace(text=text, cause=f"{failure.text}, now and then")])
        burst_failure = load_failure(failure, repetitions)
        if burst_failure:
            reason = f"{failure.title}: {burst_failure.cause} ({LOAD_CLAUSE})"
            return replace(self, skipped=(*self.skipped, Exclusion(failure.title, reason, burst_failure)))
        note = f"{failure.title}: {failure.text} once, and not in {repetitions} repetitions alone"
        return replace(self, notes=(*self.notes, note))

    def _passed_cases(self, test: ClauseTest) -> tuple[RequestCase, ...]:
        """Return the cases that have a result and did not fail, each scenario by its last request."""
        passed = self.asserted - {failure.title for failure in self.failures}
        cases = [case for group in test.groups for case in group.cases if case.title in passed]
        cases += [
            next(step.cases[-1] for step in reversed(scenario.steps) if step.cases)
            for scenario in test.effect_scenarios
            if scenario.title in passed
        ]
        return tuple(cases)

    def _lacks_main_case(self) -> bool:
        """Return whether the first case, or most cases, are inconclusive because a request was not accepted."""
        refused = {exclusion.title for exclusion in self.skipped if exclusion.is_refusal} - self.asserted
        if not refused:
            return False
        return self.main_title in refused or len(refused) + len(self.not_sent) > len(self.asserted)


def load_failure(failure: Failure, repetitions: int) -> Failure | None:
    """Return the failure that the clause about bursts reports for a callback that fails only with others in flight.

    Args:
        failure: the failure with other callbacks in flight.
        repetitions: number of times that the same callback was accepted alone.

    Returns:
        None if a correct receiver may do so: it is busy, or the request is not a callback.
    """
    attempt = failure.attempt
    is_failed = attempt.status is None or attempt.status >= HTTPStatus.BAD_REQUEST
    if not is_failed or attempt.status in _BUSY_STATUSES or failure.case.request.method != "POST":
        return None
    text = _describe(attempt)
    return failure._replace(
        text=f"{text} only under concurrency: beside other callbacks, and not alone in {repetitions} repetitions",
        cause=f"{text} only under concurrency",
    )


def main_case(cases: Sequence[RequestCase] | Sequence[EffectScenario]) -> str:
    """Return the title of the case that a clause is about: the first one. Cases of many products have none."""
    if not cases or len({case.shape_id for case in cases}) > _MAX_SHAPES_WITH_MAIN:
        return ""
    return cases[0].title


def select_cases(test: ClauseTest, titles: Collection[str]) -> ClauseTest:
    """Return a test with these cases only; cases that are checked together stay together."""
    groups = []
    for group in test.groups:
        cases = tuple(case for case in group.cases if case.title in titles)
        keep_whole = group.any_accepted or test.send_order is not SendOrder.CONCURRENT
        if cases:
            groups.append(group if keep_whole else replace(group, cases=cases))
    scenarios = tuple(scenario for scenario in test.effect_scenarios if scenario.title in titles)
    return replace(test, groups=tuple(groups), effect_scenarios=scenarios)


def is_concurrent(test: ClauseTest) -> bool:
    """Return whether a test sends requests at the same time on purpose."""
    return test.send_order is SendOrder.BURST or any(
        step.send_mode is SendMode.CONCURRENT for scenario in test.effect_scenarios for step in scenario.steps
    )


def most_at_once(test: ClauseTest) -> int:
    """Return how many requests a test sends at the same time on purpose; 1: as many as the run wants."""
    sizes = [len(group.cases) for group in test.groups if test.send_order is SendOrder.BURST]
    sizes += [2 for group in test.groups if group.background]
    sizes += [
        len(step.cases)
        for scenario in test.effect_scenarios
        for step in scenario.steps
        if step.send_mode is SendMode.CONCURRENT
    ]
    return max(sizes, default=1)


def _join_unique(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))


def _format_cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
