"""Thresholds of metrics, compared independently of the generator."""

from __future__ import annotations

from decimal import Decimal


def breaches(value: str, calc_type: str, calc_value: str) -> bool:
    """Return whether a value breaches a threshold."""
    actual, threshold = Decimal(value), Decimal(calc_value)
    return {
        ">": actual > threshold,
        ">=": actual >= threshold,
        "<": actual < threshold,
        "<=": actual <= threshold,
        "=": actual == threshold,
        "!=": actual != threshold,
    }[calc_type]
