"""What is said of a broken clause: what it wants, what was seen, and how to see it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.domain.verdict import Result
from tcop_mock.reports.text import UNSAFE, Tone, counted, escaped, lines, named, one_line, paragraph, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Finding, Reproduction, Verdict
    from tcop_mock.reports.text import Line

MOST_FINDINGS = 5
_MOST_NAMED = 5
MOST_TITLE_CHARS = 300
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
    titles = [one_line(finding.title, MOST_TITLE_CHARS) for finding in result.findings]
    return f"{titles[0] if titles else result.clause.requirement}{_and_more(len(titles) - 1)}"


def broken(result: ClauseResult, width: int) -> list[Line]:
    """Return all that is to be said of one broken clause, beginning with its heading."""
    clause = result.clause
    out = [say(f"== {named(clause)} [{clause.level}] ==", Tone.HEADING)]
    out += paragraph(clause.requirement, width, _INDENT)
    for label, text in (("Why: ", clause.why), ("Fix: ", clause.fix), ("Source: ", clause.source)):
        out += paragraph(f"{label}{text}", width, _INDENT, _INDENT + " " * len("Why: "))
    for finding in result.findings[:MOST_FINDINGS]:
        out += [say(), *_finding(finding, width)]
    unseen = len(result.findings) - MOST_FINDINGS
    if unseen > 0:
        out += [say(), say(f"{_INDENT}… and {counted(unseen, 'more finding')}: the JSON report has them all.")]
    return [*out, say()]


def standing(finding: Finding) -> str:
    """Return what the baseline says of a finding; nothing where it does not list it."""
    known = finding.known
    if known is None:
        return ""
    since = f"known since {known.first_seen}"
    if finding.expired:
        return f"{since}, but only until {known.expires}: it counts again"
    if finding.beyond:
        names = "; ".join(finding.beyond[:_MOST_NAMED])
        return f"{since}, but not in {counted(len(finding.beyond), 'case')}{_and_so_on(finding.beyond)}: {names}"
    return f"{since}, until {known.expires}" if known.expires else since


def listed(verdict: Verdict, width: int) -> list[Line]:
    """Return the clauses that are broken in known ways only, and what the baseline lists in vain."""
    out: list[Line] = []
    for result in verdict.results:
        for finding in result.findings if result.result is Result.KNOWN else ():
            title = one_line(finding.title, MOST_TITLE_CHARS)
            out += paragraph(f"{named(result.clause)}: {title} ({standing(finding)})", width, "known: ", _INDENT)
    for text in stale(verdict):
        out += paragraph(one_line(text, MOST_TITLE_CHARS), width, "stale: ", _INDENT)
    return [*out, say()] if out else []


def stale(verdict: Verdict) -> list[str]:
    """Return a sentence for each finding that the baseline lists and that was not found any more, unescaped."""
    gone = verdict.baseline.stale if verdict.baseline else ()
    return [
        f"{one.clause} {one.cause or one.fingerprint} is not found any more; --baseline-prune takes it out"
        for one in gone
    ]


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    yield from paragraph(one_line(finding.title, MOST_TITLE_CHARS), width, f"{_INDENT}* ", _DEEPER)
    if finding.known:
        yield from paragraph(one_line(standing(finding), _MOST_DETAIL_CHARS), width, _DEEPER)
    for text in lines(finding.detail, _MOST_DETAIL_CHARS, _MOST_EVIDENCE_LINES):
        yield from paragraph(text, width, _DEEPER)
    if finding.shape is not None:
        yield from paragraph(f"Shape: {one_line(finding.shape, MOST_TITLE_CHARS)}", width, _DEEPER)
    yield say()
    for text in shown_evidence(finding):
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
    if reproduce.replay:
        yield from _command(reproduce.replay)
    yield say(END, Tone.FAINT)


def shown_evidence(finding: Finding) -> list[str]:
    """Return the request and the answer as printable lines, bounded."""
    return lines(finding.evidence, _MOST_EVIDENCE_CHARS, _MOST_EVIDENCE_LINES)


def shown_command(command: str) -> list[str]:
    """Return a command as printable lines; one that cannot be shown as it is, as comments of the shell."""
    if len(command) > _MOST_COMMAND_CHARS:
        return [f"# ({len(command)} characters, too long to show here: the JSON report has it)"]
    shown = command.split("\n")
    if any(UNSAFE.search(line) for line in shown):
        reason = "# (with characters that are shown as escapes: the JSON report has the exact command)"
        return [reason, *(f"# {escaped(line)}" for line in shown)]
    return shown


def _command(command: str) -> Iterator[Line]:
    return map(say, shown_command(command))


def _and_so_on(names: Sequence[str]) -> str:
    return f", {_MOST_NAMED} of which are" if len(names) > _MOST_NAMED else ""


def _and_more(number: int) -> str:
    return f" (and {counted(number, 'more finding')})" if number > 0 else ""
