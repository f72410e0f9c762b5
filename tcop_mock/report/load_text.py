"""Who tells a load to a person: lines that stay for a pipe, and with a line of progress on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from tcop_mock.model.loaded import LoadFinished, LoadStarted, LoadTicked
from tcop_mock.report import load_words
from tcop_mock.report.terminal import is_live
from tcop_mock.report.text import WIDTH, writable
from tcop_mock.report.words import Line, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.model.loaded import LoadEvent

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
                return load_words.started(plan, self._width)
            case LoadFinished(summary):
                return load_words.finished(summary, self._width)
            case _:
                return self._now_and_then(event)

    def _now_and_then(self, event: LoadTicked) -> list[Line]:
        until_s = event.point.at_s + event.point.span_s
        if not self._every_s or until_s - self._said_s < self._every_s:
            return []
        self._said_s = until_s
        return [say(load_words.progress(event, self.duration_s))]


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
    from tcop_mock.report.live import LiveLoad  # noqa: PLC0415 - rich is loaded for a terminal only

    live = LiveLoad(stream, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()
