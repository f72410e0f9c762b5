"""Text of reports: safe, wrapped and styled lines, and the sentences about a check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TextIO

from tcop_mock._version import __version__
from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import INTERRUPTED, ClauseStatus
from tcop_mock.reports import summary
from tcop_mock.reports.summary import OverallResult, any_must_checked, is_gating, overall_result, reason_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import ClauseResult, RunStarted, Verdict


WIDTH = 80
"""Columns of a line without a terminal."""
_WORD = re.compile(r"\S+")


def display_width(text: str) -> int:
    """Return the columns of a line: wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - most lines are ASCII and need no tables

    return cell_len(text)


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns, at least one line.

    Consecutive blanks become one. A word that is too long for a line is broken only between wide characters, because
    Chinese has no blanks. A long URL or name stays whole and exceeds the width.

    Args:
        text: one paragraph.
        width: columns of a line, including the indent.
        indent: prefix of the first line.
        hanging: prefix of the other lines; by default ``indent``.
    """
    lines, line, is_empty = [], indent, True
    for piece, no_space in _unbreakable_pieces(text):
        gap = "" if is_empty or no_space else " "
        if not is_empty and display_width(line) + len(gap) + display_width(piece) > width:
            lines.append(line)
            line, gap = indent if hanging is None else hanging, ""
        line, is_empty = f"{line}{gap}{piece}", False
    return [*lines, line.rstrip()]


def _unbreakable_pieces(text: str) -> list[tuple[str, bool]]:
    """Return the pieces that must not be broken, each with whether it follows the previous one without a blank."""
    pieces: list[tuple[str, bool]] = []
    for word in _WORD.findall(text):
        joins_previous, narrow_run = False, ""
        for char in word:
            if display_width(char) > 1:
                pieces += [(narrow_run, joins_previous)] if narrow_run else []
                pieces.append((char, joins_previous or bool(narrow_run)))
                joins_previous, narrow_run = True, ""
            else:
                narrow_run += char
        pieces += [(narrow_run, joins_previous)] if narrow_run else []
    return pieces


# C0 with tab and line breaks, DEL, C1; invisible and direction-changing format characters (Unicode Cf, UAX #9), of
# except variation selectors; line and paragraph separators; lone surrogates; the two BMP non-characters.
UNSAFE_CHARACTERS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)


def pluralize(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 finding``, ``2 findings``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def escape_unsafe(text: str) -> str:
    """Return one line, with every unsafe character (also line breaks and tabs) as a visible escape."""
    return UNSAFE_CHARACTERS.sub(_escape_match, text)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` as one printable line.

    Args:
        text: any text.
        limit: maximum of characters shown; the rest is counted: ``… (12 more characters)``.
    """
    excess = len(text) - limit
    return (
        escape_unsafe(text)
        if excess <= 0
        else f"{escape_unsafe(text[:limit])}… ({pluralize(excess, 'more character')})"
    )


def printable_lines(text: str, limit: int, max_lines: int) -> list[str]:
    r"""Return ``text`` as printable lines, split only at ``\n``.

    Args:
        text: any text.
        limit: maximum of characters shown; the rest is counted, as in :func:`one_line`.
        max_lines: maximum of lines shown; the rest is counted: ``… (3 more lines)``.
    """
    excess = max(0, len(text) - limit)
    split_lines = text[: len(text) - excess].split("\n")
    printable = [escape_unsafe(line) for line in split_lines[:max_lines]]
    if len(split_lines) > max_lines:
        hidden_count = text.count("\n") + 1 - max_lines
        return [*printable, f"… ({pluralize(hidden_count, 'more line')})"]
    if excess:
        printable[-1] += f"… ({pluralize(excess, 'more character')})"
    return printable


def encodable(text: str, stream: TextIO) -> str:
    r"""Return ``text`` with an escape such as ``\u4e91`` for each character that the stream's encoding lacks."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escape_match(match: re.Match[str]) -> str:
    char = match.group()
    return char.encode("unicode_escape").decode("ascii")


MAX_REASON_CHARS = 500

LABELS = {
    ClauseStatus.PASS: "PASS",
    ClauseStatus.FAIL: "FAIL",
    ClauseStatus.ERROR: "ERROR",
    ClauseStatus.NOT_RUN: "--",
    ClauseStatus.KNOWN: "KNOWN",
}

_LABEL_WIDTH = 6

_HANGING = " " * _LABEL_WIDTH


class Style(Enum):
    """Meaning of a piece of a line; a console chooses its colour."""

    PLAIN = auto()
    GOOD = auto()
    BAD = auto()
    """A broken clause that decides the result."""
    WARNING = auto()
    """A broken clause that does not decide the result, or an inconclusive one."""
    FAINT = auto()
    HEADING = auto()


@dataclass(frozen=True, slots=True)
class StyledLine:
    """One printable line: pieces of text with their styles. It holds no control characters."""

    parts: tuple[tuple[str, Style], ...]

    @classmethod
    def from_parts(cls, *parts: tuple[str, Style]) -> StyledLine:
        """Return a line of these pieces, with unsafe characters escaped."""
        return cls(tuple((escape_unsafe(text), style) for text, style in parts if text))

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts)


def styled_line(text: str = "", style: Style = Style.PLAIN) -> StyledLine:
    """Return a line of one piece."""
    return StyledLine.from_parts((text, style))


def paragraph(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[StyledLine]:
    """Return ``text`` wrapped to ``width`` columns."""
    return [styled_line(line) for line in wrap(text, width, indent, hanging)]


def clause_label(clause: Clause) -> str:
    """Return code and slug of a clause."""
    return f"{clause.code} {clause.slug}"


def header_lines(event: RunStarted, width: int) -> list[StyledLine]:
    """Return the header of a report."""
    text = (
        f"tcop-mock {__version__} checks {one_line(event.target, MAX_REASON_CHARS)} against profile {event.profile}: "
        f"{pluralize(len(event.clauses), 'clause')}, seed {event.seed}"
    )
    return [*paragraph(text, width, hanging="  "), styled_line()]


def progress_line(finished_count: int, total: int, running: Sequence[Clause]) -> str:
    """Return the progress of a run, with the clause that has run longest."""
    line = f"{finished_count}/{total} clauses"
    if running:
        more = f" and {len(running) - 1} more" if len(running) > 1 else ""
        line += f", running: {clause_label(running[0])}{more}"
    return escape_unsafe(line)


def clause_lines(result: ClauseResult, width: int, fail_on: Level) -> list[StyledLine]:
    """Return the line of one clause that was run, wrapped to ``width`` columns."""
    label, style = LABELS[result.status], Style.GOOD
    text = clause_label(result.clause)
    if result.status is not ClauseStatus.PASS:
        is_bad = result.status is not ClauseStatus.KNOWN and is_gating(result.clause.level, fail_on)
        style = Style.BAD if is_bad else Style.WARNING
        text += f" [{result.clause.level}]"
    if reason_text(result):
        text += f": {one_line(reason_text(result), MAX_REASON_CHARS)}"
    first_line, *rest = wrap(text, width - _LABEL_WIDTH)
    return [
        StyledLine.from_parts((label, style), (" " * (_LABEL_WIDTH - len(label)) + first_line, Style.PLAIN)),
        *(styled_line(_HANGING + line) for line in rest),
    ]


def skipped_lines(results: Iterable[ClauseResult], width: int) -> list[StyledLine]:
    """Return the clauses that were not run, grouped by reason."""
    lines: list[StyledLine] = []
    for reason, codes in summary.skipped_clauses(results):
        text = f"not-run: {one_line(reason, MAX_REASON_CHARS)} ({', '.join(codes)})"
        label = LABELS[ClauseStatus.NOT_RUN].ljust(_LABEL_WIDTH)
        lines += [styled_line(line, Style.FAINT) for line in wrap(text, width, label, _HANGING)]
    return lines


def run_lines(verdict: Verdict, width: int) -> list[StyledLine]:
    """Return versions, catalogue and start of a run; nothing if the verdict does not have them."""
    if verdict.run_info is None:
        return []
    metadata = dict(summary.run_metadata(verdict))
    more_metadata = ". ".join(f"{name}: {metadata[name]}" for name in ("Libraries", "Catalogue", "Started"))
    text = f"{metadata['Checked by']}. {more_metadata}."
    return [*(styled_line(line, Style.FAINT) for line in wrap(one_line(text, len(text)), width)), styled_line()]


def assumption_lines(verdict: Verdict, width: int) -> list[StyledLine]:
    """Return the assumptions of the profile."""
    if not verdict.assumptions:
        return []
    heading = styled_line(f"Assumed by profile {verdict.profile}, because no source states it", Style.HEADING)
    return [
        heading,
        *(line for text in verdict.assumptions for line in paragraph(text, width, "- ", "  ")),
        styled_line(),
    ]


def note_lines(verdict: Verdict, width: int) -> list[StyledLine]:
    """Return the notes of a run."""
    lines = [
        line for note in verdict.notes for line in paragraph(one_line(note, MAX_REASON_CHARS), width, "note: ", "  ")
    ]
    return [*lines, styled_line()] if lines else []


def is_interrupted(result: ClauseResult) -> bool:
    """Return whether a clause has no result because the run was interrupted."""
    return result.status is ClauseStatus.ERROR and result.reason == INTERRUPTED


def error_lines(results: Sequence[ClauseResult], width: int, fail_on: Level) -> list[StyledLine]:
    """Return the inconclusive clauses; those with equal reasons, or interrupted, in one line."""
    by_reason: dict[str, list[ClauseResult]] = {}
    for result in results:
        if result.status is ClauseStatus.ERROR and not is_interrupted(result):
            by_reason.setdefault(reason_text(result), []).append(result)
    lines = interrupted_lines(results)
    for reason, equal in by_reason.items():
        if len(equal) == 1:
            lines += clause_lines(equal[0], width, fail_on)
            continue
        codes = ", ".join(result.clause.code for result in equal)
        text = f"{pluralize(len(equal), 'clause')}: {one_line(reason, MAX_REASON_CHARS)} ({codes})"
        lines += error_paragraph(equal, text, width, fail_on)
    return lines


def interrupted_lines(results: Sequence[ClauseResult]) -> list[StyledLine]:
    """Return the number of clauses that an interrupt ended; an empty text if there are none."""
    count = sum(map(is_interrupted, results))
    return [styled_line(f"Interrupted: {pluralize(count, 'clause')} inconclusive.")] if count else []


def error_paragraph(results: Sequence[ClauseResult], text: str, width: int, fail_on: Level) -> list[StyledLine]:
    """Return ``text`` about inconclusive clauses, behind the label of errors."""
    is_bad = any(is_gating(result.clause.level, fail_on) for result in results)
    first_line, *rest = wrap(text, width - _LABEL_WIDTH)
    label = LABELS[ClauseStatus.ERROR]
    return [
        StyledLine.from_parts(
            (label, Style.BAD if is_bad else Style.WARNING),
            (" " * (_LABEL_WIDTH - len(label)) + first_line, Style.PLAIN),
        ),
        *(styled_line(_HANGING + line) for line in rest),
    ]


def conclusion_lines(verdict: Verdict, width: int, fail_on: Level) -> list[StyledLine]:
    """Return the seed, and the last line with counts and result, which is never wrapped."""
    return [
        *paragraph(f"Seed {verdict.seed} sends the same requests again.", width),
        styled_line(result_text(verdict, fail_on), result_style(verdict, fail_on)),
    ]


def result_text(verdict: Verdict, fail_on: Level) -> str:
    """Return the number of clauses by status, and the overall result."""
    return f"{count_summary(verdict)}. {overall_sentence(verdict, fail_on)}"


def result_style(verdict: Verdict, fail_on: Level) -> Style:
    """Return the style of the overall result."""
    return {
        OverallResult.KEPT: Style.GOOD,
        OverallResult.BROKEN: Style.BAD,
        OverallResult.INCONCLUSIVE: Style.WARNING,
    }[overall_result(verdict, fail_on)]


def count_summary(verdict: Verdict) -> str:
    """Return the number of clauses by status."""
    passed, failed, errors, not_run = map(
        verdict.count, (ClauseStatus.PASS, ClauseStatus.FAIL, ClauseStatus.ERROR, ClauseStatus.NOT_RUN)
    )
    known = f", {verdict.count(ClauseStatus.KNOWN)} known" if verdict.baseline else ""
    return (
        f"{pluralize(len(verdict.results), 'clause')}: {passed} passed, {failed} failed, "
        f"{errors} inconclusive, {not_run} not run{known}"
    )


def overall_sentence(verdict: Verdict, fail_on: Level) -> str:
    """Return the overall result in one or two sentences."""
    overall = overall_result(verdict, fail_on)
    failed, inconclusive = (
        _counts_by_level(verdict, result, fail_on) for result in (ClauseStatus.FAIL, ClauseStatus.ERROR)
    )
    if overall is OverallResult.BROKEN:
        text = f"Broken: {failed[True]}."
    elif not any_must_checked(verdict):
        text = "Inconclusive: no must clause was checked."
    elif overall is OverallResult.INCONCLUSIVE:
        text = f"Inconclusive: {inconclusive[True]}."
    else:
        parts = ["The contract is kept", *filter(None, [summary.coverage_text(verdict)])]
        text = f"{' '.join(parts)}{', except for known findings' if verdict.count(ClauseStatus.KNOWN) else ''}."
    return f"{text} Broken but not counted: {failed[False]}." if failed[False] else text


def _counts_by_level(verdict: Verdict, result: ClauseStatus, fail_on: Level) -> dict[bool, str]:
    """Return ``1 must clause and 2 should clauses``, by whether the levels decide the result."""
    parts: dict[bool, list[str]] = {True: [], False: []}
    for level in Level:
        number = sum(one.status is result and one.clause.level is level for one in verdict.results)
        if number:
            parts[is_gating(level, fail_on)].append(pluralize(number, f"{level} clause"))
    return {gates: " and ".join(texts) for gates, texts in parts.items()}
