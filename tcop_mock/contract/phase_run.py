"""One phase of a run: its clauses run side by side, and cases that failed are sent again alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.contract.request_runner import RequestRunner
from tcop_mock.domain.contract import Phase
from tcop_mock.domain.verdict import ClauseStarted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from tcop_mock.contract.clause_outcome import ClauseOutcome
    from tcop_mock.contract.effect_runner import EffectRunner
    from tcop_mock.contract.process_runner import ProcessRunner
    from tcop_mock.contract.repetition import Repeater
    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.verdict import RunEvent

    ClauseRunner: TypeAlias = RequestRunner | EffectRunner | ProcessRunner

_SPARE_REQUESTS = 12
_REQUESTS_PER_STEP = 10
_PHASES_IN_TURN = frozenset({Phase.CRASHES, Phase.PROCESS})
"""Phases whose clauses run one after the other."""


@dataclass(slots=True)
class PhaseRun:
    """Runs the clauses of one phase.

    Args:
        clauses: the clauses.
        runner: runs each of them.
        sequential_runner: sends cases that failed again alone; ``None``: they are not sent again.
        repeater: compares these with what happened side by side.
        test_of: returns what a clause sends, by the number of the rerun.
        record: takes the outcome of a clause; returns the events that it causes.
        clock: seconds.
        durations_s: how long each clause took, by its code; is added to.
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
    parallel_outcomes: dict[str, ClauseOutcome] = field(default_factory=dict, init=False)
    """The outcomes, by code, of clauses whose failed cases have to be sent again alone."""
    _events: asyncio.Queue[RunEvent] = field(default_factory=asyncio.Queue, init=False)
    _requests: int = field(init=False)
    """How many requests the phase waits for at most."""

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
        if not (self.parallel_outcomes and self.sequential_runner):
            return
        has_broken_down = await self.has_broken_down()
        for clause in self.clauses:
            if clause.code not in self.parallel_outcomes:
                continue
            if has_broken_down:
                self._record(clause, self.parallel_outcomes[clause.code])
            else:
                self._record(clause, await self._rerun(clause, self.sequential_runner))

    async def _run_one(self, clause: Clause) -> None:
        self._events.put_nowait(ClauseStarted(clause))
        outcome = await self._run_test(clause, self.test_of(clause), self.runner)
        if outcome.rerun and self.sequential_runner:
            self.parallel_outcomes[clause.code] = outcome
        else:
            self._record(clause, outcome)

    async def _rerun(self, clause: Clause, runner: RequestRunner) -> ClauseOutcome:
        """Run the failed cases of a clause alone."""

        async def run_alone(test: ClauseTest) -> ClauseOutcome:
            return await self._run_test(clause, test, runner)

        tests = self.test_of(clause), self.test_of(clause, rerun=1)
        return await self.repeater.rerun(clause, tests, self.parallel_outcomes[clause.code], runner, run_alone)

    async def _run_test(self, clause: Clause, test: ClauseTest, runner: ClauseRunner) -> ClauseOutcome:
        """Run one clause within a time limit of its own, which allows for a timeout of each request in the phase."""
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
