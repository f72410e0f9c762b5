"""Commands about the contract: check, explain, demo."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.choices import FIX_FRAMEWORKS
from tcop_mock.cli.command import command, option
from tcop_mock.cli.effect_options import observer_options, run_options
from tcop_mock.cli.options import (
    CHECK,
    OUTPUT,
    RUN,
    TARGET,
    clause_files_option,
    common_options,
    listed,
    report_options,
    template_option,
)
from tcop_mock.cli.target_options import reach_options
from tcop_mock.cli.value_types import WholeNumber, duration, positive_duration, rate_limit_or_none
from tcop_mock.domain.contract import Level
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.effect_options import ObserverOptions, RunOptions
    from tcop_mock.cli.options import CommonOptions, ReachOptions, ReportOptions
    from tcop_mock.cli.value_types import RateLimit


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
@click.argument("target", required=False, metavar="[TARGET]")
@option(
    "--model",
    group=TARGET,
    metavar="MODULE:CALLABLE",
    help="Instead of TARGET: a pydantic model, a dataclass, or a callable that takes a parsed body and may raise.",
)
@option("--schema", group=TARGET, metavar="FILE", help="Instead of TARGET: the receiver's own JSON Schema.")
@option(
    "--auth-from-url/--no-auth-from-url",
    group=TARGET,
    default=True,
    help="Check that the receiver requires the credentials in TARGET.  [default: auth-from-url]",
)
@reach_options(TARGET)
@option(
    "--wait",
    "wait_s",
    group=TARGET,
    type=duration,
    default="0s",
    metavar="TIME",
    help="How long to wait for a receiver that is starting.",
)
@option(
    "--clauses",
    group=CHECK,
    multiple=True,
    metavar="GLOB,...",
    shell_complete=completers.clauses,
    help="Only these clauses: TCM3*, recover-*; repeatable.",
)
@option(
    "--skip",
    group=CHECK,
    multiple=True,
    metavar="GLOB,...",
    shell_complete=completers.clauses,
    help="All but these clauses; repeatable.",
)
@option(
    "--last-failed",
    group=CHECK,
    metavar="FILE",
    shell_complete=completers.files,
    help="Only the clauses that failed or had no result in this JSON report, with its seed; all if there are none.",
)
@clause_files_option(CHECK)
@template_option(CHECK, "Send notifications of your own template; needs --profile template.")
@option(
    "--fail-on",
    group=CHECK,
    type=click.Choice([Level.MUST.value, Level.SHOULD.value]),
    default=Level.MUST.value,
    show_default=True,
    help="Lowest level whose broken clauses fail the run.",
)
@option("--list", "only_list", group=CHECK, is_flag=True, help="List the selected clauses, and run none.")
@option("--dry-run", group=CHECK, is_flag=True, help="Print how many requests each clause sends, and send none.")
@run_options
@observer_options
@report_options
@option("--console", "has_page", group=OUTPUT, is_flag=True, help="Show the run on a local page, too.")
@option(
    "--pace",
    group=RUN,
    type=rate_limit_or_none,
    metavar="N/s",
    help="Maximum request rate: 10/s, 300/min, or none. Skips clauses that send many requests at once. A whole run "
    "sends about 700 requests.  [default: none]",
)
@option(
    "--jobs",
    group=RUN,
    type=WholeNumber(min=1),
    metavar="N",
    help="Maximum number of requests in flight. Skips clauses that send more at once.  [default: 4, and up to 32 where "
    "answers take long]",
)
@option(
    "--max-time",
    "max_time_s",
    group=RUN,
    type=positive_duration,
    metavar="TIME",
    help="Time limit of the run.  [default: 30s; 300s with effects, --pace or an app]",
)
@option(
    "--watch",
    group=RUN,
    multiple=True,
    metavar="GLOB",
    shell_complete=completers.files,
    help="Check again when one of these files changes, until Ctrl-C; a folder means all files in and below it. "
    "Repeatable.",
)
@common_options(seed=True, profile=True, catalog=True, verbose=True)
@click.pass_obj
def check_command(
    arguments: tuple[str, ...],
    target: str | None,
    *,
    model: str | None,
    schema: str | None,
    auth_from_url: bool,
    reach: ReachOptions,
    wait_s: float,
    clauses: tuple[str, ...],
    skip: tuple[str, ...],
    last_failed: str | None,
    clause_files: tuple[str, ...],
    template: str | None,
    fail_on: str,
    only_list: bool,
    dry_run: bool,
    running: RunOptions,
    observer: ObserverOptions,
    reporting: ReportOptions,
    has_page: bool,
    pace: RateLimit | None,
    jobs: int | None,
    max_time_s: float | None,
    watch: tuple[str, ...],
    common: CommonOptions,
) -> int:
    """Check a receiver against the contract.

    TARGET is a URL, [http://][USER:PASSWORD@]HOST[:PORT][/PATH], or an app in this process (ASGI, WSGI),
    MODULE:APP[/PATH]. With --run it may be /PATH or USER:PASSWORD@/PATH. @FILE reads it from a file; the default is
    TCOP_MOCK_TARGET. Both keep passwords out of the process list. --model and --schema check a parser: which shapes
    and states would it reject, and why? --console prints the address of a page to standard error; the command ends
    when no browser shows it any more. Exit code: 0 kept, 1 broken, 3 target unusable, or a clause that counts could not
    be checked.
    """
    from tcop_mock.cli.watch import WATCHED_VARIABLE, check_on_changes

    if watch and has_page:
        raise UsageError("--watch and --console: the page shows one run; leave one out")
    if watch and WATCHED_VARIABLE not in os.environ:
        return check_on_changes(watch, arguments, common)
    from tcop_mock.cli.clauses import list_clauses, resolve_clauses

    selected = resolve_clauses(clauses, skip, clause_files, common)
    if last_failed is not None:
        from tcop_mock.cli.clauses import keep_last_failed

        selected, seed = keep_last_failed(selected, last_failed, reporting.reports, common)
        common = replace(common, fixed_seed=seed if common.fixed_seed is None else common.fixed_seed)
    if only_list:
        list_clauses(selected, common)
        return 0
    from tcop_mock.cli.check import CheckOptions, check, list_requests

    options = CheckOptions(
        target=target,
        model=model,
        schema=schema,
        auth_from_url=auth_from_url,
        reach=reach,
        wait_s=wait_s,
        clause_files=clause_files,
        template=template,
        fail_on=fail_on,
        pace=pace,
        jobs=jobs,
        max_time_s=max_time_s,
        running=running,
        has_page=has_page,
    )
    if dry_run:
        list_requests(selected, options, observer, common)
        return 0
    return check(selected, options, observer, reporting, common)


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
