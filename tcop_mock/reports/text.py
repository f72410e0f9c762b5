"""What is said of a run, line by line: the one place that decides the words. ``text`` and ``live`` paint them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Result
from tcop_mock.reports import summary
from tcop_mock.reports.summary import Ruling, counts, judged_a_must, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import ClauseResult, RunStarted, Verdict


_WIDE = frozenset("WF")

_MARKS = frozenset({"Mn", "Me"})

_WORD = re.compile(r"\S+")


def columns(text: str) -> int:
    """Return how many columns a line takes (Unicode UAX #11: wide and full-width characters two, marks none)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns, at least one line.

    Blanks that follow each other become one. A word that is too long for a line is broken only between wide
    characters (Chinese has no blanks); a long URL or name stays whole and stands out.

    Args:
        text: one paragraph.
        width: columns of a line, the indent among them.
        indent: what the first line begins with.
        hanging: what the others begin with; ``indent`` where nothing is given.
    """
    out, line, empty = [], indent, True
    for piece, glued in _pieces(text):
        gap = "" if empty or glued else " "
        if not empty and columns(line) + len(gap) + columns(piece) > width:
            out.append(line)
            line, gap = indent if hanging is None else hanging, ""
        line, empty = f"{line}{gap}{piece}", False
    return [*out, line.rstrip()]


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Return what may not be broken, each with whether it follows the one before without a blank."""
    pieces: list[tuple[str, bool]] = []
    for word in _WORD.findall(text):
        glued, narrow = False, ""
        for char in word:
            if _columns(char) > 1:
                pieces += [(narrow, glued)] if narrow else []
                pieces.append((char, glued or bool(narrow)))
                glued, narrow = True, ""
            else:
                narrow += char
        pieces += [(narrow, glued)] if narrow else []
    return pieces


def _columns(char: str) -> int:
    if unicodedata.category(char) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


# C0 with tab and line breaks, DEL, C1; invisible and direction-changing format characters (Unicode Cf, UAX #9), of
# which variation selectors are none; line and paragraph separators; lone surrogates; the two BMP non-characters.
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 finding``, ``2 findings``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def escaped(text: str) -> str:
    """Return one line: every unsafe character, line breaks and tabs among them, as a visible escape."""
    return UNSAFE.sub(_escape, text)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` as one printable line.

    Args:
        text: anything.
        limit: how many of its characters are shown; the rest is counted: ``… (12 more characters)``.
    """
    more = len(text) - limit
    return escaped(text) if more <= 0 else f"{escaped(text[:limit])}… ({counted(more, 'more character')})"


def lines(text: str, limit: int, most_lines: int) -> list[str]:
    r"""Return ``text`` as printable lines, broken at ``\n`` alone.

    Args:
        text: anything.
        limit: how many of its characters are shown; the rest is counted, as in :func:`one_line`.
        most_lines: how many lines are shown; the rest is counted: ``… (3 more lines)``.
    """
    more = max(0, len(text) - limit)
    broken = text[: len(text) - more].split("\n")
    shown = [escaped(line) for line in broken[:most_lines]]
    if len(broken) > most_lines:
        unseen = text.count("\n") + 1 - most_lines
        return [*shown, f"… ({counted(unseen, 'more line')})"]
    if more:
        shown[-1] += f"… ({counted(more, 'more character')})"
    return shown


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return char.encode("unicode_escape").decode("ascii")


MOST_REASON_CHARS = 500

LABELS = {
    Result.PASS: "PASS",
    Result.FAIL: "FAIL",
    Result.ERROR: "ERROR",
    Result.NOT_RUN: "--",
    Result.KNOWN: "KNOWN",
}

_LABEL_WIDTH = 6

_HANGING = " " * _LABEL_WIDTH


class Tone(Enum):
    """What a piece of a line is, for those who paint."""

    PLAIN = auto()
    GOOD = auto()
    BAD = auto()
    """Broken, and it counts."""
    WARNING = auto()
    """Broken without counting, or not judged."""
    FAINT = auto()
    HEADING = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """One printable line: pieces of text, each with its tone. Nothing in it can act on a terminal."""

    parts: tuple[tuple[str, Tone], ...]

    @classmethod
    def of(cls, *parts: tuple[str, Tone]) -> Line:
        """Return a line of these pieces, with every unsafe character escaped."""
        return cls(tuple((escaped(text), tone) for text, tone in parts if text))

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts)


def say(text: str = "", tone: Tone = Tone.PLAIN) -> Line:
    """Return a line of one piece."""
    return Line.of((text, tone))


def paragraph(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[Line]:
    """Return ``text`` wrapped to ``width`` columns."""
    return [say(line) for line in wrap(text, width, indent, hanging)]


def named(clause: Clause) -> str:
    """Return a clause as people call it: code and slug."""
    return f"{clause.code} {clause.slug}"


def started(event: RunStarted, width: int) -> list[Line]:
    """Return the head of a report."""
    text = (
        f"tcop-mock {__version__} judges {one_line(event.target, MOST_REASON_CHARS)} by profile {event.profile}: "
        f"{counted(len(event.clauses), 'clause')}, seed {event.seed}"
    )
    return [*paragraph(text, width, hanging="  "), say()]


def progress(done: int, total: int, running: Sequence[Clause]) -> str:
    """Return how far a run is; of the clauses that are running, the one that began first is named."""
    line = f"{done}/{total} clauses"
    if running:
        more = f" and {len(running) - 1} more" if len(running) > 1 else ""
        line += f", running: {named(running[0])}{more}"
    return escaped(line)


def finished(result: ClauseResult, width: int, fail_on: Level) -> list[Line]:
    """Return the line of one clause that was run."""
    label, tone = LABELS[result.result], Tone.GOOD
    text = named(result.clause)
    if result.result is not Result.PASS:
        is_bad = result.result is not Result.KNOWN and counts(result.clause.level, fail_on)
        tone = Tone.BAD if is_bad else Tone.WARNING
        text += f" [{result.clause.level}]"
    if result.reason:
        text += f": {one_line(result.reason, MOST_REASON_CHARS)}"
    first, *rest = wrap(text, width - _LABEL_WIDTH)
    return [
        Line.of((label, tone), (" " * (_LABEL_WIDTH - len(label)) + first, Tone.PLAIN)),
        *(say(_HANGING + line) for line in rest),
    ]


def left_out(results: Iterable[ClauseResult], width: int) -> list[Line]:
    """Return the clauses that were not run, those of one reason together."""
    out: list[Line] = []
    for reason, codes in summary.left_out(results):
        text = f"not-run: {one_line(reason, MOST_REASON_CHARS)} ({', '.join(codes)})"
        label = LABELS[Result.NOT_RUN].ljust(_LABEL_WIDTH)
        out += [say(line, Tone.FAINT) for line in wrap(text, width, label, _HANGING)]
    return out


def ran(verdict: Verdict, width: int) -> list[Line]:
    """Return by whom, on what and when was judged; nothing where nobody looked at a clock."""
    if verdict.ran is None:
        return []
    told = dict(summary.rows(verdict))
    rest = ". ".join(f"{name}: {told[name]}" for name in ("Libraries", "Catalogue", "Started"))
    text = f"{told['Judged by']}. {rest}."
    return [*(say(line, Tone.FAINT) for line in wrap(one_line(text, len(text)), width)), say()]


def assumed(verdict: Verdict, width: int) -> list[Line]:
    """Return what this run took for granted because no source says it."""
    if not verdict.assumptions:
        return []
    heading = say(f"Assumed by profile {verdict.profile}, because no source says it", Tone.HEADING)
    return [heading, *(line for text in verdict.assumptions for line in paragraph(text, width, "- ", "  ")), say()]


def last(verdict: Verdict, width: int, fail_on: Level) -> list[Line]:
    """Return the seed, and the last line, which stays whole: the counts and what they amount to."""
    tone = {Ruling.KEPT: Tone.GOOD, Ruling.BROKEN: Tone.BAD, Ruling.UNJUDGED: Tone.WARNING}[rule(verdict, fail_on)]
    seed = f"Seed {verdict.seed}: with it the same requests are sent again."
    return [*paragraph(seed, width), say(f"{tally(verdict)}. {sentence(verdict, fail_on)}", tone)]


def tally(verdict: Verdict) -> str:
    """Return the counts."""
    passed, failed, errors, not_run = map(verdict.count, (Result.PASS, Result.FAIL, Result.ERROR, Result.NOT_RUN))
    known = f", {verdict.count(Result.KNOWN)} known" if verdict.baseline else ""
    return (
        f"{counted(len(verdict.results), 'clause')}: {passed} passed, {failed} failed, "
        f"{counted(errors, 'error')}, {not_run} not run{known}"
    )


def sentence(verdict: Verdict, fail_on: Level) -> str:
    """Return what the verdict amounts to, in a sentence or two."""
    ruling = rule(verdict, fail_on)
    broken, unjudged = (_of_levels(verdict, result, fail_on) for result in (Result.FAIL, Result.ERROR))
    if ruling is Ruling.BROKEN:
        said = f"Broken: {broken[True]}."
    elif not judged_a_must(verdict):
        said = "Undecided: no must clause was judged."
    elif ruling is Ruling.UNJUDGED:
        said = f"Undecided: {unjudged[True]} could not be judged."
    else:
        said = "The contract is kept."
        if verdict.count(Result.KNOWN):
            said = "The contract is kept but for what is known."
    return f"{said} Broken without counting: {broken[False]}." if broken[False] else said


def _of_levels(verdict: Verdict, result: Result, fail_on: Level) -> dict[bool, str]:
    """Return, for the levels that count and for those that do not: ``1 must clause and 2 should clauses``."""
    words: dict[bool, list[str]] = {True: [], False: []}
    for level in Level:
        number = sum(one.result is result and one.clause.level is level for one in verdict.results)
        if number:
            words[counts(level, fail_on)].append(counted(number, f"{level} clause"))
    return {side: " and ".join(said) for side, said in words.items()}
