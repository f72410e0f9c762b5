"""The counts in the README and in the hand-written pages match the files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import EFFECT_PREREQUISITES

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
CLAUSES, SHAPES = load_clauses(), list(Catalog.load())
METRICS = {(shape.policy.type, metric.name) for shape in SHAPES for metric in shape.metrics}
"""CVM has two shapes with different dimensions and the same metrics."""
BEHIND = EFFECT_PREREQUISITES
COUNTS = {
    r"(\d+)\s+clauses\s+in\s+\[": len(CLAUSES),
    r"(\d+)\s+of\s+them\s+check\s+what": sum(bool(clause.prerequisites & BEHIND) for clause in CLAUSES),
    r"(\d+)\s+shapes": len(SHAPES),
    r"(\d+)\s+metrics": len(METRICS),
    r"the\s+(\d+)\s+events": sum(len(shape.events) for shape in SHAPES),
}


@pytest.mark.parametrize("pattern", COUNTS)
def test_a_count_is_that_of_the_files(pattern: str) -> None:
    """Every count on a page equals the number of clauses, shapes, metrics or events in the files."""
    reported = [int(found) for page in PAGES for found in re.findall(pattern, page.read_text(encoding="utf-8"))]
    assert set(reported) == {COUNTS[pattern]}
