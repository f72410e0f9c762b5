"""JUnit XML as Jenkins, GitLab and GitHub's readers take it: one suite, one case a clause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tcop_mock import __version__
from tcop_mock.model.verdict import Result
from tcop_mock.report.safe import block, one_line
from tcop_mock.report.standing import counts

if TYPE_CHECKING:
    from tcop_mock.model.clause import Level
    from tcop_mock.model.verdict import ClauseResult, Verdict

_MOST_MESSAGE_CHARS = 300
_MOST_TEXT_CHARS = 20_000
_ILLEGAL = re.compile("[\ufffe\uffff]")
"""Of the characters that XML 1.0 forbids, those that ``safe`` lets through."""


def junit_xml(verdict: Verdict, fail_on: Level) -> bytes:
    """Return the report of a run.

    A broken clause that does not count (below ``fail_on``) is a skipped case whose message says so: readers turn red at
    every failure, and the run did not fail, but it must not look kept either.
    """
    cases = [_case(item, fail_on) for item in verdict.results]
    tally = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{sum(item.duration_s for item in verdict.results):.3f}",
    }
    root = ET.Element("testsuites", {"name": "tcop-mock", **tally})
    suite = ET.SubElement(root, "testsuite", {"name": f"TCOP contract {verdict.profile}", **tally})
    properties = ET.SubElement(suite, "properties")
    facts = {"target": verdict.target, "profile": verdict.profile, "seed": str(verdict.seed), "version": __version__}
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": _legal(one_line(value, _MOST_MESSAGE_CHARS))})
    suite.extend(cases)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _case(item: ClauseResult, fail_on: Level) -> ET.Element:
    clause = item.clause
    case = ET.Element(
        "testcase",
        {
            "classname": f"tcop-mock.{clause.level}",
            "name": f"{clause.code} {clause.slug}",
            "time": f"{item.duration_s:.3f}",
        },
    )
    if item.result is Result.FAIL:
        message = "; ".join(finding.title for finding in item.findings)
        if counts(clause, fail_on):
            _add(case, "failure", message, _told(item)).set("type", clause.id)
        else:
            _add(case, "skipped", f"{clause.level} clause broken: {message}", "")
            ET.SubElement(case, "system-out").text = _legal(block(_told(item), _MOST_TEXT_CHARS))
    elif item.result is Result.ERROR:
        _add(case, "error", item.reason, clause.requirement).set("type", "not-judged")
    elif item.result is Result.NOT_RUN:
        _add(case, "skipped", item.reason, "")
    return case


def _add(case: ET.Element, tag: str, message: str, text: str) -> ET.Element:
    element = ET.SubElement(case, tag, {"message": _legal(one_line(message, _MOST_MESSAGE_CHARS))})
    element.text = _legal(block(text, _MOST_TEXT_CHARS)) or None
    return element


def _told(item: ClauseResult) -> str:
    parts = [item.clause.requirement]
    for finding in item.findings:
        parts += ["", finding.title, finding.detail, finding.evidence, finding.reproduce.curl, finding.reproduce.cli]
    return "\n".join([*parts, "", f"Fix: {item.clause.fix}"])


def _legal(text: str) -> str:
    return _ILLEGAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
