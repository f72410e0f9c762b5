"""Limits of a run: its requests in flight, and the time that it waits for late answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from virtual_time import run_in_virtual_time

from tcop_mock.contract.assertions import ASSERTIONS, TOO_SLOW, AssertionContext, inconclusive_reason
from tcop_mock.contract.clause_outcome import refusal
from tcop_mock.contract.limits import BoundedWaitTransport, Rank, RequestSlots
from tcop_mock.contract.preflight import Preflight
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tcop_mock.contract.limits import Holder

PLAIN = OutgoingRequest(b"{}")
D = 5.0


class Receiver:
    """Answers after as long as planned, on a clock of its own."""

    def __init__(self, *took_s: float) -> None:
        self.now_s, self.took_s, self.deadlines_s = 0.0, list(took_s), list[float]()

    def clock(self) -> float:
        """Return the time."""
        return self.now_s

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Answer, or not before the deadline."""
        assert (bool(request.body), intended_s) == (True, None)
        self.deadlines_s.append(deadline_s)
        started_s, took_s = self.now_s, self.took_s.pop(0)
        self.now_s += min(took_s, deadline_s)
        outcome = Outcome.ACKED if took_s < deadline_s else Outcome.TIMED_OUT
        return Attempt(outcome, started_s, started_s, self.now_s, status=200 if outcome is Outcome.ACKED else None)


def send(transport: BoundedWaitTransport, count: int, request: OutgoingRequest = PLAIN) -> list[Attempt]:
    """Send a request some times, one after the other."""

    async def all_of_them() -> list[Attempt]:
        return [await transport(request, deadline_s=D) for _ in range(count)]

    return asyncio.run(all_of_them())


def test_late_answers_are_waited_for_during_two_deadlines() -> None:
    """Then what is late is given up soon, and then nothing is sent."""
    receiver = Receiver(0.1, 9.0, 9.0, 0.9, 9.0, 9.0, 9.0)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    attempts = send(transport, 9)
    assert receiver.deadlines_s == [5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0]
    assert [attempt.outcome for attempt in attempts] == [
        Outcome.ACKED,
        Outcome.TIMED_OUT,
        Outcome.TIMED_OUT,
        Outcome.ACKED,
        *[Outcome.CANCELLED] * 5,
    ]
    assert attempts[-1].detail == TOO_SLOW
    assert transport.is_over


def test_quick_answers_are_checked_while_late_ones_are_given_up() -> None:
    """A receiver that is late for some bodies only is judged by the others."""
    receiver = Receiver(9.0, 9.0, 0.1, 9.0, 0.1)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    outcomes = [attempt.outcome for attempt in send(transport, 5)]
    assert outcomes == [Outcome.TIMED_OUT, Outcome.TIMED_OUT, Outcome.ACKED, Outcome.CANCELLED, Outcome.ACKED]
    assert not transport.is_over


def test_answers_that_are_late_together_count_once() -> None:
    """Concurrent waits count once."""

    async def late(request: OutgoingRequest, **_options: Any) -> Attempt:
        assert request is PLAIN
        return Attempt(Outcome.TIMED_OUT, 0.0, 1.0, 6.0)

    transport = BoundedWaitTransport(late, lambda: 0.0, D)
    send(transport, 8)
    assert transport.spent_s == 5.0


def test_a_phase_in_which_receivers_are_late_does_not_count() -> None:
    """A correct one may be late in a burst, or where it calls a service that hangs."""
    receiver = Receiver(*[9.0] * 10)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    transport.is_counting = False
    assert {attempt.outcome for attempt in send(transport, 10)} == {Outcome.TIMED_OUT}
    assert transport.spent_s == 0.0


def test_what_was_spent_on_requests_without_an_end_is_taken_back_on_request() -> None:
    """Whether a receiver waits for the rest of a request says nothing about the ones that end."""
    receiver = Receiver(*[9.0] * 7)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    send(transport, 1)
    send(transport, 5, replace(PLAIN, truncate_at=1))
    assert transport.is_over
    transport.forgive_cut_requests()
    transport.forgive_cut_requests()
    assert transport.spent_s == D
    assert [attempt.outcome for attempt in send(transport, 2)] == [Outcome.TIMED_OUT, Outcome.CANCELLED]


def test_the_time_that_we_need_to_send_is_not_the_receiver_s() -> None:
    """A request in many segments takes long by itself."""
    request = OutgoingRequest(b"x" * 300, segment_sizes=(1,))
    receiver = Receiver(2.4, 2.6)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    send(transport, 1, request)
    assert transport.spent_s == 0.0
    send(transport, 1, request)
    assert transport.spent_s == pytest.approx(2.6)


@pytest.mark.parametrize(
    "took_s, outcome, late_s, spent_s",
    [(0.01, Outcome.ACKED, 1.0, 0.0), (1.0, Outcome.ACKED, 4.0, 0.0), (5.0, Outcome.TIMED_OUT, 1.0, 10.0)],
)
def test_the_first_callback_says_what_is_late(took_s: float, outcome: Outcome, late_s: float, spent_s: float) -> None:
    """A receiver that is slow as a rule is late later; one that was late already has used up most of the time."""
    transport = BoundedWaitTransport(Receiver(), lambda: 0.0, D)
    transport.begin(Preflight(Attempt(outcome, 0.0, 0.0, took_s, status=200), D))
    assert (transport.late_s, transport.spent_s) == (late_s, spent_s)


def test_an_attempt_that_was_given_up_says_nothing() -> None:
    """Neither of its own clause, nor as a control of another one, and no clause is asked to report it."""
    given_up = Attempt(Outcome.CANCELLED, 0.0, 0.0, 1.0, detail=TOO_SLOW)
    for name in ("status", "answered_in_time", "is_alive"):
        assert inconclusive_reason(ASSERTIONS[name], given_up, AssertionContext()) == TOO_SLOW
    exclusion = refusal("a case", RequestCase("its control", PLAIN), given_up)
    assert (exclusion.reason, exclusion.failure, exclusion.is_refusal) == (TOO_SLOW, None, True)


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
    """The first request has the first slot. Of the waiting ones the most important is next, then the oldest."""
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
    """No further request starts while a receiver that serves one at a time is late."""
    assert starts(RequestSlots(2, 10, 1.0, is_answered), [3.0] * 6) == [0.0, 0.0, 3.0, 3.0, 6.0, 6.0]


def test_quick_requests_wait_for_their_turn() -> None:
    """No probe is sent while requests are answered soon."""

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
