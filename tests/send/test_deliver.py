"""Attempts, retries and pauses, on a clock that only moves when somebody waits."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from tcop_mock.model.delivery import Attempt, Delivery, Outcome, Push
from tcop_mock.model.profile import Accept, DeliveryRules
from tcop_mock.send.deliver import deliver, held_to

if TYPE_CHECKING:
    from collections.abc import Sequence

RETRIED = frozenset({Outcome.TIMED_OUT, Outcome.REJECTED})
TOOK_S = 2.0
OVERHEAD_S = 0.25


class World:
    """A port that ends as told, and the time that passes meanwhile."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.now_s, self.slept_s, self.pushes, self.deadlines_s = 100.0, list[float](), list[Push](), list[float]()
        self._outcomes = iter(outcomes)

    def clock(self) -> float:
        """Return the time."""
        return self.now_s

    async def sleep(self, pause_s: float) -> None:
        """Wake a little late, as real sleeps do."""
        self.slept_s.append(pause_s)
        self.now_s += pause_s + OVERHEAD_S

    async def post(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """End as told after two seconds."""
        self.pushes.append(push)
        self.deadlines_s.append(deadline_s)
        assert intended_s is not None
        started_s, self.now_s = self.now_s, self.now_s + TOOK_S
        sha256 = hashlib.sha256(push.body).hexdigest()
        return Attempt(next(self._outcomes), intended_s, started_s, self.now_s, request_sha256=sha256)

    def play(self, *, pauses_s: tuple[float, ...] = (), attempts: int = 4, time_scale: float = 1.0) -> Delivery:
        """Deliver one callback."""
        rules = DeliveryRules(attempts, 5.0, Accept.ANY_2XX, 65_536, RETRIED, pauses_s, ())
        work = deliver(
            Push(b"{}"), post=self.post, rules=rules, clock=self.clock, sleep=self.sleep, time_scale=time_scale
        )
        return asyncio.run(work)


@pytest.mark.parametrize(
    "outcomes, made, accepted",
    [
        ([Outcome.ACKED], 1, True),
        ([Outcome.TIMED_OUT, Outcome.REJECTED, Outcome.ACKED], 3, True),
        ([Outcome.TIMED_OUT, Outcome.REDIRECTED], 2, False),
        ([Outcome.TIMED_OUT] * 4, 4, False),
    ],
)
def test_it_is_pushed_until_an_outcome_that_is_not_retried(
    outcomes: list[Outcome], made: int, *, accepted: bool
) -> None:
    """Only outcomes in retry_on are pushed again, at the most as often as the rules say."""
    delivery = World(outcomes).play()
    assert [attempt.outcome for attempt in delivery.attempts] == outcomes[:made]
    assert delivery.accepted == accepted


def test_no_attempts_are_no_acceptance() -> None:
    """Rules without attempts push nothing, and nothing was accepted."""
    assert World([]).play(attempts=0) == Delivery(())
    assert not Delivery(()).accepted


def test_each_attempt_sends_the_same_bytes_with_the_same_deadline() -> None:
    """One Push, one hash, and the deadline is not scaled."""
    world = World([Outcome.TIMED_OUT] * 4)
    delivery = world.play(time_scale=0.1, pauses_s=(1,))
    assert len({id(push) for push in world.pushes}) == 1
    assert {attempt.request_sha256 for attempt in delivery.attempts} == {hashlib.sha256(b"{}").hexdigest()}
    assert world.deadlines_s == [5.0] * 4


@pytest.mark.parametrize(
    "pauses_s, time_scale, slept_s",
    [
        ((), 1.0, []),
        ((10.0, 20.0), 1.0, [10.0, 20.0, 20.0]),
        ((10.0, 20.0, 30.0, 40.0), 1.0, [10.0, 20.0, 30.0]),
        ((10.0, 0.0, 30.0), 1.0, [10.0, 30.0]),
        ((10.0,), 0.5, [5.0, 5.0, 5.0]),
        ((10.0,), 0.0, []),
    ],
)
def test_pauses_are_scaled_and_the_last_one_holds(
    pauses_s: tuple[float, ...], time_scale: float, slept_s: list[float]
) -> None:
    """A pause of nothing is no pause."""
    world = World([Outcome.TIMED_OUT] * 4)
    world.play(pauses_s=pauses_s, time_scale=time_scale)
    assert world.slept_s == slept_s


@pytest.mark.parametrize("pause_s", [0.0, 10.0])
def test_a_retry_is_intended_when_its_pause_is_over(pause_s: float) -> None:
    """The first attempt is intended now, each other one pause after the end of the one before; lateness shows."""
    delivery = World([Outcome.TIMED_OUT] * 3).play(pauses_s=(pause_s,), attempts=3)
    first, *others = delivery.attempts
    assert first.intended_s == first.started_s == 100.0
    for before, after in zip(delivery.attempts, others, strict=False):
        assert after.intended_s == before.ended_s + pause_s
        assert after.started_s - after.intended_s == (OVERHEAD_S if pause_s else 0)
        assert after.duration_s == TOOK_S


def acked(status: int, body: bytes) -> Attempt:
    """Return an attempt whose answer came in full."""
    return Attempt(Outcome.ACKED, 0.0, 0.0, 1.0, status=status, body=body)


@pytest.mark.parametrize(
    "accept, status, answer, wrong",
    [
        (Accept.ANY_2XX, 204, b"", ""),
        (Accept.EXACTLY_200, 200, b"", ""),
        (Accept.EXACTLY_200, 202, b"", "the status is 202, and this profile wants 200"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": 0}', ""),
        (Accept.RET_CODE, 201, b'{"retCode": 0, "sessionId": "abc", "more": 1}', ""),
        (Accept.RET_CODE, 200, b"ok", "the answer is no JSON object, and this profile wants sessionId and retCode"),
        (Accept.RET_CODE, 200, b"[]", "the answer is no JSON object, and this profile wants sessionId and retCode"),
        (
            Accept.RET_CODE,
            200,
            b'{"sessionId": "abd", "retCode": 0}',
            "the answer does not have the callback's sessionId, and this profile wants it",
        ),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": 1}', "the answer's retCode is not 0"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": false}', "the answer's retCode is not 0"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc"}', "the answer's retCode is not 0"),
    ],
)
def test_each_profile_counts_answers_as_its_pages_say(accept: Accept, status: int, answer: bytes, wrong: str) -> None:
    """An answer that the profile does not want is a failed push, and the attempt says why."""
    attempt = held_to(accept, Push(b'{"sessionId":"abc"}'), acked(status, answer))
    assert attempt.outcome is (Outcome.REJECTED if wrong else Outcome.ACKED)
    assert attempt.detail == wrong


@pytest.mark.parametrize("accept", Accept)
def test_what_failed_is_not_made_better(accept: Accept) -> None:
    """An attempt that was not acked stays as it is, whatever its profile wants."""
    timed_out = Attempt(Outcome.TIMED_OUT, 0.0, 0.0, 5.0)
    assert held_to(accept, Push(b"{}"), timed_out) is timed_out


def test_a_body_without_a_session_wants_none_back() -> None:
    """Who sends a body of their own that is no callback is answered well without a sessionId."""
    assert held_to(Accept.RET_CODE, Push(b"x"), acked(200, b'{"retCode":0}')).outcome is Outcome.ACKED
