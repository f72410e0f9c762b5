"""Formatters: they turn the events of a check or a load into styled lines. Consoles print the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tcop_mock.domain.contract import Level
from tcop_mock.domain.load_summary import LoadFinished, LoadStarted, SecondElapsed
from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, ClauseStatus, RunFinished, RunStarted
from tcop_mock.reports import load_text, screen, text
from tcop_mock.reports.findings import clause_details, known_findings
from tcop_mock.reports.text import styled_line

if TYPE_CHECKING:
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.load_summary import LoadEvent
    from tcop_mock.domain.verdict import ClauseResult, RunEvent, Verdict
    from tcop_mock.reports.text import StyledLine

EventT_contra = TypeVar("EventT_contra", contravariant=True)

_PROGRESS_INTERVAL_S = 10
_GROUPED_STATUSES = frozenset({ClauseStatus.NOT_RUN, ClauseStatus.ERROR})
"""Statuses of clauses that are printed at the end, those with equal reasons in one line."""


class EventFormatter(Protocol[EventT_contra]):
    """Formatter of one run. A console calls each method that it needs once per event."""

    def format_event(self, event: EventT_contra, width: int) -> list[StyledLine]:
        """Return the lines that every console prints, wrapped to ``width`` columns."""

    def format_interval(self, event: EventT_contra) -> list[StyledLine]:
        """Return the progress lines that a console without live progress prints."""

    def progress_line(self, event: EventT_contra) -> str | None:
        """Return the progress for a live console, or ``None`` when the run has ended."""


class ConsoleFormatter:
    """Formatter of a check in full: one line per clause when it finishes, and all findings at the end."""

    def __init__(self, *, fail_on: Level = Level.MUST) -> None:
        """Create a formatter. Clauses down to ``fail_on`` decide the result of the run."""
        self._fail_on = fail_on
        self._reported_codes: set[str] = set()
        self._total = 0
        self._finished_codes: set[str] = set()
        self._skipped_codes: set[str] = set()
        self._running: dict[str, Clause] = {}

    def format_event(self, event: RunEvent, width: int) -> list[StyledLine]:
        """Return the header, the line of a finished clause, or the end of the report."""
        match event:
            case RunStarted():
                return text.header_lines(event, width)
            case ClauseFinished(result):
                return self._clause_lines(result, width)
            case RunFinished(verdict):
                return self._final_lines(verdict, width)
            case _:
                return []

    def format_interval(self, _event: RunEvent) -> list[StyledLine]:
        """Return nothing: the lines of the clauses are the progress."""
        return []

    def progress_line(self, event: RunEvent) -> str | None:
        """Return the number of finished clauses, of those that are run, and the clause that has run longest."""
        match event:
            case RunStarted(clauses=clauses):
                self._total = len(clauses)
            case ClauseStarted(clause):
                self._running[clause.code] = clause
            case ClauseFinished(result):
                self._running.pop(result.clause.code, None)
                is_run = result.status is not ClauseStatus.NOT_RUN
                (self._finished_codes if is_run else self._skipped_codes).add(result.clause.code)
            case _:
                return None
        total = self._total - len(self._skipped_codes)
        return text.progress_line(len(self._finished_codes), total, list(self._running.values()))

    def _clause_lines(self, result: ClauseResult, width: int) -> list[StyledLine]:
        if result.status in _GROUPED_STATUSES or result.clause.code in self._reported_codes:
            return []
        self._reported_codes.add(result.clause.code)
        return text.clause_lines(result, width, self._fail_on)

    def _final_lines(self, verdict: Verdict, width: int) -> list[StyledLine]:
        """Begin with the results that had no event; clauses that an interrupt ended are one line."""
        lines = [
            line
            for result in verdict.results
            if not text.is_interrupted(result)
            for line in self._clause_lines(result, width)
        ]
        lines += text.error_lines(verdict.results, width, self._fail_on)
        lines += text.skipped_lines(verdict.results, width)
        lines.append(styled_line())
        for result in verdict.results:
            if result.status is ClauseStatus.FAIL:
                lines += clause_details(result, width)
        lines += known_findings(verdict, width)
        lines += [*text.assumption_lines(verdict, width), *text.run_lines(verdict, width)]
        lines += text.note_lines(verdict, width)
        return [*lines, *text.conclusion_lines(verdict, width, self._fail_on)]


class ScreenFormatter(ConsoleFormatter):
    """Formatter of a check on one screen: at the end counts, the first findings in short, and the result."""

    def __init__(self, *, fail_on: Level = Level.MUST, shows_commands: bool = True) -> None:
        """Create a formatter.

        Args:
            fail_on: level down to which clauses decide the result of the run.
            shows_commands: whether the receiver is still there for the commands that check it again.
        """
        super().__init__(fail_on=fail_on)
        self._shows_commands = shows_commands

    def format_event(self, event: RunEvent, width: int) -> list[StyledLine]:
        """Return the header, or the whole result."""
        match event:
            case RunStarted():
                return screen.header_lines(event, width)
            case RunFinished(verdict):
                return screen.result_lines(verdict, width, self._fail_on, shows_commands=self._shows_commands)
            case _:
                return []


class LoadConsoleFormatter:
    """Formatter of a load: the header, a progress line every ten seconds, and the summary."""

    def __init__(self) -> None:
        self._duration_s: float | None = None
        self._last_printed_s = 0.0

    def format_event(self, event: LoadEvent, width: int) -> list[StyledLine]:
        """Return the header or the summary."""
        match event:
            case LoadStarted(plan):
                self._duration_s = plan.duration_s
                return load_text.header_lines(plan, width)
            case LoadFinished(summary):
                return load_text.summary_lines(summary, width)
            case _:
                return []

    def format_interval(self, event: LoadEvent) -> list[StyledLine]:
        """Return a progress line if ten seconds have passed since the last one."""
        if not isinstance(event, SecondElapsed):
            return []
        end_s = event.point.at_s + event.point.span_s
        if end_s - self._last_printed_s < _PROGRESS_INTERVAL_S:
            return []
        self._last_printed_s = end_s
        return [styled_line(load_text.progress_line(event, self._duration_s))]

    def progress_line(self, event: LoadEvent) -> str | None:
        """Return the rate and the counts of the last second."""
        match event:
            case SecondElapsed():
                return load_text.progress_line(event, self._duration_s)
            case LoadFinished():
                return None
            case _:
                return ""
