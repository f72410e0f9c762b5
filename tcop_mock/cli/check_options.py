"""Options of check: the receiver, the clauses, the reports and the limits of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.command import option
from tcop_mock.cli.effect_options import observer_options, run_options
from tcop_mock.cli.options import (
    CHECK,
    OUTPUT,
    RUN,
    TARGET,
    clause_files_option,
    report_options,
    template_option,
    with_options,
)
from tcop_mock.cli.target_options import reach_options
from tcop_mock.cli.value_types import WholeNumber, duration, positive_duration, rate_limit_or_none
from tcop_mock.domain.contract import Level

if TYPE_CHECKING:
    from tcop_mock.cli.command import Decorator, Function
    from tcop_mock.cli.effect_options import ObserverOptions, RunOptions
    from tcop_mock.cli.options import ReachOptions, ReportOptions
    from tcop_mock.cli.value_types import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOptions:
    """Which clauses to check."""

    clauses: tuple[str, ...]
    skip: tuple[str, ...]
    last_failed: str | None
    clause_files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of check."""

    target: str | None
    model: str | None
    schema: str | None
    auth_from_url: bool
    reach: ReachOptions
    wait_s: float
    selection: SelectionOptions
    template: str | None
    fail_on: str
    only_list: bool
    dry_run: bool
    running: RunOptions
    observer: ObserverOptions
    reporting: ReportOptions
    has_page: bool
    """Whether a page shows the run."""
    pace: RateLimit | None
    jobs: int | None
    max_time_s: float | None
    watch: tuple[str, ...]


def check_options(function: Function) -> Function:
    """Add all options of check; pass ``options``."""
    return with_options(
        CheckOptions,
        "options",
        [
            *_receiver_options(),
            with_options(SelectionOptions, "selection", _selection_options()),
            *_mode_options(),
            run_options,
            observer_options,
            report_options,
            *_run_options(),
        ],
    )(function)


def _receiver_options() -> list[Decorator]:
    return [
        click.argument("target", required=False, metavar="[TARGET]"),
        option(
            "--model",
            group=TARGET,
            metavar="MODULE:CALLABLE",
            help="Instead of TARGET: a pydantic model, a dataclass, or a callable that takes a parsed body and "
            "may raise.",
        ),
        option("--schema", group=TARGET, metavar="FILE", help="Instead of TARGET: the receiver's own JSON Schema."),
        option(
            "--auth-from-url/--no-auth-from-url",
            group=TARGET,
            default=True,
            help="Check that the receiver requires the credentials in TARGET.  [default: auth-from-url]",
        ),
        reach_options(TARGET),
        option(
            "--wait",
            "wait_s",
            group=TARGET,
            type=duration,
            default="0s",
            metavar="TIME",
            help="How long to wait for a receiver that is starting.",
        ),
    ]


def _selection_options() -> list[Decorator]:
    return [
        option(
            "--clauses",
            group=CHECK,
            multiple=True,
            metavar="GLOB,...",
            shell_complete=completers.clauses,
            help="Only these clauses: TCM3*, recover-*; repeatable.",
        ),
        option(
            "--skip",
            group=CHECK,
            multiple=True,
            metavar="GLOB,...",
            shell_complete=completers.clauses,
            help="All but these clauses; repeatable.",
        ),
        option(
            "--last-failed",
            group=CHECK,
            metavar="FILE",
            shell_complete=completers.files,
            help="Only the clauses that failed or were inconclusive in this JSON report, with its seed; all if "
            "there are none.",
        ),
        clause_files_option(CHECK),
    ]


def _mode_options() -> list[Decorator]:
    return [
        template_option(CHECK, "Send notifications of your own template; needs --profile template."),
        option(
            "--fail-on",
            group=CHECK,
            type=click.Choice([Level.MUST.value, Level.SHOULD.value]),
            default=Level.MUST.value,
            show_default=True,
            help="Lowest level whose broken clauses fail the run.",
        ),
        option("--list", "only_list", group=CHECK, is_flag=True, help="List the selected clauses, and run none."),
        option(
            "--dry-run", group=CHECK, is_flag=True, help="Print how many requests each clause sends, and send none."
        ),
    ]


def _run_options() -> list[Decorator]:
    return [
        option("--console", "has_page", group=OUTPUT, is_flag=True, help="Show the run on a local page, too."),
        option(
            "--pace",
            group=RUN,
            type=rate_limit_or_none,
            metavar="N/s",
            help="Maximum request rate: 10/s, 300/min, or none. Skips clauses that send many requests at once. A "
            "whole run sends about 700 requests.  [default: none]",
        ),
        option(
            "--jobs",
            group=RUN,
            type=WholeNumber(min=1),
            metavar="N",
            help="Maximum number of requests in flight. Skips clauses that send more at once.  [default: 4, and up to "
            "32 where answers take long]",
        ),
        option(
            "--max-time",
            "max_time_s",
            group=RUN,
            type=positive_duration,
            metavar="TIME",
            help="Time limit of the run.  [default: 30s; 300s with effects, --pace or an app]",
        ),
        option(
            "--watch",
            group=RUN,
            multiple=True,
            metavar="GLOB",
            shell_complete=completers.files,
            help="Check again when one of these files changes, until Ctrl-C; a folder means all files in and below it. "
            "Repeatable.",
        ),
    ]
