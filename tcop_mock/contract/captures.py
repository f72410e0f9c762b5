"""Read a body out of a captured HTTP request, or out of a curl line."""

from __future__ import annotations

import re
import shlex
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from tcop_mock.contract.parsing import Note, Parsed, parse
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = re.compile(rb"[A-Z]{1,10} \S+ HTTP/[0-9.]+\r?\n")
"""How a captured request begins."""
CURL = re.compile(rb"(\$ )?curl\s")
"""How a curl line begins."""
_ANSI_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ANSI_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|(.))", re.DOTALL)
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b", "0": "\0"}
_ANSI |= {one: one for one in "\\'\"?"}
_HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1\n(.*?)\n\2\s*$", re.DOTALL)
_RAW = "--data-raw"
_DATA_FLAGS = ("-d", "--data", _RAW, "--data-binary", "--data-ascii", "--json")
_CODINGS = frozenset({"", "identity"})


def of_request(raw: bytes) -> Parsed:
    """Read one captured request; what is wrong with it beside its body is told, too."""
    line, _, rest = raw.partition(b"\n")
    head, body = _halves(rest)
    headers = BytesHeaderParser().parsebytes(head)
    coding = str(headers.get("Content-Encoding", "")).strip().lower()
    problems, deviations = [], []
    if not line.startswith(b"POST "):
        problems.append(Note("", f"was sent by {line.split()[0].decode()}; callbacks are sent by POST"))
    if "chunked" in str(headers.get("Transfer-Encoding", "")).lower():
        body, whole = _unchunked(body)
        if not whole:
            problems.append(Note("", "was captured in part: the last chunk is missing"))
    length = str(headers.get("Content-Length", "")).strip()
    if length.isdecimal() and int(length) != len(body):
        if int(length) > len(body):
            problems.append(Note("", f"was captured in part: {len(body)} bytes of {length} by its Content-Length"))
        body = body[: int(length)]
    if headers.get_content_type() != "application/json" or "Content-Type" not in headers:
        told = headers.get("Content-Type", "none")
        deviations.append(Note("", f"has the Content-Type {told}; application/json was observed"))
    if coding not in _CODINGS:
        problems.append(Note("", f"has the Content-Encoding {coding}, which callbacks do not have; decode it first"))
    parsed = parse(body)
    return parsed._replace(problems=(*problems, *parsed.problems), deviations=(*deviations, *parsed.deviations))


def _halves(rest: bytes) -> tuple[bytes, bytes]:
    """Split at the first blank line, whichever way lines end."""
    found = re.search(rb"^\r?\n", rest, re.MULTILINE)
    return (rest, b"") if found is None else (rest[: found.start()], rest[found.end() :])


def _unchunked(raw: bytes) -> tuple[bytes, bool]:
    """Return a chunked body put together, and whether its last chunk was there."""
    body = bytearray()
    while raw:
        size, _, raw = raw.partition(b"\n")
        digits = size.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", digits):
            return bytes(body), False
        if not int(digits, 16):
            return bytes(body), True
        body += raw[: int(digits, 16)]
        raw = raw[int(digits, 16) :].lstrip(b"\r\n")
    return bytes(body), False


def of_curl(raw: bytes) -> Parsed:
    """Read the body of a curl line.

    Raises:
        UsageError: its quotes do not match, it has no body, or the body is in a file.
    """
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n").removeprefix("$ ")
    document = _HERE_DOCUMENT.search(text)
    command = text[: document.start()] if document else text
    command = _ANSI_QUOTED.sub(lambda quoted: shlex.quote(_ansi(quoted[1])), command.replace("\\\n", " "))
    try:
        data = list(_data(shlex.split(command)))
    except ValueError as problem:
        raise UsageError(f"this curl line cannot be read: {str(problem).lower()}; quote it as for a shell") from None
    if not data:
        raise UsageError("this curl line has no body: -d, --data, --data-raw, --data-binary or --json gives one")
    bodies = []
    for flag, value in data:
        if flag == _RAW or not value.startswith("@"):
            bodies.append(value)
        elif value == "@-" and document:
            bodies.append(document[3])
        else:
            raise UsageError(f"this curl line takes its body from {value[1:]!r}; validate that file")
    return parse("&".join(bodies).encode("utf-8", "surrogateescape"))


def _data(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the flags that give a body, each with its value."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if word in _DATA_FLAGS:
            yield word, after
        elif equals and flag in _DATA_FLAGS:
            yield flag, value
        elif re.match("-d.", word):
            yield "-d", word[2:]


def _ansi(text: str) -> str:
    r"""Return what a shell makes of ``$'...'``: backslash, quotes, ``\n``, ``\xHH``, ``\uHHHH``."""

    def one(escape: re.Match[str]) -> str:
        coded = escape[1] or escape[2]
        return chr(int(coded, 16)) if coded else _ANSI.get(escape[3], escape[0])

    return _ANSI_ESCAPE.sub(one, text)
