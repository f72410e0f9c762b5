"""Find the bodies in what a user has: JSON, a body a line, a captured HTTP request, a curl line.

Recognised by content. Lines are read one by one, so that a million of them need no more memory than one.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.captures import CURL, REQUEST, of_curl, of_request
from tcop_mock.contract.parsing import MOST_BYTES, Note, Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """One body and where it was."""

    at: str
    """``line 3``, ``item 2``; empty where it is all there is."""
    parsed: Parsed


def bodies_in(stream: BinaryIO) -> Iterator[Found]:
    """Yield the bodies of a file, in their order; an empty file has one, which is empty.

    Args:
        stream: to read from; JSON, NDJSON, one captured HTTP/1 request, or one curl line. A list of objects, and what
            ``emit --json`` prints, are the bodies in it.

    Raises:
        UsageError: a curl line that cannot be read, or takes its body from a file.
    """
    head = stream.read(1 << 16).lstrip(_BLANK)
    captured = next((read for sign, read in ((REQUEST, of_request), (CURL, of_curl)) if sign.match(head)), None)
    if captured:
        yield Found("", captured(head + stream.read(MOST_BYTES)))
    else:
        yield from _of_lines(_lines(head, stream))


def _lines(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines with their ends; one that is too long is yielded cut, behind the limit."""
    *whole, rest = head.splitlines(keepends=True) or [b""]
    yield from whole
    rest += stream.readline(MOST_BYTES) if not rest.endswith(b"\n") else b""
    while rest:
        yield rest
        if len(rest) > MOST_BYTES:
            return
        rest = stream.readline(MOST_BYTES + 1)


def _of_lines(lines: Iterator[bytes]) -> Iterator[Found]:
    first = next(lines, b"")
    parsed = parse(first)
    rest = ((number, line) for number, line in enumerate(lines, start=2) if line.strip())
    second = next(rest, None)
    if second is None:
        yield from _unpacked(parsed)
    elif parsed.is_json or (first.strip().startswith(b"{") and parse(second[1]).is_json and second[1][:1] == b"{"):
        yield Found("line 1", parsed)
        yield from (Found(f"line {number}", parse(line)) for number, line in itertools.chain([second], rest))
    else:  # a document over many lines
        whole = bytearray(first + second[1])
        for _, line in rest:
            whole += line
            if len(whole) > MOST_BYTES:
                break
        yield from _unpacked(parse(bytes(whole)))


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
