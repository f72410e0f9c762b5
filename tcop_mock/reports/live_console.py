"""Live console: prints lines above one progress line, on a terminal that can move its cursor. Imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TextIO, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tcop_mock.reports.text import Style, encodable

if TYPE_CHECKING:
    from tcop_mock.reports.console_formatters import EventFormatter
    from tcop_mock.reports.text import StyledLine

EventT = TypeVar("EventT")

_MIN_WIDTH, _MAX_WIDTH = 40, 100
_RICH_STYLES = {
    Style.PLAIN: "",
    Style.GOOD: "green",
    Style.BAD: "bold red",
    Style.WARNING: "yellow",
    Style.FAINT: "dim",
    Style.HEADING: "bold",
}


class LiveConsole(Generic[EventT]):
    """Event listener that prints to a terminal. Call ``close()`` at the end, also after an error."""

    def __init__(self, stream: TextIO, formatter: EventFormatter[EventT], *, colour: bool = True) -> None:
        """Print to ``stream``, a terminal. Without ``colour``, bold type and the progress line remain."""
        self._stream, self._formatter = stream, formatter
        self._console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, markup=False, emoji=False
        )
        self._width = min(max(self._console.width, _MIN_WIDTH), _MAX_WIDTH)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def __call__(self, event: EventT) -> None:
        """Update the progress line, and print the lines of the event above it."""
        progress = self._formatter.progress_line(event)
        if progress is None:
            self.close()
        else:
            self._live.start()
            progress_text = Text(encodable(progress, self._stream), style="dim", no_wrap=True, overflow="ellipsis")
            self._live.update(progress_text, refresh=True)
        for line in self._formatter.format_event(event, self._width):
            self._console.print(self._to_rich_text(line), soft_wrap=True)

    def close(self) -> None:
        """Erase the progress line and show the cursor."""
        self._live.stop()

    def _to_rich_text(self, line: StyledLine) -> Text:
        return Text.assemble(*((encodable(text, self._stream), _RICH_STYLES[style]) for text, style in line.parts))
