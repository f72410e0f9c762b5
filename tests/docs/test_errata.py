"""docs/errata.md is what the catalogue's errata say."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tcop_mock.catalog import Catalog

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
SCRIPT = "scripts/errata.py"
PAGE = "docs/errata.md"
GENERAL = tomllib.loads((ROOT / "payload_catalog" / "_errata.toml").read_text(encoding="utf-8"))["erratum"]


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Run the script in a checkout; return its code and what it complains of."""
    done = subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, str(root / SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_the_page_is_not_stale() -> None:
    """The page of the repository is the one that the script would write."""
    assert run(ROOT, "--check") == (0, "")


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    """--check fails for a page that is missing or differs and writes nothing; what the script writes passes it."""
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / SCRIPT).write_bytes((ROOT / SCRIPT).read_bytes())
    page = tmp_path / PAGE
    stale = (1, "errata.md is not what the catalogue's errata say; run `make docs`\n")
    assert run(tmp_path, "--check") == stale
    assert not page.exists()
    assert run(tmp_path) == (0, "")
    assert page.read_bytes() == (ROOT / PAGE).read_bytes()
    assert run(tmp_path, "--check") == (0, "")
    page.write_text(page.read_text(encoding="utf-8").replace("BasicAuth", "basic auth"), encoding="utf-8")
    assert run(tmp_path, "--check") == stale


def test_a_row_has_as_many_cells_as_its_table() -> None:
    """No text of an erratum breaks its table."""
    rows = [line for line in (ROOT / PAGE).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    widths = [row.count("|") - 1 for row in rows]

    assert widths[: len(GENERAL) + 2] == [4] * (len(GENERAL) + 2)
    assert set(widths[len(GENERAL) + 2 :]) == {3}


def test_general_errata_have_their_four_keys() -> None:
    """Each says what it is about, where it is printed, what is wrong and what is done about it."""
    assert all(list(row) == ["about", "page", "problem", "here"] for row in GENERAL)
    assert len({row["about"] for row in GENERAL}) == len(GENERAL)


def test_every_erratum_is_on_the_page() -> None:
    """What an entry tells of its sample or of the pages is there to be read."""
    page = (ROOT / PAGE).read_text(encoding="utf-8").replace("\\_", "_").replace("&lt;", "<").replace("&#124;", "|")
    told = [row["problem"] for row in GENERAL]
    for shape in Catalog.load():
        told += [erratum.problem for erratum in shape.errata]
        told += [shape.sample.errata] if shape.sample and shape.sample.errata else []

    assert [problem for problem in told if problem not in page] == []
