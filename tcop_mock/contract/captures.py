"""Read bodies out of captured HTTP/1 requests, one after the other.

Method, media type, lengths and codings are looked at; nothing else of a head is kept, so that credentials in it stay
where they are.
"""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.parsing import Note, Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
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
