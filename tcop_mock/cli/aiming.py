"""What ``check`` judges, a receiver or what parses its bodies, and by which clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.callbacks.validator import TEMPLATE_PROFILE
from tcop_mock.cli.options import read_text, target_of
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.custom_clauses import load_custom_clauses
from tcop_mock.domain.target import Parser, Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.cli.options import Common
    from tcop_mock.domain.contract import Clause
    from tcop_mock.reports.formats import ReportFile


def aimed(target: str | None, parsers: Mapping[Parser, str | None]) -> Target:
    """Return what is judged: a receiver, or a parser where one is named.

    Raises:
        UsageError: nothing is named, or several things are.
    """
    named = {parser: name for parser, name in parsers.items() if name is not None}
    given = ["TARGET"] * (target is not None and _is_typed("target")) + [f"--{parser}" for parser in named]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one of them is judged at a time; leave out the others")
    for parser, name in named.items():
        return Target.for_parser(parser, name)
    return target_of(target, flag="TARGET")


def require_address(target: Target, files: Iterable[ReportFile]) -> None:
    """Refuse reports that are about requests, where none is sent.

    Raises:
        UsageError: a parser is asked, and such a report is wanted.
    """
    for file in files:
        if target.parser and FORMATS[file.format_name].needs_requests:
            raise UsageError(
                f"--report {file.format_name}: a {target.parser} is sent no requests; take json, text or html"
            )


def own_template(file: str | None, common: Common) -> NotificationTemplate | None:
    """Return the template of the user's own notices, where there is one.

    Raises:
        UsageError: it cannot be read, is none, or is given for a profile of TCOP's own callbacks.
    """
    if file is None:
        return None
    if common.profile.name != TEMPLATE_PROFILE:
        raise UsageError(f"--template posts notices of your own: it goes with --profile {TEMPLATE_PROFILE}")
    return NotificationTemplate(read_text(file), file)


def _is_typed(name: str) -> bool:
    """Say whether a value was given with the call: one of the environment or of a file is there for other calls."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def all_clauses(clause_files: tuple[str, ...], common: Common) -> tuple[Clause, ...]:
    """Return all clauses: ours, and those of a team's own files.

    Raises:
        EntryError: the last problem of these files; those before it are told on standard error.
    """
    if not clause_files:
        return load_clauses()
    own, problems = load_custom_clauses(clause_files, common.catalog())
    for problem in problems[:-1]:
        click.echo(f"tcop-mock: {problem}", err=True)
    for problem in problems[-1:]:
        raise problem
    return (*load_clauses(), *own)
