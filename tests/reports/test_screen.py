"""One screen of a check: what the console prints without ``-v``."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from verdict_samples import (
    CLI,
    ERROR,
    EXCHANGE,
    FAILED,
    FINDING,
    KNOWN,
    PASSED,
    SHOULD,
    SKIPPED,
    make_clause,
    make_verdict,
    run_events,
)

from tcop_mock import __version__
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import Level, MissingPrerequisite, Prerequisite
from tcop_mock.domain.verdict import (
    INTERRUPTED,
    BaselineSummary,
    ClauseResult,
    ClauseStatus,
    Reproduction,
    RunFinished,
)
from tcop_mock.reports.console import UNWRAPPED, PlainConsole, console_for
from tcop_mock.reports.console_formatters import ScreenFormatter
from tcop_mock.reports.text import UNSAFE_CHARACTERS, display_width

if TYPE_CHECKING:
    from tcop_mock.domain.verdict import Verdict

LONG = replace(FINDING, extent="4 of 6 cases. All 4 firing failed, no resolved (2 passed).")
SCREEN = f"""\
tcop-mock {__version__} checks http://***@127.0.0.1:8080/alarm (profile 2023, seed 42)
  TCM1    requests and answers  1 passed, 1 failed
  TCM2    credentials           2 not run
  TCM3    forms of callbacks    1 failed
  TCM5-6  effects and messages  1 inconclusive
Not run: needs auth: put USER:PASSWORD@ into the target (2).
ERROR TCM515 burst-acks [must]: not finished within --max-time

FAIL TCM302 recover-time-zero [must]: recoverTime "0" while firing and 3 more:
      answered 500, where the contract wants 2xx
  where:  cvm/basic-monitoring; 4 of 6 cases. All 4 firing failed, no resolved
          (2 passed).
  why:    Parsing it as a date answers 500 to firing alarms; those incidents
          never close, and nobody learns of it.
  fix:    Treat 0, "0" and "" as "not known" before you parse.
  again:  {CLI} -v

FAIL TCM105 response-bounded [should]: too long
  where:  cvm/basic-monitoring
  why:    Parsing it as a date answers 500 to firing alarms; those incidents
          never close, and nobody learns of it.
  fix:    Treat 0, "0" and "" as "not known" before you parse.
  again:  {CLI} -v

6 clauses: 1 passed, 2 failed, 1 inconclusive, 2 not run. Broken: 1 must clause.
  Broken but not counted: 1 should clause.
Next: tcop-mock explain TCM302  (-v prints requests, answers and curl commands)
"""
_ALL = make_verdict(
    *SKIPPED,
    PASSED,
    replace(FAILED, findings=(LONG,)),
    replace(SHOULD, findings=(replace(FINDING, title="too long"),)),
    ERROR,
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(verdict: Verdict, *, width: int = 80, fail_on: Level = Level.MUST, shows_commands: bool = True) -> str:
    """Return what is printed of a run."""
    stream = io.StringIO()
    console = PlainConsole(stream, ScreenFormatter(fail_on=fail_on, shows_commands=shows_commands), width=width)
    for event in run_events(verdict):
        console(event)
    return stream.getvalue()


def whole_run(*failed_codes: str) -> Verdict:
    """Return a run of all clauses against a receiver that nobody looks behind."""
    results = []
    for clause in load_clauses():
        missing = None
        for kind in (Prerequisite.OBSERVER, Prerequisite.AUTH):
            if kind in clause.prerequisites:
                missing = MissingPrerequisite(kind)
        if clause.profiles and "2023" not in clause.profiles:
            missing = MissingPrerequisite(Prerequisite.PROFILE, (clause.profiles[0],))
        status = ClauseStatus.NOT_RUN if missing else ClauseStatus.PASS
        findings = (LONG,) if clause.code in failed_codes else ()
        results.append(
            ClauseResult(clause, ClauseStatus.FAIL if findings else status, findings=findings, missing=missing)
        )
    return make_verdict(*results)


def test_the_screen_at_80_columns() -> None:
    """The screen has exactly these lines."""
    assert screen(_ALL) == SCREEN


def test_a_passing_run_is_twelve_lines() -> None:
    """All clauses and no finding are at most twelve lines of 80 columns; the last sentence says what to give."""
    lines = screen(whole_run()).splitlines()
    assert len(lines) <= 12
    assert max(map(display_width, lines)) <= 80
    assert "another profile (" in " ".join(lines)
    assert "needs auth (" in " ".join(lines)
    assert " ".join(" ".join(lines).split()).endswith("give --run CMD, --observe-url, --observe-cmd or --downstream.")


@pytest.mark.parametrize("codes", [("TCM101", "TCM302"), ("TCM303", "TCM404"), ("TCM306", "TCM318")])
def test_a_run_with_two_findings_is_forty_lines(codes: tuple[str, str]) -> None:
    """All clauses and two findings are at most forty lines of 80 columns; a long command counts as several."""
    lines = screen(whole_run(*codes)).splitlines()
    assert sum(1 + display_width(line) // 80 for line in lines) <= 40
    assert [line.split()[1] for line in lines if line.startswith("FAIL")] == list(codes)


def test_every_clause_has_a_short_block() -> None:
    """A finding of any clause takes at most twelve lines, whatever its texts."""
    for result in whole_run().results:
        text = screen(make_verdict(replace(result, status=ClauseStatus.FAIL, findings=(LONG,))))
        start = text.index("\nFAIL ")
        assert text.count("\n", start, text.index("\n\n", start + 1)) <= 12, result.clause.code


def test_a_pipe_gets_the_same_words() -> None:
    """Without a width nothing is wrapped; the words are those of the terminal."""
    piped = screen(_ALL, width=UNWRAPPED)
    assert piped.split() == screen(_ALL).split()
    assert "where:  cvm/basic-monitoring; 4 of 6 cases. All 4 firing failed, no resolved (2 passed).\n" in piped


def test_a_live_console_prints_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a live terminal the same lines follow the progress line."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = _Terminal()
    with console_for(stream, ScreenFormatter(), {"TERM": "xterm", "NO_COLOR": "1"}) as report:
        for event in run_events(_ALL):
            report(event)
    written = stream.getvalue()
    assert "0/4 clauses, running: TCM101" in written
    for style in ("\x1b[0m", "\x1b[1m", "\x1b[2m"):
        written = written.replace(style, "")
    assert SCREEN.partition("\n")[2] in written


def test_other_findings_are_counted_by_level() -> None:
    """Three findings are shown, those of must clauses first; the clauses of the others are named by level."""
    should = replace(SHOULD, findings=(FINDING,) * 2)
    must = [replace(FAILED, clause=make_clause(f"TCM30{number}", "x")) for number in range(1, 5)]
    text = screen(make_verdict(should, *must))
    assert [line.split()[1] for line in text.splitlines() if line.startswith("FAIL")] == ["TCM301", "TCM302", "TCM303"]
    assert (
        "\nAnd 3 more findings, which -v shows:\n  must:   TCM304 x\n  should: TCM105 response-bounded (2)\n"
    ) in text
    text = screen(make_verdict(should, must[0]), fail_on=Level.SHOULD)
    assert text.index("FAIL TCM301") < text.index("FAIL TCM105")


def test_a_clause_is_explained_once() -> None:
    """The second finding of a clause says what and where, and not once more why."""
    text = screen(make_verdict(replace(FAILED, findings=(LONG, replace(LONG, title="other cause")))))
    assert text.count("why:") == text.count("again:") == 1
    assert "FAIL TCM302 recover-time-zero [must]: other cause\n  where:  " in text


def test_the_fix_of_another_clause_names_it() -> None:
    """A late answer is fixed as TCM102 says, wherever it was met."""
    other = next(clause for clause in load_clauses() if clause.code == "TCM102")
    text = screen(make_verdict(replace(FAILED, findings=(replace(FINDING, fix_clause=other),))))
    assert f"TCM102 ack-within-deadline: {other.fix[:20]}" in text
    assert FAILED.clause.fix not in text


def test_the_exception_of_an_app_is_shown() -> None:
    """In a line; a receiver without a traceback has none."""
    raised = "KeyError: 'region' (receive, line 6 of app.py)"
    attempt = replace(EXCHANGE.attempt, traceback="Traceback ...", detail=raised)
    finding = replace(FINDING, exchanges=(replace(EXCHANGE, attempt=attempt),))
    text = screen(make_verdict(replace(FAILED, findings=(finding,))))
    assert f"  raised: {raised}\n" in text
    assert "raised:" not in screen(_ALL)


def test_long_texts_are_cut_to_sentences() -> None:
    """Why and fix are cut to their first sentences; a sentence without an end is cut, too."""
    clause = replace(FAILED.clause, why="Short. Shorter. " + "word " * 30, fix="word " * 100)
    text = screen(make_verdict(replace(FAILED, clause=clause)))
    assert "  why:    Short. Shorter.\n" in text
    assert "more characters)" in text


def test_without_a_receiver_there_is_no_command() -> None:
    """Where the receiver is gone, no command checks it; the one that explains the clause is there."""
    text = screen(_ALL, shows_commands=False)
    assert "again:" not in text
    assert text.splitlines()[-1].startswith("Next: tcop-mock explain TCM302 ")


def test_an_unsafe_command_is_a_comment() -> None:
    """A command with unsafe characters is shown with escapes, behind the reason."""
    finding = replace(FINDING, reproduction=Reproduction("", "tcop-mock check x --run '\u202e'"))
    text = screen(make_verdict(replace(FAILED, findings=(finding,))))
    assert "  again:  # (unsafe characters are shown as escapes: the JSON report has the exact command)\n" in text
    assert "# tcop-mock check x --run '\\u202e' -v\n" in text
    assert not UNSAFE_CHARACTERS.search(text.replace("\n", ""))


def test_clauses_of_ones_own_have_a_group() -> None:
    """Clauses with other codes are counted apart; explain would need their file, so the last line names the code."""
    own = replace(FAILED, clause=make_clause("ACME101", "ours"), findings=())
    text = screen(make_verdict(PASSED, own))
    assert "  own   clauses of your own   1 failed\n" in text
    assert "FAIL ACME101 ours [must]: recoverTime 0" in text
    assert "Next: ACME101 in its clause file  (-v prints" in text


def test_long_reasons_are_cut_to_what_is_missing() -> None:
    """A few reasons are shown in full; many are cut to what is missing, and -v shows the rest."""
    reasons = [
        ClauseResult(make_clause(f"TCM50{number}", "x"), ClauseStatus.NOT_RUN, missing=MissingPrerequisite(kind))
        for number, kind in enumerate((Prerequisite.OBSERVER, Prerequisite.RESTART, Prerequisite.PAGERDUTY))
    ]
    assert "Not run: needs observer: give --run CMD," in screen(make_verdict(PASSED, reasons[0]))
    assert (
        "Not run: needs observer (1), needs restart (1), the receiver forwards nothing to\n  /pagerduty (1); see -v.\n"
    ) in screen(make_verdict(PASSED, *reasons))


def test_the_baseline_is_reported() -> None:
    """Clauses with known findings are named, and three stale entries are shown; the others are counted."""
    entry = KNOWN.findings[0].baseline_entry
    assert entry is not None
    baseline = BaselineSummary("known.json", 5, (entry,) * 5)
    text = screen(replace(make_verdict(PASSED, KNOWN), baseline=baseline))
    assert "Known findings: TCM105 response-bounded.\n" in text
    assert text.count("stale: TCM105 answered 500 was not found") == 3
    assert "stale: 2 more\n" in text
    new = replace(KNOWN.findings[0], new_cases=("other",))
    text = " ".join(screen(make_verdict(replace(FAILED, findings=(*KNOWN.findings, new)))).split())
    assert text.count("FAIL TCM302") == 1
    assert "known since 2026-11-01, but not in 1 case: other" in text
    assert "Known findings: TCM302" in text


@pytest.mark.parametrize(
    "results, last",
    [
        ((PASSED,), "Next: -v prints each clause, and what the profile assumes."),
        ((ERROR,), "Next: -v prints each clause, and what the profile assumes."),
    ],
)
def test_without_findings_the_last_line_names_the_flag(results: tuple[ClauseResult, ...], last: str) -> None:
    """Without a finding, and with nothing else to give, the last line names -v."""
    assert screen(make_verdict(*results)).splitlines()[-1] == last


def test_clauses_without_a_result_are_a_few_lines() -> None:
    """Clauses that a finding explains are one line, three other reasons are shown, and the rest is counted."""

    def error(code: str, reason: str, level: Level = Level.MUST) -> ClauseResult:
        return ClauseResult(make_clause(code, "x", level), ClauseStatus.ERROR, reason=reason)

    explained = [error(f"TCM1{number}", "no plain callback (TCM302); or (TCM409, TCM302)") for number in range(10, 40)]
    same = [error(f"TCM31{number}", "it was late (TCM102)") for number in range(7)]
    long = error("TCM401", "word " * 200, Level.SHOULD)
    others = [error(f"TCM40{number}", f"reason {number % 5}") for number in (2, 3, 4, 7)]
    lines = screen(make_verdict(FAILED, *explained, *same, long, *others)).splitlines()
    errors = lines[4 : lines.index("")]
    assert errors == [
        "ERROR 30 clauses: inconclusive because of TCM302",
        "ERROR TCM310, TCM311, TCM312, TCM313, TCM314, 2 more: it was late (TCM102)",
        "ERROR TCM401 x [should]: " + "word " * 10 + "word",
        "      " + "word " * 14 + "word",
        "      word word word word … (850 more characters)",
        "ERROR TCM402, TCM407: reason 2",
        "ERROR 2 more clauses; see -v",
    ]


def test_a_long_line_of_a_group_is_wrapped() -> None:
    """No count of a group exceeds the columns."""
    results = [
        replace(PASSED, clause=make_clause(f"TCM1{number:02}", "x"), status=status, findings=findings)
        for number, (status, findings) in enumerate(
            [(ClauseStatus.FAIL, (FINDING,)), *((status, ()) for status in ClauseStatus for _ in range(10))]
        )
    ]
    lines = screen(make_verdict(*results)).splitlines()
    assert lines[1:3] == [
        "  TCM1  requests and answers  10 passed, 11 failed, 10 inconclusive, 10 known,",
        "                              10 not run",
    ]


def test_notes_and_an_interrupt_are_reported() -> None:
    """The notes of a run and the number of inconclusive clauses have a line each, without empty lines."""
    verdict = replace(make_verdict(PASSED, replace(ERROR, reason=INTERRUPTED)), notes=("The plain callback is x.",))
    lines = screen(verdict).splitlines()
    assert "note: The plain callback is x." in lines
    assert "Interrupted: 1 clause inconclusive." in lines
    assert "" not in lines


def test_nothing_is_printed_before_the_end() -> None:
    """Between the first line and the end, a plain console prints nothing."""
    stream = io.StringIO()
    console, written = PlainConsole(stream, ScreenFormatter()), []
    for event in run_events(_ALL):
        console(event)
        written.append(stream.getvalue().count("\n"))
    assert set(written[:-1]) == {1}
    console = PlainConsole(io.StringIO(), ScreenFormatter())
    console(RunFinished(make_verdict()))
