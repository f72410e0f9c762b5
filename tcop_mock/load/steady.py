"""Loads without an end of their own: open, by a schedule, and closed, by the answers."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

from tcop_mock.load.arrivals import drawn, evenly
from tcop_mock.load.bodies import LONG_PIECE, SHORT_PIECE, mixed, shapes_of
from tcop_mock.load.fastpath import FastPath
from tcop_mock.load.pacer import pacer
from tcop_mock.model.load import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.catalog import Catalog
    from tcop_mock.generate import Generator
    from tcop_mock.load.driver import Driver
    from tcop_mock.load.line import Line
    from tcop_mock.load.pacer import Pacer

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
