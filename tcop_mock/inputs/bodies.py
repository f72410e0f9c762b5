"""Find the bodies in what a user has: JSON, a body a line, captured HTTP requests, curl lines.

Recognised by content. Lines are read one by one, so that a million of them need no more memory than one, and the first
is judged before the second is there.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks.strict_json import MOST_BYTES, Note, Parsed, parse, parse_all
from tcop_mock.inputs.curl import CURL, bodies_of_curl
from tcop_mock.inputs.requests import REQUEST, of_requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_MOST_PREFACE = 1 << 16
"""Bytes of blank lines and comments before what is told by its first line."""


class Found(NamedTuple):
    """One body and where it was."""

    at: str
    """``line 3``, ``item 2``, ``request 1``; empty where it is all there is."""
    parsed: Parsed


class _Line(NamedTuple):
    """A line that is not blank, with its end."""

    number: int
    text: bytes
    """Of one that is too long, what is longer than the limit by one."""


def bodies_in(stream: BinaryIO) -> Iterator[Found]:
    """Yield the bodies of a file, in their order; an empty file has one, which is empty.

    Args:
        stream: to read from; JSON (a document or several, one after the other), NDJSON, captured HTTP/1 requests, or
            curl lines. A list of objects, and what ``emit --json`` prints, are the bodies in it.

    Raises:
        UsageError: a curl line that cannot be read, or takes its body from a file.
    """
    lines = _lines(stream)
    preface, first = _first(lines)
    if REQUEST.match(first.text):
        yield from _numbered("request", of_requests(_rest(stream, first.text)))
    elif CURL.match(first.text):
        yield from _numbered("command", map(parse, bodies_of_curl(_rest(stream, first.text))))
    else:
        yield from _of_lines(preface, first, lines)


def _rest(stream: BinaryIO, read: bytes) -> bytes:
    return read + stream.read(max(0, MOST_BYTES + 1 - len(read)))


def _numbered(what: str, bodies: Iterator[Parsed]) -> Iterator[Found]:
    """Yield bodies with their places; the only one needs none."""
    first, second = next(bodies), next(bodies, None)
    if second is None:
        yield Found("", first)
        return
    for number, parsed in enumerate(itertools.chain((first, second), bodies), 1):
        yield Found(f"{what} {number}", parsed)


def _lines(stream: BinaryIO) -> Iterator[_Line]:
    """Yield lines; the rest of one that is too long is passed over, or where it has no end, all that follows."""
    for number, text in enumerate(iter(lambda: stream.readline(MOST_BYTES + 1), b""), 1):
        yield _Line(number, text)
        if len(text) > MOST_BYTES and not _pass_over(stream, text):
            return


def _pass_over(stream: BinaryIO, text: bytes) -> bool:
    """Read to the end of a line, and tell whether it has one within reach."""
    pieces = (stream.readline(_MOST_PREFACE) for _ in range(0, MOST_BYTES, _MOST_PREFACE))
    return any(piece[-1:] in (b"", b"\n") for piece in itertools.chain([text], pieces))


def _first(lines: Iterator[_Line]) -> tuple[bytes, _Line]:
    """Return blank lines and comments, and the line behind them."""
    preface = b""
    for line in lines:
        text = line.text.lstrip()
        if text and not text.startswith(b"#"):
            return preface, line._replace(text=text)
        preface = (preface + line.text)[:_MOST_PREFACE]
    return b"", _Line(1, preface)


def _of_lines(preface: bytes, first: _Line, lines: Iterator[_Line]) -> Iterator[Found]:
    parsed = parse(first.text)
    rest = (line for line in lines if line.text.strip())
    second = next(rest, None)
    if second is None:
        yield from _of_document(first.text, parsed)
    elif parsed.is_json or _are_bodies(first.text, second.text):
        yield Found(f"line {first.number}", parsed)
        yield from (Found(f"line {line.number}", parse(line.text)) for line in itertools.chain([second], rest))
    else:  # a document over many lines
        whole = bytearray(b"\n" * preface.count(b"\n") + first.text + second.text)
        for line in rest:
            whole += line.text
            if len(whole) > MOST_BYTES:
                break
        yield from _of_document(bytes(whole))


def _are_bodies(first: bytes, second: bytes) -> bool:
    """Tell whether a broken line and the next one are a body each, and not parts of one document."""
    if len(first) > MOST_BYTES:
        return True
    return first.startswith(b"{") and second.startswith(b"{") and parse(second).is_json


def _of_document(raw: bytes, parsed: Parsed | None = None) -> Iterator[Found]:
    """Yield the bodies of a document, or of several one behind the other."""
    first = parsed or parse(raw)
    several = [] if first.is_json else parse_all(raw)
    if len(several) > 1:
        yield from _numbered("item", iter(several))
    else:
        yield from _unpacked(first)


def _unpacked(parsed: Parsed) -> Iterator[Found]:
    """Yield the bodies of a list of objects, or of our own document; else the one body that it is."""
    tree = parsed.tree
    is_ours = isinstance(tree, dict) and tree.get("version") == 1 and isinstance(tree.get("callbacks"), list)
    rows = tree["callbacks"] if is_ours else tree
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        yield Found("", parsed)
        return
    for at, row in enumerate(rows):
        start = f"callbacks.{at}.body." if is_ours else f"{at}."
        problems = [note for note in parsed.problems if f"{note.path}.".startswith(start)]
        mine = tuple(Note(note.path.removeprefix(start), note.message) for note in problems)
        yield Found(f"item {at + 1}", Parsed(row.get("body") if is_ours else row, mine))
