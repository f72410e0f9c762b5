"""Hold the entries of a user's folders to all rules."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock._data import walk
from tcop_mock.catalog import SCHEMA, Catalog
from tcop_mock.entries import all_problems, read_entry
from tcop_mock.errors import EntryError, UnknownNameError
from tcop_mock.lint.entry import Entry
from tcop_mock.lint.rules import RULES, Severity
from tcop_mock.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Remark:
    """One problem of one entry."""

    file: str
    shape_id: str
    severity: Severity
    problem: Problem


@dataclass(frozen=True, slots=True)
class LintReport:
    """All problems of some entries."""

    entries: int
    """How many were read."""
    remarks: tuple[Remark, ...]
    """In the order of folders and files."""

    def count(self, severity: Severity) -> int:
        """Return how many problems have a severity."""
        return sum(remark.severity is severity for remark in self.remarks)


def lint(folders: Iterable[Path], pattern: str = "*") -> LintReport:
    """Hold the entries of folders to all rules.

    Args:
        folders: of entries, in the order in which a catalogue would load them.
        pattern: glob of the ids of the entries.

    Raises:
        UnknownNameError: no id matches.
        OSError: a folder cannot be read.
    """
    taken = {shape.id: "the shipped entry" for shape in Catalog.load()}
    remarks: list[Remark] = []
    ids: list[str] = []
    matched = 0
    for folder in folders:
        for shape_id, file in walk(folder, ".toml"):
            ids.append(shape_id)
            if fnmatch.fnmatchcase(shape_id, pattern):
                matched += 1
                found = [*_shadowed(shape_id, taken), *_found(file, shape_id)]
                remarks += [Remark(str(file), shape_id, severity, problem) for severity, problem in found]
            taken[shape_id] = str(file)
    if not matched:
        raise UnknownNameError("entry", pattern, ids, where="these folders")
    return LintReport(matched, tuple(remarks))


def _shadowed(shape_id: str, taken: dict[str, str]) -> Iterator[tuple[Severity, Problem]]:
    if shape_id in taken:
        told = f"takes the place of {taken[shape_id]} of the id {shape_id}"
        yield Severity.WARNING, Problem("", told, "rename the file, unless that is what it is for")


def _found(file: Traversable, shape_id: str) -> Iterator[tuple[Severity, Problem]]:
    """Yield the problems of one file; those that need an entry which can be read, or drawn, only where it can."""
    try:
        table = read_entry(file, SCHEMA, check=False)
    except EntryError as unreadable:
        yield Severity.ERROR, Problem("", unreadable.problem)
        return
    problems = all_problems(table, SCHEMA)
    yield from ((Severity.ERROR, problem) for problem in problems)
    if problems:
        return
    entry = Entry.of(shape_id, table, str(file))
    drawable = True
    for rule in RULES:
        if drawable or not rule.needs_drawing:
            for problem in rule.broken(entry):
                yield rule.severity, problem
                drawable = drawable and rule.severity is not Severity.ERROR
