"""Write llms.txt, the list of pages for language models (https://llmstxt.org), from the navigation and the pages.

``python scripts/llms.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generated import Page, main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DOCS, FILE = ROOT / "docs", ROOT / "llms.txt"
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SKIPPED = ("#", "```", "|", "!", "<", "-")
"""Beginnings of paragraphs that are not sentences."""


def page() -> str:
    """Return the whole file."""
    config = importlib.import_module("yaml").safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}.", ""]
    lines += [first_sentence((ROOT / "README.md").read_text(encoding="utf-8"), count=2), ""]
    for title, pages in sections(config["nav"]):
        lines += [f"## {title}", ""]
        lines += [
            f"- [{name}](docs/{file}): {first_sentence((DOCS / file).read_text(encoding='utf-8'))}"
            for name, file in pages
        ]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def sections(nav: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the sections of a navigation with their pages; pages outside of sections come first."""
    items = [pair for item in nav for pair in item.items()]
    yield "Start", [(name, file) for name, file in items if isinstance(file, str)]
    for title, pages in items:
        if not isinstance(pages, str):
            yield title, [pair for item in pages for pair in item.items()]


def first_sentence(markdown: str, *, count: int = 1) -> str:
    """Return the first sentences of a page, without links."""
    for block in markdown.split("\n\n"):
        text = " ".join(_LINK.sub(r"\1", block).split())
        if text and not text.startswith(_SKIPPED):
            return " ".join(re.split(r"(?<=[.!?]) ", text)[:count])
    return ""


PAGES = (Page(FILE, page, "what mkdocs.yml and the pages say"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
