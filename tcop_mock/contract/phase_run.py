"""One phase of a run: its clauses run concurrently, and failed cases are sent again alone.

Only failures that occur again alone are reported.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.contract.clause_outcome import (
    LOAD_CLAUSE,
    NOBODYS_STATUSES,
    ClauseOutcome,
    Exclusion,
    load_failure,
    select_cases,
)
from tcop_mock.contract.effect_runner import EffectRunner
from tcop_mock.contract.request_runner import MAX_REPETITION_S, RequestRunner, in_new_session
from tcop_mock.domain.contract import Phase
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import ClauseStarted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from tcop_mock.contract.findings import Failure
    from tcop_mock.contract.process_runner import ProcessRunner
    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.verdict import RunEvent

    ClauseRunner: TypeAlias = RequestRunner | EffectRunner | ProcessRunner

_REPETITIONS = 24
"""Number of times that a failed case is sent again alone. A fault in one of eight responses shows with 96 %."""
_MAX_REPEATED_CASES = 12
_MAX_REPEATED_CASES_OF_CLAUSE = 2
_SLOW_SHARE = 0.1
"""Cases that fail alike, after such a share of the deadline, are not all rerun alone."""
_SPARE_REQUESTS = 12
_REQUESTS_PER_STEP = 10
_PHASES_IN_TURN = frozenset({Phase.CRASHES, Phase.PROCESS})
"""Phases whose clauses run one after the other."""


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
        concurrent_outcome: ClauseOutcome,
        runner: RequestRunner,
        run_alone: Callable[[ClauseTest], Awaitable[ClauseOutcome]],
    ) -> ClauseOutcome:
        """Run the failed cases of a clause alone.

        A concurrent failure proves nothing about the clause: the receiver may serve one request at a time, have a
        race, limit the rate, or have crashed by another clause's body. One success alone proves nothing either: the
        fault may occur at random, so the case is repeated many times.

        Args:
            clause: the clause.
            tests: its tests in the first run and in the rerun.
            concurrent_outcome: outcome of its cases with other requests in flight.
            runner: repeats one case.
            run_alone: runs cases with no other request in flight.
        """
        test, whole_rerun = tests
        alike = concurrent_outcome.alike_slow_failures(_SLOW_SHARE * self.deadline_s)
        rerun_test = select_cases(whole_rerun, concurrent_outcome.rerun - alike.keys())
        rerun_outcome = await run_alone(rerun_test)
        if not set(alike.values()) <= {failure.text for failure in rerun_outcome.failures}:
            rerun_test = select_cases(whole_rerun, concurrent_outcome.rerun)
            rerun_outcome = await run_alone(rerun_test)
        elif alike:
            rerun_outcome = replace(rerun_outcome, not_sent=rerun_outcome.not_sent | alike.keys())
        outcome = concurrent_outcome.merge_rerun(rerun_outcome, keeps_late=clause.phase is Phase.MAIN)
        texts: set[str] = set()
        for failure in concurrent_outcome.vanished_failures(rerun_outcome):
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


@dataclass(slots=True)
class PhaseRun:
    """Runs the clauses of one phase.

    Args:
        clauses: the clauses.
        runner: runs each of them.
        sequential_runner: sends cases that failed again alone; ``None``: they are not sent again.
        repeater: compares these with the failures of the concurrent run.
        test_of: returns the test of a clause, by the number of the rerun.
        record: records the outcome of a clause; returns the resulting events.
        clock: clock in seconds.
        durations_s: duration of each clause in seconds, by its code; new ones are added.
        has_broken_down: sends a plain callback; whether the receiver accepts nothing any more.
    """

    clauses: list[Clause]
    runner: ClauseRunner
    sequential_runner: RequestRunner | None
    repeater: Repeater
    test_of: Callable[..., ClauseTest]
    record: Callable[[Clause, ClauseOutcome], Iterable[RunEvent]]
    clock: Callable[[], float]
    durations_s: dict[str, float]
    has_broken_down: Callable[[], Awaitable[bool]]
    concurrent_outcomes: dict[str, ClauseOutcome] = field(default_factory=dict, init=False)
    """The outcomes, by code, of clauses whose failed cases have to be sent again alone."""
    _late_clauses: list[Clause] = field(default_factory=list, init=False)
    """Clauses about effects that only late answers broke, beside other scenarios."""
    _events: asyncio.Queue[RunEvent] = field(default_factory=asyncio.Queue, init=False)
    _requests: int = field(init=False)
    """Maximum number of requests that the phase waits for."""

    def __post_init__(self) -> None:
        self._requests = _SPARE_REQUESTS + sum(_request_count(self.test_of(clause)) for clause in self.clauses)

    async def events(self, limit_s: float) -> AsyncIterator[RunEvent]:
        """Run the clauses for at most some seconds, and yield the events."""
        if not self.clauses:
            return
        task = asyncio.create_task(self._run_all())
        try:
            async for event in _until_done(task, self._events, limit_s):
                yield event
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run_all(self) -> None:
        in_turn = [clause for clause in self.clauses if clause.phase in _PHASES_IN_TURN]
        for clause in in_turn:
            await self._run_one(clause)
        await asyncio.gather(*(self._run_one(clause) for clause in self.clauses if clause not in in_turn))
        for clause in self._late_clauses:  # other scenarios may have made the answer late
            self._record(clause, await self._run_test(clause, self.test_of(clause, rerun=1), self.runner))
        if not (self.concurrent_outcomes and self.sequential_runner):
            return
        has_broken_down = await self.has_broken_down()
        for clause in self.clauses:
            if clause.code not in self.concurrent_outcomes:
                continue
            if has_broken_down:
                self._record(clause, self.concurrent_outcomes[clause.code])
            else:
                self._record(clause, await self._rerun(clause, self.sequential_runner))

    async def _run_one(self, clause: Clause) -> None:
        self._events.put_nowait(ClauseStarted(clause))
        outcome = await self._run_test(clause, self.test_of(clause), self.runner)
        if outcome.rerun and self.sequential_runner:
            self.concurrent_outcomes[clause.code] = outcome
        elif isinstance(self.runner, EffectRunner) and outcome.is_only_late:
            self._late_clauses.append(clause)
        else:
            self._record(clause, outcome)

    async def _rerun(self, clause: Clause, runner: RequestRunner) -> ClauseOutcome:
        """Run the failed cases of a clause alone."""

        async def run_alone(test: ClauseTest) -> ClauseOutcome:
            return await self._run_test(clause, test, runner)

        tests = self.test_of(clause), self.test_of(clause, rerun=1)
        return await self.repeater.rerun(clause, tests, self.concurrent_outcomes[clause.code], runner, run_alone)

    async def _run_test(self, clause: Clause, test: ClauseTest, runner: ClauseRunner) -> ClauseOutcome:
        """Run one clause within a separate time limit, which allows for a timeout of each request in the phase."""
        limit_s = runner.deadline_s * test.deadline_factor * self._requests
        started_s = self.clock()
        try:
            async with asyncio.timeout(limit_s):
                return await runner.run(clause, test)
        except TimeoutError:
            outcome = runner.outcome_so_far(clause, test).cut_short(is_concurrent=isinstance(runner, RequestRunner))
            reason = f"not finished within its own limit of {limit_s:g} s"
            return replace(outcome, inconclusive=(*outcome.inconclusive, reason), rerun=frozenset())
        finally:
            self.durations_s[clause.code] = self.durations_s.get(clause.code, 0.0) + self.clock() - started_s

    def _record(self, clause: Clause, outcome: ClauseOutcome) -> None:
        for event in self.record(clause, outcome):
            self._events.put_nowait(event)


def _request_count(test: ClauseTest) -> int:
    """Return how many requests a test waits for at most."""
    group_requests = sum(len(group.cases) + 2 for group in test.groups)
    return group_requests + sum(
        len(step.cases) + _REQUESTS_PER_STEP for scenario in test.effect_scenarios for step in scenario.steps
    )


async def _until_done(
    task: asyncio.Task[None], events: asyncio.Queue[RunEvent], limit_s: float
) -> AsyncIterator[RunEvent]:
    """Yield events until the task is done or its time is up; raise the error of the task."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not (task.done() and events.empty()):
        next_event = asyncio.create_task(events.get())
        done, _ = await asyncio.wait(
            {next_event, task}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
        )
        if next_event in done:
            yield next_event.result()
        else:
            next_event.cancel()
        if not done:
            return
    task.result()
