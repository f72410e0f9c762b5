"""Whether the receiver still answers, and which request broke it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import describe_response
from tcop_mock.contract.attribution import RequestLog, find_breakdown, is_broken, is_suspect
from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.clauses import assertion_of
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.request_runner import LATE_BODY_TIMEOUT_S
from tcop_mock.domain.contract import Phase
from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.limits import BoundedWaitTransport
    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.contract.run_results import RunResults
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.delivery import OutgoingRequest, Transport
    from tcop_mock.domain.verdict import ClauseResult

_CHECKED_PHASES = frozenset({Phase.MALFORMED_INPUT, Phase.DEEP_NESTING})
"""Phases before which a plain callback is sent."""
_ATTEMPTS = 2


@dataclass(slots=True)
class Liveness:
    """Sends plain callbacks to find out whether the receiver still answers.

    Args:
        transport: sends a request, however long it takes.
        bounded: sends a request of a clause.
        log: the requests that the run sent.
        results: the results of the run so far.
    """

    transport: Transport
    bounded: BoundedWaitTransport
    log: RequestLog
    results: RunResults
    is_checked: bool = field(default=False, init=False)
    """Whether a plain callback was sent just before the malformed bodies."""
    was_alive: bool = field(default=True, init=False)
    """Whether that one was accepted."""

    async def check_before(
        self, phase: Phase, unrunnable_codes: Collection[str], factory: CaseFactory, preflight: Preflight
    ) -> bool:
        """Return whether a plain callback was accepted before the malformed bodies; send it if a phase needs it.

        Args:
            phase: the next phase.
            unrunnable_codes: codes of its clauses that are not run.
            factory: makes the plain callback.
            preflight: what is known of the receiver.
        """
        is_needed = phase in _CHECKED_PHASES or (phase is Phase.FINAL and not self.is_checked)
        if is_needed and any(clause.code not in unrunnable_codes for clause in self.results.pending(phase)):
            attempt = await self.transport(head_only(factory), deadline_s=preflight.deadline_s)
            self.is_checked, self.was_alive = True, attempt.accepted
        return self.was_alive

    async def is_alive(self, factory: CaseFactory, preflight: Preflight) -> bool:
        """Return whether the receiver still answers, with time to finish the requests that it has."""
        for _ in range(_ATTEMPTS):
            attempt = await self.bounded(head_only(factory), deadline_s=preflight.deadline_s)
            is_answered = attempt.status is not None and not (is_broken(attempt) and preflight.attempt.accepted)
            if is_answered or attempt.outcome is Outcome.CANCELLED or preflight.slow:
                return True
        return False

    async def dead_results(
        self, clauses: Sequence[Clause], factory: CaseFactory, preflight: Preflight
    ) -> dict[str, ClauseResult]:
        """Return the failures of the clauses about a receiver that answers, if it answers no more after the abuse."""
        about = [clause for clause in clauses if any(assertion_of(one).is_about_liveness for one in clause.assertions)]
        if not (about and self.is_checked and self.was_alive):
            return {}
        case = factory.plain_case()
        attempt = await self.transport(case.request, deadline_s=preflight.deadline_s)
        if attempt.status is not None:
            return {}
        outcome = ClauseOutcome().with_failures([Failure(case, attempt, describe_response(attempt))])
        return {clause.code: self.results.of(clause, outcome) for clause in about}

    async def has_broken_down(self, factory: CaseFactory, deadline_s: float) -> bool:
        """Return whether one request broke the receiver; send a plain callback to find out, where it may have.

        Args:
            factory: makes the plain callback.
            deadline_s: of its attempt.
        """
        if self.results.breakdown or not is_suspect(self.log.sent):
            return self.results.breakdown is not None
        plain_case = factory.plain_case()
        attempt = await self.transport(plain_case.request, deadline_s=deadline_s)
        breakdown = None
        if is_broken(attempt):
            breakdown = find_breakdown(self.log.sent, self.results.tests.built, attempt)
        if breakdown is None:
            return False
        self.results.record_breakdown(breakdown, ClauseOutcome().with_failures([breakdown.failure(plain_case)]))
        return True


def head_only(factory: CaseFactory) -> OutgoingRequest:
    """Return a plain callback of whose answer only the head is waited for."""
    return replace(factory.plain_case().request, body_timeout_s=LATE_BODY_TIMEOUT_S)
