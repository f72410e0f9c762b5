"""The generated pages of docs/: write them or check them; texts and tables in them.

``python scripts/generated.py`` writes all pages; with ``--check`` it writes nothing and exits with 1 when one differs.
Each script of a page takes the same flag.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPTS = (
    "clauses_docs",
    "cli_docs",
    "counts",
    "documents",
    "errata",
    "llms",
    "openapi",
    "pictures",
    "profiles",
    "proof",
    "shapes",
)
"""The modules of this folder that have ``PAGES``."""


@dataclass(frozen=True, slots=True)
class Page:
    """One generated file.

    Args:
        file: where the page is.
        text: returns its text.
        source: what it is made of, for the complaint.
    """

    file: Path
    text: Callable[[], str]
    source: str

    def write(self) -> None:
        """Write the page."""
        self.file.write_text(self.text(), encoding="utf-8", newline="\n")

    @property
    def is_stale(self) -> bool:
        """Whether the file is missing or differs."""
        return not self.file.is_file() or self.file.read_text(encoding="utf-8") != self.text()


def main(*pages: Page) -> int:
    """Write pages, or check that the files are as they would be written; return the exit code."""
    parser = argparse.ArgumentParser(description="Write generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file differs")
    checking = parser.parse_args().check
    code = 0
    for page in pages:
        if not checking:
            page.write()
        elif page.is_stale:
            print(f"{page.file.name} is not {page.source}; run `make docs`", file=sys.stderr)
            code = 1
    return code


def escaped_row(*cells: str) -> str:
    """Return a row of a table whose cells show these texts as they are."""
    return markdown_row(*map(escape_markdown, cells))


def markdown_row(*cells: str) -> str:
    """Return a row of a table whose cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in a cell of a table."""
    return text.replace("|", "&#124;").replace("<", "&lt;").replace("_", r"\_")


def code_span(text: str) -> str:
    """Return a text as code, also in a cell of a table; nothing of an empty one."""
    if "|" not in text and "`" not in text:
        return f"`{text}`" if text else ""
    escaped_text = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
    return f"<code>{escaped_text.replace('`', '&#96;').replace('_', '&#95;').replace('*', '&#42;')}</code>"


if __name__ == "__main__":
    sys.exit(main(*(page for script in SCRIPTS for page in importlib.import_module(script).PAGES)))
