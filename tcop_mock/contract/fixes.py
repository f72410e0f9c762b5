"""Fixes: code samples that satisfy clauses, read from ``contracts/fixes/``, one idea per file."""

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
"""Programming language by framework."""
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
    """One fix with its code samples."""

    title: str
    clauses: tuple[str, ...]
    samples: Mapping[str, str]
    """Code by framework, or by language if it is the same in all frameworks of that language."""

    def samples_for(self, framework: str | None) -> dict[str, str]:
        """Return the sample for a framework, or all samples."""
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
    """Return the fixes of a clause; custom clauses have none."""
    return tuple(fix for fix in load_fixes() if clause.code in fix.clauses)
