"""Requests wait for their turn, and one that hangs does not hold up the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from virtual_time import run_in_virtual_time

from tcop_mock.contract.slots import Rank, RequestSlots

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tcop_mock.contract.slots import Holder

FIRST, LAST = Rank(cases=1), Rank(cases=9)


def play(scene: Callable[[Callable[[], float]], Coroutine[object, object, None]]) -> None:
    """Run a scene in virtual time."""
    run_in_virtual_time(scene)


async def hold(
    slots: RequestSlots, took_s: float, rank: Rank = FIRST, log: list[tuple[str, float]] | None = None, name: str = ""
) -> Holder:
    """Hold a slot for some time."""
    async with slots.taken(rank) as holder:
        if log is not None:
            log.append((name, asyncio.get_running_loop().time()))
        await asyncio.sleep(took_s)
    return holder


def starts(slots: RequestSlots, durations_s: Sequence[float]) -> list[float]:
    """Return when requests of these durations start that all want to start at once."""
    log: list[tuple[str, float]] = []

    async def scene(_clock: Callable[[], float]) -> None:
        await asyncio.gather(*(hold(slots, took_s, log=log) for took_s in durations_s))

    play(scene)
    return [round(start_s, 3) for _, start_s in log]


def test_the_lowest_rank_is_next() -> None:
    """Whoever came first has the first slot; of those who wait, the most important one is next, then the eldest."""
    log: list[tuple[str, float]] = []

    async def scene(_clock: Callable[[], float]) -> None:
        slots = RequestSlots(1)
        ranks = {
            "a": LAST,
            "b": LAST,
            "c": FIRST,
            "d": FIRST,
            "e": Rank(is_recommended=True),
            "f": Rank(is_about_other_than_time=True),
        }
        await asyncio.gather(*(hold(slots, 1.0, rank, log, name) for name, rank in ranks.items()))

    play(scene)
    assert log == [("a", 0.0), ("c", 1.0), ("d", 2.0), ("b", 3.0), ("e", 4.0), ("f", 5.0)]


def test_a_cancelled_request_holds_nothing() -> None:
    """Neither while it waits, nor when it has just got its turn."""

    async def scene(clock: Callable[[], float]) -> None:
        slots = RequestSlots(1)
        first, waits, next_one = (asyncio.create_task(hold(slots, 1.0)) for _ in range(3))
        await asyncio.sleep(0.5)
        waits.cancel()
        first.cancel()
        await asyncio.sleep(0)
        await asyncio.gather(first, waits, next_one, return_exceptions=True)
        assert clock() == pytest.approx(1.5)
        turn = asyncio.create_task(hold(slots, 1.0))
        await asyncio.sleep(0)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
        await hold(slots, 1.0)
        assert clock() == pytest.approx(2.5)

    play(scene)


async def yes() -> bool:
    """Answer soon."""
    await asyncio.sleep(0.01)
    return True


async def no() -> bool:
    """Do not answer."""
    await asyncio.sleep(1.0)
    return False


def test_late_requests_give_way_where_another_one_is_answered() -> None:
    """More and more are in flight then, up to a limit, so that they are waited for together."""
    assert starts(RequestSlots(2, 10, 1.0, yes), [5.0] * 12) == [0.0] * 2 + [1.01] * 4 + [2.02] * 4 + [5.0] * 2


@pytest.mark.parametrize("is_answered", [no, None])
def test_they_do_not_give_way_to_a_receiver_that_answers_nothing_meanwhile(
    is_answered: Callable[[], Coroutine[object, object, bool]] | None,
) -> None:
    """What serves one request after the other would be later still."""
    assert starts(RequestSlots(2, 10, 1.0, is_answered), [3.0] * 6) == [0.0, 0.0, 3.0, 3.0, 6.0, 6.0]


def test_quick_requests_wait_for_their_turn() -> None:
    """Whoever is answered soon is not asked whether another one is."""

    async def never() -> bool:
        raise AssertionError

    assert starts(RequestSlots(1, 10, 1.0, never), [0.9] * 3) == [0.0, 0.9, 1.8]


def test_who_is_late_alone_is_known() -> None:
    """If another request is answered as soon as it is late, nothing else made it late; later that is not sure."""
    answers = iter([False, True])

    async def second_time() -> bool:
        await asyncio.sleep(1.0)
        return next(answers)

    async def scene(_clock: Callable[[], float]) -> None:
        slots = RequestSlots(2, 10, 1.0, yes)
        late, quick = await asyncio.gather(hold(slots, 5.0), hold(slots, 0.5))
        assert (late.is_late_alone, quick.is_late_alone, slots.late_alone) == (True, False, 1)
        slots = RequestSlots(2, 10, 1.0, second_time)
        late = await hold(slots, 5.0)
        assert (late.gave_way, late.is_late_alone, slots.late_alone) == (True, False, 0)

    play(scene)
