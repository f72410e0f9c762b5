"""What the scripts that write one page have in common: write it, or say that it is stale; texts and tables in it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_or_check(file: Path, page: Callable[[], str], source: str, doc: str | None) -> int:
    """Write a page or check that it is there as it would be written; return the exit code.

    Args:
        file: where the page is.
        page: makes its text.
        source: what it is made of, for the complaint.
        doc: of the script, for its help.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the file differs")
    arguments = parser.parse_args()
    text = page()
    if not arguments.check:
        file.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return 0
    print(f"{file.name} is not {source}; run `make docs`", file=sys.stderr)
    return 1


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
