"""Limits of a run: of its requests in flight, and of the time that it waits for late answers in all.

A request that hangs does not delay the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import TOO_SLOW
from tcop_mock.domain.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.domain.delivery import OutgoingRequest, Transport

_FULL_WAIT_DEADLINES = 2.0
"""Deadlines that a run spends on late answers while it waits for each as long as TCOP does."""
_SHORT_WAIT_DEADLINES = 0.5
"""Deadlines that it spends after that, while it gives up each late answer. Then it sends nothing more."""
_MIN_LATE_S = 0.5
_LATE_FACTOR = 2.0
_ROUNDING = 0.99
_LATE_SHARE, _MAX_LATE_SHARE = 0.2, 0.8
"""The share of the deadline after which an answer is late; the larger one if a plain callback takes long, too."""
_SOON_FACTOR = 1.5


@dataclass(slots=True)
class BoundedWaitTransport:
    """A transport that waits for late answers for a bounded time in all.

    Late answers to requests in flight at the same time count once. A request that is given up or not sent has the
    outcome ``cancelled``: it says nothing about the receiver.

    Args:
        transport: sends a request.
        clock: clock in seconds.
        deadline_s: deadline of one attempt.
        spent_s: seconds spent on late answers so far.
    """

    transport: Transport
    clock: Callable[[], float]
    deadline_s: float
    spent_s: float = 0.0
    late_s: float = field(init=False)
    """Seconds after which an answer is late."""
    is_counting: bool = True
    """Whether late answers count. In a phase that expects them they do not."""
    _counted_until_s: float = field(default=0.0, init=False)
    _spent_on_cut_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.late_s = max(_MIN_LATE_S, _LATE_SHARE * self.deadline_s)

    def begin(self, preflight: Preflight) -> None:
        """Set the limit of late answers by the answer to the first callback."""
        self.late_s = max(self.late_s, min(_LATE_FACTOR * preflight.expected_s, _MAX_LATE_SHARE * self.deadline_s))
        if preflight.slow:
            self.spent_s = _FULL_WAIT_DEADLINES * self.deadline_s

    def forgive_cut_requests(self) -> None:
        """Take back what was spent on requests that never ended: a receiver may wait for their rest."""
        self.spent_s -= self._spent_on_cut_s
        self._spent_on_cut_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self.spent_s >= (_FULL_WAIT_DEADLINES + _SHORT_WAIT_DEADLINES) * self.deadline_s

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once, if there is time to wait; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self.clock()
        if self.is_over:
            intended_s = started_s if intended_s is None else intended_s
            return Attempt(Outcome.CANCELLED, intended_s, started_s, started_s, detail=TOO_SLOW)
        late_s = self.late_s + _sending_s(request)
        waits_briefly = self.spent_s >= _FULL_WAIT_DEADLINES * self.deadline_s and late_s < deadline_s
        attempt = await self.transport(
            request, deadline_s=late_s if waits_briefly else deadline_s, intended_s=intended_s
        )
        if attempt.duration_s < _ROUNDING * late_s:
            return attempt
        if self.is_counting:
            waited_s = max(0.0, attempt.ended_s - max(attempt.started_s, self._counted_until_s))
            self.spent_s += waited_s
            self._spent_on_cut_s += waited_s if request.truncate_at is not None else 0.0
            self._counted_until_s = attempt.ended_s
        is_given_up = waits_briefly and attempt.outcome is Outcome.TIMED_OUT
        return replace(attempt, outcome=Outcome.CANCELLED, detail=TOO_SLOW) if is_given_up else attempt


def _sending_s(request: OutgoingRequest) -> float:
    """Return how long we take to send a request in segments."""
    return request.segment_gap_s * sum(1 for _ in request.body_segments()) if request.segment_sizes else 0.0


class Rank(NamedTuple):
    """The order of waiting requests: the lowest is sent first."""

    is_about_other_than_time: bool = False
    is_recommended: bool = False
    """Whether the level of the clause is below must."""
    cases: int = 0
    """Number of cases of the clause."""


@dataclass(slots=True, eq=False)
class Holder:
    """A request in flight."""

    started_s: float
    is_late: bool = False
    gave_way: bool = False
    """Whether it is late and counts no more."""
    is_late_alone: bool = False
    """Whether the receiver answered another request soon, so that it is late for no other reason than itself."""


@dataclass(slots=True)
class RequestSlots:
    """Limits the number of requests in flight.

    While requests are late, a receiver that serves callbacks concurrently answers another one. If it does, the late
    requests release their slots, and as many more may be in flight. So the late ones are waited for together.

    Args:
        count: maximum number of requests in flight.
        limit: the same, including requests that have released their slots.
        late_s: seconds after which a request is late.
        is_answered: sends one more callback and returns whether it is answered before it is late; ``None``: late
            requests keep their slots.
    """

    count: int
    limit: int = 0
    late_s: float = 0.0
    is_answered: Callable[[], Awaitable[bool]] | None = None
    late_alone: int = field(default=0, init=False)
    """Number of requests that were late on their own, not because of other requests."""
    _holders: set[Holder] = field(default_factory=set, init=False)
    _waiting: list[tuple[Rank, int, asyncio.Future[Holder]]] = field(default_factory=list, init=False)
    _numbers: itertools.count[int] = field(default_factory=itertools.count, init=False)
    _probe: asyncio.Task[None] | None = field(default=None, init=False)

    @contextlib.asynccontextmanager
    async def taken(self, rank: Rank) -> AsyncIterator[Holder]:
        """Hold a slot, as soon as one is free and no request with a lower rank waits."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
        self._admit()
        try:
            holder = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(turn.result())
            raise
        timer = loop.call_later(self.late_s, self._mark_late, holder) if self.is_answered else None
        try:
            yield holder
        finally:
            if timer:
                timer.cancel()
            self._release(holder)

    def _release(self, holder: Holder) -> None:
        self._holders.discard(holder)
        self._admit()

    def _admit(self) -> None:
        """Give free slots to waiting requests."""
        while (
            self._waiting
            and sum(not holder.gave_way for holder in self._holders) < self.count
            and len(self._holders) < max(self.count, self.limit)
        ):
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # otherwise the waiting request was cancelled
                holder = Holder(asyncio.get_running_loop().time())
                self._holders.add(holder)
                turn.set_result(holder)

    def _mark_late(self, holder: Holder) -> None:
        holder.is_late = True
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._let_give_way())

    async def _let_give_way(self) -> None:
        assert self.is_answered is not None  # noqa: S101 - nothing is late otherwise
        loop = asyncio.get_running_loop()
        while late := {one for one in self._holders if one.is_late and not one.gave_way}:
            if await self.is_answered():
                still_late = late & self._holders
                for holder in still_late:
                    holder.gave_way = True
                    holder.is_late_alone = loop.time() - holder.started_s <= _SOON_FACTOR * self.late_s
                    self.late_alone += holder.is_late_alone
                self.count = min(self.count + len(still_late), max(self.count, self.limit))
                self._admit()
