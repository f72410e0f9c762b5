"""Waiting times for effects."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from virtual_time import run_in_virtual_time

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.builders_effects import control_scenario
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.effect_poller import EffectPoller
from tcop_mock.domain.effects import Effect, EffectSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

STORY = control_scenario(CaseFactory(Catalog.load(), Generator(7), "TCM999"))
TOKEN = next(iter(STORY.unique_tokens))


class Queue:
    """A receiver that works off a queue, one alarm in so many seconds; ours is one of the last."""

    def __init__(self, clock: Callable[[], float], every_s: float, place: int, length: int) -> None:
        self._clock, self._every_s, self._place, self._length = clock, every_s, place, length

    async def observe(self, _token: str) -> EffectSnapshot:
        """Return what has been done so far."""
        done = min(int(self._clock() / self._every_s), self._length)
        return EffectSnapshot(tuple(Effect(TOKEN if at == self._place else f"other {at}") for at in range(done)))


def _waited(every_s: float, place: int, length: int) -> tuple[int, float]:
    async def wait(clock: Callable[[], float]) -> tuple[int, float]:
        watch = EffectPoller(Queue(clock, every_s, place, length), clock, asyncio.sleep, effect_timeout_s=1.0)
        seen = await watch.wait_until_settled(STORY, lambda sight: sight.count == 1)
        return seen.count, clock()

    return run_in_virtual_time(wait)


class Asked:
    """Shows the object that it is asked for; of two alarms that were reported together, both."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def observe(self, token: str) -> EffectSnapshot:
        """Return what there is of one object."""
        self.asked.append(token)
        return EffectSnapshot((Effect(f"{token} and its companion" if token == TOKEN else token),))


def test_each_alarm_of_a_story_is_asked_for() -> None:
    """Each alarm of a scenario is observed, except those that are visible already."""

    async def look(clock: Callable[[], float]) -> list[str]:
        observer = Asked()
        story = replace(
            STORY, object_id=TOKEN, other_object_ids=("companion", "third"), unique_tokens=frozenset({TOKEN, "third"})
        )
        sight = await EffectPoller(observer, clock, asyncio.sleep, effect_timeout_s=1.0).snapshot(story)
        assert sight.count == 2
        return observer.asked

    assert run_in_virtual_time(look) == [TOKEN, "third"]


def test_what_stands_in_a_queue_is_waited_for() -> None:
    """An effect is late by many times its settling time, behind others that come all the while; it is seen."""
    assert _waited(0.3, place=20, length=40)[0] == 1


def test_what_never_comes_is_waited_for_until_the_queue_is_empty() -> None:
    """An effect is missing if nothing more has come for the settling time."""
    seen, until_s = _waited(0.3, place=99, length=10)
    assert seen == 0
    assert until_s == pytest.approx(3.0 + 1.0, abs=0.3)


def test_a_receiver_that_is_never_at_rest_is_not_waited_for_without_end() -> None:
    """Ten times the settling time is enough."""
    seen, until_s = _waited(0.5, place=999, length=1000)
    assert seen == 0
    assert until_s == pytest.approx(11.0, abs=0.3)
