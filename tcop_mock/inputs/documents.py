"""JSON documents that hold requests: recordings, reports, archives, what ``emit`` prints, and lists of bodies."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.strict_json import Issue, ParsedBody
from tcop_mock.domain.callback import encode_json
from tcop_mock.errors import UsageError
from tcop_mock.inputs.check_report import parse_request
from tcop_mock.inputs.har import parse_time, read_har
from tcop_mock.inputs.requests import InputItem, InputRequest, SkippedInput, body_alone, build_request

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCUMENT_ERRORS = (KeyError, TypeError, AttributeError, ValueError)
"""What a document raises that looks like one of those here and is none."""
_RECORD_KEYS = frozenset({"received", "method", "path", "headers"})
_VEGETA_KEYS = frozenset({"method", "url", "header", "body"})
_OTHER_DOCUMENT_KEYS = ({"event"}, {"deliveries"}, {"shapes"}, {"valid", "problems"}, {"requests", "objectives"})
"""By which documents of ours are known that hold no requests."""


def read_document(raw: bytes, parsed: ParsedBody, location: str) -> Iterator[InputItem]:
    """Yield the requests of a JSON document; one that is none of those known here is a body itself.

    Args:
        raw: of the document.
        parsed: the same, read.
        location: ``line 3``; empty where the document is all there is.

    Raises:
        UsageError: it looks like a recording, a report or an archive, and is damaged.
    """
    try:
        yield from _unpack(raw, parsed, location)
    except _DOCUMENT_ERRORS:
        place = f"{location} looks" if location else "it looks"
        raise UsageError(f"{place} like a recording, a report or a HAR file, and is damaged") from None


def _unpack(raw: bytes, parsed: ParsedBody, location: str) -> Iterator[InputItem]:
    tree = parsed.tree
    if isinstance(tree, list) and tree and all(isinstance(body, dict) for body in tree):
        yield from _bodies(tree, parsed, location, "")
    elif not isinstance(tree, dict):
        yield body_alone(location, raw, parsed)
    elif isinstance(tree.get("log"), dict) and isinstance(tree["log"].get("entries"), list):
        yield from read_har(tree["log"])
    elif tree.get("version") == 1 and isinstance(tree.get("callbacks"), list):
        yield from _bodies(tree["callbacks"], parsed, location, "body")
    elif tree.get("version") == 1 and isinstance(tree.get("clauses"), list):
        yield from _from_report(tree["clauses"])
    elif tree.get("version") == 1 and tree.keys() >= _RECORD_KEYS:
        yield _from_record(tree, location)
    elif tree.keys() == {"version", "url"}:
        return  # what listen --json prints first
    elif {"method", "url"} <= tree.keys() <= _VEGETA_KEYS:
        yield _from_vegeta(tree, location)
    else:
        _require_body(tree)
        yield body_alone(location, raw, parsed)


def _require_body(tree: dict[str, Any]) -> None:
    """Raise for documents that are known to be no bodies."""
    if tree.get("version") == 1 and any(keys <= tree.keys() for keys in _OTHER_DOCUMENT_KEYS):
        raise UsageError(
            "this is a document of tcop-mock that holds no requests: give a recording or a report of check"
        )
    info = tree.get("info")
    if isinstance(info, dict) and isinstance(tree.get("item"), list):
        raise UsageError("this looks like a Postman collection, which is not read: export a request as a curl command")


def _bodies(items: list[Any], parsed: ParsedBody, location: str, key: str) -> Iterator[InputRequest]:
    """Yield the bodies of a list: its items, or what they have under a key."""
    for index, item in enumerate(items):
        body = item[key] if key else item
        prefix = f"callbacks.{index}.{key}." if key else f"{index}."
        issues = tuple(
            Issue(issue.path.removeprefix(prefix), issue.message)
            for issue in parsed.problems
            if f"{issue.path}.".startswith(prefix)
        )
        place = f"{location}, item {index + 1}" if location else f"item {index + 1}"
        yield replace(body_alone(place, _encode(body), ParsedBody(body, issues)), is_list_item=not key)


def _encode(tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a body's bytes; half a surrogate pair, which UTF-8 cannot write, stays escaped."""
    try:
        return encode_json(tree)
    except UnicodeEncodeError:
        return json.dumps(tree, separators=(",", ":")).encode()


def _from_record(record: dict[str, Any], location: str) -> InputRequest:
    body = base64.b64decode(record["body_base64"]) if "body_base64" in record else record["body"].encode()
    return build_request(
        location,
        body,
        method=record["method"],
        url=record["path"],
        headers=[(name, value) for name, value in record["headers"]],
        received_at=parse_time(record["received"]),
        is_recording=True,
    )


def _from_vegeta(target: dict[str, Any], location: str) -> InputRequest:
    headers = [(name, value) for name, values in (target.get("header") or {}).items() for value in values]
    body = base64.b64decode(target.get("body") or "")
    return build_request(location, body, method=target["method"], url=target["url"], headers=headers)


def _from_report(clauses: list[Any]) -> Iterator[InputItem]:
    """Yield the requests of each finding."""
    for clause in clauses:
        for finding in clause["findings"]:
            location = f"{clause['code']} {finding['title']}"
            requests = finding["reproduce"].get("requests") or ()
            yield from (_from_finding(request, location) for request in requests)
            if not requests:
                reason = f"one request does not show it; run `tcop-mock check TARGET --clauses {clause['code']}`"
                yield SkippedInput(location=location, reason=reason)


def _from_finding(document: dict[str, Any], location: str) -> InputRequest:
    reproduced = parse_request(document)
    outgoing = reproduced.request
    request = build_request(
        location,
        outgoing.body,
        method=outgoing.method,
        url=reproduced.url,
        headers=list(outgoing.headers),
        is_recording=True,
    )
    return replace(request, reproduced=reproduced)
