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

from tcop_mock.callbacks.json_edit import with_value, without
from tcop_mock.callbacks.strict_json import Note, Parsed, parse
from tcop_mock.domain.alarm import wire_bytes
from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError
from tcop_mock.inputs.curl import CURL, requests_of_curl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from email.message import Message


REQUEST = re.compile(rb"[A-Z]{1,10} \S+ HTTP/[0-9.]+\r?\n")

"""How a captured request begins."""

_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)

_BLANKS = re.compile(rb"[ \t\r\n]*")

_CHUNK = re.compile(rb"[ \t\r\n]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?(?:\n|\r\n|\Z)")

_TRAILERS = re.compile(rb"(?:[^\s:]+:[^\n]*\n)*(?:\r?\n)?")

_CODINGS = frozenset({"", "identity"})

_PART = "was captured in part:"


class _Content(NamedTuple):
    """What a request's body is by its head."""

    body: bytes
    end: int
    """Where it ends in what was captured."""
    problem: str = ""


class Captured(NamedTuple):
    """One captured request."""

    line: bytes
    headers: Message
    content: _Content


def of_requests(raw: bytes) -> Iterator[Parsed]:
    """Yield the body of each captured request; what is wrong with a request beside its body is told, too."""
    end = 0
    for line, headers, content in captured(raw):
        parsed = parse(content.body)
        problems, deviations = tuple(_problems(line, headers, content)), tuple(_deviations(headers))
        yield parsed._replace(problems=(*problems, *parsed.problems), deviations=(*deviations, *parsed.deviations))
        end = _past_blanks(raw, content.end)
    if end < len(raw):
        yield Parsed(None, (Note("", "is no HTTP request, and stands behind one"),), is_json=False)


def captured(raw: bytes) -> Iterator[Captured]:
    """Yield captured requests that stand one behind the other, up to what is none."""
    at = 0
    while True:
        line_end = raw.find(b"\n", at) + 1
        blank = _BLANK_LINE.search(raw, line_end)
        head_end, start = blank.span() if blank else (len(raw), len(raw))
        headers = BytesHeaderParser().parsebytes(raw[line_end:head_end])
        content = _content(raw, start, headers)
        yield Captured(raw[at:line_end], headers, content)
        at = _past_blanks(raw, content.end)
        if not REQUEST.match(raw, at):
            break


def _problems(line: bytes, headers: Message, content: _Content) -> Iterator[Note]:
    coding = _field(headers, "Content-Encoding").lower()
    if not line.startswith(b"POST "):
        yield Note("", f"was sent by {line.split()[0].decode()}; callbacks are sent by POST")
    if content.problem:
        yield Note("", content.problem)
    if coding not in _CODINGS:
        yield Note("", f"has the Content-Encoding {coding}, which callbacks do not have; decode it first")


def _deviations(headers: Message) -> Iterator[Note]:
    if headers.get_content_type() != "application/json" or "Content-Type" not in headers:
        told = headers.get("Content-Type", "none")
        yield Note("", f"has the Content-Type {told}; application/json was observed")


def _content(raw: bytes, start: int, headers: Message) -> _Content:
    if "chunked" in _field(headers, "Transfer-Encoding").lower():
        return _unchunked(raw, start)
    length, there = _field(headers, "Content-Length"), len(raw) - start
    if not re.fullmatch("[0-9]{1,15}", length):
        return _Content(raw[start:], len(raw))
    end = start + int(length)
    if int(length) > there:
        return _Content(raw[start:], len(raw), f"{_PART} {there} bytes of {length} by its Content-Length")
    return _Content(raw[start:end], end)


def _unchunked(raw: bytes, start: int) -> _Content:
    """Put a chunked body together."""
    parts: list[bytes] = []
    at = start
    while chunk := _CHUNK.match(raw, at):
        size = int(chunk[1], 16)
        at = chunk.end() + size
        parts.append(raw[chunk.end() : at])
        if not size:
            trailers = _TRAILERS.match(raw, at)
            return _Content(b"".join(parts), trailers.end() if trailers else at)
    return _Content(b"".join(parts), len(raw), f"{_PART} the last chunk is missing")


def _field(headers: Message, name: str) -> str:
    return str(headers.get(name, "")).strip()


def _past_blanks(raw: bytes, at: int) -> int:
    blanks = _BLANKS.match(raw, at)
    return blanks.end() if blanks else at


_OURS = frozenset(
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

_FORMAT = "%Y-%m-%d %H:%M:%S"


class Kept(NamedTuple):
    """One request that was kept."""

    name: str
    """Where it stood."""
    body: bytes
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    at: datetime | None = None
    """When it came, where that was kept."""


def requests_in(raw: bytes, source: str) -> tuple[list[Kept], str]:
    """Return the requests of a file in their order, and what has to be said of it (nothing, mostly).

    Raises:
        UsageError: there is none in it, or it is damaged.
    """
    if not raw.strip():
        raise UsageError(f"{source}: there is nothing to replay: the file is empty")
    if REQUEST.match(raw.lstrip()):
        return list(_captured(raw.lstrip())), ""
    if CURL.match(raw.lstrip()):
        return [
            _kept(f"command {number}", sent.body, sent.method, sent.headers)
            for number, sent in enumerate(requests_of_curl(raw), start=1)
        ], ""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        found, warning = _of_lines(raw, source)
    else:
        found, warning = _of_document(tree, raw, source), ""
    if not found:
        raise UsageError(f"{source}: there is nothing to replay: it holds no request")
    return found, warning


def edited(body: bytes, edits: Sequence[tuple[str, Any]], removals: Sequence[str], where: str) -> bytes:
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
        tree = without(tree, path)
    return wire_bytes(tree)


def retimed(bodies: Iterable[bytes], now: datetime) -> list[bytes]:
    """Return bodies as if the first were told now; all other times keep their distance from it, all other bytes stay.

    Args:
        bodies: of callbacks; what has no time is left as it is.
        now: Beijing time (UTC+8) without offset, as TCOP writes it.
    """
    given = list(bodies)
    told = next((moment for moment in map(_told_at, given) if moment), None)
    if told is None:
        return given
    by = timedelta(seconds=round((now - told).total_seconds()))
    return [_TIME.sub(lambda found: _moved(found, by), body) for body in given]


def _told_at(body: bytes) -> datetime | None:
    """Return when a callback was told: at its recovery, or so long after its first occurrence as it says."""
    times = {found[1].split(b'"')[1]: _moment(found[2]) for found in _TIME.finditer(body)}
    recovered, first = times.get(b"recoverTime"), times.get(b"firstOccurTime")
    if recovered or not first:
        return recovered
    duration = _DURATION.search(body)
    return first + timedelta(seconds=int(duration[1]) if duration else 0)


def _moment(text: bytes) -> datetime | None:
    try:
        return datetime.strptime(text.decode(), _FORMAT)  # noqa: DTZ007 - Beijing time without offset
    except ValueError:
        return None


def _moved(found: re.Match[bytes], by: timedelta) -> bytes:
    moment = _moment(found[2])
    return found[0] if moment is None else found[1] + (moment + by).strftime(_FORMAT).encode() + found[3]


def _captured(raw: bytes) -> Iterator[Kept]:
    for number, (line, headers, content) in enumerate(captured(raw), start=1):
        pairs = [(name, str(value)) for name, value in headers.items()]
        yield _kept(f"request {number}", content.body, line.split()[0].decode(), pairs)


def _of_lines(raw: bytes, source: str) -> tuple[list[Kept], str]:
    """Read a document a line; a last line without its end was torn where that is no JSON, the others were not."""
    found: list[Kept] = []
    lines = raw.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            if found and number == len(lines) and not line.endswith(b"\n"):
                return found, f"line {number} is torn: it ends in the middle, and was left out"
            if not found:
                return [Kept("", raw)], ""  # no JSON at all: a body of its own kind
            found.append(Kept(f"line {number}", text))
            continue
        if isinstance(tree, dict) and tree.keys() == {"version", "url"}:
            continue  # what listen --json prints first
        found += [one._replace(name=f"line {number}") for one in _of_document(tree, text, f"{source}, line {number}")]
    return found, ""


def _of_document(tree: Any, raw: bytes, where: str) -> list[Kept]:  # noqa: ANN401 - any JSON value
    try:
        return list(_unpacked(tree, raw))
    except _MALFORMED:
        raise UsageError(f"{where} looks like a recording, a report or a HAR file, and is damaged") from None


def _unpacked(tree: Any, raw: bytes) -> Iterator[Kept]:  # noqa: ANN401 - any JSON value
    """Yield the requests of a JSON document; one that holds none is itself a body."""
    if isinstance(tree, list) and tree and all(isinstance(row, dict) for row in tree):
        yield from (Kept(f"item {number}", wire_bytes(row)) for number, row in enumerate(tree, start=1))
    elif not isinstance(tree, dict):
        yield Kept("", raw)
    elif isinstance(tree.get("log"), dict) and isinstance(tree["log"].get("entries"), list):
        yield from _of_har(tree["log"]["entries"])
    elif tree.get("version") == 1 and isinstance(tree.get("callbacks"), list):
        for number, row in enumerate(tree["callbacks"], start=1):
            yield Kept(f"item {number}", wire_bytes(row["body"]))
    elif tree.get("version") == 1 and isinstance(tree.get("clauses"), list):
        yield from _of_report(tree["clauses"])
    elif tree.get("version") == 1 and {"received", "method", "path", "headers"} <= tree.keys():
        yield _of_record(tree)
    else:
        yield Kept("", raw)


def _of_record(record: dict[str, Any]) -> Kept:
    body = base64.b64decode(record["body_base64"]) if "body_base64" in record else record["body"].encode()
    headers = [(name, value) for name, value in record["headers"]]
    return _kept("", body, record["method"], headers, _when(record["received"]))


def _of_har(entries: list[Any]) -> Iterator[Kept]:
    for number, entry in enumerate(entries, start=1):
        request = entry["request"]
        data = request.get("postData") or {}
        text = data.get("text", "")
        body = base64.b64decode(text) if data.get("encoding") == "base64" else text.encode()
        headers = [(pair["name"], pair["value"]) for pair in request.get("headers", ())]
        yield _kept(f"entry {number}", body, request["method"], headers, _when(entry.get("startedDateTime", "")))


def _of_report(clauses: list[Any]) -> Iterator[Kept]:
    for clause in clauses:
        for finding in clause["findings"]:
            curl = finding["reproduce"]["curl"]
            for sent in requests_of_curl(curl.encode()):
                body = sent.body.removesuffix(b"\n") if "<<" in curl else sent.body  # a here-document ends in one
                yield _kept(f"{clause['code']} {finding['title']}", body, sent.method, sent.headers)


def _kept(name: str, body: bytes, method: str, headers: Iterable[tuple[str, str]], at: datetime | None = None) -> Kept:
    own = tuple(
        (key, value) for key, value in headers if key.lower() not in _OURS and not key.startswith(":") and value != MASK
    )
    return Kept(name, body, method, own, at)


def _when(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_MALFORMED = (KeyError, TypeError, AttributeError, ValueError)

"""What reading a document raises that looks like one of those above and is none."""
