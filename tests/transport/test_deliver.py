"""Attempts, retries, pauses and alarm time, in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run_in_virtual_time

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Attempt, Delivery, Outcome, OutgoingRequest
from tcop_mock.domain.profile import Accept, DeliveryRules, RetryAfter
from tcop_mock.transport.delivery import DeliveryScheduler, ScheduledRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Transport

RETRIED = frozenset({Outcome.TIMED_OUT, Outcome.REJECTED})
DAY_S = 86_400


@dataclass
class World:
    """A transport with a scripted outcome for each body."""

    ends: dict[bytes, list[tuple[Outcome, float]]]
    """Outcomes and durations by attempt; other attempts are acked at once."""
    posted: list[tuple[float, bytes]] = field(default_factory=list)
    """When which body was pushed, by the real clock."""
    deadlines_s: set[float] = field(default_factory=set)
    pushes: set[int] = field(default_factory=set)
    cancelled: int = 0
    over_s: float = 0.0

    def play(
        self,
        *notifications: tuple[float, bytes],
        pauses_s: tuple[float, ...] = (1, 2, 4),
        attempts: int = 4,
        pause_scale: float = 1.0,
        gap_scale: float = 0.0,
    ) -> list[Delivery]:
        """Deliver all; return their deliveries in the order of the notifications."""
        rules = DeliveryRules(attempts, 5.0, Accept.ANY_2XX, 65_536, RETRIED, pauses_s, ())

        async def all_of_them(clock: Callable[[], float]) -> list[Delivery]:
            scheduler = DeliveryScheduler(self.port(clock), rules, clock, asyncio.sleep, pause_scale, gap_scale)
            sent = [ScheduledRequest(at_s, OutgoingRequest(body)) for at_s, body in notifications]
            ended = [one async for one in scheduler.deliver_all(sent)]
            self.over_s = clock()
            return [one.delivery for one in sorted(ended)]

        return run_in_virtual_time(all_of_them)

    def port(self, clock: Callable[[], float]) -> Transport:
        """Return the port of a loop with a clock."""
        left = {body: iter(ends) for body, ends in self.ends.items()}

        async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
            outcome, took_s = next(left.get(request.body, iter(())), (Outcome.ACKED, 0.0))
            assert intended_s is not None
            started_s = clock()
            self.posted.append((started_s, request.body))
            self.deadlines_s.add(deadline_s)
            self.pushes.add(id(request))
            try:
                await asyncio.sleep(took_s)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            sha256 = hashlib.sha256(request.body).hexdigest()
            return Attempt(outcome, intended_s, started_s, clock(), request_sha256=sha256)

        return post


def failing(*outcomes: Outcome, took_s: float = 2.0) -> World:
    """Return a world in which the body ``one`` ends so."""
    return World({b"one": [(outcome, took_s) for outcome in outcomes]})


@pytest.mark.parametrize(
    "outcomes, made, accepted",
    [
        ([Outcome.ACKED], 1, True),
        ([Outcome.TIMED_OUT, Outcome.REJECTED, Outcome.ACKED], 3, True),
        ([Outcome.TIMED_OUT, Outcome.REDIRECTED], 2, False),
        ([Outcome.TIMED_OUT] * 5, 4, False),
    ],
)
def test_it_is_pushed_until_an_outcome_that_is_not_retried(
    outcomes: list[Outcome], made: int, *, accepted: bool
) -> None:
    """Only outcomes in retry_on are pushed again, at the most as often as the rules say."""
    [delivery] = failing(*outcomes).play((0, b"one"))
    assert [attempt.outcome for attempt in delivery.attempts] == outcomes[:made]
    assert delivery.accepted == accepted


def test_nothing_to_deliver_is_nothing() -> None:
    """No notifications, no deliveries, no waiting; and what was never pushed was not accepted."""
    assert World({}).play() == []
    assert not Delivery(()).accepted


def test_each_attempt_sends_the_same_bytes_with_the_same_deadline() -> None:
    """One Push, one hash, and the deadline is not scaled."""
    world = failing(*[Outcome.TIMED_OUT] * 4)
    [delivery] = world.play((0, b"one"), pause_scale=0.1)
    assert len(world.pushes) == 1
    assert {attempt.request_sha256 for attempt in delivery.attempts} == {hashlib.sha256(b"one").hexdigest()}
    assert world.deadlines_s == {5.0}


@pytest.mark.parametrize(
    "pauses_s, scale, starts_s",
    [
        ((), 1.0, [0, 2, 4, 6]),
        ((10.0, 20.0), 1.0, [0, 12, 34, 56]),
        ((10.0, 20.0, 30.0, 40.0), 1.0, [0, 12, 34, 66]),
        ((10.0, 0.0, 30.0), 1.0, [0, 12, 14, 46]),
        ((10.0,), 0.5, [0, 7, 14, 21]),
        ((10.0,), 0.0, [0, 2, 4, 6]),
    ],
)
def test_pauses_are_scaled_and_the_last_one_holds(
    pauses_s: tuple[float, ...], scale: float, starts_s: list[float]
) -> None:
    """An attempt starts, and was intended to, one scaled pause after the end of the one before, which took 2 s."""
    world = failing(*[Outcome.TIMED_OUT] * 4)
    [delivery] = world.play((0, b"one"), pauses_s=pauses_s, pause_scale=scale)
    assert [attempt.started_s for attempt in delivery.attempts] == starts_s
    assert [attempt.intended_s for attempt in delivery.attempts] == starts_s


@pytest.mark.parametrize(
    "retry_after, wanted, pause_s",
    [
        (RetryAfter.IGNORED, "30", 10.0),
        (RetryAfter.HONOURED, "30", 30.0),
        (RetryAfter.HONOURED, "5", 10.0),
        (RetryAfter.HONOURED, "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        (RetryAfter.HONOURED, None, 10.0),
    ],
)
def test_retry_after_lengthens_a_pause_where_the_profile_honours_it(
    retry_after: RetryAfter, wanted: str | None, pause_s: float
) -> None:
    """Seconds lengthen the pause; a date, or less than the pause, changes nothing."""
    rules = replace(load_profile().delivery, pauses_s=(10.0,), retry_after=retry_after)
    headers = (("retry-after", wanted),) if wanted else ()
    assert rules.retry_pause_s(Attempt(Outcome.REJECTED, 0.0, 0.0, 0.1, status=503, headers=headers), 1) == pause_s


def test_a_day_of_repeats_takes_no_longer_than_its_requests() -> None:
    """Between notifications nothing is waited for, unless it is asked for."""
    reported = [(at, b"%d" % at) for at in range(0, DAY_S + 1, 300)]
    at_once = World({})
    assert all(delivery.accepted for delivery in at_once.play(*reported))
    assert (len(at_once.posted), at_once.over_s) == (289, 0)
    in_real_time = World({})
    in_real_time.play(*reported, gap_scale=1)
    assert in_real_time.posted == reported
    assert in_real_time.over_s == DAY_S


def test_a_firing_that_is_pushed_again_can_come_behind_its_resolve() -> None:
    """Attempts overlap with later notifications of the alarm as they would in life."""
    world = World({b"fire": [(Outcome.TIMED_OUT, 5.0)]})
    fired, resolved = world.play((0, b"fire"), (3, b"resolve"))
    assert world.posted == [(0, b"fire"), (3, b"resolve"), (6, b"fire")]
    assert fired.accepted
    assert resolved.accepted


def test_only_what_waits_to_be_pushed_again_is_waited_for() -> None:
    """While a callback waits for its next attempt time runs as pauses do; then it jumps to the next notification."""
    world = World({b"fire": [(Outcome.REJECTED, 0.0)] * 2})
    world.play((0, b"fire"), (2, b"repeat"), (60, b"resolve"))
    assert world.posted == [(0, b"fire"), (1, b"fire"), (2, b"repeat"), (3, b"fire"), (3, b"resolve")]


ENDS = st.lists(st.tuples(st.sampled_from(sorted({*RETRIED, Outcome.ACKED})), st.sampled_from([0, 0.5, 5])), max_size=4)
"""How the attempts of a callback end, and about how long they take."""


@given(
    st.dictionaries(st.integers(0, 12), ENDS, min_size=1, max_size=6),
    st.sampled_from([0.0, 0.01, 1.0, 3.0]),
    st.sampled_from([0.0, 0.01, 1.0, 3.0]),
)
def test_the_order_is_the_same_at_any_speed(
    reported: dict[int, list[tuple[Outcome, float]]], pause_scale: float, gap_scale: float
) -> None:
    """How fast time is played changes nothing of what is pushed and in which order."""
    notifications = [(at_s, b"%d" % at_s) for at_s in reported]
    ends = {  # no two things happen at once
        b"%d" % at_s: [(outcome, took_s + 0.0007 * (at_s + 1)) for outcome, took_s in ends]
        for at_s, ends in reported.items()
    }
    as_in_life, played = World(ends), World(ends)
    expected = as_in_life.play(*notifications, gap_scale=1)
    deliveries = played.play(*notifications, pause_scale=pause_scale, gap_scale=gap_scale)
    assert [body for _, body in played.posted] == [body for _, body in as_in_life.posted]
    assert [[one.outcome for one in delivery.attempts] for delivery in deliveries] == [
        [one.outcome for one in delivery.attempts] for delivery in expected
    ]


def test_who_stops_listening_cancels_what_is_under_way() -> None:
    """A consumer that leaves ends the attempts that have not ended."""
    world = World({b"slow": [(Outcome.ACKED, 5.0)]})
    rules = DeliveryRules(1, 5.0, Accept.ANY_2XX, 65_536, RETRIED, (), ())

    async def first_only(clock: Callable[[], float]) -> int:
        scheduler = DeliveryScheduler(world.port(clock), rules, clock, asyncio.sleep)
        ended = scheduler.deliver_all(
            [ScheduledRequest(0, OutgoingRequest(b"slow")), ScheduledRequest(0, OutgoingRequest(b"fast"))]
        )
        first = await anext(ended)
        await ended.aclose()
        return first.number

    assert run_in_virtual_time(first_only) == 1
    assert world.cancelled == 1


def test_one_callback_is_delivered_now() -> None:
    """The short form for one."""
    world = failing(Outcome.REJECTED, Outcome.ACKED)
    rules = DeliveryRules(4, 5.0, Accept.ANY_2XX, 65_536, RETRIED, (1,), ())

    async def one(clock: Callable[[], float]) -> Delivery:
        return await DeliveryScheduler(world.port(clock), rules, clock, asyncio.sleep).deliver(OutgoingRequest(b"one"))

    assert [attempt.started_s for attempt in run_in_virtual_time(one).attempts] == [0, 3]
