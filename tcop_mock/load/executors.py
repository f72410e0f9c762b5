"""Executors of the three load models: open (a rate), closed (a concurrency) and scenario (a schedule with retries)."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel
from tcop_mock.domain.profile import Accept, RetryAfter
from tcop_mock.load.pool import RecordingConnection
from tcop_mock.load.schedule import (
    LONG_CHUNK,
    SHORT_CHUNK,
    constant_arrivals,
    mixed_bodies,
    poisson_arrivals,
    weighted_shapes,
)
from tcop_mock.load.timer import make_timer
from tcop_mock.transport.delivery import apply_acceptance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import LoadPlan, Schedule, ScheduledCallback
    from tcop_mock.load.connection import PooledConnection
    from tcop_mock.load.engine import LoadEngine
    from tcop_mock.load.timer import PreciseTimer


_DUE_IN_A_TURN = 32

"""Attempts that start in one turn before the loop reads responses."""


class _Delivery:
    """A notification that is being delivered."""

    __slots__ = ("attempts", "callback")

    def __init__(self, callback: ScheduledCallback) -> None:
        self.callback = callback
        self.attempts: list[AttemptRecord] = []


class _QueuedAttempt(NamedTuple):
    """A retry that is due at a time; equal times keep their order."""

    at_s: float
    order: int
    delivery: _Delivery


class ScenarioExecutor:
    """Delivers the notifications of a scenario and retries them as the profile requires.

    Attempts that are due while ``max_inflight`` attempts are in flight wait and start late; none is dropped. Idle gaps
    are shortened if the plan limits them; all later notifications are then due earlier.

    Args:
        engine: starts the attempts.
        schedule: notifications, the earliest first.
        on_delivery: called with the record of each notification.
        timer_factory: makes the timer.
    """

    initial_connections = 1

    def __init__(
        self,
        engine: LoadEngine,
        schedule: Schedule,
        on_delivery: Callable[[DeliveryRecord], None],
        *,
        timer_factory: Callable[[Callable[[], None]], PreciseTimer] = make_timer,
    ) -> None:
        self._engine, self._schedule, self._on_delivery, self._timer_factory = (
            engine,
            schedule,
            on_delivery,
            timer_factory,
        )
        self._rules, self._max_in_flight = engine.plan.rules, engine.plan.max_inflight
        self._retry_queue: list[_QueuedAttempt] = []
        self._order = itertools.count()
        self._next_callback: ScheduledCallback | None = None
        self._is_stopped = False
        self._alarms = bytearray()
        """Whether each alarm has had a notification, by its number."""
        self._skipped_s = 0.0
        self.last_due_s = 0.0
        """Due time of the last started notification, in seconds since the start."""

    def start(self) -> None:
        """Start the timer, and the attempts that are due."""
        plan = self._engine.plan
        self._start_s = self._engine.start_s
        self._end_s = math.inf if plan.duration_s is None else plan.duration_s
        self._schedule = itertools.islice(self._schedule, plan.count)
        self._timer = self._timer_factory(self._run_due)
        self._advance()
        self._run_due()

    @property
    def is_finished(self) -> bool:
        """Whether all notifications have been delivered or given up."""
        return self._is_stopped or (self._next_callback is None and not self._retry_queue)

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Record the attempt; finish its notification or queue a retry."""
        delivery, now_s = connection.context, self._engine.clock()
        assert isinstance(delivery, _Delivery)  # noqa: S101 - only this executor sends through the pool
        start_s = self._start_s
        attempt = apply_acceptance(self._rules.accept, connection.body, _attempt_of(connection, now_s))
        record = AttemptRecord(
            connection.intended_s - start_s,
            connection.started_s - start_s,
            now_s - start_s,
            attempt.outcome,
            connection.status,
            connection.is_replayed,
        )
        delivery.attempts.append(record)
        recorder = self._engine.recorder_for(start_s + delivery.callback.at_s)
        if attempt.outcome is Outcome.ACKED:
            recorder.record_ack(
                connection.status, record.ended_s - delivery.callback.at_s, now_s - connection.started_s
            )
        else:
            recorder.record_failure(attempt.outcome, connection.status)
        pause_s = None if self._is_stopped else self._rules.retry_pause_s(attempt, len(delivery.attempts))
        if pause_s is None:
            self._finish(delivery)
        else:
            next_s = now_s + pause_s * self._engine.plan.time_scale
            heapq.heappush(self._retry_queue, _QueuedAttempt(next_s, next(self._order), delivery))
        self._run_due(1)

    def stop(self) -> None:
        """Start no new notification and no retry."""
        self._is_stopped = True

    def close(self) -> None:
        """Close the timer and finish the notifications that wait for a retry."""
        self._timer.close()
        while self._retry_queue:
            self._finish(heapq.heappop(self._retry_queue).delivery)

    def _finish(self, delivery: _Delivery) -> None:
        record = DeliveryRecord(delivery.callback, tuple(delivery.attempts))
        counters = self._engine.recorder_for(self._start_s + delivery.callback.at_s).counters
        counters.notifications += 1
        counters.lost += not record.is_acked
        counters.duplicates += record.duplicate_count
        counters.alarms += self._is_new(delivery.callback.alarm_number)
        self._on_delivery(record)

    def _is_new(self, alarm: int) -> bool:
        """Return whether an alarm has its first notification; a byte for each keeps a million of them small."""
        if alarm < 0:
            return False
        if alarm >= len(self._alarms):
            self._alarms.extend(bytes(alarm + 1 - len(self._alarms)))
        is_new = not self._alarms[alarm]
        self._alarms[alarm] = 1
        return is_new

    def _advance(self) -> None:
        callback = next(self._schedule, None)
        if callback is not None and self._skipped_s:
            callback = callback._replace(at_s=callback.at_s - self._skipped_s)
        self._next_callback = None if callback is None or callback.at_s >= self._end_s else callback

    def _skip_idle(self, next_s: float, now_s: float) -> float:
        """Shorten an idle gap, if there is one; return when the next attempt is due."""
        max_idle_s, callback = self._engine.plan.max_idle_s, self._next_callback
        if (
            max_idle_s is None
            or callback is None
            or self._retry_queue
            or self._engine.pool.in_flight
            or next_s - now_s <= max_idle_s
        ):
            return next_s
        skipped_s = next_s - now_s - max_idle_s
        self._skipped_s += skipped_s
        self._next_callback = callback._replace(at_s=callback.at_s - skipped_s)
        return next_s - skipped_s

    def _next_due_s(self) -> float:
        """Return when the next attempt is due, on the clock."""
        scheduled_s = math.inf if self._next_callback is None else self._start_s + self._next_callback.at_s
        return min(scheduled_s, self._retry_queue[0].at_s) if self._retry_queue else scheduled_s

    def _run_due(self, limit: int = _DUE_IN_A_TURN) -> None:
        engine, remaining = self._engine, 0 if self._is_stopped else limit
        now_s = engine.clock()
        while (next_s := self._next_due_s()) <= now_s and remaining:
            if len(engine.pool.in_flight) >= self._max_in_flight:
                return  # continues when an attempt ends
            delivery = self._pop_next(next_s)
            engine.send(delivery.callback.body, next_s, now_s, delivery)
            if delivery.callback is self._next_callback:
                self._advance()  # after sending: generating the next body must not delay this one
            remaining -= 1
            now_s = engine.clock()
        if self.is_finished:
            engine.finish_if_idle()
        else:
            self._timer.set(max(0.0, self._skip_idle(next_s, now_s) - now_s))

    def _pop_next(self, next_s: float) -> _Delivery:
        if self._retry_queue and self._retry_queue[0].at_s == next_s:
            return heapq.heappop(self._retry_queue).delivery
        callback = self._next_callback
        assert callback is not None  # noqa: S101 - it is due next
        self.last_due_s = callback.at_s
        return _Delivery(callback)


def connection_class_for(plan: LoadPlan) -> type[PooledConnection] | None:
    """Return the connection class for a scenario: one that records responses if the profile checks their content."""
    rules = plan.rules
    needs_response = rules.accept in {Accept.RET_CODE, Accept.ERRCODE} or rules.retry_after is RetryAfter.HONOURED
    return RecordingConnection if needs_response else None


def _attempt_of(connection: PooledConnection, now_s: float) -> Attempt:
    if isinstance(connection, RecordingConnection):
        return connection.to_attempt()
    return Attempt(connection.outcome, connection.intended_s, connection.started_s, now_s, status=connection.status)


_MAX_SENDS_PER_TURN = 1024

"""Budget of one turn before the loop reads responses: 1,024 drops, or 16 attempts."""

_SEND_COST, _DROP_COST = 64, 1

_MAX_BODIES_AHEAD = 256

_MAX_GENERATION_S = 0.00015

"""The time that the next body may take, because it can be the first of a chunk."""

_WARM_UP_WINDOW_S = 0.002

"""Connections are opened before the start for the attempts due in this time."""


class OpenExecutor:
    """Starts attempts on a schedule, independent of the receiver.

    Attempts that are due while ``max_inflight`` attempts are in flight wait and start late. An attempt that has waited
    longer than its deadline is dropped and counted.

    Args:
        engine: starts the attempts.
        bodies: an endless iterator of request bodies.
        worker: the index of this process, from 0.
        timer_factory: makes the timer.
    """

    def __init__(
        self,
        engine: LoadEngine,
        bodies: Iterator[bytes],
        *,
        worker: int = 0,
        timer_factory: Callable[[Callable[[], None]], PreciseTimer] = make_timer,
    ) -> None:
        self._engine, self._bodies, self._worker, self._timer_factory = engine, bodies, worker, timer_factory
        self._clock = engine.clock
        self._next_bodies = deque([next(bodies)])
        """Bodies that are generated in advance, so that none delays its own attempt."""
        self._is_timer_set = False
        """Whether the timer is running."""
        self._due_s = math.inf
        plan = engine.plan
        self._max_in_flight = plan.max_inflight
        self.initial_connections = min(
            self._max_in_flight, math.ceil(plan.stages[0].from_rate / plan.workers * _WARM_UP_WINDOW_S)
        )
        self._max_wait_s = plan.rules.timeout_s

    def start(self) -> None:
        """Start the timer, and the attempts that are due."""
        plan, start_s = self._engine.plan, self._engine.start_s
        if plan.is_poisson:
            rng = random.Random(f"{plan.seed} {self._worker}")  # noqa: S311 - gaps between attempts, not a secret
            times_s = poisson_arrivals(plan.stages, rng, workers=plan.workers)
        else:
            times_s = constant_arrivals(plan.stages, worker=self._worker, workers=plan.workers)
        self._times_s: Iterator[float] = itertools.islice(times_s, worker_share(plan.count, self._worker, plan.workers))
        self._start_s = start_s
        self._timer = self._timer_factory(self._on_timer)
        self._advance()
        self._run_due()

    @property
    def is_finished(self) -> bool:
        """Whether all attempts have started or were dropped."""
        return self._due_s == math.inf

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Record the attempt and start at most one that is due, because other responses wait to be read."""
        engine, clock = self._engine, self._clock
        now_s = clock()
        engine.record(connection, now_s)
        if self._due_s <= now_s:
            self._run_due(_SEND_COST)
        if not engine.pool.in_flight:
            engine.finish_if_idle()

    def stop(self) -> None:
        """Start no further attempts."""
        self._due_s = math.inf
        self._times_s = iter(())

    def close(self) -> None:
        """Close the timer."""
        self._timer.close()

    def _advance(self) -> None:
        self._due_s = self._start_s + next(self._times_s, math.inf)

    def _on_timer(self) -> None:
        self._is_timer_set = False
        self._run_due()

    def _run_due(self, budget: int = _MAX_SENDS_PER_TURN) -> None:
        engine = self._engine
        in_flight, clock, next_bodies = engine.pool.in_flight, self._clock, self._next_bodies
        now_s = clock()
        while self._due_s <= now_s and budget > 0:
            if now_s - self._due_s > self._max_wait_s:
                engine.recorder_for(self._due_s).counters.dropped += 1
                budget -= _DROP_COST
            elif len(in_flight) >= self._max_in_flight:
                return  # continues when an attempt ends
            else:
                engine.send(next_bodies.popleft(), self._due_s, now_s)
                if not next_bodies:
                    next_bodies.append(next(self._bodies))
                budget -= _SEND_COST
            self._advance()
            now_s = clock()
        if self._due_s < math.inf:
            if not self._is_timer_set:  # otherwise it is set to a time that has passed and fires soon
                self._is_timer_set = True
                self._timer.set(max(0.0, self._due_s - now_s))
                self._generate_ahead()
        elif not in_flight:
            engine.finish_if_idle()

    def _generate_ahead(self) -> None:
        """Generate bodies while nothing is due for longer than the next body may take."""
        next_bodies, bodies, clock = self._next_bodies, self._bodies, self._clock
        until_s = self._due_s - _MAX_GENERATION_S
        for _ in range(min(SHORT_CHUNK, _MAX_BODIES_AHEAD - len(next_bodies))):
            if clock() > until_s:
                return
            next_bodies.append(next(bodies))


class ClosedExecutor:
    """Keeps a constant number of attempts in flight: each response starts the next attempt.

    Args:
        engine: starts the attempts.
        bodies: an endless iterator of request bodies.
        worker: the index of this process, from 0.
    """

    def __init__(self, engine: LoadEngine, bodies: Iterator[bytes], *, worker: int = 0) -> None:
        plan = engine.plan
        self.engine, self._pool, self._clock, self.bodies = engine, engine.pool, engine.clock, bodies
        self.initial_connections = worker_share(plan.concurrency, worker, plan.workers) or 0
        remaining = worker_share(
            plan.count, worker, min(plan.workers, plan.concurrency)
        )  # a process without attempts gets no share
        self.remaining = math.inf if remaining is None else remaining

    def start(self) -> None:
        """Start the first attempts."""
        duration_s = self.engine.plan.duration_s
        self.end_s = self.engine.start_s + (math.inf if duration_s is None else duration_s)
        first = min(self.initial_connections, self.remaining)
        self.remaining -= first
        engine, pool = self.engine, self._pool
        if pool.selector is not None and engine.on_delivery is None:
            pool.selector.use_hot_loop(self, pool, engine.recorder, engine.warm_up_ends_s)
        for _ in range(int(first)):
            now_s = self._clock()
            self._pool.send(next(self.bodies), now_s, now_s)

    @property
    def is_finished(self) -> bool:
        """Whether the duration or the count is used up."""
        return self.remaining <= 0 or not self.initial_connections

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Record the attempt and start the next one."""
        engine, clock = self.engine, self._clock
        now_s = clock()
        engine.record(connection, now_s)
        if now_s < self.end_s and self.remaining > 0:
            self.remaining -= 1
            self._pool.send(next(self.bodies), now_s, now_s)
        else:
            self.remaining = 0
            if not self._pool.in_flight:
                engine.finish_if_idle()

    def stop(self) -> None:
        """Start no further attempts."""
        self.remaining = 0

    def close(self) -> None:
        """Do nothing: there is no timer."""


def make_executor(
    engine: LoadEngine, catalog: Catalog, generator: Generator, *, worker: int = 0
) -> OpenExecutor | ClosedExecutor:
    """Return the executor of one process of an open or closed load."""
    is_open = engine.plan.model is LoadModel.OPEN
    shapes, chunk_size = weighted_shapes(catalog, engine.plan.mix), SHORT_CHUNK if is_open else LONG_CHUNK
    bodies = mixed_bodies(generator, shapes, worker=worker, chunk_size=chunk_size)
    next(bodies)  # compile the shapes before the load starts
    return (OpenExecutor if is_open else ClosedExecutor)(engine, bodies, worker=worker)


def worker_share(total: int | None, worker: int, workers: int) -> int | None:
    """Return the share of one process in a total; ``None`` without a total."""
    return None if total is None else (total + workers - 1 - worker) // workers
