"""Deliver callbacks to the receiver under test as TCOP does, in no time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tcop_mock.domain.alarm import Callback, encode_json
from tcop_mock.domain.delivery import Delivery, OutgoingRequest
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import usage_error
from tcop_mock.transport.delivery import DeliveryScheduler, ScheduledRequest

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    import pytest

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.testing.target import TargetUnderTest

    T = TypeVar("T")


class Clock:
    """Seconds of alarm time since the test began.

    ``tcop_sender`` moves it by the pauses between attempts and between an alarm's callbacks; ``tcop_pagerduty`` and
    ``tcop_wecom`` reckon their limits by the minute with it. Calling it gives the time, too.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._lock = threading.Lock()
        self.pauses_s: list[float] = []
        """What a sender would have waited, in order."""

    @property
    def now_s(self) -> float:
        """Seconds since the test began."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: less than none.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds:g} s")
        with self._lock:
            self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait as a sender does: no time at all."""
        self.pauses_s.append(seconds)
        self.advance(seconds)

    def __call__(self) -> float:
        """Return the seconds since the test began."""
        return self._now_s


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Do the work on a loop of its own in a thread of its own, and return what it returns.

    So the test's own loop, where it has one, and the thread's policy stay as they are. Whatever interrupts the waiting
    (Ctrl-C, a timeout of the test) cancels the work.
    """
    running_task: Future[asyncio.Task[T]] = Future()

    async def run() -> T:
        task = asyncio.ensure_future(coroutine)
        running_task.set_result(task)
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="tcop-mock") as pool:
        future = pool.submit(asyncio.run, run())
        try:
            return future.result()
        except BaseException:
            task = running_task.result()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the work itself has raised
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


def require_asyncio(alternative: str) -> None:
    """Refuse to be awaited by anything but asyncio.

    Raises:
        Failed: the test runs on another kind of loop; says what to use instead.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        usage_error(f"this needs asyncio, and the test runs on another loop; use {alternative} in a thread")


Body: TypeAlias = Callback | Mapping[str, Any] | bytes | str

"""What can be sent: a callback, a tree of JSON values, or a body as it is."""


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers by a profile's rules; pauses are played on a clock of alarm time.

    Args:
        target: the receiver.
        rules: attempts, deadline, pauses.
        clock: of alarm time.
    """

    target: TargetUnderTest
    rules: DeliveryRules
    clock: Clock

    async def deliver(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver all, each at its time in its alarm's life; return what became of each, in their order."""
        rules, credentials = self.rules, self.target.target.credentials
        requests = [
            OutgoingRequest(body_bytes(body), headers=rules.headers, credentials=credentials) for body in bodies
        ]
        scheduler = DeliveryScheduler(self._send, rules, self.clock, self.clock.sleep, gap_scale=1.0)
        notifications = list(map(ScheduledRequest, _send_times_s(bodies), requests))
        deliveries = {number: delivery async for number, delivery in scheduler.deliver_all(notifications)}
        return [deliveries[number] for number in range(len(bodies))]

    async def _send(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; when it was intended is told on another clock than the port's."""
        del intended_s
        return await self.target.transport(request, deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers callbacks, and waits for what becomes of them."""

    deliverer: Deliverer

    def send(self, body: Body) -> Delivery:
        """Deliver one callback, with the profile's retries; ``.accepted`` says whether it was taken."""
        return self.send_all([body])[0]

    def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of an alarm's life keep their distances on ``tcop_clock``."""
        return run_blocking(self.deliverer.deliver(bodies))


@dataclass(frozen=True, slots=True)
class AsyncSender:
    """Delivers callbacks; to be awaited on asyncio."""

    deliverer: Deliverer

    async def send(self, body: Body) -> Delivery:
        """Deliver one callback, with the profile's retries; ``.accepted`` says whether it was taken."""
        return (await self.send_all([body]))[0]

    async def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of an alarm's life keep their distances on ``tcop_clock``."""
        require_asyncio("tcop_sender")
        return await self.deliverer.deliver(bodies)


def deliverer(node: pytest.Item, target: TargetUnderTest, clock: Clock) -> Deliverer:
    """Return who delivers in a test."""
    return Deliverer(target, settings_of(node).profile.delivery, clock)


def body_bytes(body: Body) -> bytes:
    """Return the bytes of what is to be sent."""
    if isinstance(body, Callback):
        return body.to_bytes()
    if isinstance(body, Mapping):
        return encode_json(dict(body))
    return body.encode() if isinstance(body, str) else body


def _send_times_s(bodies: Sequence[Body]) -> list[float]:
    """Return when each is told; what is of no alarm, with what stands before it."""
    times_s: list[float] = []
    first_occur = next((one.alarm.first_occurred_at for one in bodies if isinstance(one, Callback)), None)
    for one in bodies:
        if isinstance(one, Callback) and first_occur is not None:
            sent_at_s = (one.alarm.first_occurred_at - first_occur).total_seconds() + one.duration_s
            times_s.append(max(sent_at_s, times_s[-1] if times_s else sent_at_s))
        else:
            times_s.append(times_s[-1] if times_s else 0.0)
    return times_s
