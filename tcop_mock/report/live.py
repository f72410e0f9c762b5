"""A check on a terminal: the same lines in colour, and a line of progress that vanishes. The door of ``rich``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tcop_mock.model.events import ClauseFinished, ClauseStarted, RunFinished, RunStarted
from tcop_mock.report import wording
from tcop_mock.report.wording import Tone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.model.clause import Level
    from tcop_mock.model.events import RunEvent

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "bold red",
    Tone.DOUBTFUL: "yellow",
    Tone.QUIET: "dim",
    Tone.HEAD: "bold",
}
_MOST_NAMED = 4


class LiveReport:
    """Paints what a run tells; texts are never read as markup.

    Args:
        fail_on: the least level that counts.
        console: where to.
    """

    def __init__(self, fail_on: Level, console: Console | None = None) -> None:
        self._fail_on = fail_on
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, transient=True, refresh_per_second=8)
        self._running: list[str] = []
        self._done = self._all = 0

    def __call__(self, event: RunEvent) -> None:
        """Take one event."""
        if isinstance(event, RunStarted):
            self._all = len(event.clauses)
            self._paint([wording.started(event.target, self._all, event.profile, event.seed)])
            self._live.start()
        elif isinstance(event, ClauseStarted):
            self._running.append(event.clause.code)
        elif isinstance(event, ClauseFinished):
            code = event.result.clause.code
            self._running = [running for running in self._running if running != code]
            self._done += 1
            self._paint(wording.result(event.result))
        elif isinstance(event, RunFinished):
            self._live.stop()
            self._paint(wording.finished(event.verdict, self._fail_on))
            return
        self._live.update(self._progress())

    def _progress(self) -> Text:
        named = " ".join(self._running[:_MOST_NAMED])
        more = f" and {len(self._running) - _MOST_NAMED} more" if len(self._running) > _MOST_NAMED else ""
        return Text(f"{self._done}/{self._all} clauses  {named}{more}", style="dim", no_wrap=True, overflow="ellipsis")

    def _paint(self, lines: Iterable[wording.Line]) -> None:
        for line in lines:
            self._console.print(Text(line.text, style=_STYLES[line.tone]), soft_wrap=True)
