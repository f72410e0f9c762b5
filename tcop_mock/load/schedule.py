"""When pushes are due: evenly spaced or drawn, at a rate that may change."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from tcop_mock.callbacks.generator import POLICIES_IN_ROTATION
from tcop_mock.callbacks.pieces import ROWS
from tcop_mock.callbacks.rendering import BodyRenderer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import Stage
    from tcop_mock.domain.shape import Shape


def constant_arrivals(stages: Sequence[Stage], *, worker: int = 0, workers: int = 1) -> Iterator[float]:
    """Yield moments that are evenly spaced in what the rates add up to: every ``1 / rate`` s, where it is constant.

    Args:
        stages: of the load.
        worker: with several processes, which of them this is, from 0.
        workers: how many share the load: each has every so many-th moment.
    """
    return _arrival_times_s(stages, itertools.count(float(worker), float(workers)))


def poisson_arrivals(stages: Sequence[Stage], rng: random.Random, *, workers: int = 1) -> Iterator[float]:
    """Yield the moments of a Poisson process: arrivals that know nothing of each other.

    Args:
        stages: of the load.
        rng: what the gaps are drawn from.
        workers: how many processes share the load; each draws its own share.
    """
    return _arrival_times_s(stages, _poisson_counts(rng, float(workers)))


def expected_count(stages: Sequence[Stage]) -> float:
    """Return how many pushes the stages come to; of a Poisson process, on average."""
    return sum(stage.duration_s * (stage.from_rate + stage.to_rate) / 2 for stage in stages)


def _poisson_counts(rng: random.Random, mean: float) -> Iterator[float]:
    random_value, log, total = rng.random, math.log, 0.0
    while True:
        total -= mean * log(1.0 - random_value())
        yield total


def _arrival_times_s(stages: Sequence[Stage], counts: Iterator[float]) -> Iterator[float]:
    """Yield when the count of what was due, which the rates add up to, reaches each of some counts."""
    stage_start_s = count_before = 0.0
    count = next(counts)
    for stage in stages:
        count_after = count_before + expected_count([stage])
        if stage.from_rate == stage.to_rate and stage.from_rate > 0:
            gap_s = 1 / stage.from_rate
            while count < count_after:
                yield stage_start_s + (count - count_before) * gap_s
                count = next(counts)
        else:
            while count < count_after:
                yield stage_start_s + _ramp_time_s(stage, count - count_before)
                count = next(counts)
        stage_start_s, count_before = stage_start_s + stage.duration_s, count_after


def _ramp_time_s(stage: Stage, count: float) -> float:
    """Return how long a ramp takes for a count: its inverse, written so that no near numbers are subtracted."""
    slope = (stage.to_rate - stage.from_rate) / stage.duration_s
    root = math.sqrt(max(0.0, stage.from_rate**2 + 2 * slope * count))
    return 2 * count / (stage.from_rate + root) if count else 0.0


SHORT_CHUNK, LONG_CHUNK = 64, ROWS

"""Bodies that are drawn at once. Some 60 µs are no pause; longer ones save a third of the time."""

_BUFFERED_BODIES = 1024

"""Bodies that are there at a time, in pieces that are taken from in turn: neighbours are of different policies and
shapes. More than these would not stay in a processor's cache."""


class _ShapeSource:
    """Alarms of one shape, of its policies in turn. These stay the same: what is compiled of them is a bounded lot."""

    def __init__(self, bodies: BodyRenderer, weight: float, policies: Sequence[int], chunk_size: int) -> None:
        self._bodies, self.weight, self._chunk_size = bodies, weight, chunk_size
        self._next_index = dict.fromkeys(policies, 0)
        self._policy_cycle = itertools.cycle(policies)
        self.credit = 0.0

    def next_chunk(self) -> list[bytes]:
        """Return the next bodies."""
        policy = next(self._policy_cycle)
        first = self._next_index[policy]
        self._next_index[policy] += self._chunk_size
        return self._bodies.for_policy(policy, first, self._chunk_size)


def mixed_bodies(
    generator: Generator, mix: Sequence[tuple[Shape, float]], *, worker: int = 0, chunk_size: int = SHORT_CHUNK
) -> Iterator[bytes]:
    """Yield firing callbacks without end, all of different alarms.

    What is compiled once is compiled before the first is yielded.

    Args:
        generator: gives seed, language, form and profile.
        mix: shapes, each with its share of the bodies, which need not add up to anything.
        worker: with several processes, which of them this is: none draws what another one does.
        chunk_size: how many are drawn at once.
    """
    policies_per_shape = max(1, POLICIES_IN_ROTATION // len(mix))
    policies = range(
        worker * POLICIES_IN_ROTATION, worker * POLICIES_IN_ROTATION + policies_per_shape
    )  # each process has its own
    sources = [_ShapeSource(BodyRenderer(generator, shape), weight, policies, chunk_size) for shape, weight in mix]
    for source in sources:
        for _ in policies:
            source.next_chunk()
    total = sum(source.weight for source in sources)

    def next_chunk() -> list[bytes]:
        """Draw of the source that has waited longest for its share."""
        for source in sources:
            source.credit += source.weight
        most_due = max(sources, key=lambda source: source.credit)
        most_due.credit -= total
        return most_due.next_chunk()

    return _interleave(next_chunk, _BUFFERED_BODIES // chunk_size)


def _interleave(next_chunk: Callable[[], list[bytes]], chunk_count: int) -> Iterator[bytes]:
    chunks = [next_chunk() for _ in range(chunk_count)]
    for number, chunk in enumerate(chunks):  # of different height, so that they are not all empty at once
        del chunk[(number + 1) * len(chunk) // chunk_count :]
    while True:
        for number, chunk in enumerate(chunks):
            yield chunk.pop()
            if not chunk:
                chunks[number] = next_chunk()


def weighted_shapes(catalog: Catalog, mix: Sequence[tuple[str, float]]) -> list[tuple[Shape, float]]:
    """Return the shapes of a mix; without one, all shapes of the catalogue alike.

    Raises:
        UnknownNameError: there is no such shape.
    """
    weighted: dict[str, tuple[Shape, float]] = {}
    for pattern, weight in mix or [("*", 1.0)]:
        matching = catalog.match(pattern)
        for shape in matching:
            weighted[shape.id] = (shape, weight / len(matching))
    return list(weighted.values())
