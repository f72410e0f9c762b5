"""Loads without an end of their own: open, by a schedule, and closed, by the answers."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

from tcop_mock.load.arrivals import drawn, evenly
from tcop_mock.load.bodies import mixed, shapes_of
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
_PUSH, _DROP = 32, 1


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
        self._due_s = math.inf
        self._most = driver.plan.max_inflight
        self._wait_s = driver.plan.rules.timeout_s

    def begin(self) -> None:
        """Set the clockwork going."""
        plan, began_s = self._driver.plan, self._driver.began_s
        if plan.poisson:
            moments = drawn(plan.stages, random.Random(f"{plan.seed} {self._lane}"), lanes=plan.workers)  # noqa: S311
        else:
            moments = evenly(plan.stages, lane=self._lane, lanes=plan.workers)
        self._moments: Iterator[float] = itertools.islice(moments, share(plan.count, self._lane, plan.workers))
        self._began_s = began_s
        self._pacer = self._make_pacer(self._go_on)
        self._next()
        self._go_on()

    @property
    def over(self) -> bool:
        """Whether all that was due has begun, or has been given up."""
        return self._due_s == math.inf

    def ended(self, line: Line, now_s: float) -> None:
        """Count it, and begin what is due."""
        self._driver.count(line, now_s)
        if self._due_s <= now_s:
            self._go_on()

    def stop(self) -> None:
        """Begin nothing more."""
        self._due_s = math.inf
        self._moments = iter(())

    def close(self) -> None:
        """Give the pacer back."""
        self._pacer.close()

    def _next(self) -> None:
        self._due_s = self._began_s + next(self._moments, math.inf)

    def _go_on(self) -> None:
        driver, left = self._driver, _TURN
        flying, clock = driver.wire.flying, driver.clock
        now_s = clock()
        while self._due_s <= now_s and left > 0:
            if now_s - self._due_s > self._wait_s:
                driver.recorder_of(self._due_s).part.dropped += 1
                left -= _DROP
            elif len(flying) >= self._most:
                return  # it goes on when one of them ends
            else:
                driver.push(next(self._bodies), self._due_s, now_s)
                left -= _PUSH
            self._next()
            now_s = clock()
        if self._due_s < math.inf:
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
        self._driver, self._bodies = driver, bodies
        self._lines = share(plan.concurrency, lane, plan.workers) or 0
        left = share(plan.count, lane, plan.workers)
        self._left = math.inf if left is None else left

    def begin(self) -> None:
        """Begin the first ones."""
        plan, driver = self._driver.plan, self._driver
        self._until_s = driver.began_s + (math.inf if plan.duration_s is None else plan.duration_s)
        for _ in range(self._lines):
            self._push(driver.clock())

    @property
    def over(self) -> bool:
        """Whether time or count are used up."""
        return self._left <= 0 or not self._lines

    def ended(self, line: Line, now_s: float) -> None:
        """Count it, and begin the next one."""
        self._driver.count(line, now_s)
        self._push(now_s)

    def stop(self) -> None:
        """Begin nothing more."""
        self._left = 0

    def close(self) -> None:
        """Leave nothing behind."""

    def _push(self, now_s: float) -> None:
        if now_s >= self._until_s:
            self._left = 0
        if self._left > 0:
            self._left -= 1
            self._driver.push(next(self._bodies), now_s, now_s)


def steady(driver: Driver, catalog: Catalog, generator: Generator, *, lane: int = 0) -> OpenLoad | ClosedLoad:
    """Return the work of one process of an open or a closed load."""
    bodies = mixed(generator, shapes_of(catalog, driver.plan.mix), process=lane)
    next(bodies)  # what is compiled once is compiled before the clock runs
    make = OpenLoad if driver.plan.model is Model.OPEN else ClosedLoad
    return make(driver, bodies, lane=lane)


def share(whole: int | None, lane: int, lanes: int) -> int | None:
    """Return one lane's share of a number; ``None`` of none."""
    return None if whole is None else (whole + lanes - 1 - lane) // lanes
