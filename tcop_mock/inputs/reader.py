"""The one reader of users' files, under ``validate`` and ``replay``.

A format is recognised by content. Lines of JSON are read one by one, so that a million of them need no more memory
than one, and the first is there before the second is read. Some formats are recognised in order to refuse them: their
text must not be sent as if it were a body.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from tcop_mock.callbacks.strict_json import MAX_BYTES, Issue, ParsedBody, parse_bodies, parse_body
from tcop_mock.errors import UsageError
from tcop_mock.inputs.curl import CURL_WORD, NO_BODY, CurlRequest, parse_curl
from tcop_mock.inputs.documents import read_document
from tcop_mock.inputs.http_capture import (
    CONTENT_LENGTH,
    GOREPLAY_START,
    MESSAGE_START,
    REQUEST_FILE,
    read_goreplay,
    read_http,
    read_request_file,
)
from tcop_mock.inputs.requests import (
    InputItem,
    InputRequest,
    SkippedInput,
    SourceRequest,
    body_alone,
    imported_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

READABLE = (
    "JSON bodies, recordings of listen, reports of check, HAR, HTTP captures, .http files and curl commands are read"
)
_COPY_AS_CURL = 'use "Copy as cURL" in place of it'
_MAX_PREFACE_BYTES = 1 << 16
"""Bytes of blank lines and comments before the line that shows the format."""
_BOM = b"\xef\xbb\xbf"
_BOM_DEVIATION = Issue("", "begins with a byte order mark, which JSON texts must not have")
_FENCE = re.compile(rb"^[ \t]*(?:```|~~~)[^\n`]*\n(.*?)^[ \t]*(?:```|~~~)[ \t]*\r?$", re.MULTILINE | re.DOTALL)
_LOCATION_OF_PROMPT = re.compile(rb"\[[\w.-]+@[^\n\]]*\][$#%] ")
_COMMENTS = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*")
_COMMAND_LINE = re.compile(rb"(?:^[^\n'\"{]{0,80}|[|;&][ \t]*)(?<![\w.-])curl(?:\.exe)?[ \t\\^]", re.MULTILINE)


class ForeignFormat(NamedTuple):
    """A format that is not read."""

    pattern: re.Pattern[bytes]
    name: str
    advice: str
    is_text: bool = False
    """Whether the body of a user's own template could look like it."""


def _line(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^[ \t]*" + pattern, re.MULTILINE | re.IGNORECASE)


FORMATS = (
    ForeignFormat(
        re.compile(rb"\A(?:\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a)"),
        "a packet capture",
        "follow the TCP stream in Wireshark and save it raw",
    ),
    ForeignFormat(re.compile(rb"\A\x1f\x8b"), "a gzip file", "decompress it first"),
    ForeignFormat(re.compile(rb"\APK\x03\x04"), "a zip file", "unpack it first"),
    ForeignFormat(
        _line(
            rb"(?:PS[ ][^\n>]*>[ \t]*)?(?:\$\w+[ \t]*=[ \t]*)?(?:Invoke-(?:WebRequest|RestMethod)|iwr|irm|New-Object)\b"
        ),
        "a PowerShell web request",
        _COPY_AS_CURL,
    ),
    ForeignFormat(
        re.compile(
            rb"^(?:\S*[$%>#] )?(?:https?|httpie|xh) (?:-\S+ )*(?:[A-Z]{3,7} |:|/|localhost|https?:|[\w.-]+[:/])",
            re.MULTILINE,
        ),
        "an HTTPie command",
        "use a curl command or the body alone",
    ),
    ForeignFormat(_line(rb"(?:\S*[$%>#] )?wget[ \t]+\S"), "a wget command", "use a curl command or the body alone"),
    ForeignFormat(
        _line(rb"(?:[\w./@:=-]+[ \t]+){1,9}['\"]curl[ \t]"),
        "a curl command inside quotes",
        "give the curl command itself",
    ),
    ForeignFormat(_line(rb"(?:await[ \t]+)?fetch\("), "a fetch call of JavaScript", _COPY_AS_CURL),
    ForeignFormat(
        _line(rb"import http from ['\"]k6/http"), "a k6 script", "replay its bodies from emit --format ndjson"
    ),
    ForeignFormat(
        _line(rb"(?:from \w[\w.]* )?import \w[\w., ]*\r?$"),
        "a Python program",
        "replay its bodies from emit --format ndjson",
    ),
    ForeignFormat(
        re.compile(rb"^> [A-Z]+ \S+ HTTP/", re.MULTILINE),
        "the output of curl -v",
        "it does not hold the body: give the curl command itself",
    ),
    ForeignFormat(
        re.compile(rb"^(?:\d\d:\d\d:\d\d\.\d+|\d+\.\d+) IP6? ", re.MULTILINE),
        "the output of tcpdump",
        "follow the TCP stream in Wireshark and save it raw",
    ),
    ForeignFormat(
        re.compile(rb"^:(?:method|authority|path|scheme):? ", re.MULTILINE),
        "headers of HTTP/2",
        'save the request as a HAR, or use "Copy as cURL"',
    ),
    ForeignFormat(re.compile(rb"\A\s*<[?!A-Za-z]"), "XML or HTML", "give the bodies alone", is_text=True),
    ForeignFormat(
        re.compile(rb"\A\W?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d"), "a log", "cut out the bodies, one a line", is_text=True
    ),
    ForeignFormat(
        re.compile(rb"^(?:authorization|cookie|proxy-authorization)[ \t]*:", re.MULTILINE | re.IGNORECASE),
        "HTTP headers without a request line",
        "give the whole request",
        is_text=True,
    ),
)


def find_foreign(raw: bytes) -> tuple[ForeignFormat, int] | None:
    """Return the unsupported format of a text, and the number of the line that shows it."""
    for known in FORMATS:
        if match := known.pattern.search(raw):
            return known, raw.count(b"\n", 0, match.start()) + 1
    return None


class _InputLine(NamedTuple):
    """A line that is not blank, with its end."""

    number: int
    text: bytes
    """Bytes of the line; of a line over the limit, its beginning, one byte longer than the limit."""


def read_inputs(stream: BinaryIO, source: str) -> Iterator[InputItem]:
    """Yield the requests and bodies of a file, in their order; an empty file has one body, which is empty.

    Args:
        stream: the file: JSON (one document, several in a row, or one per line), recordings, reports,
            HAR files, captured HTTP/1 requests, ``.http`` files, curl commands.
        source: name of the file, for messages.

    Raises:
        UsageError: the file has an unsupported format, is damaged, or has no requests.
    """
    try:
        yield from _read(stream)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def read_requests(raw: bytes, source: str) -> tuple[list[InputRequest], list[str]]:
    """Return the requests of a file that can be sent as they were, and a line for each part that is not sent.

    Raises:
        UsageError: nothing in the file can be sent.
    """
    if not raw.strip():
        raise UsageError(f"{source}: there is nothing to replay: the file is empty")
    requests: list[InputRequest] = []
    warnings: list[str] = []
    for item in read_inputs(io.BytesIO(raw), source):
        if isinstance(item, SkippedInput):
            warnings.append(str(item))
        elif item.problem:
            warnings.append(f"{item.location or 'the body'} {item.problem}")
        else:
            requests.append(item)
    secret_names = dict.fromkeys(name.lower() for request in requests for name in request.secret_headers)
    if secret_names:
        warnings.append(f"headers that hold secrets are not sent: {', '.join(secret_names)}; --header gives a value")
    if not requests:
        detail = f" ({summarize(warnings)})" if warnings else ""
        raise UsageError(f"{source}: there is nothing to replay: it holds no whole request{detail}")
    return requests, warnings


def summarize(warnings: list[str]) -> str:
    """Return the first of several warnings, and the number of the others."""
    more = f"; and {len(warnings) - 1} more" if len(warnings) > 1 else ""
    return f"{warnings[0]}{more}"


def _read(stream: BinaryIO) -> Iterator[InputItem]:
    lines = _read_lines(stream)
    preface, first = _first_line(lines)
    has_bom = (preface or first.text).startswith(_BOM)
    if has_bom:
        preface, first = preface.removeprefix(_BOM), first._replace(text=first.text.removeprefix(_BOM).lstrip())
    if not _is_json_start(first.text):
        yield from _read_text(preface + first.text + _read_rest(stream, preface + first.text))
        return
    for item in _read_json(preface, first, lines):
        if has_bom and isinstance(item, InputRequest) and item.parsed.is_json and not item.url:
            deviations = (_BOM_DEVIATION, *item.parsed.deviations)
            yield replace(item, parsed=item.parsed._replace(deviations=deviations))
        else:
            yield item
        has_bom = False


def _read_rest(stream: BinaryIO, start: bytes) -> bytes:
    rest = stream.read(max(0, MAX_BYTES + 1 - len(start)))
    if len(start) + len(rest) > MAX_BYTES:
        raise UsageError(f"the file is longer than {MAX_BYTES // 1024**2} MiB: cut it into parts")
    return rest


def _read_lines(stream: BinaryIO) -> Iterator[_InputLine]:
    """Yield lines; the rest of a line that is too long is skipped."""
    for number, text in enumerate(iter(lambda: stream.readline(MAX_BYTES + 1), b""), 1):
        yield _InputLine(number, text)
        if len(text) > MAX_BYTES and not _skip_line(stream, text):
            return


def _skip_line(stream: BinaryIO, start: bytes) -> bool:
    """Read to the end of a line, and return whether it ends within the limit."""
    chunks = (stream.readline(_MAX_PREFACE_BYTES) for _ in range(0, MAX_BYTES, _MAX_PREFACE_BYTES))
    return any(chunk[-1:] in (b"", b"\n") for chunk in itertools.chain([start], chunks))


def _first_line(lines: Iterator[_InputLine]) -> tuple[bytes, _InputLine]:
    """Return blank lines and comments, and the line behind them."""
    preface = b""
    for line in lines:
        text = line.text.removeprefix(_BOM if line.number == 1 else b"").lstrip()
        if text and not text.startswith(b"#"):
            bom = line.text.startswith(_BOM) and line.number == 1
            return preface, line._replace(text=_BOM + text if bom else text)
        preface = (preface + line.text)[:_MAX_PREFACE_BYTES]
    return b"", _InputLine(1, preface)


def _is_json_start(text: bytes) -> bool:
    if text.startswith((b"{", b"[")):
        return not _LOCATION_OF_PROMPT.match(text)
    return parse_body(text).is_json


def _read_json(preface: bytes, first: _InputLine, lines: Iterator[_InputLine]) -> Iterator[InputItem]:
    parsed = parse_body(first.text)
    remaining = (line for line in lines if line.text.strip())
    second = next(remaining, None)
    if second is None:
        yield from _read_one(first.text, parsed)
    elif parsed.is_json or _is_body_per_line(first.text, second.text):
        yield from _read_line(first, parsed)
        for line in itertools.chain([second], remaining):
            yield from _read_line(line, parse_body(line.text))
    else:  # a document over many lines
        document = bytearray(b"\n" * preface.count(b"\n") + first.text + second.text)
        for line in remaining:
            document += line.text
            if len(document) > MAX_BYTES:
                break
        yield from _read_one(bytes(document))


def _read_line(line: _InputLine, parsed: ParsedBody) -> Iterator[InputItem]:
    location, text = f"line {line.number}", line.text.strip()
    if isinstance(parsed.tree, dict | list):
        yield from read_document(text, parsed, location)
    elif parsed.is_json:
        yield body_alone(location, text, parsed, "holds no JSON object, and was left out")
    elif line.text.endswith(b"\n"):
        yield body_alone(location, text, parsed, "is not JSON, and was left out")
    else:
        yield body_alone(location, text, parsed, "is torn: it ends in the middle, and was left out")


def _is_body_per_line(first: bytes, second: bytes) -> bool:
    """Return whether a broken line and the next one are separate bodies, not parts of one document."""
    if len(first) > MAX_BYTES:
        return True
    return first.startswith(b"{") and second.startswith(b"{") and parse_body(second).is_json


def _read_one(raw: bytes, parsed: ParsedBody | None = None) -> Iterator[InputItem]:
    """Yield the requests of a document, or of several one behind the other."""
    first = parsed or parse_body(raw)
    documents = [] if first.is_json else parse_bodies(raw)
    if len(documents) > 1:
        for number, (text, document) in enumerate(
            zip(_split_documents(raw, len(documents)), documents, strict=True), 1
        ):
            if document.is_json:
                yield from read_document(text, document, f"item {number}")
            else:
                yield body_alone(f"item {number}", text, document, "is not JSON, and was left out")
    elif first.is_json:
        yield from read_document(raw, first, "")
    else:
        yield body_alone("", raw, first, f"{first.problems[0].message}")


def _split_documents(raw: bytes, count: int) -> Iterator[bytes]:
    """Yield the bytes of documents that stand one behind the other; the last one may be broken."""
    text, decoder, position = raw.decode(), json.JSONDecoder(), 0
    for _ in range(count - 1):
        start = len(text) - len(text[position:].lstrip())
        _, position = decoder.raw_decode(text, start)
        yield text[start:position].encode()
    yield text[position:].strip().encode()


def _read_text(raw: bytes) -> Iterator[InputItem]:
    """Yield the requests of a text that is not JSON; one that nothing recognises is one body, which cannot be sent."""
    comments = _COMMENTS.match(raw)
    start = raw[comments.end() if comments else 0 :]
    fence = _FENCE.search(raw)
    if fence and fence[1].strip() and not MESSAGE_START.match(start) and not CURL_WORD.search(raw, 0, fence.start()):
        yield from _read(io.BytesIO(b"\n".join(_FENCE.findall(raw))))
    elif GOREPLAY_START.match(start):
        yield from _require_requests(read_goreplay(start))
    elif REQUEST_FILE.search(raw) and (not MESSAGE_START.match(raw) or not CONTENT_LENGTH.search(raw)):
        yield from _require_requests(read_request_file(raw))
    elif MESSAGE_START.match(start):
        yield from _require_requests(read_http(start))
    else:
        yield from _read_commands(raw)


def _require_requests(items: Iterator[InputItem]) -> Iterator[InputItem]:
    count = 0
    for item in items:
        count += isinstance(item, InputRequest)
        yield item
    if not count:
        raise UsageError(f"the file holds no request: {READABLE}")


def _read_commands(raw: bytes) -> Iterator[InputItem]:
    """Yield the requests of curl commands; a text without them is a body."""
    foreign = find_foreign(raw)
    commands: list[CurlRequest] = []
    try:
        commands = list(parse_curl(raw)) if CURL_WORD.search(raw) else []
    except UsageError:
        if not (foreign and not foreign[0].is_text) and _COMMAND_LINE.search(raw):
            raise
    if any(command.body is not None for command in commands):
        yield from map(_command_item, itertools.count(1), commands)
    elif foreign and not foreign[0].is_text:
        known, line = foreign
        raise UsageError(f"line {line} looks like {known.name}, which is not read: {known.advice}; {READABLE}")
    elif commands:
        raise UsageError(f"the curl command on line {commands[0].line} {NO_BODY}")
    else:
        name = f"looks like {foreign[0].name}: {foreign[0].advice}" if foreign else "has no format that is read"
        parsed = parse_body(raw)
        if foreign and not parsed.is_json:
            parsed = parsed._replace(problems=(*parsed.problems, Issue("", name)))
        yield body_alone("", raw, parsed, f"{name}; {READABLE}")


def _command_item(number: int, command: CurlRequest) -> InputItem:
    location = f"command {number}"
    if command.body is None:
        return SkippedInput(location=location, reason="it sends no body")
    return imported_request(
        SourceRequest(
            location=location,
            body=command.body,
            method=command.method,
            url=command.url or "/",
            headers=command.headers,
        )
    )
