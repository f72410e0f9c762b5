"""Hold the entries of a user's folders to all rules."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks import lint_rules
from tcop_mock.callbacks.lint_rules import Entry
from tcop_mock.catalog.data_files import all_problems, read_entry, walk
from tcop_mock.catalog.loader import SCHEMA, Catalog, contradictions
from tcop_mock.domain.shape import Problem
from tcop_mock.errors import EntryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path


class Severity(StrEnum):
    """Whether an entry with a problem can be used."""

    ERROR = "error"
    """It cannot, or says what is not so."""
    WARNING = "warning"
    """It can; it is probably not what was meant."""


class Rule(NamedTuple):
    """One rule."""

    severity: Severity
    broken: Callable[[Entry], Iterator[Problem]]
    """Yields where an entry does not keep it."""
    needs_drawing: bool = False
    """Whether only entries that can be drawn are held to it."""


def _contradictions(entry: Entry) -> Iterator[Problem]:
    return contradictions(entry.shape)


RULES = (
    Rule(Severity.ERROR, _contradictions),
    Rule(Severity.ERROR, lint_rules.misfits),
    Rule(Severity.ERROR, lint_rules.named_twice),
    Rule(Severity.ERROR, lint_rules.lost_assumptions),
    Rule(Severity.WARNING, lint_rules.told_otherwise),
    Rule(Severity.WARNING, lint_rules.hidden_and_sure),
    Rule(Severity.WARNING, lint_rules.untranslated),
    Rule(Severity.WARNING, lint_rules.not_chinese),
    Rule(Severity.WARNING, lint_rules.beyond_a_hundred),
    Rule(Severity.WARNING, lint_rules.halves),
    Rule(Severity.ERROR, lint_rules.wrong_about_the_sample, needs_drawing=True),
    Rule(Severity.ERROR, lint_rules.fails, needs_drawing=True),
    Rule(Severity.WARNING, lint_rules.unchecked_sample, needs_drawing=True),
    Rule(Severity.WARNING, lint_rules.constant_ids, needs_drawing=True),
    Rule(Severity.WARNING, lint_rules.oversized, needs_drawing=True),
)


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
