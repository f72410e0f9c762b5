"""Read a body's bytes as JSON, strictly, and tell what other readers would stumble over."""

from __future__ import annotations

import itertools
import json
import re
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
MOST_FLAWS = 101
"""Of one body: one more than is told of it, so that it can be told that there are more."""
_MOST_KEY_CHARS = 200
_TOO_DEEP = f"nests deeper than {MOST_DEPTH} tables and lists"
_ODD = re.compile(r"\\u[dD][89a-fA-F]|\bNaN\b|\bInfinity\b")
"""What half a pair is written as, which UTF-8 cannot write, and constants; also whole pairs, and words in a text."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_TWICE = "the key stands here twice: readers differ in which value they take"


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
    """Return a path as edits take it: keys and positions, joined by dots; keys of a length that none has are cut."""
    return ".".join(str(key)[:_MOST_KEY_CHARS] for key in keys)


def parse(raw: bytes) -> Parsed:
    """Read a body as RFC 8259 has JSON, in UTF-8; whatever the bytes are, nothing is raised.

    Problems are what no JSON text has, keys that stand twice, ``NaN``, and depth; a byte order mark is a deviation.
    """
    marked = raw.startswith(_BOM)
    deviations = (Note("", "begins with a byte order mark, which JSON texts must not have"),) if marked else ()
    reader = _Reader()
    try:
        tree = reader.read(_text(raw[len(_BOM) if marked else 0 :]))
    except NoJsonError as problem:
        return Parsed(None, (Note("", str(problem)),), is_json=False)
    return Parsed(tree, tuple(itertools.islice(reader.flaws(tree), MOST_FLAWS)), deviations)


def parse_all(raw: bytes) -> list[Parsed]:
    """Read objects that stand one behind the other, as ``jq`` writes them; only the last one may be broken."""
    found: list[Parsed] = []
    try:
        text = _text(raw)
        at = _past_blanks(text, 0)
        while text.startswith("{", at):
            reader = _Reader()
            tree, at = reader.read_at(text, at)
            found.append(Parsed(tree, tuple(itertools.islice(reader.flaws(tree), MOST_FLAWS))))
    except NoJsonError as problem:
        return [*found, Parsed(None, (Note("", str(problem)),), is_json=False)]
    return found if at == len(text) else []


class NoJsonError(Exception):
    """Why there is no tree."""


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise NoJsonError(f"is longer than {MOST_BYTES // 1024**2} MiB and was not read; a callback has some 800 bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as problem:
        raise NoJsonError(_encoding_problem(raw, problem)) from None
    if not text.strip():
        raise NoJsonError("is blank" if text else "is empty")
    return text


class _Constant(float):
    """A value that Python reads and JSON does not have."""

    name: str
    """``NaN``, ``Infinity`` or ``-Infinity``."""

    @classmethod
    def of(cls, name: str) -> _Constant:
        """Return the value of a name."""
        constant = cls(name)
        constant.name = name
        return constant


class _Reader:
    """Reads JSON, and remembers what Python's decoder passes over; nobody walks through a tree that has none of it."""

    def __init__(self) -> None:
        self._twice: list[tuple[dict[str, Any], tuple[str, ...]]] = []
        self._is_odd = False

    def read(self, text: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value of a text.

        Raises:
            NoJsonError: it is none, or not one that is looked at.
        """
        tree, end = self.read_at(text, 0)
        if end < len(text):
            raise NoJsonError(_syntax_problem(text, json.JSONDecodeError("Extra data", text, end)))
        return tree

    def read_at(self, text: str, at: int) -> tuple[Any, int]:
        """Return the value at an index of a text, and the index behind it and the blanks that follow.

        Raises:
            NoJsonError: as :meth:`read`.
        """
        decoder = json.JSONDecoder(object_pairs_hook=self._table, parse_constant=_Constant.of)
        try:
            tree, end = decoder.raw_decode(text, _past_blanks(text, at))
        except json.JSONDecodeError as problem:
            raise NoJsonError(_syntax_problem(text, problem)) from None
        except RecursionError:
            raise NoJsonError(_TOO_DEEP) from None
        except ValueError:  # a whole number with more digits than Python reads
            raise NoJsonError(f"has a number of more than {sys.get_int_max_str_digits()} digits") from None
        if _is_deep(tree):
            raise NoJsonError(_TOO_DEEP)
        self._is_odd |= _ODD.search(text, at, end) is not None
        return tree, _past_blanks(text, end)

    def _table(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            counted = Counter(key for key, _ in pairs)
            self._twice.append((table, tuple(key for key, times in counted.items() if times > 1)))
        return table

    def flaws(self, tree: Any) -> Iterator[Note]:  # noqa: ANN401 - any JSON value
        """Yield what the decoder takes and others do not."""
        twice = {id(table): keys for table, keys in self._twice}
        if not (twice or self._is_odd):
            return
        for path, node in _walk(tree):
            if isinstance(node, dict):
                for key in twice.get(id(node), ()):
                    yield Note(
                        path_of((*path, key)), "the key stands here twice: readers differ in which value they take"
                    )
                if any(map(_is_broken, node)):
                    yield Note(path_of(path), "a key has half a surrogate pair: UTF-8 cannot write it")
            elif isinstance(node, _Constant):
                yield Note(path_of(path), f"is {node.name}, which is no JSON")
            elif isinstance(node, str) and _is_broken(node):
                yield Note(path_of(path), "has half a surrogate pair: UTF-8 cannot write it")


def _is_deep(tree: Any) -> bool:  # noqa: ANN401 - any JSON value
    level = [tree]
    for _ in range(MOST_DEPTH):
        level = [child for node in level for _, child in _items(node) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _walk(tree: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - any JSON value
    """Yield all values with their paths; needs memory for the depth only."""
    yield (), tree
    path: list[str | int] = []
    waiting = [_items(tree)]
    while waiting:
        key, child = next(waiting[-1], (None, None))
        if key is None:
            waiting.pop()
            del path[-1:]
            continue
        yield (*path, key), child
        if isinstance(child, dict | list):
            path.append(key)
            waiting.append(_items(child))


def _items(node: Any) -> Iterator[tuple[str | int, Any]]:  # noqa: ANN401 - any JSON value
    return iter(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())


def _past_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


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
