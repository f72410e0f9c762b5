"""Drawn text, cell by cell: which bytes of a block decide it, and how.

A **block** holds the chance of 128 alarms, column by column: byte ``row`` of column ``c`` stands at
``c * ROWS + row``. Characters of an alphabet are columns sent through a table of 256 bytes; a text of any width is one
column that picks from 256 texts. So a whole block is written with a few operations on bytes, and one row of it alone by
the same tables.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import struct
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tcop_mock.domain.alarm import encode_json, unix_ms
from tcop_mock.domain.shape import MARKER_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    ColumnWriter: TypeAlias = "Callable[[bytes, int, int], Iterable[bytes]]"


ROWS = 256

"""Alarms of a block."""

BYTE_VALUES = 256

"""Values of a byte, and entries of a table."""


LOWER_ALNUM = "0123456789abcdefghijklmnopqrstuvwxyz"

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

HEX = "0123456789abcdef"

DIGITS = "0123456789"

FIRST_DIGITS = "123456789"


_escape_json = json.JSONEncoder(ensure_ascii=False).encode


def random_block(width: int, *key: object) -> bytes:
    """Return the chance of one block: ``width`` columns from SHAKE-128 of the key, which nothing else influences."""
    return hashlib.shake_128("\x1f".join(map(str, key)).encode()).digest(width * ROWS)


def choice_table(items: Sequence[Any]) -> tuple[Any, ...]:
    """Return 256 entries in which all items (at the most 256) come equally often, but for one time."""
    return tuple(items[index * len(items) // BYTE_VALUES] for index in range(BYTE_VALUES))


def alphabet_table(characters: str) -> bytes:
    """Return the table that turns a byte into one of some ASCII characters."""
    return "".join(choice_table(characters)).encode("ascii")


@dataclass(frozen=True, slots=True)
class RandomChars:
    """``width`` characters in a row, each from a column of its own, all of one alphabet."""

    column: int
    width: int
    table: bytes

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        random_bytes = block[self.column * ROWS + row : (self.column + self.width) * ROWS : ROWS]
        return random_bytes.translate(self.table).decode("ascii")


@dataclass(frozen=True, slots=True, eq=False)
class RandomChoice:
    """One of 256 texts, by the byte of one column. Compared by identity, so that what is made of it is made once."""

    column: int
    texts: tuple[str, ...]

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        return self.texts[block[self.column * ROWS + row]]


@dataclass(frozen=True, slots=True)
class RandomInteger:
    """A whole number from a range too wide for 256 texts, by eight columns."""

    column: int
    low: int
    high: int

    WIDTH = 8

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        random_number = int.from_bytes(
            block[self.column * ROWS + row : (self.column + self.WIDTH) * ROWS : ROWS], "big"
        )
        return str(self.low + random_number % (self.high - self.low + 1))


@dataclass(frozen=True, slots=True)
class RandomTimestamp:
    """A moment of Beijing time: that of four columns (day, hour, minute, second) and a duration after it."""

    column: int
    durations_s: tuple[int, ...] = (0,)
    """One duration, or 256 that the column ``duration_column`` picks from."""
    duration_column: int = 0
    is_in_milliseconds: bool = False
    """Written in milliseconds since 1970 UTC."""

    WIDTH = 4

    def timestamp(self, block: bytes, row: int) -> datetime:
        """Return one row's moment, naive, whole seconds."""
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
        """Return what one row has here."""
        timestamp = self.timestamp(block, row)
        return str(unix_ms(timestamp) if self.is_in_milliseconds else timestamp)


FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001 - Beijing time without offset, as TCOP writes it

Piece: TypeAlias = str | RandomChars | RandomChoice | RandomInteger | RandomTimestamp

"""A literal, or a drawn text."""


def timestamp_pieces(column: int) -> tuple[Piece, ...]:
    """Return the moment of four columns, each in words of one width."""
    days = [f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for day in range(BYTE_VALUES)]
    hours, two_digits = [f"{hour:02}" for hour in range(24)], [f"{number:02}" for number in range(60)]
    day, hour, minute, second = (
        RandomChoice(column + offset, choice_table(texts))
        for offset, texts in enumerate((days, hours, two_digits, two_digits))
    )
    return (day, " ", hour, ":", minute, ":", second)


@lru_cache(maxsize=8192)
def escape_piece(piece: Piece) -> Piece:
    """Return a piece of text as it stands inside a JSON text."""
    if isinstance(piece, str):
        return _escape_json(piece)[1:-1]
    if isinstance(piece, RandomChoice):
        return replace(piece, texts=tuple(_escape_json(text)[1:-1] for text in piece.texts))
    return piece


def render_text(pieces: Sequence[Piece], block: bytes, row: int) -> str:
    """Return one row's text."""
    return "".join([piece if isinstance(piece, str) else piece.text(block, row) for piece in pieces])


_MAX_FIXED_WIDTH = 24

"""Words of one width are written as characters up to here; longer ones are cheaper as words."""


_MAX_JOINED_CHARS = 24

"""Literals up to here are joined to the words before them."""


class ColumnRenderer:
    """A body's pieces, grouped into as few columns of texts as there can be."""

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
        """Return the texts of the rows from ``low`` to before ``high``."""
        rendered = [writer(block, low, high) for writer in self._writers]
        columns = [rendered[column] if isinstance(column, int) else column for column in self._column_order]
        return list(map(b"".join, itertools.islice(zip(*columns, strict=False), high - low)))


def _join_short_literals(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with short literals joined to the words before them, where these have no other follower."""
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
    """Return the pieces with words that the same column decides, and what stands between them, made one."""
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
    """Return words of one column, and literals, as words."""
    texts = [
        piece.texts if isinstance(piece, RandomChoice) else [str(piece)] * BYTE_VALUES for piece in (first, *others)
    ]
    return RandomChoice(first.column, tuple(map("".join, zip(*texts, strict=True))))


def _fixed_width_runs(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in runs of fixed width, and those of any width one by one."""
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
    """Return what writes a run of fixed width: each character over all rows at once."""
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
    """Return for each character of a piece of fixed width the column and the table that decide it."""
    if isinstance(piece, RandomChoice):
        return [(piece.column, bytes(characters)) for characters in zip(*encoded_texts(piece), strict=True)]
    assert isinstance(piece, RandomChars)  # noqa: S101 - nothing else that is drawn has a fixed width
    return [(piece.column + offset, piece.table) for offset in range(piece.width)]


@lru_cache(maxsize=64)
def _row_splitter(width: int, count: int) -> Callable[[bytearray], tuple[bytes, ...]]:
    return struct.Struct(f"{width}s" * count).unpack


@lru_cache(maxsize=8192)
def encoded_texts(choice: RandomChoice) -> tuple[bytes, ...]:
    """Return the 256 texts in UTF-8."""
    return tuple(text.encode() for text in choice.texts)


_TEXT_START, _VALUE_START, _MARKER_END = MARKER_CHARS

_MARKER = re.compile(f'"{_VALUE_START}(\\d+){_MARKER_END}"|{_TEXT_START}(\\d+){_MARKER_END}')


_MARKER_IN_TEXT = re.compile(f"[{_TEXT_START}{_VALUE_START}](\\d+){_MARKER_END}")


class Marker(str):
    """Stands in a tree for what is drawn: as a value of its own it keeps its JSON type, inside a text it is text."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        """Return the hole of a number."""
        return super().__new__(cls, f"{_VALUE_START}{number}{_MARKER_END}")

    @property
    def number(self) -> int:
        """Its own."""
        return int(self[1:-1])

    def __deepcopy__(self, _memo: object) -> Self:
        """Return itself: what a copy of its tree has there is the same."""
        return self

    def __format__(self, _spec: str) -> str:
        """Return what stands for it inside a text."""
        return f"{_TEXT_START}{self[1:-1]}{_MARKER_END}"


class Markers:
    """Hands out holes and knows what belongs into each."""

    def __init__(self) -> None:
        self._contents: list[tuple[Sequence[Piece], Sequence[Piece]]] = []

    def add(self, json_pieces: Sequence[Piece], pieces: Sequence[Piece]) -> Marker:
        """Return a hole for what is written so as JSON of its own and so inside a text."""
        self._contents.append((json_pieces, pieces))
        return Marker(len(self._contents) - 1)

    def add_text(self, pieces: Sequence[Piece]) -> Marker:
        """Return a hole for a text."""
        return self.add(('"', *map(escape_piece, pieces), '"'), pieces)

    def pieces(self, tree: Any) -> Iterator[Piece]:  # noqa: ANN401 - a JSON tree
        """Yield a tree's JSON in pieces."""
        text, position = encode_json(tree).decode(), 0
        for match in _MARKER.finditer(text):
            yield text[position : match.start()]
            json_pieces, pieces = self._contents[int(match[1] or match[2])]
            yield from json_pieces if match[1] else map(escape_piece, pieces)
            position = match.end()
        yield text[position:]


def has_marker_chars(text: str) -> bool:
    """Tell whether a text holds characters that stand for holes."""
    return any(char in text for char in MARKER_CHARS)


def split_at_markers(text: str) -> list[str | int]:
    """Split a text of a tree into literals and the numbers of the holes in it; literals that are empty are left out."""
    pieces: list[str | int] = []
    for index, piece in enumerate(_MARKER_IN_TEXT.split(text)):
        if piece:
            pieces.append(int(piece) if index % 2 else piece)
    return pieces
