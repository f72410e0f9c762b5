"""Reports with untrusted texts from a receiver."""

from __future__ import annotations

import ast
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from verdict_samples import ERROR, FAILED, FINDING, PASSED, SHOULD, SKIPPED, make_verdict, run_events

from tcop_mock.domain.contract import Level, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.verdict import BaselineEntry, BaselineSummary, Exchange, Finding, Reproduction
from tcop_mock.reports.baseline import BaselineFilter
from tcop_mock.reports.baseline_file import baseline_document
from tcop_mock.reports.console import PlainConsole
from tcop_mock.reports.console_formatters import ConsoleFormatter
from tcop_mock.reports.formats import format_names, render
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.reports.junit import junit_document
from tcop_mock.reports.live_console import LiveConsole
from tcop_mock.reports.markdown import workflow_commands
from tcop_mock.reports.text import UNSAFE_CHARACTERS, escape_unsafe, styled_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.verdict import RunEvent, Verdict

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
    "::error::pwned",
    "\n::error file=x::pwned",
    "##[add-mask]x",
    "\n::stop-commands::x\n",
    "<script>alert(1)</script>",
    "</style></pre></details>",
    '" onmouseover="x',
    "![x](http://x/y.png)",
    "[x](javascript:x)",
    "``` \n```\n# heading\n",
    "`",
    "@everyone www.x.com a@x.com",
    "| x | y |",
    "\n---\n",
    '"""\n\\',
    "' + x + '",
    "%0A::error::x",
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
    reproduction=st.builds(Reproduction, curl=NASTY, cli=NASTY, replay=NASTY),
    cause=NASTY,
    cases=st.lists(NASTY, max_size=2).map(tuple),
    exchanges=st.builds(
        Exchange,
        url=NASTY.map(lambda text: f"http://h/?{quote(text, errors='replace')}"),
        case=st.builds(RequestCase, title=NASTY, request=st.builds(OutgoingRequest, body=st.binary(max_size=20))),
        attempt=st.builds(
            Attempt,
            outcome=st.just(Outcome.REJECTED),
            intended_s=st.just(0.0),
            started_s=st.just(0.0),
            ended_s=st.just(1.0),
            status=st.none() | st.integers(min_value=100, max_value=999),
            headers=st.lists(st.tuples(NASTY, NASTY), max_size=2).map(tuple),
            body=NASTY.map(lambda text: text.encode("utf-8", "surrogatepass")),
            detail=NASTY,
        ),
    ).map(lambda one: (one,)),
)
_ALL_NASTY = "".join(_NASTY)
_WORST = Finding(
    _ALL_NASTY,
    _ALL_NASTY,
    _ALL_NASTY,
    _ALL_NASTY,
    Reproduction(_ALL_NASTY, _ALL_NASTY, _ALL_NASTY),
    cause=_ALL_NASTY,
    exchanges=(
        Exchange(
            "http://h/",
            RequestCase(_ALL_NASTY, OutgoingRequest(_ALL_NASTY.encode("utf-8", "surrogatepass"))),
            Attempt(
                Outcome.REJECTED,
                0.0,
                0.0,
                1.0,
                status=500,
                headers=((_ALL_NASTY, _ALL_NASTY),),
                body=_ALL_NASTY.encode("utf-8", "surrogatepass"),
                detail=_ALL_NASTY,
            ),
        ),
    ),
)
_OWN_CONTROLS = re.compile(r"\x1b\[(?:[0-9;]*m|2K|1A|\?25[hl])")
_FEWER = settings(max_examples=30)
"""Settings for slow tests, which have the worst finding as an explicit example."""
_STARTED = datetime(2026, 11, 23, tzinfo=UTC)


def run_of(finding: Finding, reason: str) -> Verdict:
    """Return a verdict in which every untrusted text comes from this finding."""
    broken = (replace(one, findings=(finding, FINDING)) for one in (FAILED, SHOULD))
    inconclusive = (replace(one, reason=reason) for one in (ERROR, SKIPPED[0]))
    listed = BaselineEntry("0" * 16, "TCM101", date(2026, 11, 1), reason, reason)
    return replace(
        make_verdict(PASSED, *broken, *inconclusive, target=reason),
        assumptions=("An assumption of ours.",),
        baseline=BaselineSummary(reason, 1, (listed,)),
    )


def known(of: Verdict) -> Verdict:
    """Return a verdict with all its findings known."""
    return BaselineFilter((), date(2026, 11, 28), add_new=True).filter_verdict(of)


def send_events(of: Verdict, report: Callable[[RunEvent], None]) -> None:
    """Send the events of a run to a listener."""
    for event in run_events(of):
        report(event)


@given(NASTY)
def test_a_styled_line_is_safe(text: str) -> None:
    """A styled line never contains an unsafe character."""
    assert str(styled_line(text)) == escape_unsafe(text)


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_the_plain_report_cannot_be_broken(finding: Finding, reason: str) -> None:
    """The plain report is UTF-8 text without control characters other than our line breaks."""
    stream = io.StringIO()
    send_events(run_of(finding, reason), PlainConsole(stream, ConsoleFormatter()))
    assert not UNSAFE_CHARACTERS.search(stream.getvalue().replace("\n", ""))
    stream.getvalue().encode()


@pytest.mark.proof
@settings(deadline=None)  # rich is slow the first time
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_the_live_report_cannot_be_broken(finding: Finding, reason: str) -> None:
    """On a terminal there are only our own control sequences, and markup is plain text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "80")
        stream = io.StringIO()
        report = LiveConsole(stream, ConsoleFormatter())
        send_events(run_of(finding, reason), report)
        report.close()
    visible = _OWN_CONTROLS.sub("", stream.getvalue()).replace("\r", "").replace("\n", "")
    assert not UNSAFE_CHARACTERS.search(visible)
    first, *_ = finding.evidence.split("\n")
    assert escape_unsafe(first).strip() in visible


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_junit_always_parses_back(finding: Finding, reason: str) -> None:
    """The XML is well-formed; texts of the receiver add no element and no attribute."""
    written = junit_document(run_of(finding, reason), fail_on=Level.MUST, started=_STARTED)
    root = ET.fromstring(written)  # noqa: S314 - ours
    assert [one.tag for one in root.iter()].count("failure") == 1
    assert sum(suite.tests for suite in JUnitXml.fromstring(written.decode())) == 5
    failure = next(root.iter("failure"))
    for line in finding.evidence.split("\n"):
        assert escape_unsafe(line).rstrip() in (failure.text or "")


@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_json_always_parses_back(finding: Finding, reason: str) -> None:
    """The JSON document is UTF-8 and contains the text of the receiver."""
    written = json_text(check_document(run_of(finding, reason))).encode()
    rendered_finding = json.loads(written)["clauses"][1]["findings"][0]
    assert escape_unsafe(rendered_finding["evidence"]) == escape_unsafe(finding.evidence)


@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_every_format_is_safe_text(finding: Finding, reason: str) -> None:
    """Each report is UTF-8 without control or direction characters, whatever a receiver answers."""
    for kind in format_names():
        for of in (run_of(finding, reason), known(run_of(finding, reason))):
            written = render(kind, of, fail_on=Level.MUST).decode()
            assert not UNSAFE_CHARACTERS.search(written.replace("\n", "")), kind


@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_json_of_all_formats_parses_back(finding: Finding, reason: str) -> None:
    """The archive and each NDJSON line are JSON without text that a CI system reads as a command."""
    of = run_of(finding, reason)
    written = render("har", of, fail_on=Level.MUST).decode()
    assert len(json.loads(written)["log"]["entries"]) == 2 * len(finding.exchanges)
    lines = render("ndjson", of, fail_on=Level.MUST).decode()
    assert [json.loads(line)["version"] for line in lines.splitlines()] == [1] * 7
    for text in (written, lines, render("json", of, fail_on=Level.MUST).decode()):
        assert "##[" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())


class _Elements(HTMLParser):
    """Parser that collects the elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.text += data


def _commands(finding: Finding) -> tuple[str, str, str]:
    return finding.reproduction.curl, finding.reproduction.cli, finding.reproduction.replay


@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_the_page_has_no_other_elements(finding: Finding, reason: str) -> None:
    """Texts of a receiver add no element and no attribute to the HTML report."""
    curl, cli, replay = ("a" if command else "" for command in _commands(finding))
    plain = Finding("a", "a", "a", "a", Reproduction(curl, cli, replay))
    nasty = _Elements(render("html", run_of(finding, reason), fail_on=Level.MUST).decode())
    plain_page = _Elements(render("html", run_of(plain, "a" if reason else ""), fail_on=Level.MUST).decode())
    assert nasty.found == plain_page.found
    assert escape_unsafe(finding.title) in nasty.text


@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_markdown_is_only_ours(finding: Finding, reason: str) -> None:
    """Texts of a receiver are inside code; they add no link, image, table, element or heading to the Markdown."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(
        render("markdown", run_of(finding, reason), fail_on=Level.MUST).decode()
    )
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in tokens} | {child.type for child in inline}
    assert kinds.isdisjoint({"link_open", "image", "table_open", "hr", "code_block", "blockquote_open", "html_inline"})
    assert [token.content for token in tokens if token.type == "html_block" and "details>" not in token.content] == []
    assert not any("::" in child.content for child in inline if child.type == "text")
    headings = [token for token in tokens if token.type == "heading_open"]
    assert len(headings) == len(["verdict", *["clause", "finding", "finding"] * 2, "stale", "error", "left", "assumed"])
    quoted = [child.content for child in inline if child.type == "code_inline"]
    shown = escape_unsafe(" ".join(finding.title.split("\n"))).strip() or "nothing"
    assert any(shown in text for text in quoted)


@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_tests_are_only_ours(finding: Finding, reason: str) -> None:
    """Texts of a receiver are literals in the test module; they add no function and no statement."""
    tree = ast.parse(render("pytest", run_of(finding, reason), fail_on=Level.MUST))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert [test.name for test in tests] == [
        "test_TCM302_recover_time_zero_1",
        "test_TCM302_recover_time_zero_2",
        "test_TCM105_response_bounded_3",
        "test_TCM105_response_bounded_4",
    ]
    plain = ast.parse(render("pytest", run_of(FINDING, ""), fail_on=Level.MUST))
    assert len(tree.body) == len(plain.body)
    for test in tests:
        assert all(isinstance(node, ast.Expr | ast.Assign) for node in test.body)


@pytest.mark.proof
@_FEWER
@given(FINDINGS, NASTY)
@example(_WORST, _ALL_NASTY)
def test_annotations_are_only_ours(finding: Finding, reason: str) -> None:
    """Texts of a receiver do not add annotations: each is one line with one command and one title."""
    for of in (run_of(finding, reason), known(run_of(finding, reason))):
        commands = list(workflow_commands(of))
        assert len(commands) >= 3
        for command in commands:
            title = r"(?:TCM\d{3} [a-z0-9-]+ \([a-z]+\)|tcop-mock)"
            assert re.fullmatch(rf"::(?:error|warning|notice) title={title}::.*", command)
            assert not UNSAFE_CHARACTERS.search(command)
            assert "##[" not in command
            assert "%0A" not in command


@_FEWER
@given(NASTY)
@example(_ALL_NASTY)
def test_a_baseline_is_safe_json(text: str) -> None:
    """The document of a baseline is JSON without control or direction characters."""
    listed = BaselineEntry("0" * 16, "TCM101", date(2026, 11, 1), text, text, (text,), note=text)
    written = json_text(baseline_document([listed]))
    assert not UNSAFE_CHARACTERS.search(written.replace("\n", ""))
    assert json.loads(written)["findings"][0]["note"] == json.loads(json_text({"x": text}))["x"]
