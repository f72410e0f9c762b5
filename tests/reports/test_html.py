"""HTML report of a check."""

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
    """Parser that collects the elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Require that it closes the last open element."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record text."""
        if self.open[-1:] != ["style"]:
            self.text += f" {data}"


def page(of: Verdict) -> Page:
    """Return the parsed report of a verdict."""
    read = Page(html_document(of))
    assert read.open == []
    return read


def test_the_page_has_everything() -> None:
    """The page has verdict, metadata, findings with evidence and commands, known and skipped clauses, assumptions."""
    text = page(_ALL).text
    for part in (
        "Broken: 1 must clause.",
        "took 12.2 s",
        "TCM302 recover-time-zero",
        "< 系统错误",
        "Reproduce: curl",
        "tcop-mock replay TCM302/4",
        "(known since 2026-11-01)",
        "TCM105 answered 500 was not found",
        "<late>",
        "(TCM201, TCM202)",
        "Any status from 200 to 299 is success",
        "not run",
    ):
        assert part in text, part


def test_a_kept_contract_has_no_empty_sections() -> None:
    """A verdict without findings has no section for them."""
    text = page(replace(make_verdict(PASSED), assumptions=())).text
    assert "The contract is kept." in text
    assert not any(title in text for title in ("Known", "Not run", "Assumed", "See it again"))


def test_many_findings_are_counted() -> None:
    """The page shows the first findings of a clause and the number of the others; a partly known finding says so."""
    shown = failed_result(7)
    first = replace(shown.findings[0], baseline_entry=BASELINE_ENTRY, new_cases=("a case",))
    text = page(make_verdict(replace(shown, findings=(first, *shown.findings[1:])))).text
    assert text.count(FINDING.title) == 5
    assert "… and 2 more findings" in text
    assert "known since 2026-11-01, but not in 1 case: a case" in text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    """The page has no scripts, resources, URLs or handlers; its policy allows only the style sheet, by its hash."""
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
    """The style sheet has rules for dark mode, paper and narrow screens, and wraps long words."""
    assert rule in html_document(_ALL)
