"""Plain lines, for pipes, files, CI logs and dumb terminals: no colour, no cursor, each line as soon as it is known."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TextIO

from tcop_mock.model.clause import Level
from tcop_mock.model.events import RunFinished, RunStarted
from tcop_mock.report.narrator import Narrator

if TYPE_CHECKING:
    from tcop_mock.model.events import RunEvent
    from tcop_mock.model.verdict import Verdict

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
