"""The terminal twin of ``text``: the same lines in colour, and a line of progress that vanishes. The door of ``rich``.

Only ``rich.text.Text`` goes in, never a string, so nothing that a receiver sends is read as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tcop_mock.model.clause import Level
from tcop_mock.model.events import ClauseFinished, ClauseStarted, RunStarted
from tcop_mock.model.loaded import LoadFinished, LoadStarted, LoadTicked
from tcop_mock.report import load_words
from tcop_mock.report.load_text import LoadNarrator
from tcop_mock.report.narrator import Narrator
from tcop_mock.report.text import writable
from tcop_mock.report.words import Tone, progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.model.clause import Clause
    from tcop_mock.model.events import RunEvent
    from tcop_mock.model.loaded import LoadEvent
    from tcop_mock.report.words import Line

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
            self._screen.show(load_words.progress(event, self._narrator.duration_s))
            return
        if isinstance(event, LoadFinished):
            self.close()
        self._screen.print(self._narrator.tell(event))
        if isinstance(event, LoadStarted):
            self._screen.start()

    def close(self) -> None:
        """Take the line of progress away and give the cursor back."""
        self._screen.close()
