"""``tcop_run``: a receiver in a process of its own."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tcop_mock.process.system import processes_with

if TYPE_CHECKING:
    from pytester_runs import RunPytest

APP = """
    import json, os, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    told = set()
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            alarm = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if alarm["sessionId"] not in told:
                told.add(alarm["sessionId"])
                text = str(alarm["alarmStatus"]) + str(alarm["alarmPolicyInfo"]["policyId"])
                message = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
                urllib.request.urlopen("http://qyapi.weixin.qq.com/send?key=k", message).read()
            self.send_response(200 if self.headers["Authorization"] else 401)
            self.end_headers()
        def log_message(self, *_): pass
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
TESTS = """
import pytest

@pytest.fixture(scope="session")
def tcop_target(tcop_run):
    return tcop_run(COMMAND, "u:p@/alarms", wait_s=20)

@pytest.fixture
def tcop_observer(tcop_run):
    return tcop_run.observer

def test_contract(tcop_contract):
    tcop_contract.check(effect_timeout_s=1)

def test_send(tcop_sender, tcop_callback, tcop_run):
    before = len(tcop_run.observer.messages)
    assert tcop_sender.send(tcop_callback).accepted
    assert len(tcop_run.observer.messages) == before + 1
"""


def test_a_receiver_runs_for_the_session(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """Its calls are caught and its effects, and nothing is left."""
    command = shlex.join([sys.executable, "-S", "-E", str(pytester.makepyfile(app=APP))])
    done = inner(TESTS.replace("COMMAND", repr(command)), "--tcop-clauses", "TCM501")
    done.assert_outcomes(passed=2)
    assert processes_with("TCOP_MOCK_RUN_ID", "") == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("'no-such-program'", "tcop-mock: tcop_run: there is no program 'no-such-program' here or on PATH"),
        ("'true'", "tcop-mock: tcop_run: `true` ended with code 0 before it listened at 127.0.0.1:"),
        ("'x', 'http://10.0.0.1/'", "tcop-mock: tcop_run starts a receiver on this machine"),
        ("'x', catch_hosts=['h']", "tcop-mock: catch_hosts 'h': write HOST=KIND"),
        ("''", "tcop-mock: tcop_run names no program"),
    ],
)
def test_what_cannot_be_run_fails_the_set_up(arguments: str, message: str, inner: RunPytest) -> None:
    """In one line."""
    tests = f"import pytest\n@pytest.fixture\ndef tcop_target(tcop_run): return tcop_run({arguments})\n"
    done = inner(f"{tests}def test_it(tcop_sender): pass\n")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{message.replace('[', '[[]')}*"])
