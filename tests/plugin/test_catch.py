"""``tcop_catch``: the calls of the test's own process."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytester_runs import RunPytest

APP = """
import json
import httpx

forwarded = set()

def app(environ, start_response):
    alarm = json.loads(environ["wsgi.input"].read())
    if alarm["sessionId"] not in forwarded:
        forwarded.add(alarm["sessionId"])
        state = "resolved: " if str(alarm["alarmStatus"]) == "0" else "firing: "
        text = state + str(alarm["alarmPolicyInfo"]["policyId"])
        robot = "HOST/cgi-bin/webhook/send?key=k"
        httpx.post(robot, json={"msgtype": "text", "text": {"content": text}})
    start_response("200 OK", [])
    return [b""]
"""
TARGET = """
import pytest
from receiver_of_catch import app

@pytest.fixture
def tcop_target():
    return app
"""
WECOM = "http://qyapi.weixin.qq.com"


def app_for(host: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an app that tells a host."""
    monkeypatch.syspath_prepend(pytester.path)
    pytester.makepyfile(receiver_of_catch=APP.replace("HOST", host))


def test_the_contract_looks_at_what_is_caught(
    inner: RunPytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clauses about effects and about messages run; nothing of the process is changed afterwards."""
    app_for(WECOM, pytester, monkeypatch)
    before = socket.getaddrinfo
    tests = f"{TARGET}\ndef test_it(tcop_contract, tcop_catch):\n    tcop_contract.check(effect_timeout_s=1)\n"
    done = inner(tests, "--tcop-clauses", "TCM501,TCM522", "--tcop-report", "json=report.json")
    done.assert_outcomes(passed=1)
    report = json.loads((pytester.path / "report.json").read_text())
    assert [row["result"] for row in report["clauses"]] == ["pass", "pass"]
    assert socket.getaddrinfo is before


@pytest.mark.parametrize("value", ["tcop_catch", "tcop_catch.observer"])
def test_it_may_be_the_observer(
    value: str, inner: RunPytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then every contract test uses it."""
    app_for(WECOM, pytester, monkeypatch)
    tests = f"""{TARGET}
@pytest.fixture
def tcop_observer(tcop_catch):
    return {value}

def test_it(tcop_contract):
    assert tcop_contract.check(effect_timeout_s=1).results[0].status == "pass"
"""
    inner(tests, "--tcop-clauses", "TCM522").assert_outcomes(passed=1)


def test_a_test_sees_the_messages(inner: RunPytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees caught messages and refused hosts; its failure names the hosts and the option."""
    app_for("http://alerts.example.com", pytester, monkeypatch)
    tests = f"""{TARGET}
def test_it(tcop_sender, tcop_callback, tcop_catch):
    tcop_sender.send(tcop_callback)
    assert (tcop_catch.messages, tcop_catch.refused) == ([], {{"alerts.example.com": 1}})
    assert 0
"""
    done = inner(tests)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*tcop_catch*", "1 call to alerts.example.com was refused: --tcop-catch-host alerts.example.com=json answers"]
    )
    tests = f"""{TARGET}
def test_it(tcop_sender, tcop_callback, tcop_catch):
    tcop_sender.send(tcop_callback)
    assert [message.service for message in tcop_catch.messages] == ["wecom"]
"""
    inner(tests, "--tcop-catch-host", "alerts.example.com=wecom").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--tcop-catch-host", "h"), "tcop-mock: tcop_catch: --tcop-catch-host 'h': write HOST=KIND"),
        (("--tcop-catch-host", "h=slak"), "tcop-mock: tcop_catch: unknown service 'slak' in --tcop-catch-host h"),
    ],
)
def test_a_host_that_cannot_be_caught_fails_the_set_up(
    arguments: tuple[str, ...], message: str, inner: RunPytest
) -> None:
    """An invalid host fails the set-up in one line."""
    done = inner("def test_it(tcop_catch): pass\n", *arguments)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{message}*"])


def test_clauses_about_effects_are_not_run_without_calls(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """The reason is in the words of pytest."""
    arguments = ("--tcop-clauses", "TCM304,TCM501", "--tcop-report", "json=report.json")
    tests = "def test_it(tcop_contract, tcop_catch): tcop_contract.check(effect_timeout_s=0.1)\n"
    inner(tests, *arguments, target="lambda callback: None").assert_outcomes(passed=1)
    report = json.loads((pytester.path / "report.json").read_text())
    reason = report["clauses"][1]["reason"]
    assert "it called none" in reason
    assert reason.endswith("override tcop_observer to show what it keeps")
