"""The work of explain."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.clauses import all_clauses
from tcop_mock.contract.clauses import find_clause
from tcop_mock.contract.fixes import FRAMEWORK_NAMES, fixes_for

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.contract import Clause

_WRAPPER = textwrap.TextWrapper(
    78, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)


def explain(code: str, framework: str | None, clause_files: tuple[str, ...], common: CommonOptions) -> None:
    """Print a clause in full, with sample fixes of one framework or of all."""
    clause = find_clause(all_clauses(clause_files, common), code)
    if common.as_json:
        click.echo(json.dumps({"version": 1, "clause": _document(clause, framework)}, ensure_ascii=False, indent=2))
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


def _document(clause: Clause, framework: str | None) -> dict[str, object]:
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
