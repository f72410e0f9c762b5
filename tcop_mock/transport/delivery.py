"""Delivers callbacks with the retries of a profile, checks acceptance, and limits the rate of attempts.

Alarm time is virtual. Without a request in flight it runs at a chosen speed; with one it runs in real time. So a day of
repeats takes a second, and overlapping deliveries still overlap: a retry after some seconds is sent after a later
notification of the same alarm exactly as TCOP would send it.
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

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.domain.profile import DeliveryRules


def apply_acceptance(accept: Accept, request_body: bytes, attempt: Attempt) -> Attempt:
    """Return the attempt with the outcome that a profile gives it; some profiles also check the response body."""
    if attempt.outcome is not Outcome.ACKED or accept is Accept.ANY_2XX:
        return attempt
    if accept is Accept.EXACTLY_200:
        reason = (
            "" if attempt.status == HTTPStatus.OK else f"the status is {attempt.status}, and this profile wants 200"
        )
    elif accept is Accept.ERRCODE:
        reason = _errcode_problem(attempt.body)
    else:
        reason = _retcode_problem(request_body, attempt.body)
    return replace(attempt, outcome=Outcome.REJECTED, detail=reason) if reason else attempt


def _retcode_problem(request_body: bytes, response_body: bytes) -> str:
    """Return why the response is not the one of the pages of 2018 and 2019, or an empty string."""
    callback, response = _json_object(request_body), _json_object(response_body)
    if response is None:
        return "the answer is not a JSON object, and this profile wants sessionId and retCode"
    if response.get("sessionId") != (callback or {}).get("sessionId"):
        return "the answer does not have the callback's sessionId, and this profile wants it"
    if response.get("retCode") != 0 or isinstance(response["retCode"], bool):
        return "the answer's retCode is not 0"
    return ""


def _errcode_problem(response_body: bytes) -> str:
    """Return why the response is not the one of a robot that accepted a message, or an empty string."""
    response = _json_object(response_body)
    if response is None or "errcode" not in response:
        return "the answer is not a JSON object with an errcode, as a robot's is"
    if response["errcode"] != 0 or isinstance(response["errcode"], bool):
        return f"the robot answers errcode {response['errcode']!r}"  # its errmsg may contain the key
    return ""


def _json_object(text: bytes) -> dict[str, object] | None:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


class ScheduledRequest(NamedTuple):
    """A callback and the time to send it."""

    at_s: float
    """When it is sent, in seconds of alarm time."""
    request: OutgoingRequest


class CompletedDelivery(NamedTuple):
    """One finished delivery."""

    number: int
    """The index of its request, from 0."""
    delivery: Delivery


class _ScheduledAttempt(NamedTuple):
    """An attempt that is due at a time; equal times keep their order."""

    at_s: float
    """Seconds of alarm time."""
    order: int
    number: int
    """The index of the request."""


class _TimeSpan(NamedTuple):
    """A span of alarm time and its real duration."""

    clock_start_s: float
    """Its start on the real clock."""
    start_s: float
    end_s: float
    time_scale: float
    """Real seconds per second of alarm time."""
    completed: set[asyncio.Future[Attempt]]

    def clock_time_s(self, at_s: float) -> float:
        """Return the real time of a moment of alarm time."""
        return self.clock_start_s + (at_s - self.start_s) * self.time_scale


@dataclass(slots=True)
class DeliveryScheduler:
    """Delivers notifications in alarm time.

    Args:
        transport: sends each attempt.
        rules: attempts, deadline, retry outcomes and pauses.
        clock: the clock of the transport, in seconds.
        sleep: coroutine used for waits.
        retry_scale: real seconds per second of alarm time while a callback waits for a retry; 0: no wait. Deadlines
            are not scaled.
        gap_scale: the same while no callback waits for a retry, that is, between notifications.
    """

    transport: Transport
    rules: DeliveryRules
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    retry_scale: float = 1.0
    gap_scale: float = 0.0
    _attempts: dict[int, list[Attempt]] = field(init=False, repr=False, default_factory=dict)
    """The attempts so far of each unfinished delivery, by index."""

    async def deliver(self, request: OutgoingRequest) -> Delivery:
        """Deliver one callback now."""
        [completed] = [one async for one in self.deliver_all([ScheduledRequest(0.0, request)])]
        return completed.delivery

    async def deliver_all(self, requests: Sequence[ScheduledRequest]) -> AsyncGenerator[CompletedDelivery]:
        """Deliver each request at its time; yield each delivery when it is accepted or given up."""
        self._attempts = {}
        sequence = itertools.count()
        queue = [_ScheduledAttempt(one.at_s, next(sequence), number) for number, one in enumerate(requests)]
        heapq.heapify(queue)
        in_flight: dict[asyncio.Future[Attempt], int] = {}
        now_s = queue[0].at_s if queue else 0.0
        try:
            while queue or in_flight:
                time_span = await self._wait_for_next(queue, in_flight, now_s)
                now_s = time_span.end_s
                for future in sorted(time_span.completed, key=in_flight.__getitem__):
                    number = in_flight.pop(future)
                    pause_s = self._record_attempt(number, requests[number].request, future.result())
                    if pause_s is None:
                        yield CompletedDelivery(number, Delivery(tuple(self._attempts.pop(number))))
                    else:
                        heapq.heappush(queue, _ScheduledAttempt(now_s + pause_s, next(sequence), number))
                while queue and queue[0].at_s <= now_s:
                    at_s, _, number = heapq.heappop(queue)
                    attempt = self.transport(
                        requests[number].request,
                        deadline_s=self.rules.timeout_s,
                        intended_s=time_span.clock_time_s(at_s),
                    )
                    in_flight[asyncio.ensure_future(attempt)] = number
        finally:
            for one in in_flight:
                one.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    async def _wait_for_next(
        self, queue: list[_ScheduledAttempt], in_flight: Collection[asyncio.Future[Attempt]], now_s: float
    ) -> _TimeSpan:
        """Wait until an attempt has ended or the next one is due."""
        clock_start_s = self.clock()
        if in_flight:
            timeout_s = queue[0].at_s - now_s if queue else None
            completed, _ = await asyncio.wait(in_flight, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            end_s = now_s + self.clock() - clock_start_s
            return _TimeSpan(clock_start_s, now_s, end_s if completed else max(end_s, queue[0].at_s), 1.0, completed)
        scale = self.retry_scale if self._attempts else self.gap_scale
        if pause_s := (queue[0].at_s - now_s) * scale:
            await self.sleep(pause_s)
        return _TimeSpan(clock_start_s, now_s, queue[0].at_s, scale, set())

    def _record_attempt(self, number: int, request: OutgoingRequest, attempt: Attempt) -> float | None:
        """Record an attempt; return the pause before the next one, or ``None`` if there is none."""
        attempts = self._attempts.setdefault(number, [])
        attempts.append(apply_acceptance(self.rules.accept, request.body, attempt))
        return self.rules.retry_pause_s(attempts[-1], len(attempts))


_MINUTE_S = 60.0


class RateLimitedTransport:
    """A transport that limits the rate of attempts.

    Args:
        transport: sends each attempt.
        limit: the maximum number of attempts in a period.
        period_s: the length of the period; it applies to every window of this length.
        clock: the clock of the transport, in seconds.
        sleep: coroutine used for waits.
        on_wait: called with the seconds of each wait.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        transport: Transport,
        limit: int,
        *,
        period_s: float = _MINUTE_S,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_wait: Callable[[float], object] = float,
    ) -> None:
        self._transport, self._clock, self._sleep, self._on_wait = transport, clock, sleep, on_wait
        self._period_s = period_s
        self._recent_starts_s: deque[float] = deque(maxlen=limit)
        """Start times of the last attempts, including planned ones."""

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Wait until the limit allows an attempt, then send once; the deadline starts after the wait."""
        now_s = self._clock()
        start_s = now_s
        if len(self._recent_starts_s) == self._recent_starts_s.maxlen:
            start_s = max(now_s, self._recent_starts_s[0] + self._period_s)
        self._recent_starts_s.append(start_s)
        if start_s > now_s:
            self._on_wait(start_s - now_s)
            await self._sleep(start_s - now_s)
        return await self._transport(
            request, deadline_s=deadline_s, intended_s=now_s if intended_s is None else intended_s
        )
