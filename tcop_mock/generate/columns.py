"""Pieces of a body over many rows at once: column by column, with a few operations on bytes for all of them."""

from __future__ import annotations

import itertools
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.generate.cells import BYTES, ROWS, Chars, Piece, Words, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Source: TypeAlias = "Callable[[bytes, int, int], Iterable[bytes]]"

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
