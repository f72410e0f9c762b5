"""A limit of the requests in flight. A request that hangs does not delay the others."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Rank(NamedTuple):
    """The order of waiting requests: the lowest is sent first."""

    is_about_other_than_time: bool = False
    is_recommended: bool = False
    """Whether the clause is no must."""
    cases: int = 0
    """Number of cases of the clause."""


_SOON_FACTOR = 1.5


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
    """Limits how many requests are in flight.

    Where requests are late, a receiver that serves callbacks side by side answers another one meanwhile. If it does,
    the late ones give way, and so many more may be in flight: then they are waited for together.

    Args:
        count: how many requests may be in flight.
        limit: the same, with those that gave way.
        late_s: when a request is late.
        is_answered: sends one more callback and returns whether it is answered before it is late; ``None``: nothing
            gives way.
    """

    count: int
    limit: int = 0
    late_s: float = 0.0
    is_answered: Callable[[], Awaitable[bool]] | None = None
    late_alone: int = field(default=0, init=False)
    """How many requests were late for no other reason than themselves."""
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
        """Give those who wait the slots that are free."""
        while (
            self._waiting
            and sum(not holder.gave_way for holder in self._holders) < self.count
            and len(self._holders) < max(self.count, self.limit)
        ):
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # who waited was cancelled
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
