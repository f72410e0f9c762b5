"""``check --run``: the receiver is started, its calls are caught, and nothing is left."""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from typing import TYPE_CHECKING, cast

import pytest

from tcop_mock.cli.check import _without_app
from tcop_mock.cli.effect_options import RunOptions
from tcop_mock.cli.running import app_calls, observed_calls, receiver_to_run, run_flags
from tcop_mock.contract.managed_receiver import ManagedReceiver
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.errors import TargetError, UsageError
from tcop_mock.process.system import processes_with

if TYPE_CHECKING:
    from pathlib import Path

    from commands import CommandResult, RunCommand

    from tcop_mock.process.receiver_process import ReceiverProcess

RECEIVER = '''\
"""A receiver on the standard library that forwards each alarm to a WeCom robot, once."""
import json, os, sys, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
HOST = os.environ.get("ROBOT", "http://qyapi.weixin.qq.com")
BUG, known = os.environ.get("BUG", ""), set()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        alarm = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = "resolved" if str(alarm["alarmStatus"]) == "0" else "firing"
        if alarm["sessionId"] not in known or BUG == "twice":
            text = f"{state}: {alarm['alarmPolicyInfo']['policyId']}"
            message = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
            urllib.request.urlopen(HOST + "/cgi-bin/webhook/send?key=k", message, timeout=3).read()
            print("reported", text, flush=True)
            known.add(alarm["sessionId"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        print("password", self.headers.get("Authorization"), flush=True)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''
FAST = ("--effect-timeout", "1s", "--seed", "7", "--json")


@pytest.fixture
def command(tmp_path: Path) -> str:
    """Give the command of the receiver."""
    (tmp_path / "app.py").write_text(RECEIVER)
    return shlex.join([sys.executable, "-E", "-S", str(tmp_path / "app.py")])


def results(done: CommandResult) -> dict[str, str]:
    """Return the results by code."""
    return {row["code"]: row["result"] for row in done.document["clauses"]}


def test_a_receiver_is_started_and_its_calls_are_effects(tcop: RunCommand, command: str) -> None:
    """A path is enough of a target; afterwards nothing runs."""
    done = tcop("check", "/alarms", "--run", command, "--clauses", "TCM501,TCM522", *FAST)
    assert (done.exit_code, results(done)) == (0, {"TCM501": "pass", "TCM522": "pass"}), done.stderr
    assert done.document["target"].endswith("/alarms")
    assert processes_with("TCOP_MOCK_RUN_ID", "") == []
    assert done.stderr.splitlines()[1:] == []


def test_a_planted_bug_is_blamed_and_seen_again(tcop: RunCommand, command: str) -> None:
    """With the end of the receiver's output, and a command that starts it again."""
    done = tcop("check", "u:hunter2@/x", "--run", f"BUG=twice {command}", "--clauses", "TCM501,TCM522", *FAST)
    assert (done.exit_code, results(done)) == (1, {"TCM501": "fail", "TCM522": "pass"}), done.stderr
    [finding] = done.document["clauses"][0]["findings"]
    assert finding["reproduce"]["cli"].startswith(
        'tcop-mock check "$TCOP_MOCK_TARGET" --clauses TCM501 --profile 2023 --run "$RUN"'
    )
    assert finding["reproduce"]["replay"] is None
    assert "receiver | reported firing: policy-" in done.stderr
    assert "receiver | password Basic ***" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_host_that_is_not_caught_is_named(tcop: RunCommand, command: str) -> None:
    """With the flag that catches it; then it is an effect."""
    run = f"ROBOT=http://alerts.example.com {command}"
    done = tcop("check", "/", "--run", run, "--clauses", "TCM304,TCM501", *FAST)
    line = "calls to alerts.example.com were refused: --catch-host alerts.example.com=json answers"
    assert line in done.stderr
    caught = tcop("check", "/", "--run", run, "--catch-host", "alerts.example.com=json", "--clauses", "TCM501", *FAST)
    assert results(caught) == {"TCM501": "pass"}


def test_a_receiver_that_calls_nobody_is_no_error(tcop: RunCommand, tmp_path: Path) -> None:
    """The clauses about effects are not run, and the reason says how to see what it keeps."""
    code = RECEIVER.replace("urllib.request.urlopen", "str").replace(", timeout=3).read()", ", 'utf-8')")
    (tmp_path / "app.py").write_text(code)
    command = shlex.join([sys.executable, "-E", "-S", str(tmp_path / "app.py")]).replace("str(HOST", "str(b''")
    (tmp_path / "app.py").write_text(code.replace('str(HOST + "/cgi-bin/webhook/send?key=k", message', "str(message"))
    run = ("check", "/", "--run", command)
    done = tcop(*run, "--clauses", "TCM304,TCM501,TCM522", *FAST)
    assert (done.exit_code, results(done)) == (0, {"TCM304": "pass", "TCM501": "not-run", "TCM522": "not-run"})
    reasons = {row["reason"] for row in done.document["clauses"][1:]}
    assert all("it called none; does it keep its alarms itself" in reason for reason in reasons)
    logged = tcop(*run, "--observe-log", "-", "--observe-all", "^reported", "--clauses", "TCM501,TCM522", *FAST)
    assert results(logged) == {"TCM501": "pass", "TCM522": "not-run"}
    alone = tcop(*run, "--no-catch", "--clauses", "TCM304,TCM501", *FAST)
    assert results(alone) == {"TCM304": "pass", "TCM501": "not-run"}


def test_a_restart_is_ours(tcop: RunCommand, command: str) -> None:
    """TCM518 needs no further flag, and finds what only the memory knows."""
    done = tcop("check", "/", "--run", command, "--clauses", "TCM518", *FAST)
    assert results(done) == {"TCM518": "fail"}


def test_a_receiver_that_dies_is_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """With its last words."""
    (tmp_path / "app.py").write_text(
        RECEIVER.replace("        alarm = json", "        print('bye', flush=True); os._exit(9)\n        alarm = json")
    )
    done = tcop("check", "/", "--run", f"{sys.executable} -E -S {tmp_path / 'app.py'}", "--clauses", "TCM304", "--json")
    assert done.exit_code == 3
    assert "the receiver ended with code 9 during the run" in done.stderr
    assert "receiver | bye" in done.stderr


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (("--run", "no-such-program"), 2, "--run: there is no program 'no-such-program' here or on PATH"),
        (("--run", "sh -c 'exit 3'"), 3, "ended with code 3 before it listened at 127.0.0.1:"),
        (("--run", "sleep 60", "--wait", "0.1s"), 3, "does not listen at 127.0.0.1:"),
        (("--run", ""), 2, "--run names no program"),
        (("--run", "x", "--catch-host", "h"), 2, "--catch-host 'h': write HOST=KIND"),
        (("--run", "x", "--model", "m:C"), 2, "--run and --model: a parser is not started; leave one out"),
        (("--run", "x", "https://example.com/"), 2, "--run starts a receiver on this machine, but TARGET is https://"),
        (("--run", "x", "http://example.com/"), 2, "--run starts a receiver on this machine, but TARGET is http://"),
        (("--run", "x", "app:app"), 2, "--run starts a receiver on this machine, but TARGET is app:app"),
        (("--no-catch", "http://localhost/"), 2, "--no-catch is about the calls of a receiver that --run starts"),
        (("--catch-host", "h=json", "http://localhost/"), 2, "--catch-host is about the calls of a receiver"),
        (("--observe-log", "-", "http://localhost/"), 2, "--observe-log - is the output of --run; give --run CMD"),
        (("--observe-log", "f", "--observe-open", "$", "http://h/"), 2, "--observe-open: a log does not show"),
        (("--observe-sql", "x", "http://h/"), 2, "--observe-sql: not a database URL"),
        (("--observe-sql", "sqlite:///x", "--observe-open", "$", "http://h/"), 2, "write TABLE: CONDITION"),
    ],
)
def test_what_cannot_be_run_is_reported(arguments: tuple[str, ...], code: int, message: str, tcop: RunCommand) -> None:
    """In one line, with the code of the documentation."""
    done = tcop("check", *arguments, "--clauses", "TCM304", "--quiet", "--json")
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.error_message


def test_a_port_that_is_taken_is_reported(tcop: RunCommand) -> None:
    """Whoever listens there is not the receiver."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        done = tcop("check", url, "--run", "sleep 60", "--quiet")
    assert done.exit_code == 2
    assert "already; end it, or give a path as TARGET for a free port" in done.error_message


def test_tls_needs_an_extra(tcop: RunCommand, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says so; calls without TLS are caught all the same."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    done = tcop("check", "/", "--run", command, "--clauses", "TCM501", *FAST)
    assert results(done) == {"TCM501": "pass"}
    assert "calls with TLS are not caught: install tcop-mock[run]; calls without TLS are" in done.stderr


def test_settings_start_the_receiver(
    tcop: RunCommand, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another target is given: a URL, a model, a schema."""
    monkeypatch.delenv("TCOP_MOCK_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tcop-mock.toml").write_text(f'target = "/alarms"\n[check]\nrun = {command!r}\n')
    done = tcop("check", "--clauses", "TCM501", *FAST)
    assert done.exit_code == 0, done.stderr
    other = tcop("check", "http://127.0.0.1:1/", "--clauses", "TCM304")
    assert "http://127.0.0.1:1/ cannot be reached" in other.stderr
    assert tcop("check", "--model", "json:dumps", "--clauses", "TCM304", "--json").exit_code == 0


APP = """
import contextlib, json, urllib.request
known = set()

def app(environ, start_response):
    alarm = json.loads(environ["wsgi.input"].read())
    state = "resolved" if str(alarm["alarmStatus"]) == "0" else "firing"
    if alarm["sessionId"] not in known:
        text = f"{state}: {alarm['alarmPolicyInfo']['policyId']}"
        message = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
        with contextlib.suppress(OSError):
            urllib.request.urlopen("SCHEME://HOST/cgi-bin/webhook/send?key=k", message, timeout=3).read()
        known.add(alarm["sessionId"])
    start_response("200 OK", [])
    return [b""]
"""


def write_app(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, scheme: str, host: str) -> None:
    """Write an app that calls a host; each has a name of its own, because a module is imported once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text(APP.replace("SCHEME", scheme).replace("HOST", host))


def test_the_calls_of_an_app_are_effects(tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any flag, also over TLS; the command of a finding has the flags that were given."""
    write_app("app_calls_1", tmp_path, monkeypatch, scheme="https", host="qyapi.weixin.qq.com")
    clauses = ("--clauses", "TCM501,TCM522")
    done = tcop("check", "app_calls_1:app", *clauses, *FAST)
    assert (done.exit_code, results(done)) == (0, {"TCM501": "pass", "TCM522": "pass"}), done.stderr
    write_app("app_calls_2", tmp_path, monkeypatch, scheme="http", host="alerts.example.com")
    flag = ("--catch-host", "alerts.example.com=json")
    broken = tcop("check", "app_calls_2:app", *flag, "--clauses", "TCM518,TCM522,TCM530", *FAST)
    [finding] = broken.document["clauses"][2]["findings"]
    assert "--catch-host alerts.example.com=json" in finding["reproduce"]["cli"]
    assert "--run" not in finding["reproduce"]["cli"]


def test_a_host_that_an_app_calls_is_named(tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the flag that catches it."""
    write_app("app_calls_3", tmp_path, monkeypatch, scheme="https", host="alerts.example.com")
    done = tcop("check", "app_calls_3:app", "--clauses", "TCM304", *FAST)
    assert "were refused: --catch-host alerts.example.com=json answers" in done.stderr


def test_the_calls_of_an_app_can_be_left_alone(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a flag; and where TLS cannot be answered, unless a host is named."""
    write_app("app_calls_4", tmp_path, monkeypatch, scheme="http", host="127.0.0.1:1")
    check = ("check", "app_calls_4:app", "--clauses", "TCM304,TCM501", *FAST)

    def reason(*flags: str) -> str:
        return str(tcop(*check, *flags).document["clauses"][1]["reason"])

    assert reason().startswith("needs a call")
    assert reason("--no-catch").startswith("needs observer")
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert reason().startswith("needs observer")
    named = tcop(*check, "--catch-host", "h=json")
    assert "calls with TLS are not caught: install tcop-mock[run]; calls without TLS are" in named.stderr


def test_what_is_looked_up_is_left_alone() -> None:
    """The URL of the observer may be on another machine."""
    calls = app_calls(RunOptions(), "https://state.example.com/x")
    assert calls is not None
    assert calls._exempt == ["state.example.com"]


@pytest.mark.parametrize("timeout_s, first_s", [(5.0, 0.5), (20.0, None)])
def test_the_first_call_of_an_app_is_waited_for(timeout_s: float, first_s: float | None) -> None:
    """For half a second, or as long as the user wants."""
    calls = app_calls(RunOptions(), None)
    assert calls is not None
    assert observed_calls(calls, ObservationConfig(effect_timeout_s=timeout_s)).first_call_s == first_s


@pytest.mark.parametrize(
    "text, url",
    [
        ("", "http://127.0.0.1:{}/"),
        ("/a?b=c@d", "http://127.0.0.1:{}/a?b=c@d"),
        ("u:p@", "http://***@127.0.0.1:{}/"),
        ("http://u:p@/a", "http://***@127.0.0.1:{}/a"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("localhost:8080", "http://localhost:8080/"),
    ],
)
def test_a_target_may_be_a_path(text: str, url: str) -> None:
    """Or a URL of this machine with a port that the receiver knows itself."""
    receiver = receiver_to_run(RunOptions(run="x"), text, wait_s=0.0)
    assert str(receiver.target) == url.format(receiver.target.port)
    assert receiver.managed.process.ready_s == 30.0


def test_flags_start_it_again() -> None:
    """All that say how it runs."""
    flags = run_flags(RunOptions(run="x", catch=False, catch_hosts=("a=json",)))
    assert flags == [("--run", "x", False), ("--no-catch", "", False), ("--catch-host", "a=json", False)]


def test_an_unsafe_target_is_refused_without_its_password() -> None:
    """It is on another machine."""
    with pytest.raises(UsageError) as problem:
        receiver_to_run(RunOptions(run="x"), "http://u:hunter2@10.0.0.1/", wait_s=0.0)
    assert "hunter2" not in str(problem.value)


class _Process:
    """A receiver that is about to end."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.end = "it ended with code 9"

    def start(self) -> None:
        self.calls.append("start")

    def wait_if_closed(self) -> None:
        self.calls.append("wait")

    def stop(self) -> None:
        self.calls.append("stop")


def test_the_end_of_a_receiver_that_cannot_be_reached_is_waited_for() -> None:
    """It may listen no more, and end a moment later: then its end is the reason."""
    process = _Process()
    managed = ManagedReceiver(cast("ReceiverProcess", process))

    async def run() -> None:
        async with managed.running():
            raise TargetError("refused")

    with pytest.raises(TargetError):
        asyncio.run(run())
    assert (process.calls, managed.end) == (["start", "wait", "stop"], process.end)


def test_settings_may_name_the_url_of_the_receiver() -> None:
    """Only an app is taken out of the target: its receiver has an address of its own."""
    assert [_without_app(text) for text in ("http://127.0.0.1:8080/a", "app:app/a", "/a")] == [
        "http://127.0.0.1:8080/a",
        "/a",
        "/a",
    ]
