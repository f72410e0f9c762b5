"""The command in a process of its own: pipes that close, interrupts, a full disk."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import branch_coverage
import pytest
from mutant_receivers import MUTANTS
from receiver_factories import server_factory

from tcop_mock import __version__
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable

    from receiver_factories import ReceiverFactory

    Start = Callable[..., subprocess.Popen[str]]

CVM = "cvm/basic-monitoring"
FULL = Path("/dev/full")
_UNDER_WAY_S = 30.0
_PROMPT_S = 4.0
"""A second is promised; a machine may be busy, and who waited for an attempt would need its deadline, 5 s."""
_UNMEASURED = {"BRANCH_COVERAGE": ""}
"""A command that is interrupted must end at once: it has no time to write its branch coverage."""


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return code, standard output and standard error of a command that ends by itself."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def interrupted(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
    """Press Ctrl-C, or send another signal, and return code, standard output and standard error."""
    process.send_signal(number)
    pressed_s = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - pressed_s < _PROMPT_S
    return process.returncode, out, err


def test_the_package_is_a_command(start: Start) -> None:
    """``python -m tcop_mock`` is the command, and its code is the process's."""
    assert finished(start("--version")) == (0, f"tcop-mock {__version__}\n", "")
    assert finished(start("list", "nosuch"))[0] == 2


@pytest.mark.proof
@pytest.mark.parametrize(
    "arguments", [["emit", "*", "-n", "2000", "-q"], ["emit", "*", "-n", "200", "--json", "-q"]], ids=["lines", "json"]
)
def test_a_reader_may_leave_early(start: Start, arguments: list[str]) -> None:
    """If the reader closes the pipe (``| head``), the command ends with 0 and no message."""
    process = start(*arguments)
    assert process.stdout is not None
    assert len(process.stdout.read(10)) == 10
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("verb", ["list", "show cvm/events", "explain TCM302", "check --list"])
def test_a_reader_may_have_left_before(start: Start, verb: str) -> None:
    """A command whose output nobody reads from the start ends with 0 and without a word."""
    process = start(*verb.split(), "-q", **branch_coverage.command_environment())
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_verdict_does_not_depend_on_its_reader(
    start: Start, opened: Callable[[ReceiverFactory], str], tmp_path: Path, form: list[str]
) -> None:
    """A check whose reader has left goes on to the end: its code and its reports are as if it had been read."""
    url, report = opened(MUTANTS["TCM401-accepts-malformed-JSON"]), tmp_path / "report.json"
    process = start("check", url, "--clauses", "TCM104,TCM401", "--report", f"json={report}", *form)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert json.loads(report.read_bytes())["summary"]["failed"] == 1


def test_a_delivery_does_not_depend_on_its_reader(start: Start, closed_url: str) -> None:
    """A callback that is not accepted makes 1, also where nobody reads it."""
    for form in ([], ["--json"]):
        process = start("send", CVM, "--to", closed_url, "--time-scale", "0", *form)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 1


@pytest.mark.proof
@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["plain", "debug"])
def test_a_full_disk_is_reported(start: Start, debug: list[str]) -> None:
    """Output that cannot be written is reported in one line, with a traceback only by --debug, and the code is 2."""
    with FULL.open("w") as full:
        code, _, err = finished(start("list", "-q", *debug, stdout=full))
    assert code == 2
    assert err.endswith("tcop-mock: standard output cannot be written: No space left on device\n")
    assert ("Traceback" in err) == bool(debug)
    assert debug or err.count("\n") == 1


@pytest.mark.proof
def test_the_output_is_utf_8_whatever_the_locale(start: Start) -> None:
    """Names in Chinese are written as UTF-8, also where the locale knows Western letters only."""
    code, out, _ = finished(start("show", "cvm/events", "--json", PYTHONIOENCODING="cp1252"))
    assert (code, json.loads(out)["shape"]["title_zh"].isascii()) == (0, False)


def stuck_at_malformed(stuck: threading.Event) -> ReceiverFactory:
    """Return a receiver that keeps the contract until a body is not JSON, which it never answers."""

    async def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        if reply.status == 400:
            stuck.set()
            await asyncio.Event().wait()
        return reply

    return server_factory(lambda: handler)


@pytest.mark.proof
@pytest.mark.parametrize("form", ["text", "json", "quiet"])
def test_an_interrupted_check_reports_what_it_found(
    start: Start, opened: Callable[[ReceiverFactory], str], tmp_path: Path, form: str
) -> None:
    """Ctrl-C at a receiver that is stuck ends a check at once with 130, the results so far, and all reports.

    SIGTERM does the same with 143.
    """
    stuck, report = threading.Event(), tmp_path / "report.json"
    url = opened(stuck_at_malformed(stuck))
    flags = [] if form == "text" else [f"--{form}"]
    process = start("check", url, "--clauses", "TCM104,TCM401", "--report", f"json={report}", *flags, **_UNMEASURED)
    assert stuck.wait(_UNDER_WAY_S)
    number, expected_code = (signal.SIGTERM, 143) if form == "quiet" else (signal.SIGINT, 130)
    code, out, err = interrupted(process, number)
    assert (code, err) == (expected_code, "")
    document = json.loads(report.read_bytes())
    found = {item["code"]: (item["result"], item["reason"]) for item in document["clauses"]}
    assert found == {"TCM104": ("pass", ""), "TCM401": ("error", "interrupted")}
    if form == "json":
        assert json.loads(out) == document
    else:
        assert "2 clauses: 1 passed, 0 failed, 1 inconclusive, 0 not run." in out
        assert out.count("Interrupted: 1 clause inconclusive.") == 1
        assert "ERROR" not in out


def test_a_check_can_be_interrupted_from_the_first_request(start: Start, silent: socket.socket) -> None:
    """Ctrl-C at a receiver that never answers ends a check at once with 130, and every clause was interrupted."""
    process = start("check", f"127.0.0.1:{silent.getsockname()[1]}", "--json", **_UNMEASURED)
    with silent.accept()[0]:
        code, out, _ = interrupted(process)
    assert code == 130
    assert {(item["result"], item["reason"]) for item in json.loads(out)["clauses"]} == {("error", "interrupted")}


@pytest.mark.proof
def test_a_waiting_check_can_be_interrupted(start: Start, opened: Callable[[ReceiverFactory], str]) -> None:
    """Ctrl-C ends a check that waits for a receiver to start."""
    asked = threading.Event()

    def starting(_: ReceivedRequest) -> Reply:
        asked.set()
        return Reply(503)

    process = start("check", opened(server_factory(lambda: starting)), "--wait", "1h", "-q", **_UNMEASURED)
    assert asked.wait(_UNDER_WAY_S)
    assert interrupted(process)[0] == 130


def test_a_delivery_can_be_interrupted(start: Start, silent: socket.socket) -> None:
    """Ctrl-C ends a delivery at once: one line, code 130, and nothing on standard output."""
    process = start("send", CVM, "--to", f"127.0.0.1:{silent.getsockname()[1]}", "-q", **_UNMEASURED)
    with silent.accept()[0]:
        code, out, err = interrupted(process)
    assert (code, out, err.strip()) == (130, "", "tcop-mock: interrupted")


@pytest.mark.parametrize("arguments", ["emit * -n 1000000 -q", "demo"])
def test_the_rest_can_be_interrupted(start: Start, arguments: str) -> None:
    """Ctrl-C ends what writes and what talks to itself, with 130 and one line."""
    process = start(*arguments.split(), **_UNMEASURED)
    assert process.stdout is not None
    assert process.stdout.readline()
    code, _, err = interrupted(process)
    assert (code, err.strip()) == (130, "tcop-mock: interrupted")
