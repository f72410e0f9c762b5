"""JSON documents that hold requests: recordings, reports, archives, what ``emit`` prints, and lists of bodies.

The entries of an HTTP Archive (HAR 1.2) that are callbacks become requests; the others are skipped by name. The report
of ``check`` holds requests to be sent again, and the clauses that failed.
"""

from __future__ import annotations

import base64
import gzip
import json
import shlex
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tcop_mock.callbacks.strict_json import Issue, ParsedBody
from tcop_mock.domain.callback import encode_json
from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK
from tcop_mock.domain.verdict import ClauseStatus, ReproducedRequest
from tcop_mock.errors import UsageError
from tcop_mock.inputs.requests import (
    InputItem,
    InputRequest,
    SkippedInput,
    SourceRequest,
    body_alone,
    imported_request,
    recorded_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FAILED = frozenset({ClauseStatus.FAIL, ClauseStatus.ERROR})
_OWN_CREATOR = "tcop-mock"
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_CALLBACK_KEYS = frozenset({"alarmStatus", "alarmObjInfo", "alarmPolicyInfo", "alarmType"})
_DOCUMENT_ERRORS = (KeyError, TypeError, AttributeError, ValueError)
"""Errors of a document that looks like one of these formats and is damaged."""
_RECORD_KEYS = frozenset({"received", "method", "path", "headers"})
_VEGETA_KEYS = frozenset({"method", "url", "header", "body"})
_OTHER_DOCUMENT_KEYS = ({"event"}, {"deliveries"}, {"shapes"}, {"valid", "problems"}, {"requests", "objectives"})
"""Keys that identify documents of tcop-mock without requests."""


def failed_codes(document: dict[str, Any]) -> frozenset[str]:
    """Return the codes of failed and inconclusive clauses, and of those that the commands of findings name.

    A finding of a clause about the others, such as TCM409, needs them to occur again.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    codes: set[str] = set()
    for row in document["clauses"]:
        if row["result"] in _FAILED:
            codes.add(row["code"])
            for finding in row["findings"]:
                words = shlex.split(finding["reproduce"]["cli"])
                codes.update(words[words.index("--clauses") + 1].split(",") if "--clauses" in words else ())
    return frozenset(codes)


def parse_request(document: dict[str, Any]) -> ReproducedRequest:
    """Return one of the ``reproduce.requests`` of a finding, without the headers that the report masks.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    headers = [(name, value) for name, value in document["headers"] if value != MASK]
    return parse_delivery(document, document["method"], document["url"], headers, _parse_body(document))


def parse_delivery(
    document: dict[str, Any], method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes
) -> ReproducedRequest:
    """Return a request of a document, with its chunks, segments, truncation and kind of credentials.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    request = OutgoingRequest(
        body,
        method=method,
        headers=tuple(headers),
        chunked=document["chunked"],
        segment_sizes=tuple(document["segments"]),
        truncate_at=document["truncate_at"],
        query=document["query"],
        keep_alive=document["keep_alive"],
        reuse_connection=document["reuse_connection"],
    )
    return ReproducedRequest(url, request, CredentialVariant(document["credentials"]), is_asserted=document["asserted"])


def _parse_body(document: dict[str, Any]) -> bytes:
    text: str = document["body"]
    if document["body_encoding"] == "utf-8":
        return text.encode()
    raw = base64.b64decode(text)
    if document["body_encoding"] != "gzip+base64":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the compressed body is damaged: {error}") from None


class _Entry(NamedTuple):
    request: InputRequest
    content_type: str
    has_body: bool
    code: str = ""
    """The clause whose finding it is, where it does not show that alone."""


def read_har(log: dict[str, Any]) -> Iterator[InputItem]:
    """Yield the entries of an archive.

    An archive of tcop-mock is sent as it is. In an archive of a browser, callbacks are POSTs of JSON: other entries,
    and entries for other addresses, are skipped.

    Raises:
        UsageError: there are no entries, or none is a callback and they go to several addresses.
    """
    if not log["entries"]:
        raise UsageError("the HAR file has no entries: save it after the requests were sent")
    creator = log.get("creator")
    is_own = isinstance(creator, dict) and creator.get("name") == _OWN_CREATOR
    entries = [_read_entry(number, entry, is_own=is_own) for number, entry in enumerate(log["entries"], start=1)]
    if is_own:
        yield from map(_own_item, entries)
        return
    bodies = [entry for entry in entries if _skip_reason(entry) is None]
    addresses = {_address(entry) for entry in bodies if _is_callback(entry)}
    if not addresses and len({_address(entry) for entry in bodies}) > 1:
        raise UsageError(
            "the entries of the HAR file go to several addresses, and none is a callback: keep the entries of one"
        )
    for entry in entries:
        reason = _skip_reason(entry)
        if reason is None and addresses and _address(entry) not in addresses:
            reason = "callbacks go to another address"
        if reason is None:
            yield entry.request
        else:
            request_text = f"{entry.request.method} {_address(entry)}".strip()
            yield SkippedInput(location=entry.request.location, reason=f"{request_text}: {reason}")


def parse_time(text: str) -> datetime | None:
    """Parse a time of a file; without an offset it is UTC. Return ``None`` for any other value."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _read_entry(number: int, entry: Any, *, is_own: bool) -> _Entry:  # noqa: ANN401 - any JSON value
    try:
        return _parse_entry(number, entry, is_own=is_own)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UsageError(f"entry {number} of the HAR file is damaged") from None


def _parse_entry(number: int, entry: dict[str, Any], *, is_own: bool) -> _Entry:
    recorded = entry["request"]
    post_data = recorded.get("postData") or {}
    text = post_data.get("text", "")
    body = base64.b64decode(text) if post_data.get("encoding") == "base64" else text.encode("utf-8", "surrogatepass")
    headers = [(header["name"], header["value"]) for header in recorded.get("headers", ())]
    own_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    content_type = (post_data.get("mimeType") or own_type).partition(";")[0].strip().lower()
    method = recorded["method"]
    is_lost = not is_own and not body and not post_data.get("params") and method in _METHODS_WITH_BODY
    source = SourceRequest(
        location=f"entry {number}",
        body=body,
        method=method,
        url=recorded.get("url", ""),
        headers=headers,
        received_at=parse_time(entry.get("startedDateTime", "")),
        problem="has no body in this file: save the HAR file with content" if is_lost else "",
    )
    request = recorded_request(source) if is_own else imported_request(source)
    has_body = bool(body or post_data.get("params"))
    sent = entry.get("_tcop_mock") if is_own else None
    if sent is None:
        return _Entry(request, content_type, has_body)
    reproduced = parse_delivery(sent, method, request.url, _own_headers(headers, body), body)
    return _Entry(
        replace(request, reproduced=reproduced), content_type, has_body, "" if sent["is_alone"] else sent["code"]
    )


def _own_headers(headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
    """Return the headers that the sender does not set itself: a length that is not the body's is meant."""
    own_length = str(len(body))
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in {"host", "connection", "transfer-encoding"}
        and not (name.lower() == "content-length" and value == own_length)
        and MASK not in value
    ]


def _own_item(entry: _Entry) -> InputItem:
    if not entry.code:
        return entry.request
    reason = f"one request does not show the finding; run `tcop-mock check TARGET --clauses {entry.code}`"
    return SkippedInput(location=entry.request.location, reason=reason)


def _skip_reason(entry: _Entry) -> str | None:
    request = entry.request
    if request.method not in _METHODS_WITH_BODY:
        return "callbacks are sent by POST"
    if not entry.has_body or request.parsed.is_json:
        return None
    if entry.content_type == "application/json" and request.body:
        return None
    return f"its body is not JSON ({entry.content_type or 'no type'})"


def _is_callback(entry: _Entry) -> bool:
    tree = entry.request.parsed.tree
    return isinstance(tree, dict) and not _CALLBACK_KEYS.isdisjoint(tree)


def _address(entry: _Entry) -> str:
    """Return where an entry goes, without userinfo and query, which may be secret."""
    try:
        parts = urlsplit(entry.request.url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def read_document(raw: bytes, parsed: ParsedBody, location: str) -> Iterator[InputItem]:
    """Yield the requests of a JSON document. A document of an unknown format is a body itself.

    Args:
        raw: bytes of the document.
        parsed: its JSON value.
        location: ``line 3``; empty if the file is one document.

    Raises:
        UsageError: the document looks like a recording, a report or an archive, and is damaged.
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
    """Raise an error for documents of known formats that contain no bodies."""
    if tree.get("version") == 1 and any(keys <= tree.keys() for keys in _OTHER_DOCUMENT_KEYS):
        raise UsageError(
            "this is a document of tcop-mock that holds no requests: give a recording or a report of check"
        )
    info = tree.get("info")
    if isinstance(info, dict) and isinstance(tree.get("item"), list):
        raise UsageError("this looks like a Postman collection, which is not read: export a request as a curl command")


def _bodies(items: list[Any], parsed: ParsedBody, location: str, key: str) -> Iterator[InputRequest]:
    """Yield the bodies of a list: its items, or the values of one key of the items."""
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
    return recorded_request(
        SourceRequest(
            location=location,
            body=body,
            method=record["method"],
            url=record["path"],
            headers=[(name, value) for name, value in record["headers"]],
            received_at=parse_time(record["received"]),
        )
    )


def _from_vegeta(target: dict[str, Any], location: str) -> InputRequest:
    headers = [(name, value) for name, values in (target.get("header") or {}).items() for value in values]
    body = base64.b64decode(target.get("body") or "")
    return imported_request(
        SourceRequest(location=location, body=body, method=target["method"], url=target["url"], headers=headers)
    )


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
    request = recorded_request(
        SourceRequest(
            location=location,
            body=outgoing.body,
            method=outgoing.method,
            url=reproduced.url,
            headers=outgoing.headers,
        )
    )
    return replace(request, reproduced=reproduced)
