"""``tcop_sender``, ``tcop_async_sender``: delivery as TCOP does it, without waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tcop_mock.domain.delivery import Attempt, Delivery, Outcome
from tcop_mock.testing.senders import require_asyncio
from tcop_mock.transport.caller import call_user, run_beside

if TYPE_CHECKING:
    from pytester_runs import RunPytest


def test_a_callback_is_delivered_with_retries(inner: RunPytest) -> None:
    """An attempt that fails is made again, after the profile's pauses, which only the clock shows."""
    inner("""
import pytest

@pytest.fixture
def tcop_target(tcop_receiver):
    return tcop_receiver.url

def test_retries(tcop_sender, tcop_alarm, tcop_receiver, tcop_clock):
    tcop_receiver.fault("status:503:2")
    delivery = tcop_sender.send(tcop_alarm())
    assert [attempt.status for attempt in delivery.attempts] == [503, 503, 200]
    assert delivery.accepted
    assert len({one.body for one in tcop_receiver.callbacks}) == 1
    assert len(tcop_clock.pauses_s) == 2
    assert sum(tcop_clock.pauses_s) == tcop_clock.now_s > 0

@pytest.mark.tcop(attempts=1, deadline="20s")
def test_mark(tcop_sender, tcop_alarm, tcop_receiver):
    tcop_receiver.fault("status:503")
    assert len(tcop_sender.send(tcop_alarm()).attempts) == 1

def test_bodies(tcop_sender, tcop_alarm, tcop_receiver):
    tree = tcop_alarm().to_dict()
    for body in (tree, b'{"a":1}', '{"a":"\u4e91"}'):
        assert tcop_sender.send(body).accepted
    assert [one.json for one in tcop_receiver.callbacks] == [tree, {"a": 1}, {"a": "\u4e91"}]
""").assert_outcomes(passed=3)


def test_a_life_keeps_its_distances_on_the_clock(inner: RunPytest) -> None:
    """Callbacks of a life are delivered at their times of alarm time, in order, and nobody waits for them."""
    inner(
        """
import apps
from tcop_mock import NotifyType, RepeatPolicy

def test_life(tcop_sender, tcop_lifecycle, tcop_clock):
    apps.received_bodies.clear()
    life = tcop_lifecycle(steps="fire,repeat:2,resolve,fire", notify=RepeatPolicy(NotifyType.CONTINUOUS, 3600))
    deliveries = tcop_sender.send_all([*life, b"{}"])
    assert [one.accepted for one in deliveries] == [True] * 6
    assert apps.received_bodies == [*[one.to_bytes() for one in life], b"{}"]
    resolved, again = life[3], life[4]
    age_s = (again.alarm.first_occurred_at - resolved.alarm.first_occurred_at).total_seconds()
    assert tcop_clock.now_s == age_s
    assert tcop_clock.pauses_s == [3600, 3600, resolved.duration_s - 7200, age_s - resolved.duration_s]

def test_nothing(tcop_sender):
    assert tcop_sender.send_all([]) == []

def test_starts_with_a_body(tcop_sender, tcop_alarm):
    assert len(tcop_sender.send_all([b"{}", tcop_alarm()])) == 2
""",
        target="apps.wsgi",
    ).assert_outcomes(passed=3)


def test_blocking_work_is_ended_by_what_interrupts_it() -> None:
    """An interrupt in the waiting thread cancels the work; errors of the work are raised."""
    cancelled = []

    def interrupts() -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        try:
            await call_user(interrupts)
            await asyncio.Event().wait()
        except (RuntimeError, asyncio.CancelledError):
            cancelled.append(True)
            raise

    async def fails() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_beside(fails())
    with pytest.raises(KeyboardInterrupt):
        run_beside(work())
    assert cancelled == [True]


def test_a_delivery_that_fails_is_readable(inner: RunPytest) -> None:
    """Its end in a line, and the exception of the app with the frames of the user."""
    result = inner(
        """
def test_state(tcop_sender, tcop_alarm):
    assert tcop_sender.send(tcop_alarm("cvm/basic-monitoring", "resolved")).accepted
""",
        target="lambda alarm: alarm['nosuch']",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*where False = <Delivery cvm/basic-monitoring resolved: rejected 500 (KeyError: 'nosuch' *), 4 attempts>*",
            "*Captured app error call*",
            "*File *conftest.py*",
            "KeyError: 'nosuch'",
        ]
    )


def test_a_delivery_says_how_it_ended() -> None:
    """The repr has status, answer and number of attempts, if there are any."""
    rejected = Attempt(Outcome.REJECTED, 0.0, 0.0, 0.0, status=500, body=b"Internal Server Error")
    late = Attempt(Outcome.TIMED_OUT, 0.0, 0.0, 0.0, detail="no answer inside 5 s")
    acked = Attempt(Outcome.ACKED, 0.0, 0.0, 0.0, status=200, body=b"ok")
    assert repr(Delivery((rejected,))) == "<Delivery rejected 500 'Internal Server Error', 1 attempt>"
    assert repr(Delivery((rejected, late), "mine")) == "<Delivery mine: timed_out (no answer inside 5 s), 2 attempts>"
    assert repr(Delivery((acked,))) == "<Delivery acked 200, 1 attempt>"
    assert repr(Delivery(())) == "<Delivery 0 attempts>"


def test_fixtures_are_readable_where_a_test_fails(inner: RunPytest) -> None:
    """The texts that pytest prints for the fixtures of a failed test are short and hold no password."""
    result = inner(
        """
import re

import pytest

TEXTS = {
    "tcop_alarm": r"<AlarmFactory, seed \\d+>",
    "tcop_lifecycle": r"<LifecycleFactory, seed \\d+>",
    "tcop_callback": r"<Callback cvm/basic-monitoring firing, session [0-9a-z]{24}>",
    "tcop_clock": "<Clock at 0 s>",
    "tcop_receiver": r"<Receiver at http://127.0.0.1:\\d+/, 0 requests>",
    "tcop_contract": r"<Contract of http://\\*\\*\\*@127.0.0.1:9/>",
    "tcop_sender": r"<Sender to http://\\*\\*\\*@127.0.0.1:9/>",
    "tcop_async_sender": r"<AsyncSender to http://\\*\\*\\*@127.0.0.1:9/>",
}

@pytest.mark.parametrize("name", TEXTS)
def test_text(request, name):
    assert re.fullmatch(TEXTS[name], repr(request.getfixturevalue(name)), re.IGNORECASE)

def test_form(tcop_alarm):
    resolved = tcop_alarm("cvm/basic-monitoring", "resolved", form="observed")
    assert repr(resolved).startswith("<Callback cvm/basic-monitoring resolved in the form observed, session ")
""",
        target="'http://u:S3ntinel-pw@127.0.0.1:9/'",
    )
    result.assert_outcomes(passed=9)


def test_only_asyncio_can_await() -> None:
    """On another event loop the failure says what to use instead."""
    with pytest.raises(pytest.fail.Exception, match=r"this needs asyncio, .*; use tcop_sender in a thread"):
        require_asyncio("tcop_sender")
