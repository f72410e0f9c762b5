"""Compares a ledger with the records of the receiver.

Both are read once, line by line, into an SQLite database in a temporary file. So the memory does not grow with the
number of notifications.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from bisect import bisect_left
from contextlib import closing
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.callback_view import CallbackView, key_from_body, object_id_of, session_id_of
from tcop_mock.domain.ledger import Difference, Differences, ReadStats, ReceivedItem, Reconciliation
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import read_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from tcop_mock.domain.ledger import LedgerEntry


_MAX_PER_OBJECT = 10

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE ledger (session TEXT PRIMARY KEY, line INT, alarm TEXT, object TEXT, state TEXT, acked INT, attempts INT,
    started REAL, ended REAL) WITHOUT ROWID;
CREATE TABLE seen (session TEXT PRIMARY KEY, object TEXT, state TEXT, place INT, requests INT, effects INT)
    WITHOUT ROWID;
CREATE TABLE named (object TEXT, state TEXT, times INT, PRIMARY KEY (object, state)) WITHOUT ROWID;
"""

_INSERT_SEEN = """
INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session)
    DO UPDATE SET requests = requests + excluded.requests, effects = effects + excluded.effects
"""

_INSERT_NAMED = "INSERT INTO named VALUES (?, ?, 1) ON CONFLICT (object, state) DO UPDATE SET times = times + 1"

_IS_NAMED = "EXISTS (SELECT 1 FROM named WHERE named.object = ledger.object AND named.state IN ('', ledger.state))"

_COUNT = "SELECT count(*), count(DISTINCT alarm), coalesce(sum(acked), 0), coalesce(sum(started < 0), 0) FROM ledger"

_LOST = f"""
SELECT ledger.object, alarm, session, ledger.state, attempts, 0 FROM ledger LEFT JOIN seen USING (session)
    WHERE acked AND seen.session IS NULL AND NOT {_IS_NAMED} ORDER BY ledger.object, line
"""  # noqa: S608 - it contains no external input

_DUPLICATES = """
SELECT ledger.object, alarm, session, ledger.state, attempts, max(requests, effects) FROM ledger
    JOIN seen USING (session) WHERE effects > 1 OR requests > attempts ORDER BY ledger.object, line
"""

_UNKNOWN = """
SELECT object, '', session, state, 0, requests + effects FROM seen
    WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.session = seen.session)
UNION ALL SELECT object, '', '', state, 0, times FROM named
    WHERE NOT EXISTS (SELECT 1 FROM things WHERE things.object = named.object)
ORDER BY 1
"""

_UNACKED = "SELECT count(*) FROM ledger JOIN seen USING (session) WHERE NOT acked"

_BY_ALARM = """
SELECT ledger.object, alarm, session, ledger.state, attempts, requests + effects, started, ended, place FROM ledger
    JOIN seen USING (session) ORDER BY 1, 2, started
"""


def reconcile(
    entries: Iterable[tuple[int, LedgerEntry]],
    items: Iterable[tuple[int, ReceivedItem | None]],
    ledger_name: str,
    limit: int,
) -> Reconciliation:
    """Return the differences between a ledger and the records of a receiver.

    Args:
        entries: the ledger entries with their line numbers.
        items: the records of the receiver with their line numbers.
        ledger_name: the name of the ledger in errors.
        limit: the number of objects listed for each kind of difference.

    Raises:
        UsageError: a session is in the ledger twice.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.executescript(_TABLES)
        database.execute("BEGIN")
        _read_ledger(database, entries, ledger_name)
        read_stats = _read_items(database, items)
        database.execute("CREATE TABLE things AS SELECT DISTINCT object FROM ledger ORDER BY object")
        database.execute("CREATE INDEX things_by_object ON things (object)")
        notifications, alarms, acked, probes = database.execute(_COUNT).fetchone()
        return Reconciliation(
            notifications,
            alarms,
            acked,
            read_stats,
            lost=_differences(database.execute(_LOST), limit),
            duplicated=_differences(database.execute(_DUPLICATES), limit),
            out_of_order=_differences(_out_of_order(database.execute(_BY_ALARM)), limit),
            unknown=_differences(database.execute(_UNKNOWN), limit),
            unacked=database.execute(_UNACKED).fetchone()[0],
            probes=probes,
        )


def _read_ledger(database: sqlite3.Connection, entries: Iterable[tuple[int, LedgerEntry]], name: str) -> None:
    for line, entry in entries:
        alarm, object_id, session, state = map(_storable, entry.key)
        row = (session, line, alarm, object_id, state, entry.is_acked, entry.attempts, entry.started_s, entry.ended_s)
        try:
            database.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            [first] = database.execute("SELECT line FROM ledger WHERE session = ?", (session,)).fetchone()
            raise UsageError(
                f"{name}:{line}: session {session[:40]!r} stands in line {first}, too; reconcile one run at a time"
            ) from None


def _read_items(database: sqlite3.Connection, items: Iterable[tuple[int, ReceivedItem | None]]) -> ReadStats:
    requests = effects = skipped = 0
    for line, item in items:
        if item is None:
            skipped += 1
            continue
        requests += item.is_request
        effects += not item.is_request
        session, object_id, state = map(_storable, item[:3])
        if session:
            row = (session, object_id, state, line, item.is_request, not item.is_request)
            database.execute(_INSERT_SEEN, row)
        else:
            database.execute(_INSERT_NAMED, (object_id, state))
    return ReadStats(requests, effects, skipped)


def _storable(text: str) -> str:
    r"""Return a text that UTF-8 can encode, with lone surrogates as ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode()


def _differences(rows: Iterable[Any], limit: int) -> Differences:
    """Count differences that are sorted by object, and keep those of the first objects."""
    notifications = objects = 0
    examples: list[Difference] = []
    for _, group in groupby(rows, key=itemgetter(0)):
        objects += 1
        for number, row in enumerate(group):
            notifications += 1
            if objects <= limit and number < _MAX_PER_OBJECT:
                examples.append(Difference(*row))
    return Differences(notifications, objects, tuple(examples))


def _out_of_order(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the notifications that were received after a later one of their alarm, by object.

    A notification is later if it started after the other one had ended. Notifications in flight at the same time may
    arrive in any order, as they do when a retry overlaps with the next notification.
    """
    for _, group in groupby(rows, key=itemgetter(0, 1)):
        notifications = list(group)
        starts_s = [started_s for *_, started_s, _, _ in notifications]
        places = [place for *_, place in notifications]
        lowest_later_place = list(accumulate(reversed(places), min))[::-1]
        for *row, _, ended_s, place in notifications:
            first_later = bisect_left(starts_s, ended_s)
            if first_later < len(notifications) and lowest_later_place[first_later] < place:
                yield tuple(row)


_SESSION_KEYS = ("session", "session_id")

_OBJECT_KEYS = ("object", "object_id", "objId", "unInstanceId")

_STATES = frozenset({"", "firing", "repeated", "resolved"})

_RECORD_KEYS = frozenset({"received", "method", "path", "as", "status"})


def read_received_items(stream: BinaryIO, name: str) -> Iterator[tuple[int, ReceivedItem | None]]:
    """Yield the items of a file with their line numbers; ``None`` for a line that is not about a callback.

    A file may contain different kinds of lines. A record of ``listen`` is a request if the webhook received it, and an
    effect if a stub service received it. Records of a stub service without an id are skipped.

    Raises:
        UsageError: a line is not a JSON object, or has no id.
    """
    for number, row in read_json_lines(stream, name):
        if row.keys() >= _RECORD_KEYS:
            yield number, _item_from_record(row, f"{name}:{number}")
        elif row.keys() == {"version", "url"}:  # the first line of listen --json
            yield number, None
        else:
            yield number, _item_from_line(row, f"{name}:{number}")


def _item_from_record(row: Mapping[str, Any], location: str) -> ReceivedItem | None:
    body = _record_body(row, location)
    if row["as"] == "webhook":
        if row["method"] != "POST":
            return None
        _, object_id, session, state = key_from_body(body)
        return ReceivedItem(session, object_id, state, is_request=True)
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return _item_from_tree(tree) if isinstance(tree, dict) else None


def _record_body(row: Mapping[str, Any], location: str) -> bytes:
    text, encoded = row.get("body"), row.get("body_base64")
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(encoded or "", validate=True)
    except (ValueError, TypeError):
        raise UsageError(f"{location}: body_base64 is not base64; is it a recording of listen?") from None


def _item_from_line(row: Mapping[str, Any], location: str) -> ReceivedItem:
    item = _item_from_tree(row)
    if item is None:
        hint = "a body, or sessionId, session, objId, unInstanceId or object, with a state where there is one"
        raise UsageError(f"{location}: has no id; a line holds {hint}")
    if item.state not in _STATES:
        raise UsageError(f"{location}: state {item.state[:40]!r} is none of firing, repeated, resolved")
    return item


def _item_from_tree(tree: Mapping[str, Any]) -> ReceivedItem | None:
    session = session_id_of(tree) or _first_text(tree, _SESSION_KEYS)
    object_id = object_id_of(CallbackView(tree).dimensions) or _first_text(tree, _OBJECT_KEYS)
    if not session and not object_id:
        return None
    return ReceivedItem(session, object_id, str(tree.get("state") or ""), is_request=False)


def _first_text(tree: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((tree[key] for key in keys if isinstance(tree.get(key), str)), "")
