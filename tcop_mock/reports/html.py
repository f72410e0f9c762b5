"""A verdict as one HTML file; see ``page`` for what such a file may hold."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Result
from tcop_mock.reports import summary
from tcop_mock.reports.findings import MOST_FINDINGS, MOST_TITLE_CHARS, shown_command, shown_evidence, stale, standing
from tcop_mock.reports.html_page import MOST_CHARS, STYLE, add, add_list, add_pairs, framed, written
from tcop_mock.reports.summary import rule
from tcop_mock.reports.text import LABELS, counted, named, one_line, sentence, tally

if TYPE_CHECKING:
    from tcop_mock.domain.verdict import ClauseResult, Finding, Verdict


def html_document(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return a verdict as an HTML page.

    Args:
        verdict: what the run found.
        fail_on: clauses down to this level decide on the run.
    """
    ruling = rule(verdict, fail_on)
    page, body = framed(f"tcop-mock: {ruling}", STYLE)
    top = add(body, "header", cls=ruling)
    add(top, "h1", sentence(verdict, fail_on))
    add(top, "p", f"{tally(verdict)}.")
    main = add(body, "main")
    add_pairs(main, summary.rows(verdict))
    for result in verdict.results:
        if result.result is Result.FAIL:
            _broken(main, result)
    known = [one for one in verdict.results if one.result is Result.KNOWN]
    add_list(main, "Known", (f"{named(one.clause)}: {what}" for one in known for what in map(_known, one.findings)))
    add_list(main, "Known, and not found any more", stale(verdict))
    _clauses(main, verdict)
    add_list(main, "Not run", (f"{reason} ({', '.join(codes)})" for reason, codes in summary.left_out(verdict.results)))
    add_list(main, f"Assumed by profile {verdict.profile}, because no source says it", verdict.assumptions)
    return written(page)


def _broken(main: ET.Element, result: ClauseResult) -> None:
    clause = result.clause
    card = add(main, "article")
    card.set("id", clause.code)
    heading = add(card, "h2", f"{named(clause)} ")
    add(heading, "span", clause.level, cls="level")
    add(card, "p", clause.requirement)
    add_pairs(card, (("Why", clause.why), ("Fix", clause.fix), ("Source", clause.source)))
    for finding in result.findings[:MOST_FINDINGS]:
        _finding(card, finding)
    unseen = len(result.findings) - MOST_FINDINGS
    if unseen > 0:
        add(card, "p", f"… and {counted(unseen, 'more finding')}: the JSON report has them all.")


def _finding(card: ET.Element, finding: Finding) -> None:
    part = add(card, "section")
    add(part, "h3", one_line(finding.title, MOST_TITLE_CHARS))
    if finding.known:
        add(part, "p", one_line(standing(finding), MOST_CHARS), cls="standing")
    add(part, "p", one_line(finding.detail, MOST_CHARS))
    _folded(part, "Request and answer", shown_evidence(finding))
    for command in finding.reproduce.commands:
        tool = command.split(" ", 1)[0]
        _folded(part, f"See it again: {tool if tool in {'curl', 'tcop-mock'} else 'shell'}", shown_command(command))


def _folded(part: ET.Element, title: str, shown: list[str]) -> None:
    details = add(part, "details")
    details.set("open", "open")  # paper cannot be unfolded
    add(details, "summary", title)
    ET.SubElement(details, "pre").text = "\n".join(shown)


def _clauses(main: ET.Element, verdict: Verdict) -> None:
    part = add(main, "section")
    add(part, "h2", "Clauses")
    table = add(part, "table")
    head = add(add(table, "thead"), "tr")
    for title in ("Clause", "Level", "Result"):
        add(head, "th", title).set("scope", "col")
    rows = add(table, "tbody")
    for result in verdict.results:
        row = add(rows, "tr")
        cell = add(row, "td", named(result.clause))
        if result.reason and result.result is not Result.NOT_RUN:
            add(cell, "small", one_line(result.reason, MOST_CHARS))
        add(row, "td", result.clause.level)
        label = "not run" if result.result is Result.NOT_RUN else LABELS[result.result].lower()
        add(add(row, "td"), "span", label, cls=f"result {result.result}")


def _known(finding: Finding) -> str:
    return f"{finding.title} ({standing(finding)})"
