"""Formats that are recognised in order to refuse them: their text must not be sent as if it were a body."""

from __future__ import annotations

import re
from typing import NamedTuple

READABLE = (
    "JSON bodies, recordings of listen, reports of check, HAR, HTTP captures, .http files and curl commands are read"
)
_COPY_AS_CURL = 'use "Copy as cURL" in place of it'


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
    """Return the format that a text has and is not read, and the line that shows it."""
    for known in FORMATS:
        if match := known.pattern.search(raw):
            return known, raw.count(b"\n", 0, match.start()) + 1
    return None
