"""What a check's reports say, line by line, and how each line is meant. Terminal and plain text only paint it."""

from __future__ import annotations

import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.model.verdict import ClauseResult, Finding, Result
from tcop_mock.report.safe import block, one_line
from tcop_mock.report.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.clause import Level
    from tcop_mock.model.verdict import Verdict

_WIDTH = 78
_MOST_EVIDENCE_CHARS = 8000
_MOST_LINE_CHARS = 600


class Tone(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    DOUBTFUL = "doubtful"
    QUIET = "quiet"
    HEAD = "head"


class Line(NamedTuple):
    """One line of a report, without its end."""

    text: str
    tone: Tone = Tone.PLAIN


_MARKS = {
    Result.PASS: ("pass ", Tone.GOOD),
    Result.FAIL: ("FAIL ", Tone.BAD),
    Result.ERROR: ("error", Tone.DOUBTFUL),
    Result.NOT_RUN: ("-    ", Tone.QUIET),
}
_STANDING_TONES = {Standing.KEPT: Tone.GOOD, Standing.BROKEN: Tone.BAD, Standing.UNJUDGED: Tone.DOUBTFUL}


def started(target: str, clauses: int, profile: str, seed: int) -> Line:
    """Say what is being judged."""
    return Line(f"{target}: {clauses} clauses, profile {profile}, seed {seed}", Tone.HEAD)


def result(item: ClauseResult) -> Iterator[Line]:
    """Say what became of a clause."""
    mark, tone = _MARKS[item.result]
    level = f"  [{item.clause.level}]" if item.result is Result.FAIL else ""
    yield Line(f"{mark} {item.clause.code} {item.clause.slug}{level}", tone)
    if item.reason:
        text = one_line(item.reason, _MOST_LINE_CHARS)
        for line in textwrap.wrap(text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6):
            yield Line(line, Tone.QUIET)


def finished(verdict: Verdict, fail_on: Level) -> Iterator[Line]:
    """Say what was found, what was assumed, and how the receiver stands."""
    for item in verdict.results:
        if item.findings:
            yield from _broken(item)
    yield Line("")
    yield Line("Assumed, because no source says it:", Tone.HEAD)
    for assumption in verdict.assumptions:
        yield from _wrapped(assumption, "  - ", "    ")
    how, sentence = standing(verdict, fail_on)
    tally = ", ".join(
        f"{verdict.count(kind)} {word}"
        for kind, word in (
            (Result.PASS, "passed"),
            (Result.FAIL, "failed"),
            (Result.ERROR, "errors"),
            (Result.NOT_RUN, "not run"),
        )
    )
    yield Line("")
    yield Line(f"{verdict.target}, profile {verdict.profile}, seed {verdict.seed}: {tally}")
    yield Line(f"{how.upper()}: {sentence}", _STANDING_TONES[how])


def _broken(item: ClauseResult) -> Iterator[Line]:
    clause = item.clause
    yield Line("")
    yield Line(f"{clause.code} {clause.slug} [{clause.level}]", Tone.BAD)
    yield from _wrapped(clause.requirement)
    for finding in item.findings:
        yield from _finding(finding)
    yield from _wrapped(f"Fix: {clause.fix}")
    yield Line(f"More: tcop-mock explain {clause.code}", Tone.QUIET)


def _finding(finding: Finding) -> Iterator[Line]:
    yield Line("")
    for line in _wrapped(one_line(finding.title, _MOST_LINE_CHARS), "* ", "  "):
        yield line._replace(tone=Tone.HEAD)
    yield from _wrapped(one_line(finding.detail, _MOST_LINE_CHARS), "  ", "  ")
    for text in block(finding.evidence, _MOST_EVIDENCE_CHARS).split("\n"):
        yield Line(f"  {text}", Tone.QUIET)
    yield Line("  See it again:", Tone.HEAD)
    # flush left and never wrapped: a here-document is copied as it stands
    for command in (finding.reproduce.curl, finding.reproduce.cli):
        yield from map(Line, command.split("\n"))
    yield Line("")


def _wrapped(text: str, first: str = "", rest: str = "") -> Iterator[Line]:
    for line in textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False):
        yield Line(line)
