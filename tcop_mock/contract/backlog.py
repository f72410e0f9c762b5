"""Tells an alarm that was lost from one that still waits in a queue of the receiver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.errors import ObserverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.effect_runner import EffectPoller
    from tcop_mock.domain.contract import EffectScenario

_POLL_INTERVAL_S = 0.1
_STANDSTILL_S = 65.0
"""How long a receiver may do nothing: those that send 20 messages a minute pause up to a minute."""
_SHARE = 0.5
"""The share of the remaining time that is waited at most."""
_BUSY = (
    "undecided: after {waited:.0f} s the receiver has not come to the callbacks that the run sent last; if it limits "
    "the rate of its messages, turn that off for the check, else give more --max-time"
)


@dataclass(slots=True)
class Backlog:
    """What the receiver has accepted and not worked on yet.

    A plain alarm is sent. When its effect is visible, the effects of what was sent before it should be, too.

    Args:
        factory: returns what makes another plain alarm for each number.
        send: sends it; returns what it expects if it was accepted.
        poller: shows its effects.
        until_s: the end of the run on the clock.
    """

    factory: Callable[[int], CaseFactory]
    send: Callable[[CaseFactory], Awaitable[EffectScenario | None]]
    poller: EffectPoller
    until_s: float
    _number: int = field(default=0, init=False)
    _done_until_s: float = field(default=float("-inf"), init=False)
    """On the clock: what was sent until then has been worked on."""
    _stands_still: bool = field(default=False, init=False)
    """Whether a plain alarm had no effect although nothing else happened, either: waiting again tells nothing."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def wait(self) -> float:
        """Wait until the receiver has worked on all that was sent before; return how many seconds that took.

        It returns, too, when a receiver does nothing any more: then what has no effect is lost.

        Raises:
            ObserverError: the receiver is still at work when much of the time is over, or the observer failed.
        """
        clock = self.poller.clock
        called_s = clock()
        async with self._lock:
            if not self._stands_still and self._done_until_s < called_s:
                sent_s = clock()
                scenario = await self.send(self.factory(self._number))
                self._number += 1
                if scenario and await self._is_reached(scenario, sent_s):
                    self._done_until_s = sent_s
        return clock() - called_s

    async def _is_reached(self, scenario: EffectScenario, sent_s: float) -> bool:
        """Return whether the alarm has an effect before the receiver stands still."""
        limit_s = _SHARE * (self.until_s - sent_s)
        while True:
            visible = await self.poller.snapshot(scenario)
            if visible.effects or visible.rejected:
                return True
            now_s = self.poller.clock()
            if now_s - max(sent_s, self.poller.last_change_s) >= _STANDSTILL_S:
                self._stands_still = True
                return False
            if now_s - sent_s >= limit_s:
                raise ObserverError(_BUSY.format(waited=now_s - sent_s))
            await self.poller.sleep(_POLL_INTERVAL_S)
