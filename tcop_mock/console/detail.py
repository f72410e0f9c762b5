"""Everything about one exchange: its body line by line, its headers and answers, differences, and commands."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.json_tree import differences
from tcop_mock.callbacks.strict_json import path_of
from tcop_mock.console.exchange import header_rows, text_lines
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target, mask_query_secrets
from tcop_mock.reports.bodies import Comparison, comparison_lines
from tcop_mock.reports.scripts import NamedBody, request_script
from tcop_mock.reports.text import UNSAFE_CHARACTERS, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.exchange import Exchange
    from tcop_mock.domain.profile import DeliveryRules

MAX_LINES = 2_000
MAX_CHARS = 500
"""Limit of one line."""
_MAX_DEPTH = 30
_DEFAULT_RECEIVER = "http://127.0.0.1:8080/"
_MAX_NOTE_CHARS = 400
_MAX_DIFFERENCES = 200
_MAX_COMMAND_CHARS = 60_000
_MAX_EDITABLE_BYTES = 256 * 1024


class JsonLine(NamedTuple):
    """One line of a tree."""

    depth: int
    """Number of objects and lists around it."""
    text: str
    path: str
    """Path of the value that begins in this line; of a closing bracket, an empty string."""


def json_lines(tree: Any) -> list[JsonLine]:  # noqa: ANN401 - a JSON tree
    """Return a tree as lines, bounded; the last one marks omitted lines."""
    lines: list[JsonLine] = []
    for line in _tree_lines(tree, (), "", ""):
        if len(lines) == MAX_LINES:
            return [*lines, JsonLine(0, f"… more than {MAX_LINES} lines", "")]
        lines.append(line)
    return lines


def _tree_lines(value: Any, keys: tuple[str | int, ...], label: str, end: str) -> Iterator[JsonLine]:  # noqa: ANN401 - JSON
    depth, path = len(keys), path_of(keys)
    if not isinstance(value, dict | list) or not value:
        yield JsonLine(depth, f"{label}{_scalar(value)}{end}", path)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if depth == _MAX_DEPTH:
        yield JsonLine(depth, f"{label}{opening}…{closing}{end}", path)
        return
    yield JsonLine(depth, f"{label}{opening}", path)
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for number, (key, child) in enumerate(items, start=1):
        name = f"{_scalar(key)}: " if isinstance(key, str) else ""
        yield from _tree_lines(child, (*keys, key), name, "," if number < len(items) else "")
    yield JsonLine(depth, f"{closing}{end}", "")


def _scalar(value: Any) -> str:  # noqa: ANN401 - a JSON value
    text = value if isinstance(value, str) else None
    if text is not None and len(text) > MAX_CHARS:
        return f"{one_line(json.dumps(text[:MAX_CHARS], ensure_ascii=False), 2 * MAX_CHARS)}… ({len(text)} characters)"
    return one_line(json.dumps(value, ensure_ascii=False), 2 * MAX_CHARS)


def detail_document(
    exchange: Exchange, conversation: Conversation, catalog: Catalog, target: Target | None, rules: DeliveryRules
) -> dict[str, Any]:
    """Return the data that the page shows of an exchange."""
    result = exchange.result
    shape = next((one for one in catalog if result and one.id == result.shape), None)
    return {
        **exchange.summary(),
        "method": one_line(exchange.record["method"], _MAX_NOTE_CHARS),
        "path": one_line(exchange.record["path"], _MAX_NOTE_CHARS),
        "auth": exchange.record["auth"],
        "note": one_line(exchange.record["note"], _MAX_NOTE_CHARS),
        "request_headers": header_rows(exchange.record["headers"]),
        "kind": result.kind if result else None,
        "profile": result.profile if result else None,
        **_body_document(exchange),
        "assumed": list(shape.assumed) if shape else [],
        "answers": exchange.attempts,
        "diffs": _diffs(exchange, conversation, catalog),
        "commands": _commands(exchange, target or Target.parse(_DEFAULT_RECEIVER), rules),
        "editable": editable_text(exchange.body),
    }


def editable_text(body: bytes) -> str | None:
    """Return a body as text that an editor keeps as it is; ``None`` if it would not, or is too long for it."""
    try:
        text = body.decode() if len(body) <= _MAX_EDITABLE_BYTES else "\0"
    except UnicodeDecodeError:
        return None
    return None if UNSAFE_CHARACTERS.search(text.replace("\n", "").replace("\t", "")) else text


def body_lines(tree: Any, body: bytes, notes: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a body as lines, with notes at their places; notes without a place come first."""
    if tree is None:
        lines = [{"depth": 0, "text": text, "path": "", "notes": []} for text in text_lines(body)]
        return {"lines": lines, "notes": [note for at_path in notes.values() for note in at_path]}
    lines, placed = [], set()
    for line in json_lines(tree):
        at_place = notes.get(line.path, []) if line.path else []
        placed.update([line.path] if at_place else [])
        lines.append({"depth": line.depth, "text": line.text, "path": one_line(line.path, 200), "notes": at_place})
    elsewhere = [{**note, "path": one_line(path, 200)} for path in notes if path not in placed for note in notes[path]]
    return {"lines": lines, "notes": elsewhere}


def notes_by_path(result: ValidationResult | None) -> dict[str, list[dict[str, str]]]:
    """Return the messages of ``validate`` by path."""
    notes: dict[str, list[dict[str, str]]] = {}
    if result is not None:
        for level, issues in (("problem", result.problems), ("deviation", result.deviations)):
            for issue in issues:
                note = {"level": level, "message": one_line(issue.message, _MAX_NOTE_CHARS)}
                notes.setdefault(issue.path, []).append(note)
    return notes


def _body_document(exchange: Exchange) -> dict[str, Any]:
    return body_lines(exchange.tree, exchange.body, notes_by_path(exchange.result))


def _diffs(exchange: Exchange, conversation: Conversation, catalog: Catalog) -> dict[str, Any]:
    """Return the differences to the firing, to the callback before, and to the documented sample."""
    if not isinstance(exchange.tree, dict) or exchange.subject.state == "message":
        return {}
    earlier = [
        one
        for one in conversation
        if one.subject.alarm == exchange.subject.alarm
        and one.number < exchange.number
        and one.direction is exchange.direction
        and one.subject.state != "message"
    ]
    firing = next((one for one in earlier if one.subject.state == State.FIRING), None)
    found = {}
    if firing is not None:
        found["firing"] = _comparison(f"#{firing.number}", firing.tree, exchange)
    if earlier and earlier[-1] is not firing:
        found["previous"] = _comparison(f"#{earlier[-1].number}", earlier[-1].tree, exchange)
    shape = next((one for one in catalog if exchange.result and one.id == exchange.result.shape), None)
    if shape is not None and shape.sample is not None:
        dimensions = dict(CallbackView(exchange.tree).dimensions)
        found["sample"] = _lines(
            Comparison("sample", "body", tuple(differences(dict(shape.sample.dimensions), dimensions)))
        )
    return found


def _comparison(name: str, tree: Any, exchange: Exchange) -> dict[str, Any]:  # noqa: ANN401 - a JSON tree
    return _lines(Comparison(name, f"#{exchange.number}", tuple(differences(tree, exchange.tree))))


def _lines(comparison: Comparison) -> dict[str, Any]:
    heading, *lines = comparison_lines(comparison)
    kinds = [one.kind for one in comparison.differences]
    rows = [{"kind": kind, "text": line[len("  changed  ") :]} for kind, line in zip(kinds, lines, strict=True)]
    return {"heading": heading, "rows": rows[:_MAX_DIFFERENCES], "count": len(rows)}


def _commands(exchange: Exchange, target: Target, rules: DeliveryRules) -> dict[str, str]:
    """Return the commands that send or print the callback again, without credentials."""
    named = NamedBody(f"{exchange.subject.state} #{exchange.number}", exchange.body)
    is_secret = bool(target.credentials) or str(target) != target.url
    target = replace(target, path=mask_query_secrets(target.path))
    commands = {}
    for name in ("curl", "pytest"):
        script = b"".join(request_script(name, [named], target, rules)).decode("utf-8", "backslashreplace")
        commands[name] = script
    address = '"$TCOP_MOCK_TARGET"' if is_secret else shlex.quote(target.url)
    encoded = base64.b64encode(exchange.body).decode()
    profile = f" --profile {exchange.profile}" if exchange.profile not in {"", DEFAULT_PROFILE} else ""
    body = exchange.origin or f"printf %s {encoded} | base64 -d"
    commands["send"] = f"{body} | tcop-mock send - --to {address}{profile}"
    if exchange.origin:
        commands["emit"] = exchange.origin
    elif exchange.result and exchange.result.shape:
        state = f" --state {exchange.subject.state}" if exchange.subject.state in set(State) else ""
        commands["emit"] = f"tcop-mock emit {exchange.result.shape}{state}"
    return {
        name: text
        if len(text) <= _MAX_COMMAND_CHARS
        else f"# too long ({len(text)} characters): save the body as a file"
        for name, text in commands.items()
    }
