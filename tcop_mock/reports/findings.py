"""Texts about a broken clause: requirement, evidence, and commands that reproduce it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.text import (
    UNSAFE_CHARACTERS,
    Style,
    clause_label,
    escape_unsafe,
    one_line,
    paragraph,
    pluralize,
    printable_lines,
    styled_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Finding, Reproduction, Verdict
    from tcop_mock.reports.text import StyledLine

MAX_FINDINGS = 5
_MAX_NEW_CASES = 5
MAX_TITLE_CHARS = 300
_MAX_DETAIL_CHARS = 2_000
_MAX_EVIDENCE_CHARS = 6_000
_MAX_EVIDENCE_LINES = 60
_MAX_COMMAND_CHARS = 12_000
_INDENT, _DEEP_INDENT = "  ", "    "
CURL_HEADING = "# --- reproduce with curl: the lines up to the next marker ---"
CLI_HEADING = "# --- or with tcop-mock ---"
END_MARKER = "# ---"


def summary_line(result: ClauseResult) -> str:
    """Return the first finding of a broken clause, and the number of the others, in one line."""
    titles = [one_line(finding.title, MAX_TITLE_CHARS) for finding in result.findings]
    return f"{titles[0] if titles else result.clause.requirement}{_more_findings(len(titles) - 1)}"


def clause_details(result: ClauseResult, width: int) -> list[StyledLine]:
    """Return the details of one broken clause, with a heading."""
    clause = result.clause
    details = [styled_line(f"== {clause_label(clause)} [{clause.level}] ==", Style.HEADING)]
    details += paragraph(clause.requirement, width, _INDENT)
    for label, text in (("Why", clause.why), *fix_pairs(result), ("Source", clause.source)):
        details += paragraph(f"{label}: {text}", width, _INDENT, _INDENT + " " * len("Why: "))
    for finding in result.findings[:MAX_FINDINGS]:
        details += [styled_line(), *_finding_lines(finding, width)]
    hidden_count = len(result.findings) - MAX_FINDINGS
    if hidden_count > 0:
        details += [
            styled_line(),
            styled_line(f"{_INDENT}… and {pluralize(hidden_count, 'more finding')}: the JSON report has all."),
        ]
    return [*details, styled_line()]


def fix_pairs(result: ClauseResult) -> list[tuple[str, str]]:
    """Return the fixes of a clause's findings with their labels; that of another clause names it."""
    return [
        ("Fix" if one.code == result.clause.code else f"Fix of {clause_label(one)}", one.fix) for one in result.fixes
    ]


def fix_text(result: ClauseResult) -> str:
    """Return the fixes of a clause's findings in one text."""
    return " ".join(text if label == "Fix" else f"{label}: {text}" for label, text in fix_pairs(result))


def baseline_status(finding: Finding) -> str:
    """Return the state of a finding in the baseline; empty if the baseline does not list it."""
    entry = finding.baseline_entry
    if entry is None:
        return ""
    since = f"known since {entry.first_seen}"
    if finding.is_expired:
        return f"{since}, but only until {entry.expires}: it counts again"
    if finding.new_cases:
        names = "; ".join(finding.new_cases[:_MAX_NEW_CASES])
        return (
            f"{since}, but not in {pluralize(len(finding.new_cases), 'case')}{_sample_note(finding.new_cases)}: {names}"
        )
    return f"{since}, until {entry.expires}" if entry.expires else since


def known_findings(verdict: Verdict, width: int) -> list[StyledLine]:
    """Return the clauses with only known findings, and the stale entries of the baseline."""
    output: list[StyledLine] = []
    for result in verdict.results:
        for finding in result.findings if result.status is ClauseStatus.KNOWN else ():
            title = one_line(finding.title, MAX_TITLE_CHARS)
            output += paragraph(
                f"{clause_label(result.clause)}: {title} ({baseline_status(finding)})", width, "known: ", _INDENT
            )
    for text in stale_entries(verdict):
        output += paragraph(one_line(text, MAX_TITLE_CHARS), width, "stale: ", _INDENT)
    return [*output, styled_line()] if output else []


def stale_entries(verdict: Verdict) -> list[str]:
    """Return an unescaped sentence for each baseline entry without a finding."""
    entries = verdict.baseline.stale_entries if verdict.baseline else ()
    return [
        f"{one.clause} {one.cause or one.fingerprint} was not found; --baseline-prune removes it" for one in entries
    ]


def _finding_lines(finding: Finding, width: int) -> Iterator[StyledLine]:
    yield from paragraph(one_line(finding.title, MAX_TITLE_CHARS), width, f"{_INDENT}* ", _DEEP_INDENT)
    if finding.baseline_entry:
        yield from paragraph(one_line(baseline_status(finding), _MAX_DETAIL_CHARS), width, _DEEP_INDENT)
    for text in printable_lines(finding.detail, _MAX_DETAIL_CHARS, _MAX_EVIDENCE_LINES):
        yield from paragraph(text, width, _DEEP_INDENT)
    if finding.shape is not None:
        yield from paragraph(f"Shape: {one_line(finding.shape, MAX_TITLE_CHARS)}", width, _DEEP_INDENT)
    yield styled_line()
    for text in evidence_lines(finding):
        yield styled_line(f"{_DEEP_INDENT}{text}".rstrip(), Style.FAINT)
    yield styled_line()
    yield from _reproduction_lines(finding.reproduction)


def _reproduction_lines(reproduction: Reproduction) -> Iterator[StyledLine]:
    """Yield the commands flush left and unwrapped: a here-document ends only at a line that is exactly its mark.

    The markers are shell comments, so pasting them does no harm.
    """
    if reproduction.curl:
        yield styled_line(CURL_HEADING, Style.FAINT)
        yield from _styled_command(reproduction.curl)
    yield styled_line(CLI_HEADING, Style.FAINT)
    yield from _styled_command(reproduction.cli)
    if reproduction.replay:
        yield from _styled_command(reproduction.replay)
    yield styled_line(END_MARKER, Style.FAINT)


def evidence_lines(finding: Finding) -> list[str]:
    """Return the request and the response as printable lines, bounded."""
    return printable_lines(finding.evidence, _MAX_EVIDENCE_CHARS, _MAX_EVIDENCE_LINES)


def command_lines(command: str) -> list[str]:
    """Return a command as printable lines; a command with unsafe characters becomes shell comments."""
    if len(command) > _MAX_COMMAND_CHARS:
        return [f"# ({len(command)} characters, too long to show here: the JSON report has the command)"]
    printable = command.split("\n")
    if any(UNSAFE_CHARACTERS.search(line) for line in printable):
        reason = "# (unsafe characters are shown as escapes: the JSON report has the exact command)"
        return [reason, *(f"# {escape_unsafe(line)}" for line in printable)]
    return printable


def _styled_command(command: str) -> Iterator[StyledLine]:
    return map(styled_line, command_lines(command))


def _sample_note(names: Sequence[str]) -> str:
    return f", {_MAX_NEW_CASES} of which are" if len(names) > _MAX_NEW_CASES else ""


def _more_findings(number: int) -> str:
    return f" (and {pluralize(number, 'more finding')})" if number > 0 else ""
