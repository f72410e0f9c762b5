"""Clauses: those that the options of check and explain name, their list, and the work of explain."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tcop_mock.contract.clauses import (
    FRAMEWORK_NAMES,
    find_clause,
    fixes_for,
    load_clauses,
    load_custom_clauses,
    select_clauses,
)
from tcop_mock.errors import UsageError
from tcop_mock.inputs.documents import failed_codes
from tcop_mock.reports.formats import parse_report_file
from tcop_mock.reports.json import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.contract import Clause


_WRAPPER = textwrap.TextWrapper(
    78, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)
_NO_REPORT_ERRORS = (LookupError, TypeError, AttributeError, ValueError)


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


def explain(code: str, framework: str | None, clause_files: tuple[str, ...], common: CommonOptions) -> None:
    """Print a clause in full, with sample fixes of one framework or of all."""
    clause = find_clause(all_clauses(clause_files, common), code)
    if common.as_json:
        click.echo(json.dumps({"version": 1, "clause": _explanation(clause, framework)}, ensure_ascii=False, indent=2))
        return
    click.echo(f"{clause.code} {clause.slug} [{clause.level}]")
    holds = f"In profile {', '.join(clause.profiles)}. " if clause.profiles else "In every profile. "
    needs = f"Needs {', '.join(sorted(clause.prerequisites))}." if clause.prerequisites else "Needs only the target."
    for head, text in (
        ("Requirement", clause.requirement),
        ("Source", clause.source),
        ("Why", clause.why),
        ("Fix", clause.fix),
        ("Holds", holds + needs),
    ):
        click.echo(f"\n{head}")
        click.echo(_WRAPPER.fill(text))
    for fix in fixes_for(clause):
        click.echo(f"\n{fix.title}:")
        for name, sample in fix.samples_for(framework).items():
            click.echo(f"\n  {FRAMEWORK_NAMES[name]}\n\n{textwrap.indent(sample.rstrip(), '    ')}")


def _explanation(clause: Clause, framework: str | None) -> dict[str, object]:
    return {
        "code": clause.code,
        "slug": clause.slug,
        "level": clause.level,
        "profiles": list(clause.profiles),
        "needs": sorted(clause.prerequisites),
        "requirement": clause.requirement,
        "source": clause.source,
        "why": clause.why,
        "fix": clause.fix,
        "fixes": [{"title": fix.title, "samples": fix.samples_for(framework)} for fix in fixes_for(clause)],
    }


def keep_last_failed(
    clauses: Sequence[Clause], path: str, reports: Sequence[str], common: CommonOptions
) -> tuple[Sequence[Clause], int | None]:
    """Return the clauses that failed in a report, with its seed; all clauses and no seed if none failed.

    Args:
        clauses: the selected clauses.
        path: the report; it need not exist if this run writes it.
        reports: values of ``--report``.
        common: common options; used to print why all clauses are run.

    Raises:
        UsageError: the file is not a report, or no clause is left.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        if not _is_written(path, reports):
            raise UsageError(
                f"--last-failed {path!r} is not there; `--report json={path}` writes it, also in the same call"
            ) from None
        common.info(f"{path} is not there yet: all selected clauses run")
        return clauses, None
    except OSError as problem:
        raise UsageError(f"--last-failed {path!r} cannot be read: {problem.strerror or problem}") from None
    except (ValueError, RecursionError):
        document = None
    try:
        failed, seed = failed_codes(document), int(document["seed"])
    except _NO_REPORT_ERRORS:
        raise UsageError(
            f"--last-failed {path!r} is not a report of check; write one with --report json=FILE"
        ) from None
    if not failed:
        common.info(f"no clause failed in {path}: all selected clauses run")
        return clauses, None
    left = [clause for clause in clauses if clause.code in failed]
    if not left:
        raise UsageError(
            f"--last-failed {path!r}: none of its failed clauses is selected; see --clauses, --skip and --clause-files"
        )
    common.info(f"{len(left)} of {len(clauses)} clauses run: those that failed in {path}")
    return left, seed


def _is_written(path: str, reports: Sequence[str]) -> bool:
    files = (parse_report_file(text, "--report") for text in reports)
    return any(file.format_name == "json" and Path(file.path).resolve() == Path(path).resolve() for file in files)
