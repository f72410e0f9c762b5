"""The report of a run on a terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest
from verdict_samples import ERROR, FAILED, PASSED, SHOULD, SKIPPED, make_verdict, run_events

from tcop_mock.domain.contract import Level
from tcop_mock.reports.console import EventListener, LiveConsole, PlainConsole, console_for_run
from tcop_mock.reports.text import progress_line

_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?[34][0-7](?:;[0-9;]*)?m")
_PIECES = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])|(\n)|([^\x1b\n\r]+)")
_ERASE_LINE, _UP = "\x1b[2K", "\x1b[1A"
_SHOW_CURSOR = "\x1b[?25h"
_ALL = make_verdict(*SKIPPED, PASSED, FAILED, SHOULD, ERROR)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is."""
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns with colours, whatever the suite runs in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def told(stream: io.StringIO, **environ: str) -> str:
    """Return what is written of a run with every kind of result."""
    with console_for_run(stream, fail_on=Level.MUST, environ=environ) as report:
        for event in run_events(_ALL):
            report(event)
    return stream.getvalue()


def left_on_screen(written: str) -> str:
    """Return what a terminal of endless width shows in the end; it knows the controls of a line of progress."""
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


def test_the_words_are_those_of_the_plain_report() -> None:
    """What stays on the screen is, colours aside, the plain report; the progress has vanished."""
    plain = io.StringIO()
    report = PlainConsole(plain)
    for event in run_events(_ALL):
        report(event)
    assert left_on_screen(told(Terminal(), TERM="xterm")) == plain.getvalue()


def test_the_progress_is_told() -> None:
    """While clauses run, a line says how many are done and which has been running longest; the cursor comes back."""
    written = told(Terminal(), TERM="xterm")
    assert "2/6 clauses, running: TCM101 accepts-catalogue and 3 more" in written
    assert "5/6 clauses, running: TCM515 burst-acks" in written
    assert written.endswith(_SHOW_CURSOR) or _SHOW_CURSOR in written.rpartition("5/6")[2]


def test_no_color_is_respected() -> None:
    """NO_COLOR takes the colours away and nothing else; set and empty it does nothing."""
    coloured, plain = told(Terminal(), TERM="xterm", NO_COLOR=""), told(Terminal(), TERM="xterm", NO_COLOR="1")
    assert _COLOUR.search(coloured)
    assert not _COLOUR.search(plain)
    assert left_on_screen(plain) == left_on_screen(coloured)


@pytest.mark.parametrize("stream, term", [(io.StringIO, "xterm"), (Terminal, "dumb"), (Terminal, "")])
def test_elsewhere_the_plain_report_is_told(stream: type[io.StringIO], term: str) -> None:
    """A pipe and a dumb terminal get plain lines without any control sequence."""
    written = told(stream(), TERM=term)
    assert "\x1b" not in written
    assert "FAIL  TCM302 recover-time-zero [must]\n" in written


def _break_off(report: EventListener) -> None:
    for event in list(run_events(_ALL))[:5]:
        report(event)
    raise KeyboardInterrupt


def test_an_interrupted_run_gives_the_terminal_back() -> None:
    """When the block is left by an exception, the progress is erased and the cursor shown."""
    stream = Terminal()
    with (
        pytest.raises(KeyboardInterrupt),
        console_for_run(stream, fail_on=Level.MUST, environ={"TERM": "xterm"}) as report,
    ):
        _break_off(report)
    assert stream.getvalue().rpartition("clauses, running")[2].count(_ERASE_LINE) == 1
    assert _SHOW_CURSOR in stream.getvalue()


def test_a_narrow_terminal_gets_narrow_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress never takes more than the terminal's one line: a second one could not be erased."""
    monkeypatch.setenv("COLUMNS", "30")
    written = told(Terminal(), TERM="xterm")
    shown = re.findall(r"\d/6 clauses[^\x1b\r\n]*", written)
    assert "2/6 clauses, running: TCM101 …" in shown
    assert max(map(len, shown)) == 30
    assert written.count(_UP) == 1  # at the end, onto the line of progress itself


def test_a_terminal_that_lacks_a_character_does_no_harm() -> None:
    """Where the terminal's encoding cannot write Chinese, its code points are written instead."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    report = LiveConsole(stream)
    for event in run_events(_ALL):
        report(event)
    stream.flush()
    assert rb"\u7cfb\u7edf" in raw.getvalue()


def test_nobody_pays_for_rich_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a pipe the module that loads rich is not imported."""
    monkeypatch.delitem(sys.modules, "tcop_mock.reports.console", raising=False)
    told(io.StringIO(), TERM="xterm")
    assert "tcop_mock.reports.console" not in sys.modules


def test_progress_without_a_running_clause() -> None:
    """Between two stages only the numbers are told."""
    assert progress_line(2, 6, []) == "2/6 clauses"
