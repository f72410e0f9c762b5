"""Deliver callbacks to the receiver under test as TCOP does, without real pauses."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.api import deliver, run_in_thread
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from tcop_mock.api import Body
    from tcop_mock.domain.delivery import Attempt, Delivery, OutgoingRequest
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.transport.open import OpenTarget


class Clock:
    """Seconds of alarm time since the test began.

    ``tcop_sender`` advances it by the pauses between attempts and between the callbacks of an alarm. ``tcop_pagerduty``
    and ``tcop_wecom`` use it for their rate limits. Calling it returns the time, too.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._lock = threading.Lock()
        self.pauses_s: list[float] = []
        """The pauses that a sender would have waited, in seconds, in order."""

    @property
    def now_s(self) -> float:
        """Seconds since the test began."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds:g} s")
        with self._lock:
            self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Advance by a pause of a sender, without waiting."""
        self.pauses_s.append(seconds)
        self.advance(seconds)

    def __call__(self) -> float:
        """Return the seconds since the test began."""
        return self._now_s


def require_asyncio(alternative: str) -> None:
    """Fail the test unless it runs on asyncio.

    Raises:
        Failed: the test runs on another kind of loop; the message names the alternative.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        usage_error(f"this needs asyncio, and the test runs on another loop; use {alternative} in a thread")


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers by a profile's rules; pauses move a clock of alarm time.

    Args:
        target: the receiver.
        rules: attempts, time limit, pauses.
        clock: of alarm time.
    """

    target: OpenTarget
    rules: DeliveryRules
    clock: Clock

    async def deliver(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks, each at its time in the life of its alarm; return one delivery for each, in order."""
        return await deliver(
            bodies,
            self._send,
            self.rules,
            self.target.target.credentials,
            clock=self.clock,
            sleep=self.clock.sleep,
            gap_scale=1.0,
        )

    async def _send(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once, without the intended time: it is on another clock than the transport's."""
        del intended_s
        return await self.target.transport(request, deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers callbacks and waits until each is accepted or its attempts are used up."""

    deliverer: Deliverer

    def send(self, body: Body) -> Delivery:
        """Deliver one callback with the retries of the profile; ``.accepted`` is true if the receiver took it."""
        return self.send_all([body])[0]

    def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of one alarm keep their distances on ``tcop_clock``."""
        return run_in_thread(self.deliverer.deliver(bodies))


@dataclass(frozen=True, slots=True)
class AsyncSender:
    """Delivers callbacks; its methods are awaited on asyncio."""

    deliverer: Deliverer

    async def send(self, body: Body) -> Delivery:
        """Deliver one callback with the retries of the profile; ``.accepted`` is true if the receiver took it."""
        return (await self.send_all([body]))[0]

    async def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of one alarm keep their distances on ``tcop_clock``."""
        require_asyncio("tcop_sender")
        return await self.deliverer.deliver(bodies)


def deliverer(node: pytest.Item, target: OpenTarget, clock: Clock) -> Deliverer:
    """Return the deliverer of a test."""
    return Deliverer(target, settings_of(node).profile.delivery, clock)
