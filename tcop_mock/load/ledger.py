"""The ledger of a run: a line of JSON for each notification, closed by ``contracts/schemas/ledger.schema.json``."""

from __future__ import annotations

import json
from collections import Counter
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import check_entry
from tcop_mock.domain.alarm import State
from tcop_mock.domain.callback_view import Identity, identity_of
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.ledger import Entry
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TextIO

    from tcop_mock.domain.load import Notified

VERSION = 1
SCHEMA = "ledger"
DROPPED = "dropped"
"""The outcome of a notification that was due and never sent."""
OUTCOMES = frozenset({DROPPED, *Outcome})
_STATES = frozenset({"", *State})
_MOST_BYTES = 64 * 1024 * 1024
_MOST_ATTEMPTS = 1_000_000
_MOST_S = 1e12
_DECIMALS = 6
_SHAPE = {
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
"""What a line of ours has; what has something else is held to the schema, which costs 50 times as much."""


def entry_of(notified: Notified) -> Entry:
    """Return the line of a notification; what its body says fills in what its script does not."""
    due, pushes = notified.due, notified.pushes
    identity = Identity(due.alarm, due.object_id, due.session_id, due.state)
    if not (identity.alarm and identity.object and identity.session):
        identity = identity_of(due.body)
    return Entry(
        identity,
        outcome=pushes[-1].outcome.value if pushes else DROPPED,
        attempts=len(pushes),
        started_s=min((one.started_s for one in pushes), default=due.at_s),
        ended_s=max((one.ended_s for one in pushes), default=due.at_s),
    )


class Ledger:
    """A ledger that is written while a load runs, and how many attempts each alarm has taken.

    What goes wrong with the file is kept until the end: a load is not broken off for it.

    Args:
        path: of the file, which is emptied; none where only attempts are counted.

    Raises:
        UsageError: it cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._problem: OSError | None = None
        self._attempts: Counter[str] = Counter()
        self._file: TextIO | None = None
        try:
            self._file = TextIOWrapper(BufferedWriter(FileIO(path, "w")), encoding="utf-8") if path else None
        except OSError as problem:
            raise _unwritable(path, problem) from None

    def __call__(self, notified: Notified) -> None:
        """Take what became of a notification."""
        if notified.due.alarm:
            self._attempts[notified.due.alarm] += len(notified.pushes)
        if self._file is not None and self._problem is None:
            try:
                self._file.write(ledger_line(entry_of(notified)))
            except OSError as problem:
                self._problem = problem

    @property
    def attempts(self) -> dict[int, int]:
        """How many alarms took how many attempts, in rising order."""
        return dict(sorted(Counter(self._attempts.values()).items()))

    def close(self) -> None:
        """Write what is left.

        Raises:
            UsageError: not all could be written.
        """
        try:
            if self._file is not None:
                self._file.close()
        except OSError as problem:
            self._problem = self._problem or problem
        if self._problem is not None:
            raise _unwritable(self._path, self._problem)


def _unwritable(path: str | None, problem: OSError) -> UsageError:
    return UsageError(f"--ledger {path!r} cannot be written: {problem.strerror}")


def ledger_line(entry: Entry) -> str:
    """Return a line of a ledger, with its end."""
    alarm, thing, session, state = entry.identity
    row = {
        "version": VERSION,
        "alarm": alarm,
        "object": thing,
        "session": session,
        "state": state,
        "outcome": entry.outcome,
        "attempts": entry.attempts,
        "started_s": round(entry.started_s, _DECIMALS),
        "ended_s": round(entry.ended_s, _DECIMALS),
    }
    return json.dumps(row) + "\n"


def entries_in(stream: BinaryIO, name: str) -> Iterator[tuple[int, Entry]]:
    """Yield the lines of a ledger with their numbers, one by one.

    Raises:
        EntryError: a line does not keep the schema; names the file, the line and the key.
        UsageError: a line is no JSON object.
    """
    for number, row in objects_in(stream, name):
        if not _is_plain(row):
            check_entry(f"{name}:{number}", row, SCHEMA)
        identity = Identity(row["alarm"], row["object"], row["session"], row["state"])
        yield number, Entry(identity, row["outcome"], row["attempts"], row["started_s"], row["ended_s"])


def _is_plain(row: dict[str, Any]) -> bool:
    """Tell whether a line is one that we write; others may keep the schema, too."""
    return (
        {key: type(value) for key, value in row.items()} == _SHAPE
        and row["version"] == VERSION
        and row["outcome"] in OUTCOMES
        and row["state"] in _STATES
        and 0 <= row["attempts"] <= _MOST_ATTEMPTS
        and abs(row["started_s"]) <= _MOST_S
        and abs(row["ended_s"]) <= _MOST_S
        and bool(row["alarm"] and row["object"] and row["session"])
    )


def objects_in(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects of a file, one a line, with the numbers of their lines; blank lines are passed over.

    Raises:
        UsageError: a line is no JSON object.
    """
    for number, line in enumerate(iter(lambda: stream.readline(_MOST_BYTES + 1), b""), start=1):
        if not line.strip():
            continue
        at = f"{name}:{number}"
        if len(line) > _MOST_BYTES:
            raise UsageError(f"{at}: is longer than {_MOST_BYTES // 1024**2} MiB; write one JSON object a line")
        try:
            row = json.loads(line)
        except UnicodeDecodeError as problem:
            raise UsageError(f"{at}: is no UTF-8 (byte {problem.start})") from None
        except (ValueError, RecursionError):
            cut = "" if line.endswith(b"\n") else ", and has no end: was its writer stopped?"
            raise UsageError(f"{at}: is no JSON{cut or '; write one JSON object a line'}") from None
        if not isinstance(row, dict):
            raise UsageError(f"{at}: is no JSON object; write one a line")
        yield number, row
