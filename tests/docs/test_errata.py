"""docs/errata.md lists every erratum."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tcop_mock.catalog.data_files import data_root
from tcop_mock.catalog.loader import Catalog

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
PAGE = "docs/errata.md"
GENERAL = tomllib.loads((data_root("payload_catalog") / "_errata.toml").read_text(encoding="utf-8"))["erratum"]


def test_a_row_has_as_many_cells_as_its_table() -> None:
    """No text of an erratum breaks the table on the page."""
    rows = [line for line in (ROOT / PAGE).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    widths = [row.count("|") - 1 for row in rows]

    assert widths[: len(GENERAL) + 2] == [4] * (len(GENERAL) + 2)
    assert set(widths[len(GENERAL) + 2 :]) == {3}


def test_general_errata_have_their_four_keys() -> None:
    """Each general erratum has a subject, a page, a problem and its resolution; no two share a subject."""
    assert all(list(row) == ["about", "page", "problem", "here"] for row in GENERAL)
    assert len({row["about"] for row in GENERAL}) == len(GENERAL)


def test_every_erratum_is_on_the_page() -> None:
    """The page contains the errata of all entries and samples, and the general ones."""
    page = (ROOT / PAGE).read_text(encoding="utf-8").replace("\\_", "_").replace("&lt;", "<").replace("&#124;", "|")
    reported = [row["problem"] for row in GENERAL]
    for shape in Catalog.load():
        reported += [erratum.problem for erratum in shape.errata]
        reported += [shape.sample.errata] if shape.sample and shape.sample.errata else []

    assert [problem for problem in reported if problem not in page] == []
