"""Find the bodies in what a user has: JSON, a body a line, captured HTTP requests, curl lines.

Recognised by content. Lines are read one by one, so that a million of them need no more memory than one, and the first
is judged before the second is there.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks.strict_json import MAX_BYTES, Issue, ParsedBody, parse_bodies, parse_body
from tcop_mock.inputs.curl import CURL_COMMAND, bodies_of_curl
from tcop_mock.inputs.requests import REQUEST_LINE, bodies_of_requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_MAX_PREFACE_BYTES = 1 << 16
"""Bytes of blank lines and comments before what is told by its first line."""


class InputBody(NamedTuple):
    """One body and where it was."""

    location: str
    """``line 3``, ``item 2``, ``request 1``; empty where it is all there is."""
    parsed: ParsedBody


class _InputLine(NamedTuple):
    """A line that is not blank, with its end."""

    number: int
    text: bytes
    """Of one that is too long, what is longer than the limit by one."""


def read_bodies(stream: BinaryIO) -> Iterator[InputBody]:
    """Yield the bodies of a file, in their order; an empty file has one, which is empty.

    Args:
        stream: to read from; JSON (a document or several, one after the other), NDJSON, captured HTTP/1 requests, or
            curl lines. A list of objects, and what ``emit --json`` prints, are the bodies in it.

    Raises:
        UsageError: a curl line that cannot be read, or takes its body from a file.
    """
    lines = _read_lines(stream)
    preface, first = _first_line(lines)
    if REQUEST_LINE.match(first.text):
        yield from _with_locations("request", bodies_of_requests(_read_rest(stream, first.text)))
    elif CURL_COMMAND.match(first.text):
        yield from _with_locations("command", map(parse_body, bodies_of_curl(_read_rest(stream, first.text))))
    else:
        yield from _read_by_line(preface, first, lines)


def _read_rest(stream: BinaryIO, start: bytes) -> bytes:
    return start + stream.read(max(0, MAX_BYTES + 1 - len(start)))


def _with_locations(noun: str, parsed_bodies: Iterator[ParsedBody]) -> Iterator[InputBody]:
    """Yield bodies with their places; the only one needs none."""
    first, second = next(parsed_bodies), next(parsed_bodies, None)
    if second is None:
        yield InputBody("", first)
        return
    for number, parsed in enumerate(itertools.chain((first, second), parsed_bodies), 1):
        yield InputBody(f"{noun} {number}", parsed)


def _read_lines(stream: BinaryIO) -> Iterator[_InputLine]:
    """Yield lines; the rest of one that is too long is passed over, or where it has no end, all that follows."""
    for number, text in enumerate(iter(lambda: stream.readline(MAX_BYTES + 1), b""), 1):
        yield _InputLine(number, text)
        if len(text) > MAX_BYTES and not _skip_line(stream, text):
            return


def _skip_line(stream: BinaryIO, start: bytes) -> bool:
    """Read to the end of a line, and tell whether it has one within reach."""
    chunks = (stream.readline(_MAX_PREFACE_BYTES) for _ in range(0, MAX_BYTES, _MAX_PREFACE_BYTES))
    return any(chunk[-1:] in (b"", b"\n") for chunk in itertools.chain([start], chunks))


def _first_line(lines: Iterator[_InputLine]) -> tuple[bytes, _InputLine]:
    """Return blank lines and comments, and the line behind them."""
    preface = b""
    for line in lines:
        text = line.text.lstrip()
        if text and not text.startswith(b"#"):
            return preface, line._replace(text=text)
        preface = (preface + line.text)[:_MAX_PREFACE_BYTES]
    return b"", _InputLine(1, preface)


def _read_by_line(preface: bytes, first: _InputLine, lines: Iterator[_InputLine]) -> Iterator[InputBody]:
    parsed = parse_body(first.text)
    remaining = (line for line in lines if line.text.strip())
    second = next(remaining, None)
    if second is None:
        yield from _read_document(first.text, parsed)
    elif parsed.is_json or _is_body_per_line(first.text, second.text):
        yield InputBody(f"line {first.number}", parsed)
        yield from (
            InputBody(f"line {line.number}", parse_body(line.text)) for line in itertools.chain([second], remaining)
        )
    else:  # a document over many lines
        document = bytearray(b"\n" * preface.count(b"\n") + first.text + second.text)
        for line in remaining:
            document += line.text
            if len(document) > MAX_BYTES:
                break
        yield from _read_document(bytes(document))


def _is_body_per_line(first: bytes, second: bytes) -> bool:
    """Tell whether a broken line and the next one are a body each, and not parts of one document."""
    if len(first) > MAX_BYTES:
        return True
    return first.startswith(b"{") and second.startswith(b"{") and parse_body(second).is_json


def _read_document(raw: bytes, parsed: ParsedBody | None = None) -> Iterator[InputBody]:
    """Yield the bodies of a document, or of several one behind the other."""
    first = parsed or parse_body(raw)
    documents = [] if first.is_json else parse_bodies(raw)
    if len(documents) > 1:
        yield from _with_locations("item", iter(documents))
    else:
        yield from _unpack(first)


def _unpack(parsed: ParsedBody) -> Iterator[InputBody]:
    """Yield the bodies of a list of objects, or of our own document; else the one body that it is."""
    tree = parsed.tree
    is_ours = isinstance(tree, dict) and tree.get("version") == 1 and isinstance(tree.get("callbacks"), list)
    bodies = tree["callbacks"] if is_ours else tree
    if not isinstance(bodies, list) or not bodies or not all(isinstance(body, dict) for body in bodies):
        yield InputBody("", parsed)
        return
    for index, body in enumerate(bodies):
        path_prefix = f"callbacks.{index}.body." if is_ours else f"{index}."
        problems = [issue for issue in parsed.problems if f"{issue.path}.".startswith(path_prefix)]
        own_issues = tuple(Issue(issue.path.removeprefix(path_prefix), issue.message) for issue in problems)
        yield InputBody(f"item {index + 1}", ParsedBody(body.get("body") if is_ours else body, own_issues))
