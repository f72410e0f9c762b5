"""``tcop_run``: a receiver in a separate process."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from contextlib import ExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import pytest

from tcop_mock.process.system import processes_with
from tcop_mock.testing import run
from tcop_mock.testing.run import ReceiverStarter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytester_runs import RunPytest

APP = """
    import json, os, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    forwarded = set()
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            alarm = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if alarm["sessionId"] not in forwarded:
                forwarded.add(alarm["sessionId"])
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
    clauses = ("--tcop-clauses", "TCM501,TCM703,TCM705")
    done = inner(TESTS.replace("COMMAND", repr(command)), *clauses, "--tcop-report", "json=report.json")
    done.assert_outcomes(passed=2)
    report = json.loads((pytester.path / "report.json").read_text())
    assert [row["result"] for row in report["clauses"]] == ["pass", "pass", "pass"]
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
    """A command that cannot be run fails the set-up in one line."""
    tests = f"import pytest\n@pytest.fixture\ndef tcop_target(tcop_run): return tcop_run({arguments})\n"
    done = inner(f"{tests}def test_it(tcop_sender): pass\n")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{message.replace('[', '[[]')}*"])


@pytest.mark.parametrize(
    "path, url",
    [
        ("/alarms", "http://127.0.0.1:PORT/alarms"),
        ("u:p@/alarms", "http://u:p@127.0.0.1:PORT/alarms"),
        ("http://127.0.0.1:8123/alarms", "http://127.0.0.1:8123/alarms"),
        ("http://u:p@127.0.0.1:8123/alarms", "http://u:p@127.0.0.1:8123/alarms"),
        (" http://u:p%40%2F@localhost:8123", "http://u:p%40%2F@localhost:8123/"),
    ],
)
def test_the_url_has_the_credentials_once(path: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL has the credentials once, for a path and for a whole URL."""
    monkeypatch.setattr(run, "_running", nullcontext)
    monkeypatch.setattr("tcop_mock.contract.managed_receiver.free_port", lambda: 8321)
    with ExitStack() as stack:
        assert ReceiverStarter(stack)("x", path) == url.replace("PORT", "8321")


class Managed:
    """Stands for a receiver; something ends its event loop early or late."""

    def __init__(self, early: BaseException | None = None, late: BaseException | None = None) -> None:
        self.early, self.late, self.stops, self.process = early, late, 0, self

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start."""
        if self.early:
            raise self.early
        yield
        if self.late:
            raise self.late

    def stop(self) -> None:
        """Count."""
        self.stops += 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("problem", [OSError("x"), SystemExit(), asyncio.CancelledError()])
def test_whatever_ends_its_thread_ends_the_receiver(problem: BaseException) -> None:
    """Before it runs the set-up is reported; later pytest warns of it."""
    managed = cast("Any", Managed(early=problem))
    with pytest.raises(type(problem)), run._running(managed):
        pass
    assert managed.stops
    managed = cast("Any", Managed(late=SystemExit()))
    with run._running(managed):
        pass
    assert managed.stops == 1
