"""The clauses that the options of check and explain name, and their list."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.custom_clauses import load_custom_clauses
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.contract import Clause


def resolve_clauses(
    globs: Sequence[str], skip: Sequence[str], clause_files: tuple[str, ...], common: CommonOptions
) -> Sequence[Clause]:
    """Return the clauses that ``--clauses`` and ``--skip`` leave.

    Raises:
        UsageError: a glob matches nothing, or no clause is left.
        EntryError: a custom clause is invalid.
    """
    clauses = select_clauses(all_clauses(clause_files, common), _split("--clauses", globs), _split("--skip", skip))
    if not clauses:
        raise UsageError("--skip leaves no clause to check")
    return clauses


def all_clauses(clause_files: tuple[str, ...], common: CommonOptions) -> tuple[Clause, ...]:
    """Return the built-in clauses and those of custom files.

    Raises:
        EntryError: the last problem of these files; earlier ones are printed to standard error.
    """
    if not clause_files:
        return load_clauses()
    own, problems = load_custom_clauses(clause_files, common.catalog())
    for problem in problems[:-1]:
        click.echo(f"tcop-mock: {problem}", err=True)
    for problem in problems[-1:]:
        raise problem
    return (*load_clauses(), *own)


def list_clauses(clauses: Sequence[Clause], common: CommonOptions) -> None:
    """Print the selected clauses."""
    if common.as_json:
        rows = [{"code": clause.code, "slug": clause.slug, "level": clause.level} for clause in clauses]
        write_json({"version": 1, "clauses": rows}, sys.stdout)
        return
    for clause in clauses:
        needs = f"  needs {', '.join(sorted(clause.prerequisites))}" if clause.prerequisites else ""
        click.echo(f"{clause.code}  {clause.level:<6}  {clause.slug}{needs}")


def _split(flag: str, globs: Sequence[str]) -> list[str]:
    split = [glob.strip() for text in globs for glob in text.split(",") if glob.strip()]
    if globs and not split:
        raise UsageError(f"{flag} does not name a clause; write TCM302, TCM3* or recover-*, several with commas")
    return split
