"""Loads without an end of their own: open, by a schedule, and closed, by the answers."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.delivery import Attempt, Outcome, Push
from tcop_mock.domain.load import Model, Notified, Pushed
from tcop_mock.domain.profile import Accept, RetryAfter
from tcop_mock.load.epoll import READ_BYTES, READABLE, Channel
from tcop_mock.load.pool import KeepingLine
from tcop_mock.load.schedule import LONG_PIECE, SHORT_PIECE, drawn, evenly, mixed, shapes_of
from tcop_mock.load.timer import pacer
from tcop_mock.transport.delivery import held_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import Due, LoadPlan, Script
    from tcop_mock.load.connection import Line
    from tcop_mock.load.engine import Driver
    from tcop_mock.load.epoll import Channels
    from tcop_mock.load.timer import Pacer


_DUE_IN_A_TURN = 32

"""Pushes that begin before the answers that have come are looked at."""


class _Story:
    """A notification that is being told."""

    __slots__ = ("due", "pushes")

    def __init__(self, due: Due) -> None:
        self.due = due
        self.pushes: list[Pushed] = []


class _Next(NamedTuple):
    """A push that is to begin; of two at once the one that was thought of first."""

    at_s: float
    order: int
    story: _Story


class ScriptLoad:
    """Plays a script.

    What is due while ``max_inflight`` attempts are under way waits and is late; nothing is dropped. Stretches in which
    nothing happens are passed over where the plan says so: what comes behind them is then due sooner, all of it.

    Args:
        driver: what pushes.
        script: notifications, the earliest first.
        told: is told what became of each.
        make_pacer: calls back at a moment.
    """

    connections = 1

    def __init__(
        self,
        driver: Driver,
        script: Script,
        told: Callable[[Notified], None],
        *,
        make_pacer: Callable[[Callable[[], None]], Pacer] = pacer,
    ) -> None:
        self._driver, self._script, self._told, self._make_pacer = driver, script, told, make_pacer
        self._rules, self._most = driver.plan.rules, driver.plan.max_inflight
        self._again: list[_Next] = []
        self._order = itertools.count()
        self._due: Due | None = None
        self._stopped = False
        self._alarms: set[str] = set()
        self._passed_over_s = 0.0
        self.last_due_s = 0.0
        """When the last notification that has begun was due, in seconds since the start."""

    def begin(self) -> None:
        """Set the clockwork going."""
        plan = self._driver.plan
        self._began_s = self._driver.began_s
        self._until_s = math.inf if plan.duration_s is None else plan.duration_s
        self._script = itertools.islice(self._script, plan.count)
        self._pacer = self._make_pacer(self._go_on)
        self._advance()
        self._go_on()

    @property
    def over(self) -> bool:
        """Whether all has been told."""
        return self._stopped or (self._due is None and not self._again)

    def ended(self, line: Line) -> None:
        """Take what became of an attempt: its notification is told, or pushed again."""
        story, now_s = line.due, self._driver.clock()
        assert isinstance(story, _Story)  # noqa: S101 - nobody else pushes on this wire
        began_s = self._began_s
        attempt = _attempt(line, now_s)
        if self._rules.accept is not Accept.ANY_2XX:
            attempt = held_to(self._rules.accept, Push(line.body), attempt)
        pushed = Pushed(
            line.intended_s - began_s,
            line.started_s - began_s,
            now_s - began_s,
            attempt.outcome,
            line.status,
            line.replayed,
        )
        story.pushes.append(pushed)
        recorder = self._driver.recorder_of(began_s + story.due.at_s)
        if attempt.outcome is Outcome.ACKED:
            recorder.acked(line.status, pushed.ended_s - story.due.at_s, now_s - line.started_s)
        else:
            recorder.failed(attempt.outcome, line.status)
        left = 0 if self._stopped else self._rules.attempts - len(story.pushes)
        if left > 0 and self._rules.retries(attempt):
            pause_s = self._rules.pause_s(attempt, len(story.pushes)) * self._driver.plan.pause_scale
            heapq.heappush(self._again, _Next(now_s + pause_s, next(self._order), story))
        else:
            self._settle(story)
        self._go_on(1)

    def stop(self) -> None:
        """Tell of nothing new, and push nothing again."""
        self._stopped = True

    def close(self) -> None:
        """Settle what waits to be pushed again, and give the pacer back."""
        self._pacer.close()
        while self._again:
            self._settle(heapq.heappop(self._again).story)

    def _settle(self, story: _Story) -> None:
        notified = Notified(story.due, tuple(story.pushes))
        part = self._driver.recorder_of(self._began_s + story.due.at_s).part
        part.notifications += 1
        part.lost += not notified.acked
        part.duplicates += notified.duplicates
        if story.due.alarm and story.due.alarm not in self._alarms:
            self._alarms.add(story.due.alarm)
            part.alarms += 1
        self._told(notified)

    def _advance(self) -> None:
        due = next(self._script, None)
        if due is not None and self._passed_over_s:
            due = due._replace(at_s=due.at_s - self._passed_over_s)
        self._due = None if due is None or due.at_s >= self._until_s else due

    def _pass_over(self, next_s: float, now_s: float) -> float:
        """Cut a quiet stretch down, where there is one; return when something is due next."""
        quiet_s, due = self._driver.plan.quiet_s, self._due
        if quiet_s is None or due is None or self._again or self._driver.wire.flying or next_s - now_s <= quiet_s:
            return next_s
        cut_s = next_s - now_s - quiet_s
        self._passed_over_s += cut_s
        self._due = due._replace(at_s=due.at_s - cut_s)
        return next_s - cut_s

    def _next_s(self) -> float:
        """Return when something is due next, on the clock."""
        new_s = math.inf if self._due is None else self._began_s + self._due.at_s
        return min(new_s, self._again[0].at_s) if self._again else new_s

    def _go_on(self, most: int = _DUE_IN_A_TURN) -> None:
        driver, left = self._driver, 0 if self._stopped else most
        now_s = driver.clock()
        while (next_s := self._next_s()) <= now_s and left:
            if len(driver.wire.flying) >= self._most:
                return  # it goes on when one of them ends
            story = self._pop(next_s)
            driver.push(story.due.body, next_s, now_s, story)
            if story.due is self._due:
                self._advance()  # behind the push, so that drawing what is next does not make it late
            left -= 1
            now_s = driver.clock()
        if self.over:
            driver.maybe_over()
        else:
            self._pacer.set(max(0.0, self._pass_over(next_s, now_s) - now_s))

    def _pop(self, next_s: float) -> _Story:
        if self._again and self._again[0].at_s == next_s:
            return heapq.heappop(self._again).story
        due = self._due
        assert due is not None  # noqa: S101 - it is what is due next
        self.last_due_s = due.at_s
        return _Story(due)


def line_for(plan: LoadPlan) -> type[Line] | None:
    """Return the lines that a script's driver needs: such as keep the answer, where a profile looks into it."""
    rules = plan.rules
    looks = rules.accept in {Accept.RET_CODE, Accept.ERRCODE} or rules.retry_after is RetryAfter.HONOURED
    return KeepingLine if looks else None


def _attempt(line: Line, now_s: float) -> Attempt:
    if isinstance(line, KeepingLine):
        return line.attempt()
    return Attempt(line.outcome, line.intended_s, line.started_s, now_s, status=line.status)


class FastPath:
    """Serves the connections of a closed load, in place of ``Channels.serve_each``.

    Args:
        channels: the connections.
        load: whose they are; it has begun.
    """

    def __init__(self, channels: Channels, load: ClosedLoad) -> None:
        self._load, self._driver, self._wire = load, load.driver, load.driver.wire
        self._opened, self._acking = channels.open.get, self._wire.answers.acking.get

    def serve(self, ready: list[tuple[int, int]], written: list[tuple[Channel, bytes]]) -> None:
        """Read from what is ready, count, and add the next pushes to what is to be sent."""
        opened, acking, load, driver = self._opened, self._acking, self._load, self._driver
        clock, flying, requests = driver.clock, self._wire.flying, self._wire.requests
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
            if not is_usual or started_s < driver.warm_until_s or now_s >= load.until_s or load.left <= 0:
                channel.received(data)
                continue
            acks_s.append(now_s - started_s)
            statuses.append(status)
            load.left -= 1
            line.body = body = next(load.bodies)
            line.served += 1
            line.replayed = False
            line.intended_s = line.started_s = now_s
            del flying[line]
            flying[line] = None
            written.append((channel, requests[len(body)] + body))
        driver.recorder.all_acked(statuses, acks_s)


_TURN = 1024

"""What is done before the answers that have come are looked at: so many drops, or a 32nd of it in pushes."""

_PUSH, _DROP = 64, 1

_AHEAD_S = 0.002

"""Connections are opened ahead for what is due in so long."""


class OpenLoad:
    """Pushes by a schedule, whatever the receiver does.

    What is due while ``max_inflight`` attempts are under way waits and is late; what has waited longer than the
    deadline of an attempt is dropped, and counted as such.

    Args:
        driver: what pushes.
        bodies: without end.
        lane: with several processes, which of them this is, from 0.
        make_pacer: calls back at a moment.
    """

    def __init__(
        self,
        driver: Driver,
        bodies: Iterator[bytes],
        *,
        lane: int = 0,
        make_pacer: Callable[[Callable[[], None]], Pacer] = pacer,
    ) -> None:
        self._driver, self._bodies, self._lane, self._make_pacer = driver, bodies, lane, make_pacer
        self._clock = driver.clock
        self._body = next(bodies)
        self._set = False
        """Whether the pacer is."""
        self._due_s = math.inf
        plan = driver.plan
        self._most = plan.max_inflight
        self.connections = min(self._most, math.ceil(plan.stages[0].from_rate / plan.workers * _AHEAD_S))
        self._wait_s = plan.rules.timeout_s

    def begin(self) -> None:
        """Set the clockwork going."""
        plan, began_s = self._driver.plan, self._driver.began_s
        if plan.poisson:
            chance = random.Random(f"{plan.seed} {self._lane}")  # noqa: S311 - gaps between pushes, no secret
            moments = drawn(plan.stages, chance, lanes=plan.workers)
        else:
            moments = evenly(plan.stages, lane=self._lane, lanes=plan.workers)
        self._moments: Iterator[float] = itertools.islice(moments, share(plan.count, self._lane, plan.workers))
        self._began_s = began_s
        self._pacer = self._make_pacer(self._woken)
        self._next()
        self._go_on()

    @property
    def over(self) -> bool:
        """Whether all that was due has begun, or has been given up."""
        return self._due_s == math.inf

    def ended(self, line: Line) -> None:
        """Count it, and begin the next one that is due: no more, other answers wait to be looked at."""
        driver, clock = self._driver, self._clock
        now_s = clock()
        driver.count(line, now_s)
        if self._due_s <= now_s:
            self._go_on(_PUSH)
        if not driver.wire.flying:
            driver.maybe_over()

    def stop(self) -> None:
        """Begin nothing more."""
        self._due_s = math.inf
        self._moments = iter(())

    def close(self) -> None:
        """Give the pacer back."""
        self._pacer.close()

    def _next(self) -> None:
        self._due_s = self._began_s + next(self._moments, math.inf)

    def _woken(self) -> None:
        self._set = False
        self._go_on()

    def _go_on(self, left: int = _TURN) -> None:
        driver = self._driver
        flying, clock = driver.wire.flying, self._clock
        now_s = clock()
        while self._due_s <= now_s and left > 0:
            if now_s - self._due_s > self._wait_s:
                driver.recorder_of(self._due_s).part.dropped += 1
                left -= _DROP
            elif len(flying) >= self._most:
                return  # it goes on when one of them ends
            else:
                driver.push(self._body, self._due_s, now_s)
                self._body = next(self._bodies)  # ahead, so that drawing it makes nothing late that is due alone
                left -= _PUSH
            self._next()
            now_s = clock()
        if self._due_s < math.inf:
            if not self._set:  # else to a moment that has passed: it is about to call
                self._set = True
                self._pacer.set(max(0.0, self._due_s - now_s))
        elif not flying:
            driver.maybe_over()


class ClosedLoad:
    """So many under way at any time: the next one begins when an answer has come.

    Args:
        driver: what pushes.
        bodies: without end.
        lane: with several processes, which of them this is, from 0.
    """

    def __init__(self, driver: Driver, bodies: Iterator[bytes], *, lane: int = 0) -> None:
        plan = driver.plan
        self.driver, self._wire, self._clock, self.bodies = driver, driver.wire, driver.clock, bodies
        self.connections = share(plan.concurrency, lane, plan.workers) or 0
        left = share(plan.count, lane, min(plan.workers, plan.concurrency))  # who has none under way takes none
        self.left = math.inf if left is None else left

    def begin(self) -> None:
        """Begin the first ones."""
        duration_s = self.driver.plan.duration_s
        self.until_s = self.driver.began_s + (math.inf if duration_s is None else duration_s)
        first = min(self.connections, self.left)
        self.left -= first
        channels = self._wire.channels
        if channels is not None and self.driver.told is None:
            channels.serve_all = FastPath(channels, self).serve
        for _ in range(int(first)):
            now_s = self._clock()
            self._wire.push(next(self.bodies), now_s, now_s)

    @property
    def over(self) -> bool:
        """Whether time or count are used up."""
        return self.left <= 0 or not self.connections

    def ended(self, line: Line) -> None:
        """Count it, and begin the next one."""
        driver, clock = self.driver, self._clock
        now_s = clock()
        driver.count(line, now_s)
        if now_s < self.until_s and self.left > 0:
            self.left -= 1
            self._wire.push(next(self.bodies), now_s, now_s)
        else:
            self.left = 0
            if not self._wire.flying:
                driver.maybe_over()

    def stop(self) -> None:
        """Begin nothing more."""
        self.left = 0

    def close(self) -> None:
        """Leave nothing behind."""


def steady(driver: Driver, catalog: Catalog, generator: Generator, *, lane: int = 0) -> OpenLoad | ClosedLoad:
    """Return the work of one process of an open or a closed load."""
    is_open = driver.plan.model is Model.OPEN
    shapes, piece = shapes_of(catalog, driver.plan.mix), SHORT_PIECE if is_open else LONG_PIECE
    bodies = mixed(generator, shapes, process=lane, piece=piece)
    next(bodies)  # what is compiled once is compiled before the clock runs
    return (OpenLoad if is_open else ClosedLoad)(driver, bodies, lane=lane)


def share(whole: int | None, lane: int, lanes: int) -> int | None:
    """Return one lane's share of a number; ``None`` of none."""
    return None if whole is None else (whole + lanes - 1 - lane) // lanes
