"""Bodies without end, each another alarm's: shapes by weight, drawn some at a time so that no pause is felt."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tcop_mock.generate.bodies import Bodies
from tcop_mock.generate.cells import ROWS
from tcop_mock.generate.draft import LANES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.catalog import Catalog
    from tcop_mock.generate import Generator
    from tcop_mock.model.shape import Shape

SHORT_PIECE, LONG_PIECE = 64, ROWS
"""Bodies that are drawn at once. Some 60 µs are no pause; longer ones save a third of the time."""
_AT_HAND = 1024
"""Bodies that are there at a time, in pieces that are taken from in turn: neighbours are of different policies and
shapes. More than these would not stay in a processor's cache."""


class _Source:
    """Alarms of one shape, of its policies in turn. These stay the same: what is compiled of them is a bounded lot."""

    def __init__(self, bodies: Bodies, weight: float, policies: Sequence[int], piece: int) -> None:
        self._bodies, self.weight, self._piece = bodies, weight, piece
        self._drawn = dict.fromkeys(policies, 0)
        self._turns = itertools.cycle(policies)
        self.credit = 0.0

    def piece(self) -> list[bytes]:
        """Return the next bodies."""
        policy = next(self._turns)
        first = self._drawn[policy]
        self._drawn[policy] += self._piece
        return self._bodies.of_policy(policy, first, self._piece)


def mixed(
    generator: Generator, mix: Sequence[tuple[Shape, float]], *, process: int = 0, piece: int = SHORT_PIECE
) -> Iterator[bytes]:
    """Yield firing callbacks without end, all of different alarms.

    What is compiled once is compiled before the first is yielded.

    Args:
        generator: gives seed, language, form and profile.
        mix: shapes, each with its share of the bodies, which need not add up to anything.
        process: with several processes, which of them this is: none draws what another one does.
        piece: how many are drawn at once.
    """
    lanes = max(1, LANES // len(mix))
    policies = range(process * LANES, process * LANES + lanes)  # each process has its own
    sources = [_Source(Bodies(generator, shape), weight, policies, piece) for shape, weight in mix]
    for source in sources:
        for _ in policies:
            source.piece()
    total = sum(source.weight for source in sources)

    def next_piece() -> list[bytes]:
        """Draw of the source that has waited longest for its share."""
        for source in sources:
            source.credit += source.weight
        ahead = max(sources, key=lambda source: source.credit)
        ahead.credit -= total
        return ahead.piece()

    return _dealt(next_piece, _AT_HAND // piece)


def _dealt(next_piece: Callable[[], list[bytes]], many: int) -> Iterator[bytes]:
    trays = [next_piece() for _ in range(many)]
    for number, tray in enumerate(trays):  # of different height, so that they are not all empty at once
        del tray[(number + 1) * len(tray) // many :]
    while True:
        for number, tray in enumerate(trays):
            yield tray.pop()
            if not tray:
                trays[number] = next_piece()


def shapes_of(catalog: Catalog, mix: Sequence[tuple[str, float]]) -> list[tuple[Shape, float]]:
    """Return the shapes of a mix; without one, all shapes of the catalogue alike.

    Raises:
        UnknownNameError: there is no such shape.
    """
    chosen: dict[str, tuple[Shape, float]] = {}
    for pattern, weight in mix or [("*", 1.0)]:
        matching = catalog.match(pattern)
        for shape in matching:
            chosen[shape.id] = (shape, weight / len(matching))
    return list(chosen.values())
