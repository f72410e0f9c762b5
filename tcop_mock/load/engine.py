"""Begins attempts when they are due and counts what becomes of them. What is due when, the kinds of load say.

Times in here are those of the clock.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Protocol

from tcop_mock.domain.delivery import Outcome, Push
from tcop_mock.domain.load import Due, Model, Notified, Pushed
from tcop_mock.load.pool import Wire
from tcop_mock.load.stats import LONG_BATCH, SHORT_BATCH, Beat, Recorder
from tcop_mock.load.timer import raised_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.load.connection import Line

_EXPIRE_S = 0.02
"""An attempt is ended so long after its deadline at the most."""
_ACKED = Outcome.ACKED


class Work(Protocol):
    """What a driver is driven by."""

    connections: int
    """That are open when it begins."""

    def begin(self) -> None:
        """Begin; the driver's clock, wire and pacer are there."""
        ...

    def ended(self, line: Line) -> None:
        """Take what became of an attempt; go on with what is due, or say that it may be over."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...

    def close(self) -> None:
        """Settle what is left: nothing is under way any more."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing more will begin."""
        ...


class Driver:
    """One process's part of a load.

    Args:
        plan: what to do.
        tell: is told each second.
        clock: seconds, monotonic.
        line: what the wire makes its lines of, where it is not the usual one.
        told: is told what became of each push of a load without a script, where anybody wants to know.
    """

    def __init__(
        self,
        plan: LoadPlan,
        tell: Callable[[Beat], None],
        *,
        clock: Callable[[], float] = time.perf_counter,
        line: type[Line] | None = None,
        told: Callable[[Notified], None] | None = None,
    ) -> None:
        self.plan, self.clock = plan, clock
        self.began_s = 0.0
        """When the load began."""
        self._closed = plan.model is Model.CLOSED
        batch = LONG_BATCH if self._closed else SHORT_BATCH
        self.recorder, self._warming = Recorder(batch), Recorder(batch)
        self.wire = Wire(
            plan.target,
            Push(b"", headers=plan.rules.headers, credentials=plan.target.credentials),
            deadline_s=plan.rules.timeout_s,
            cap_bytes=plan.rules.answer_cap_bytes,
            ended=_nothing_runs,
            clock=clock,
            insecure=plan.insecure,
            **({"line": line} if line else {}),
        )
        self._tell, self.told = tell, told
        self.warm_until_s = 0.0
        self._seconds = self._flew = 0
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self, work: Work) -> None:
        """Carry the work out; ends when nothing more will begin and all has ended. Cancelled, it ends at once."""
        loop = asyncio.get_running_loop()
        try:
            await self.wire.prepare(work.connections)
        except BaseException:
            await self.wire.close()
            raise
        gc.collect()
        gc.freeze()  # what is there stays there: looking through it again and again would hold up what is due
        self._work, self._done = work, loop.create_future()
        self.wire.ended = work.ended
        self.began_s = self.clock()
        self.warm_until_s = self.began_s + self.plan.warm_up_s
        try:
            with raised_by(self._done):
                work.begin()
                self._expire()
                self._beat_in(1.0)
                self.maybe_over()
                await self._done
        finally:
            gc.unfreeze()
            work.stop()
            self.wire.cancel()
            for timer in self._timers:
                timer.cancel()
            work.close()
            self._beat(last=True)
            await self.wire.close()

    def push(self, body: bytes, intended_s: float, now_s: float, due: object = None) -> None:
        """Begin an attempt."""
        self.recorder_of(intended_s).began(now_s - intended_s)
        self.wire.push(body, intended_s, now_s, due)

    def recorder_of(self, intended_s: float) -> Recorder:
        """Return where to count what was due at a moment."""
        return self._warming if intended_s < self.warm_until_s else self.recorder

    def maybe_over(self) -> None:
        """End the run where nothing is under way and nothing will be."""
        if self._work.over and not self.wire.flying and not self._done.done():
            self._done.set_result(None)

    def count(self, line: Line, now_s: float) -> None:
        """Count an attempt that has ended, by itself."""
        intended_s = line.intended_s
        recorder = self._warming if intended_s < self.warm_until_s else self.recorder
        if line.outcome is _ACKED:
            recorder.acked(line.status, now_s - intended_s, None if self._closed else now_s - line.started_s)
        else:
            recorder.failed(line.outcome, line.status)
        if self.told is not None:
            began_s = self.began_s
            pushed = Pushed(
                intended_s - began_s,
                line.started_s - began_s,
                now_s - began_s,
                line.outcome,
                line.status,
                line.replayed,
            )
            self.told(Notified(Due(pushed.intended_s, line.body), (pushed,)))

    def _expire(self) -> None:
        self.wire.expire(self.clock())
        timer = asyncio.get_running_loop().call_later(_EXPIRE_S, self._expire)
        self._timers[:1] = [timer]

    def _beat_in(self, delay_s: float) -> None:
        self._timers[1:] = [asyncio.get_running_loop().call_later(delay_s, self._beat)]

    def _beat(self, *, last: bool = False) -> None:
        elapsed_s = self.clock() - self.began_s
        span_s = elapsed_s - self._seconds if last else 1.0
        wire, counted, warming = self.wire, self.recorder.taken(), self._warming.taken()
        flew, self._flew = self._flew, len(wire.flying)
        self._tell(
            Beat(
                self._seconds,
                max(0.0, span_s),
                sum(counted.ended.values()) + sum(warming.ended.values()) + self._flew - flew,
                counted,
                warming,
                self._flew,
                wire.replayed,
                wire.connections,
                wire.exhausted,
            )
        )
        self._seconds += 1
        if not last:
            self._beat_in(max(0.0, self.began_s + self._seconds + 1 - self.clock()))


def _nothing_runs(_line: Line) -> None:
    """Take nothing: work is to come."""
