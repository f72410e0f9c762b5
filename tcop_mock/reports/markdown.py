"""Markdown report of a check (GitHub's dialect), and workflow commands of GitHub Actions.

Texts that may come from a receiver are inside code spans and fenced blocks, which they cannot end and where nothing is
markup, a link or a mention. In all other texts, which are ours or a clause file's, punctuation is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports import summary
from tcop_mock.reports.findings import (
    MAX_FINDINGS,
    baseline_status,
    command_lines,
    evidence_lines,
    fix_pairs,
    stale_entries,
    summary_line,
)
from tcop_mock.reports.summary import OverallResult, is_gating, overall_result, reason_text
from tcop_mock.reports.text import (
    LABELS,
    clause_label,
    count_summary,
    escape_unsafe,
    one_line,
    overall_sentence,
    pluralize,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.domain.verdict import ClauseResult, Finding, Verdict


_PUNCTUATION = re.compile(r"[\\`*_{}\[\]<>|~&$]|^[-+#]|(?<=^\d)[.)]")
"""Punctuation that may be markup; a backslash makes it plain (CommonMark 0.31, 2.4)."""

_AUTOLINK = re.compile(r"(?<=www)\.|(?<=[a-zA-Z]):(?=//)|@")
"""Parts of links and mentions, which GitHub's dialect recognises even if they are escaped."""

_BACKTICKS = re.compile("`+")

_SYMBOLS = {OverallResult.KEPT: "✅", OverallResult.BROKEN: "❌", OverallResult.INCONCLUSIVE: "⚠️"}

_MAX_SPAN_CHARS = 2_000


def markdown_document(verdict: Verdict, *, fail_on: Level = Level.MUST, brief: bool = False) -> str:
    """Return a verdict as Markdown.

    Args:
        verdict: result of the run.
        fail_on: clauses down to this level decide the result of the run.
        brief: whether evidence and commands are left out.
    """
    parts = [
        f"# {_SYMBOLS[overall_result(verdict, fail_on)]} {_escape_text(overall_sentence(verdict, fail_on))}",
        _escape_text(f"{count_summary(verdict)}."),
        "\n".join(f"- {_escape_text(name)}: {_code_span(value)}" for name, value in summary.run_metadata(verdict)),
    ]
    for result in verdict.results:
        if result.status is ClauseStatus.FAIL:
            parts += _clause_section(result, brief=brief)
    parts += _section("Known", _known_items(verdict))
    parts += _section("Known, but not found", map(_code_span, stale_entries(verdict)))
    parts += _section("Inconclusive", _inconclusive_items(verdict))
    parts += _section(
        "Not run",
        (f"{_code_span(reason)}: {', '.join(codes)}" for reason, codes in summary.skipped_clauses(verdict.results)),
    )
    parts += _section("Notes", map(_code_span, verdict.notes))
    parts += _section(f"Assumed by profile {verdict.profile}", map(_escape_text, verdict.assumptions))
    return "\n\n".join(parts) + "\n"


def _section(title: str, items: Iterable[str]) -> list[str]:
    list_text = "\n".join(f"- {item}" for item in items)
    return [f"## {_escape_text(title)}", list_text] if list_text else []


def _known_items(verdict: Verdict) -> Iterator[str]:
    for result in verdict.results:
        for finding in result.findings if result.status is ClauseStatus.KNOWN else ():
            label, status = _escape_text(clause_label(result.clause)), _escape_text(baseline_status(finding))
            yield f"{label}: {_code_span(finding.title)} ({status})"


def _inconclusive_items(verdict: Verdict) -> Iterator[str]:
    labels = {
        result.clause.code: f"{_escape_text(clause_label(result.clause))} ({result.clause.level})"
        for result in verdict.results
    }
    for reason, codes in summary.skipped_clauses(verdict.results, ClauseStatus.ERROR):
        yield f"{', '.join(labels[code] for code in codes)}: {_code_span(reason)}"


def _clause_section(result: ClauseResult, *, brief: bool) -> Iterator[str]:
    clause = result.clause
    yield f"## {LABELS[result.status]} {_escape_text(clause_label(clause))} ({clause.level})"
    yield _escape_text(clause.requirement)
    yield "\n".join(
        f"- {label}: {_escape_text(text)}"
        for label, text in (("Why", clause.why), *fix_pairs(result), ("Source", clause.source))
    )
    for finding in result.findings[:MAX_FINDINGS]:
        yield from _finding_section(finding, brief=brief)
    if len(result.findings) > MAX_FINDINGS:
        yield f"… and {pluralize(len(result.findings) - MAX_FINDINGS, 'more finding')}"


def _finding_section(finding: Finding, *, brief: bool) -> Iterator[str]:
    yield f"### {_code_span(finding.title)}"
    if finding.baseline_entry:
        yield _code_span(baseline_status(finding))
    yield _code_span(finding.detail)
    if brief:
        return
    yield _details("Request and response", evidence_lines(finding))
    commands = [line for command in finding.reproduction.commands for line in command_lines(command)]
    yield _details("Reproduce", commands, "sh")


def _details(title: str, lines: list[str], language: str = "text") -> str:
    content = "\n".join(lines)
    fence = "`" * max(3, 1 + _longest_backtick_run(content))
    return f"<details><summary>{title}</summary>\n\n{fence}{language}\n{content}\n{fence}\n\n</details>"


def _code_span(text: str) -> str:
    """Return a text as a code span."""
    printable = one_line(" ".join(text.split("\n")), _MAX_SPAN_CHARS) or "nothing"
    backticks = "`" * (1 + _longest_backtick_run(printable))
    return (
        f"{backticks} {printable} {backticks}" if _BACKTICKS.search(printable) else f"{backticks}{printable}{backticks}"
    )


def _escape_text(text: str) -> str:
    """Return a text with all its markup escaped."""
    plain = _PUNCTUATION.sub(lambda found: f"\\{found[0]}", escape_unsafe(" ".join(text.split())))
    return _AUTOLINK.sub(lambda found: f"<span>{found[0]}</span>", plain)


def _longest_backtick_run(text: str) -> int:
    return max((len(ticks) for ticks in _BACKTICKS.findall(text)), default=0)


_MAX_CHARS = 1_000


def workflow_commands(verdict: Verdict, *, fail_on: Level = Level.MUST) -> Iterator[str]:
    """Yield a command for each clause that is broken, known or not checkable; those that decide the result first."""
    if overall_result(verdict, fail_on) is OverallResult.INCONCLUSIVE:
        yield _command("error", summary.TOOL, overall_sentence(verdict, fail_on))
    for result in sorted(verdict.results, key=lambda one: not is_gating(one.clause.level, fail_on)):
        kind = "error" if is_gating(result.clause.level, fail_on) else "warning"
        if result.status is ClauseStatus.FAIL:
            yield _clause_command(kind, result, summary_line(result))
        elif result.status is ClauseStatus.ERROR:
            yield _clause_command(kind, result, f"inconclusive: {reason_text(result)}")
        elif result.status is ClauseStatus.KNOWN:
            yield _clause_command("notice", result, f"{baseline_status(result.findings[0])}: {summary_line(result)}")


def _clause_command(kind: str, result: ClauseResult, message: str) -> str:
    return _command(kind, f"{clause_label(result.clause)} ({result.clause.level})", message)


def _command(kind: str, title: str, message: str) -> str:
    escaped_title = _escape_value(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={escaped_title}::{_escape_value(message)}"


def _escape_value(text: str) -> str:
    return one_line(text, _MAX_CHARS).replace("%", "%25").replace("##[", "## [")
