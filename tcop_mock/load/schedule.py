"""When pushes are due: evenly spaced or drawn, at a rate that may change."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from tcop_mock.callbacks.generator import LANES
from tcop_mock.callbacks.pieces import ROWS
from tcop_mock.callbacks.rendering import Bodies

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import Stage
    from tcop_mock.domain.shape import Shape


def evenly(stages: Sequence[Stage], *, lane: int = 0, lanes: int = 1) -> Iterator[float]:
    """Yield moments that are evenly spaced in what the rates add up to: every ``1 / rate`` s, where it is constant.

    Args:
        stages: of the load.
        lane: with several processes, which of them this is, from 0.
        lanes: how many share the load: each has every so many-th moment.
    """
    return _moments(stages, itertools.count(float(lane), float(lanes)))


def drawn(stages: Sequence[Stage], chance: random.Random, *, lanes: int = 1) -> Iterator[float]:
    """Yield the moments of a Poisson process: arrivals that know nothing of each other.

    Args:
        stages: of the load.
        chance: what the gaps are drawn from.
        lanes: how many processes share the load; each draws its own share.
    """
    return _moments(stages, _sums(chance, float(lanes)))


def planned(stages: Sequence[Stage]) -> float:
    """Return how many pushes the stages come to; of a Poisson process, on average."""
    return sum(stage.duration_s * (stage.from_rate + stage.to_rate) / 2 for stage in stages)


def _sums(chance: random.Random, mean: float) -> Iterator[float]:
    draw, log, total = chance.random, math.log, 0.0
    while True:
        total -= mean * log(1.0 - draw())
        yield total


def _moments(stages: Sequence[Stage], counts: Iterator[float]) -> Iterator[float]:
    """Yield when the count of what was due, which the rates add up to, reaches each of some counts."""
    begin_s = before = 0.0
    count = next(counts)
    for stage in stages:
        until = before + planned([stage])
        if stage.from_rate == stage.to_rate and stage.from_rate > 0:
            gap_s = 1 / stage.from_rate
            while count < until:
                yield begin_s + (count - before) * gap_s
                count = next(counts)
        else:
            while count < until:
                yield begin_s + _on_ramp(stage, count - before)
                count = next(counts)
        begin_s, before = begin_s + stage.duration_s, until


def _on_ramp(stage: Stage, count: float) -> float:
    """Return how long a ramp takes for a count: its inverse, written so that no near numbers are subtracted."""
    slope = (stage.to_rate - stage.from_rate) / stage.duration_s
    root = math.sqrt(max(0.0, stage.from_rate**2 + 2 * slope * count))
    return 2 * count / (stage.from_rate + root) if count else 0.0


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
