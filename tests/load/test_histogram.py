"""Histograms of times."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.domain.load_summary import Distribution
from tcop_mock.load.stats import Histogram

TIMES = st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200)


def counted(*batches: list[float]) -> Histogram:
    """Return counts of batches."""
    counts = Histogram()
    for batch in batches:
        counts.record(batch)
    return counts


@given(TIMES, st.floats(0.1, 100.0))
def test_a_percentile_is_off_by_less_than_a_hundredth(times: list[float], share: float) -> None:
    """It is never less than the true one, and at the most 1 % more."""
    rank = max(1, -(-len(times) * share // 100))
    true = sorted(times)[int(rank) - 1]
    assert true * (1 - 1e-6) <= counted(times).to_distribution().percentile(share) <= true * 1.01


@given(TIMES, TIMES)
def test_counts_can_be_added(first: list[float], second: list[float]) -> None:
    """Two counts added are the count of all, also after a journey between processes."""
    both = counted(first)
    both.merge(pickle.loads(pickle.dumps(counted(second))))  # noqa: S301 - our own
    whole = counted(first, second).to_distribution()
    assert both.to_distribution().buckets == whole.buckets
    assert both.to_distribution().max_s == whole.max_s == max(first + second)
    assert both.to_distribution().mean_s == pytest.approx(sum(first + second) / len(first + second))


def test_memory_is_bounded() -> None:
    """A hundred thousand different times take some buckets only."""
    assert len(counted([1e-6 * 1.0001**number for number in range(100_000)]).buckets) < 2000


def test_nothing_and_zero_are_counted() -> None:
    """No time has no mean; times of 0 are times."""
    nothing = Histogram()
    nothing.record([])
    assert nothing.to_distribution() == Distribution()
    assert (Distribution().mean_s, Distribution().percentile(99), Distribution().count) == (0.0, 0.0, 0)
    zeros = counted([0.0, 0.0, 1.0]).to_distribution()
    assert (zeros.percentile(50), zeros.count, zeros.count_over(0.5)) == (0.0, 3, 1)
    assert zeros.percentile(101) == 1.0


def test_what_is_over_a_bound_is_counted() -> None:
    """Times beyond 5 s, of some below and some above."""
    assert counted([0.1] * 7 + [4.9] * 2 + [5.1] * 3).to_distribution().count_over(5.0) == 3
