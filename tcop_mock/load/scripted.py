"""Notifications that are due one by one, with the profile's retries on top: a slow receiver shows what it brings on."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.load.pacer import pacer
from tcop_mock.load.pooled import KeepingLine
from tcop_mock.model.delivery import Attempt, Outcome, Push
from tcop_mock.model.load import Notified, Pushed
from tcop_mock.model.profile import Accept, RetryAfter
from tcop_mock.send.acceptance import held_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.load.driver import Driver
    from tcop_mock.load.line import Line
    from tcop_mock.load.pacer import Pacer
    from tcop_mock.model.load import Due, LoadPlan, Script

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
