"""Which report a stream gets: painted on a terminal, plain everywhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from tcop_mock.report.text import TextReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.model.clause import Level
    from tcop_mock.model.events import RunEvent


def open_report(stream: TextIO, fail_on: Level, *, quiet: bool) -> Callable[[RunEvent], None]:
    """Return a listener for a stream; ``quiet`` leaves out progress and the clauses one by one."""
    if quiet or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return TextReport(stream, fail_on, results=not quiet)
    from tcop_mock.report.live import LiveReport  # noqa: PLC0415 - rich costs a piped run 60 ms for nothing

    return LiveReport(fail_on)
