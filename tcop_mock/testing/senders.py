"""The receiver under test: ``tcop_target`` opens it; senders deliver callbacks as TCOP does, without real pauses."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.api import deliver
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import target_errors_as_failures, usage_error, usage_errors_as_failures
from tcop_mock.transport.caller import run_beside, run_beside_async
from tcop_mock.transport.open import OpenTarget, open_target, resolve_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

    from tcop_mock.api import Body
    from tcop_mock.domain.delivery import Attempt, Delivery, OutgoingRequest
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target


_MAX_SHOWN_ERRORS = 3


@contextmanager
def open_target_under_test(value: object, node: pytest.Item) -> Iterator[OpenTarget]:
    """Open the value of ``tcop_target`` for one test.

    Raises:
        Failed: the value is not a target, or a target on another machine that no option allows.
    """
    settings = settings_of(node)
    with usage_errors_as_failures("tcop_target"):
        target = resolve_target(value)
    _require_allowed(target, settings.allowed_hosts)
    with ExitStack() as stack:
        with target_errors_as_failures(), usage_errors_as_failures("tcop_target"):
            opened = stack.enter_context(open_target(value, settings.profile.delivery.answer_cap_bytes))
        yield opened


def _require_allowed(target: Target, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse a target on another machine unless an option names it: a test run by accident must not page anybody."""
    if not target.is_on_this_machine and target.host not in allowed_hosts:
        usage_error(
            f"tcop_target {target} is on another machine; --tcop-allow-host {target.host}, or tcop_allow_host in the "
            "ini file, allows it"
        )


class Clock:
    """Seconds of alarm time since the test began.

    ``tcop_sender`` advances it by the pauses between attempts and between the callbacks of an alarm. The services
    that are fixtures, such as ``tcop_wecom``, use it for their rate limits. Calling it returns the time, too.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._lock = threading.Lock()
        self.pauses_s: list[float] = []
        """The pauses that a sender would have waited, in seconds, in order."""

    def __repr__(self) -> str:
        return f"<Clock at {self._now_s:g} s>"

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
        on_app_error: is called with the traceback of an app that has not taken a callback.
    """

    target: OpenTarget
    rules: DeliveryRules
    clock: Clock
    on_app_error: Callable[[str], object]

    async def deliver(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks, each at its time in the life of its alarm; return one delivery for each, in order."""
        deliveries = await deliver(
            bodies,
            self._send,
            self.rules,
            self.target.target.credentials,
            clock=self.clock,
            sleep=self.clock.sleep,
            gap_scale=1.0,
        )
        failed = [one for one in deliveries if not one.accepted and one.attempts[-1].traceback]
        for one in failed[:_MAX_SHOWN_ERRORS]:
            self.on_app_error(f"{one!r}\n{one.attempts[-1].traceback}")
        return deliveries

    async def _send(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once, without the intended time: it is on another clock than the transport's."""
        del intended_s
        return await self.target.transport(request, deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers callbacks and waits until each is accepted or its attempts are used up."""

    deliverer: Deliverer

    def __repr__(self) -> str:
        return f"<Sender to {self.deliverer.target.target}>"

    def send(self, body: Body) -> Delivery:
        """Deliver one callback with the retries of the profile; ``.accepted`` is true if the receiver took it."""
        return self.send_all([body])[0]

    def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of one alarm keep their distances on ``tcop_clock``."""
        __tracebackhide__ = True
        with target_errors_as_failures():
            return run_beside(self.deliverer.deliver(bodies))


@dataclass(frozen=True, slots=True)
class AsyncSender:
    """Delivers callbacks; its methods are awaited on asyncio."""

    deliverer: Deliverer

    def __repr__(self) -> str:
        return f"<AsyncSender to {self.deliverer.target.target}>"

    async def send(self, body: Body) -> Delivery:
        """Deliver one callback with the retries of the profile; ``.accepted`` is true if the receiver took it."""
        return (await self.send_all([body]))[0]

    async def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of one alarm keep their distances on ``tcop_clock``."""
        __tracebackhide__ = True
        require_asyncio("tcop_sender")
        with target_errors_as_failures():
            return await run_beside_async(self.deliverer.deliver(bodies))


def deliverer(node: pytest.Item, target: OpenTarget, clock: Clock) -> Deliverer:
    """Return the deliverer of a test."""

    def show_app_error(text: str) -> None:
        node.add_report_section("call", "app error", text)

    return Deliverer(target, settings_of(node).profile.delivery, clock, show_app_error)
