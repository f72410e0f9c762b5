"""How clauses are kept, in code: read from ``contracts/fixes/``, one thought a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.catalog.data_files import data_root, iter_files, read_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.contract import Clause

FIX_SCHEMA = "fix"
LANGUAGE_BY_FRAMEWORK = {
    "flask": "python",
    "fastapi": "python",
    "django": "python",
    "express": "javascript",
    "spring": "java",
    "go": "go",
}
"""Each with the language that it is written in."""
FRAMEWORK_NAMES = {
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

    def samples_for(self, framework: str | None) -> dict[str, str]:
        """Return the samples for one framework, or all."""
        if framework is None:
            return dict(self.samples)
        name = framework if framework in self.samples else LANGUAGE_BY_FRAMEWORK[framework]
        return {name: self.samples[name]}


def load_fixes() -> tuple[Fix, ...]:
    """Return all fixes in the order of their files."""
    folder = data_root("contracts") / "fixes"
    tables = [read_entry(file, FIX_SCHEMA, check=False) for _, file in iter_files(folder, ".toml")]
    return tuple(Fix(table["title"], tuple(table["clauses"]), table["samples"]) for table in tables)


def fixes_for(clause: Clause) -> tuple[Fix, ...]:
    """Return the fixes that keep a clause; none, where it is a team's own."""
    return tuple(fix for fix in load_fixes() if clause.code in fix.clauses)
