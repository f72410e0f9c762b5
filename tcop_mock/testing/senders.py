"""Deliver callbacks to the receiver under test as TCOP does, in no time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tcop_mock.domain.alarm import Callback, wire_bytes
from tcop_mock.domain.delivery import Delivery, Push
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import misuse
from tcop_mock.transport.delivery import Courier, Notification

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    import pytest

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.testing.target import Aim

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


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Do the work on a loop of its own in a thread of its own, and return what it returns.

    So the test's own loop, where it has one, and the thread's policy stay as they are. Whatever interrupts the waiting
    (Ctrl-C, a timeout of the test) cancels the work.
    """
    at_work: Future[asyncio.Task[T]] = Future()

    async def run() -> T:
        task = asyncio.ensure_future(work)
        at_work.set_result(task)
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="tcop-mock") as pool:
        done = pool.submit(asyncio.run, run())
        try:
            return done.result()
        except BaseException:
            task = at_work.result()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the work itself has raised
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


def require_asyncio(instead: str) -> None:
    """Refuse to be awaited by anything but asyncio.

    Raises:
        Failed: the test runs on another kind of loop; says what to use instead.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        misuse(f"this needs asyncio, and the test runs on another loop; use {instead} in a thread")


Body: TypeAlias = Callback | Mapping[str, Any] | bytes | str

"""What can be sent: a callback, a tree of JSON values, or a body as it is."""


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers by a profile's rules; pauses are played on a clock of alarm time.

    Args:
        aim: the receiver.
        rules: attempts, deadline, pauses.
        clock: of alarm time.
    """

    aim: Aim
    rules: DeliveryRules
    clock: Clock

    async def deliver(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver all, each at its time in its alarm's life; return what became of each, in their order."""
        rules, credentials = self.rules, self.aim.target.credentials
        pushes = [Push(body_of(body), headers=rules.headers, credentials=credentials) for body in bodies]
        courier = Courier(self._post, rules, self.clock, self.clock.sleep, gap_scale=1.0)
        notifications = list(map(Notification, _told_s(bodies), pushes))
        became = {number: delivery async for number, delivery in courier.deliver_all(notifications)}
        return [became[number] for number in range(len(bodies))]

    async def _post(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; when it was intended is told on another clock than the port's."""
        del intended_s
        return await self.aim.post(push, deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers callbacks, and waits for what becomes of them."""

    deliverer: Deliverer

    def send(self, body: Body) -> Delivery:
        """Deliver one callback, with the profile's retries; ``.accepted`` says whether it was taken."""
        return self.send_all([body])[0]

    def send_all(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order; those of an alarm's life keep their distances on ``tcop_clock``."""
        return blocking(self.deliverer.deliver(bodies))


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


def deliverer(node: pytest.Item, aim: Aim, clock: Clock) -> Deliverer:
    """Return who delivers in a test."""
    return Deliverer(aim, settings_of(node).profile.delivery, clock)


def body_of(body: Body) -> bytes:
    """Return the bytes of what is to be sent."""
    if isinstance(body, Callback):
        return body.body()
    if isinstance(body, Mapping):
        return wire_bytes(dict(body))
    return body.encode() if isinstance(body, str) else body


def _told_s(bodies: Sequence[Body]) -> list[float]:
    """Return when each is told; what is of no alarm, with what stands before it."""
    at_s: list[float] = []
    begin = next((one.alarm.first_occur for one in bodies if isinstance(one, Callback)), None)
    for one in bodies:
        if isinstance(one, Callback) and begin is not None:
            told_s = (one.alarm.first_occur - begin).total_seconds() + one.duration_s
            at_s.append(max(told_s, at_s[-1] if at_s else told_s))
        else:
            at_s.append(at_s[-1] if at_s else 0.0)
    return at_s
