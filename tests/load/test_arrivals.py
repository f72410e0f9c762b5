"""The times at which attempts are due."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.domain.load import Stage
from tcop_mock.load.schedule import constant_arrivals, expected_count, poisson_arrivals

RATES = st.floats(0.0, 200.0).map(lambda rate: round(rate, 1))


def chance() -> random.Random:
    """Return the same chance each time."""
    return random.Random(1)  # noqa: S311 - a schedule is not a secret


def test_a_constant_rate_is_evenly_spaced() -> None:
    """100 a second for half a second are 50 moments, 10 ms apart, from 0 on."""
    moments = list(constant_arrivals([Stage(0.5, 100.0, 100.0)]))
    assert len(moments) == 50
    assert moments == pytest.approx([number / 100 for number in range(50)])


def test_lanes_share_the_same_moments() -> None:
    """Several workers together start at the moments at which one worker would."""
    stages = [Stage(1.0, 0.0, 40.0), Stage(1.0, 40.0, 40.0), Stage(0.5, 40.0, 0.0)]
    shared = [constant_arrivals(stages, worker=lane, workers=3) for lane in range(3)]
    assert sorted(itertools.chain(*shared)) == pytest.approx(list(constant_arrivals(stages)))


@given(st.lists(st.tuples(st.floats(0.1, 5.0), RATES), min_size=1, max_size=5))
def test_stages_come_to_what_is_planned(steps: list[tuple[float, float]]) -> None:
    """However the rate changes, moments rise, stay inside the stages, and are as many as the rates add up to."""
    rates = [0.0, *(rate for _, rate in steps)]
    stages = [Stage(time_s, *ends) for (time_s, _), ends in zip(steps, itertools.pairwise(rates), strict=True)]
    moments = list(constant_arrivals(stages))
    assert moments == sorted(moments)
    assert abs(len(moments) - expected_count(stages)) <= 1
    assert all(0 <= moment <= sum(stage.duration_s for stage in stages) + 1e-9 for moment in moments)


def test_a_ramp_is_thin_at_its_thin_end() -> None:
    """Half of a ramp's time has a quarter of its moments."""
    moments = list(constant_arrivals([Stage(10.0, 0.0, 20.0)]))
    assert sum(moment < 5 for moment in moments) == pytest.approx(25, abs=1)


def test_drawn_arrivals_are_a_poisson_process() -> None:
    """Arrivals have the planned rate and the variance of independent senders, and repeat with a seed."""
    stages = [Stage(100.0, 100.0, 100.0)]
    moments = list(poisson_arrivals(stages, chance()))
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    assert abs(len(moments) - 10_000) < 400
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(mean**2, rel=0.1)
    assert moments == list(poisson_arrivals(stages, chance()))
    assert abs(len(list(poisson_arrivals(stages, chance(), workers=4))) - 2500) < 200
