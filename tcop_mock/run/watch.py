"""Looks at a receiver's effects until they have settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.model.effect import Observer, Sight
    from tcop_mock.model.story import Story

_BETWEEN_LOOKS_S = 0.1
_MOST_SETTLES = 10
"""So many times as long as an effect may take it is waited for while more and more come."""
_LEAST_QUIET_S = 0.4
_QUIET_LATENCIES = 3.0
"""So many times as long as a first effect took, nothing more must come."""


@dataclass(slots=True)
class Watch:
    """Polls an observer, bounded.

    Args:
        observer: that is asked.
        clock: seconds.
        sleep: pauses.
        settle_s: how long an effect may take to appear.
    """

    observer: Observer
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    settle_s: float
    latency_s: float = 0.0
    """How long a first effect took to appear."""
    _known: dict[frozenset[str], dict[str, bool]] = field(default_factory=dict, init=False)
    """Of the tokens of each story: which texts mention one."""
    _shown: dict[str, int] = field(default_factory=dict, init=False)
    """By what was asked for: how much was to be seen at the last look, of whatever story."""
    _moved_s: float = field(default=0.0, init=False)
    """When that last changed: until then the receiver was working off what it had been sent."""

    async def now(self, story: Story) -> Sight:
        """Return what is to be seen of a story now.

        Raises:
            ObserverError: nothing can be seen.
        """
        sight = await self.observer.look(story.token)
        if not getattr(self.observer, "shows_all", False):
            for token in story.others:
                if not any(token in effect.text for effect in sight.effects):
                    sight = sight.joined(await self.observer.look(token))
        shown = len(sight.effects) + len(sight.open or ())
        if self._shown.get(story.token, shown) != shown:
            self._moved_s = self.clock()
        self._shown[story.token] = shown
        return sight.of(story.tokens, self._known.setdefault(story.tokens, {}))

    async def settled(self, story: Story, wanted: Callable[[Sight], bool], *, until_s: float | None = None) -> Sight:
        """Return what is to be seen when it is as wanted, or has had its time, and nothing has changed for a while.

        What is missing is waited for while the receiver is still busy with other stories: it may have a queue, and the
        run has filled it.

        Args:
            story: whose alarms are looked for.
            wanted: whether a sight is what the clause wants; it is waited for.
            until_s: on the clock, in place of the time that an effect may take.

        Raises:
            ObserverError: nothing can be seen.
        """
        quiet_s = max(_LEAST_QUIET_S, min(_QUIET_LATENCIES * self.latency_s, self.settle_s))
        started_s = changed_s = self.clock()
        rest_s = 0.0 if until_s else self.settle_s
        until_s = until_s or started_s + self.settle_s
        seen = await self.now(story)
        while True:
            now_s = self.clock()
            is_quiet = now_s - changed_s >= quiet_s
            is_due = now_s >= until_s and now_s - self._moved_s >= rest_s
            if (is_quiet and (is_due or wanted(seen))) or now_s >= until_s + _MOST_SETTLES * self.settle_s:
                return seen
            await self.sleep(_BETWEEN_LOOKS_S)
            then = await self.now(story)
            if (then.count, then.open_count) != (seen.count, seen.open_count):
                changed_s = self.clock()
                if not seen.effects:
                    self.latency_s = max(self.latency_s, min(changed_s - started_s, self.settle_s))
            seen = then
