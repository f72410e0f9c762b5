"""Values on either side of a threshold, in the metric's own unit and precision."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from tcop_mock.generate.cells import BYTES

if TYPE_CHECKING:
    from tcop_mock.model.shape import Metric

_SPREAD = 2
"""A drawn value lies at most a half of the threshold away from it."""
_LEAST_STEPS = 10


@lru_cache(maxsize=4096)
def values(metric: Metric, *, beyond: bool) -> tuple[str, ...]:
    """Return 256 values beyond the metric's threshold or within it, evenly spread, as the wire writes numbers.

    Up to ``metric.decimals`` decimals, no trailing zeros (captured callbacks: ``96.739``, ``26.14``, ``100``).
    """
    low, high = _span(metric, beyond=beyond)
    steps = [low + (high - low) * at // (BYTES - 1) for at in range(BYTES)]
    return tuple(number(Decimal(step).scaleb(-metric.decimals)) for step in steps)


def number(value: Decimal) -> str:
    """Write a number without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_beyond(value: str, calc_type: str, calc_value: str) -> bool:
    """Tell whether a value breaches a threshold."""
    have, limit = Decimal(value), Decimal(calc_value)
    return {
        ">": have > limit,
        ">=": have >= limit,
        "<": have < limit,
        "<=": have <= limit,
        "=": have == limit,
        "!=": have != limit,
    }[calc_type]


def _span(metric: Metric, *, beyond: bool) -> tuple[int, int]:
    """Return the least and the greatest step (units of the last decimal) on one side of the threshold."""
    steps = 10**metric.decimals
    limit = int(Decimal(metric.calc_value or "0") * steps)
    reach = max(abs(limit) // _SPREAD, _LEAST_STEPS)
    low = max(int(Decimal(str(metric.low)) * steps), limit - reach)
    high = min(int(Decimal(str(metric.high)) * steps), limit + reach)
    above, not_below, below, not_above = (limit + 1, high), (limit, high), (low, limit - 1), (low, limit)
    exactly, elsewhere = (limit, limit), (above if high > limit else below)
    sides = {
        ">": (above, not_above),
        ">=": (not_below, below),
        "<": (below, not_below),
        "<=": (not_above, above),
        "=": (exactly, elsewhere),
        "!=": (elsewhere, exactly),
    }
    return sides[metric.calc_type or ">"][0 if beyond else 1]
