"""Drawn text, cell by cell: which bytes of a block decide it, and how.

A **block** holds the chance of 128 alarms, column by column: byte ``row`` of column ``c`` stands at
``c * ROWS + row``. Characters of an alphabet are columns sent through a table of 256 bytes; a text of any width is one
column that picks from 256 texts. So a whole block is written with a few operations on bytes, and one row of it alone by
the same tables.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from tcop_mock.model.wire import unix_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

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
