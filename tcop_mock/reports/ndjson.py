"""NDJSON report: one event per line, ``run-started``, ``clause-started``, ``clause-finished`` and ``run-finished``.

Lines follow ``contracts/schemas/check-event.schema.json``. Each line is complete when it appears in the file, so the
file can be read during the run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, RunFinished, RunStarted
from tcop_mock.errors import UsageError
from tcop_mock.reports.files import require_writable
from tcop_mock.reports.json import VERSION, check_document, clause_document, json_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tcop_mock.domain.verdict import RunEvent, Verdict


def event_document(event: RunEvent) -> dict[str, Any]:
    """Return the document of an event. The last one holds the whole report, also after an interrupt."""
    match event:
        case RunStarted(target=target, profile=profile, seed=seed, clauses=clauses):
            codes = [clause.code for clause in clauses]
            return _event_record("run-started", target=target, profile=profile, seed=seed, clauses=codes)
        case ClauseStarted(clause):
            return _event_record("clause-started", code=clause.code)
        case ClauseFinished(result):
            return _event_record("clause-finished", clause=clause_document(result))
        case _:
            return _event_record("run-finished", report=check_document(event.verdict))


def render_ndjson(verdict: Verdict) -> str:
    """Return the lines of a finished run, without ``clause-started`` events."""
    clauses = tuple(result.clause for result in verdict.results)
    started = RunStarted(verdict.target, verdict.profile, verdict.seed, clauses)
    return "".join(json_line(event_document(event)) for event in (started, *_finished_events(verdict)))


def _finished_events(verdict: Verdict) -> Iterator[RunEvent]:
    yield from map(ClauseFinished, verdict.results)
    yield RunFinished(verdict)


def _event_record(event_name: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return {"version": VERSION, "event": event_name, **values}


class NdjsonFile:
    """Event listener that writes a file during the run. Call ``close()`` at the end, also after an error.

    Args:
        path: path of the file, which is emptied.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        try:
            self._file = os.open(require_writable(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as problem:
            raise UsageError(f"report {str(path)!r} cannot be written: {problem.strerror or problem}") from None

    def __call__(self, event: RunEvent) -> None:
        """Write the line of the event.

        Raises:
            UsageError: the file cannot be written.
        """
        self._write(event_document(event))

    def fail(self, message: str) -> None:
        """Write that the run could not start or was aborted, and why."""
        self._write(_event_record("run-failed", message=message))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, document: dict[str, Any]) -> None:
        line = json_line(document).encode()
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as problem:
            raise UsageError(f"report {str(self._path)!r} cannot be written: {problem.strerror or problem}") from None
