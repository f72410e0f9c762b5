"""Sends requests again alone, before a clause reports what went wrong beside other requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tcop_mock.contract.clause_outcome import (
    LOAD_CLAUSE,
    NOBODYS_STATUSES,
    ClauseOutcome,
    Exclusion,
    load_failure,
    select_cases,
)
from tcop_mock.contract.request_runner import MAX_REPETITION_S, RequestRunner, in_new_session
from tcop_mock.domain.contract import Phase
from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.contract.findings import Failure
    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.delivery import Transport

_REPETITIONS = 24
"""How often a case that failed once is sent again alone. A fault in one of eight responses shows with 96 %."""
_MAX_REPEATED_CASES = 12
_MAX_REPEATED_CASES_OF_CLAUSE = 2
_SLOW_SHARE = 0.1
"""Cases that fail alike, after such a share of the deadline, are not all rerun alone."""


@dataclass(slots=True)
class Repeater:
    """Sends requests again alone.

    Args:
        transport: sends a request.
        deadline_s: of one attempt.
        cases_left: how many more cases may be repeated many times.
    """

    transport: Transport
    deadline_s: float
    cases_left: int = _MAX_REPEATED_CASES

    async def rerun(
        self,
        clause: Clause,
        tests: tuple[ClauseTest, ClauseTest],
        parallel_outcome: ClauseOutcome,
        runner: RequestRunner,
        run_alone: Callable[[ClauseTest], Awaitable[ClauseOutcome]],
    ) -> ClauseOutcome:
        """Run the failed cases of a clause alone.

        A failure in parallel proves nothing about the clause: the receiver may serve one request at a time, have a
        race, limit the rate, or have died of another clause's body. One success alone proves as little: the fault may
        occur now and then, so the case is repeated many times.

        Args:
            clause: the clause.
            tests: what it sends, first and in the rerun.
            parallel_outcome: of its cases beside other requests.
            runner: repeats one case.
            run_alone: runs cases with no other request in flight.
        """
        test, whole_rerun = tests
        alike = parallel_outcome.alike_slow_failures(_SLOW_SHARE * self.deadline_s)
        rerun_test = select_cases(whole_rerun, parallel_outcome.rerun - alike.keys())
        rerun_outcome = await run_alone(rerun_test)
        if not set(alike.values()) <= {failure.text for failure in rerun_outcome.failures}:
            rerun_test = select_cases(whole_rerun, parallel_outcome.rerun)
            rerun_outcome = await run_alone(rerun_test)
        elif alike:
            rerun_outcome = replace(rerun_outcome, not_sent=rerun_outcome.not_sent | alike.keys())
        outcome = parallel_outcome.merge_rerun(rerun_outcome, keeps_late=clause.phase is Phase.MAIN)
        texts: set[str] = set()
        for failure in parallel_outcome.vanished_failures(rerun_outcome):
            repetitions, repeated = 1, None
            if failure.text not in texts and len(texts) < _MAX_REPEATED_CASES_OF_CLAUSE and self.cases_left:
                texts.add(failure.text)
                self.cases_left -= 1
                repetitions, repeated = await runner.repeat(clause, test, failure, _REPETITIONS)
            outcome = outcome.with_vanished(failure, repeated, repetitions)
        return outcome

    async def repeat_exclusions(self, outcomes: dict[str, ClauseOutcome]) -> None:
        """Repeat alone the requests of effect scenarios that were not accepted, before another clause reports them."""
        repeated: dict[tuple[str, str | None], bool | None] = {}
        for code, outcome in outcomes.items():
            exclusions = []
            for exclusion in outcome.skipped:
                failure = exclusion.failure
                if failure is None or exclusion.is_repeated or not exclusion.codes:
                    exclusions.append(exclusion)
                    continue
                kind = (failure.text, failure.case.shape_id)
                if kind not in repeated:
                    repeated[kind] = await self._fails_alone(failure)
                if repeated[kind] is not False:
                    exclusions.append(exclusion._replace(is_repeated=bool(repeated[kind])))
                    continue
                burst_failure = load_failure(failure, _REPETITIONS)
                reason = f"{failure.title}: {failure.text}, and not again alone"
                named = f"{reason} ({LOAD_CLAUSE})" if burst_failure else reason
                exclusions.append(Exclusion(exclusion.title, named, burst_failure))
            outcomes[code] = replace(outcome, skipped=tuple(exclusions))

    async def _fails_alone(self, failure: Failure) -> bool | None:
        """Send the request of a failure again alone, in new sessions; return whether it is not accepted again.

        Returns:
            ``None`` if the receiver is too slow to find out.
        """
        spent_s = 0.0
        for number in range(1, _REPETITIONS + 1):
            request = in_new_session(failure.case.request, number)
            attempt = await self.transport(request, deadline_s=self.deadline_s)
            if not attempt.accepted and attempt.status not in NOBODYS_STATUSES:
                return attempt.outcome is not Outcome.CANCELLED or None
            spent_s += attempt.duration_s
            if spent_s >= MAX_REPETITION_S:
                break
        return False
