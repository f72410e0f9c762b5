"""The ledger of a load: one JSON line per notification; the format is ``contracts/schemas/ledger.schema.json``."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import check_entry
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import NotificationKey, key_from_body
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.ledger import LedgerEntry
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TextIO

    from tcop_mock.domain.load import DeliveryRecord

VERSION = 1
SCHEMA = "ledger"
DROPPED = "dropped"
"""The outcome of a notification that was never sent."""
OUTCOMES = frozenset({DROPPED, *Outcome})
_STATES = frozenset({"", *State})
_MAX_LINE_BYTES = 64 * 1024 * 1024
_MAX_ATTEMPTS = 1_000_000
_MAX_TIME_S = 1e12
_DECIMALS = 6
_LINE_TYPES = {
    "version": int,
    "alarm": str,
    "object": str,
    "session": str,
    "state": str,
    "outcome": str,
    "attempts": int,
    "started_s": float,
    "ended_s": float,
}
"""The types of our own lines; other lines are checked against the schema, which is 50 times slower."""


def ledger_entry(delivery: DeliveryRecord) -> LedgerEntry:
    """Return the ledger entry of a notification; keys that the schedule lacks come from the body."""
    callback, attempts = delivery.callback, delivery.attempts
    key = NotificationKey(callback.alarm_key, callback.object_id, callback.session_id, callback.state)
    if not (key.alarm_key and key.object_id and key.session_id):
        key = key_from_body(callback.body)
    return LedgerEntry(
        key,
        outcome=attempts[-1].outcome.value if attempts else DROPPED,
        attempts=len(attempts),
        started_s=min((attempt.started_s for attempt in attempts), default=callback.at_s),
        ended_s=max((attempt.ended_s for attempt in attempts), default=callback.at_s),
    )


class Ledger:
    """Writes the ledger during a load and counts the attempts of each alarm.

    A write error does not stop the load; ``close`` raises it.

    Args:
        path: the file, which is overwritten; ``None`` to count attempts only.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._problem: OSError | None = None
        self._attempts = array("I")
        """Number of attempts plus 1 of each alarm, by its number; 0 for an alarm without a notification."""
        self._file: TextIO | None = None
        try:
            self._file = TextIOWrapper(BufferedWriter(FileIO(path, "w")), encoding="utf-8") if path else None
        except OSError as problem:
            raise _write_error(path, problem) from None

    def __call__(self, delivery: DeliveryRecord) -> None:
        """Record a notification."""
        alarm = delivery.callback.alarm_number
        if alarm >= 0:
            if alarm >= len(self._attempts):
                self._attempts.extend([0] * (alarm + 1 - len(self._attempts)))
            self._attempts[alarm] = (self._attempts[alarm] or 1) + len(delivery.attempts)
        if self._file is not None and self._problem is None:
            try:
                self._file.write(ledger_line(ledger_entry(delivery)))
            except OSError as problem:
                self._problem = problem

    @property
    def attempts(self) -> dict[int, int]:
        """The number of alarms by number of attempts, in ascending order."""
        return dict(sorted(Counter(number - 1 for number in self._attempts if number).items()))

    def close(self) -> None:
        """Close the file.

        Raises:
            UsageError: a line could not be written.
        """
        try:
            if self._file is not None:
                self._file.close()
        except OSError as problem:
            self._problem = self._problem or problem
        if self._problem is not None:
            raise _write_error(self._path, self._problem)


def _write_error(path: str | None, problem: OSError) -> UsageError:
    return UsageError(f"--ledger {path!r} cannot be written: {problem.strerror}")


def ledger_line(entry: LedgerEntry) -> str:
    """Return an entry as a line, including its line break."""
    alarm, object_id, session, state = entry.key
    row = {
        "version": VERSION,
        "alarm": alarm,
        "object": object_id,
        "session": session,
        "state": state,
        "outcome": entry.outcome,
        "attempts": entry.attempts,
        "started_s": round(entry.started_s, _DECIMALS),
        "ended_s": round(entry.ended_s, _DECIMALS),
    }
    return json.dumps(row) + "\n"


def read_ledger(stream: BinaryIO, name: str) -> Iterator[tuple[int, LedgerEntry]]:
    """Yield the entries of a ledger with their line numbers.

    Raises:
        EntryError: a line violates the schema.
        UsageError: a line is not a JSON object.
    """
    for number, row in read_json_lines(stream, name):
        if not _is_own_line(row):
            check_entry(f"{name}:{number}", row, SCHEMA)
        key = NotificationKey(row["alarm"], row["object"], row["session"], row["state"])
        yield number, LedgerEntry(key, row["outcome"], row["attempts"], row["started_s"], row["ended_s"])


def _is_own_line(row: dict[str, Any]) -> bool:
    """Return whether a line has the form that we write; other lines may be valid, too."""
    return (
        {key: type(value) for key, value in row.items()} == _LINE_TYPES
        and row["version"] == VERSION
        and row["outcome"] in OUTCOMES
        and row["state"] in _STATES
        and 0 <= row["attempts"] <= _MAX_ATTEMPTS
        and abs(row["started_s"]) <= _MAX_TIME_S
        and abs(row["ended_s"]) <= _MAX_TIME_S
        and bool(row["alarm"] and row["object"] and row["session"])
    )


def read_json_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects of a file with their line numbers; blank lines are skipped.

    Raises:
        UsageError: a line is not a JSON object.
    """
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE_BYTES + 1), b""), start=1):
        if not line.strip():
            continue
        location = f"{name}:{number}"
        if len(line) > _MAX_LINE_BYTES:
            raise UsageError(
                f"{location}: is longer than {_MAX_LINE_BYTES // 1024**2} MiB; write one JSON object a line"
            )
        try:
            row = json.loads(line)
        except UnicodeDecodeError as problem:
            raise UsageError(f"{location}: is not UTF-8 (byte {problem.start})") from None
        except (ValueError, RecursionError):
            truncation_note = "" if line.endswith(b"\n") else ", and has no end: was its writer stopped?"
            raise UsageError(f"{location}: is not JSON{truncation_note or '; write one JSON object a line'}") from None
        if not isinstance(row, dict):
            raise UsageError(f"{location}: is not a JSON object; write one a line")
        yield number, row
