"""What became of a clause's cases, in company and alone."""

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
"""Statuses that say "not now", as an honest receiver may to more requests a second than TCOP sends."""


@dataclass(frozen=True, slots=True)
class ClauseOutcome:
    """What became of a clause's cases, which are known by their titles."""

    failures: tuple[Failure, ...] = ()
    inconclusive: tuple[str, ...] = ()
    """Why what was sent could not be judged."""
    skipped: tuple[str, ...] = ()
    """Why cases were not sent."""
    not_applicable: tuple[str, ...] = ()
    """What the receiver does not do that cases are about."""
    asserted: frozenset[str] = frozenset()
    not_sent: frozenset[str] = frozenset()
    """Cases that were not sent because others had no answer."""
    rerun: frozenset[str] = frozenset()
    """Cases that another hearing may find otherwise: broken, not to be judged, or not sent."""

    def merge_rerun(self, sequential: ClauseOutcome) -> ClauseOutcome:
        """Put what was heard alone in place of what was doubtful in company.

        What was without an answer in company and is not heard alone, because others had no answer there either, stays.
        """
        unanswered = tuple(failure for failure in self.failures if failure.title in sequential.not_sent)
        asserted = (self.asserted - self.rerun) | sequential.asserted | {failure.title for failure in unanswered}
        return replace(sequential, failures=(*sequential.failures, *unanswered), asserted=asserted)

    def load_only_failures(self, sequential: ClauseOutcome) -> tuple[Failure, ...]:
        """Return what was refused in company and taken alone: what a receiver gets wrong under load and not else."""
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
        """Return the same with problems that others have found."""
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
        return ClauseResult(clause, ClauseStatus.PASS, reason=_join_unique(f"left out: {reason}" for reason in skipped))


def select_cases(test: ClauseTest, titles: Collection[str]) -> ClauseTest:
    """Return a play with these cases only; cases that are judged together stay together."""
    groups = []
    for group in test.groups:
        cases = tuple(case for case in group.cases if case.title in titles)
        keep_whole = group.any_accepted or test.send_order is not SendOrder.PARALLEL
        if cases:
            groups.append(group if keep_whole else replace(group, cases=cases))
    scenarios = tuple(scenario for scenario in test.effect_scenarios if scenario.title in titles)
    return replace(test, groups=tuple(groups), effect_scenarios=scenarios)


def is_concurrent(test: ClauseTest) -> bool:
    """Say whether a play is about requests that come at once."""
    return test.send_order is SendOrder.BURST or any(
        step.send_mode is SendMode.CONCURRENT for scenario in test.effect_scenarios for step in scenario.steps
    )


def _join_unique(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))


def _format_cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
