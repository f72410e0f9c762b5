"""The outcome of the cases of a clause, in parallel and sequentially."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.contract.findings import Failure, findings
from tcop_mock.domain.contract import SendMode, SendOrder
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import ClauseTest

_BUSY_STATUSES = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses with which a correct receiver may answer more requests per second than TCOP sends."""


@dataclass(frozen=True, slots=True)
class ClauseOutcome:
    """The outcome of the cases of a clause, which are identified by their titles."""

    failures: tuple[Failure, ...] = ()
    inconclusive: tuple[str, ...] = ()
    """Why cases that were sent have no result."""
    skipped: tuple[str, ...] = ()
    """Why cases were not sent."""
    not_applicable: tuple[str, ...] = ()
    """What the receiver does not do although cases are about it."""
    asserted: frozenset[str] = frozenset()
    not_sent: frozenset[str] = frozenset()
    """Cases that were not sent because others had no answer."""
    rerun: frozenset[str] = frozenset()
    """Cases to rerun sequentially: failed, without a result, or not sent."""

    def merge_rerun(self, sequential: ClauseOutcome) -> ClauseOutcome:
        """Return this outcome with the results of the sequential rerun.

        A failure without a response stays if the rerun did not send its case, because others had no response.
        """
        unanswered = tuple(failure for failure in self.failures if failure.title in sequential.not_sent)
        asserted = (self.asserted - self.rerun) | sequential.asserted | {failure.title for failure in unanswered}
        return replace(sequential, failures=(*sequential.failures, *unanswered), asserted=asserted)

    def load_only_failures(self, sequential: ClauseOutcome) -> tuple[Failure, ...]:
        """Return what was rejected in parallel and accepted sequentially: failures under load only."""
        failed_in_rerun = {failure.title for failure in sequential.failures}
        return tuple(
            failure._replace(text=f"answered {failure.attempt.status} beside other callbacks, and not alone")
            for failure in self.failures
            if failure.title in sequential.asserted - failed_in_rerun
            and failure.attempt.status is not None
            and failure.attempt.status >= HTTPStatus.BAD_REQUEST
            and failure.attempt.status not in _BUSY_STATUSES
            and failure.case.request.method == "POST"
        )

    def with_failures(self, failures: Sequence[Failure]) -> ClauseOutcome:
        """Return the outcome with failures of other clauses added."""
        titles = {failure.title for failure in failures}
        return replace(self, failures=(*self.failures, *failures), asserted=self.asserted | titles)

    def to_result(self, context: ReproductionContext) -> ClauseResult:
        """Return the clause's result."""
        clause, skipped = context.clause, [*self.skipped]
        if self.not_sent:
            skipped.append(f"{_format_cases(len(self.not_sent))}, after others had no answer")
        if self.not_applicable and not (self.failures or self.inconclusive or self.asserted or skipped):
            return ClauseResult(clause, ClauseStatus.NOT_RUN, reason=_join_unique(self.not_applicable))
        if not (self.rerun or self.asserted or self.inconclusive or skipped):
            reason = f"callbacks of profile {context.profile} have nothing that it could change"
            return ClauseResult(clause, ClauseStatus.NOT_RUN, reason=reason)
        if self.failures:
            return ClauseResult(
                clause, ClauseStatus.FAIL, findings=findings(self.failures, len(self.asserted), context)
            )
        if self.inconclusive or not self.asserted:
            return ClauseResult(clause, ClauseStatus.ERROR, reason=_join_unique([*self.inconclusive, *skipped]))
        left_out = [*skipped, *self.not_applicable]
        return ClauseResult(
            clause, ClauseStatus.PASS, reason=_join_unique(f"left out: {reason}" for reason in left_out)
        )


def select_cases(test: ClauseTest, titles: Collection[str]) -> ClauseTest:
    """Return a test with these cases only; cases that are checked together stay together."""
    groups = []
    for group in test.groups:
        cases = tuple(case for case in group.cases if case.title in titles)
        keep_whole = group.any_accepted or test.send_order is not SendOrder.PARALLEL
        if cases:
            groups.append(group if keep_whole else replace(group, cases=cases))
    scenarios = tuple(scenario for scenario in test.effect_scenarios if scenario.title in titles)
    return replace(test, groups=tuple(groups), effect_scenarios=scenarios)


def is_concurrent(test: ClauseTest) -> bool:
    """Return whether a test sends requests at the same time on purpose."""
    return test.send_order is SendOrder.BURST or any(
        step.send_mode is SendMode.CONCURRENT for scenario in test.effect_scenarios for step in scenario.steps
    )


def _join_unique(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))


def _format_cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
