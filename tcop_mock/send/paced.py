"""Keep to the rate that an end takes: what comes sooner waits for its turn."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.model.delivery import Attempt, Post, Push

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
