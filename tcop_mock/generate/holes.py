"""Holes: what stands in a body's tree where chance will speak, until its JSON is cut there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

from tcop_mock.generate.cells import Piece, escaped
from tcop_mock.model.shape import HOLE_MARKS
from tcop_mock.model.wire import wire_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
