"""Bodies per second on one core, against the floor: json.dumps of a constant body of the same size.

usage: python benchmarks/generate.py
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tcop_mock import Catalog, Generator
from tcop_mock.model.alarm import State
from tcop_mock.model.wire import wire_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 0.5
_BEST_OF = 3
_SHAPES = ("cvm/basic-monitoring", "clb/public-listener", "tke/pod", "cvm/events")


def per_second(make: Callable[[int], bytes]) -> float:
    """Return how many bodies a function makes in a second, the best of three tries."""
    best = 0.0
    for _ in range(_BEST_OF):
        count, started_s = 0, time.perf_counter()
        while time.perf_counter() - started_s < _SECONDS:
            for serial in range(count, count + 100):
                make(serial)
            count += 100
        best = max(best, count / (time.perf_counter() - started_s))
    return best


def main() -> None:
    """Print a row per shape: bodies per second, the floor, and their ratio."""
    started_s = time.perf_counter()
    catalog = Catalog.load()
    print(f"reading the catalogue of {len(catalog)} shapes: {1000 * (time.perf_counter() - started_s):.0f} ms")
    print(f"{'shape':<24}{'bytes':>7}{'bodies/s':>12}{'floor/s':>12}{'ratio':>8}")
    for shape_id in _SHAPES:
        shape, generator = catalog.get(shape_id), Generator(1)
        constant = json.loads(generator.callback(generator.alarm(shape), State.FIRING).body())

        def draw(serial: int, generator: Generator = generator, shape: object = shape) -> bytes:
            return generator.callback(generator.alarm(shape, serial), State.FIRING).body()  # type: ignore[arg-type]

        def floor(_serial: int, constant: object = constant) -> bytes:
            return wire_bytes(constant)

        drawn, bottom = per_second(draw), per_second(floor)
        print(f"{shape_id:<24}{len(draw(0)):>7}{drawn:>12,.0f}{bottom:>12,.0f}{drawn / bottom:>8.2f}")


if __name__ == "__main__":
    main()
