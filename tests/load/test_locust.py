"""Statistics and settings of a Locust process, without Locust."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.locust import HttpResult, LocustSettings, LocustWorker, parse_mix

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
    """Settings survive the environment; the password does not stand in it twice."""
    orders = LocustSettings(_TARGET, 7, "2019-ack", "cvm/*=2", "flapping", 0.5, 3, 2.0, ("/a", "/b"))
    environ = orders.to_environ() | {"TCOP_MOCK_TARGET": "http://u:swordfish@127.0.0.1:8080/hook", "HOME": "/root"}
    assert LocustSettings.from_environ(environ) == orders
    assert "swordfish" not in f"{orders.to_environ()}{orders}"
    assert LocustSettings.from_environ({}, "http://127.0.0.1:9/") == LocustSettings(Target.parse("http://127.0.0.1:9/"))


@pytest.mark.parametrize(
    "environ, complaint",
    [
        ({}, "no target: set TCOP_MOCK_TARGET (it keeps passwords out of Locust's pages), or --host"),
        ({"TCOP_MOCK_TARGET": "h", "TCOP_MOCK_LOAD_SEED": "x"}, "TCOP_MOCK_LOAD_SEED: 'x' is not a number"),
        ({"TCOP_MOCK_TARGET": "h", "TCOP_MOCK_LOAD_SED": "1"}, "TCOP_MOCK_LOAD_SED: there is TCOP_MOCK_LOAD_SEED, "),
    ],
)
def test_orders_that_cannot_be_read_are_refused(environ: dict[str, str], complaint: str) -> None:
    """Which variable, and what is wrong with it."""
    with pytest.raises(UsageError) as raised:
        LocustSettings.from_environ(environ)
    assert str(raised.value).startswith(complaint)


def test_processes_draw_alarms_of_their_own() -> None:
    """No body is reported by two of them, and each is due at once."""
    clock = Clock()
    swarms = [LocustWorker(LocustSettings(_TARGET, mix="cvm/basic-monitoring"), index, clock) for index in range(2)]
    drawn = [due for swarm in swarms for due in (swarm.next_callback() for _ in range(100)) if due]
    assert len({due.body for due in drawn}) == 200
    assert {due.at_s for due in drawn} == {100.0}


def test_a_storm_is_divided(tmp_path: Path) -> None:
    """Each notification is shown by one process, all of an alarm's by the same; times count from the first asking."""
    file = tmp_path / "mine.toml"
    file.write_text(_STORM, encoding="utf-8")
    orders = LocustSettings(_TARGET, scenario=str(file), time_scale=0.1, processes=3)
    shares = []
    for index in range(3):
        swarm = LocustWorker(orders, index, Clock())
        shares.append(list(iter(swarm.next_callback, None)))
    alarms = [{due.alarm_key for due in share} for share in shares]
    assert all(alarms)
    assert sum(map(len, alarms)) == 20
    assert len({due.session_id for share in shares for due in share}) == 40
    assert all(100.0 <= due.at_s <= 100.0 + 31.1 for share in shares for due in share)


def test_a_notification_is_pushed_as_the_profile_says() -> None:
    """Again after what fails, with its pauses scaled, until it is acked; times are those of the clock."""
    clock = Clock()
    swarm = LocustWorker(LocustSettings(_TARGET, time_scale=0.5, mix="cvm/basic-monitoring"), clock=clock)
    due = swarm.next_callback()
    assert due is not None
    answers = [HttpResult(503), HttpResult(0, ConnectionRefusedError()), HttpResult(204)]
    sent: list[bytes] = []

    def send(body: bytes) -> HttpResult:
        sent.append(body)
        clock.now_s += 0.25
        return answers[len(sent) - 1]

    notified = swarm.deliver(due, send, clock.sleep)
    assert sent == [due.body] * 3
    assert [one.outcome for one in notified.attempts] == [Outcome.REJECTED, Outcome.REFUSED, Outcome.ACKED]
    assert clock.slept == [0.5, 1.0]
    assert (notified.is_acked, notified.attempts[0].intended_s, notified.attempts[-1].ended_s) == (True, 100.0, 102.25)


def test_a_notification_is_given_up() -> None:
    """After the profile's attempts; an answer that the profile does not want is none."""
    clock = Clock()
    swarm = LocustWorker(LocustSettings(_TARGET, profile="2019-ack", mix="cvm/basic-monitoring"), clock=clock)
    due = swarm.next_callback()
    assert due is not None
    notified = swarm.deliver(due, lambda _: HttpResult(200, None, b"ok"), clock.sleep)
    assert [one.outcome for one in notified.attempts] == [Outcome.REJECTED] * swarm.rules.attempts
    assert not notified.is_acked


@pytest.mark.parametrize(
    "heard, outcome",
    [
        (HttpResult(200), Outcome.ACKED),
        (HttpResult(302), Outcome.REDIRECTED),
        (HttpResult(404), Outcome.REJECTED),
        (HttpResult(200, elapsed_s=5.2), Outcome.TIMED_OUT),
        (HttpResult(0, TimeoutError()), Outcome.TIMED_OUT),
        (HttpResult(0, socket.gaierror()), Outcome.DNS),
        (HttpResult(0, ssl.SSLCertVerificationError()), Outcome.TLS),
        (HttpResult(0, ConnectionResetError()), Outcome.RESET_BEFORE_ANSWER),
        (HttpResult(0, ValueError()), Outcome.BAD_ANSWER),
        (HttpResult(0), Outcome.BAD_ANSWER),
    ],
)
def test_what_the_client_reports_is_an_outcome(heard: HttpResult, outcome: Outcome) -> None:
    """The status, the kind of error and the total deadline decide the outcome."""
    assert LocustWorker(LocustSettings(_TARGET, mix="cvm/basic-monitoring")).outcome_of(heard) is outcome


def test_headers_are_those_of_the_profile_and_the_target() -> None:
    """BasicAuth where the target has credentials."""
    mix = "cvm/basic-monitoring"
    assert LocustWorker(LocustSettings(_TARGET, mix=mix)).headers() == {
        "Content-Type": "application/json",
        "Authorization": "Basic dTpzd29yZGZpc2g=",
    }
    assert "Authorization" not in LocustWorker(LocustSettings(Target.parse("http://h/"), mix=mix)).headers()


def test_weights_are_read() -> None:
    """Weights are read in the format of --mix."""
    assert parse_mix("cvm/*=3, mysql/*") == (("cvm/*", 3.0), ("mysql/*", 1.0))
    with pytest.raises(UsageError, match=r"TCOP_MOCK_LOAD_MIX 'cvm/\*=x': write GLOB=WEIGHT"):
        parse_mix("cvm/*=x")
