"""``check --console`` and ``load --console``: the page of a run."""

from __future__ import annotations

import itertools
import json
import signal
import threading
import time
import urllib.request
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
from receiver_factories import server_factory

from tcop_mock.cli import run_page as run_page_module
from tcop_mock.cli.console import build_app
from tcop_mock.cli.options import CommonOptions
from tcop_mock.cli.run_page import RunPage, interrupt_main_thread
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory

    from tcop_mock.console.app import ConsoleApp

CHECK = ("check", "--clauses", "TCM302", "--seed", "1", "--quiet")
LOAD = ("load", "--mix", "cvm/basic-monitoring", "--seed", "7", "--count", "3", "--rate", "1000")


def _rejects_resolved(request: ReceivedRequest) -> Reply:
    tree = json.loads(request.body)
    return Reply(500 if (tree["alarmStatus"], tree["recoverTime"]) == ("0", "0") else 200)


@pytest.fixture
def broken(opened: Callable[[ReceiverFactory], str]) -> str:
    """Give the URL of a receiver with a bug."""
    return opened(server_factory(lambda: _rejects_resolved))


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Keep the state of each page at the end of its run, and do not wait for a browser."""
    found: list[dict[str, Any]] = []

    def keep(page: RunPage, code: int, _common: CommonOptions) -> None:
        kept: Future[dict[str, Any]] = Future()

        def look() -> None:
            app = page._app
            kept.set_result({**app._state(), "events": [one.name for one in app.conversation._events], "code": code})

        page._loop.call_soon_threadsafe(look)
        found.append(kept.result(10))

    monkeypatch.setattr(RunPage, "wait", keep)
    return found


def _without_page(ran: CommandResult) -> str:
    """Return standard error without the address of the page, which comes first."""
    page, _, rest = ran.stderr.partition("\n")
    assert page.startswith("page http://127.0.0.1:")
    return rest


def test_a_check_is_shown_live(tcop: RunCommand, broken: str, states: list[dict[str, Any]]) -> None:
    """The page has the clauses as they turn, the finding and the report; all that is printed stays as it is."""
    plain = tcop(*CHECK, broken)
    shown = tcop(*CHECK, broken, "--console")
    assert (shown.exit_code, shown.stdout, _without_page(shown)) == (plain.exit_code, plain.stdout, plain.stderr)
    [state] = states
    check = state["check"]
    assert (state["code"], state["target"], state["receiver"]) == (1, f"{broken}/", "")
    assert (check["running"], check["report"], check["counts"]["failed"]) == (False, True, 1)
    assert check["headline"].startswith("Broken: 1 must clause")
    assert check["clauses"][0]["findings"][0]["requests"]
    assert state["events"] == ["check", "clause", "clause", "check"]


def test_a_load_is_shown_live(tcop: RunCommand, broken: str, states: list[dict[str, Any]]) -> None:
    """The page has each second, and at the end the summary that is printed."""
    ran = tcop(*LOAD, broken, "--json", "--console")
    assert (ran.exit_code, _without_page(ran)) == (0, "")
    storm = states[0]["storm"]
    assert (storm["running"], storm["summary"]) == (False, ran.document["summary"])
    assert storm["points"][-1]["total"] == 3
    assert storm["headline"] == ran.document["plan"]["title"]
    assert states[0]["events"][0] == states[0]["events"][-1] == "storm"


def test_a_model_has_a_page_without_a_target(tcop: RunCommand, states: list[dict[str, Any]]) -> None:
    """A parser in this process gets no requests from the page."""
    assert tcop(*CHECK, "--model", "json:dumps", "--console").exit_code == 0
    assert (states[0]["target"], states[0]["check"]["counts"]["passed"]) == ("", 1)


def test_the_page_of_a_target_that_is_down_ends_with_the_command(tcop: RunCommand, closed_url: str) -> None:
    """An error ends the command at once, and is printed as without the page."""
    ran = tcop(*CHECK, closed_url, "--console")
    assert ran.exit_code == 3
    assert _without_page(ran).startswith("tcop-mock: ")


def test_stop_on_the_page_is_ctrl_c(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop ends the run with its partial summary and 130; then the page stays, because somebody looks at it."""
    apps: list[ConsoleApp] = []
    pages: list[RunPage] = []

    def keep_app(*arguments: Any) -> ConsoleApp:
        apps.append(build_app(*arguments))
        return apps[-1]

    def keep_page(page: RunPage, code: int, _common: CommonOptions) -> None:
        assert (code, page._is_stopped) == (130, True)
        pages.append(page)

    requests = itertools.count()

    def stop(_request: ReceivedRequest) -> Reply:
        if next(requests) == 3 and apps[0].storm._interrupt:
            apps[0].storm._interrupt()
        return Reply()

    monkeypatch.setattr(run_page_module, "build_app", keep_app)
    monkeypatch.setattr(RunPage, "wait", keep_page)
    ran = tcop("load", opened(server_factory(lambda: stop)), "--rate", "20/s", "--duration", "30s", "--console")
    assert ran.exit_code == 130
    assert "interrupted" in ran.stdout
    assert pages


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("check", "http://127.0.0.1:9/", "--console", "--watch", "*"), "--watch and --console"),
        (("load", "http://127.0.0.1:9/", "--console", "--engine", "locust"), "built-in engine only"),
    ],
)
def test_what_no_page_shows_is_refused(tcop: RunCommand, arguments: tuple[str, ...], message: str) -> None:
    """A combination that would show nothing is an error in one line."""
    ran = tcop(*arguments)
    assert ran.exit_code == 2
    assert message in ran.error_message


class _Window:
    """A browser that opens the page, reloads it, and leaves."""

    was_opened = False

    def __init__(self, *shown: bool) -> None:
        self._shown = iter(shown)

    @property
    def is_open(self) -> bool:
        """Whether it shows the page now."""
        shown = next(self._shown, False)
        self.was_opened |= shown
        return shown


@pytest.mark.parametrize(
    "shown, waited_s", [((), 30.0), ((False, True, False, True), 3.4), ((False,) * 250 + (True,), 28.1)]
)
def test_the_page_stays_while_a_browser_shows_it(
    monkeypatch: pytest.MonkeyPatch, shown: tuple[bool, ...], waited_s: float
) -> None:
    """The page waits 30 s for a browser, and some seconds for a reload."""
    now_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    page = RunPage(_Window(*shown), None)  # type: ignore[arg-type]  # no loop is needed
    page.wait(0, CommonOptions(quiet=True))
    assert now_s == pytest.approx(waited_s, abs=0.11)


def test_ctrl_c_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the run ends the command with the code of the run, and after Ctrl-C nothing waits."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    page = RunPage(_Window(), None)  # type: ignore[arg-type]  # no loop is needed
    page.wait(1, CommonOptions(quiet=True))
    monkeypatch.setattr(time, "monotonic", None)
    page.wait(130, CommonOptions(quiet=True))


def test_an_interrupt_without_threads_of_posix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without signals to threads, the process gets the interrupt."""
    raised: list[int] = []
    monkeypatch.delattr(signal, "pthread_kill", raising=False)
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    interrupt_main_thread()
    assert raised == [signal.SIGINT]


def test_the_address_opens_the_page(tcop: RunCommand, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address on standard error gets the page of that run, at the view of the run."""
    opened: list[str] = []
    before = set(threading.enumerate())

    def open_it(page: RunPage, _code: int, _common: CommonOptions) -> None:
        request = urllib.request.Request(page._app.session.address)  # noqa: S310 - ours
        request.add_header("Cookie", page._app.session.set_cookie().partition(";")[0])
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as response:
            opened.append(response.read().decode())

    monkeypatch.setattr(RunPage, "wait", open_it)
    ran = tcop(*CHECK, broken, "--console")
    assert ran.stderr.split("\n")[0].endswith("#contract")
    assert "<title>tcop-mock console</title>" in opened[0]
    assert {one.name for one in set(threading.enumerate()) - before} & {"page"} == set()
