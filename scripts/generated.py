"""What the scripts that write one page have in common: write it, or say that it is stale."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def main(file: Path, page: Callable[[], str], source: str, doc: str | None) -> int:
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
