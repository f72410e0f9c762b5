"""Verbs about the contract of receivers."""

from __future__ import annotations

import click

from tcop_mock.cli.durations import duration, positive_duration
from tcop_mock.cli.flags import aiming, clause_files, common, insecure, observing
from tcop_mock.cli.verbs import completing
from tcop_mock.cli.verbs.calling import calling
from tcop_mock.domain.contract import Level
from tcop_mock.reports.formats import format_names

CHECK = click.Command(
    "check",
    callback=calling("check", "check"),
    help="Judge the receiver at TARGET, [http://][USER:PASSWORD@]HOST[:PORT][/PATH], by the contract; or an app in "
    "this process (ASGI, WSGI), module:app[/PATH]; or a parser of bodies: which shapes and states would it refuse, and "
    "why?\n\n"
    "@FILE reads TARGET from a file; without one it comes from TCOP_MOCK_TARGET. Both keep passwords out of the "
    "process list. Exit code 0: kept, 1: broken, 3: target unusable, or what counts could not be judged.",
    params=[
        click.Argument(["target"], required=False, metavar="[TARGET]"),
        *aiming(),
        clause_files(),
        click.Option(
            ["--clauses", "globs"],
            multiple=True,
            metavar="GLOB,...",
            shell_complete=completing.clauses,
            help="Only these: TCM3*, recover-*; repeatable.",
        ),
        click.Option(
            ["--skip"],
            multiple=True,
            metavar="GLOB,...",
            shell_complete=completing.clauses,
            help="Not these; repeatable.",
        ),
        click.Option(
            ["--fail-on"],
            type=click.Choice([Level.MUST.value, Level.SHOULD.value]),
            default=Level.MUST.value,
            show_default=True,
            help="The least level whose broken clauses fail the run.",
        ),
        click.Option(
            ["--auth-from-url/--no-auth-from-url", "judge_auth"],
            default=True,
            show_default=True,
            help="Whether userinfo in TARGET says which credentials the receiver wants, so that it is judged on them.",
        ),
        click.Option(
            ["--report", "reports"],
            multiple=True,
            metavar="KIND=PATH",
            help=f"Also write a report; repeatable. KIND: {', '.join(format_names())}. "
            "ndjson is written as the run goes; markdown is also appended to GITHUB_STEP_SUMMARY, and in GitHub "
            "Actions told as annotations.",
        ),
        click.Option(
            ["--baseline"],
            metavar="FILE",
            help="Known findings: they count as known, and what is new beside them still fails the run.",
        ),
        click.Option(
            ["--baseline-update"], is_flag=True, help="Add what is found to the baseline, from today on known."
        ),
        click.Option(["--baseline-prune"], is_flag=True, help="Take out of it what is not found any more."),
        click.Option(
            ["--wait", "wait_s"],
            type=duration,
            default="0s",
            metavar="TIME",
            help="Time that a starting receiver is given.",
        ),
        click.Option(
            ["--max-time", "max_time_s"],
            type=positive_duration,
            default="300s",
            show_default=True,
            metavar="TIME",
            help="Limit of the run.",
        ),
        *observing(),
        insecure(),
        click.Option(["--list", "only_list"], is_flag=True, help="List the clauses that would be run, and run none."),
        *common(),
    ],
)

EXPLAIN = click.Command(
    "explain",
    callback=calling("explain", "explain"),
    help="Explain the clause CODE (TCM302, or its slug): what it demands, by which source, and how to keep it.",
    params=[
        click.Argument(["code"], shell_complete=completing.clauses),
        click.Option(
            ["--framework"],
            type=click.Choice(["flask", "fastapi", "django", "express", "spring", "go"]),
            help="Samples of the fix for this one only.",
        ),
        clause_files(),
        *common(),
    ],
)

DEMO = click.Command(
    "demo",
    callback=calling("demo", "demo"),
    help="Send callbacks to a receiver with planted bugs, judge it, then judge the corrected one; all on "
    "loopback.\n\nExit code 0: the first was found broken and the second whole, as they are.",
    params=common(),
)
