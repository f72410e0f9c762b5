"""Who tells a run to a person: ``live`` on a terminal that can move its cursor, ``text`` everywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from tcop_mock.report.text import TextReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.model.clause import Level
    from tcop_mock.model.events import RunEvent

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
    from tcop_mock.report.live import LiveReport  # noqa: PLC0415 - rich is loaded for a terminal only

    live = LiveReport(stream, fail_on=fail_on, colour=not environ.get("NO_COLOR"))
    try:
        yield live
    finally:
        live.close()


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "").lower() not in _DUMB
