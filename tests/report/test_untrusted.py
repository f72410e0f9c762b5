"""What a receiver can do to a report: nothing."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from verdicts import ERROR, FAILED, FINDING, LEFT_OUT, PASSED, SHOULD, events, verdict

from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Finding, Reproduction
from tcop_mock.report.document import check_document, json_text
from tcop_mock.report.junit import junit_document
from tcop_mock.report.live import LiveReport
from tcop_mock.report.safe import UNSAFE, escaped
from tcop_mock.report.text import TextReport
from tcop_mock.report.words import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.model.events import RunEvent
    from tcop_mock.model.verdict import Verdict

_NASTY = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "]]>",
    "[red]x[/red]",
    "[/]",
    "[link=http://x]",
    ":smile:",
    "<failure>&amp;&#0;",
    "<!--",
    "\u202eevil",
    "\ud800",
    "\x00",
    "\r\n",
    "{0}%s{x}",
    "云",
]
NASTY = st.lists(st.sampled_from(_NASTY) | st.text(st.characters(exclude_categories=()), max_size=8), max_size=6).map(
    "".join
)
FINDINGS = st.builds(
    Finding,
    title=NASTY,
    detail=NASTY,
    shape=st.none() | NASTY,
    evidence=NASTY,
    reproduce=st.builds(Reproduction, curl=NASTY, cli=NASTY),
)
_ALL_NASTY = "".join(_NASTY)
_WORST = Finding(_ALL_NASTY, _ALL_NASTY, _ALL_NASTY, _ALL_NASTY, Reproduction(_ALL_NASTY, _ALL_NASTY))
_OWN_CONTROLS = re.compile(r"\x1b\[(?:[0-9;]*m|2K|1A|\?25[hl])")
_STARTED = datetime(2026, 11, 23, tzinfo=UTC)


def run_of(finding: Finding, reason: str) -> Verdict:
    """Return a verdict in which every text that can come from outside is this finding's."""
    broken = (replace(one, findings=(finding, FINDING)) for one in (FAILED, SHOULD))
    unjudged = (replace(one, reason=reason) for one in (ERROR, LEFT_OUT[0]))
    return replace(verdict(PASSED, *broken, *unjudged, target=reason), assumptions=(reason,))


def told(of: Verdict, report: Callable[[RunEvent], None]) -> None:
    """Tell a whole run."""
    for event in events(of):
        report(event)


@given(NASTY)
def test_no_line_can_be_made_of_unsafe_text(text: str) -> None:
    """A line of a report cannot hold an unsafe character, whoever makes it."""
    assert str(say(text)) == escaped(text)


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_the_plain_report_cannot_be_broken(finding: Finding, reason: str) -> None:
    """Whatever a receiver answers, the plain report is UTF-8 text without one control character but our line breaks."""
    stream = io.StringIO()
    told(run_of(finding, reason), TextReport(stream))
    assert not UNSAFE.search(stream.getvalue().replace("\n", ""))
    stream.getvalue().encode()


@settings(deadline=None)  # rich is slow the first time
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_the_live_report_cannot_be_broken(finding: Finding, reason: str) -> None:
    """On a terminal there are no control sequences but our own, and markup is text like any other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "80")
        stream = io.StringIO()
        report = LiveReport(stream)
        told(run_of(finding, reason), report)
        report.close()
    visible = _OWN_CONTROLS.sub("", stream.getvalue()).replace("\r", "").replace("\n", "")
    assert not UNSAFE.search(visible)
    first, *_ = finding.evidence.split("\n")
    assert escaped(first).strip() in visible


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_junit_always_parses_back(finding: Finding, reason: str) -> None:
    """The XML is well-formed and holds the receiver's text as text: no element more, no attribute more."""
    written = junit_document(run_of(finding, reason), fail_on=Level.MUST, started=_STARTED)
    root = ET.fromstring(written)  # noqa: S314 - ours
    assert [one.tag for one in root.iter()].count("failure") == 1
    assert sum(suite.tests for suite in JUnitXml.fromstring(written.decode())) == 5
    failure = next(root.iter("failure"))
    for line in finding.evidence.split("\n"):
        assert escaped(line).rstrip() in (failure.text or "")


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_json_always_parses_back(finding: Finding, reason: str) -> None:
    """The JSON document is UTF-8 and holds the receiver's text."""
    written = json_text(check_document(run_of(finding, reason))).encode()
    told_of = json.loads(written)["clauses"][1]["findings"][0]
    assert escaped(told_of["evidence"]) == escaped(finding.evidence)
