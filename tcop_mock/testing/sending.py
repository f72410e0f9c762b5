"""Deliver callbacks to the receiver under test as TCOP does, in no time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tcop_mock.model.alarm import Callback
from tcop_mock.model.delivery import Delivery, Push
from tcop_mock.model.wire import wire_bytes
from tcop_mock.send.deliver import Courier, Notification
from tcop_mock.testing.loops import blocking, require_asyncio
from tcop_mock.testing.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from tcop_mock.model.delivery import Attempt
    from tcop_mock.model.profile import DeliveryRules
    from tcop_mock.testing.aiming import Aim
    from tcop_mock.testing.clock import Clock

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
