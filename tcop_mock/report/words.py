"""What is said of a run, line by line: the one place that decides the words. ``text`` and ``live`` paint them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result
from tcop_mock.report import facts
from tcop_mock.report.columns import wrap
from tcop_mock.report.ruling import Ruling, counts, judged_a_must, rule
from tcop_mock.report.safe import counted, escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tcop_mock.model.clause import Clause
    from tcop_mock.model.events import RunStarted
    from tcop_mock.model.verdict import ClauseResult, Verdict

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
    for reason, codes in facts.left_out(results):
        text = f"not-run: {one_line(reason, MOST_REASON_CHARS)} ({', '.join(codes)})"
        label = LABELS[Result.NOT_RUN].ljust(_LABEL_WIDTH)
        out += [say(line, Tone.FAINT) for line in wrap(text, width, label, _HANGING)]
    return out


def ran(verdict: Verdict, width: int) -> list[Line]:
    """Return by whom, on what and when was judged; nothing where nobody looked at a clock."""
    if verdict.ran is None:
        return []
    told = dict(facts.rows(verdict))
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
