"""``main``: errors become one line and an exit code."""

from __future__ import annotations

import io
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from tcop_mock.cli.main import main
from tcop_mock.errors import TargetError, TcopMockError, UsageError

if TYPE_CHECKING:
    from commands import RunCommand

ERRORS = [
    (UsageError("this\nis wrong"), 2, "this is wrong"),
    (TargetError("it is not there"), 3, "it is not there"),
    (TcopMockError("we are wrong"), 4, "we are wrong"),
    (
        ZeroDivisionError("by zero"),
        4,
        "internal error, a bug in tcop-mock: ZeroDivisionError('by zero'); --debug prints a traceback",
    ),
    (OSError(24, "Too many open files"), 4, "system error: [Errno 24] Too many open files; --debug prints a traceback"),
    (KeyboardInterrupt(), 130, "interrupted"),
]


@pytest.mark.parametrize("error, code, complaint", ERRORS, ids=[type(error).__name__ for error, *_ in ERRORS])
def test_an_error_is_a_line_and_a_code(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, *, error: BaseException, code: int, complaint: str
) -> None:
    """Each kind of exception ends in one line and its exit code; --debug adds the traceback."""

    def fail() -> None:
        raise error

    monkeypatch.setattr("tcop_mock.cli.clauses.load_clauses", fail)
    plain, debug = tcop("explain", "TCM302"), tcop("explain", "TCM302", "--debug")
    assert (plain.exit_code, plain.stdout, plain.stderr.strip()) == (code, "", f"tcop-mock: {complaint}")
    assert (debug.exit_code, debug.stdout, debug.stderr.splitlines()[-1]) == (code, "", f"tcop-mock: {complaint}")
    assert ("Traceback" in debug.stderr) == isinstance(error, Exception)


def test_main_writes_to_what_stdout_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller in the same process may put any text stream in place of standard output."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["explain", "TCM302"]) == 0
    assert stream.getvalue().startswith("TCM302 recover-time-zero")


def test_main_reads_the_arguments_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed command is ``main``, which takes the arguments of the process."""
    [command] = entry_points(group="console_scripts", name="tcop-mock")
    monkeypatch.setattr(sys, "argv", ["tcop-mock", "list", "cdn/*", "-q"])
    assert command.load()() == 0
    assert capsys.readouterr().out.startswith("cdn/")
