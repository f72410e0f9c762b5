"""Compare a ledger with what the receiver says it has.

Both are read once, line by line, into a database of SQLite's in a temporary file, which the system removes when it is
closed: a million notifications need no more memory than a thousand.
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

from tcop_mock.domain.callback_view import Told, identity_of, object_in, session_in
from tcop_mock.domain.ledger import Difference, Differences, Intake, Item, Reconciliation
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from tcop_mock.domain.ledger import Entry


_MOST_OF_AN_OBJECT = 10

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

_SEEN = """
INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session)
    DO UPDATE SET requests = requests + excluded.requests, effects = effects + excluded.effects
"""

_NAMED = "INSERT INTO named VALUES (?, ?, 1) ON CONFLICT (object, state) DO UPDATE SET times = times + 1"

_IS_NAMED = "EXISTS (SELECT 1 FROM named WHERE named.object = ledger.object AND named.state IN ('', ledger.state))"

_COUNTED = "SELECT count(*), count(DISTINCT alarm), coalesce(sum(acked), 0) FROM ledger"

_LOST = f"""
SELECT ledger.object, alarm, session, ledger.state, attempts, 0 FROM ledger LEFT JOIN seen USING (session)
    WHERE acked AND seen.session IS NULL AND NOT {_IS_NAMED} ORDER BY ledger.object, line
"""  # noqa: S608 - nothing of it comes from outside

_DUPLICATED = """
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
    entries: Iterable[tuple[int, Entry]], items: Iterable[tuple[int, Item | None]], ledger: str, most: int
) -> Reconciliation:
    """Return how far a ledger and a receiver agree.

    Args:
        entries: of the ledger, with their lines.
        items: what the receiver has, with their lines.
        ledger: how an error names the ledger.
        most: objects that are told of each kind of difference.

    Raises:
        UsageError: a session stands in the ledger twice.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as base:
        base.executescript(_TABLES)
        base.execute("BEGIN")
        _read_ledger(base, entries, ledger)
        intake = _read_items(base, items)
        base.execute("CREATE TABLE things AS SELECT DISTINCT object FROM ledger ORDER BY object")
        base.execute("CREATE INDEX things_by_object ON things (object)")
        notifications, alarms, acked = base.execute(_COUNTED).fetchone()
        return Reconciliation(
            notifications,
            alarms,
            acked,
            intake,
            lost=_differences(base.execute(_LOST), most),
            duplicated=_differences(base.execute(_DUPLICATED), most),
            out_of_order=_differences(_late(base.execute(_BY_ALARM)), most),
            unknown=_differences(base.execute(_UNKNOWN), most),
            unacked=base.execute(_UNACKED).fetchone()[0],
        )


def _read_ledger(base: sqlite3.Connection, entries: Iterable[tuple[int, Entry]], name: str) -> None:
    for line, entry in entries:
        alarm, thing, session, state = map(_storable, entry.identity)
        row = (session, line, alarm, thing, state, entry.acked, entry.attempts, entry.started_s, entry.ended_s)
        try:
            base.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            [first] = base.execute("SELECT line FROM ledger WHERE session = ?", (session,)).fetchone()
            raise UsageError(
                f"{name}:{line}: session {session[:40]!r} stands in line {first}, too; reconcile one run at a time"
            ) from None


def _read_items(base: sqlite3.Connection, items: Iterable[tuple[int, Item | None]]) -> Intake:
    requests = effects = passed_over = 0
    for line, item in items:
        if item is None:
            passed_over += 1
            continue
        requests += item.is_request
        effects += not item.is_request
        session, thing, state = map(_storable, item[:3])
        if session:
            row = (session, thing, state, line, item.is_request, not item.is_request)
            base.execute(_SEEN, row)
        else:
            base.execute(_NAMED, (thing, state))
    return Intake(requests, effects, passed_over)


def _storable(text: str) -> str:
    r"""Return a text as UTF-8 can write it, half a surrogate pair as ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode()


def _differences(rows: Iterable[Any], most: int) -> Differences:
    """Count differences that come object by object, and keep those of the first objects."""
    notifications = objects = 0
    told: list[Difference] = []
    for _, group in groupby(rows, key=itemgetter(0)):
        objects += 1
        for number, row in enumerate(group):
            notifications += 1
            if objects <= most and number < _MOST_OF_AN_OBJECT:
                told.append(Difference(*row))
    return Differences(notifications, objects, tuple(told))


def _late(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the notifications that are there behind a later one of their alarm, object by object.

    Later is what began when the other had ended: what was under way at the same time may come in any order, as it does
    where a push is repeated while the next notification is on its way.
    """
    for _, group in groupby(rows, key=itemgetter(0, 1)):
        told = list(group)
        began = [started_s for *_, started_s, _, _ in told]
        places = [place for *_, place in told]
        first_behind = list(accumulate(reversed(places), min))[::-1]
        for *row, _, ended_s, place in told:
            later = bisect_left(began, ended_s)
            if later < len(told) and first_behind[later] < place:
                yield tuple(row)


_SESSION = ("session", "session_id")

_OBJECT = ("object", "object_id", "objId", "unInstanceId")

_STATES = frozenset({"", "firing", "repeated", "resolved"})

_RECORD = frozenset({"received", "method", "path", "as", "status"})


def items_in(stream: BinaryIO, name: str) -> Iterator[tuple[int, Item | None]]:
    """Yield what a file's lines tell, with their numbers; ``None`` of a line that is about no callback.

    Lines are read one by one and may be of different kinds. A record of ``listen`` is a request where it came to the
    webhook, and an effect where a stand-in took it; there, what is no JSON with an id tells nothing.

    Raises:
        UsageError: a line is no JSON object, or one without an id; names file and line.
    """
    for number, row in objects_in(stream, name):
        if row.keys() >= _RECORD:
            yield number, _recorded(row, f"{name}:{number}")
        elif row.keys() == {"version", "url"}:  # the first line of listen --json
            yield number, None
        else:
            yield number, _stated(row, f"{name}:{number}")


def _recorded(row: Mapping[str, Any], at: str) -> Item | None:
    body = _body(row, at)
    if row["as"] == "webhook":
        if row["method"] != "POST":
            return None
        _, thing, session, state = identity_of(body)
        return Item(session, thing, state, is_request=True)
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return _item(tree) if isinstance(tree, dict) else None


def _body(row: Mapping[str, Any], at: str) -> bytes:
    text, coded = row.get("body"), row.get("body_base64")
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(coded or "", validate=True)
    except (ValueError, TypeError):
        raise UsageError(f"{at}: body_base64 is no base64; is it a recording of listen?") from None


def _stated(row: Mapping[str, Any], at: str) -> Item:
    item = _item(row)
    if item is None:
        wanted = "a body, or sessionId, session, objId, unInstanceId or object, with a state where there is one"
        raise UsageError(f"{at}: has no id; a line holds {wanted}")
    if item.state not in _STATES:
        raise UsageError(f"{at}: state {item.state[:40]!r} is none of firing, repeated, resolved")
    return item


def _item(tree: Mapping[str, Any]) -> Item | None:
    session = session_in(tree) or _first(tree, _SESSION)
    thing = object_in(Told(tree).dimensions) or _first(tree, _OBJECT)
    if not session and not thing:
        return None
    return Item(session, thing, str(tree.get("state") or ""), is_request=False)


def _first(tree: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((tree[key] for key in keys if isinstance(tree.get(key), str)), "")
