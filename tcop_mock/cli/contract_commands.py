"""Commands about the contract: check, explain, demo."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.check_options import check_options
from tcop_mock.cli.choices import FIX_FRAMEWORKS
from tcop_mock.cli.command import command, option
from tcop_mock.cli.options import (
    CHECK,
    OUTPUT,
    clause_files_option,
    common_options,
    listed,
)
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.check_options import CheckOptions
    from tcop_mock.cli.options import CommonOptions


@command(
    "check",
    examples="""
tcop-mock check http://localhost:8080/
tcop-mock check @url.txt --wait 30s --report junit=tcop.xml
tcop-mock check http://localhost:8080/ --clauses 'TCM3*,TCM5*'
tcop-mock check @url.txt --last-failed r.json --report json=r.json
tcop-mock check /alarms --run 'uvicorn app:app --port {port}'
tcop-mock check app:app --watch 'src/**/*.py'
tcop-mock check http://localhost:8080/ --downstream :9100
tcop-mock check receiver:app/tcop           # an ASGI or WSGI app
tcop-mock check --model receiver:Callback   # a parser, no HTTP
""",
)
@check_options
@common_options(seed=True, profile=True, catalog=True, verbose=True)
@click.pass_obj
def check_command(arguments: tuple[str, ...], *, options: CheckOptions, common: CommonOptions) -> int:
    """Check a receiver against the contract.

    TARGET is a URL, [http://][USER:PASSWORD@]HOST[:PORT][/PATH], or an app in this process (ASGI, WSGI),
    MODULE:APP[/PATH]. With --run it may be /PATH or USER:PASSWORD@/PATH. @FILE reads it from a file; the default is
    TCOP_MOCK_TARGET. Both keep passwords out of the process list. --model and --schema check a parser: which shapes
    and states would it reject, and why? --console prints the address of a page to standard error; the command ends
    when no browser shows it any more. Exit code: 0 kept, 1 broken, 3 target unusable, or a clause that counts could not
    be checked.
    """
    from tcop_mock.cli.watch import WATCHED_VARIABLE, check_on_changes

    if options.watch and options.has_page:
        raise UsageError("--watch and --console: the page shows one run; leave one out")
    if options.watch and WATCHED_VARIABLE not in os.environ:
        return check_on_changes(options.watch, arguments, common)
    from tcop_mock.cli.clauses import keep_last_failed, list_clauses, resolve_clauses

    selection = options.selection
    selected = resolve_clauses(selection.clauses, selection.skip, selection.clause_files, common)
    if selection.last_failed is not None:
        selected, seed = keep_last_failed(selected, selection.last_failed, options.reporting.reports, common)
        common = replace(common, fixed_seed=seed if common.fixed_seed is None else common.fixed_seed)
    if options.only_list:
        list_clauses(selected, common)
        return 0
    from tcop_mock.cli.check import check, list_requests

    if options.dry_run:
        list_requests(selected, options, common)
        return 0
    return check(selected, options, common)


@command(
    "explain",
    examples="""
tcop-mock explain TCM302
tcop-mock explain recover-time-zero --framework flask
""",
)
@click.argument("code", shell_complete=completers.clauses)
@option(
    "--framework",
    group=OUTPUT,
    type=click.Choice(FIX_FRAMEWORKS),
    metavar="NAME",
    help=f"Only the sample fix for {listed(FIX_FRAMEWORKS)}.",
)
@clause_files_option(CHECK)
@common_options(catalog=True)
def explain_command(code: str, *, framework: str | None, clause_files: tuple[str, ...], common: CommonOptions) -> None:
    """Explain a clause: requirement, source, and how to fix a receiver.

    CODE is a code, such as TCM302, or the name of a clause.
    """
    from tcop_mock.cli.clauses import explain

    explain(code, framework, clause_files, common)


@command("demo", examples="tcop-mock demo")
@common_options(seed=True, profile=True, catalog=True, verbose=True)
def demo_command(*, common: CommonOptions) -> int:
    """Check a built-in receiver with planted bugs, then the corrected one.

    Everything runs on loopback. Exit code: 0 the first receiver was found broken and the second correct.
    """
    from tcop_mock.cli.demo import demo

    return demo(common)
