"""What a process of a Locust swarm has to tell, without Locust."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.locust import Heard, Orders, Swarm, weights

if TYPE_CHECKING:
    from pathlib import Path

_TARGET = Target.parse("http://u:swordfish@127.0.0.1:8080/hook")
_STORM = """
title = "mine"
source = "ours"
[[groups]]
title = "some"
shapes = ["cvm/basic-monitoring"]
alarms = 20
within_s = 10
over_s = 60
"""


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now_s += seconds


def test_orders_travel_through_the_environment() -> None:
    """What one process writes, another one reads; the target goes by itself."""
    orders = Orders(_TARGET, 7, "2019-ack", "cvm/*=2", "flapping", 0.5, 3, 2.0, ("/a", "/b"))
    environ = orders.environ() | {"TCOP_MOCK_TARGET": "http://u:swordfish@127.0.0.1:8080/hook", "HOME": "/root"}
    assert Orders.of(environ) == orders
    assert "swordfish" not in f"{orders.environ()}{orders}"
    assert Orders.of({}, "http://127.0.0.1:9/") == Orders(Target.parse("http://127.0.0.1:9/"))


@pytest.mark.parametrize(
    "environ, complaint",
    [
        ({}, "no target: set TCOP_MOCK_TARGET (it keeps passwords out of Locust's pages), or --host"),
        ({"TCOP_MOCK_TARGET": "h", "TCOP_MOCK_LOAD_SEED": "x"}, "TCOP_MOCK_LOAD_SEED: 'x' is no number"),
        ({"TCOP_MOCK_TARGET": "h", "TCOP_MOCK_LOAD_SED": "1"}, "TCOP_MOCK_LOAD_SED: there is TCOP_MOCK_LOAD_SEED, "),
    ],
)
def test_orders_that_cannot_be_read_are_refused(environ: dict[str, str], complaint: str) -> None:
    """Which variable, and what is wrong with it."""
    with pytest.raises(UsageError) as told:
        Orders.of(environ)
    assert str(told.value).startswith(complaint)


def test_processes_draw_alarms_of_their_own() -> None:
    """No body is told by two of them, and each is due at once."""
    clock = Clock()
    swarms = [Swarm(Orders(_TARGET, mix="cvm/basic-monitoring"), index, clock) for index in range(2)]
    drawn = [due for swarm in swarms for due in (swarm.next() for _ in range(100)) if due]
    assert len({due.body for due in drawn}) == 200
    assert {due.at_s for due in drawn} == {100.0}


def test_a_storm_is_divided(tmp_path: Path) -> None:
    """Each notification is told by one process, all of an alarm's by the same; times count from the first asking."""
    file = tmp_path / "mine.toml"
    file.write_text(_STORM, encoding="utf-8")
    orders = Orders(_TARGET, scenario=str(file), time_scale=0.1, processes=3)
    shares = []
    for index in range(3):
        swarm = Swarm(orders, index, Clock())
        shares.append(list(iter(swarm.next, None)))
    alarms = [{due.alarm for due in share} for share in shares]
    assert all(alarms)
    assert sum(map(len, alarms)) == 20
    assert len({due.session_id for share in shares for due in share}) == 40
    assert all(100.0 <= due.at_s <= 100.0 + 31.1 for share in shares for due in share)


def test_a_notification_is_pushed_as_the_profile_says() -> None:
    """Again after what fails, with its pauses scaled, until it is acked; times are those of the clock."""
    clock = Clock()
    swarm = Swarm(Orders(_TARGET, time_scale=0.5, mix="cvm/basic-monitoring"), clock=clock)
    due = swarm.next()
    assert due is not None
    answers = [Heard(503), Heard(0, ConnectionRefusedError()), Heard(204)]
    sent: list[bytes] = []

    def send(body: bytes) -> Heard:
        sent.append(body)
        clock.now_s += 0.25
        return answers[len(sent) - 1]

    notified = swarm.tell(due, send, clock.sleep)
    assert sent == [due.body] * 3
    assert [one.outcome for one in notified.pushes] == [Outcome.REJECTED, Outcome.REFUSED, Outcome.ACKED]
    assert clock.slept == [0.5, 1.0]
    assert (notified.acked, notified.pushes[0].intended_s, notified.pushes[-1].ended_s) == (True, 100.0, 102.25)


def test_a_notification_is_given_up() -> None:
    """After the profile's attempts; an answer that the profile does not want is none."""
    clock = Clock()
    swarm = Swarm(Orders(_TARGET, profile="2019-ack", mix="cvm/basic-monitoring"), clock=clock)
    due = swarm.next()
    assert due is not None
    notified = swarm.tell(due, lambda _: Heard(200, None, b"ok"), clock.sleep)
    assert [one.outcome for one in notified.pushes] == [Outcome.REJECTED] * swarm.rules.attempts
    assert not notified.acked


@pytest.mark.parametrize(
    "heard, outcome",
    [
        (Heard(200), Outcome.ACKED),
        (Heard(302), Outcome.REDIRECTED),
        (Heard(404), Outcome.REJECTED),
        (Heard(200, spent_s=5.2), Outcome.TIMED_OUT),
        (Heard(0, TimeoutError()), Outcome.TIMED_OUT),
        (Heard(0, socket.gaierror()), Outcome.DNS),
        (Heard(0, ssl.SSLCertVerificationError()), Outcome.TLS),
        (Heard(0, ConnectionResetError()), Outcome.RESET_BEFORE_ANSWER),
        (Heard(0, ValueError()), Outcome.BAD_ANSWER),
        (Heard(0), Outcome.BAD_ANSWER),
    ],
)
def test_what_the_client_tells_is_an_outcome(heard: Heard, outcome: Outcome) -> None:
    """By status, by the kind of error, and by the deadline, which is total."""
    assert Swarm(Orders(_TARGET, mix="cvm/basic-monitoring")).outcome_of(heard) is outcome


def test_headers_are_those_of_the_profile_and_the_target() -> None:
    """BasicAuth where the target has credentials."""
    mix = "cvm/basic-monitoring"
    assert Swarm(Orders(_TARGET, mix=mix)).headers() == {
        "Content-Type": "application/json",
        "Authorization": "Basic dTpzd29yZGZpc2g=",
    }
    assert "Authorization" not in Swarm(Orders(Target.parse("http://h/"), mix=mix)).headers()


def test_weights_are_read() -> None:
    """As --mix takes them."""
    assert weights("cvm/*=3, mysql/*") == (("cvm/*", 3.0), ("mysql/*", 1.0))
    with pytest.raises(UsageError, match=r"TCOP_MOCK_LOAD_MIX 'cvm/\*=x': write GLOB=WEIGHT"):
        weights("cvm/*=x")
