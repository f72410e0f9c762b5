"""Write docs/errata.md: contradictions and misprints in the documentation, from the errata of the catalogue.

``python scripts/errata.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from generated import Page, escaped_row, main

from tcop_mock.catalog.data_files import data_root
from tcop_mock.catalog.loader import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.shape import Shape

FILE = Path(__file__).parent.parent / "docs" / "errata.md"

_HEAD = """\
# Errata of the documentation

<!-- Written by scripts/errata.py from payload_catalog/; change that and run `make docs`. -->

Tencent Cloud's pages contradict each other, themselves, and real callbacks. This page lists the known problems and how
tcop-mock resolves each one. The first part covers all callbacks, the second part single shapes.

## All callbacks

| about | page | problem | in tcop-mock |
| --- | --- | --- | --- |
"""
_SAMPLE_PAGE = "the sample"
_SAMPLE_AGREES = "Kept as printed for reference."
_SAMPLE_DISAGREES = "Kept as printed for reference; generated callbacks differ."


def page() -> str:
    """Return the whole page."""
    text = (data_root("payload_catalog") / "_errata.toml").read_text(encoding="utf-8")
    general = [
        escaped_row(item["about"], item["page"], item["problem"], item["here"])
        for item in tomllib.loads(text)["erratum"]
    ]
    return "\n".join([_HEAD + "\n".join(general), "", "## Shapes", *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for shape in Catalog.load():
        rows = list(_rows(shape))
        if rows:
            yield f"\n### {shape.id}: {shape.title.en}\n\n| page | problem | in tcop-mock |\n| --- | --- | --- |"
            yield from rows


def _rows(shape: Shape) -> Iterator[str]:
    if shape.sample and shape.sample.errata:
        note = _SAMPLE_AGREES if shape.sample.agrees else _SAMPLE_DISAGREES
        yield escaped_row(_SAMPLE_PAGE, shape.sample.errata, note)
    for erratum in shape.errata:
        yield escaped_row(erratum.page, erratum.problem, erratum.here)


PAGES = (Page(FILE, page, "what the catalogue's errata say"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
