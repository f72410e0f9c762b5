"""A check in plain lines: for pipes, logs and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from tcop_mock.model.events import ClauseFinished, RunFinished, RunStarted
from tcop_mock.report import wording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.model.clause import Level
    from tcop_mock.model.events import RunEvent


class TextReport:
    """Writes what a run tells as it comes.

    Args:
        stream: where to.
        fail_on: the least level that counts.
        results: also the clauses one by one, not only what was found.
    """

    def __init__(self, stream: TextIO, fail_on: Level, *, results: bool = True) -> None:
        self._stream = stream
        self._fail_on = fail_on
        self._results = results

    def __call__(self, event: RunEvent) -> None:
        """Take one event."""
        if isinstance(event, RunStarted) and self._results:
            self._write([wording.started(event.target, len(event.clauses), event.profile, event.seed)])
        elif isinstance(event, ClauseFinished) and self._results:
            self._write(wording.result(event.result))
        elif isinstance(event, RunFinished):
            self._write(wording.finished(event.verdict, self._fail_on))

    def _write(self, lines: Iterable[wording.Line]) -> None:
        for line in lines:
            self._stream.write(f"{line.text}\n")
        self._stream.flush()
