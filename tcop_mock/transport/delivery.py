"""Push callbacks until they are accepted or the profile's attempts are used up, each at its time in its alarm's life.

Alarm time is virtual: while nothing is under way it runs as fast as is asked, and while a request is under way as fast
as the world. So a day of repeats plays in a second, and yet what overlaps in life overlaps here: an attempt that is
repeated after seconds comes behind a later notification of the same alarm exactly when TCOP's would.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections import deque
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.delivery import Delivery, Outcome
from tcop_mock.domain.profile import Accept

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence

    from tcop_mock.domain.delivery import Attempt, Post, Push
    from tcop_mock.domain.profile import DeliveryRules


def held_to(accept: Accept, push: Push, attempt: Attempt) -> Attempt:
    """Return an attempt as a profile counts it: one that was acked may still not be the answer that it wants."""
    if attempt.outcome is not Outcome.ACKED or accept is Accept.ANY_2XX:
        return attempt
    if accept is Accept.EXACTLY_200:
        wrong = "" if attempt.status == HTTPStatus.OK else f"the status is {attempt.status}, and this profile wants 200"
    elif accept is Accept.ERRCODE:
        wrong = _errcode(attempt.body)
    else:
        wrong = _not_acknowledged(push.body, attempt.body)
    return replace(attempt, outcome=Outcome.REJECTED, detail=wrong) if wrong else attempt


def _not_acknowledged(body: bytes, answer: bytes) -> str:
    """Return why an answer is not the one that the pages of 2018 and 2019 want, or an empty string."""
    said, heard = _object(body), _object(answer)
    if heard is None:
        return "the answer is no JSON object, and this profile wants sessionId and retCode"
    if heard.get("sessionId") != (said or {}).get("sessionId"):
        return "the answer does not have the callback's sessionId, and this profile wants it"
    if heard.get("retCode") != 0 or isinstance(heard["retCode"], bool):
        return "the answer's retCode is not 0"
    return ""


def _errcode(answer: bytes) -> str:
    """Return why an answer is not what a robot says when it has taken a message, or an empty string."""
    heard = _object(answer)
    if heard is None or "errcode" not in heard:
        return "the answer is no JSON object with an errcode, as a robot's is"
    if heard["errcode"] != 0 or isinstance(heard["errcode"], bool):
        return f"the robot answers errcode {heard['errcode']!r}"  # its errmsg is its own text, which may echo the key
    return ""


def _object(text: bytes) -> dict[str, object] | None:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


class Notification(NamedTuple):
    """A callback that is to be delivered."""

    at_s: float
    """When, in alarm time: seconds, from any moment on."""
    push: Push


class Delivered(NamedTuple):
    """One delivery that has come to its end."""

    number: int
    """Which of the notifications it was, from 0."""
    delivery: Delivery


class _Due(NamedTuple):
    """An attempt that is to be made; the earliest first, and of two at once the one that was thought of first."""

    at_s: float
    """Alarm time."""
    order: int
    number: int
    """Of the notification."""


class _Stretch(NamedTuple):
    """A stretch of alarm time, and what it took."""

    began_s: float
    """On the real clock."""
    start_s: float
    end_s: float
    rate: float
    """Real seconds to a second of alarm time."""
    landed: set[asyncio.Future[Attempt]]

    def real_s(self, at_s: float) -> float:
        """Return when a moment of alarm time should have come on the real clock."""
        return self.began_s + (at_s - self.start_s) * self.rate


@dataclass(slots=True)
class Courier:
    """Delivers notifications.

    Args:
        post: the port.
        rules: attempts, deadline, outcomes after which it is pushed again, pauses.
        clock: seconds, the port's own.
        sleep: waits out what alarm time there is to wait.
        pause_scale: seconds that a second of alarm time takes while a callback waits to be pushed again; 0: none.
            The deadline is not scaled.
        gap_scale: the same while none does, so between one notification and the next.
    """

    post: Post
    rules: DeliveryRules
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    pause_scale: float = 1.0
    gap_scale: float = 0.0
    _attempts: dict[int, list[Attempt]] = field(init=False, repr=False, default_factory=dict)
    """Of the notifications that have been pushed, and may be again."""

    async def deliver(self, push: Push) -> Delivery:
        """Deliver one callback now."""
        [delivered] = [one async for one in self.deliver_all([Notification(0.0, push)])]
        return delivered.delivery

    async def deliver_all(self, notifications: Sequence[Notification]) -> AsyncGenerator[Delivered]:
        """Deliver all, each at its time, and yield each when it has been accepted or given up."""
        self._attempts = {}
        order = itertools.count()
        due = [_Due(one.at_s, next(order), number) for number, one in enumerate(notifications)]
        heapq.heapify(due)
        flying: dict[asyncio.Future[Attempt], int] = {}
        now_s = due[0].at_s if due else 0.0
        try:
            while due or flying:
                stretch = await self._wait(due, flying, now_s)
                now_s = stretch.end_s
                for landed in sorted(stretch.landed, key=flying.__getitem__):
                    number = flying.pop(landed)
                    pause_s = self._pause_s(number, notifications[number].push, landed.result())
                    if pause_s is None:
                        yield Delivered(number, Delivery(tuple(self._attempts.pop(number))))
                    else:
                        heapq.heappush(due, _Due(now_s + pause_s, next(order), number))
                while due and due[0].at_s <= now_s:
                    at_s, _, number = heapq.heappop(due)
                    attempt = self.post(
                        notifications[number].push,
                        deadline_s=self.rules.timeout_s,
                        intended_s=stretch.real_s(at_s),
                    )
                    flying[asyncio.ensure_future(attempt)] = number
        finally:
            for one in flying:
                one.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _wait(self, due: list[_Due], flying: Collection[asyncio.Future[Attempt]], now_s: float) -> _Stretch:
        """Wait until an attempt has landed or the next one is due."""
        began_s = self.clock()
        if flying:
            timeout_s = due[0].at_s - now_s if due else None
            landed, _ = await asyncio.wait(flying, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            end_s = now_s + self.clock() - began_s
            return _Stretch(began_s, now_s, end_s if landed else max(end_s, due[0].at_s), 1.0, landed)
        scale = self.pause_scale if self._attempts else self.gap_scale
        if pause_s := (due[0].at_s - now_s) * scale:
            await self.sleep(pause_s)
        return _Stretch(began_s, now_s, due[0].at_s, scale, set())

    def _pause_s(self, number: int, push: Push, attempt: Attempt) -> float | None:
        """Record an attempt; return how long to wait for the next one, or ``None`` where there is none."""
        attempts = self._attempts.setdefault(number, [])
        attempts.append(held_to(self.rules.accept, push, attempt))
        if not self.rules.retries(attempts[-1]) or len(attempts) >= self.rules.attempts:
            return None
        return self.rules.pause_s(attempt, len(attempts))


_MINUTE_S = 60.0


class Paced:
    """A ``Post`` port that begins so many attempts in a time at the most.

    Args:
        post: the port.
        most: how many.
        in_s: in any time of so many seconds.
        clock: seconds, the port's own.
        sleep: waits for a turn.
        tell: is told how many seconds are waited, each time.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        post: Post,
        most: int,
        *,
        in_s: float = _MINUTE_S,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        tell: Callable[[float], object] = float,
    ) -> None:
        self._post, self._clock, self._sleep, self._tell = post, clock, sleep, tell
        self._in_s = in_s
        self._turns: deque[float] = deque(maxlen=most)
        """When the last attempts began, or will begin."""

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once, when it is its turn; the deadline counts from then."""
        now_s = self._clock()
        turn_s = now_s
        if len(self._turns) == self._turns.maxlen:
            turn_s = max(now_s, self._turns[0] + self._in_s)
        self._turns.append(turn_s)
        if turn_s > now_s:
            self._tell(turn_s - now_s)
            await self._sleep(turn_s - now_s)
        return await self._post(push, deadline_s=deadline_s, intended_s=now_s if intended_s is None else intended_s)
