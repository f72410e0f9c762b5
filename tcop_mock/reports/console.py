"""Console: prints a check or a load as it runs, live on an interactive terminal and as plain lines otherwise."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TextIO, TypeAlias, TypeVar

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import RunFinished, RunStarted
from tcop_mock.reports.console_formatters import ConsoleFormatter
from tcop_mock.reports.text import WIDTH, encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.domain.verdict import RunEvent, Verdict
    from tcop_mock.reports.console_formatters import EventFormatter

EventT = TypeVar("EventT")
EventListener: TypeAlias = "Callable[[RunEvent], None]"

UNWRAPPED = 1_000_000
"""Width of a pipe or file: programs search it by line, and viewers wrap it."""
_DUMB_TERMINALS = frozenset({"", "dumb", "unknown"})


class PlainConsole(Generic[EventT]):
    """Event listener that writes plain lines to a stream."""

    def __init__(self, stream: TextIO, formatter: EventFormatter[EventT], *, width: int = WIDTH) -> None:
        """Write lines of ``width`` columns. Evidence and commands are never wrapped."""
        self._stream, self._formatter, self._width = stream, formatter, width

    def __call__(self, event: EventT) -> None:
        """Write and flush the lines of the event."""
        lines = [*self._formatter.format_event(event, self._width), *self._formatter.format_interval(event)]
        if lines:
            self._stream.write(encodable("".join(f"{line}\n" for line in lines), self._stream))
            self._stream.flush()


@contextmanager
def console_for(
    stream: TextIO, formatter: EventFormatter[EventT], environ: Mapping[str, str]
) -> Iterator[Callable[[EventT], None]]:
    """Yield the event listener that suits ``stream``, and restore the terminal at the end, also after an error.

    Args:
        stream: destination of the lines.
        formatter: formatter of the run.
        environ: environment; ``TERM`` and ``NO_COLOR`` are read (https://no-color.org: set and not empty).
    """
    if not is_live(stream, environ):
        yield PlainConsole(stream, formatter, width=WIDTH if stream.isatty() else UNWRAPPED)
        return

    from tcop_mock.reports.live_console import LiveConsole  # noqa: PLC0415 - only a live terminal needs rich

    live = LiveConsole(stream, formatter, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "").lower() not in _DUMB_TERMINALS


def render_text(verdict: Verdict, *, fail_on: Level = Level.MUST) -> str:
    """Return the text report of a finished check."""
    stream = io.StringIO()
    console = PlainConsole(stream, ConsoleFormatter(fail_on=fail_on))
    clauses = tuple(item.clause for item in verdict.results)
    console(RunStarted(verdict.target, verdict.profile, verdict.seed, clauses))
    console(RunFinished(verdict))
    return stream.getvalue()
