"""Turns the events of a run into lines, in the order in which they are told."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tcop_mock.domain.contract import Level
from tcop_mock.domain.load_summary import LoadFinished, LoadStarted, SecondElapsed
from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, ClauseStatus, RunFinished, RunStarted
from tcop_mock.reports import load_text, text
from tcop_mock.reports.findings import clause_details, known_findings
from tcop_mock.reports.text import Style, StyledLine, progress_line, styled_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.load_summary import LoadEvent
    from tcop_mock.domain.verdict import ClauseResult, RunEvent, Verdict


class ConsoleFormatter:
    """Tells one run: a line for each clause as it finishes, and the rest at the end."""

    def __init__(self, *, width: int, fail_on: Level = Level.MUST) -> None:
        """Tell it in lines of ``width`` columns; clauses down to ``fail_on`` decide on the run."""
        self._width, self._fail_on = width, fail_on
        self._reported_codes: set[str] = set()

    def format_event(self, event: RunEvent) -> list[StyledLine]:
        """Return the lines that an event is worth."""
        match event:
            case RunStarted():
                return text.header_lines(event, self._width)
            case ClauseFinished(result):
                return self._clause_lines(result)
            case RunFinished(verdict):
                return self._final_lines(verdict)
            case _:
                return []

    def _clause_lines(self, result: ClauseResult) -> list[StyledLine]:
        if result.status is ClauseStatus.NOT_RUN or result.clause.code in self._reported_codes:
            return []
        self._reported_codes.add(result.clause.code)
        return text.clause_lines(result, self._width, self._fail_on)

    def _final_lines(self, verdict: Verdict) -> list[StyledLine]:
        """A run that was cut short has results that no event told of: they come first."""
        lines = [line for result in verdict.results for line in self._clause_lines(result)]
        lines += text.skipped_lines(verdict.results, self._width)
        lines.append(text.styled_line())
        for result in verdict.results:
            if result.status is ClauseStatus.FAIL:
                lines += clause_details(result, self._width)
        lines += known_findings(verdict, self._width)
        lines += [*text.assumption_lines(verdict, self._width), *text.run_lines(verdict, self._width)]
        return [*lines, *text.conclusion_lines(verdict, self._width, self._fail_on)]


WIDTH = 80


class PlainConsole:
    """Call it with each event of a run; it writes to ``stream``."""

    def __init__(self, stream: TextIO, *, fail_on: Level = Level.MUST, width: int = WIDTH) -> None:
        """Write prose in lines of ``width`` columns; evidence and commands are never wrapped."""
        self._stream = stream
        self._formatter = ConsoleFormatter(width=width, fail_on=fail_on)

    def __call__(self, event: RunEvent) -> None:
        """Write what the event is worth, and flush it."""
        lines = self._formatter.format_event(event)
        if lines:
            self._stream.write(encodable("".join(f"{line}\n" for line in lines), self._stream))
            self._stream.flush()


def render_text(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return a finished run's report as a file has it."""
    stream = io.StringIO()
    console = PlainConsole(stream, fail_on=fail_on)
    clauses = tuple(item.clause for item in verdict.results)
    console(RunStarted(verdict.target, verdict.profile, verdict.seed, clauses))
    console(RunFinished(verdict))
    return stream.getvalue()


def encodable(text: str, stream: TextIO) -> str:
    r"""Return ``text`` with what the stream's encoding cannot write as ``\u4e91``: a report must not end in a crash."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


EventListener: TypeAlias = "Callable[[RunEvent], None]"

_DUMB_TERMINALS = frozenset({"", "dumb", "unknown"})


@contextmanager
def console_for_run(stream: TextIO, *, fail_on: Level, environ: Mapping[str, str]) -> Iterator[EventListener]:
    """Give the listener that suits ``stream``; when the block ends, however it ends, the terminal is as it was.

    Args:
        stream: where the report goes.
        fail_on: clauses down to this level decide on the run.
        environ: ``TERM``, and ``NO_COLOR`` (https://no-color.org: set and not empty).
    """
    if not is_live(stream, environ):
        yield PlainConsole(stream, fail_on=fail_on)
        return

    live = LiveConsole(stream, fail_on=fail_on, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "").lower() not in _DUMB_TERMINALS


LoadEventListener: TypeAlias = "Callable[[LoadEvent], None]"

_PROGRESS_INTERVAL_S = 10


class LoadConsoleFormatter:
    """Turns the events of a load into lines: the head, a line each ``interval_s`` seconds, the summary."""

    def __init__(self, *, width: int = WIDTH, interval_s: int = _PROGRESS_INTERVAL_S) -> None:
        """Tell it in lines of ``width`` columns; without lines in between where ``interval_s`` is 0."""
        self._width, self._interval_s = width, interval_s
        self.duration_s: float | None = None
        self._last_printed_s = 0.0

    def format_event(self, event: LoadEvent) -> list[StyledLine]:
        """Return the lines that an event is worth."""
        match event:
            case LoadStarted(plan):
                self.duration_s = plan.duration_s
                return load_text.header_lines(plan, self._width)
            case LoadFinished(summary):
                return load_text.summary_lines(summary, self._width)
            case _:
                return self._progress_lines(event)

    def _progress_lines(self, event: SecondElapsed) -> list[StyledLine]:
        end_s = event.point.at_s + event.point.span_s
        if not self._interval_s or end_s - self._last_printed_s < self._interval_s:
            return []
        self._last_printed_s = end_s
        return [styled_line(load_text.progress_line(event, self.duration_s))]


class PlainLoadConsole:
    """Call it with each event of a load; it writes plain lines to ``stream``."""

    def __init__(self, stream: TextIO, *, width: int = WIDTH) -> None:
        """Write in lines of ``width`` columns."""
        self._stream = stream
        self._formatter = LoadConsoleFormatter(width=width)

    def __call__(self, event: LoadEvent) -> None:
        """Write what the event is worth, and flush it."""
        lines = self._formatter.format_event(event)
        if lines:
            self._stream.write(encodable("".join(f"{line}\n" for line in lines), self._stream))
            self._stream.flush()


@contextmanager
def console_for_load(stream: TextIO, *, environ: Mapping[str, str]) -> Iterator[LoadEventListener]:
    """Give the listener that suits ``stream``; when the block ends, however it ends, the terminal is as it was.

    Args:
        stream: where the report goes.
        environ: ``TERM``, and ``NO_COLOR``.
    """
    if not is_live(stream, environ):
        yield PlainLoadConsole(stream)
        return

    live = LiveLoadConsole(stream, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


_MIN_WIDTH, _MAX_WIDTH = 40, 100

_RICH_STYLES = {
    Style.PLAIN: "",
    Style.GOOD: "green",
    Style.BAD: "bold red",
    Style.WARNING: "yellow",
    Style.FAINT: "dim",
    Style.HEADING: "bold",
}


class _LiveDisplay:
    """Lines that stay, above a line that changes and vanishes in the end."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, markup=False, emoji=False
        )
        self.width = min(max(self._console.width, _MIN_WIDTH), _MAX_WIDTH)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def start(self) -> None:
        """Begin to show the line that changes."""
        self._live.start()

    def close(self) -> None:
        """Take the line that changes away and give the cursor back."""
        self._live.stop()

    def print(self, lines: Iterable[StyledLine]) -> None:
        """Write lines that stay."""
        for line in lines:
            self._console.print(self._to_rich_text(line), soft_wrap=True)

    def update_progress(self, line: str) -> None:
        """Change the line that changes, where there is one."""
        if self._live.is_started:
            text = Text(encodable(line, self._stream), style="dim", no_wrap=True, overflow="ellipsis")
            self._live.update(text, refresh=True)

    def _to_rich_text(self, line: StyledLine) -> Text:
        return Text.assemble(*((encodable(text, self._stream), _RICH_STYLES[style]) for text, style in line.parts))


class LiveConsole:
    """Call it with each event of a run, and ``close()`` it whatever became of the run."""

    def __init__(self, stream: TextIO, *, fail_on: Level = Level.MUST, colour: bool = True) -> None:
        """Write to ``stream``, which must be a terminal; without ``colour`` the progress and bold type stay."""
        self._display = _LiveDisplay(stream, colour=colour)
        self._formatter = ConsoleFormatter(width=self._display.width, fail_on=fail_on)
        self._total = 0
        self._finished_codes: set[str] = set()
        self._running: dict[str, Clause] = {}

    def __call__(self, event: RunEvent) -> None:
        """Write what the event is worth above the line of progress, and bring that up to date."""
        self._update_progress(event)
        self._display.print(self._formatter.format_event(event))

    def close(self) -> None:
        """Take the line of progress away and give the cursor back."""
        self._display.close()

    def _update_progress(self, event: RunEvent) -> None:
        match event:
            case RunStarted(clauses=clauses):
                self._total = len(clauses)
                self._display.start()
            case ClauseStarted(clause):
                self._running[clause.code] = clause
            case ClauseFinished(result):
                self._running.pop(result.clause.code, None)
                self._finished_codes.add(result.clause.code)
            case _:
                self.close()
        self._display.update_progress(
            progress_line(len(self._finished_codes), self._total, list(self._running.values()))
        )


class LiveLoadConsole:
    """Call it with each event of a load, and ``close()`` it whatever became of the load."""

    def __init__(self, stream: TextIO, *, colour: bool = True) -> None:
        """Write to ``stream``, which must be a terminal."""
        self._display = _LiveDisplay(stream, colour=colour)
        self._formatter = LoadConsoleFormatter(width=self._display.width, interval_s=0)

    def __call__(self, event: LoadEvent) -> None:
        """Show how the load stands; write its head and its summary."""
        if isinstance(event, SecondElapsed):
            self._display.update_progress(load_text.progress_line(event, self._formatter.duration_s))
            return
        if isinstance(event, LoadFinished):
            self.close()
        self._display.print(self._formatter.format_event(event))
        if isinstance(event, LoadStarted):
            self._display.start()

    def close(self) -> None:
        """Take the line of progress away and give the cursor back."""
        self._display.close()
