"""Loads without an end of their own: open, by a schedule, and closed, by the answers."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel
from tcop_mock.domain.profile import Accept, RetryAfter
from tcop_mock.load.epoll import READ_BYTES, READABLE, Channel
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
    from tcop_mock.load.epoll import Channels
    from tcop_mock.load.timer import PreciseTimer


_DUE_IN_A_TURN = 32

"""Pushes that begin before the answers that have come are looked at."""


class _Delivery:
    """A notification that is being told."""

    __slots__ = ("attempts", "callback")

    def __init__(self, callback: ScheduledCallback) -> None:
        self.callback = callback
        self.attempts: list[AttemptRecord] = []


class _QueuedAttempt(NamedTuple):
    """A push that is to begin; of two at once the one that was thought of first."""

    at_s: float
    order: int
    delivery: _Delivery


class ScenarioExecutor:
    """Plays a script.

    What is due while ``max_inflight`` attempts are under way waits and is late; nothing is dropped. Stretches in which
    nothing happens are passed over where the plan says so: what comes behind them is then due sooner, all of it.

    Args:
        engine: what pushes.
        schedule: notifications, the earliest first.
        on_delivery: is told what became of each.
        timer_factory: calls back at a moment.
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
        self._alarms: set[str] = set()
        self._skipped_s = 0.0
        self.last_due_s = 0.0
        """When the last notification that has begun was due, in seconds since the start."""

    def start(self) -> None:
        """Set the clockwork going."""
        plan = self._engine.plan
        self._start_s = self._engine.start_s
        self._end_s = math.inf if plan.duration_s is None else plan.duration_s
        self._schedule = itertools.islice(self._schedule, plan.count)
        self._timer = self._timer_factory(self._run_due)
        self._advance()
        self._run_due()

    @property
    def is_finished(self) -> bool:
        """Whether all has been told."""
        return self._is_stopped or (self._next_callback is None and not self._retry_queue)

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Take what became of an attempt: its notification is told, or pushed again."""
        delivery, now_s = connection.context, self._engine.clock()
        assert isinstance(delivery, _Delivery)  # noqa: S101 - nobody else pushes on this wire
        start_s = self._start_s
        attempt = _attempt_of(connection, now_s)
        if self._rules.accept is not Accept.ANY_2XX:
            attempt = apply_acceptance(self._rules.accept, OutgoingRequest(connection.body), attempt)
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
        attempts_left = 0 if self._is_stopped else self._rules.attempts - len(delivery.attempts)
        if attempts_left > 0 and self._rules.should_retry(attempt):
            pause_s = self._rules.pause_s(attempt, len(delivery.attempts)) * self._engine.plan.time_scale
            heapq.heappush(self._retry_queue, _QueuedAttempt(now_s + pause_s, next(self._order), delivery))
        else:
            self._finish(delivery)
        self._run_due(1)

    def stop(self) -> None:
        """Tell of nothing new, and push nothing again."""
        self._is_stopped = True

    def close(self) -> None:
        """Settle what waits to be pushed again, and give the pacer back."""
        self._timer.close()
        while self._retry_queue:
            self._finish(heapq.heappop(self._retry_queue).delivery)

    def _finish(self, delivery: _Delivery) -> None:
        record = DeliveryRecord(delivery.callback, tuple(delivery.attempts))
        counters = self._engine.recorder_for(self._start_s + delivery.callback.at_s).counters
        counters.notifications += 1
        counters.lost += not record.is_acked
        counters.duplicates += record.duplicate_count
        if delivery.callback.alarm_key and delivery.callback.alarm_key not in self._alarms:
            self._alarms.add(delivery.callback.alarm_key)
            counters.alarms += 1
        self._on_delivery(record)

    def _advance(self) -> None:
        callback = next(self._schedule, None)
        if callback is not None and self._skipped_s:
            callback = callback._replace(at_s=callback.at_s - self._skipped_s)
        self._next_callback = None if callback is None or callback.at_s >= self._end_s else callback

    def _skip_idle(self, next_s: float, now_s: float) -> float:
        """Cut a quiet stretch down, where there is one; return when something is due next."""
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
        """Return when something is due next, on the clock."""
        scheduled_s = math.inf if self._next_callback is None else self._start_s + self._next_callback.at_s
        return min(scheduled_s, self._retry_queue[0].at_s) if self._retry_queue else scheduled_s

    def _run_due(self, limit: int = _DUE_IN_A_TURN) -> None:
        engine, remaining = self._engine, 0 if self._is_stopped else limit
        now_s = engine.clock()
        while (next_s := self._next_due_s()) <= now_s and remaining:
            if len(engine.pool.in_flight) >= self._max_in_flight:
                return  # it goes on when one of them ends
            delivery = self._pop_next(next_s)
            engine.send(delivery.callback.body, next_s, now_s, delivery)
            if delivery.callback is self._next_callback:
                self._advance()  # behind the push, so that drawing what is next does not make it late
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
        assert callback is not None  # noqa: S101 - it is what is due next
        self.last_due_s = callback.at_s
        return _Delivery(callback)


def connection_class_for(plan: LoadPlan) -> type[PooledConnection] | None:
    """Return the lines that a script's driver needs: such as keep the answer, where a profile looks into it."""
    rules = plan.rules
    needs_response = rules.accept in {Accept.RET_CODE, Accept.ERRCODE} or rules.retry_after is RetryAfter.HONOURED
    return RecordingConnection if needs_response else None


def _attempt_of(connection: PooledConnection, now_s: float) -> Attempt:
    if isinstance(connection, RecordingConnection):
        return connection.to_attempt()
    return Attempt(connection.outcome, connection.intended_s, connection.started_s, now_s, status=connection.status)


class FastPath:
    """Serves the connections of a closed load, in place of ``Channels.serve_each``.

    Args:
        channels: the connections.
        load: whose they are; it has begun.
    """

    def __init__(self, channels: Channels, load: ClosedExecutor) -> None:
        self._load, self._driver, self._wire = load, load.engine, load.engine.pool
        self._opened, self._acking = channels.open.get, self._wire.response_cache.ack_statuses.get

    def serve(self, ready: list[tuple[int, int]], written: list[tuple[Channel, bytes]]) -> None:
        """Read from what is ready, count, and add the next pushes to what is to be sent."""
        opened, acking, load, driver = self._opened, self._acking, self._load, self._driver
        clock, flying, requests = driver.clock, self._wire.in_flight, self._wire.request_heads
        acks_s: list[float] = []
        statuses: list[int] = []
        for descriptor, event in ready:
            channel = opened(descriptor)
            if event != READABLE or not isinstance(channel, Channel):
                if channel is not None:  # else one that was served before it in this round has closed it
                    channel.serve(event)
                continue
            try:
                data = channel.sock.recv(READ_BYTES)
            except OSError as problem:
                channel.failed(problem)
                continue
            line: Any = channel.reader
            status, started_s, now_s = acking(data, 0), line.started_s, clock()
            is_usual = status and line.busy and not (line.received or line.blocked)
            if not is_usual or started_s < driver.warm_up_ends_s or now_s >= load.end_s or load.remaining <= 0:
                channel.received(data)
                continue
            acks_s.append(now_s - started_s)
            statuses.append(status)
            load.remaining -= 1
            line.body = body = next(load.bodies)
            line.served += 1
            line.replayed = False
            line.intended_s = line.started_s = now_s
            del flying[line]
            flying[line] = None
            written.append((channel, requests[len(body)] + body))
        driver.recorder.record_acks(statuses, acks_s)


_MAX_SENDS_PER_TURN = 1024

"""What is done before the answers that have come are looked at: so many drops, or a 32nd of it in pushes."""

_SEND_COST, _DROP_COST = 64, 1

_WARM_UP_WINDOW_S = 0.002

"""Connections are opened ahead for what is due in so long."""


class OpenExecutor:
    """Pushes by a schedule, whatever the receiver does.

    What is due while ``max_inflight`` attempts are under way waits and is late; what has waited longer than the
    deadline of an attempt is dropped, and counted as such.

    Args:
        engine: what pushes.
        bodies: without end.
        worker: with several processes, which of them this is, from 0.
        timer_factory: calls back at a moment.
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
        self._body = next(bodies)
        self._is_timer_set = False
        """Whether the pacer is."""
        self._due_s = math.inf
        plan = engine.plan
        self._max_in_flight = plan.max_inflight
        self.initial_connections = min(
            self._max_in_flight, math.ceil(plan.stages[0].from_rate / plan.workers * _WARM_UP_WINDOW_S)
        )
        self._max_wait_s = plan.rules.timeout_s

    def start(self) -> None:
        """Set the clockwork going."""
        plan, start_s = self._engine.plan, self._engine.start_s
        if plan.is_poisson:
            rng = random.Random(f"{plan.seed} {self._worker}")  # noqa: S311 - gaps between pushes, no secret
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
        """Whether all that was due has begun, or has been given up."""
        return self._due_s == math.inf

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Count it, and begin the next one that is due: no more, other answers wait to be looked at."""
        engine, clock = self._engine, self._clock
        now_s = clock()
        engine.record(connection, now_s)
        if self._due_s <= now_s:
            self._run_due(_SEND_COST)
        if not engine.pool.in_flight:
            engine.finish_if_idle()

    def stop(self) -> None:
        """Begin nothing more."""
        self._due_s = math.inf
        self._times_s = iter(())

    def close(self) -> None:
        """Give the pacer back."""
        self._timer.close()

    def _advance(self) -> None:
        self._due_s = self._start_s + next(self._times_s, math.inf)

    def _on_timer(self) -> None:
        self._is_timer_set = False
        self._run_due()

    def _run_due(self, budget: int = _MAX_SENDS_PER_TURN) -> None:
        engine = self._engine
        in_flight, clock = engine.pool.in_flight, self._clock
        now_s = clock()
        while self._due_s <= now_s and budget > 0:
            if now_s - self._due_s > self._max_wait_s:
                engine.recorder_for(self._due_s).counters.dropped += 1
                budget -= _DROP_COST
            elif len(in_flight) >= self._max_in_flight:
                return  # it goes on when one of them ends
            else:
                engine.send(self._body, self._due_s, now_s)
                self._body = next(self._bodies)  # ahead, so that drawing it makes nothing late that is due alone
                budget -= _SEND_COST
            self._advance()
            now_s = clock()
        if self._due_s < math.inf:
            if not self._is_timer_set:  # else to a moment that has passed: it is about to call
                self._is_timer_set = True
                self._timer.set(max(0.0, self._due_s - now_s))
        elif not in_flight:
            engine.finish_if_idle()


class ClosedExecutor:
    """So many under way at any time: the next one begins when an answer has come.

    Args:
        engine: what pushes.
        bodies: without end.
        worker: with several processes, which of them this is, from 0.
    """

    def __init__(self, engine: LoadEngine, bodies: Iterator[bytes], *, worker: int = 0) -> None:
        plan = engine.plan
        self.engine, self._pool, self._clock, self.bodies = engine, engine.pool, engine.clock, bodies
        self.initial_connections = worker_share(plan.concurrency, worker, plan.workers) or 0
        remaining = worker_share(
            plan.count, worker, min(plan.workers, plan.concurrency)
        )  # who has none under way takes none
        self.remaining = math.inf if remaining is None else remaining

    def start(self) -> None:
        """Begin the first ones."""
        duration_s = self.engine.plan.duration_s
        self.end_s = self.engine.start_s + (math.inf if duration_s is None else duration_s)
        first = min(self.initial_connections, self.remaining)
        self.remaining -= first
        channels = self._pool.channels
        if channels is not None and self.engine.on_delivery is None:
            channels.serve_all = FastPath(channels, self).serve
        for _ in range(int(first)):
            now_s = self._clock()
            self._pool.send(next(self.bodies), now_s, now_s)

    @property
    def is_finished(self) -> bool:
        """Whether time or count are used up."""
        return self.remaining <= 0 or not self.initial_connections

    def attempt_ended(self, connection: PooledConnection) -> None:
        """Count it, and begin the next one."""
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
        """Begin nothing more."""
        self.remaining = 0

    def close(self) -> None:
        """Leave nothing behind."""


def make_executor(
    engine: LoadEngine, catalog: Catalog, generator: Generator, *, worker: int = 0
) -> OpenExecutor | ClosedExecutor:
    """Return the work of one process of an open or a closed load."""
    is_open = engine.plan.model is LoadModel.OPEN
    shapes, chunk_size = weighted_shapes(catalog, engine.plan.mix), SHORT_CHUNK if is_open else LONG_CHUNK
    bodies = mixed_bodies(generator, shapes, worker=worker, chunk_size=chunk_size)
    next(bodies)  # what is compiled once is compiled before the clock runs
    return (OpenExecutor if is_open else ClosedExecutor)(engine, bodies, worker=worker)


def worker_share(total: int | None, worker: int, workers: int) -> int | None:
    """Return one lane's share of a number; ``None`` of none."""
    return None if total is None else (total + workers - 1 - worker) // workers
