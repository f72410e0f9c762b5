"""Write docs/clauses.md: all clauses with the samples of their fixes, from contracts/.

``python scripts/clauses_docs.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from generated import Page, main

from tcop_mock.contract.clauses import FRAMEWORK_NAMES, fixes_for, load_clauses, load_fixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.contract.clauses import Fix
    from tcop_mock.domain.contract import Clause

FILE = Path(__file__).parent.parent / "docs" / "clauses.md"

_HEAD = """\
# The contract

<!-- Written by scripts/clauses_docs.py from contracts/; change that and run `make docs`. -->

The contract lists the obligations of a receiver of TCOP callbacks. Each clause cites its source. `tcop-mock check`
checks the clauses, and `tcop-mock explain CODE` prints one with the samples of its fix. All samples are at the end of
this page. A code never changes its meaning. A clause whose prerequisites are missing is reported as not run.

| code | clause | level | needs | profiles |
| --- | --- | --- | --- | --- |
"""
_SKIP_REASON = "not run by the tests: part of a receiver, which the tests of the fixes run"
_LANGUAGES = {"flask": "python", "fastapi": "python", "django": "python", "express": "javascript", "spring": "java"}


def page() -> str:
    """Return the whole page."""
    clauses = load_clauses()
    rows = [_table_row(clause) for clause in clauses]
    sections = [line for clause in clauses for line in _section(clause)]
    fixes = [line for fix in load_fixes() for line in _samples(fix)]
    return "\n".join([_HEAD + "\n".join(rows), *sections, "", "## Samples", *fixes]) + "\n"


def _table_row(clause: Clause) -> str:
    cells = (
        f"[{clause.code}](#{clause.id.lower()})",
        clause.slug,
        clause.level.value,
        _needs(clause),
        _profiles(clause),
    )
    return f"| {' | '.join(cells)} |"


def _section(clause: Clause) -> Iterator[str]:
    yield f"\n## {clause.id}\n\n{_escape_markdown(clause.requirement)}\n"
    yield f"- Level: {clause.level}; profiles: {_profiles(clause)}; needs: {_needs(clause)}"
    if clause.parsers:
        yield f"- Also applies to a {' and a '.join(sorted(clause.parsers))}"
    yield f"- Source: {_escape_markdown(clause.source)}"
    yield f"- Why: {_escape_markdown(clause.why)}"
    yield f"- Fix: {_escape_markdown(clause.fix)}"
    links = ", ".join(f"[{fix.title}](#{_anchor(fix)})" for fix in fixes_for(clause))
    yield f"- Samples: {links}"


def _samples(fix: Fix) -> Iterator[str]:
    yield f"\n### {fix.title}"
    for name, sample in fix.samples.items():
        fence = f'```{_LANGUAGES.get(name, name)} title="{_SKIP_REASON}"'
        yield f"\n{FRAMEWORK_NAMES[name]}:\n\n{fence}\n{sample.rstrip()}\n```"


def _anchor(fix: Fix) -> str:
    """Return the anchor of a heading on GitHub."""
    slug = "".join(char for char in fix.title.lower() if char.isalnum() or char in " -_")
    return slug.replace(" ", "-")


def _needs(clause: Clause) -> str:
    return ", ".join(sorted(clause.prerequisites)) or "–"


def _profiles(clause: Clause) -> str:
    return ", ".join(clause.profiles) or "all"


def _escape_markdown(text: str) -> str:
    """Escape a text for Markdown."""
    for character in ("\\", "*", "_", "`", "["):
        text = text.replace(character, f"\\{character}")
    return text.replace("<", "&lt;")


PAGES = (Page(FILE, page, "what the files of clauses and fixes give"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
