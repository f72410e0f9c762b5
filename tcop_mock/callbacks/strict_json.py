"""Strict JSON parser that also reports what other parsers may read differently."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    JsonPath = tuple[str | int, ...]

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of a body, a capture or a document; a callback has about 800 bytes."""
MAX_DEPTH = 200
"""Maximum nesting of objects and lists; a callback has five levels."""
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_EXCERPT_CHARS = 20
MAX_PARSE_ISSUES = 101
"""Maximum number of issues of one body: one more than is reported, to detect that there are more."""
_MAX_KEY_CHARS = 200
_TOO_DEEP = f"nests deeper than {MAX_DEPTH} objects and lists"
_SUSPICIOUS = re.compile(r"\\u[dD][89a-fA-F]|\bNaN\b|\bInfinity\b")
"""Escapes of surrogates (UTF-8 cannot encode half a pair) and constants; also matches whole pairs and text."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_DUPLICATE_KEY = "the key occurs twice; parsers differ in which value they use"


class Issue(NamedTuple):
    """A remark about one place of a body."""

    path: str
    """Keys and positions, joined by dots; empty for the whole body."""
    message: str


class ParsedBody(NamedTuple):
    """A body as a tree, or the reason why it cannot be parsed."""

    tree: Any
    problems: tuple[Issue, ...] = ()
    deviations: tuple[Issue, ...] = ()
    is_json: bool = True


def path_of(keys: JsonPath) -> str:
    """Return a path as edits use it: keys and positions, joined by dots. Very long keys are cut."""
    return ".".join(str(key)[:_MAX_KEY_CHARS] for key in keys)


def parse_body(raw: bytes) -> ParsedBody:
    """Parse a body as JSON (RFC 8259) in UTF-8. Never raises.

    Problems are invalid JSON, duplicate keys, ``NaN`` and too deep nesting; a byte order mark is a deviation.
    """
    has_bom = raw.startswith(_BOM)
    deviations = (Issue("", "begins with a byte order mark, which is not allowed in JSON"),) if has_bom else ()
    reader = _StrictReader()
    try:
        tree = reader.read(_decode(raw[len(_BOM) if has_bom else 0 :]))
    except InvalidJsonError as error:
        return ParsedBody(None, (Issue("", str(error)),), is_json=False)
    return ParsedBody(tree, tuple(itertools.islice(reader.issues(tree), MAX_PARSE_ISSUES)), deviations)


def parse_bodies(raw: bytes) -> list[ParsedBody]:
    """Parse consecutive objects, as ``jq`` writes them. Only the last one may be invalid."""
    bodies: list[ParsedBody] = []
    try:
        text = _decode(raw)
        position = _skip_blanks(text, 0)
        while text.startswith("{", position):
            reader = _StrictReader()
            tree, position = reader.read_at(text, position)
            bodies.append(ParsedBody(tree, tuple(itertools.islice(reader.issues(tree), MAX_PARSE_ISSUES))))
    except InvalidJsonError as error:
        return [*bodies, ParsedBody(None, (Issue("", str(error)),), is_json=False)]
    return bodies if position == len(text) else []


class InvalidJsonError(Exception):
    """The text cannot be parsed; the message says why."""


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise InvalidJsonError(
            f"is longer than {MAX_BYTES // 1024**2} MiB and was not read; a callback has about 800 bytes"
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidJsonError(_encoding_message(raw, error)) from None
    if not text.strip():
        raise InvalidJsonError("is blank" if text else "is empty")
    return text


class _NonJsonConstant(float):
    """A value that Python parses although JSON does not have it."""

    name: str
    """``NaN``, ``Infinity`` or ``-Infinity``."""

    @classmethod
    def from_name(cls, name: str) -> _NonJsonConstant:
        """Return the value with this name."""
        constant = cls(name)
        constant.name = name
        return constant


class _StrictReader:
    """Parses JSON and records what Python's decoder accepts silently, so that most trees need no second pass."""

    def __init__(self) -> None:
        self._duplicates: list[tuple[dict[str, Any], tuple[str, ...]]] = []
        self._is_suspicious = False

    def read(self, text: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value of a text.

        Raises:
            InvalidJsonError: the text is not JSON, or exceeds a limit.
        """
        tree, end = self.read_at(text, 0)
        if end < len(text):
            raise InvalidJsonError(_syntax_message(text, json.JSONDecodeError("Extra data", text, end)))
        return tree

    def read_at(self, text: str, position: int) -> tuple[Any, int]:
        """Return the value at an index of a text, and the index after it and following blanks.

        Raises:
            InvalidJsonError: as for :meth:`read`.
        """
        decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=_NonJsonConstant.from_name)
        try:
            tree, end = decoder.raw_decode(text, _skip_blanks(text, position))
        except json.JSONDecodeError as error:
            raise InvalidJsonError(_syntax_message(text, error)) from None
        except RecursionError:
            raise InvalidJsonError(_TOO_DEEP) from None
        except ValueError:  # an integer with more digits than Python parses
            raise InvalidJsonError(f"has a number of more than {sys.get_int_max_str_digits()} digits") from None
        if _is_deep(tree):
            raise InvalidJsonError(_TOO_DEEP)
        self._is_suspicious |= _SUSPICIOUS.search(text, position, end) is not None
        return tree, _skip_blanks(text, end)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self._duplicates.append((table, tuple(key for key, count in counts.items() if count > 1)))
        return table

    def issues(self, tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
        """Yield what the decoder accepts and other parsers may not."""
        duplicates = {id(table): keys for table, keys in self._duplicates}
        if not (duplicates or self._is_suspicious):
            return
        for path, node in _walk_tree(tree):
            if isinstance(node, dict):
                for key in duplicates.get(id(node), ()):
                    yield Issue(path_of((*path, key)), _DUPLICATE_KEY)
                if any(map(_has_lone_surrogate, node)):
                    yield Issue(path_of(path), "a key has half a surrogate pair: UTF-8 cannot write it")
            elif isinstance(node, _NonJsonConstant):
                yield Issue(path_of(path), f"is {node.name}, which is not JSON")
            elif isinstance(node, str) and _has_lone_surrogate(node):
                yield Issue(path_of(path), "has half a surrogate pair: UTF-8 cannot write it")


def _is_deep(tree: Any) -> bool:  # noqa: ANN401 - any JSON value
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for _, child in _items(node) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _walk_tree(tree: Any) -> Iterator[tuple[JsonPath, Any]]:  # noqa: ANN401 - any JSON value
    """Yield all values with their paths, with memory for the depth only."""
    yield (), tree
    path: list[str | int] = []
    stack = [_items(tree)]
    while stack:
        key, child = next(stack[-1], (None, None))
        if key is None:
            stack.pop()
            del path[-1:]
            continue
        yield (*path, key), child
        if isinstance(child, dict | list):
            path.append(key)
            stack.append(_items(child))


def _items(node: Any) -> Iterator[tuple[str | int, Any]]:  # noqa: ANN401 - any JSON value
    return iter(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())


def _skip_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _encoding_message(raw: bytes, error: UnicodeDecodeError) -> str:
    encoding = _OTHER_BOMS.get(raw[:2])
    if encoding is None and b"\x00" in raw[:4]:
        encoding = "UTF-16 or UTF-32"
    if encoding:
        return f"is not UTF-8: it looks like {encoding}"
    return f"is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}"


def _syntax_message(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text.rstrip(" \t\r\n")):
        return f"is not JSON: it is cut off at character {len(text)}"
    excerpt = text[error.pos : error.pos + _EXCERPT_CHARS]
    message = f"{error.msg[:1].lower()}{error.msg[1:]}"
    return f"is not JSON: {message} (line {error.lineno}, column {error.colno}: {excerpt!r})"
