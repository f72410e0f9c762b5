"""``check`` with somebody who sees what a receiver does."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from incident_receiver import IncidentReceiver, wecom_message
from receiver_factories import in_thread, server_factory

from tcop_mock.cli.effect_options import ObserverOptions
from tcop_mock.cli.observation import build_observation, observation_notes, reproduction_flags
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.reproduce import ReproductionContext, check_command
from tcop_mock.contract.sql_observer import SqlObserver
from tcop_mock.domain.target import Target
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

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
    """Who shows only what mentions the object hides neither the other machine nor the rest of a burst."""
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
    """With the limit in the message."""
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
    """In a line, before anything is sent."""
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
    """Without flags there is no observer and no end; a command or a callable needs no paths."""
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
    """With what a finding's command is to hold: a database with a password is read from the environment."""
    log = build_observation(ObserverOptions(log=str(tmp_path / "app.log"), effects_path="^told")).observer
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
