"""Markdown report, and annotations of GitHub Actions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from verdict_samples import (
    BASELINE_ENTRY,
    ERROR,
    FAILED,
    FINDING,
    KNOWN,
    PASSED,
    RUN_INFO,
    SHOULD,
    SKIPPED,
    failed_result,
    make_verdict,
)

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import BaselineSummary
from tcop_mock.reports.markdown import markdown_document, workflow_commands


def parsed(text: str) -> str:
    """Return the HTML of Markdown in GitHub's dialect."""
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def test_the_report_has_everything() -> None:
    """The report has verdict, metadata, findings with evidence and commands, known and skipped clauses, assumptions."""
    of = replace(
        make_verdict(PASSED, failed_result(1), KNOWN, ERROR, *SKIPPED),
        run_info=RUN_INFO,
        baseline=BaselineSummary("b.json", 2, (BASELINE_ENTRY,)),
    )
    text = markdown_document(of)
    shown = parsed(text)
    assert shown.startswith("<h1>❌ Broken: 1 must clause.</h1>\n")
    for part in (
        "<h2>FAIL TCM302 recover-time-zero (must)</h2>",
        "<li>Why: Parsing it as a date answers 500",
        "&lt; 系统错误\n",
        "tcop-mock replay TCM302/4",
        "<h2>Known</h2>",
        "(known since 2026-11-01)",
        "<h2>Known, but not found</h2>",
        "TCM105 answered 500 was not found",
        "<h2>Inconclusive</h2>",
        "TCM515 burst-acks (must): <code>not finished within --max-time</code>",
        "<h2>Not run</h2>",
        "</code>: TCM201, TCM202</li>",
        "<h2>Assumed by profile 2023</h2>",
        "Started: <code>2026-11-23T10:30:59Z, took 12.2 s</code>",
    ):
        assert part in shown, part


def test_a_kept_contract_is_short() -> None:
    """A verdict without findings has no section for them."""
    text = markdown_document(replace(make_verdict(PASSED), assumptions=()))
    assert text.startswith("# ✅ The contract is kept.")
    assert "## " not in text


def test_an_address_becomes_no_link() -> None:
    """GitHub makes links of plain addresses; in text of a receiver none is one."""
    text = markdown_document(replace(make_verdict(PASSED), assumptions=("see http://evil.example and a@b.example",)))
    assert "http<span>:</span>" in text
    assert "a<span>@</span>b" in text


def test_the_brief_report_has_no_evidence() -> None:
    """The brief report has only titles and details."""
    brief = markdown_document(make_verdict(failed_result(1)), brief=True)
    assert FINDING.title in brief
    assert "系统错误" not in brief
    assert "details" not in brief


def test_many_findings_are_counted() -> None:
    """The report shows the first findings of a clause and the number of the others; a partly known finding says so."""
    shown = failed_result(7)
    first = replace(shown.findings[0], baseline_entry=BASELINE_ENTRY, new_cases=("a case",))
    text = markdown_document(make_verdict(replace(shown, findings=(first, *shown.findings[1:]))))
    assert "`known since 2026-11-01, but not in 1 case: a case`" in text
    assert text.count("### ") == 5
    assert "… and 2 more findings" in text


@pytest.mark.parametrize("fail_on", [Level.MUST, Level.SHOULD])
def test_broken_clauses_are_annotated(fail_on: Level) -> None:
    """Clauses that decide the result are errors and come first; others are warnings; known ones are notices."""
    commands = list(workflow_commands(make_verdict(SHOULD, PASSED, *SKIPPED, FAILED, ERROR, KNOWN), fail_on=fail_on))
    should = "error" if fail_on is Level.SHOULD else "warning"
    rendered = {
        f"::{should} title=TCM105 response-bounded (should)::{FINDING.title}",
        f"::error title=TCM302 recover-time-zero (must)::{FINDING.title}",
        "::error title=TCM515 burst-acks (must)::inconclusive: not finished within --max-time",
        f"::notice title=TCM105 response-bounded (should)::known since 2026-11-01: {FINDING.title}",
    }
    assert set(commands) == rendered
    assert fail_on is Level.SHOULD or [line.split()[0] for line in commands] == [
        "::error",
        "::error",
        "::warning",
        "::notice",
    ]


def test_a_run_that_decides_nothing_is_an_error() -> None:
    """A run without a checked must clause has an annotation."""
    assert list(workflow_commands(make_verdict(*SKIPPED))) == [
        "::error title=tcop-mock::Inconclusive: no must clause was checked."
    ]
