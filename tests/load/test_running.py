"""Loads on a receiver in this process: requests and reports."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from load_samples import CATALOG, SCENARIO_CHANGES, constant_stages, make_plan, run_load

from tcop_mock.callbacks.generator import Generator
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel, ScheduledCallback
from tcop_mock.domain.load_summary import LoadStarted, SecondElapsed
from tcop_mock.domain.profile import RetryAfter
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.engine import LoadEngine
from tcop_mock.load.executors import make_executor
from tcop_mock.load.run import LoadRun
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from tcop_mock.domain.load_summary import LoadEvent
    from tcop_mock.load.stats import SecondStats
    from tcop_mock.server.messages import ReceivedRequest

ACK = Reply(200)


@pytest.mark.parametrize("poisson", [False, True], ids=["constant", "poisson"])
def test_an_open_load_pushes_what_is_due(*, poisson: bool) -> None:
    """The number of attempts follows from the rate, every body is distinct, and each counts once."""
    bodies: list[bytes] = []

    def take(received: ReceivedRequest) -> Reply:
        bodies.append(received.body)
        return ACK

    summary = run_load(take, make_plan(stages=constant_stages(400, 0.5), is_poisson=poisson, count=180)).summary
    assert 140 <= len(bodies) <= 180
    assert (summary.attempts, summary.acked, summary.failed, summary.dropped) == (len(bodies), len(bodies), 0, 0)
    assert len({json.loads(body)["sessionId"] for body in bodies}) == len(bodies)
    assert (summary.ack_times.count, summary.lateness.count, summary.service_times.count) == (len(bodies),) * 3
    assert (summary.statuses, summary.notifications, summary.lost) == ({200: len(bodies)}, len(bodies), 0)
    assert summary.connections >= 1


def test_credentials_and_headers_go_along() -> None:
    """Each push has the headers of the rules and the credentials of the target."""
    seen: set[tuple[str, str]] = set()

    def take(received: ReceivedRequest) -> Reply:
        seen.add((received.header("authorization"), received.header("content-type")))
        return ACK

    plan = make_plan("http://u:p@127.0.0.1:9/", stages=constant_stages(100, 0.1))
    assert run_load(take, plan).summary.acked == 10
    assert seen == {("Basic dTpw", "application/json")}


def test_a_stall_is_felt_by_all_that_came_meanwhile() -> None:
    """While the one connection that is allowed is stuck, what is due waits; its time counts from when it was due."""
    stuck = iter([0.4])

    async def stall(_: ReceivedRequest) -> Reply:
        await asyncio.sleep(next(stuck, 0.0))
        return ACK

    summary = run_load(stall, make_plan(stages=constant_stages(100, 0.3), max_inflight=1)).summary
    assert summary.acked == 30
    assert summary.ack_times.count_over(0.1) >= 29  # a closed loop would have seen one
    assert summary.late >= 29
    assert summary.service_times.count_over(0.39) >= 1


def test_what_waits_longer_than_the_deadline_is_dropped_and_reported() -> None:
    """With one connection to a receiver that never answers, one attempt times out and the rest never begins."""

    async def never(_: ReceivedRequest) -> Reply:
        await asyncio.Event().wait()
        return ACK

    plan = make_plan(stages=constant_stages(1000, 0.1), max_inflight=1)
    summary = run_load(never, replace(plan, rules=replace(plan.rules, timeout_s=0.3))).summary
    assert summary.dropped >= 90
    assert summary.dropped + summary.attempts == 100
    assert set(summary.outcomes) == {Outcome.TIMED_OUT}
    assert summary.lost == 100
    assert summary.over_limit_count == summary.attempts


def test_the_warm_up_counts_for_nothing_but_the_series() -> None:
    """Attempts of the warm-up are in the series and in no total."""
    done = run_load(lambda _: ACK, make_plan(stages=constant_stages(200, 0.5), warm_up_s=0.2))
    assert (done.summary.warm_up_attempts, done.summary.acked) == (40, 60)
    assert sum(one.acked for one in done.summary.series) == 100
    ticks = [event for event in done.events if isinstance(event, SecondElapsed)]
    assert ticks[-1].attempts == 100
    assert isinstance(done.events[0], LoadStarted)


def test_a_closed_load_waits_for_answers() -> None:
    """N requests are in flight at any time, and never more, until the count is reached."""
    under_way, most = 0, 0

    async def take(_: ReceivedRequest) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return ACK

    plan = make_plan(model=LoadModel.CLOSED, concurrency=3, count=50)
    summary = run_load(take, plan).summary
    assert (summary.acked, most, summary.connections, summary.late) == (50, 3, 3, 0)


@pytest.mark.proof
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_count_is_shared_by_those_who_have_something_under_way(workers: int) -> None:
    """Processes beyond the number of requests in flight get no share of the count."""
    plan = make_plan(model=LoadModel.CLOSED, concurrency=2, count=5, workers=workers)

    async def run() -> list[int]:
        began = []
        async with HttpServer(lambda _: ACK) as sink:
            for lane in range(workers):
                beats: list[SecondStats] = []
                driver = LoadEngine(replace(plan, target=Target.parse(sink.url)), beats.append)
                await driver.run(make_executor(driver, CATALOG, Generator(1), worker=lane))
                began.append(sum(beat.started for beat in beats))
        return began

    shares = asyncio.run(run())
    assert sum(shares) == 5
    assert shares[2:] == [0] * (workers - 2)


def test_a_closed_load_ends_with_its_time() -> None:
    """Requests in flight at the end are awaited."""
    summary = run_load(lambda _: ACK, make_plan(model=LoadModel.CLOSED, concurrency=2, duration_s=0.2)).summary
    assert summary.acked == summary.attempts > 0


def test_failures_are_counted_by_outcome_and_status() -> None:
    """Every third answer is a 503, every sixth a redirect."""
    numbers = iter(range(60))

    def take(_: ReceivedRequest) -> Reply:
        number = next(numbers)
        return Reply(307 if number % 6 == 0 else 503 if number % 3 == 0 else 200)

    summary = run_load(take, make_plan(model=LoadModel.CLOSED, concurrency=1, count=60)).summary
    assert summary.outcomes == {Outcome.ACKED: 40, Outcome.REDIRECTED: 10, Outcome.REJECTED: 10}
    assert summary.statuses == {200: 40, 307: 10, 503: 10}
    assert (summary.failed, summary.lost) == (20, 20)


def notifications(count: int, gap_s: float = 0.01) -> list[ScheduledCallback]:
    """Return notifications of half as many alarms."""
    return [
        ScheduledCallback(
            number * gap_s,
            b'{"sessionId":"%d"}' % number,
            alarm_key=f"alarm {number // 2}",
            session_id=str(number),
            alarm_number=number // 2,
        )
        for number in range(count)
    ]


def test_a_script_is_played_with_the_retries_of_the_profile() -> None:
    """A rejected push is sent again with the same bytes, as often as the profile says."""
    seen: dict[bytes, int] = {}

    def take(received: ReceivedRequest) -> Reply:
        seen[received.body] = seen.get(received.body, 0) + 1
        number = int(json.loads(received.body)["sessionId"])
        return Reply(503 if number == 3 or (number == 4 and seen[received.body] < 3) else 200)

    done = run_load(take, make_plan(time_scale=0.01, **SCENARIO_CHANGES), notifications(6))
    summary = done.summary
    assert sorted(seen.values()) == [1, 1, 1, 1, 3, 4]
    assert (summary.alarms, summary.notifications, summary.attempts, summary.lost) == (3, 6, 11, 1)
    assert summary.amplification == pytest.approx(11 / 6)
    assert (summary.ack_times.count, summary.duplicates) == (5, 0)
    assert summary.recovery_s is not None
    by_number = {one.callback.session_id: one for one in done.deliveries}
    assert [one.outcome for one in by_number["4"].attempts] == [Outcome.REJECTED] * 2 + [Outcome.ACKED]
    assert (by_number["3"].is_acked, by_number["4"].is_acked, len(by_number["3"].attempts)) == (False, True, 4)
    assert by_number["4"].attempts[0].intended_s == pytest.approx(0.04)
    assert by_number["4"].attempts[2].intended_s >= by_number["4"].attempts[1].ended_s


def test_lost_acks_are_reported_as_duplicates() -> None:
    """A receiver that takes the callback and answers too late gets it again."""
    late = iter([10.0, 10.0])

    async def take(_: ReceivedRequest) -> Reply:
        await asyncio.sleep(next(late, 0.0))
        return ACK

    plan = make_plan(time_scale=0.0, **SCENARIO_CHANGES)
    done = run_load(take, replace(plan, rules=replace(plan.rules, timeout_s=0.2)), notifications(1))
    assert [one.outcome for one in done.deliveries[0].attempts] == [Outcome.TIMED_OUT] * 2 + [Outcome.ACKED]
    assert (done.summary.duplicates, done.summary.lost, done.summary.ack_times.count) == (2, 0, 1)
    assert done.summary.ack_times.max_s >= 0.4


@pytest.mark.proof
def test_a_script_may_end_early() -> None:
    """A scenario ends by count or by time; later notifications are not sent."""
    assert run_load(lambda _: ACK, make_plan(count=3, **SCENARIO_CHANGES), notifications(6)).summary.notifications == 3
    assert (
        run_load(lambda _: ACK, make_plan(duration_s=0.035, **SCENARIO_CHANGES), notifications(6)).summary.notifications
        == 4
    )


def test_a_script_waits_where_too_much_is_under_way() -> None:
    """A notification beyond the limit is late, and not dropped."""

    async def take(_: ReceivedRequest) -> Reply:
        await asyncio.sleep(0.02)
        return ACK

    done = run_load(take, make_plan(max_inflight=1, **SCENARIO_CHANGES), notifications(5, gap_s=0.0))
    assert (done.summary.notifications, done.summary.lost, done.summary.connections) == (5, 0, 1)
    assert done.summary.late >= 3


@pytest.mark.parametrize("right", [True, False])
def test_a_profile_that_looks_into_answers_does_so(*, right: bool) -> None:
    """2019-ack wants the callback's sessionId and retCode 0; another answer is not an ack."""

    def take(received: ReceivedRequest) -> Reply:
        session = json.loads(received.body)["sessionId"] if right else "x"
        return Reply(200, json.dumps({"sessionId": session, "retCode": 0}).encode())

    plan = make_plan(profile="2019-ack", time_scale=0.0, **SCENARIO_CHANGES)
    summary = run_load(take, plan, notifications(2)).summary
    assert summary.lost == (0 if right else 2)
    assert summary.attempts == (2 if right else 6)


def test_retry_after_is_honoured_where_the_rules_say_so() -> None:
    """The pause of 0 s becomes the second that the answer asks for."""
    replies = iter([Reply(503, headers=(("Retry-After", "1"),))])
    plan = make_plan(**SCENARIO_CHANGES)
    rules = replace(plan.rules, pauses_s=(0.0,), retry_after=RetryAfter.HONOURED)
    done = run_load(lambda _: next(replies, ACK), replace(plan, rules=rules), notifications(1))
    first, second = done.deliveries[0].attempts
    assert second.started_s - first.ended_s >= 1.0


def test_a_script_is_one_process_business() -> None:
    """Several are refused."""
    with pytest.raises(UsageError, match="leave --workers out"):
        LoadRun(make_plan(workers=2, **SCENARIO_CHANGES), CATALOG, Generator(1))


@pytest.mark.parametrize("kind", ["open", "closed", "script"])
def test_a_load_that_is_cut_short_has_a_summary(kind: str) -> None:
    """Cancelled in the middle, it leaves its connections at once and still says what was until then."""
    plans = {
        "open": make_plan(stages=constant_stages(50, 60)),
        "closed": make_plan(model=LoadModel.CLOSED, concurrency=2),
        "script": make_plan(time_scale=100.0, **SCENARIO_CHANGES),
    }

    async def run() -> tuple[LoadRun, list[LoadEvent]]:
        heard, stopped = asyncio.Event(), asyncio.Event()
        seen = 0

        async def take(_: ReceivedRequest) -> Reply:
            nonlocal seen
            seen += 1
            if seen == 3:
                heard.set()
                await stopped.wait()
            return Reply(503 if seen == 1 else 200)

        events: list[LoadEvent] = []
        async with HttpServer(take) as sink:
            plan = replace(plans[kind], target=Target.parse(sink.url))
            script = iter(notifications(4)) if kind == "script" else None
            load = LoadRun(plan, CATALOG, Generator(1), schedule=script)
            note = events.append

            async def listen() -> None:
                async for event in load.events():
                    note(event)

            listening = asyncio.create_task(listen())
            await heard.wait()
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening
            stopped.set()
        return load, events

    load, events = asyncio.run(run())
    summary = load.summary(interrupted=True)
    assert isinstance(events[0], LoadStarted)
    assert summary.interrupted
    assert summary.outcomes[Outcome.REJECTED] == 1
    assert summary.outcomes[Outcome.CANCELLED] >= 1
    assert summary.attempts == sum(summary.outcomes.values())


def test_a_fault_of_ours_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the load, and is not an outcome of the receiver."""

    async def broken(*_: object, **__: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr("tcop_mock.load.pool.connect_socket", broken)
    with pytest.raises(LookupError, match="ours"):
        run_load(lambda _: ACK, make_plan(stages=constant_stages(10, 1)))


@pytest.mark.parametrize("place", ["record", "send"])
def test_a_fault_of_ours_in_a_callback_is_raised(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in an event-loop callback ends the load instead of being logged."""

    def broken(*_: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(LoadEngine, place, broken)
    with pytest.raises(LookupError, match="ours"):
        run_load(lambda _: ACK, make_plan(stages=constant_stages(10, 1)))
