"""What a receiver says it has: bodies, objects with ids, or what ``listen`` recorded or printed; one a line."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import objects_in
from tcop_mock.model.identity import identity_of, object_in, session_in
from tcop_mock.model.reconciliation import Item
from tcop_mock.model.told import Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

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
