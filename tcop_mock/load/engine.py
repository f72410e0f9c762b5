"""Starts scheduled attempts and records their outcomes. The executors decide the schedule.

All times are readings of the engine's clock.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Protocol

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel, ScheduledCallback
from tcop_mock.load.pool import ConnectionPool
from tcop_mock.load.stats import LONG_BATCH, SHORT_BATCH, SecondStats, StatsRecorder
from tcop_mock.load.timer import propagate_loop_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.load.connection import PooledConnection

_EXPIRE_S = 0.02
"""Interval of the deadline check: an attempt ends at most this long after its deadline."""
_ACKED = Outcome.ACKED


class Executor(Protocol):
    """Decides when attempts start."""

    initial_connections: int
    """Connections to open before the start."""

    def start(self) -> None:
        """Start the first attempts; the engine is ready."""
        ...

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Process the end of an attempt: start the next due attempts, or let the engine finish."""
        ...

    def stop(self) -> None:
        """Start no further attempts."""
        ...

    def close(self) -> None:
        """Finish the remaining work; no attempt is in flight any more."""
        ...

    @property
    def is_finished(self) -> bool:
        """Whether no further attempt will start."""
        ...


class LoadEngine:
    """Runs the part of a load that belongs to one process.

    Args:
        plan: the load.
        on_second: called with the statistics of each second.
        clock: monotonic clock in seconds.
        connection_class: the class of the connections, if not the default.
        on_delivery: called with the record of each callback of an open or closed load.
    """

    def __init__(
        self,
        plan: LoadPlan,
        on_second: Callable[[SecondStats], None],
        *,
        clock: Callable[[], float] = time.perf_counter,
        connection_class: type[PooledConnection] | None = None,
        on_delivery: Callable[[DeliveryRecord], None] | None = None,
    ) -> None:
        self.plan, self.clock = plan, clock
        self.start_s = 0.0
        """Start of the load, in seconds on the clock."""
        self._is_closed = plan.model is LoadModel.CLOSED
        batch = LONG_BATCH if self._is_closed else SHORT_BATCH
        self.recorder, self._warm_up_recorder = StatsRecorder(batch), StatsRecorder(batch)
        self.pool = ConnectionPool(
            plan.target,
            OutgoingRequest(b"", headers=plan.rules.headers, credentials=plan.target.credentials),
            deadline_s=plan.rules.timeout_s,
            max_body_bytes=plan.rules.answer_cap_bytes,
            on_attempt_end=_ignore_connection,
            clock=clock,
            insecure=plan.insecure,
            connection=plan.connection,
            **({"connection_class": connection_class} if connection_class else {}),
        )
        self._on_second, self.on_delivery = on_second, on_delivery
        self.warm_up_ends_s = 0.0
        self._seconds = self._last_in_flight = 0
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self, executor: Executor) -> None:
        """Run until the executor is finished and no attempt is in flight. If cancelled, end immediately."""
        loop = asyncio.get_running_loop()
        try:
            await self.pool.warm_up(executor.initial_connections)
        except BaseException:
            await self.pool.close()
            raise
        gc.collect()
        gc.freeze()  # these objects stay: collecting them again and again would delay attempts
        self._executor, self._finished = executor, loop.create_future()
        self.pool.on_attempt_end = executor.attempt_ended
        self.start_s = self.clock()
        self.warm_up_ends_s = self.start_s + self.plan.warm_up_s
        try:
            with propagate_loop_errors(self._finished):
                executor.start()
                self._expire()
                self._schedule_tick(1.0)
                self.finish_if_idle()
                await self._finished
        finally:
            gc.unfreeze()
            executor.stop()
            self.pool.cancel()
            for timer in self._timers:
                timer.cancel()
            executor.close()
            self._tick(is_last=True)
            await self.pool.close()

    def send(self, body: bytes, intended_s: float, now_s: float, context: object = None) -> None:
        """Start an attempt."""
        self.recorder_for(intended_s).record_start(now_s - intended_s)
        self.pool.send(body, intended_s, now_s, context)

    def recorder_for(self, intended_s: float) -> StatsRecorder:
        """Return the recorder for attempts that were due at a time: warm-up or not."""
        return self._warm_up_recorder if intended_s < self.warm_up_ends_s else self.recorder

    def finish_if_idle(self) -> None:
        """End the run if no attempt is in flight and none will start."""
        if self._executor.is_finished and not self.pool.in_flight and not self._finished.done():
            self._finished.set_result(None)

    def record(self, connection: PooledConnection, now_s: float) -> None:
        """Record an attempt that has ended and is not retried."""
        intended_s = connection.intended_s
        recorder = self._warm_up_recorder if intended_s < self.warm_up_ends_s else self.recorder
        if connection.outcome is _ACKED:
            recorder.record_ack(
                connection.status, now_s - intended_s, None if self._is_closed else now_s - connection.started_s
            )
        else:
            recorder.record_failure(connection.outcome, connection.status)
        if self.on_delivery is not None:
            start_s = self.start_s
            attempt = AttemptRecord(
                intended_s - start_s,
                connection.started_s - start_s,
                now_s - start_s,
                connection.outcome,
                connection.status,
                connection.is_replayed,
            )
            self.on_delivery(DeliveryRecord(ScheduledCallback(attempt.intended_s, connection.body), (attempt,)))

    def _expire(self) -> None:
        self.pool.expire(self.clock())
        timer = asyncio.get_running_loop().call_later(_EXPIRE_S, self._expire)
        self._timers[:1] = [timer]

    def _schedule_tick(self, delay_s: float) -> None:
        self._timers[1:] = [asyncio.get_running_loop().call_later(delay_s, self._tick)]

    def _tick(self, *, is_last: bool = False) -> None:
        elapsed_s = self.clock() - self.start_s
        span_s = elapsed_s - self._seconds if is_last else 1.0
        pool, counters, warm_up_counters = (
            self.pool,
            self.recorder.take_counters(),
            self._warm_up_recorder.take_counters(),
        )
        last_in_flight, self._last_in_flight = self._last_in_flight, len(pool.in_flight)
        self._on_second(
            SecondStats(
                self._seconds,
                max(0.0, span_s),
                sum(counters.outcomes.values())
                + sum(warm_up_counters.outcomes.values())
                + self._last_in_flight
                - last_in_flight,
                counters,
                warm_up_counters,
                self._last_in_flight,
                pool.replayed,
                pool.connections,
                pool.exhausted_reason,
            )
        )
        self._seconds += 1
        if not is_last:
            self._schedule_tick(max(0.0, self.start_s + self._seconds + 1 - self.clock()))


def _ignore_connection(_connection: PooledConnection) -> None:
    """Do nothing: no executor is running yet."""
