"""Rules about a metric's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.lint.entry import Entry

_COUNTS = frozenset({"Count", "Times", "Packets/sec", "Count/s", "Count/min", "Times/sec", "Times/min", "Requests/min"})
_MOST_PERCENT = 100
_OF_A_REQUEST = "_request"
"""Part of the names of metrics that are a percentage of what was requested, and may exceed it."""


def beyond_a_hundred(entry: Entry) -> Iterator[Problem]:
    """Yield percentages with a range beyond 0 to 100."""
    for at, metric in enumerate(entry.shape.metrics):
        within = metric.low >= 0 and metric.high <= _MOST_PERCENT
        if metric.unit.en == "%" and not within and _OF_A_REQUEST not in metric.name:
            told = f"[{metric.low}, {metric.high}] is beyond 0 to 100, and the unit is %"
            yield Problem(f"metrics.{at}.range", told, "give a range within [0, 100], or another unit")


def halves(entry: Entry) -> Iterator[Problem]:
    """Yield counts with decimals: there is no half connection."""
    for at, metric in enumerate(entry.shape.metrics):
        if metric.unit.en in _COUNTS and metric.decimals:
            told = f"what is counted in {metric.unit.en} has no decimals"
            yield Problem(f"metrics.{at}.decimals", told, "leave decimals out")
