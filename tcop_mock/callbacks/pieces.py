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

from tcop_mock.domain.alarm import unix_ms, wire_bytes
from tcop_mock.domain.shape import HOLE_MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Source: TypeAlias = "Callable[[bytes, int, int], Iterable[bytes]]"


ROWS = 256

"""Alarms of a block."""

BYTES = 256

"""Values of a byte, and entries of a table."""


LOWER_ALNUM = "0123456789abcdefghijklmnopqrstuvwxyz"

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

HEX = "0123456789abcdef"

DIGITS = "0123456789"

FIRST_DIGITS = "123456789"


_escape_json = json.JSONEncoder(ensure_ascii=False).encode


def block_of(width: int, *key: object) -> bytes:
    """Return the chance of one block: ``width`` columns from SHAKE-128 of the key, which nothing else influences."""
    return hashlib.shake_128("\x1f".join(map(str, key)).encode()).digest(width * ROWS)


def spread(items: Sequence[Any]) -> tuple[Any, ...]:
    """Return 256 entries in which all items (at the most 256) come equally often, but for one time."""
    return tuple(items[at * len(items) // BYTES] for at in range(BYTES))


def alphabet(characters: str) -> bytes:
    """Return the table that turns a byte into one of some ASCII characters."""
    return "".join(spread(characters)).encode("ascii")


@dataclass(frozen=True, slots=True)
class Chars:
    """``width`` characters in a row, each from a column of its own, all of one alphabet."""

    column: int
    width: int
    table: bytes

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        cut = block[self.column * ROWS + row : (self.column + self.width) * ROWS : ROWS]
        return cut.translate(self.table).decode("ascii")


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """One of 256 texts, by the byte of one column. Compared by identity, so that what is made of it is made once."""

    column: int
    texts: tuple[str, ...]

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        return self.texts[block[self.column * ROWS + row]]


@dataclass(frozen=True, slots=True)
class Wide:
    """A whole number from a range too wide for 256 texts, by eight columns."""

    column: int
    low: int
    high: int

    WIDTH = 8

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        word = int.from_bytes(block[self.column * ROWS + row : (self.column + self.WIDTH) * ROWS : ROWS], "big")
        return str(self.low + word % (self.high - self.low + 1))


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment of Beijing time: that of four columns (day, hour, minute, second) and a duration after it."""

    column: int
    durations_s: tuple[int, ...] = (0,)
    """One duration, or 256 that the column ``duration_column`` picks from."""
    duration_column: int = 0
    millis: bool = False
    """Written in milliseconds since 1970 UTC."""

    WIDTH = 4

    def moment(self, block: bytes, row: int) -> datetime:
        """Return one row's moment, naive, whole seconds."""
        day, hour, minute, second = block[self.column * ROWS + row : (self.column + self.WIDTH) * ROWS : ROWS]
        at = block[self.duration_column * ROWS + row] if len(self.durations_s) > 1 else 0
        seconds = (
            (hour * 24 // BYTES) * 3600 + (minute * 60 // BYTES) * 60 + second * 60 // BYTES + self.durations_s[at]
        )
        return FIRST_DAY + timedelta(days=day, seconds=seconds)

    def text(self, block: bytes, row: int) -> str:
        """Return what one row has here."""
        moment = self.moment(block, row)
        return str(unix_ms(moment) if self.millis else moment)


FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001 - Beijing time without offset, as TCOP writes it

Piece: TypeAlias = str | Chars | Words | Wide | Clock

"""A literal, or a drawn text."""


def clock_pieces(column: int) -> tuple[Piece, ...]:
    """Return the moment of four columns, each in words of one width."""
    days = [f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for day in range(BYTES)]
    hours, sixty = [f"{hour:02}" for hour in range(24)], [f"{number:02}" for number in range(60)]
    day, hour, minute, second = (
        Words(column + at, spread(texts)) for at, texts in enumerate((days, hours, sixty, sixty))
    )
    return (day, " ", hour, ":", minute, ":", second)


@lru_cache(maxsize=8192)
def escaped(piece: Piece) -> Piece:
    """Return a piece of text as it stands inside a JSON text."""
    if isinstance(piece, str):
        return _escape_json(piece)[1:-1]
    if isinstance(piece, Words):
        return replace(piece, texts=tuple(_escape_json(text)[1:-1] for text in piece.texts))
    return piece


def text_of(pieces: Sequence[Piece], block: bytes, row: int) -> str:
    """Return one row's text."""
    return "".join([piece if isinstance(piece, str) else piece.text(block, row) for piece in pieces])


_MOST_FIXED = 24

"""Words of one width are written as characters up to here; longer ones are cheaper as words."""


_MOST_GLUED = 24

"""Literals up to here are joined to the words before them."""


class Columns:
    """A body's pieces, grouped into as few columns of texts as there can be."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._sources: list[Source] = []
        self._order: list[int | Iterable[bytes]] = []
        known: dict[Piece, int] = {}
        for run in _runs(_glued(_one_column_each(pieces))):
            [first, *others] = run
            if not others and isinstance(first, str):
                self._order.append(itertools.repeat(first.encode()))
            elif others or isinstance(first, Chars) or _is_fixed(first):
                self._sources.append(_fixed(run))
                self._order.append(len(self._sources) - 1)
            else:
                if first not in known:
                    known[first] = len(self._sources)
                    self._sources.append(_words(first) if isinstance(first, Words) else _others(first))
                self._order.append(known[first])

    def lines(self, block: bytes, low: int, high: int) -> list[bytes]:
        """Return the texts of the rows from ``low`` to before ``high``."""
        drawn = [source(block, low, high) for source in self._sources]
        columns = [drawn[at] if isinstance(at, int) else at for at in self._order]
        return list(map(b"".join, itertools.islice(zip(*columns, strict=False), high - low)))


def _glued(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with short literals joined to the words before them, where these have no other follower."""
    followers: dict[Piece, set[Piece]] = {}
    for piece, after in itertools.pairwise(pieces):
        followers.setdefault(piece, set()).add(after)
    glued: list[Piece] = []
    for piece in pieces:
        last = glued[-1] if glued else ""
        lonely = len(followers.get(last, ())) == 1
        if lonely and isinstance(last, Words) and isinstance(piece, str) and len(piece) <= _MOST_GLUED:
            glued[-1] = _joined(last, piece)
        else:
            glued.append(piece)
    return glued


def _one_column_each(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with words that the same column decides, and what stands between them, made one."""
    joined: list[Piece] = []
    for piece in pieces:
        between = joined[-1:] if joined and isinstance(joined[-1], str) else []
        before = joined[-1 - len(between)] if len(joined) > len(between) else ""
        if isinstance(piece, Words) and isinstance(before, Words) and before.column == piece.column:
            joined[-1 - len(between) :] = [_joined(before, *between, piece)]
        else:
            joined.append(piece)
    return joined


@lru_cache(maxsize=1024)
def _joined(first: Words, *others: Piece) -> Words:
    """Return words of one column, and literals, as words."""
    texts = [piece.texts if isinstance(piece, Words) else [str(piece)] * BYTES for piece in (first, *others)]
    return Words(first.column, tuple(map("".join, zip(*texts, strict=True))))


def _runs(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in runs of fixed width, and those of any width one by one."""
    for fixed, run in itertools.groupby(pieces, lambda piece: isinstance(piece, str | Chars) or _is_fixed(piece)):
        if fixed:
            yield list(run)
        else:
            yield from ([piece] for piece in run)


@lru_cache(maxsize=8192)
def _is_fixed(piece: Piece) -> bool:
    if not isinstance(piece, Words):
        return False
    texts = encoded(piece)
    return len(texts[0]) <= _MOST_FIXED and len(set(map(len, texts))) == 1


def _words(words: Words) -> Source:
    start, texts = words.column * ROWS, encoded(words)
    return lambda block, low, high: [texts[byte] for byte in block[start + low : start + high]]


def _others(piece: Piece) -> Source:
    return lambda block, low, high: [text_of((piece,), block, row).encode() for row in range(low, high)]


def _fixed(run: Iterable[Piece]) -> Source:
    """Return what writes a run of fixed width: each character over all rows at once."""
    line, cells = bytearray(), []
    for piece in run:
        if isinstance(piece, str):
            line += piece.encode()
            continue
        for column, table in _tables(piece):
            cells.append((len(line), column * ROWS, table))
            line += b"?"
    width, pattern = len(line), bytes(line)

    def write(block: bytes, low: int, high: int) -> Iterable[bytes]:
        lines = bytearray(pattern * (high - low))
        for offset, start, table in cells:
            lines[offset::width] = block[start + low : start + high].translate(table)
        return _splitter(width, high - low)(lines)

    return write


def _tables(piece: Piece) -> list[tuple[int, bytes]]:
    """Return for each character of a piece of fixed width the column and the table that decide it."""
    if isinstance(piece, Words):
        return [(piece.column, bytes(characters)) for characters in zip(*encoded(piece), strict=True)]
    assert isinstance(piece, Chars)  # noqa: S101 - nothing else that is drawn has a fixed width
    return [(piece.column + at, piece.table) for at in range(piece.width)]


@lru_cache(maxsize=64)
def _splitter(width: int, count: int) -> Callable[[bytearray], tuple[bytes, ...]]:
    return struct.Struct(f"{width}s" * count).unpack


@lru_cache(maxsize=8192)
def encoded(words: Words) -> tuple[bytes, ...]:
    """Return the 256 texts in UTF-8."""
    return tuple(text.encode() for text in words.texts)


_OPEN, _TYPED, _SHUT = HOLE_MARKS

_HOLE = re.compile(f'"{_TYPED}(\\d+){_SHUT}"|{_OPEN}(\\d+){_SHUT}')


_MARK = re.compile(f"[{_OPEN}{_TYPED}](\\d+){_SHUT}")


class Hole(str):
    """Stands in a tree for what is drawn: as a value of its own it keeps its JSON type, inside a text it is text."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        """Return the hole of a number."""
        return super().__new__(cls, f"{_TYPED}{number}{_SHUT}")

    @property
    def number(self) -> int:
        """Its own."""
        return int(self[1:-1])

    def __deepcopy__(self, _memo: object) -> Self:
        """Return itself: what a copy of its tree has there is the same."""
        return self

    def __format__(self, _spec: str) -> str:
        """Return what stands for it inside a text."""
        return f"{_OPEN}{self[1:-1]}{_SHUT}"


class Holes:
    """Hands out holes and knows what belongs into each."""

    def __init__(self) -> None:
        self._fillings: list[tuple[Sequence[Piece], Sequence[Piece]]] = []

    def dig(self, tokens: Sequence[Piece], pieces: Sequence[Piece]) -> Hole:
        """Return a hole for what is written so as JSON of its own and so inside a text."""
        self._fillings.append((tokens, pieces))
        return Hole(len(self._fillings) - 1)

    def text(self, pieces: Sequence[Piece]) -> Hole:
        """Return a hole for a text."""
        return self.dig(('"', *map(escaped, pieces), '"'), pieces)

    def pieces(self, tree: Any) -> Iterator[Piece]:  # noqa: ANN401 - a JSON tree
        """Yield a tree's JSON in pieces."""
        text, at = wire_bytes(tree).decode(), 0
        for hole in _HOLE.finditer(text):
            yield text[at : hole.start()]
            tokens, pieces = self._fillings[int(hole[1] or hole[2])]
            yield from tokens if hole[1] else map(escaped, pieces)
            at = hole.end()
        yield text[at:]


def has_marks(text: str) -> bool:
    """Tell whether a text holds characters that stand for holes."""
    return any(mark in text for mark in HOLE_MARKS)


def marked(text: str) -> list[str | int]:
    """Split a text of a tree into literals and the numbers of the holes in it; literals that are empty are left out."""
    pieces: list[str | int] = []
    for at, piece in enumerate(_MARK.split(text)):
        if piece:
            pieces.append(int(piece) if at % 2 else piece)
    return pieces
