"""The times at which attempts are due, and the bodies that they send."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from tcop_mock.callbacks.generator import POLICIES_IN_ROTATION
from tcop_mock.callbacks.pieces import ROWS
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.domain.shape import without_extras

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import Stage
    from tcop_mock.domain.shape import Shape


def constant_arrivals(stages: Sequence[Stage], *, worker: int = 0, workers: int = 1) -> Iterator[float]:
    """Yield evenly spaced times: every ``1 / rate`` s while the rate is constant.

    Args:
        stages: the stages of the load.
        worker: the index of this process, from 0.
        workers: the number of processes; each takes every n-th time.
    """
    return _arrival_times_s(stages, itertools.count(float(worker), float(workers)))


def poisson_arrivals(stages: Sequence[Stage], rng: random.Random, *, workers: int = 1) -> Iterator[float]:
    """Yield the times of a Poisson process, that is, independent arrivals.

    Args:
        stages: the stages of the load.
        rng: the random generator of the gaps.
        workers: the number of processes; each draws its own share.
    """
    return _arrival_times_s(stages, _poisson_counts(rng, float(workers)))


def expected_count(stages: Sequence[Stage]) -> float:
    """Return the number of attempts in the stages; for a Poisson process, the mean."""
    return sum(stage.duration_s * (stage.from_rate + stage.to_rate) / 2 for stage in stages)


def _poisson_counts(rng: random.Random, mean: float) -> Iterator[float]:
    random_value, log, total = rng.random, math.log, 0.0
    while True:
        total -= mean * log(1.0 - random_value())
        yield total


def _arrival_times_s(stages: Sequence[Stage], counts: Iterator[float]) -> Iterator[float]:
    """Yield the times at which the integral of the rate reaches the given counts."""
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
    """Return the time at which a ramp reaches a count; avoids the cancellation of nearly equal numbers."""
    slope = (stage.to_rate - stage.from_rate) / stage.duration_s
    root = math.sqrt(max(0.0, stage.from_rate**2 + 2 * slope * count))
    return 2 * count / (stage.from_rate + root) if count else 0.0


SHORT_CHUNK, LONG_CHUNK = 64, ROWS

"""Bodies generated at once. A short chunk takes some 60 µs; a long one saves a third of the time."""

_BUFFERED_BODIES = 1024

"""Bodies held in memory, in chunks that are used in turn, so that neighbours have different policies and shapes.

More of them would not fit into the processor cache."""


class _ShapeSource:
    """Bodies of one shape, with its policies in turn. The set of policies is fixed, which bounds the compiled data."""

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
    """Yield an endless stream of firing callbacks, all for different alarms.

    All shapes are compiled before the first body.

    Args:
        generator: the seed, language, form and profile.
        mix: shapes and their relative weights.
        worker: the index of this process; no two processes generate the same alarm.
        chunk_size: how many bodies are generated at once.
    """
    policies_per_shape = max(1, POLICIES_IN_ROTATION // len(mix))
    policies = range(
        worker * POLICIES_IN_ROTATION, worker * POLICIES_IN_ROTATION + policies_per_shape
    )  # each process has its own policies
    sources = [_ShapeSource(BodyRenderer(generator, shape), weight, policies, chunk_size) for shape, weight in mix]
    for source in sources:
        for _ in policies:
            source.next_chunk()
    total = sum(source.weight for source in sources)

    def next_chunk() -> list[bytes]:
        """Return a chunk of the source that is furthest behind its share."""
        for source in sources:
            source.credit += source.weight
        most_due = max(sources, key=lambda source: source.credit)
        most_due.credit -= total
        return most_due.next_chunk()

    return _interleave(next_chunk, _BUFFERED_BODIES // chunk_size)


def _interleave(next_chunk: Callable[[], list[bytes]], chunk_count: int) -> Iterator[bytes]:
    chunks = [next_chunk() for _ in range(chunk_count)]
    for number, chunk in enumerate(chunks):  # of different lengths, so that they do not run empty together
        del chunk[(number + 1) * len(chunk) // chunk_count :]
    while True:
        for number, chunk in enumerate(chunks):
            yield chunk.pop()
            if not chunk:
                chunks[number] = next_chunk()


def weighted_shapes(catalog: Catalog, mix: Sequence[tuple[str, float]]) -> list[tuple[Shape, float]]:
    """Return the shapes of a mix with their weights; an empty mix is the whole catalogue with equal weights.

    Globs leave extra shapes out.

    Raises:
        UnknownNameError: a shape does not exist.
    """
    weighted: dict[str, tuple[Shape, float]] = {}
    for pattern, weight in mix or [("*", 1.0)]:
        matching = without_extras(catalog.match(pattern))
        for shape in matching:
            weighted[shape.id] = (shape, weight / len(matching))
    return list(weighted.values())
