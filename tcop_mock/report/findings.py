"""What is said of a broken clause: what it wants, what was seen, and how to see it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.report.safe import UNSAFE, counted, escaped, lines, one_line
from tcop_mock.report.words import Tone, named, paragraph, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.verdict import ClauseResult, Finding, Reproduction
    from tcop_mock.report.words import Line

_MOST_FINDINGS = 5
_MOST_TITLE_CHARS = 300
_MOST_DETAIL_CHARS = 2_000
_MOST_EVIDENCE_CHARS = 6_000
_MOST_EVIDENCE_LINES = 60
_MOST_COMMAND_CHARS = 12_000
_INDENT, _DEEPER = "  ", "    "
WITH_CURL = "# --- see it again with curl: from here to the next such line ---"
WITH_OURS = "# --- or with tcop-mock ---"
END = "# ---"


def headline(result: ClauseResult) -> str:
    """Return a broken clause in one line: its first finding, and how many more there are."""
    titles = [one_line(finding.title, _MOST_TITLE_CHARS) for finding in result.findings]
    return f"{titles[0] if titles else result.clause.requirement}{_and_more(len(titles) - 1)}"


def broken(result: ClauseResult, width: int) -> list[Line]:
    """Return all that is to be said of one broken clause, beginning with its heading."""
    clause = result.clause
    out = [say(f"== {named(clause)} [{clause.level}] ==", Tone.HEADING)]
    out += paragraph(clause.requirement, width, _INDENT)
    for label, text in (("Why: ", clause.why), ("Fix: ", clause.fix), ("Source: ", clause.source)):
        out += paragraph(f"{label}{text}", width, _INDENT, _INDENT + " " * len("Why: "))
    for finding in result.findings[:_MOST_FINDINGS]:
        out += [say(), *_finding(finding, width)]
    unseen = len(result.findings) - _MOST_FINDINGS
    if unseen > 0:
        out += [say(), say(f"{_INDENT}… and {counted(unseen, 'more finding')}: the JSON report has them all.")]
    return [*out, say()]


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    yield from paragraph(one_line(finding.title, _MOST_TITLE_CHARS), width, f"{_INDENT}* ", _DEEPER)
    for text in lines(finding.detail, _MOST_DETAIL_CHARS, _MOST_EVIDENCE_LINES):
        yield from paragraph(text, width, _DEEPER)
    if finding.shape is not None:
        yield from paragraph(f"Shape: {one_line(finding.shape, _MOST_TITLE_CHARS)}", width, _DEEPER)
    yield say()
    for text in lines(finding.evidence, _MOST_EVIDENCE_CHARS, _MOST_EVIDENCE_LINES):
        yield say(f"{_DEEPER}{text}".rstrip(), Tone.FAINT)
    yield say()
    yield from _reproduction(finding.reproduce)


def _reproduction(reproduce: Reproduction) -> Iterator[Line]:
    """Flush left and never wrapped, because a here-document ends only at a line that is its mark and nothing else.

    The markers are comments of the shell: pasted along they do no harm.
    """
    yield say(WITH_CURL, Tone.FAINT)
    yield from _command(reproduce.curl)
    yield say(WITH_OURS, Tone.FAINT)
    yield from _command(reproduce.cli)
    yield say(END, Tone.FAINT)


def _command(command: str) -> Iterator[Line]:
    if len(command) > _MOST_COMMAND_CHARS:
        yield say(f"# ({len(command)} characters, too long to show here: the JSON report has it)")
        return
    shown = command.split("\n")
    if any(UNSAFE.search(line) for line in shown):
        yield say("# (with characters that are shown as escapes: the JSON report has the exact command)")
        shown = [f"# {escaped(line)}" for line in shown]
    yield from map(say, shown)


def _and_more(number: int) -> str:
    return f" (and {counted(number, 'more finding')})" if number > 0 else ""
