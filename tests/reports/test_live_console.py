"""Live console of a check."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from verdict_samples import ERROR, FAILED, PASSED, SHOULD, SKIPPED, make_verdict, run_events

from tcop_mock.reports.console import EventListener, PlainConsole, console_for
from tcop_mock.reports.console_formatters import ConsoleFormatter
from tcop_mock.reports.live_console import LiveConsole
from tcop_mock.reports.text import progress_line

_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?[34][0-7](?:;[0-9;]*)?m")
_PIECES = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])|(\n)|([^\x1b\n\r]+)")
_ERASE_LINE, _UP = "\x1b[2K", "\x1b[1A"
_SHOW_CURSOR = "\x1b[?25h"
_ALL = make_verdict(*SKIPPED, PASSED, FAILED, SHOULD, ERROR)


class Terminal(io.StringIO):
    """Stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a terminal of 80 columns with colours, whatever the suite runs in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def rendered(stream: io.StringIO, **environ: str) -> str:
    """Return the output for a run with all kinds of results."""
    with console_for(stream, ConsoleFormatter(), environ) as report:
        for event in run_events(_ALL):
            report(event)
    return stream.getvalue()


def final_screen(written: str) -> str:
    """Return the final screen of a terminal of unlimited width that knows the controls of the progress line."""
    rows, row = [""], 0
    for control, end, text in _PIECES.findall(written):
        if control == _ERASE_LINE:
            rows[row] = ""
        elif control == _UP:
            row -= 1
        elif end:
            row += 1
            rows += [""] * (row == len(rows))
        rows[row] += text
    return "\n".join(rows)


def test_the_final_screen_is_the_plain_report() -> None:
    """Apart from colours, the final screen is the plain report; the progress line is erased."""
    plain = io.StringIO()
    report = PlainConsole(plain, ConsoleFormatter())
    for event in run_events(_ALL):
        report(event)
    assert final_screen(rendered(Terminal(), TERM="xterm")) == plain.getvalue()


def test_the_progress_line_shows_running_clauses() -> None:
    """The progress line counts the clauses that are run, and shows the longest; at the end the cursor is shown."""
    written = rendered(Terminal(), TERM="xterm")
    assert "0/4 clauses, running: TCM101 accepts-catalogue and 3 more" in written
    assert "3/4 clauses, running: TCM515 burst-acks" in written
    assert written.endswith(_SHOW_CURSOR) or _SHOW_CURSOR in written.rpartition("3/4")[2]


def test_no_color_is_respected() -> None:
    """NO_COLOR removes only the colours; an empty value has no effect."""
    coloured, plain = rendered(Terminal(), TERM="xterm", NO_COLOR=""), rendered(Terminal(), TERM="xterm", NO_COLOR="1")
    assert _COLOUR.search(coloured)
    assert not _COLOUR.search(plain)
    assert final_screen(plain) == final_screen(coloured)


@pytest.mark.parametrize("stream, term", [(io.StringIO, "xterm"), (Terminal, "dumb"), (Terminal, "")])
def test_other_streams_get_the_plain_report(stream: type[io.StringIO], term: str) -> None:
    """A pipe and a dumb terminal get plain lines without control sequences."""
    written = rendered(stream(), TERM=term)
    assert "\x1b" not in written
    assert "FAIL  TCM302 recover-time-zero [must]\n" in written


def _interrupt(report: EventListener) -> None:
    for event in list(run_events(_ALL))[:5]:
        report(event)
    raise KeyboardInterrupt


def test_an_interrupt_restores_the_terminal() -> None:
    """After an exception the progress line is erased and the cursor is shown."""
    stream = Terminal()
    with (
        pytest.raises(KeyboardInterrupt),
        console_for(stream, ConsoleFormatter(), {"TERM": "xterm"}) as report,
    ):
        _interrupt(report)
    assert stream.getvalue().rpartition("clauses, running")[2].count(_ERASE_LINE) == 1
    assert _SHOW_CURSOR in stream.getvalue()


def test_a_narrow_terminal_gets_narrow_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress fits into one line of the terminal: a second one could not be erased."""
    monkeypatch.setenv("COLUMNS", "30")
    written = rendered(Terminal(), TERM="xterm")
    shown = re.findall(r"\d/4 clauses[^\x1b\r\n]*", written)
    assert "0/4 clauses, running: TCM101 …" in shown
    assert max(map(len, shown)) == 30
    assert written.count(_UP) == 1  # at the end, onto the line of progress itself


def test_characters_that_the_terminal_lacks_are_escaped() -> None:
    """If the encoding of the terminal lacks Chinese, its code points are written."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    report = LiveConsole(stream, ConsoleFormatter())
    for event in run_events(_ALL):
        report(event)
    stream.flush()
    assert rb"\u7cfb\u7edf" in raw.getvalue()


def test_a_pipe_never_imports_rich() -> None:
    """A check and a load on a pipe, and the import of every other report module, leave rich out."""
    script = """
import io, pkgutil, sys
import tcop_mock.reports
from tcop_mock.reports.console import console_for
from tcop_mock.reports.console_formatters import ConsoleFormatter, LoadConsoleFormatter
for formatter in (ConsoleFormatter(), LoadConsoleFormatter()):
    with console_for(io.StringIO(), formatter, {"TERM": "xterm"}):
        pass
for module in pkgutil.iter_modules(tcop_mock.reports.__path__, "tcop_mock.reports."):
    if module.name != "tcop_mock.reports.live_console":
        __import__(module.name)
print([name for name in sys.modules if name.partition(".")[0] == "rich"])
"""
    ran = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_progress_without_a_running_clause() -> None:
    """Without a running clause the progress line has only the counts."""
    assert progress_line(2, 6, []) == "2/6 clauses"
