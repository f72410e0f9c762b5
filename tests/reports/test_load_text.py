"""Console and document of a load."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from load_samples import SCENARIO_CHANGES, distribution_of, make_plan, make_summary, second_stats
from scenario_samples import load_result

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import Distribution, LoadEvent, LoadFinished, LoadStarted, LoadSummary, SecondElapsed
from tcop_mock.reports.console import PlainConsole, console_for
from tcop_mock.reports.console_formatters import LoadConsoleFormatter
from tcop_mock.reports.json import json_text
from tcop_mock.reports.load_json import load_document
from tcop_mock.reports.load_text import format_duration, progress_line, summary_lines

SCRIPT = make_summary(plan=make_plan(**SCENARIO_CHANGES), alarms=40, notifications=100, duplicates=2, recovery_s=12.5)
CLOSED = make_summary(plan=make_plan(model=LoadModel.CLOSED))
SUMMARIES = {
    "open": make_summary(),
    "closed": CLOSED,
    "script": SCRIPT,
    "one-time": make_summary(ack_times=distribution_of(0.003)),
    "zero-times": make_summary(ack_times=distribution_of(0.0, 0.0)),
    "nothing": LoadSummary(
        make_plan(), 0.0, 0, {}, {}, Distribution(), Distribution(), Distribution(), 0, 0, 0, 0, interrupted=True
    ),
    "all-failed": make_summary(outcomes={Outcome.REFUSED: 300}, statuses={}, ack_times=Distribution(), dropped=7),
    "noted": make_summary(notes=("this machine had nothing left",), warm_up_attempts=9, replayed=2, dropped=3),
    "long": make_summary(series=tuple(second_stats(at, p99_s=at / 10) for at in range(100))),
}


class Terminal(io.StringIO):
    """Stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def events(summary: LoadSummary) -> list[LoadEvent]:
    """Return the events of a load of 25 s."""
    ticks = [SecondElapsed(second_stats(at), 100 * (at + 1), at) for at in range(25)]
    return [LoadStarted(summary.plan), *ticks, LoadFinished(summary)]


class DumbTerminal(io.StringIO):
    """A terminal that cannot move its cursor."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_a_pipe_gets_whole_sentences() -> None:
    """A search by line finds the seed, whatever the target is called."""
    first_line = rendered(io.StringIO(), SUMMARIES["long"]).splitlines()[0]
    assert first_line.startswith("tcop-mock ")
    assert ", seed " in first_line


def rendered(stream: io.StringIO, summary: LoadSummary, **environ: str) -> str:
    """Return the output for a load."""
    with console_for(stream, LoadConsoleFormatter(), environ) as report:
        for event in events(summary):
            report(event)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a terminal of 80 columns, whatever the suite runs in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_fits_80_columns_of_ascii(name: str) -> None:
    """On a terminal without control codes it has only ASCII, no line over 80 columns, and no password."""
    written = rendered(DumbTerminal(), SUMMARIES[name], TERM="dumb")
    assert written.isascii()
    assert "\x1b" not in written
    assert "s3cret" not in written
    assert [line for line in written.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_document_is_valid(name: str) -> None:
    """The document is valid for every kind of summary, and has no password."""
    text = json_text(load_document(load_result(SUMMARIES[name])))
    errors = Draft202012Validator(read_schema("load-report")).iter_errors(json.loads(text))
    assert [error.message for error in errors] == []
    assert "s3cret" not in text


def test_the_report_of_an_open_load() -> None:
    """The report has counts by outcome and status, start delays, percentiles, a plot, a timeline and assumptions."""
    written = rendered(io.StringIO(), make_summary())
    for line in (
        "attempts      300 in 3.0 s, 100/s; 4 connections",
        "acked         297 (99.00 %)",
        "rejected      2 (0.67 %)",
        "timed out     1 (0.33 %)",
        "statuses      297 of 200, 2 of 503",
        "late          1 over 10 ms (50.00 %)",
        "start delay   p50 100 us, p99 20.0 ms, max 20.0 ms after the intended start",
        "(no coordinated",
        "p50 1.00 ms  p90 10.0 ms  p95 10.0 ms  p99 5.90 s  p99.9 5.90 s  max 5.90 s",
        "over 5 s, or timed out: 8 (2.68 %)",
        "assumed: status 2xx counts as success",
        "297 of 300 attempts acked",
    ):
        assert line in written
    assert "10/3 s  100/s  acked 991  failed 9  p99 9.00 ms  in flight 3" in written


def test_the_plot_counts_every_ack_once() -> None:
    """The rows of the histogram add up to all acks, and the largest row has the longest bar."""
    rows = re.findall(
        r"^ *[0-9.]+ (?:us|ms|s) (#*) +(\d+) +[0-9.]+ %$", rendered(io.StringIO(), make_summary()), re.MULTILINE
    )
    assert sum(int(times) for _, times in rows) == 297
    assert max(rows, key=lambda row: len(row[0]))[1] == "200"


def test_the_report_of_a_scenario() -> None:
    """The report of a scenario has alarms, amplification, lost notifications, duplicates and recovery."""
    written = rendered(io.StringIO(), SCRIPT)
    for line in (
        "alarms        40, 100 notifications",
        "amplification 3.00 attempts for each notification",
        "lost          3 notifications without an ack",
        "duplicates    2 that the receiver may have received twice",
        "recovery      12.5 s from the last due notification to the end",
    ):
        assert line in written
    assert "recovery" not in rendered(io.StringIO(), make_summary(plan=make_plan(**SCENARIO_CHANGES)))


def test_the_report_of_a_closed_load() -> None:
    """The heading of a closed load warns about stalls; the report has no start delays."""
    written = rendered(io.StringIO(), CLOSED)
    assert "a stall delays the next callbacks" in written
    assert "late " not in written


def test_limits_of_the_measurement_are_reported() -> None:
    """The report has dropped callbacks, notes, the warm-up, resent requests and an interrupt."""
    written = rendered(io.StringIO(), SUMMARIES["noted"])
    for line in (
        "dropped       3: due, but never sent",
        "note: this machine had nothing left",
        "warm-up       9 attempts excluded from these figures",
        "4 connections, 2 resent on a new one",
        "297 of 300 attempts acked, 3 dropped",
    ):
        assert line in written
    assert rendered(io.StringIO(), SUMMARIES["nothing"]).splitlines()[-1] == "interrupted: 0 of 0 attempts acked"


def test_a_terminal_has_a_progress_line() -> None:
    """The progress line is erased at the end; NO_COLOR removes only the colours; a dumb terminal gets plain lines."""
    written = rendered(Terminal(), make_summary(), TERM="xterm", NO_COLOR="1")
    assert "25/3 s  100/s" in written
    assert "297 of 300 attempts acked" in written
    assert written.rpartition("25/3 s")[2].count("\x1b[2K") == 1
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7]m", written)
    assert re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7]m", rendered(Terminal(), make_summary(), TERM="xterm"))
    assert "\x1b" not in rendered(Terminal(), make_summary(), TERM="dumb")


def test_a_pipe_gets_a_line_every_ten_seconds() -> None:
    """A pipe gets a progress line every ten seconds, without a total if no duration is planned."""
    written = rendered(io.StringIO(), CLOSED)
    assert re.findall(r"^(\d+) s  ", written, re.MULTILINE) == ["10", "20"]
    assert progress_line(SecondElapsed(second_stats(0, span_s=0.0), 0, 0), None).startswith("0 s  0/s")


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 us"), (0.000_04, "40 us"), (0.001, "1.00 ms"), (0.0123, "12.3 ms"), (0.9999, "1.00 s"), (75.2, "75.2 s")],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    """Durations have up to three digits, in us, ms or s."""
    assert format_duration(seconds) == text


def test_characters_that_the_stream_lacks_are_escaped() -> None:
    """A Chinese title is escaped if the encoding of the stream lacks it."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    PlainConsole(stream, LoadConsoleFormatter())(LoadStarted(make_plan(title="云")))
    assert rb"\u4e91" in raw.getvalue()
    assert summary_lines(make_summary(), 80)


def test_nobody_acked_is_no_time() -> None:
    """Without an ack there is no percentile: a dash, not 0 us. A note comes before all figures."""
    quiet = tuple(replace(point, acked=0, p99_s=0.0) for point in make_summary().series)
    summary = make_summary(series=quiet, ack_times=Distribution(), lateness=Distribution(), notes=("held back",))
    written = rendered(io.StringIO(), summary)
    assert "0 us" not in written
    assert "p50 -, p99 -, max - after the intended start" in written
    assert written.index("note: held back") < written.index("attempts")
    event = SecondElapsed(quiet[0], 10, 10)
    assert "p99 -  in flight" in progress_line(event, None)
