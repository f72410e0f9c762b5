"""The counts of shapes, metrics, events and clauses in docs/index.md, docs/explanation/tcop.md and CHANGELOG.md."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

from generated import Page, main

from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.clauses import EFFECT_SCENARIOS, load_clauses

ROOT = Path(__file__).parents[1]
_SHAPES = list(Catalog.load())
_CLAUSES = len(load_clauses())
_EFFECT_CLAUSES = sum(clause.builder.name == EFFECT_SCENARIOS for clause in load_clauses())
_METRIC_SHAPES = sum(bool(shape.metrics) for shape in _SHAPES)
_EVENT_SHAPES = sum(bool(shape.events) for shape in _SHAPES)
_METRICS = len({(shape.policy.type, metric.name) for shape in _SHAPES for metric in shape.metrics})
_ASSUMED_NAMES = len(
    {
        (shape.policy.type, metric.name)
        for shape in _SHAPES
        for index, metric in enumerate(shape.metrics)
        if f"metrics.{index}.metricName" in shape.assumed
    }
)
_EVENTS = sum(len(shape.events) for shape in _SHAPES)
_COUNTS = (
    (r"\d+(?= shapes, one file each)", len(_SHAPES)),
    (r"(?<=A catalogue of )\d+(?= shapes)", len(_SHAPES)),
    (r"\d+(?= describe metric\s)", _METRIC_SHAPES),
    (r"\d+(?= of metric alarms)", _METRIC_SHAPES),
    (r"\d+(?= describe event alarms)", _EVENT_SHAPES),
    (r"\d+(?= of event alarms)", _EVENT_SHAPES),
    (r"\d+(?= describe other alarms)", len(_SHAPES) - _METRIC_SHAPES - _EVENT_SHAPES),
    (r"\d+(?= of other alarms)", len(_SHAPES) - _METRIC_SHAPES - _EVENT_SHAPES),
    (r"(?<=alarms with )\d+(?= metrics)", _METRICS),
    (r"(?<=alarms with )\d+(?= events)", _EVENTS),
    (r"(?<=alarms with the )\d+(?=\s+events)", _EVENTS),
    (r"\d+(?= of the \d+ names of metrics)", _ASSUMED_NAMES),
    (r"(?<=of the )\d+(?= names of metrics)", _METRICS),
    (r"\d+(?= clauses in \[)", _CLAUSES),
    (r"\d+(?= of them check what the receiver)", _EFFECT_CLAUSES),
    (r"(?<=A contract of )\d+(?= clauses)", _CLAUSES),
)
"""Patterns of numbers, and the numbers."""


def page(file: Path) -> str:
    """Return a page with the counts of today."""
    text = file.read_text(encoding="utf-8")
    for pattern, count in _COUNTS:
        text = re.sub(pattern, str(count), text)
    return text


PAGES = tuple(
    Page(file, partial(page, file), "what the catalogue and the clauses count")
    for file in (ROOT / "docs" / "index.md", ROOT / "docs" / "explanation" / "tcop.md", ROOT / "CHANGELOG.md")
)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
