"""HTML report of a check."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports import summary
from tcop_mock.reports.findings import (
    MAX_FINDINGS,
    MAX_TITLE_CHARS,
    baseline_status,
    command_lines,
    evidence_lines,
    fix_pairs,
    stale_entries,
)
from tcop_mock.reports.html_page import MAX_CHARS, add, add_list, add_pairs, add_result, add_table, new_page, to_html
from tcop_mock.reports.summary import overall_result, reason_text
from tcop_mock.reports.text import LABELS, clause_label, count_summary, one_line, overall_sentence, pluralize

if TYPE_CHECKING:
    from tcop_mock.domain.verdict import ClauseResult, Finding, Verdict


def html_document(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return a verdict as an HTML page.

    Args:
        verdict: result of the run.
        fail_on: clauses down to this level decide the result of the run.
    """
    overall = overall_result(verdict, fail_on)
    page, main = new_page(
        f"tcop-mock: {overall}",
        css_class=overall,
        headline=overall_sentence(verdict, fail_on),
        subtitle=f"{count_summary(verdict)}.",
    )
    add_pairs(main, summary.run_metadata(verdict))
    for result in verdict.results:
        if result.status is ClauseStatus.FAIL:
            _clause_card(main, result)
    known_results = [one for one in verdict.results if one.status is ClauseStatus.KNOWN]
    add_list(
        main,
        "Known",
        (f"{clause_label(one.clause)}: {text}" for one in known_results for text in map(_known_text, one.findings)),
    )
    add_list(main, "Known, but not found", stale_entries(verdict))
    _clause_table(main, verdict)
    add_list(
        main,
        "Not run",
        (f"{reason} ({', '.join(codes)})" for reason, codes in summary.skipped_clauses(verdict.results)),
    )
    add_list(main, "Notes", (one_line(note, MAX_CHARS) for note in verdict.notes))
    add_list(main, f"Assumed by profile {verdict.profile}, because no source states it", verdict.assumptions)
    return to_html(page)


def _clause_card(main: ET.Element, result: ClauseResult) -> None:
    clause = result.clause
    card = add(main, "article")
    card.set("id", clause.code)
    heading = add(card, "h2", f"{clause_label(clause)} ")
    add(heading, "span", clause.level, css_class="level")
    add(card, "p", clause.requirement)
    add_pairs(card, (("Why", clause.why), *fix_pairs(result), ("Source", clause.source)))
    for finding in result.findings[:MAX_FINDINGS]:
        _finding_section(card, finding)
    hidden_count = len(result.findings) - MAX_FINDINGS
    if hidden_count > 0:
        add(card, "p", f"… and {pluralize(hidden_count, 'more finding')}: the JSON report has all.")


def _finding_section(card: ET.Element, finding: Finding) -> None:
    section = add(card, "section")
    add(section, "h3", one_line(finding.title, MAX_TITLE_CHARS))
    if finding.baseline_entry:
        add(section, "p", one_line(baseline_status(finding), MAX_CHARS), css_class="standing")
    add(section, "p", one_line(finding.detail, MAX_CHARS))
    _details(section, "Request and response", evidence_lines(finding))
    for command in finding.reproduction.commands:
        _details(section, f"Reproduce: {_tool(command)}", command_lines(command))


def _tool(command: str) -> str:
    """Return the name of a command: curl, or a verb of tcop-mock, so that each box has a different name."""
    words = command.split(" ", 2)
    if words[0] == "tcop-mock":
        return " ".join(words[:2])
    return "curl" if words[0] == "curl" else "shell"


def _details(parent: ET.Element, title: str, lines: list[str]) -> None:
    details = add(parent, "details")
    details.set("open", "open")  # a printed page cannot be unfolded
    add(details, "summary", title)
    ET.SubElement(details, "pre").text = "\n".join(lines)


def _clause_table(main: ET.Element, verdict: Verdict) -> None:
    section = add(main, "section")
    add(section, "h2", "Clauses")
    rows = add_table(section, ("Clause", "Level", "Result"))
    for result in verdict.results:
        row = add(rows, "tr")
        cell = add(row, "td", clause_label(result.clause))
        if reason_text(result) and result.status is not ClauseStatus.NOT_RUN:
            add(cell, "small", one_line(reason_text(result), MAX_CHARS))
        add(row, "td", result.clause.level)
        label = "not run" if result.status is ClauseStatus.NOT_RUN else LABELS[result.status].lower()
        add_result(row, label, str(result.status))


def _known_text(finding: Finding) -> str:
    return f"{finding.title} ({baseline_status(finding)})"
