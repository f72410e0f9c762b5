"""Find the requests in what a user has kept, byte for byte, to send them again.

Recognised by content: what ``listen --record`` wrote, reports of ``check``, what ``emit --json`` printed, HAR files
(HTTP Archive 1.2), captured HTTP/1 requests, curl lines, bodies in JSON, one or one a line; anything else is one body.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.json_edit import with_value, without_value
from tcop_mock.callbacks.strict_json import Issue, ParsedBody, parse_body
from tcop_mock.domain.alarm import encode_json
from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError
from tcop_mock.inputs.curl import CURL_COMMAND, parse_curl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from email.message import Message


REQUEST_LINE = re.compile(rb"[A-Z]{1,10} \S+ HTTP/[0-9.]+\r?\n")

"""How a captured request begins."""

_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)

_BLANKS = re.compile(rb"[ \t\r\n]*")

_CHUNK = re.compile(rb"[ \t\r\n]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?(?:\n|\r\n|\Z)")

_TRAILERS = re.compile(rb"(?:[^\s:]+:[^\n]*\n)*(?:\r?\n)?")

_PLAIN_ENCODINGS = frozenset({"", "identity"})

_INCOMPLETE = "was captured in part:"


class _CapturedBody(NamedTuple):
    """What a request's body is by its head."""

    raw: bytes
    end: int
    """Where it ends in what was captured."""
    problem: str = ""


class CapturedRequest(NamedTuple):
    """One captured request."""

    request_line: bytes
    headers: Message
    body: _CapturedBody


def bodies_of_requests(raw: bytes) -> Iterator[ParsedBody]:
    """Yield the body of each captured request; what is wrong with a request beside its body is told, too."""
    end = 0
    for request_line, headers, captured_body in parse_captured_requests(raw):
        parsed = parse_body(captured_body.raw)
        problems, deviations = tuple(_problems(request_line, headers, captured_body)), tuple(_deviations(headers))
        yield parsed._replace(problems=(*problems, *parsed.problems), deviations=(*deviations, *parsed.deviations))
        end = _skip_blanks(raw, captured_body.end)
    if end < len(raw):
        yield ParsedBody(None, (Issue("", "is no HTTP request, and stands behind one"),), is_json=False)


def parse_captured_requests(raw: bytes) -> Iterator[CapturedRequest]:
    """Yield captured requests that stand one behind the other, up to what is none."""
    position = 0
    while True:
        line_end = raw.find(b"\n", position) + 1
        blank_line = _BLANK_LINE.search(raw, line_end)
        head_end, body_start = blank_line.span() if blank_line else (len(raw), len(raw))
        headers = BytesHeaderParser().parsebytes(raw[line_end:head_end])
        captured_body = _captured_body(raw, body_start, headers)
        yield CapturedRequest(raw[position:line_end], headers, captured_body)
        position = _skip_blanks(raw, captured_body.end)
        if not REQUEST_LINE.match(raw, position):
            break


def _problems(request_line: bytes, headers: Message, captured_body: _CapturedBody) -> Iterator[Issue]:
    encoding = _header_value(headers, "Content-Encoding").lower()
    if not request_line.startswith(b"POST "):
        yield Issue("", f"was sent by {request_line.split()[0].decode()}; callbacks are sent by POST")
    if captured_body.problem:
        yield Issue("", captured_body.problem)
    if encoding not in _PLAIN_ENCODINGS:
        yield Issue("", f"has the Content-Encoding {encoding}, which callbacks do not have; decode it first")


def _deviations(headers: Message) -> Iterator[Issue]:
    if headers.get_content_type() != "application/json" or "Content-Type" not in headers:
        content_type = headers.get("Content-Type", "none")
        yield Issue("", f"has the Content-Type {content_type}; application/json was observed")


def _captured_body(raw: bytes, start: int, headers: Message) -> _CapturedBody:
    if "chunked" in _header_value(headers, "Transfer-Encoding").lower():
        return _decode_chunked(raw, start)
    length, available = _header_value(headers, "Content-Length"), len(raw) - start
    if not re.fullmatch("[0-9]{1,15}", length):
        return _CapturedBody(raw[start:], len(raw))
    end = start + int(length)
    if int(length) > available:
        return _CapturedBody(
            raw[start:], len(raw), f"{_INCOMPLETE} {available} bytes of {length} by its Content-Length"
        )
    return _CapturedBody(raw[start:end], end)


def _decode_chunked(raw: bytes, start: int) -> _CapturedBody:
    """Put a chunked body together."""
    parts: list[bytes] = []
    position = start
    while chunk := _CHUNK.match(raw, position):
        size = int(chunk[1], 16)
        position = chunk.end() + size
        parts.append(raw[chunk.end() : position])
        if not size:
            trailers = _TRAILERS.match(raw, position)
            return _CapturedBody(b"".join(parts), trailers.end() if trailers else position)
    return _CapturedBody(b"".join(parts), len(raw), f"{_INCOMPLETE} the last chunk is missing")


def _header_value(headers: Message, name: str) -> str:
    return str(headers.get(name, "")).strip()


def _skip_blanks(raw: bytes, position: int) -> int:
    blanks = _BLANKS.match(raw, position)
    return blanks.end() if blanks else position


_CONNECTION_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "connection",
        "transfer-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "authorization",
        "proxy-authorization",
        "cookie",
        "accept-encoding",
    }
)

"""Headers of the connection and its credentials, which are the new one's own."""

_TIME = re.compile(rb'("(?:firstOccurTime|recoverTime)"\s*:\s*")(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(")')

_DURATION = re.compile(rb'"durationTime"\s*:\s*"?(\d{1,9})')

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


class RecordedRequest(NamedTuple):
    """One request that was kept."""

    name: str
    """Where it stood."""
    body: bytes
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    received_at: datetime | None = None
    """When it came, where that was kept."""


def read_requests(raw: bytes, source: str) -> tuple[list[RecordedRequest], str]:
    """Return the requests of a file in their order, and what has to be said of it (nothing, mostly).

    Raises:
        UsageError: there is none in it, or it is damaged.
    """
    if not raw.strip():
        raise UsageError(f"{source}: there is nothing to replay: the file is empty")
    if REQUEST_LINE.match(raw.lstrip()):
        return list(_from_captured(raw.lstrip())), ""
    if CURL_COMMAND.match(raw.lstrip()):
        return [
            _make_request(f"command {number}", request.body, request.method, request.headers)
            for number, request in enumerate(parse_curl(raw), start=1)
        ], ""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        requests, warning = _from_lines(raw, source)
    else:
        requests, warning = _from_document(tree, raw, source), ""
    if not requests:
        raise UsageError(f"{source}: there is nothing to replay: it holds no request")
    return requests, warning


def apply_edits(body: bytes, edits: Sequence[tuple[str, Any]], removals: Sequence[str], where: str) -> bytes:
    """Return a body with other values at paths, and without some; written compactly, as captured callbacks are.

    Raises:
        UsageError: the body is no JSON object, or has no such path.
    """
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise UsageError(f"{where} is no JSON object: --set and --unset change values by path")
    for path, value in edits:
        tree = with_value(tree, path, value)
    for path in removals:
        tree = without_value(tree, path)
    return encode_json(tree)


def shift_times(bodies: Iterable[bytes], now: datetime) -> list[bytes]:
    """Return bodies as if the first were told now; all other times keep their distance from it, all other bytes stay.

    Args:
        bodies: of callbacks; what has no time is left as it is.
        now: Beijing time (UTC+8) without offset, as TCOP writes it.
    """
    originals = list(bodies)
    sent_at = next((time for time in map(_sent_at, originals) if time), None)
    if sent_at is None:
        return originals
    shift = timedelta(seconds=round((now - sent_at).total_seconds()))
    return [_TIME.sub(lambda match: _shift_match(match, shift), body) for body in originals]


def _sent_at(body: bytes) -> datetime | None:
    """Return when a callback was told: at its recovery, or so long after its first occurrence as it says."""
    times = {match[1].split(b'"')[1]: _parse_time(match[2]) for match in _TIME.finditer(body)}
    recovered_at, first_occurred_at = times.get(b"recoverTime"), times.get(b"firstOccurTime")
    if recovered_at or not first_occurred_at:
        return recovered_at
    duration = _DURATION.search(body)
    return first_occurred_at + timedelta(seconds=int(duration[1]) if duration else 0)


def _parse_time(text: bytes) -> datetime | None:
    try:
        return datetime.strptime(text.decode(), _TIME_FORMAT)  # noqa: DTZ007 - Beijing time without offset
    except ValueError:
        return None


def _shift_match(match: re.Match[bytes], shift: timedelta) -> bytes:
    time = _parse_time(match[2])
    return match[0] if time is None else match[1] + (time + shift).strftime(_TIME_FORMAT).encode() + match[3]


def _from_captured(raw: bytes) -> Iterator[RecordedRequest]:
    for number, (request_line, headers, captured_body) in enumerate(parse_captured_requests(raw), start=1):
        header_pairs = [(name, str(value)) for name, value in headers.items()]
        yield _make_request(f"request {number}", captured_body.raw, request_line.split()[0].decode(), header_pairs)


def _from_lines(raw: bytes, source: str) -> tuple[list[RecordedRequest], str]:
    """Read a document a line; a last line without its end was torn where that is no JSON, the others were not."""
    requests: list[RecordedRequest] = []
    lines = raw.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            if requests and number == len(lines) and not line.endswith(b"\n"):
                return requests, f"line {number} is torn: it ends in the middle, and was left out"
            if not requests:
                return [RecordedRequest("", raw)], ""  # no JSON at all: a body of its own kind
            requests.append(RecordedRequest(f"line {number}", text))
            continue
        if isinstance(tree, dict) and tree.keys() == {"version", "url"}:
            continue  # what listen --json prints first
        requests += [
            request._replace(name=f"line {number}")
            for request in _from_document(tree, text, f"{source}, line {number}")
        ]
    return requests, ""


def _from_document(tree: Any, raw: bytes, where: str) -> list[RecordedRequest]:  # noqa: ANN401 - any JSON value
    try:
        return list(_unpack(tree, raw))
    except _DOCUMENT_ERRORS:
        raise UsageError(f"{where} looks like a recording, a report or a HAR file, and is damaged") from None


def _unpack(tree: Any, raw: bytes) -> Iterator[RecordedRequest]:  # noqa: ANN401 - any JSON value
    """Yield the requests of a JSON document; one that holds none is itself a body."""
    if isinstance(tree, list) and tree and all(isinstance(body, dict) for body in tree):
        yield from (RecordedRequest(f"item {number}", encode_json(body)) for number, body in enumerate(tree, start=1))
    elif not isinstance(tree, dict):
        yield RecordedRequest("", raw)
    elif isinstance(tree.get("log"), dict) and isinstance(tree["log"].get("entries"), list):
        yield from _from_har(tree["log"]["entries"])
    elif tree.get("version") == 1 and isinstance(tree.get("callbacks"), list):
        for number, body in enumerate(tree["callbacks"], start=1):
            yield RecordedRequest(f"item {number}", encode_json(body["body"]))
    elif tree.get("version") == 1 and isinstance(tree.get("clauses"), list):
        yield from _from_report(tree["clauses"])
    elif tree.get("version") == 1 and {"received", "method", "path", "headers"} <= tree.keys():
        yield _from_record(tree)
    else:
        yield RecordedRequest("", raw)


def _from_record(record: dict[str, Any]) -> RecordedRequest:
    body = base64.b64decode(record["body_base64"]) if "body_base64" in record else record["body"].encode()
    headers = [(name, value) for name, value in record["headers"]]
    return _make_request("", body, record["method"], headers, _parse_timestamp(record["received"]))


def _from_har(entries: list[Any]) -> Iterator[RecordedRequest]:
    for number, entry in enumerate(entries, start=1):
        recorded = entry["request"]
        post_data = recorded.get("postData") or {}
        text = post_data.get("text", "")
        body = base64.b64decode(text) if post_data.get("encoding") == "base64" else text.encode()
        headers = [(header["name"], header["value"]) for header in recorded.get("headers", ())]
        yield _make_request(
            f"entry {number}", body, recorded["method"], headers, _parse_timestamp(entry.get("startedDateTime", ""))
        )


def _from_report(clauses: list[Any]) -> Iterator[RecordedRequest]:
    for clause in clauses:
        for finding in clause["findings"]:
            curl = finding["reproduce"]["curl"]
            for request in parse_curl(curl.encode()):
                body = request.body.removesuffix(b"\n") if "<<" in curl else request.body  # a here-document ends in one
                yield _make_request(f"{clause['code']} {finding['title']}", body, request.method, request.headers)


def _make_request(
    name: str, body: bytes, method: str, headers: Iterable[tuple[str, str]], received_at: datetime | None = None
) -> RecordedRequest:
    kept_headers = tuple(
        (key, value)
        for key, value in headers
        if key.lower() not in _CONNECTION_HEADERS and not key.startswith(":") and value != MASK
    )
    return RecordedRequest(name, body, method, kept_headers, received_at)


def _parse_timestamp(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_DOCUMENT_ERRORS = (KeyError, TypeError, AttributeError, ValueError)

"""What reading a document raises that looks like one of those above and is none."""
