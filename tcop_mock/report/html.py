"""A verdict as one HTML file: no script, nothing fetched, readable on a phone, on paper, in the dark.

The page is a tree of elements that the standard library writes out, so a text cannot become markup, whoever wrote it;
what could act on a reader beside markup is escaped before. The policy in its head forbids everything but the one style
sheet, which it names by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result
from tcop_mock.report import facts
from tcop_mock.report.findings import (
    MOST_FINDINGS,
    MOST_TITLE_CHARS,
    shown_command,
    shown_evidence,
    stale,
    standing,
)
from tcop_mock.report.html_style import STYLE
from tcop_mock.report.ruling import rule
from tcop_mock.report.safe import counted, escaped, one_line
from tcop_mock.report.words import LABELS, named, sentence, tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.model.verdict import ClauseResult, Finding, Verdict

_MOST_CHARS = 2_000
_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def html_document(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return a verdict as an HTML page.

    Args:
        verdict: what the run found.
        fail_on: clauses down to this level decide on the run.
    """
    ruling = rule(verdict, fail_on)
    page = ET.Element("html", {"lang": "en"})
    _head(page, f"tcop-mock: {ruling}")
    body = ET.SubElement(page, "body")
    top = _add(body, "header", cls=ruling)
    _add(top, "h1", sentence(verdict, fail_on))
    _add(top, "p", f"{tally(verdict)}.")
    main = _add(body, "main")
    _pairs(main, facts.rows(verdict))
    for result in verdict.results:
        if result.result is Result.FAIL:
            _broken(main, result)
    known = [one for one in verdict.results if one.result is Result.KNOWN]
    _section(main, "Known", (f"{named(one.clause)}: {what}" for one in known for what in map(_known, one.findings)))
    _section(main, "Known, and not found any more", stale(verdict))
    _clauses(main, verdict)
    _section(main, "Not run", (f"{reason} ({', '.join(codes)})" for reason, codes in facts.left_out(verdict.results)))
    _section(main, f"Assumed by profile {verdict.profile}, because no source says it", verdict.assumptions)
    return f"<!doctype html>\n{ET.tostring(page, encoding='unicode', method='html')}\n"


def _head(page: ET.Element, title: str) -> None:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    policy = _POLICY.format(digest=digest)
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    ET.SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    ET.SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    ET.SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    _add(head, "title", title)
    ET.SubElement(head, "style").text = STYLE


def _broken(main: ET.Element, result: ClauseResult) -> None:
    clause = result.clause
    card = _add(main, "article")
    card.set("id", clause.code)
    heading = _add(card, "h2", f"{named(clause)} ")
    _add(heading, "span", clause.level, cls="level")
    _add(card, "p", clause.requirement)
    _pairs(card, (("Why", clause.why), ("Fix", clause.fix), ("Source", clause.source)))
    for finding in result.findings[:MOST_FINDINGS]:
        _finding(card, finding)
    unseen = len(result.findings) - MOST_FINDINGS
    if unseen > 0:
        _add(card, "p", f"… and {counted(unseen, 'more finding')}: the JSON report has them all.")


def _finding(card: ET.Element, finding: Finding) -> None:
    part = _add(card, "section")
    _add(part, "h3", one_line(finding.title, MOST_TITLE_CHARS))
    if finding.known:
        _add(part, "p", one_line(standing(finding), _MOST_CHARS), cls="standing")
    _add(part, "p", one_line(finding.detail, _MOST_CHARS))
    _folded(part, "Request and answer", shown_evidence(finding))
    for command in finding.reproduce.commands:
        tool = command.split(" ", 1)[0]
        _folded(part, f"See it again: {tool if tool in {'curl', 'tcop-mock'} else 'shell'}", shown_command(command))


def _folded(part: ET.Element, title: str, shown: list[str]) -> None:
    details = _add(part, "details")
    details.set("open", "open")  # paper cannot be unfolded
    _add(details, "summary", title)
    ET.SubElement(details, "pre").text = "\n".join(shown)


def _clauses(main: ET.Element, verdict: Verdict) -> None:
    part = _add(main, "section")
    _add(part, "h2", "Clauses")
    table = _add(part, "table")
    head = _add(_add(table, "thead"), "tr")
    for title in ("Clause", "Level", "Result"):
        _add(head, "th", title).set("scope", "col")
    rows = _add(table, "tbody")
    for result in verdict.results:
        row = _add(rows, "tr")
        cell = _add(row, "td", named(result.clause))
        if result.reason and result.result is not Result.NOT_RUN:
            _add(cell, "small", one_line(result.reason, _MOST_CHARS))
        _add(row, "td", result.clause.level)
        label = "not run" if result.result is Result.NOT_RUN else LABELS[result.result].lower()
        _add(_add(row, "td"), "span", label, cls=f"result {result.result}")


def _known(finding: Finding) -> str:
    return f"{finding.title} ({standing(finding)})"


def _section(main: ET.Element, title: str, texts: Iterable[str]) -> None:
    shown = list(texts)
    if not shown:
        return
    part = _add(main, "section")
    _add(part, "h2", title)
    entries = _add(part, "ul")
    for text in shown:
        _add(entries, "li", one_line(text, _MOST_CHARS))


def _pairs(parent: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    table = _add(parent, "dl")
    for name, value in pairs:
        _add(table, "dt", name)
        _add(table, "dd", one_line(" ".join(value.split()), _MOST_CHARS))


def _add(parent: ET.Element, tag: str, text: str = "", *, cls: str = "") -> ET.Element:
    element = ET.SubElement(parent, tag, {"class": cls} if cls else {})
    element.text = escaped(text)
    return element
