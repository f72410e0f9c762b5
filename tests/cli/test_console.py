"""``console``: the command that serves the page."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import webbrowser
from typing import TYPE_CHECKING, Any

import click
import pytest

from tcop_mock.catalog.loader import Catalog
from tcop_mock.cli import console as console_module
from tcop_mock.cli.console import ConsoleCommands
from tcop_mock.cli.listen import Listener, open_listener
from tcop_mock.cli.options import CommonOptions
from tcop_mock.cli.receive_options import ReceiveOptions
from tcop_mock.console.ports import Composition
from tcop_mock.server.faults import FaultPlan
from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand

CVM = "cvm/basic-monitoring"


def _request(url: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, str]:
    host = url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("POST" if body else "GET", path, body, headers)
    response = connection.getresponse()
    result = response.status, response.read().decode(), response.getheader("set-cookie") or ""
    connection.close()
    return result


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Open the page as a browser would, post to the receiving end, and stop the command."""
    seen: list[str] = []

    def visit(opened: str) -> bool:
        seen.append(opened)
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    return seen


def test_the_page_and_the_receiving_end_are_served(
    tcop: RunCommand, visits: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The printed address opens the page; a request to the receiving end is recorded, and shown on the page."""
    answers: dict[str, tuple[int, str, str]] = {}

    def play(document: dict[str, str]) -> None:
        page, receiver = document["page"], document["url"]
        answers["closed"] = _request(page, "/")
        answers["opened"] = _request(page, page[page.index("/?") :])
        cookie = answers["opened"][2].partition(";")[0]
        answers["posted"] = _request(receiver, "/hook", b'{"alarmStatus": "1"}', Authorization="Basic eDp5")
        answers["state"] = _request(page, "/api/state", Cookie=cookie)
        for _ in range(200):  # the time is added right after the response has been sent
            if '"duration": null' in answers["state"][1]:
                answers["state"] = _request(page, "/api/state", Cookie=cookie)

    async def wait(_self: Listener, _max_time_s: float | None = None) -> None:
        await asyncio.to_thread(play, json.loads(printed[-1]))

    printed: list[str] = []
    echo = click.echo

    def print_and_keep(text: str, **options: Any) -> None:
        printed.append(text)
        echo(text, **options)

    monkeypatch.setattr(click, "echo", print_and_keep)
    monkeypatch.setattr(Listener, "wait", wait)
    record = tmp_path / "r.jsonl"
    options = ["--open", "--json", "--record", str(record), "--fault", "status:503", "--auth", "x:y", "--seed", "5"]
    ran = tcop("console", "http://127.0.0.1:9/", *options)
    assert ran.exit_code == 0
    assert visits == [ran.document["page"]]
    assert [answers[name][0] for name in ("closed", "opened", "posted", "state")] == [403, 303, 503, 200]
    state = json.loads(answers["state"][1])
    assert state["target"] == "http://127.0.0.1:9/"
    assert state["seed"] == 5
    [exchange] = state["exchanges"]
    assert (exchange["direction"], exchange["status"], exchange["fault"]) == ("in", 503, "status:503")
    assert exchange["duration"] is not None
    assert json.loads(record.read_text(encoding="utf-8"))["auth"] == "right"
    assert "1 request received" in ran.stderr


def test_addresses_are_printed_for_people(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, visits: list[str]) -> None:
    """Without --json the two addresses are two lines; no target is needed, and no browser opens."""

    async def wait(_self: Listener, _max_time_s: float | None = None) -> None:
        pass

    monkeypatch.setattr(Listener, "wait", wait)
    ran = tcop("console", "--quiet")
    page, receiver = ran.stdout.splitlines()
    assert page.startswith("page      http://127.0.0.1:")
    assert receiver.startswith("receiver  http://127.0.0.1:")
    assert (ran.exit_code, visits, ran.stderr) == (0, [], "")


def test_messages_go_to_the_check_that_runs() -> None:
    """While a check runs it answers the messages to stub services; callbacks, and all else later, are as in listen."""
    replies = [None, _reply(Reply(418))]

    async def play() -> list[int]:
        options = {"service": "webhook", "auth": None, "faults": (), "fault_file": None, "record": None, "fsync": False}
        options |= {"forward": None, "control_token": None}
        common = CommonOptions(quiet=True)
        receiving = ReceiveOptions(**options)  # type: ignore[arg-type]  # each has its type
        with open_listener(receiving, common, reply_to=lambda _: replies.pop()) as listener:
            async with listener.server("127.0.0.1", 0, FaultPlan([], [], 1)) as server:
                return [
                    (await asyncio.to_thread(_request, server.url, path, b"{}"))[0]
                    for path in ("/hook", "/json", "/json")
                ]

    assert asyncio.run(play()) == [200, 418, 200]
    assert replies == []


async def _reply(reply: Reply) -> Reply:
    return reply


def test_a_wrong_observer_is_an_error_at_the_start(tcop: RunCommand) -> None:
    """The options of effects are those of check, and are checked before anything is served."""
    ran = tcop("console", "--observe-all", "$.rows")
    assert ran.exit_code == 2
    assert "give --observe-url, too" in ran.error_message


def test_listen_can_have_a_page(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """``listen --console`` prints what listen prints, its address first, and ends as listen does."""
    reported: list[str] = []
    wait = Listener.wait

    async def post_and_wait(self: Listener, max_time_s: float | None = None) -> None:
        receiver = reported[0].split("\n")[0]
        await asyncio.to_thread(_request, receiver, "/hook", b'{"alarmStatus": "1"}')
        await wait(self, max_time_s)

    echo = click.echo

    def print_and_keep(text: str, **options: Any) -> None:
        reported.append(text)
        echo(text, **options)

    monkeypatch.setattr(click, "echo", print_and_keep)
    monkeypatch.setattr(Listener, "wait", post_and_wait)
    ran = tcop("listen", "--console", "--count", "1", "--max-time", "20s", "--quiet")
    receiver, page, request, *_ = ran.stdout.splitlines()
    assert ran.exit_code == 0
    assert receiver.startswith("http://127.0.0.1:")
    assert "/?key=" in page
    assert request.endswith(" POST /hook 200")
    monkeypatch.setattr(Listener, "wait", wait)
    assert tcop("listen", "--console", "--count", "1", "--max-time", "1ms").exit_code == 1


def test_without_the_extra_one_line_says_what_to_install(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is not a traceback: the message names the extra, and the exit code is 2."""
    monkeypatch.setattr(console_module, "find_spec", lambda name: None if name == "starlette" else object())
    ran = tcop("console")
    assert ran.exit_code == 2
    assert ran.error_message == 'console needs the extra "console": pip install "tcop-mock[console]"'


def test_a_port_in_use_is_an_error(tcop: RunCommand) -> None:
    """The message names the address, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = tcop("console", "--port", str(port))
    assert ran.exit_code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ran.error_message


def test_an_app_is_no_target(tcop: RunCommand) -> None:
    """The page outlives no app of its own process: an app needs a server."""
    ran = tcop("console", "app:app")
    assert ran.exit_code == 2
    assert "start it, and give its URL" in ran.error_message


@pytest.mark.parametrize(
    "composition, command",
    [
        (Composition(CVM, 1), f"tcop-mock emit {CVM} --seed 1 --lang en --form documented --state firing"),
        (Composition(CVM, 1, mutate="recover-time-0-while-resolved"), "--mutate"),
        (Composition("cvm/events", 1, event="ping_unreachable", notify=""), "--event ping_unreachable"),
        (Composition(CVM, 1, metric="cpu_usage", state="repeated", repeats=1), "--metric"),
    ],
)
def test_the_command_of_a_callback_has_its_flags(
    composition: Composition, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of a composed callback has the flags that the page set, and those of the call."""
    commands = ConsoleCommands(CommonOptions(catalog_folders=(str(tmp_path),)))
    monkeypatch.setattr(CommonOptions, "catalog", lambda _self: Catalog.load())
    composed = commands.compose(composition)
    assert command in composed.command
    assert composed.command.endswith(f" --catalog {tmp_path}")
