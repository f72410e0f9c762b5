"""``check`` with observers of a receiver's effects."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pytest
from forwarded_messages import wecom_message
from incident_receiver import IncidentReceiver
from receiver_factories import in_thread, server_factory

from tcop_mock.cli.check import _without_app
from tcop_mock.cli.effect_options import ObserverOptions, RunOptions
from tcop_mock.cli.framework_detection import FRAMEWORKS, DetectedApp
from tcop_mock.cli.observation import (
    app_calls,
    build_observation,
    effects_hint,
    observation_notes,
    receiver_to_run,
    reproduction_flags,
    run_flags,
)
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.managed_receiver import ManagedReceiver
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.reproduce import ReproductionContext, check_command
from tcop_mock.contract.sql_observer import SqlObserver
from tcop_mock.domain.contract import MissingPrerequisite, Prerequisite
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus, Verdict
from tcop_mock.errors import ObserverError, TargetError, UsageError
from tcop_mock.process.output import OutputBuffer
from tcop_mock.process.system import processes_with
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory

    from tcop_mock.process.receiver_process import ReceiverProcess

CLAUSES = ("--clauses", "TCM501,TCM505", "--effect-timeout", "1s", "--seed", "7")
PATHS = ("--observe-all", "$.notices[*]", "--observe-open", '$.incidents[?@.status=="open"]')


def results(document: dict[str, object]) -> dict[str, str]:
    """Return the results by code."""
    rows = document["clauses"]
    assert isinstance(rows, list)
    return {row["code"]: row["result"] for row in rows}


def test_a_url_shows_what_a_receiver_does(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A receiver that ignores resolves is reported, with a code of 1."""
    url = opened(server_factory(lambda: IncidentReceiver("ignores-resolves")))
    done = tcop("check", url, "--observe-url", f"{url}/state", *PATHS, *CLAUSES, "--json")
    assert (done.exit_code, results(done.document)) == (1, {"TCM501": "pass", "TCM505": "fail"})
    shown = tcop("check", url, "--observe-url", f"{url}/state", *PATHS, *CLAUSES[:4], "-v")
    assert "it is resolved: 1 open incident in place of 0" in shown.stdout
    assert "answered 200; 1 effect, 1 open" in shown.stdout


def test_what_was_seen_is_seen_again(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """The command that a finding gives looks in the same way, at the same pace, and finds the same."""
    url = opened(server_factory(lambda: IncidentReceiver("ignores-resolves")))
    flags = (
        "--observe-url",
        f"{url}/state",
        *PATHS,
        "--effect-timeout",
        "1s",
        "--pace",
        "600/min",
        "--no-auth-from-url",
    )
    done = tcop("check", url, "--clauses", "TCM505", *flags, "--json")
    [finding] = done.document["clauses"][0]["findings"]
    program, *words = shlex.split(finding["reproduce"]["cli"])
    assert (program, set(flags) - set(words)) == ("tcop-mock", set())
    again = tcop(*words, "--json")
    assert again.exit_code == 1, again.stdout
    assert [one["title"] for one in again.document["clauses"][0]["findings"]] == [finding["title"]]


def test_a_command_shows_what_a_receiver_does(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A command that asks the receiver, with the object in its environment."""
    url = opened(server_factory(IncidentReceiver))
    code = f"import urllib.request as r; print(r.urlopen('{url}/state').read().decode())"
    done = tcop("check", url, "--observe-cmd", f'{sys.executable} -c "{code}"', *PATHS, *CLAUSES, "--json")
    assert (done.exit_code, results(done.document)) == (0, {"TCM501": "pass", "TCM505": "pass"})


def test_a_callable_shows_what_a_receiver_does(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module beside the receiver."""
    url = opened(server_factory(lambda: IncidentReceiver("notifies-twice")))
    lines = ["import json, urllib.request", f"STATE = '{url}/state'", "class State:", "    @staticmethod"]
    lines += ["    def look(token): return json.load(urllib.request.urlopen(STATE))"]
    (tmp_path / "looking.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    done = tcop("check", url, "--observe-call", "looking:State.look", *PATHS, *CLAUSES, "--json")
    assert (done.exit_code, results(done.document)) == (1, {"TCM501": "fail", "TCM505": "pass"})


@pytest.mark.parametrize(
    "mistake, expected",
    [("", {"TCM506": "pass", "TCM516": "pass"}), ("loses-in-a-burst", {"TCM516": "fail"})],
)
def test_an_observer_is_asked_for_each_object(  # noqa: PLR0913, PLR0917 - two cases, and the usual fixtures
    mistake: str,
    expected: dict[str, str],
    tcop: RunCommand,
    opened: Callable[[ReceiverFactory], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An observer of single objects is asked for the other machine and for the whole burst, too."""
    url = opened(server_factory(lambda: IncidentReceiver(mistake)))
    lines = ["import json, urllib.request", "def look(token):"]
    lines += [f"    state = json.load(urllib.request.urlopen('{url}/state'))"]
    lines += ["    return [row for row in state['incidents'] if token in json.dumps(row)]"]
    module = f"choosing_{len(expected)}"  # a module is imported once
    (tmp_path / f"{module}.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    paths = ("--observe-all", "$[*]", "--observe-open", '$[?@.status=="open"]')
    done = tcop(
        "check",
        url,
        "--observe-call",
        f"{module}:look",
        *paths,
        *CLAUSES[2:],
        "--json",
        "--clauses",
        ",".join(expected),
    )
    assert results(done.document) == expected


def test_ends_show_what_a_receiver_forwards(tcop: RunCommand) -> None:
    """The receiver is reported to forward to --downstream, and no more."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    desk = IncidentReceiver("shows-no-state", forward=wecom_message, downstream=f"http://127.0.0.1:{port}")
    with in_thread(server_factory(lambda: desk)) as url:
        done = tcop(
            "check", url, "--downstream", f":{port}", "--clauses", "TCM501,TCM522", "--effect-timeout", "1s", "--json"
        )
    assert (done.exit_code, results(done.document)) == (1, {"TCM501": "pass", "TCM522": "fail"})


def test_a_receiver_is_restarted(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path) -> None:
    """The command is run in a shell while pushes go on; one that fails makes the clause an error."""
    url = opened(server_factory(IncidentReceiver))
    look = ("--observe-url", f"{url}/state", *PATHS, "--clauses", "TCM518", "--effect-timeout", "1s", "--json")
    done = tcop("check", url, *look, "--restart-cmd", f"echo again > {tmp_path / 'restarted'}")
    assert (done.exit_code, results(done.document)) == (3, {"TCM518": "pass"})
    assert (tmp_path / "restarted").exists()
    failed = tcop("check", url, *look, "--restart-cmd", "exit 7")
    assert results(failed.document) == {"TCM518": "error"}
    assert "--restart-cmd 'exit 7' ended with code 7" in json.dumps(failed.document)


def test_a_restart_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart command that hangs is ended; the message has the limit."""
    monkeypatch.setattr("tcop_mock.cli.observation._RESTART_S", 0.1)
    found = build_observation(ObserverOptions(restart_command="sleep 30"))
    assert found.restart is not None

    async def restart() -> None:
        assert found.restart is not None
        await found.restart()

    with pytest.raises(ObserverError, match=r"--restart-cmd 'sleep 30' took more than 0\.1 s"):
        __import__("asyncio").run(restart())


@pytest.mark.parametrize(
    "options, message",
    [
        (ObserverOptions(url="http://h/", command="x"), "--observe-url and --observe-cmd: one observer is enough"),
        (ObserverOptions(command=""), "--observe-cmd is empty: the command of a finding reads it from the environment"),
        (
            ObserverOptions(url="http://h/", effects_path="$", restart_command=""),
            "--restart-cmd is empty: the command of a finding",
        ),
        (ObserverOptions(effects_path="$.x"), "give --observe-url, too"),
        (ObserverOptions(command="x", header="A: b"), "--observe-header is sent to --observe-url; give that, too"),
        (ObserverOptions(url="http://h/", effects_path="$", header=""), "--observe-header is empty: the command of"),
        (
            ObserverOptions(url="http://h/", effects_path="$", header="Bearer hunter2"),
            "--observe-header: write NAME:VALUE in printable ASCII",
        ),
        (
            ObserverOptions(url="http://h/", effects_path="$", header="Host: x"),
            "--observe-header Host: the sender sets",
        ),
        (
            ObserverOptions(url="http://me:hunter2@h/", effects_path="$", header="Authorization: Bearer hunter2"),
            "--observe-header Authorization and credentials in --observe-url: leave one out",
        ),
        (
            ObserverOptions(url="http://h/"),
            "--observe-url needs --observe-all JSONPATH, --observe-open JSONPATH, or both",
        ),
        (ObserverOptions(url="http://h/", effects_path="x"), "--observe-all 'x' is no JSONPath"),
        (ObserverOptions(url="ftp://h/", effects_path="$"), "the scheme must be http or https"),
        (ObserverOptions(command="'"), "--observe-cmd"),
        (ObserverOptions(call="json"), "--observe-call 'json': write MODULE:CALLABLE"),
        (ObserverOptions(call="no_such_module:f"), "--observe-call 'no_such_module:f': No module named"),
        (ObserverOptions(call="json:no_such"), "has no attribute 'no_such'"),
        (ObserverOptions(call="json:__name__"), "is not callable"),
        (ObserverOptions(downstream="9100"), "--downstream '9100': write HOST:PORT, as in 127.0.0.1:9100"),
        (ObserverOptions(downstream="h:x"), "--downstream 'h:x': write HOST:PORT"),
    ],
)
def test_what_does_not_fit_is_reported(options: ObserverOptions, message: str) -> None:
    """Contradictory flags are one line, before anything is sent."""
    with pytest.raises(UsageError) as problem:
        build_observation(options)
    assert message in str(problem.value)
    assert "hunter2" not in str(problem.value)


def test_a_header_is_sent_to_the_url_and_not_shown() -> None:
    """The reproduction command reads it from the environment."""
    seen: list[str] = []

    def answer(received: ReceivedRequest) -> Reply:
        seen.extend(value for name, value in received.headers if name.lower() == "authorization")
        return Reply(200, b"[]")

    with in_thread(server_factory(lambda: answer)) as url:
        options = ObserverOptions(url=url, effects_path="$[*]", header="Authorization: Bearer hunter2")
        observer = build_observation(options).observer
        assert observer is not None
        assert asyncio.run(observer.observe("x")).effects == ()
    assert seen == ["Bearer hunter2"]
    assert "hunter2" not in repr(observer)
    clause = find_clause(load_clauses(), "TCM505")
    flags = tuple(reproduction_flags(options))
    command = check_command(ReproductionContext(clause, Target.parse("http://h/"), 7, "2023", flags=flags))
    assert ' --observe-header "$OBSERVE_HEADER"' in command


def test_nothing_is_seen_where_nobody_asks() -> None:
    """Without flags there is neither observer nor stub; a command or a callable needs no paths."""
    assert build_observation(ObserverOptions()).observer is None
    assert build_observation(ObserverOptions(command="true")).observer is not None
    names = ("true", "show {token}", "sh -c 'show $TCOP_MOCK_TOKEN'")
    assert [
        getattr(build_observation(ObserverOptions(command=name)).observer, "shows_all", None) for name in names
    ] == [
        True,
        False,
        False,
    ]
    assert build_observation(ObserverOptions(call="json:dumps")).observer is not None
    assert build_observation(ObserverOptions(downstream="[::1]:0")).downstream_address == ("::1", 0)


def test_logs_and_databases_are_observers(tmp_path: Path) -> None:
    """Logs and databases are observers; a finding's command reads a URL with a password from the environment."""
    log = build_observation(ObserverOptions(log=str(tmp_path / "app.log"), effects_path="^sent")).observer
    assert getattr(log, "shows_all", False)
    output = OutputBuffer()
    assert build_observation(ObserverOptions(log="-"), output).observer is not None
    database = ObserverOptions(database="sqlite:///app.db", open_path="incidents: status = 1")
    config = build_observation(database)
    assert isinstance(config.observer, SqlObserver)
    assert observation_notes(config) == []
    config.observer.was_detected = True
    assert observation_notes(config) == ["open incidents, as detected: --observe-open 'incidents: status = 1'"]
    quoted = build_observation(ObserverOptions(database="sqlite:///app.db", open_path="incidents: status = 'open'"))
    assert isinstance(quoted.observer, SqlObserver)
    quoted.observer.was_detected = True
    [note] = observation_notes(quoted)
    assert note.endswith("""--observe-open "incidents: status = 'open'\"""")
    for options in (ObserverOptions(log="-"), ObserverOptions(log="f", open_path="$")):
        with pytest.raises(UsageError):
            build_observation(options)
    assert ("--observe-sql", "sqlite:///app.db", True) in reproduction_flags(database)


FASTAPI = "from fastapi import FastAPI\napi = FastAPI()\n"


def verdict_of(*kinds: Prerequisite | None) -> Verdict:
    """Return a verdict with a clause for each precondition that is missing; ``None``: a clause that passed."""
    results = tuple(
        ClauseResult(clause, ClauseStatus.NOT_RUN, missing=MissingPrerequisite(kind))
        if kind
        else ClauseResult(clause, ClauseStatus.PASS)
        for clause, kind in zip(load_clauses(), kinds, strict=False)
    )
    return Verdict("http://h/", "2023", 1, (), results)


def test_the_command_fits_the_receiver_in_the_folder(tmp_path: Path) -> None:
    """The hint has the path of the target and the number of clauses that it enables."""
    verdict = verdict_of(None, Prerequisite.OBSERVER, Prerequisite.DOWNSTREAM, Prerequisite.AUTH)
    assert effects_hint(verdict, "/alarms", tmp_path) == (
        "Next: tcop-mock check /alarms --run CMD  (runs 2 more clauses, about effects)"
    )
    (tmp_path / "service.py").write_text(FASTAPI)
    assert effects_hint(verdict, "/alarms", tmp_path) == (
        "Next: tcop-mock check /alarms --run 'uvicorn service:api --port {port}'  (runs 2 more clauses, about effects)"
    )


def test_there_is_none_where_effects_were_looked_at(tmp_path: Path) -> None:
    """A verdict without a missing observer has no hint about effects."""
    assert effects_hint(verdict_of(None, Prerequisite.AUTH), "/", tmp_path) == ""


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_is_started_in_the_foreground(name: str) -> None:
    """The port is in the command of each framework, or in the variable that it reads."""
    command = DetectedApp(FRAMEWORKS[name], "m:create()").run
    assert "&" not in command
    assert "{port}" in command or name in {"aiohttp", "express", "go", "other"}


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


def results_by_code(done: CommandResult) -> dict[str, str]:
    """Return the results by code."""
    return {row["code"]: row["result"] for row in done.document["clauses"]}


def test_a_receiver_is_started_and_its_calls_are_effects(tcop: RunCommand, command: str) -> None:
    """A path is enough of a target; afterwards nothing runs."""
    done = tcop("check", "/alarms", "--run", command, "--clauses", "TCM501,TCM522", *FAST)
    assert (done.exit_code, results_by_code(done)) == (0, {"TCM501": "pass", "TCM522": "pass"}), done.stderr
    assert done.document["target"].endswith("/alarms")
    assert processes_with("TCOP_MOCK_RUN_ID", "") == []
    assert done.stderr.splitlines()[1:] == []


def test_a_planted_bug_fails_and_is_seen_again(tcop: RunCommand, command: str) -> None:
    """The finding follows the end of the receiver's output, and its command starts the receiver again."""
    done = tcop("check", "u:hunter2@/x", "--run", f"BUG=twice {command}", "--clauses", "TCM501,TCM522", *FAST)
    assert (done.exit_code, results_by_code(done)) == (1, {"TCM501": "fail", "TCM522": "pass"}), done.stderr
    [finding] = done.document["clauses"][0]["findings"]
    assert finding["reproduce"]["cli"].startswith(
        'tcop-mock check "$TCOP_MOCK_TARGET" --clauses TCM501 --profile 2023 --run "$RUN"'
    )
    assert finding["reproduce"]["replay"] is None
    assert "receiver | reported firing: policy-" in done.stderr
    assert "receiver | password Basic ***" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_host_that_is_not_caught_is_named(tcop: RunCommand, command: str) -> None:
    """With the flag that catches it; then it is an effect. Without it a receiver that needs it is not judged."""
    run = f"ROBOT=http://alerts.example.com {command}"
    done = tcop("check", "/", "--run", run, "--clauses", "TCM304,TCM501", *FAST)
    host = r"alerts\.example\.com"
    line = rf"is not answered after a call that failed: \d calls? to {host} w\w+ refused: --catch-host {host}=json an"
    assert re.search(line, done.stderr), done.stderr
    assert (done.exit_code, done.stdout) == (3, "")
    caught = tcop("check", "/", "--run", run, "--catch-host", "alerts.example.com=json", "--clauses", "TCM501", *FAST)
    assert results_by_code(caught) == {"TCM501": "pass"}


def test_a_receiver_that_calls_nobody_is_no_error(tcop: RunCommand, tmp_path: Path) -> None:
    """The clauses about effects are not run, and the reason says how to see what it keeps."""
    code = RECEIVER.replace("urllib.request.urlopen", "str").replace(", timeout=3).read()", ", 'utf-8')")
    (tmp_path / "app.py").write_text(code)
    command = shlex.join([sys.executable, "-E", "-S", str(tmp_path / "app.py")]).replace("str(HOST", "str(b''")
    (tmp_path / "app.py").write_text(code.replace('str(HOST + "/cgi-bin/webhook/send?key=k", message', "str(message"))
    run = ("check", "/", "--run", command)
    done = tcop(*run, "--clauses", "TCM304,TCM501,TCM522", *FAST)
    assert (done.exit_code, results_by_code(done)) == (0, {"TCM304": "pass", "TCM501": "not-run", "TCM522": "not-run"})
    reasons = {row["reason"] for row in done.document["clauses"][1:]}
    assert all("it called none; does it keep its alarms itself" in reason for reason in reasons)
    logged = tcop(*run, "--observe-log", "-", "--observe-all", "^reported", "--clauses", "TCM501,TCM522", *FAST)
    assert results_by_code(logged) == {"TCM501": "pass", "TCM522": "not-run"}
    alone = tcop(*run, "--no-catch", "--clauses", "TCM304,TCM501", *FAST)
    assert results_by_code(alone) == {"TCM304": "pass", "TCM501": "not-run"}


def test_a_restart_is_ours(tcop: RunCommand, command: str) -> None:
    """TCM518 needs no further flag, and finds what only the memory knows."""
    done = tcop("check", "/", "--run", command, "--clauses", "TCM518", *FAST)
    assert results_by_code(done) == {"TCM518": "fail"}


def test_a_receiver_that_dies_is_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """The error has the last lines of the receiver's output."""
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
    """A command that cannot be run is one line with its exit code."""
    done = tcop("check", *arguments, "--clauses", "TCM304", "--quiet", "--json")
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.error_message


def test_a_port_that_is_taken_is_reported(tcop: RunCommand) -> None:
    """The process that listens at that port is not the receiver."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        done = tcop("check", url, "--run", "sleep 60", "--quiet")
    assert done.exit_code == 2
    assert "already; end it, or give a path as TARGET for a free port" in done.error_message


def test_tls_needs_an_extra(tcop: RunCommand, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says so; calls without TLS are caught all the same."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    done = tcop("check", "/", "--run", command, "--clauses", "TCM501", *FAST)
    assert results_by_code(done) == {"TCM501": "pass"}
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
    """Calls of an app are effects without any flag, also over TLS; a finding's command repeats the flags."""
    write_app("app_calls_1", tmp_path, monkeypatch, scheme="https", host="qyapi.weixin.qq.com")
    clauses = ("--clauses", "TCM501,TCM522")
    done = tcop("check", "app_calls_1:app", *clauses, *FAST)
    assert (done.exit_code, results_by_code(done)) == (0, {"TCM501": "pass", "TCM522": "pass"}), done.stderr
    write_app("app_calls_2", tmp_path, monkeypatch, scheme="http", host="alerts.example.com")
    flag = ("--catch-host", "alerts.example.com=json")
    broken = tcop("check", "app_calls_2:app", *flag, "--clauses", "TCM518,TCM522,TCM530", *FAST)
    [finding] = broken.document["clauses"][2]["findings"]
    assert "--catch-host alerts.example.com=json" in finding["reproduce"]["cli"]
    assert "--run" not in finding["reproduce"]["cli"]


def test_a_host_that_an_app_calls_is_named(tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note names the flag that catches the host."""
    write_app("app_calls_3", tmp_path, monkeypatch, scheme="https", host="alerts.example.com")
    done = tcop("check", "app_calls_3:app", "--clauses", "TCM304", *FAST)
    assert "were refused: --catch-host alerts.example.com=json answers" in done.stderr


def test_the_calls_of_an_app_can_be_left_alone(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--no-catch leaves calls alone; so does a missing TLS library, unless a host is given."""
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
    """The wait is half a second, or as long as --effect-timeout."""
    calls = app_calls(RunOptions(), None)
    assert calls is not None
    assert ObservationConfig(effect_timeout_s=timeout_s).with_app_calls(calls).first_call_s == first_s


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
    """A target on another machine is rejected, and its password is hidden."""
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
    """If the receiver ends a moment after it closed its port, its end is the reason."""
    process = _Process()
    managed = ManagedReceiver(cast("ReceiverProcess", process))

    async def run() -> None:
        async with managed.running():
            raise TargetError("refused")

    with pytest.raises(TargetError):
        asyncio.run(run())
    assert (process.calls, managed.end) == (["start", "wait", "stop"], process.end)


def test_settings_may_name_the_url_of_the_receiver() -> None:
    """Only an app is removed from the target; a URL stays."""
    assert [_without_app(text) for text in ("http://127.0.0.1:8080/a", "app:app/a", "/a")] == [
        "http://127.0.0.1:8080/a",
        "/a",
        "/a",
    ]
