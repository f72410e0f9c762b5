"""Receivers whose answers take time, in virtual time: slow, dripping, mute, served one by one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from direct_transport import DirectTransport
from run_check import CATALOG, CachedContractRun, verdict_of
from virtual_time import run_in_virtual_time

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.target import Target
from tcop_mock.server.demo_receivers import correct_receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.verdict import Verdict

NEVER_S = 1e9
TARGET = Target.parse("http://receiver/hook")
_ROUND_TRIP_S = 0.001


class Timing(NamedTuple):
    """When an answer comes, or how the connection ends."""

    head_s: float = 0.0
    body_s: float = 0.0
    """After the head."""
    failure: Outcome | None = None
    """In place of an answer."""


class TimedReceiver:
    """A transport to the correct receiver, whose answers take time.

    It goes on with its work after we have given up.

    Args:
        timing: returns when the answer to a request comes; the first request has the number 1.
        clock: virtual seconds.
        workers: how many requests it serves at once; ``None``: all.
    """

    def __init__(
        self, timing: Callable[[OutgoingRequest, int], Timing], clock: Callable[[], float], workers: int | None = None
    ) -> None:
        self.requests = 0
        self.most_in_flight = 0
        self._in_flight = 0
        self._timing, self._clock = timing, clock
        self._transport = DirectTransport(correct_receiver, TARGET, clock)
        self._workers = None if workers is None else asyncio.Semaphore(workers)
        self._work: set[asyncio.Task[None]] = set()

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        self.requests += 1
        timing, started_s = self._timing(request, self.requests), self._clock()
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            attempt = await self._attempt(request, timing, deadline_s)
        finally:
            self._in_flight -= 1
        intended_s = started_s if intended_s is None else intended_s
        return replace(attempt, intended_s=intended_s, started_s=started_s, ended_s=self._clock())

    async def _attempt(self, request: OutgoingRequest, timing: Timing, deadline_s: float) -> Attempt:
        nothing = Attempt(Outcome.TIMED_OUT, intended_s=0.0, started_s=0.0, ended_s=0.0)
        until_s = self._clock() + deadline_s
        head = asyncio.Event()
        work = asyncio.create_task(self._serve(timing, head))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        sending_s = request.segment_gap_s * max(0, len(list(request.body_segments())) - 1)
        if sending_s >= deadline_s:
            await asyncio.sleep(deadline_s)
            return nothing
        await asyncio.sleep(sending_s)
        try:
            async with asyncio.timeout(until_s - self._clock()):
                await head.wait()
        except TimeoutError:
            return nothing
        if timing.failure is not None:
            return replace(nothing, outcome=timing.failure)
        read = request if request.truncate_at is None else replace(request, body=b"")  # it rejects what is cut
        attempt = await self._transport(read, deadline_s=1.0)
        limit_s = until_s - self._clock()
        if request.body_timeout_s is not None:
            limit_s = min(limit_s, request.body_timeout_s)
        await asyncio.wait({work}, timeout=limit_s)
        return attempt if work.done() else replace(attempt, outcome=Outcome.TIMED_OUT)

    async def _serve(self, timing: Timing, head: asyncio.Event) -> None:
        if self._workers is None:
            await self._answer(timing, head)
        else:
            async with self._workers:
                await self._answer(timing, head)

    @staticmethod
    async def _answer(timing: Timing, head: asyncio.Event) -> None:
        await asyncio.sleep(_ROUND_TRIP_S + timing.head_s)
        head.set()
        await asyncio.sleep(timing.body_s)


class TimedCheck(NamedTuple):
    """A check in virtual time."""

    verdict: Verdict
    took_s: float
    receiver: TimedReceiver


def check_timed(
    timing: Callable[[OutgoingRequest, int], Timing],
    clauses: Sequence[str] = (),
    *,
    workers: int | None = None,
    **options: Any,
) -> TimedCheck:
    """Check such a receiver, with the clauses about connections, and return how long it took."""
    plan = CheckPlan(TARGET, CATALOG, select_clauses(load_clauses(), clauses), load_profile(), 7, **options)

    def run_contract(clock: Callable[[], float]) -> Coroutine[Any, Any, TimedCheck]:
        async def run() -> TimedCheck:
            receiver = TimedReceiver(timing, clock, workers)
            contract_run = CachedContractRun(plan, receiver, clock, asyncio.sleep)
            verdict = await verdict_of(contract_run)
            return TimedCheck(verdict, clock(), receiver)

        return run()

    return run_in_virtual_time(run_contract)
