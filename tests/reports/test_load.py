"""What is told of a load: lines, a line of progress, a document."""

from __future__ import annotations

import io
import json
import re

import pytest
from jsonschema import Draft202012Validator
from load_samples import SCENARIO_CHANGES, distribution_of, make_plan, make_summary, second_stats

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import Distribution, LoadEvent, LoadFinished, LoadStarted, LoadSummary, SecondElapsed
from tcop_mock.reports.console import PlainLoadConsole, console_for_load
from tcop_mock.reports.json import json_text
from tcop_mock.reports.load_json import load_document
from tcop_mock.reports.load_text import format_duration, progress_line, summary_lines

SCRIPT = make_summary(plan=make_plan(**SCENARIO_CHANGES), alarms=40, notifications=100, duplicates=2, recovery_s=12.5)
CLOSED = make_summary(plan=make_plan(model=LoadModel.CLOSED))
SUMMARIES = {
    "open": make_summary(),
    "closed": CLOSED,
    "script": SCRIPT,
    "one-time": make_summary(acks=distribution_of(0.003)),
    "zero-times": make_summary(acks=distribution_of(0.0, 0.0)),
    "nothing": LoadSummary(
        make_plan(), 0.0, 0, {}, {}, Distribution(), Distribution(), Distribution(), 0, 0, 0, 0, interrupted=True
    ),
    "all-failed": make_summary(outcomes={Outcome.REFUSED: 300}, statuses={}, acks=Distribution(), dropped=7),
    "noted": make_summary(notes=("this machine had nothing left",), excluded=9, replayed=2, dropped=3),
    "long": make_summary(series=tuple(second_stats(at, p99_s=at / 10) for at in range(100))),
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is."""
        return True


def events(summary: LoadSummary) -> list[LoadEvent]:
    """Return a load of 25 s, as it would be told."""
    ticks = [SecondElapsed(second_stats(at), 100 * (at + 1), at) for at in range(25)]
    return [LoadStarted(summary.plan), *ticks, LoadFinished(summary)]


def told(stream: io.StringIO, summary: LoadSummary, **environ: str) -> str:
    """Return what is written of a load."""
    with console_for_load(stream, environ=environ) as report:
        for event in events(summary):
            report(event)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, whatever the suite runs in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_fits_80_columns_of_ascii(name: str) -> None:
    """Piped it has no colour, no character beyond ASCII and no line that wraps; nor a password."""
    written = told(io.StringIO(), SUMMARIES[name])
    assert written.isascii()
    assert "\x1b" not in written
    assert "s3cret" not in written
    assert [line for line in written.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_document_keeps_its_schema(name: str) -> None:
    """Whatever a load came to; and no password is in it."""
    text = json_text(load_document(SUMMARIES[name]))
    errors = Draft202012Validator(read_schema("load-report")).iter_errors(json.loads(text))
    assert [error.message for error in errors] == []
    assert "s3cret" not in text


def test_an_open_load_is_told_whole() -> None:
    """Counts by outcome and status, lateness, percentiles, what was over 5 s, a plot, the course, what is assumed."""
    written = told(io.StringIO(), make_summary())
    for line in (
        "attempts      300 in 3.0 s, 100/s; 4 connections",
        "acked         297 (99.00 %)",
        "rejected      2 (0.67 %)",
        "timed out     1 (0.33 %)",
        "statuses      297 of 200, 2 of 503",
        "late          1 over 10 ms (50.00 %)",
        "began after   p50 100 us, p99 20.0 ms, max 20.0 ms from the intended start",
        "(no coordinated",
        "p50 1.00 ms  p90 10.0 ms  p95 10.0 ms  p99 5.90 s  p99.9 5.90 s  max 5.90 s",
        "over 5 s, or timed out: 8 (2.68 %)",
        "assumed: status 2xx counts as success",
        "297 of 300 attempts acked",
    ):
        assert line in written
    assert "10/3 s  100/s  acked 991  failed 9  p99 9.00 ms  in flight 3" in written


def test_the_plot_counts_every_ack_once() -> None:
    """The rows of the histogram add up to all acks, and the longest bar is the fullest row's."""
    rows = re.findall(
        r"^ *[0-9.]+ (?:us|ms|s) (#*) +(\d+) +[0-9.]+ %$", told(io.StringIO(), make_summary()), re.MULTILINE
    )
    assert sum(int(times) for _, times in rows) == 297
    assert max(rows, key=lambda row: len(row[0]))[1] == "200"


def test_a_scenario_is_told_by_what_became_of_alarms() -> None:
    """Alarms, amplification, lost, duplicates, recovery."""
    written = told(io.StringIO(), SCRIPT)
    for line in (
        "alarms        40, 100 notifications",
        "amplification 3.00 attempts for each notification",
        "lost          3 notifications that nobody acked",
        "duplicates    2 that the receiver may have had twice",
        "recovery      12.5 s from the last that was due to the end",
    ):
        assert line in written
    assert "recovery" not in told(io.StringIO(), make_summary(plan=make_plan(**SCENARIO_CHANGES)))


def test_a_closed_load_says_what_it_hides() -> None:
    """Its times do not count from an intended start, and nothing is late."""
    written = told(io.StringIO(), CLOSED)
    assert "stalls held up what was to come, and hardly show" in written
    assert "late " not in written


def test_what_is_short_of_the_truth_is_told() -> None:
    """Drops, notes, what was left out, what was sent again, an interrupt."""
    written = told(io.StringIO(), SUMMARIES["noted"])
    for line in (
        "dropped       3: due, and never begun",
        "note: this machine had nothing left",
        "warm-up       9 attempts left out of all this",
        "4 connections, 2 sent again on a new one",
        "297 of 300 attempts acked, 3 dropped",
    ):
        assert line in written
    assert told(io.StringIO(), SUMMARIES["nothing"]).splitlines()[-1] == "interrupted: 0 of 0 attempts acked"


def test_a_terminal_has_a_line_of_progress_that_vanishes() -> None:
    """What stays is what a pipe gets but for the lines in between; NO_COLOR takes colours away and nothing else."""
    written = told(Terminal(), make_summary(), TERM="xterm", NO_COLOR="1")
    assert "25/3 s  100/s" in written
    assert "297 of 300 attempts acked" in written
    assert written.rpartition("25/3 s")[2].count("\x1b[2K") == 1
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7]m", written)
    assert re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7]m", told(Terminal(), make_summary(), TERM="xterm"))
    assert "\x1b" not in told(Terminal(), make_summary(), TERM="dumb")


def test_a_pipe_gets_a_line_now_and_then() -> None:
    """Each ten seconds, not each second; without a length where none is planned."""
    written = told(io.StringIO(), CLOSED)
    assert re.findall(r"^(\d+) s  ", written, re.MULTILINE) == ["10", "20"]
    assert progress_line(SecondElapsed(second_stats(0, span_s=0.0), 0, 0), None).startswith("0 s  0/s")


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 us"), (0.000_04, "40 us"), (0.001, "1.00 ms"), (0.0123, "12.3 ms"), (0.9999, "1.00 s"), (75.2, "75.2 s")],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    """In the unit that suits them."""
    assert format_duration(seconds) == text


def test_what_the_stream_cannot_write_does_no_harm() -> None:
    """A title in Chinese on a terminal of Western letters."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    PlainLoadConsole(stream)(LoadStarted(make_plan(title="云")))
    assert rb"\u4e91" in raw.getvalue()
    assert summary_lines(make_summary(), 80)
