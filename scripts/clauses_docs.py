"""Write docs/clauses.md: all clauses, from their files and those of the fixes.

``python scripts/clauses_docs.py`` writes the file; with ``--check`` it writes nothing and exits with 1 when it differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from generated import write_or_check

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.fixes import FRAMEWORK_NAMES, fixes_for, load_fixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.contract.fixes import Fix
    from tcop_mock.domain.contract import Clause

FILE = Path(__file__).parent.parent / "docs" / "clauses.md"

_HEAD = """\
# The contract

<!-- Written by scripts/clauses_docs.py from contracts/; change that and run `make docs`. -->

What a receiver of TCOP callbacks has to do, clause by clause, each with its source. `tcop-mock check` judges by it, and
`tcop-mock explain CODE` shows a clause with the samples of its fix; those stand at the end of this page. Codes never
change their meaning. What a clause needs has to be there for it to be played; otherwise it is reported as not run.

| code | clause | level | needs | profiles |
| --- | --- | --- | --- | --- |
"""
_SKIP_REASON = "not run by the tests: a part of a receiver, which tests of the fixes run"
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
        yield f"- Holds for a {' and a '.join(sorted(clause.parsers))}, too"
    yield f"- Source: {_escape_markdown(clause.source)}"
    yield f"- Why: {_escape_markdown(clause.why)}"
    yield f"- Fix: {_escape_markdown(clause.fix)}"
    links = ", ".join(f"[{fix.title}](#{_anchor(fix)})" for fix in fixes_for(clause))
    yield f"- Samples: {links}"


def _samples(fix: Fix) -> Iterator[str]:
    yield f"\n### {fix.title}"
    for name, sample in fix.samples.items():
        yield f'\n{FRAMEWORK_NAMES[name]}:\n\n```{_LANGUAGES.get(name, name)} title="{_SKIP_REASON}"\n{sample.rstrip()}\n```'


def _anchor(fix: Fix) -> str:
    """Return the anchor that GitHub gives a heading."""
    slug = "".join(char for char in fix.title.lower() if char.isalnum() or char in " -_")
    return slug.replace(" ", "-")


def _needs(clause: Clause) -> str:
    return ", ".join(sorted(clause.prerequisites)) or "–"


def _profiles(clause: Clause) -> str:
    return ", ".join(clause.profiles) or "all"


def _escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    for character in ("\\", "*", "_", "`", "["):
        text = text.replace(character, f"\\{character}")
    return text.replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(write_or_check(FILE, page, "what the files of clauses and fixes say", __doc__))
