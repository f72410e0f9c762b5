"""Turns the events of a run into lines, in the order in which they are told."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tcop_mock.domain.contract import Level
from tcop_mock.domain.load_summary import LoadFinished, LoadStarted, LoadTicked
from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, Result, RunFinished, RunStarted
from tcop_mock.reports import load_text, text
from tcop_mock.reports.findings import broken, listed
from tcop_mock.reports.text import Line, Tone, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.load_summary import LoadEvent
    from tcop_mock.domain.verdict import ClauseResult, RunEvent, Verdict


class Narrator:
    """Tells one run: a line for each clause as it finishes, and the rest at the end."""

    def __init__(self, *, width: int, fail_on: Level = Level.MUST) -> None:
        """Tell it in lines of ``width`` columns; clauses down to ``fail_on`` decide on the run."""
        self._width, self._fail_on = width, fail_on
        self._told: set[str] = set()

    def tell(self, event: RunEvent) -> list[Line]:
        """Return the lines that an event is worth."""
        match event:
            case RunStarted():
                return text.started(event, self._width)
            case ClauseFinished(result):
                return self._clause(result)
            case RunFinished(verdict):
                return self._end(verdict)
            case _:
                return []

    def _clause(self, result: ClauseResult) -> list[Line]:
        if result.result is Result.NOT_RUN or result.clause.code in self._told:
            return []
        self._told.add(result.clause.code)
        return text.finished(result, self._width, self._fail_on)

    def _end(self, verdict: Verdict) -> list[Line]:
        """A run that was cut short has results that no event told of: they come first."""
        out = [line for result in verdict.results for line in self._clause(result)]
        out += text.left_out(verdict.results, self._width)
        out.append(text.say())
        for result in verdict.results:
            if result.result is Result.FAIL:
                out += broken(result, self._width)
        out += listed(verdict, self._width)
        out += [*text.assumed(verdict, self._width), *text.ran(verdict, self._width)]
        return [*out, *text.last(verdict, self._width, self._fail_on)]


WIDTH = 80


class TextReport:
    """Call it with each event of a run; it writes to ``stream``."""

    def __init__(self, stream: TextIO, *, fail_on: Level = Level.MUST, width: int = WIDTH) -> None:
        """Write prose in lines of ``width`` columns; evidence and commands are never wrapped."""
        self._stream = stream
        self._narrator = Narrator(width=width, fail_on=fail_on)

    def __call__(self, event: RunEvent) -> None:
        """Write what the event is worth, and flush it."""
        told = self._narrator.tell(event)
        if told:
            self._stream.write(writable("".join(f"{line}\n" for line in told), self._stream))
            self._stream.flush()


def whole_text(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return a finished run's report as a file has it."""
    stream = io.StringIO()
    report = TextReport(stream, fail_on=fail_on)
    clauses = tuple(item.clause for item in verdict.results)
    report(RunStarted(verdict.target, verdict.profile, verdict.seed, clauses))
    report(RunFinished(verdict))
    return stream.getvalue()


def writable(text: str, stream: TextIO) -> str:
    r"""Return ``text`` with what the stream's encoding cannot write as ``\u4e91``: a report must not end in a crash."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


Listener: TypeAlias = "Callable[[RunEvent], None]"

_DUMB = frozenset({"", "dumb", "unknown"})


@contextmanager
def terminal_report(stream: TextIO, *, fail_on: Level, environ: Mapping[str, str]) -> Iterator[Listener]:
    """Give the listener that suits ``stream``; when the block ends, however it ends, the terminal is as it was.

    Args:
        stream: where the report goes.
        fail_on: clauses down to this level decide on the run.
        environ: ``TERM``, and ``NO_COLOR`` (https://no-color.org: set and not empty).
    """
    if not is_live(stream, environ):
        yield TextReport(stream, fail_on=fail_on)
        return

    live = LiveReport(stream, fail_on=fail_on, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "").lower() not in _DUMB


LoadListener: TypeAlias = "Callable[[LoadEvent], None]"

_EVERY_S = 10


class LoadNarrator:
    """Turns the events of a load into lines: the head, a line each ``every_s`` seconds, the summary."""

    def __init__(self, *, width: int = WIDTH, every_s: int = _EVERY_S) -> None:
        """Tell it in lines of ``width`` columns; without lines in between where ``every_s`` is 0."""
        self._width, self._every_s = width, every_s
        self.duration_s: float | None = None
        self._said_s = 0.0

    def tell(self, event: LoadEvent) -> list[Line]:
        """Return the lines that an event is worth."""
        match event:
            case LoadStarted(plan):
                self.duration_s = plan.duration_s
                return load_text.started(plan, self._width)
            case LoadFinished(summary):
                return load_text.finished(summary, self._width)
            case _:
                return self._now_and_then(event)

    def _now_and_then(self, event: LoadTicked) -> list[Line]:
        until_s = event.point.at_s + event.point.span_s
        if not self._every_s or until_s - self._said_s < self._every_s:
            return []
        self._said_s = until_s
        return [say(load_text.progress(event, self.duration_s))]


class LoadText:
    """Call it with each event of a load; it writes plain lines to ``stream``."""

    def __init__(self, stream: TextIO, *, width: int = WIDTH) -> None:
        """Write in lines of ``width`` columns."""
        self._stream = stream
        self._narrator = LoadNarrator(width=width)

    def __call__(self, event: LoadEvent) -> None:
        """Write what the event is worth, and flush it."""
        told = self._narrator.tell(event)
        if told:
            self._stream.write(writable("".join(f"{line}\n" for line in told), self._stream))
            self._stream.flush()


@contextmanager
def load_report(stream: TextIO, *, environ: Mapping[str, str]) -> Iterator[LoadListener]:
    """Give the listener that suits ``stream``; when the block ends, however it ends, the terminal is as it was.

    Args:
        stream: where the report goes.
        environ: ``TERM``, and ``NO_COLOR``.
    """
    if not is_live(stream, environ):
        yield LoadText(stream)
        return

    live = LiveLoad(stream, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


_NARROWEST, _WIDEST = 40, 100

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "bold red",
    Tone.WARNING: "yellow",
    Tone.FAINT: "dim",
    Tone.HEADING: "bold",
}


class _Screen:
    """Lines that stay, above a line that changes and vanishes in the end."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, markup=False, emoji=False
        )
        self.width = min(max(self._console.width, _NARROWEST), _WIDEST)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def start(self) -> None:
        """Begin to show the line that changes."""
        self._live.start()

    def close(self) -> None:
        """Take the line that changes away and give the cursor back."""
        self._live.stop()

    def print(self, lines: Iterable[Line]) -> None:
        """Write lines that stay."""
        for line in lines:
            self._console.print(self._paint(line), soft_wrap=True)

    def show(self, line: str) -> None:
        """Change the line that changes, where there is one."""
        if self._live.is_started:
            text = Text(writable(line, self._stream), style="dim", no_wrap=True, overflow="ellipsis")
            self._live.update(text, refresh=True)

    def _paint(self, line: Line) -> Text:
        return Text.assemble(*((writable(text, self._stream), _STYLES[tone]) for text, tone in line.parts))


class LiveReport:
    """Call it with each event of a run, and ``close()`` it whatever became of the run."""

    def __init__(self, stream: TextIO, *, fail_on: Level = Level.MUST, colour: bool = True) -> None:
        """Write to ``stream``, which must be a terminal; without ``colour`` the progress and bold type stay."""
        self._screen = _Screen(stream, colour=colour)
        self._narrator = Narrator(width=self._screen.width, fail_on=fail_on)
        self._total = 0
        self._done: set[str] = set()
        self._running: dict[str, Clause] = {}

    def __call__(self, event: RunEvent) -> None:
        """Write what the event is worth above the line of progress, and bring that up to date."""
        self._follow(event)
        self._screen.print(self._narrator.tell(event))

    def close(self) -> None:
        """Take the line of progress away and give the cursor back."""
        self._screen.close()

    def _follow(self, event: RunEvent) -> None:
        match event:
            case RunStarted(clauses=clauses):
                self._total = len(clauses)
                self._screen.start()
            case ClauseStarted(clause):
                self._running[clause.code] = clause
            case ClauseFinished(result):
                self._running.pop(result.clause.code, None)
                self._done.add(result.clause.code)
            case _:
                self.close()
        self._screen.show(progress(len(self._done), self._total, list(self._running.values())))


class LiveLoad:
    """Call it with each event of a load, and ``close()`` it whatever became of the load."""

    def __init__(self, stream: TextIO, *, colour: bool = True) -> None:
        """Write to ``stream``, which must be a terminal."""
        self._screen = _Screen(stream, colour=colour)
        self._narrator = LoadNarrator(width=self._screen.width, every_s=0)

    def __call__(self, event: LoadEvent) -> None:
        """Show how the load stands; write its head and its summary."""
        if isinstance(event, LoadTicked):
            self._screen.show(load_text.progress(event, self._narrator.duration_s))
            return
        if isinstance(event, LoadFinished):
            self.close()
        self._screen.print(self._narrator.tell(event))
        if isinstance(event, LoadStarted):
            self._screen.start()

    def close(self) -> None:
        """Take the line of progress away and give the cursor back."""
        self._screen.close()
