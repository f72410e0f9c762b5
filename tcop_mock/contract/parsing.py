"""Read a body's bytes as JSON, strictly, and tell what other readers would stumble over."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

MOST_BYTES = 64 * 1024 * 1024
"""Of a body, a capture or a document; a callback has some 800 bytes."""
MOST_DEPTH = 200
"""Tables and lists inside each other; a callback has five."""
_BOM = b"\xef\xbb\xbf"
_OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_NEAR = 20


class Note(NamedTuple):
    """Something about one place of a body."""

    path: str
    """Keys and positions, joined by dots; empty for the whole body."""
    message: str


class Parsed(NamedTuple):
    """A body as a tree, or why it is none."""

    tree: Any
    problems: tuple[Note, ...] = ()
    deviations: tuple[Note, ...] = ()
    is_json: bool = True


def path_of(keys: Path) -> str:
    """Return a path as edits take it: keys and positions, joined by dots."""
    return ".".join(map(str, keys))


def parse(raw: bytes) -> Parsed:
    """Read a body as RFC 8259 has JSON, in UTF-8; whatever the bytes are, nothing is raised.

    Problems are what no JSON text has, keys that stand twice, ``NaN``, and depth; a byte order mark is a deviation.
    """
    marked = raw.startswith(_BOM)
    deviations = (Note("", "begins with a byte order mark, which JSON texts must not have"),) if marked else ()
    try:
        text = _text(raw[len(_BOM) if marked else 0 :])
        odd: list[str] = []
        tree = _tree(text, odd)
    except _NoJsonError as problem:
        return Parsed(None, (Note("", str(problem)),), is_json=False)
    problems = [Note("", f"{name} is no JSON") for name in odd]
    return Parsed(tree, (*problems, *_flaws(tree)), deviations)


class _NoJsonError(Exception):
    """Why there is no tree."""


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise _NoJsonError(
            f"is longer than {MOST_BYTES // 1024**2} MiB and was not read; a callback has some 800 bytes"
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError as problem:
        raise _NoJsonError(_encoding_problem(raw, problem)) from None
    if not text.strip():
        raise _NoJsonError("is blank" if text else "is empty")
    return text


def _tree(text: str, odd: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text, object_pairs_hook=_Table, parse_constant=odd.append)
    except json.JSONDecodeError as problem:
        raise _NoJsonError(_syntax_problem(text, problem)) from None
    except RecursionError:
        raise _NoJsonError(f"nests deeper than {MOST_DEPTH} tables and lists") from None
    except ValueError:  # a whole number with more digits than Python reads
        raise _NoJsonError(f"has a number of more than {sys.get_int_max_str_digits()} digits") from None


class _Table(dict[str, Any]):
    """A JSON object that remembers keys that stood in it twice."""

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: tuple[str, ...] = ()
        if len(self) < len(pairs):
            self.twice = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)


def _flaws(tree: Any) -> Iterator[Note]:  # noqa: ANN401 - any JSON value
    """Yield what the syntax allows and readers do not; walked without recursion, a body may be made to be deep."""
    waiting: list[tuple[Path, Any]] = [((), tree)]
    while waiting:
        path, node = waiting.pop()
        if len(path) > MOST_DEPTH:
            yield Note(path_of(path[:3]), f"nests deeper than {MOST_DEPTH} tables and lists")
            return
        if isinstance(node, _Table):
            for key in node.twice:
                yield Note(path_of((*path, key)), "the key stands here twice: readers differ in which value they take")
            waiting += [((*path, key), child) for key, child in node.items()]
            if any(map(_is_broken, node)):
                yield Note(path_of(path), "a key has half a surrogate pair: UTF-8 cannot write it")
        elif isinstance(node, list):
            waiting += [((*path, at), child) for at, child in enumerate(node)]
        elif isinstance(node, str) and _is_broken(node):
            yield Note(path_of(path), "has half a surrogate pair: UTF-8 cannot write it")


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _encoding_problem(raw: bytes, problem: UnicodeDecodeError) -> str:
    other = _OTHER_MARKS.get(raw[:2])
    if other is None and b"\x00" in raw[:4]:
        other = "UTF-16 or UTF-32"
    if other:
        return f"is no UTF-8: it looks like {other}"
    return f"is no UTF-8: byte {problem.start} is 0x{raw[problem.start]:02x}"


def _syntax_problem(text: str, problem: json.JSONDecodeError) -> str:
    if problem.pos >= len(text.rstrip()):
        return f"is no JSON: it ends at character {len(text)}, in the middle"
    near = text[problem.pos : problem.pos + _NEAR]
    what = f"{problem.msg[:1].lower()}{problem.msg[1:]}"
    return f"is no JSON: {what} (line {problem.lineno}, column {problem.colno}: {near!r})"
