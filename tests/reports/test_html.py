"""The HTML report."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from verdict_samples import (
    BASELINE_ENTRY,
    ERROR,
    FINDING,
    KNOWN,
    PASSED,
    RUN_INFO,
    SKIPPED,
    failed_result,
    make_verdict,
)

from tcop_mock.domain.verdict import BaselineSummary, Verdict
from tcop_mock.reports.html import html_document

_VOID = frozenset({"meta"})
_ALL = replace(
    make_verdict(PASSED, failed_result(1), KNOWN, replace(ERROR, reason="<late>"), *SKIPPED),
    run_info=RUN_INFO,
    baseline=BaselineSummary("b.json", 2, (BASELINE_ENTRY,)),
)


class Page(HTMLParser):
    """Reads a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold it to be the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if self.open[-1:] != ["style"]:
            self.text += f" {data}"


def page(of: Verdict) -> Page:
    """Return the report of a verdict as a reader has it."""
    read = Page(html_document(of))
    assert read.open == []
    return read


def test_the_page_has_everything() -> None:
    """Verdict, facts, findings with evidence and commands, what is known, unjudged, left out and assumed."""
    text = page(_ALL).text
    for part in (
        "Broken: 1 must clause.",
        "took 12.2 s",
        "TCM302 recover-time-zero",
        "< 系统错误",
        "See it again: curl",
        "tcop-mock replay TCM302/4",
        "(known since 2026-11-01)",
        "TCM105 answered 500 is not found any more",
        "<late>",
        "(TCM201, TCM202)",
        "Any status from 200 to 299 is success",
        "not run",
    ):
        assert part in text, part


def test_a_kept_contract_has_no_empty_sections() -> None:
    """A verdict without findings has no section of them."""
    text = page(replace(make_verdict(PASSED), assumptions=())).text
    assert "The contract is kept." in text
    assert not any(title in text for title in ("Known", "Not run", "Assumed", "See it again"))


def test_many_findings_are_counted() -> None:
    """After the first few findings of a clause the rest is a number; what is known in part says so."""
    shown = failed_result(7)
    first = replace(shown.findings[0], baseline_entry=BASELINE_ENTRY, new_cases=("a case",))
    text = page(make_verdict(replace(shown, findings=(first, *shown.findings[1:])))).text
    assert text.count(FINDING.title) == 5
    assert "… and 2 more findings" in text
    assert "known since 2026-11-01, but not in 1 case: a case" in text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    """No element that runs or loads, no address, no handler; the policy allows the one style sheet, by its hash."""
    written = html_document(_ALL)
    read = Page(written)
    assert {tag for tag, _ in read.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "a", "form", "base"}
    )
    assert not any(
        name in {"src", "href", "style"} or name.startswith("on") for _, names in read.elements for name in names
    )
    [policy] = [names["content"] for _, names in read.elements if names.get("http-equiv") == "Content-Security-Policy"]
    style = re.search("<style>(.*?)</style>", written, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"url\(|@import", style[1])


@pytest.mark.parametrize("rule", ["prefers-color-scheme: dark", "@media print", "max-width: 36rem", "pre-wrap"])
def test_the_page_suits_its_readers(rule: str) -> None:
    """It has rules for the dark, for paper, for narrow screens, and wraps what is long."""
    assert rule in html_document(_ALL)
