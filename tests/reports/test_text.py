"""Plain console of a check."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from verdict_samples import (
    ASSUMPTIONS,
    CLI,
    CURL,
    ERROR,
    FAILED,
    FINDING,
    PASSED,
    SHOULD,
    SKIPPED,
    make_clause,
    make_verdict,
    run_events,
)

from tcop_mock import __version__
from tcop_mock.domain.contract import Level, MissingPrerequisite, Prerequisite
from tcop_mock.domain.verdict import ClauseResult, ClauseStarted, ClauseStatus, Reproduction, RunFinished
from tcop_mock.reports.console import PlainConsole, render_text
from tcop_mock.reports.console_formatters import ConsoleFormatter
from tcop_mock.reports.findings import CLI_HEADING, CURL_HEADING, END_MARKER, fix_text
from tcop_mock.reports.formats import render
from tcop_mock.reports.text import display_width, overall_sentence

if TYPE_CHECKING:
    from tcop_mock.domain.verdict import Finding, Verdict

REPORT = f"""\
tcop-mock {__version__} checks http://***@127.0.0.1:8080/alarm against profile 2023: 6
  clauses, seed 42

PASS  TCM101 accepts-catalogue
FAIL  TCM302 recover-time-zero [must]
FAIL  TCM105 response-bounded [should]
ERROR TCM515 burst-acks [must]: not finished within --max-time
--    not-run: needs auth: put USER:PASSWORD@ into the target (TCM201, TCM202)

== TCM302 recover-time-zero [must] ==
  recoverTime 0, "0" and "" are taken while firing and while resolved.
  Why: Parsing it as a date answers 500 to firing alarms; those incidents never
       close, and nobody learns of it.
  Fix: Treat 0, "0" and "" as "not known" before you parse.
  Source: alarm callback page, 2023-08-07: 0 until the alarm is resolved

  * recoverTime "0" while firing and 3 more: answered 500, where the contract
    wants 2xx
    4 of 6 cases: answered 500, where the contract wants 2xx. recoverTime "0"
    while firing; 实例名称很长的时候
    Shape: cvm/basic-monitoring

    > POST /alarm HTTP/1.1
    >
    > {{"recoverTime":"0"}}
    < HTTP/1.1 500
    <
    < 系统错误
    outcome: rejected after 0.003 s

# --- reproduce with curl: the lines up to the next marker ---
{CURL}
# --- or with tcop-mock ---
{CLI}
# ---

== TCM105 response-bounded [should] ==
  recoverTime 0, "0" and "" are taken while firing and while resolved.
  Why: Parsing it as a date answers 500 to firing alarms; those incidents never
       close, and nobody learns of it.
  Fix: Treat 0, "0" and "" as "not known" before you parse.
  Source: alarm callback page, 2023-08-07: 0 until the alarm is resolved

  * too long
    of 70 KiB

    < HTTP/1.1 200

# --- reproduce with curl: the lines up to the next marker ---
true
# --- or with tcop-mock ---
true
# ---

Assumed by profile 2023, because no source states it
- Any status from 200 to 299 is success: the page does not say what is.
- 重试间隔没有文档说明。

Seed 42 sends the same requests again.
6 clauses: 1 passed, 2 failed, 1 inconclusive, 2 not run. Broken: 1 must clause. \
Broken but not counted: 1 should clause.
"""
SHORT = replace(
    FINDING,
    title="too long",
    detail="of 70 KiB",
    shape=None,
    evidence="< HTTP/1.1 200",
    reproduction=Reproduction("true", "true"),
)


def rendered(of: Verdict, fail_on: Level = Level.MUST) -> str:
    """Return the whole report of a run."""
    stream = io.StringIO()
    report = PlainConsole(stream, ConsoleFormatter(fail_on=fail_on))
    for event in run_events(of):
        report(event)
    return stream.getvalue()


def rendered_finding(*findings: Finding) -> str:
    """Return the whole report of a run with one broken clause."""
    return rendered(make_verdict(replace(FAILED, findings=findings)))


def test_the_report_at_80_columns() -> None:
    """The report has exactly these lines."""
    assert rendered(make_verdict(*SKIPPED, PASSED, FAILED, replace(SHOULD, findings=(SHORT,)), ERROR)) == REPORT


def test_prose_fits_80_columns() -> None:
    """Only evidence, commands and the last line may be wider than 80 columns."""
    finding = replace(FINDING, title="实例名称 " * 40, detail="word " * 90, reproduction=Reproduction("true", "true"))
    prose = rendered_finding(finding).splitlines()[:-1]
    assert max(map(display_width, prose)) <= 80


def test_each_clause_is_reported_as_it_finishes() -> None:
    """A finished clause is written and flushed at once; a started or skipped clause, and an error, write nothing."""
    raw = io.BytesIO()
    report = PlainConsole(io.TextIOWrapper(raw, encoding="utf-8"), ConsoleFormatter())
    written = []
    for event in run_events(make_verdict(*SKIPPED, PASSED, ERROR)):
        report(event)
        written.append((type(event).__name__, raw.getvalue().count(b"\n")))
    lines = [after - before for (_, before), (_, after) in zip([("", 0), *written], written, strict=False)]
    assert [name for name, _ in written] == [
        "RunStarted",
        *["ClauseFinished"] * 2,
        *["ClauseStarted"] * 2,
        *["ClauseFinished"] * 2,
        "RunFinished",
    ]
    assert lines[:7] == [3, 0, 0, 0, 0, 1, 0]


def test_equal_errors_are_one_line() -> None:
    """Inconclusive clauses for the same reason are one line, with their codes."""
    refused = [
        ClauseResult(make_clause(code, "x", level), ClauseStatus.ERROR, reason="refused")
        for code, level in (("TCM302", Level.SHOULD), ("TCM303", Level.MUST))
    ]
    lines = rendered(make_verdict(PASSED, *refused, ERROR)).splitlines()
    assert "ERROR 2 clauses: refused (TCM302, TCM303)" in lines
    assert any(line.startswith("ERROR TCM515") for line in lines)
    long_reason = [replace(result, reason="word " * 40) for result in refused]
    assert max(map(len, rendered(make_verdict(*long_reason)).splitlines()[:8])) <= 80


def test_a_kept_contract_says_how_far_it_reaches() -> None:
    """Without a view of effects the last line counts the clauses about them, and names what runs them."""
    unseen = [
        ClauseResult(make_clause(code, "x"), ClauseStatus.NOT_RUN, missing=MissingPrerequisite(kind))
        for code, kind in (
            ("TCM501", Prerequisite.OBSERVER),
            ("TCM502", Prerequisite.OBSERVER),
            ("TCM520", Prerequisite.DOWNSTREAM),
        )
    ]
    sentence = overall_sentence(make_verdict(PASSED, *unseen), Level.MUST)
    assert sentence == (
        "The contract is kept as far as answers show; 2 clauses about what happens behind the 200 were not run: "
        "give --run CMD, --observe-url, --observe-cmd or --downstream."
    )
    sentence = overall_sentence(make_verdict(PASSED, unseen[-1]), Level.MUST)
    assert sentence.startswith(
        "The contract is kept as far as answers and effects show; 1 clause about what is forwarded was not run: give"
    )
    missing = MissingPrerequisite(Prerequisite.CAUGHT_CALL, ("it called none: why?; x",))
    forwards, acts = (
        ClauseResult(
            replace(make_clause("TCM501", "x"), prerequisites=frozenset({kind})), ClauseStatus.NOT_RUN, missing=missing
        )
        for kind in (Prerequisite.DOWNSTREAM, Prerequisite.OBSERVER)
    )
    assert overall_sentence(make_verdict(PASSED, forwards), Level.MUST) == "The contract is kept."
    assert overall_sentence(make_verdict(PASSED, forwards, acts), Level.MUST) == (
        "The contract is kept as far as answers show; 1 clause about what happens behind the 200 was not run: "
        "--observe-sql, --observe-log and --observe-url show what it keeps."
    )
    for format_name in ("text", "json", "junit", "html", "markdown", "ndjson", "har"):
        report = render(format_name, make_verdict(PASSED, *unseen), fail_on=Level.MUST).decode()
        assert "2 clauses about what happens behind the 200 were not run" in " ".join(report.split()).replace("\\", "")


def test_every_report_has_the_notes_of_a_run() -> None:
    """Text, JSON, JUnit, HTML, Markdown and NDJSON show the notes of a run."""
    verdict = replace(make_verdict(PASSED), notes=("The plain callback of this run is tke/pod.",))
    for format_name in ("text", "json", "junit", "html", "markdown", "ndjson"):
        assert "The plain callback of this run is tke/pod." in render(format_name, verdict, fail_on=Level.MUST).decode()


def test_an_interrupted_run_reports_clauses_without_events() -> None:
    """Clauses without an event are reported once, before the end."""
    stream = io.StringIO()
    report = PlainConsole(stream, ConsoleFormatter())
    report(ClauseStarted(PASSED.clause))
    report(RunFinished(make_verdict(PASSED, replace(ERROR, reason="interrupted"))))
    assert stream.getvalue().startswith(
        "PASS  TCM101 accepts-catalogue\nInterrupted: 1 clause inconclusive.\n\nAssumed"
    )


@pytest.mark.parametrize(
    "results, fail_on, sentence",
    [
        ((PASSED,), Level.MUST, "1 clause: 1 passed, 0 failed, 0 inconclusive, 0 not run. The contract is kept."),
        (
            (PASSED, SHOULD),
            Level.MUST,
            (
                "2 clauses: 1 passed, 1 failed, 0 inconclusive, 0 not run. The contract is kept. "
                "Broken but not counted: 1 should clause."
            ),
        ),
        (
            (FAILED, FAILED, SHOULD),
            Level.SHOULD,
            "3 clauses: 0 passed, 3 failed, 0 inconclusive, 0 not run. Broken: 2 must clauses and 1 should clause.",
        ),
        (
            (PASSED, ERROR),
            Level.MUST,
            ("2 clauses: 1 passed, 0 failed, 1 inconclusive, 0 not run. Inconclusive: 1 must clause."),
        ),
        (
            SKIPPED,
            Level.MUST,
            "2 clauses: 0 passed, 0 failed, 0 inconclusive, 2 not run. Inconclusive: no must clause was checked.",
        ),
    ],
)
def test_the_last_line_has_counts_and_result(results: tuple[ClauseResult, ...], fail_on: Level, sentence: str) -> None:
    """The last line has the counts and the result, and is never wrapped."""
    assert rendered(make_verdict(*results), fail_on).splitlines()[-1] == sentence


def test_without_assumptions_there_is_no_heading_for_them() -> None:
    """A profile without assumptions has no section for them."""
    assert ASSUMPTIONS[1] in rendered(make_verdict(PASSED))
    assert "Assumed" not in rendered(replace(make_verdict(PASSED), assumptions=()))


def test_skipped_clauses_are_grouped_by_reason() -> None:
    """Skipped clauses with the same reason share a line, in the order of the reasons."""
    other = replace(PASSED, status=ClauseStatus.NOT_RUN, reason="skipped by --skip")
    lines = [
        line for line in rendered(make_verdict(SKIPPED[0], other, SKIPPED[1])).splitlines() if line.startswith("--")
    ]
    assert lines == [
        "--    not-run: needs auth: put USER:PASSWORD@ into the target (TCM201, TCM202)",
        "--    not-run: skipped by --skip (TCM101)",
    ]


def test_a_command_can_be_pasted_with_its_markers() -> None:
    """A shell can run all lines between the first and the last marker, including the here-document."""
    shell = shutil.which("sh")
    assert shell is not None
    body = '{"name":"华南 $(id) `id` \\\\ \'x\'"}\n  indented'
    finding = replace(FINDING, reproduction=Reproduction(f"cat <<'TCOP_BODY'\n{body}\nTCOP_BODY", "echo ours"))
    report = rendered_finding(finding)
    script = report[report.index(CURL_HEADING) : report.index(f"{END_MARKER}\n\n") + len(END_MARKER) + 1]
    done = subprocess.run([shell], input=script.encode(), capture_output=True, timeout=30, check=True)  # noqa: S603 - ours
    assert done.stdout.decode() == f"{body}\nours\n"
    assert CLI_HEADING in script


@pytest.mark.parametrize(
    "curl, shown",
    [
        ("x" * 12_001, "# (12001 characters, too long to show here: the JSON report has the command)"),
        (
            "curl <<E\n\u202e\nE",
            (
                "# (unsafe characters are shown as escapes: the JSON report has the exact command)\n"
                "# curl <<E\n# \\u202e\n# E"
            ),
        ),
    ],
)
def test_a_command_that_cannot_be_shown_is_a_comment(curl: str, shown: str) -> None:
    """A command that is too long or has unsafe characters becomes comments with the reason."""
    assert f"{CURL_HEADING}\n{shown}\n{CLI_HEADING}\n" in rendered_finding(
        replace(FINDING, reproduction=Reproduction(curl, CLI))
    )


def test_findings_are_bounded() -> None:
    """Five findings of a clause are shown, and the others are counted."""
    report = rendered_finding(*(replace(FINDING, title=f"cause {number}") for number in range(7)))
    assert "  * cause 4\n" in report
    assert "  * cause 5\n" not in report
    assert "  … and 2 more findings: the JSON report has all.\n" in report


def test_evidence_is_bounded() -> None:
    """The first lines of long evidence are shown, and the others are counted."""
    report = rendered_finding(replace(FINDING, evidence="\n".join("x" * 90)))
    assert report.count("    x\n") == 60
    assert "    … (30 more lines)\n" in report


def test_characters_that_the_encoding_lacks_are_escaped() -> None:
    """If the encoding of the stream lacks Chinese, its code points are written."""
    raw = io.BytesIO()
    report = PlainConsole(io.TextIOWrapper(raw, encoding="ascii"), ConsoleFormatter())
    for event in run_events(make_verdict(FAILED)):
        report(event)
    assert rb"< \u7cfb\u7edf\u9519\u8bef" in raw.getvalue()


def test_a_file_has_the_report_of_the_console() -> None:
    """The report in a file has every clause and the same last line as the console."""
    of = make_verdict(PASSED, FAILED, *SKIPPED)
    whole, heard = render_text(of), rendered(of)
    assert sorted(whole.splitlines()) == sorted(heard.splitlines())


def test_the_fix_is_that_of_the_cause() -> None:
    """Each report names the clause whose fix ends a finding, and has no other fix."""
    other = make_clause("TCM102", "ack-within-deadline")
    verdict = make_verdict(
        replace(FAILED, findings=(replace(FINDING, fix_clause=replace(other, fix="Answer first.")),))
    )
    for report in ("text", "markdown", "html"):
        text = render_text(verdict) if report == "text" else render(report, verdict, fail_on=Level.MUST).decode()
        assert "TCM102 ack-within-deadline" in text
        assert "Answer first." in text
        assert FAILED.clause.fix not in text
    assert fix_text(verdict.results[0]) == "Fix of TCM102 ack-within-deadline: Answer first."
    assert fix_text(FAILED) == FAILED.clause.fix
