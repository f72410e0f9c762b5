"""Numbers in the README and in the hand-written pages are those of the files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import Prerequisite

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
CLAUSES, SHAPES = load_clauses(), list(Catalog.load())
METRICS = {(shape.policy.type, metric.name) for shape in SHAPES for metric in shape.metrics}
"""CVM's have two forms of dimensions, and the same metrics in both."""
BEHIND = {Prerequisite.OBSERVER, Prerequisite.DOWNSTREAM, Prerequisite.PAGERDUTY, Prerequisite.WECOM}
COUNTS = {
    r"(\d+) clauses in \[": len(CLAUSES),
    r"(\d+) of them look behind": sum(bool(clause.prerequisites & BEHIND) for clause in CLAUSES),
    r"(\d+) shapes": len(SHAPES),
    r"(\d+) metrics": len(METRICS),
    r"the (\d+)\s+events": sum(len(shape.events) for shape in SHAPES),
}


@pytest.mark.parametrize("pattern", COUNTS)
def test_a_count_is_that_of_the_files(pattern: str) -> None:
    """Where a page says how many there are, there are so many."""
    told = [int(found) for page in PAGES for found in re.findall(pattern, page.read_text(encoding="utf-8"))]
    assert set(told) == {COUNTS[pattern]}
