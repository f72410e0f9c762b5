"""When pushes are due: evenly spaced or drawn, at a rate that may change."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tcop_mock.model.load import Stage


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
