"""Times counted by the millions: log-linear buckets, 128 to an octave, filled by a few operations on whole batches.

The upper half of a float of 32 bits (IEEE 754) is its exponent and the first seven bits of its mantissa: times that
share it differ by less than 1 %. So a batch is cut into buckets without a step of Python per time. Buckets of two
counts are the same, so that they can be added; there are some thousands at the most, however long a run is.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from typing import TYPE_CHECKING

from tcop_mock.model.loaded import Bucket, Distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

_UPPER_HALF = 1 if sys.byteorder == "little" else 0


class Counts:
    """How often times came. Can be pickled, and added to another one's."""

    __slots__ = ("buckets", "max_s", "sum_s")

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.max_s = 0.0
        self.sum_s = 0.0

    def take(self, times_s: Sequence[float]) -> None:
        """Count a batch of times, in seconds, none below 0."""
        if times_s:
            halves = memoryview(array("f", times_s)).cast("B").cast("H")
            self.buckets.update(halves[_UPPER_HALF::2].tolist())
            self.max_s = max(self.max_s, max(times_s))  # noqa: PLW3301 - one tuple of all of them would be made
            self.sum_s += sum(times_s)

    def add(self, other: Counts) -> None:
        """Count what another one has counted, too."""
        self.buckets.update(other.buckets)
        self.max_s = max(self.max_s, other.max_s)
        self.sum_s += other.sum_s

    def distribution(self) -> Distribution:
        """Return what has been counted."""
        buckets = tuple(Bucket(_upper_bound_s(bucket), times) for bucket, times in sorted(self.buckets.items()))
        return Distribution(buckets, self.max_s, self.sum_s)


def _upper_bound_s(bucket: int) -> float:
    """Return the least time that is beyond a bucket; of the bucket of 0, 0."""
    [bound] = struct.unpack("<f", struct.pack("<I", (bucket + 1) << 16)) if bucket else [0.0]
    return float(bound)
