"""Pieces of text that random bytes decide, and their fast rendering for many alarms at once.

A **block** holds the random bytes of 128 alarms, column by column: byte ``row`` of column ``c`` is at
``c * ROWS + row``. A character of an alphabet is a column translated by a table of 256 bytes. A text of any width is a
column that selects one of 256 texts. So a few bytes operations render a whole block, and the same tables render a
single row.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import struct
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tcop_mock.domain.callback import encode_json, unix_ms
from tcop_mock.domain.shape import MARKER_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    ColumnWriter: TypeAlias = "Callable[[bytes, int, int], Iterable[bytes]]"


ROWS = 256

"""Number of alarms in a block."""

BYTE_VALUES = 256

"""Number of values of a byte, and of entries in a table."""


LOWER_ALNUM = "0123456789abcdefghijklmnopqrstuvwxyz"

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

HEX = "0123456789abcdef"

DIGITS = "0123456789"

FIRST_DIGITS = "123456789"


_escape_json = json.JSONEncoder(ensure_ascii=False).encode


def random_block(width: int, *key: object) -> bytes:
    """Return the random bytes of one block: ``width`` columns from SHAKE-128 of the key, and of nothing else."""
    return hashlib.shake_128("\x1f".join(map(str, key)).encode()).digest(width * ROWS)


def choice_table(items: Sequence[Any]) -> tuple[Any, ...]:
    """Return 256 entries with all items (at most 256); their frequencies differ by at most one."""
    return tuple(map(items.__getitem__, _choice_indexes(len(items))))


@cache
def _choice_indexes(length: int) -> tuple[int, ...]:
    return tuple(index * length // BYTE_VALUES for index in range(BYTE_VALUES))


@cache
def alphabet_table(characters: str) -> bytes:
    """Return the table that translates a byte to one of some ASCII characters."""
    return "".join(choice_table(characters)).encode("ascii")


@dataclass(frozen=True, slots=True)
class RandomChars:
    """``width`` consecutive characters of one alphabet, each from its own column."""

    column: int
    width: int
    table: bytes

    def text(self, block: bytes, row: int) -> str:
        """Return the text of one row."""
        random_bytes = block[self.column * ROWS + row : (self.column + self.width) * ROWS : ROWS]
        return random_bytes.translate(self.table).decode("ascii")


@dataclass(frozen=True, slots=True, eq=False)
class RandomChoice:
    """One of 256 texts, selected by one column. Compared by identity, so that derived objects can be cached."""

    column: int
    texts: tuple[str, ...]

    def text(self, block: bytes, row: int) -> str:
        """Return the text of one row."""
        return self.texts[block[self.column * ROWS + row]]


@dataclass(frozen=True, slots=True)
class RandomInteger:
    """An integer from a range too wide for 256 texts, decided by eight columns."""

    column: int
    low: int
    high: int

    WIDTH = 8

    def text(self, block: bytes, row: int) -> str:
        """Return the text of one row."""
        random_number = int.from_bytes(
            block[self.column * ROWS + row : (self.column + self.WIDTH) * ROWS : ROWS], "big"
        )
        return str(self.low + random_number % (self.high - self.low + 1))


@dataclass(frozen=True, slots=True)
class RandomTimestamp:
    """A Beijing time: the time of four columns (day, hour, minute, second) plus a duration."""

    column: int
    durations_s: tuple[int, ...] = (0,)
    """One duration, or 256 from which the column ``duration_column`` selects."""
    duration_column: int = 0
    is_in_milliseconds: bool = False
    """Whether it is rendered as milliseconds since 1970 UTC."""

    WIDTH = 4

    def timestamp(self, block: bytes, row: int) -> datetime:
        """Return one row's time, naive, whole seconds."""
        day, hour, minute, second = block[self.column * ROWS + row : (self.column + self.WIDTH) * ROWS : ROWS]
        duration_index = block[self.duration_column * ROWS + row] if len(self.durations_s) > 1 else 0
        seconds = (
            (hour * 24 // BYTE_VALUES) * 3600
            + (minute * 60 // BYTE_VALUES) * 60
            + second * 60 // BYTE_VALUES
            + self.durations_s[duration_index]
        )
        return FIRST_DAY + timedelta(days=day, seconds=seconds)

    def text(self, block: bytes, row: int) -> str:
        """Return the text of one row."""
        timestamp = self.timestamp(block, row)
        return str(unix_ms(timestamp) if self.is_in_milliseconds else timestamp)


FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001 - Beijing time without offset, as TCOP writes it

Piece: TypeAlias = str | RandomChars | RandomChoice | RandomInteger | RandomTimestamp

"""A literal or a random text."""


def timestamp_pieces(column: int) -> tuple[Piece, ...]:
    """Return the pieces of the time in four columns; the texts of a piece all have the same width."""
    days = [f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for day in range(BYTE_VALUES)]
    hours, two_digits = [f"{hour:02}" for hour in range(24)], [f"{number:02}" for number in range(60)]
    day, hour, minute, second = (
        RandomChoice(column + offset, choice_table(texts))
        for offset, texts in enumerate((days, hours, two_digits, two_digits))
    )
    return (day, " ", hour, ":", minute, ":", second)


@lru_cache(maxsize=8192)
def escape_piece(piece: Piece) -> Piece:
    """Return a piece as it is written inside a JSON string."""
    if isinstance(piece, str):
        return _escape_json(piece)[1:-1]
    if isinstance(piece, RandomChoice):
        escaped = {text: _escape_json(text)[1:-1] for text in dict.fromkeys(piece.texts)}
        return replace(piece, texts=tuple(map(escaped.__getitem__, piece.texts)))
    return piece


def render_text(pieces: Sequence[Piece], block: bytes, row: int) -> str:
    """Return the text of one row."""
    return "".join([piece if isinstance(piece, str) else piece.text(block, row) for piece in pieces])


_MAX_FIXED_WIDTH = 24

"""Maximum width of same-width texts that are rendered by character; longer ones are faster as whole texts."""


_MAX_JOINED_CHARS = 24

"""Maximum length of literals that are joined to the texts before them."""


class ColumnRenderer:
    """Renders the pieces of a body with as few columns of texts as possible."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._writers: list[ColumnWriter] = []
        self._column_order: list[int | Iterable[bytes]] = []
        positions: dict[Piece, int] = {}
        for run in _fixed_width_runs(_join_short_literals(_merge_same_column(pieces))):
            [first, *others] = run
            if not others and isinstance(first, str):
                self._column_order.append(itertools.repeat(first.encode()))
            elif others or isinstance(first, RandomChars) or _has_fixed_width(first):
                self._writers.append(_fixed_width_writer(run))
                self._column_order.append(len(self._writers) - 1)
            else:
                if first not in positions:
                    positions[first] = len(self._writers)
                    self._writers.append(
                        _choice_writer(first) if isinstance(first, RandomChoice) else _text_writer(first)
                    )
                self._column_order.append(positions[first])

    def render_rows(self, block: bytes, low: int, high: int) -> list[bytes]:
        """Return the texts of the rows from ``low`` to ``high`` - 1."""
        rendered = [writer(block, low, high) for writer in self._writers]
        columns = [rendered[column] if isinstance(column, int) else column for column in self._column_order]
        return list(map(b"".join, itertools.islice(zip(*columns, strict=False), high - low)))


def _join_short_literals(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with short literals joined to the choice before them, if it always precedes the literal."""
    followers: dict[Piece, set[Piece]] = {}
    for piece, follower in itertools.pairwise(pieces):
        followers.setdefault(piece, set()).add(follower)
    joined: list[Piece] = []
    for piece in pieces:
        previous = joined[-1] if joined else ""
        has_one_follower = len(followers.get(previous, ())) == 1
        if (
            has_one_follower
            and isinstance(previous, RandomChoice)
            and isinstance(piece, str)
            and len(piece) <= _MAX_JOINED_CHARS
        ):
            joined[-1] = _merge_choices(previous, piece)
        else:
            joined.append(piece)
    return joined


def _merge_same_column(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with choices of the same column, and literals between them, merged into one choice."""
    joined: list[Piece] = []
    for piece in pieces:
        literals = joined[-1:] if joined and isinstance(joined[-1], str) else []
        previous = joined[-1 - len(literals)] if len(joined) > len(literals) else ""
        if isinstance(piece, RandomChoice) and isinstance(previous, RandomChoice) and previous.column == piece.column:
            joined[-1 - len(literals) :] = [_merge_choices(previous, *literals, piece)]
        else:
            joined.append(piece)
    return joined


@lru_cache(maxsize=1024)
def _merge_choices(first: RandomChoice, *others: Piece) -> RandomChoice:
    """Return choices of one column, and literals, as one choice."""
    texts = [
        piece.texts if isinstance(piece, RandomChoice) else [str(piece)] * BYTE_VALUES for piece in (first, *others)
    ]
    return RandomChoice(first.column, tuple(map("".join, zip(*texts, strict=True))))


def _fixed_width_runs(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield runs of pieces with a fixed width, and each other piece alone."""
    for is_fixed_width, run in itertools.groupby(
        pieces, lambda piece: isinstance(piece, str | RandomChars) or _has_fixed_width(piece)
    ):
        if is_fixed_width:
            yield list(run)
        else:
            yield from ([piece] for piece in run)


@lru_cache(maxsize=8192)
def _has_fixed_width(piece: Piece) -> bool:
    if not isinstance(piece, RandomChoice):
        return False
    texts = encoded_texts(piece)
    return len(texts[0]) <= _MAX_FIXED_WIDTH and len(set(map(len, texts))) == 1


def _choice_writer(choice: RandomChoice) -> ColumnWriter:
    start, texts = choice.column * ROWS, encoded_texts(choice)
    return lambda block, low, high: [texts[byte] for byte in block[start + low : start + high]]


def _text_writer(piece: Piece) -> ColumnWriter:
    return lambda block, low, high: [render_text((piece,), block, row).encode() for row in range(low, high)]


def _fixed_width_writer(run: Iterable[Piece]) -> ColumnWriter:
    """Return a writer of a fixed-width run, which renders each character for all rows at once."""
    buffer, char_columns = bytearray(), []
    for piece in run:
        if isinstance(piece, str):
            buffer += piece.encode()
            continue
        for column, table in _column_tables(piece):
            char_columns.append((len(buffer), column * ROWS, table))
            buffer += b"?"
    width, row_template = len(buffer), bytes(buffer)

    def write(block: bytes, low: int, high: int) -> Iterable[bytes]:
        rows = bytearray(row_template * (high - low))
        for offset, start, table in char_columns:
            rows[offset::width] = block[start + low : start + high].translate(table)
        return _row_splitter(width, high - low)(rows)

    return write


def _column_tables(piece: Piece) -> list[tuple[int, bytes]]:
    """Return the column and the table of each character of a fixed-width piece."""
    if isinstance(piece, RandomChoice):
        return [(piece.column, bytes(characters)) for characters in zip(*encoded_texts(piece), strict=True)]
    assert isinstance(piece, RandomChars)  # noqa: S101 - no other piece has a fixed width
    return [(piece.column + offset, piece.table) for offset in range(piece.width)]


@lru_cache(maxsize=64)
def _row_splitter(width: int, count: int) -> Callable[[bytearray], tuple[bytes, ...]]:
    return struct.Struct(f"{width}s" * count).unpack


@lru_cache(maxsize=8192)
def encoded_texts(choice: RandomChoice) -> tuple[bytes, ...]:
    """Return the 256 texts as UTF-8."""
    return tuple(text.encode() for text in choice.texts)


_TEXT_START, _VALUE_START, _MARKER_END = MARKER_CHARS

_MARKER = re.compile(f'"{_VALUE_START}(\\d+){_MARKER_END}"|{_TEXT_START}(\\d+){_MARKER_END}')


_MARKER_IN_TEXT = re.compile(f"[{_TEXT_START}{_VALUE_START}](\\d+){_MARKER_END}")


class Marker(str):
    """Placeholder for a random value in a body's tree. As a whole value it keeps its JSON type."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        """Return the marker with this number."""
        return super().__new__(cls, f"{_VALUE_START}{number}{_MARKER_END}")

    @property
    def number(self) -> int:
        """Number of the marker."""
        return int(self[1:-1])

    def __deepcopy__(self, _memo: object) -> Self:
        """Return the marker itself, so that a copied tree has the same markers."""
        return self

    def __format__(self, _spec: str) -> str:
        """Return the characters that represent it inside a string."""
        return f"{_TEXT_START}{self[1:-1]}{_MARKER_END}"


class Markers:
    """Creates markers and maps them to the pieces that replace them."""

    def __init__(self) -> None:
        self._contents: list[tuple[Sequence[Piece], Sequence[Piece]]] = []

    def add(self, json_pieces: Sequence[Piece], pieces: Sequence[Piece]) -> Marker:
        """Return a marker for the given pieces: as JSON of its own type, and inside a string."""
        self._contents.append((json_pieces, pieces))
        return Marker(len(self._contents) - 1)

    def add_text(self, pieces: Sequence[Piece]) -> Marker:
        """Return a marker for a string."""
        return self.add(('"', *map(escape_piece, pieces), '"'), pieces)

    def pieces(self, tree: Any) -> Iterator[Piece]:  # noqa: ANN401 - a JSON tree
        """Yield the pieces of a tree's JSON."""
        text, position = encode_json(tree).decode(), 0
        for match in _MARKER.finditer(text):
            yield text[position : match.start()]
            json_pieces, pieces = self._contents[int(match[1] or match[2])]
            yield from json_pieces if match[1] else map(escape_piece, pieces)
            position = match.end()
        yield text[position:]


def has_marker_chars(text: str) -> bool:
    """Return whether a text contains characters reserved for markers."""
    return any(char in text for char in MARKER_CHARS)


def split_at_markers(text: str) -> list[str | int]:
    """Split a string of a tree into literals and the numbers of its markers, without empty literals."""
    pieces: list[str | int] = []
    for index, piece in enumerate(_MARKER_IN_TEXT.split(text)):
        if piece:
            pieces.append(int(piece) if index % 2 else piece)
    return pieces
