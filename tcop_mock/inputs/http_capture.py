"""Captured HTTP/1 messages: requests one behind the other, with their responses, as proxies and Wireshark save them.

Written for captures that people cut and edit, where a strict parser gives up: bodies that were de-chunked, lengths
that no longer fit, heads without a body. Each request of a capture comes out, in part or whole.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks.strict_json import parse_body
from tcop_mock.inputs.requests import InputItem, SkippedInput, SourceRequest, captured_request

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE_START = re.compile(rb"(?:[A-Z]{1,20} \S+ HTTP/[0-9.]+|HTTP/[0-9.]+ [0-9]{3}(?: [^\r\n]*)?)[ \t]*(?:\r?\n|\Z)")
"""First line of a request or a response."""
REQUEST_FILE = re.compile(
    rb"(?:^###[^\n]*\n|^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (?:https?://|/|\{\{)\S*[ \t]*\r?$)", re.MULTILINE
)
"""Marks of ``.http`` files of editors: separators, and request lines without a version."""
GOREPLAY_START = re.compile(rb"[123] [0-9A-Za-z]+ [0-9]+(?: [0-9]+)?\r?\n")
CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:", re.MULTILINE | re.IGNORECASE)
"""Marks of captures, which files of editors lack."""
_GOREPLAY_SEPARATOR = "\n🐵🙈🙉\n".encode()
_GOREPLAY_TIME = re.compile(rb"1 \S+ ([0-9]{10})")
_LATER_START = re.compile(b"^" + MESSAGE_START.pattern, re.MULTILINE)
_INTERIM = re.compile(rb"HTTP/[0-9.]+ 1[0-9]{2}[^\n]*\n(?:[^\s:]+:[^\n]*\n)*\r?\n")
_HEADER = re.compile(rb"([^\s:]+)[ \t]*:([^\n]*(?:\n[ \t]+[^\s][^\n]*)*)(?:\n|\Z)")
_FOLD = re.compile(r"[ \t\r]*\n[ \t]+")
_BLANK_LINE = re.compile(rb"\r?\n")
_BLANKS = re.compile(rb"[ \t\r\n]*")
_CHUNK_SIZE = re.compile(rb"[ \t\r\n]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?(?:\n|\Z)")
_TRAILERS = re.compile(rb"(?:[^\s:]+:[^\n]*\n)*(?:\r?\n)?")
_LENGTH = re.compile("[0-9]{1,15}")
_IN_PART = "was captured in part:"
_SEPARATOR = re.compile(rb"^###[^\n]*(?:\n|\Z)", re.MULTILINE)
_REQUEST_LINE = re.compile(rb"(?:([A-Z]{1,20})[ \t]+)?(\S+)(?:[ \t]+HTTP/[0-9.]+)?[ \t]*\r?(?:\n|\Z)")
_FILE_COMMENT = re.compile(rb"(?:[ \t]*(?:#|//|@)[^\n]*|[ \t\r]*)(?:\n|\Z)")
_FILE_HANDLER = re.compile(rb"^(?:> |>>|<> )[^\n]*(?:\n.*)?\Z", re.MULTILINE | re.DOTALL)
_FILE_QUERY = re.compile(rb"(?:[ \t]+[?&][^\n]*\n)*")
"""A query that continues after the request line."""
_FILE_BODY = re.compile(rb"<@?[ \t]+\S")
_VARIABLE = re.compile(rb"\{\{[^{}\n]{1,100}\}\}")


class _Body(NamedTuple):
    raw: bytes
    end: int
    """Its end in the capture."""
    problem: str = ""


class _Head(NamedTuple):
    headers: list[tuple[str, str]]
    end: int
    is_whole: bool

    def value(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def read_http(raw: bytes, first_number: int = 1, received_at: datetime | None = None) -> Iterator[InputItem]:
    """Yield the requests of a capture. Responses are passed over; other text between messages is skipped by name."""
    position, number = _skip_blanks(raw, 0), first_number
    while position < len(raw):
        start = MESSAGE_START.match(raw, position)
        if start is None:
            later = _LATER_START.search(raw, position)
            line = raw.count(b"\n", 0, position) + 1
            yield SkippedInput(location=f"line {line}", reason="it is not an HTTP message, and stands behind one")
            position = later.start() if later else len(raw)
            continue
        head = _read_head(raw, start.end())
        body = _read_body(raw, head)
        if not start[0].startswith(b"HTTP/"):
            method, url = start[0].decode("latin-1").split()[:2]
            yield captured_request(
                SourceRequest(
                    location=f"request {number}",
                    body=body.raw,
                    method=method,
                    url=url,
                    headers=head.headers,
                    received_at=received_at,
                    problem=body.problem,
                )
            )
            number += 1
        position = _skip_blanks(raw, body.end)


def read_goreplay(raw: bytes) -> Iterator[InputItem]:
    """Yield the requests of a file of GoReplay, with their times."""
    number = 1
    for message in raw.split(_GOREPLAY_SEPARATOR):
        meta, _, payload = message.lstrip(b"\r\n").partition(b"\n")
        if not meta.startswith(b"1 "):
            continue  # the end of the file, or a response
        time = _GOREPLAY_TIME.match(meta)
        received_at = datetime.fromtimestamp(int(time[1]), UTC) if time else None
        for item in read_http(payload, number, received_at):
            yield item
            number += 1


def read_request_file(raw: bytes) -> Iterator[InputItem]:
    """Yield the requests of a ``.http`` file, as the REST clients of editors have them."""
    number = 1
    for part in _SEPARATOR.split(raw):
        position = 0
        while (comment := _FILE_COMMENT.match(part, position)) and comment.end() > position:
            position = comment.end()
        line = _REQUEST_LINE.match(part, position)
        if line is None:
            continue
        query = _FILE_QUERY.match(part, line.end())
        head = _read_head(part, query.end() if query else line.end())
        body = _FILE_HANDLER.sub(b"", part[head.end :]).strip(b"\r\n")
        problem = ""
        if body and not head.is_whole:
            problem = f"{_IN_PART} its head ends without a blank line"
        elif _FILE_BODY.match(body):
            problem = "takes its body from a file, which is not opened: give that file itself"
        elif variable := _VARIABLE.search(body):
            problem = f"has the variable {variable[0].decode(errors='replace')} in its body: write its value"
        method = (line[1] or b"GET").decode()
        if method == "GET" and not body:
            yield SkippedInput(location=f"request {number}", reason="a GET without a body, which no callback is")
        else:
            yield captured_request(
                SourceRequest(
                    location=f"request {number}",
                    body=body,
                    method=method,
                    url=line[2].decode("latin-1"),
                    headers=head.headers,
                    problem=problem or ("" if body else "has no body in this file"),
                )
            )
        number += 1


def _read_head(raw: bytes, position: int) -> _Head:
    """Read header fields, folded ones too, up to the blank line or the first line that is not a header."""
    headers = []
    while header := _HEADER.match(raw, position):
        value = _FOLD.sub(" ", header[2].decode("latin-1")).strip()
        headers.append((header[1].decode("latin-1"), value))
        position = header.end()
    blank_line = _BLANK_LINE.match(raw, position)
    return _Head(headers, blank_line.end() if blank_line else position, blank_line is not None)


def _read_body(raw: bytes, head: _Head) -> _Body:
    if not head.is_whole:
        rest = _rest(raw, head.end)
        return rest._replace(problem=f"{_IN_PART} its head ends without a blank line")
    interim = _INTERIM.match(raw, head.end)
    start = interim.end() if interim else head.end
    if "chunked" in head.value("transfer-encoding").lower():
        chunk = _CHUNK_SIZE.match(raw, start)
        return _read_chunks(raw, start) if chunk else _unframed(raw, start, head)
    length_text = head.value("content-length")
    if not _LENGTH.fullmatch(length_text):
        return _unframed(raw, start, head)
    end = start + int(length_text)
    is_multipart = head.value("content-type").lower().startswith("multipart/")
    later = None if is_multipart else _LATER_START.search(raw, start, end + len(b"\r\n"))
    if (later and later.start() < end) or end > len(raw):
        part = raw[start : later.start() if later else len(raw)]
        part = part.rstrip(b"\r\n") if later else part
        return _Body(
            part,
            later.start() if later else len(raw),
            f"{_IN_PART} {len(part)} bytes of {length_text} by its Content-Length",
        )
    following = raw[end : end + 1]
    if following and not following.isspace() and not MESSAGE_START.match(raw, end):
        rest = _rest(raw, start)
        return rest._replace(
            problem=f"{_IN_PART} its Content-Length is {length_text}, and {len(rest.raw)} bytes stand behind its head"
        )
    return _Body(raw[start:end], end)


def _unframed(raw: bytes, start: int, head: _Head) -> _Body:
    """Return a body that no length and no chunks end; only JSON shows that it is whole."""
    rest = _rest(raw, start)
    if not rest.raw and (head.value("content-type") or head.value("transfer-encoding")):
        return rest._replace(problem=f"{_IN_PART} it has no body in this file")
    if rest.raw and not parse_body(rest.raw).is_json:
        return rest._replace(problem=f"{_IN_PART} no Content-Length ends its body, which is not JSON")
    return rest


def _rest(raw: bytes, start: int) -> _Body:
    """Return what stands before the next message, without the line breaks at its end."""
    later = _LATER_START.search(raw, start)
    end = later.start() if later else len(raw)
    body = raw[start:end].rstrip(b"\r\n")
    return _Body(body, end)


def _read_chunks(raw: bytes, start: int) -> _Body:
    """Put a chunked body together."""
    parts: list[bytes] = []
    position = start
    while chunk := _CHUNK_SIZE.match(raw, position):
        size = int(chunk[1], 16)
        end = chunk.end() + size
        if end > len(raw) or _LATER_START.search(raw, chunk.end(), end):
            position = chunk.end()
            break
        position = end
        parts.append(raw[chunk.end() : position])
        if not size:
            trailers = _TRAILERS.match(raw, position)
            return _Body(b"".join(parts), trailers.end() if trailers else position)
    rest = _rest(raw, position)
    return _Body(b"".join(parts), rest.end, f"{_IN_PART} the last chunk is missing")


def _skip_blanks(raw: bytes, position: int) -> int:
    blanks = _BLANKS.match(raw, position)
    return blanks.end() if blanks else position
