"""Linter of catalogue entries in users' folders."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks import lint_rules
from tcop_mock.callbacks.lint_rules import LintedEntry
from tcop_mock.catalog.data_files import all_problems, iter_files, read_entry
from tcop_mock.catalog.loader import SCHEMA, Catalog, contradictions
from tcop_mock.domain.shape import Problem
from tcop_mock.errors import EntryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path


class Severity(StrEnum):
    """Severity of a problem."""

    ERROR = "error"
    """The entry is unusable or wrong."""
    WARNING = "warning"
    """The entry is usable, but probably not as intended."""


class Rule(NamedTuple):
    """One lint rule."""

    severity: Severity
    check: Callable[[LintedEntry], Iterator[Problem]]
    """Yields the entry's problems."""
    needs_drawable_entry: bool = False
    """Whether the rule is skipped if an earlier rule reported an error."""


def _contradictions(entry: LintedEntry) -> Iterator[Problem]:
    return contradictions(entry.shape)


RULES = (
    Rule(Severity.ERROR, _contradictions),
    Rule(Severity.ERROR, lint_rules.value_template_mismatch),
    Rule(Severity.ERROR, lint_rules.duplicate_name),
    Rule(Severity.ERROR, lint_rules.dangling_assumption),
    Rule(Severity.WARNING, lint_rules.source_contradicts_assumed),
    Rule(Severity.WARNING, lint_rules.placeholder_not_assumed),
    Rule(Severity.WARNING, lint_rules.missing_translation),
    Rule(Severity.WARNING, lint_rules.not_chinese),
    Rule(Severity.WARNING, lint_rules.percentage_over_100),
    Rule(Severity.WARNING, lint_rules.fractional_count),
    Rule(Severity.ERROR, lint_rules.sample_agrees_wrong, needs_drawable_entry=True),
    Rule(Severity.ERROR, lint_rules.generation_error, needs_drawable_entry=True),
    Rule(Severity.WARNING, lint_rules.sample_not_checkable, needs_drawable_entry=True),
    Rule(Severity.WARNING, lint_rules.constant_id, needs_drawable_entry=True),
    Rule(Severity.WARNING, lint_rules.body_too_large, needs_drawable_entry=True),
)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One problem of one entry."""

    file: str
    shape_id: str
    severity: Severity
    problem: Problem


@dataclass(frozen=True, slots=True)
class LintReport:
    """Result of linting some entries."""

    entry_count: int
    """Number of entries."""
    findings: tuple[LintFinding, ...]
    """Problems in the order of folders and files."""

    def count(self, severity: Severity) -> int:
        """Return the number of problems with this severity."""
        return sum(finding.severity is severity for finding in self.findings)


def lint(folders: Iterable[Path], pattern: str = "*") -> LintReport:
    """Check the entries of folders against all rules.

    Args:
        folders: folders of entries, in the order in which a catalogue would load them.
        pattern: glob of the ids of the entries.

    Raises:
        UnknownNameError: no id matches.
        OSError: a folder cannot be read.
    """
    sources = {shape.id: "the shipped entry" for shape in Catalog.load()}
    findings: list[LintFinding] = []
    ids: list[str] = []
    matched = 0
    for folder in folders:
        for shape_id, file in iter_files(folder, ".toml"):
            ids.append(shape_id)
            if fnmatch.fnmatchcase(shape_id, pattern):
                matched += 1
                problems = [*_check_shadowed(shape_id, sources), *_check_file(file, shape_id)]
                findings += [LintFinding(str(file), shape_id, severity, problem) for severity, problem in problems]
            sources[shape_id] = str(file)
    if not matched:
        raise UnknownNameError("entry", pattern, ids, where="these folders")
    return LintReport(matched, tuple(findings))


def _check_shadowed(shape_id: str, sources: dict[str, str]) -> Iterator[tuple[Severity, Problem]]:
    if shape_id in sources:
        message = f"replaces {sources[shape_id]} with the id {shape_id}"
        yield Severity.WARNING, Problem("", message, "rename the file unless this is intended")


def _check_file(file: Traversable, shape_id: str) -> Iterator[tuple[Severity, Problem]]:
    """Yield the problems of one file."""
    try:
        table = read_entry(file, SCHEMA, check=False)
    except EntryError as error:
        yield Severity.ERROR, Problem("", error.problem)
        return
    yield from lint_table(shape_id, table, str(file))


def lint_table(shape_id: str, table: dict[str, Any], file: str = "") -> Iterator[tuple[Severity, Problem]]:
    """Yield the problems of an entry's table; later rules run only if the entry is valid.

    Args:
        shape_id: id of the entry.
        table: the table of its file.
        file: name of the file, for messages.
    """
    problems = all_problems(table, SCHEMA)
    yield from ((Severity.ERROR, problem) for problem in problems)
    if problems:
        return
    entry = LintedEntry.from_table(shape_id, table, file)
    is_drawable = True
    for rule in RULES:
        if is_drawable or not rule.needs_drawable_entry:
            for problem in rule.check(entry):
                yield rule.severity, problem
                is_drawable = is_drawable and rule.severity is not Severity.ERROR
