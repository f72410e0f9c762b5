"""How clauses are kept, in code: read from ``contracts/fixes/``, one thought a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.catalog.data_files import data_root, read_entry, walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.contract import Clause

SCHEMA = "fix"
FRAMEWORKS = {
    "flask": "python",
    "fastapi": "python",
    "django": "python",
    "express": "javascript",
    "spring": "java",
    "go": "go",
}
"""Each with the language that it is written in."""
NAMES = {
    "flask": "Flask",
    "fastapi": "FastAPI",
    "django": "Django",
    "express": "Express",
    "spring": "Spring",
    "go": "Go",
    "python": "Python (Flask, FastAPI, Django)",
    "javascript": "JavaScript (Express)",
    "java": "Java (Spring)",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """One thought, and how it looks in code."""

    title: str
    clauses: tuple[str, ...]
    samples: Mapping[str, str]
    """By framework, or by language where it is the same in all frameworks of one."""

    def chosen(self, framework: str | None) -> dict[str, str]:
        """Return the samples for one framework, or all."""
        if framework is None:
            return dict(self.samples)
        name = framework if framework in self.samples else FRAMEWORKS[framework]
        return {name: self.samples[name]}


def load_fixes() -> tuple[Fix, ...]:
    """Return all fixes in the order of their files."""
    folder = data_root("contracts") / "fixes"
    tables = [read_entry(file, SCHEMA, check=False) for _, file in walk(folder, ".toml")]
    return tuple(Fix(table["title"], tuple(table["clauses"]), table["samples"]) for table in tables)


def fixes_of(clause: Clause) -> tuple[Fix, ...]:
    """Return the fixes that keep a clause; none, where it is a team's own."""
    return tuple(fix for fix in load_fixes() if clause.code in fix.clauses)
