"""Polls an observer for the effects of a scenario, and distinguishes lost effects from queued ones."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.contract.builders_effects import sent_values
from tcop_mock.errors import ObserverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.contract import EffectScenario
    from tcop_mock.domain.effects import Effect, EffectSnapshot, Observer

_POLL_INTERVAL_S = 0.1

_MAX_TIMEOUTS = 10

"""Multiple of the effect timeout to wait at most while new effects appear."""

_MIN_QUIET_S = 0.4

_QUIET_LATENCIES = 3.0

"""Multiple of the latency of a first effect during which nothing may change."""


@dataclass(slots=True)
class EffectPoller:
    """Polls an observer, bounded.

    Args:
        observer: the observer to poll.
        clock: clock in seconds.
        sleep: coroutine that pauses.
        effect_timeout_s: maximum time in seconds until an effect appears.
    """

    observer: Observer
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    effect_timeout_s: float
    latency_s: float = 0.0
    """Seconds until the first effect appeared."""
    sent_text: str = field(default="", repr=False)
    """All bodies of the run, for scenarios that name no alarm."""
    _mention_cache: dict[frozenset[str], dict[str, bool]] = field(default_factory=dict, init=False)
    """Whether a text mentions a token, by the tokens of a scenario."""
    _filtered: dict[frozenset[str], tuple[EffectSnapshot, EffectSnapshot]] = field(default_factory=dict, init=False)
    """The last snapshot and its part for a scenario, by the tokens of the scenario."""
    _sent_values: frozenset[str] | None = field(default=None, init=False, repr=False)
    _names_cache: dict[str, bool] = field(default_factory=dict, init=False)
    """Whether a text shows one of those values."""
    _last_counts: dict[str, tuple[int, int]] = field(default_factory=dict, init=False)
    """Numbers of effects and of open incidents of all scenarios in the last snapshot, by object."""
    last_change_s: float = field(default=0.0, init=False)
    """Time of the last change of these numbers: until then the receiver was busy."""
    backlog: Backlog | None = field(default=None, repr=False)
    """Distinguishes lost effects from queued ones; ``None``: all missing effects are lost."""

    async def snapshot(self, scenario: EffectScenario) -> EffectSnapshot:
        """Return the effects of a scenario that are visible now.

        Raises:
            ObserverError: the observer failed.
        """
        effects_now = await self.observer.observe(scenario.object_id)
        if not getattr(self.observer, "shows_all", False):
            for token in scenario.other_object_ids:
                if not any(token in effect.text for effect in effects_now.effects):
                    effects_now = effects_now.merge(await self.observer.observe(token))
        counts = len(effects_now.effects), len(effects_now.open_incidents or ())
        if self._last_counts.get(scenario.object_id, counts) != counts:
            self.last_change_s = self.clock()
        self._last_counts[scenario.object_id] = counts
        if scenario.names_no_alarm:
            return effects_now.filter(lambda effect: not self._names_an_alarm(effect))
        tokens = scenario.unique_tokens
        last, filtered = self._filtered.get(tokens, (None, None))
        if filtered is None or last != effects_now:
            filtered = effects_now.filter_by_tokens(tokens, self._mention_cache.setdefault(tokens, {}))
            self._filtered[tokens] = effects_now, filtered
        return filtered

    def _names_an_alarm(self, effect: Effect) -> bool:
        """Return whether an effect shows a text of a callback of this run, or follows up on one that does."""
        if self._sent_values is None:
            self._sent_values = sent_values(self.sent_text)
        if effect.text not in self._names_cache:
            self._names_cache[effect.text] = effect.is_follow_up or effect.mentions(self._sent_values)
        return self._names_cache[effect.text]

    async def wait_until_settled(
        self, scenario: EffectScenario, is_expected: Callable[[EffectSnapshot], bool], *, until_s: float | None = None
    ) -> EffectSnapshot:
        """Return the effects when they are as expected, or the time is over, and nothing changed for a while.

        It waits longer while the receiver is busy with other scenarios: the run may have filled its queue.

        Args:
            scenario: scenario of the effects.
            is_expected: returns whether a snapshot is as the clause expects.
            until_s: time limit on the clock, in place of the effect timeout.

        Raises:
            ObserverError: the observer failed.
        """
        quiet_s = max(_MIN_QUIET_S, min(_QUIET_LATENCIES * self.latency_s, self.effect_timeout_s))
        started_s = changed_s = self.clock()
        quiet_since_change_s = 0.0 if until_s else self.effect_timeout_s
        until_s = until_s or started_s + self.effect_timeout_s
        previous = await self.snapshot(scenario)
        while True:
            now_s = self.clock()
            is_quiet = now_s - changed_s >= quiet_s
            is_time_up = now_s >= until_s and now_s - self.last_change_s >= quiet_since_change_s
            if (
                is_quiet and (is_time_up or is_expected(previous))
            ) or now_s >= until_s + _MAX_TIMEOUTS * self.effect_timeout_s:
                return previous
            await self.sleep(_POLL_INTERVAL_S)
            current = await self.snapshot(scenario)
            if (current.count, current.open_count) != (previous.count, previous.open_count):
                changed_s = self.clock()
                if not previous.effects:
                    self.latency_s = max(self.latency_s, min(changed_s - started_s, self.effect_timeout_s))
            previous = current


_STANDSTILL_S = 65.0
"""Maximum idle time of a receiver in seconds: with 20 messages a minute it may pause up to a minute."""
_SHARE = 0.5
"""The share of the remaining time that is waited at most."""
_BUSY = (
    "after {waited:.0f} s the receiver has not come to the callbacks that the run sent last; if it limits "
    "the rate of its messages, turn that off for the check, else give more --max-time"
)


@dataclass(slots=True)
class Backlog:
    """The queue of callbacks that the receiver has accepted and not processed yet.

    A plain alarm is sent. When its effect is visible, the effects of earlier requests should be visible, too.

    Args:
        factory: returns a factory of another plain alarm for each number.
        send: sends the alarm; returns its expected content if it was accepted.
        poller: polls for its effects.
        until_s: the end of the run on the clock.
        numbers: numbers of the plain alarms, shared by all backlogs of a run.
    """

    factory: Callable[[int], CaseFactory]
    send: Callable[[CaseFactory], Awaitable[EffectScenario | None]]
    poller: EffectPoller
    until_s: float
    numbers: Iterator[int] = field(default_factory=itertools.count)
    _done_until_s: float = field(default=float("-inf"), init=False)
    """Time on the clock; requests that were sent until then have been processed."""
    _stands_still: bool = field(default=False, init=False)
    """Whether a plain alarm had no effect on an idle receiver, so that another wait is useless."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def wait(self) -> float:
        """Wait until the receiver has handled all earlier callbacks; return how many seconds that took.

        It returns, too, when a receiver does nothing any more: then what has no effect is lost.

        Raises:
            ObserverError: the receiver is still at work when much of the time is over, or the observer failed.
        """
        clock = self.poller.clock
        called_s = clock()
        async with self._lock:
            if not self._stands_still and self._done_until_s < called_s:
                sent_s = clock()
                scenario = await self.send(self.factory(next(self.numbers)))
                if scenario and await self._is_reached(scenario, sent_s):
                    self._done_until_s = sent_s
        return clock() - called_s

    async def _is_reached(self, scenario: EffectScenario, sent_s: float) -> bool:
        """Return whether the alarm has an effect before the receiver stands still."""
        limit_s = _SHARE * (self.until_s - sent_s)
        while True:
            visible = await self.poller.snapshot(scenario)
            if visible.effects or visible.rejected:
                return True
            now_s = self.poller.clock()
            if now_s - max(sent_s, self.poller.last_change_s) >= _STANDSTILL_S:
                self._stands_still = True
                return False
            if now_s - sent_s >= limit_s:
                raise ObserverError(_BUSY.format(waited=now_s - sent_s))
            await self.poller.sleep(_POLL_INTERVAL_S)
