"""A body compiled to bytes with gaps: one alarm's, or those of many rows of a block at once.

Both ways fill the same gaps with the same pieces; tests hold both to the bytes of ``Callback.body``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.generate.cells import ROWS, Chars, Piece, Words, text_of
from tcop_mock.generate.columns import Columns, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Stencil:
    """Writes bodies that differ only in what is drawn."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = _merged(pieces)
        self._literals = [piece.encode() if isinstance(piece, str) else b"" for piece in self._pieces]
        self._gaps = [(at, _cutter(piece)) for at, piece in enumerate(self._pieces) if not isinstance(piece, str)]
        self._columns: Columns | None = None

    def body(self, block: bytes, row: int) -> bytes:
        """Return the body of one row."""
        parts = self._literals.copy()
        for at, cut in self._gaps:
            parts[at] = cut(block, row)
        return b"".join(parts)

    def bodies(self, block: bytes, low: int, high: int) -> list[bytes]:
        """Return the bodies of the rows from ``low`` to before ``high``."""
        if self._columns is None:
            self._columns = Columns(self._pieces)
        return self._columns.lines(block, low, high)


def _merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces with literals that meet made one."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _cutter(piece: Piece) -> Callable[[bytes, int], bytes]:
    """Return a function from block and row to the bytes of one drawn piece."""
    if isinstance(piece, Chars):
        first, last, table = piece.column * ROWS, (piece.column + piece.width) * ROWS, piece.table
        return lambda block, row: block[first + row : last : ROWS].translate(table)
    if isinstance(piece, Words):
        start, texts = piece.column * ROWS, encoded(piece)
        return lambda block, row: texts[block[start + row]]
    return lambda block, row: text_of((piece,), block, row).encode()
