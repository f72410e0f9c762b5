"""Entries of an HTTP Archive (HAR 1.2): the callbacks among them are requests, the others are skipped by name."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError
from tcop_mock.inputs.check_report import parse_delivery
from tcop_mock.inputs.requests import InputItem, InputRequest, SkippedInput, build_request

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_CREATOR = "tcop-mock"
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_CALLBACK_KEYS = frozenset({"alarmStatus", "alarmObjInfo", "alarmPolicyInfo", "alarmType"})


class _Entry(NamedTuple):
    request: InputRequest
    content_type: str
    has_body: bool
    code: str = ""
    """The clause whose finding it is, where it does not show that alone."""


def read_har(log: dict[str, Any]) -> Iterator[InputItem]:
    """Yield the entries of an archive.

    An archive of tcop-mock is sent as it is. In a browser's, callbacks are POSTs of JSON: entries of another kind, and
    entries for another address than the callbacks', are skipped.

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
            what = f"{entry.request.method} {_address(entry)}".strip()
            yield SkippedInput(location=entry.request.location, reason=f"{what}: {reason}")


def parse_time(text: str) -> datetime | None:
    """Return a time of a file; one without an offset is UTC, and what is none is nothing."""
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
    request = build_request(
        f"entry {number}",
        body,
        method=method,
        url=recorded.get("url", ""),
        headers=headers,
        received_at=parse_time(entry.get("startedDateTime", "")),
        is_recording=is_own,
        problem="has no body in this file: save the HAR file with content" if is_lost else "",
    )
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
