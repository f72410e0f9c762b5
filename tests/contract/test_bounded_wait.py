"""How long a run waits for late answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tcop_mock.contract.assertions import ASSERTIONS, TOO_SLOW, AssertionContext, inconclusive_reason
from tcop_mock.contract.bounded_wait import BoundedWaitTransport
from tcop_mock.contract.clause_outcome import refusal
from tcop_mock.contract.preflight import Preflight
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest

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


def test_quick_answers_are_judged_while_late_ones_are_given_up() -> None:
    """A receiver that is late for some bodies only is judged by the others."""
    receiver = Receiver(9.0, 9.0, 0.1, 9.0, 0.1)
    transport = BoundedWaitTransport(receiver, receiver.clock, D)
    outcomes = [attempt.outcome for attempt in send(transport, 5)]
    assert outcomes == [Outcome.TIMED_OUT, Outcome.TIMED_OUT, Outcome.ACKED, Outcome.CANCELLED, Outcome.ACKED]
    assert not transport.is_over


def test_answers_that_are_late_together_count_once() -> None:
    """Time that is waited side by side is spent once."""

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
