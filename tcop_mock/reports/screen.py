"""Result of a check on one screen: counts by group, the first findings in short, the result, and the next command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.contract.clause_outcome import named_codes
from tcop_mock.domain.contract import Level, Prerequisite
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports import summary
from tcop_mock.reports.findings import MAX_TITLE_CHARS, baseline_status, command_lines, stale_entries
from tcop_mock.reports.summary import OverallResult, is_gating, overall_result, reason_text
from tcop_mock.reports.text import (
    LABELS,
    MAX_REASON_CHARS,
    WIDTH,
    Style,
    StyledLine,
    clause_label,
    error_paragraph,
    interrupted_lines,
    is_interrupted,
    note_lines,
    one_line,
    paragraph,
    pluralize,
    result_style,
    result_text,
    styled_line,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import ClauseResult, Finding, RunStarted, Verdict

_MAX_BLOCKS = 3
_MAX_STALE_ENTRIES = 3
_MAX_ERRORS = 3
"""Reasons of inconclusive clauses that are shown."""
_MAX_CODES = 5
_INDENT = "  "
_LABEL_WIDTH = len("should: ")
_HANGING = " " * (len(_INDENT) + _LABEL_WIDTH)
_LINE_CHARS = WIDTH - len(_HANGING)
_MAX_SENTENCE_CHARS = 3 * _LINE_CHARS
_REASONS_CHARS = 2 * WIDTH - len("Not run: .")
"""Two lines of reasons; longer ones are cut to the missing precondition."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_GROUPS = {
    "TCM1": ("TCM1", "requests and answers"),
    "TCM2": ("TCM2", "credentials"),
    "TCM3": ("TCM3", "forms of callbacks"),
    "TCM4": ("TCM4", "invalid requests"),
    "TCM5": ("TCM5-6", "effects and messages"),
    "TCM6": ("TCM5-6", "effects and messages"),
    "TCM7": ("TCM7", "the receiver's process"),
}
"""Codes and names of the groups of clauses, by the start of their codes."""
_OWN_GROUP = ("own", "clauses of your own")
_STATUS_WORDS = {
    ClauseStatus.PASS: "passed",
    ClauseStatus.FAIL: "failed",
    ClauseStatus.ERROR: "inconclusive",
    ClauseStatus.KNOWN: "known",
    ClauseStatus.NOT_RUN: "not run",
}


class _Block(NamedTuple):
    """One finding to show; a clause without findings is shown by its requirement."""

    result: ClauseResult
    finding: Finding | None


def header_lines(event: RunStarted, width: int) -> list[StyledLine]:
    """Return the first line: the receiver, the profile and the seed."""
    target = one_line(event.target, MAX_REASON_CHARS)
    text = f"tcop-mock {__version__} checks {target} (profile {event.profile}, seed {event.seed})"
    return paragraph(text, width, hanging=_INDENT)


def result_lines(verdict: Verdict, width: int, fail_on: Level, *, shows_commands: bool) -> list[StyledLine]:
    """Return the result of a finished check.

    Args:
        verdict: the results.
        width: columns; commands are never wrapped.
        fail_on: level down to which clauses decide the result.
        shows_commands: whether the commands that check the receiver again are shown.
    """
    blocks = _blocks(verdict)
    lines = [
        *_group_lines(verdict.results, width),
        *_skipped_lines(verdict.results, width),
        *_baseline_lines(verdict, width),
        *_error_lines(verdict.results, width, fail_on),
        *(line for line in note_lines(verdict, width) if str(line)),
    ]
    if blocks:
        lines += [styled_line(), *_findings_lines(blocks, width, fail_on, shows_commands=shows_commands)]
    lines += paragraph_of(result_text(verdict, fail_on), width, result_style(verdict, fail_on))
    return [*lines, *_next_lines(verdict, blocks, fail_on)]


def paragraph_of(text: str, width: int, style: Style) -> list[StyledLine]:
    """Return ``text`` in one style, wrapped to ``width`` columns."""
    return [styled_line(line, style) for line in wrap(text, width, hanging=_INDENT)]


def _group_lines(results: Sequence[ClauseResult], width: int) -> list[StyledLine]:
    """Return one line per group of clauses with the number of its clauses by status."""
    groups: dict[tuple[str, str], list[ClauseStatus]] = {}
    for result in results:
        key = _GROUPS.get(result.clause.code[:4], _OWN_GROUP) if result.clause.is_built_in else _OWN_GROUP
        groups.setdefault(key, []).append(result.status)
    code_width, name_width = (max((len(key[part]) for key in groups), default=0) for part in (0, 1))
    lines: list[StyledLine] = []
    for (code, name), statuses in sorted(groups.items()):
        counts = [f"{statuses.count(status)} {word}" for status, word in _STATUS_WORDS.items() if status in statuses]
        start = f"{_INDENT}{code:<{code_width}}  {name:<{name_width}}  "
        lines += paragraph(", ".join(counts), width, start, " " * len(start))
    return lines


def _skipped_lines(results: Sequence[ClauseResult], width: int) -> list[StyledLine]:
    """Return the reasons of the clauses that were not run with their numbers; long ones only name the precondition."""
    skipped = [result for result in results if result.status is ClauseStatus.NOT_RUN]
    if not skipped:
        return []
    text = _counted([reason_text(result) for result in skipped])
    if len(text) > _REASONS_CHARS:
        text = f"{_counted([_short_reason(result) for result in skipped])}; see -v"
    return paragraph_of(f"Not run: {text}.", width, Style.FAINT)


def _counted(reasons: Sequence[str]) -> str:
    return ", ".join(
        f"{one_line(reason, MAX_REASON_CHARS)} ({reasons.count(reason)})" for reason in dict.fromkeys(reasons)
    )


def _short_reason(result: ClauseResult) -> str:
    """Return the missing precondition, without the flag that provides it."""
    if result.missing and result.missing.kind is Prerequisite.PROFILE:
        return "another profile"
    reason = reason_text(result)
    return reason.partition(": ")[0] if reason.startswith("needs ") else reason


def _error_lines(results: Sequence[ClauseResult], width: int, fail_on: Level) -> list[StyledLine]:
    """Return the inconclusive clauses: those that a finding explains in one line, the others by reason."""
    failed = {result.clause.code for result in results if result.status in {ClauseStatus.FAIL, ClauseStatus.KNOWN}}
    causes: set[str] = set()
    explained: list[ClauseResult] = []
    by_reason: dict[str, list[ClauseResult]] = {}
    for result in results:
        if result.status is ClauseStatus.ERROR and not is_interrupted(result):
            reason = reason_text(result)
            named = failed.intersection(named_codes(reason))
            causes |= named
            (explained if named else by_reason.setdefault(reason, [])).append(result)
    lines = interrupted_lines(results)
    if explained:
        text = f"{pluralize(len(explained), 'clause')}: inconclusive because of {', '.join(sorted(causes))}"
        lines += error_paragraph(explained, text, width, fail_on)
    for reason, equal in list(by_reason.items())[:_MAX_ERRORS]:
        lines += error_paragraph(equal, f"{_short_labels(equal)}: {one_line(reason, _REASONS_CHARS)}", width, fail_on)
    others = [result for equal in list(by_reason.values())[_MAX_ERRORS:] for result in equal]
    if others:
        lines += error_paragraph(others, f"{pluralize(len(others), 'more clause')}; see -v", width, fail_on)
    return lines


def _short_labels(results: Sequence[ClauseResult]) -> str:
    """Return the clauses of some results; many are counted."""
    if len(results) == 1:
        return f"{clause_label(results[0].clause)} [{results[0].clause.level}]"
    codes = [result.clause.code for result in results]
    if len(codes) > _MAX_CODES:
        codes = [*codes[:_MAX_CODES], f"{len(codes) - _MAX_CODES} more"]
    return ", ".join(codes)


def _baseline_lines(verdict: Verdict, width: int) -> list[StyledLine]:
    """Return the clauses with known findings, and the first stale entries of the baseline."""
    known = [
        clause_label(result.clause)
        for result in verdict.results
        if any(not finding.is_gating for finding in result.findings)
    ]
    lines = paragraph(f"Known findings: {', '.join(known)}.", width, hanging=_INDENT) if known else []
    stale = stale_entries(verdict)
    for text in stale[:_MAX_STALE_ENTRIES]:
        lines += paragraph(one_line(text, MAX_TITLE_CHARS), width, "stale: ", _INDENT)
    if len(stale) > _MAX_STALE_ENTRIES:
        lines.append(styled_line(f"stale: {len(stale) - _MAX_STALE_ENTRIES} more"))
    return lines


def _blocks(verdict: Verdict) -> list[_Block]:
    """Return the findings that the baseline does not cover: those of must clauses first, then by code."""
    failed = [result for result in verdict.results if result.status is ClauseStatus.FAIL]
    failed.sort(key=lambda result: (list(Level).index(result.clause.level), result.clause.code))
    blocks: list[_Block] = []
    for result in failed:
        found = [_Block(result, finding) for finding in result.findings if finding.is_gating]
        blocks += found or [_Block(result, None)]
    return blocks


def _findings_lines(
    blocks: Sequence[_Block], width: int, fail_on: Level, *, shows_commands: bool
) -> Iterator[StyledLine]:
    """Yield the first findings, each followed by an empty line, and the clauses of the others."""
    explained: set[str] = set()
    for block in blocks[:_MAX_BLOCKS]:
        yield from _block_lines(block, width, fail_on)
        if block.result.clause.code not in explained:
            explained.add(block.result.clause.code)
            yield from _clause_lines(block, width, shows_commands=shows_commands)
        yield styled_line()
    others = blocks[_MAX_BLOCKS:]
    if others:
        yield styled_line(f"And {pluralize(len(others), 'more finding')}, which -v shows:")
        yield from _other_lines([block.result.clause for block in others], width)
        yield styled_line()


def _other_lines(clauses: Sequence[Clause], width: int) -> Iterator[StyledLine]:
    """Yield the clauses of the findings that are not shown, by level."""
    for level in dict.fromkeys(clause.level for clause in clauses):
        labels = [clause_label(clause) for clause in clauses if clause.level is level]
        names = ", ".join(
            f"{label} ({labels.count(label)})" if labels.count(label) > 1 else label for label in dict.fromkeys(labels)
        )
        yield from _field_lines(level, names, width)


def _block_lines(block: _Block, width: int, fail_on: Level) -> Iterator[StyledLine]:
    """Yield the finding and its location."""
    clause, finding = block.result.clause, block.finding
    title = finding.title if finding else clause.requirement
    text = f"{clause_label(clause)} [{clause.level}]: {one_line(title, MAX_TITLE_CHARS)}"
    label = LABELS[ClauseStatus.FAIL]
    first_line, *rest = wrap(text, width, hanging=_INDENT + " " * len(label), indent=f"{label} ")
    style = Style.BAD if is_gating(clause.level, fail_on) else Style.WARNING
    yield StyledLine.from_parts((label, style), (first_line.removeprefix(label), Style.PLAIN))
    yield from map(styled_line, rest)
    if finding:
        shape = finding.shape if finding.shape and finding.shape not in finding.extent else ""
        places = "; ".join(filter(None, (shape, finding.extent, baseline_status(finding))))
        yield from _field_lines("where", one_line(places, MAX_REASON_CHARS), width) if places else ()
        raised = next((one.attempt.detail for one in finding.exchanges[:1] if one.attempt.traceback), "")
        yield from _field_lines("raised", one_line(raised, MAX_TITLE_CHARS), width) if raised else ()


def _clause_lines(block: _Block, width: int, *, shows_commands: bool) -> Iterator[StyledLine]:
    """Yield why it matters, how to fix it, and the command that shows it again."""
    clause = block.result.clause
    yield from _field_lines("why", _first_sentences(clause.why, _LINE_CHARS), width)
    fixing = (block.finding.fix_clause if block.finding else None) or clause
    of_other = "" if fixing.code == clause.code else f"{clause_label(fixing)}: "
    text = _first_sentences(fixing.fix, 2 * _LINE_CHARS - len(of_other))
    yield from _field_lines("fix", f"{of_other}{text}", width)
    if block.finding and shows_commands:
        first_line, *rest = command_lines(f"{block.finding.reproduction.cli} -v")
        yield StyledLine.from_parts((_start("again"), Style.FAINT), (first_line, Style.PLAIN))
        yield from (styled_line(f"{_HANGING}{line}") for line in rest)


def _field_lines(label: str, text: str, width: int) -> Iterator[StyledLine]:
    start = _start(label)
    first_line, *rest = wrap(text, width, start, _HANGING)
    yield StyledLine.from_parts((start, Style.FAINT), (first_line.removeprefix(start), Style.PLAIN))
    yield from map(styled_line, rest)


def _start(label: str) -> str:
    return f"{_INDENT}{f'{label}:':<{_LABEL_WIDTH}}"


def _first_sentences(text: str, max_chars: int) -> str:
    """Return as many whole sentences as fit into ``max_chars``, at least the first."""
    first, *rest = _SENTENCE_END.split(text.strip())
    for sentence in rest:
        if len(first) + 1 + len(sentence) > max_chars:
            break
        first = f"{first} {sentence}"
    return one_line(first, _MAX_SENTENCE_CHARS)


def _next_lines(verdict: Verdict, blocks: Sequence[_Block], fail_on: Level) -> list[StyledLine]:
    """Return the next command. A contract that is kept as far as answers show has it in its sentence."""
    if blocks:
        return [_explain_line(blocks[0].result.clause)]
    if overall_result(verdict, fail_on) is OverallResult.KEPT and summary.coverage_text(verdict):
        return []
    return [styled_line("Next: -v prints each clause, and what the profile assumes.")]


def _explain_line(clause: Clause) -> StyledLine:
    command = f"tcop-mock explain {clause.code}" if clause.is_built_in else f"{clause.code} in its clause file"
    return styled_line(f"Next: {command}  (-v prints requests, answers and curl commands)")
