"""The command that sends many callbacks: load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli.choices import EVENT_LOOPS, OBJECTIVES, SCENARIOS
from tcop_mock.cli.command import command, option
from tcop_mock.cli.options import (
    BODIES,
    OUTPUT,
    TARGET,
    LoadOptions,
    ScenarioOptions,
    common_options,
    form_option,
    lang_option,
    listed,
    with_options,
)
from tcop_mock.cli.target_options import reach_options, timeout_option
from tcop_mock.cli.value_types import Number, WholeNumber, duration, positive_duration
from tcop_mock.domain.callback import Form
from tcop_mock.reports.formats import format_names

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions

_OPEN, _CLOSED, _LIMITS, _SCENARIO, _ENGINE = "Rate (open load)", "Closed load", "Limits", "Scenario", "Engine"

_load_options = with_options(
    LoadOptions,
    "load",
    [
        option(
            "--allow-host",
            group=TARGET,
            multiple=True,
            metavar="HOST",
            help="Allow a target on another machine, by its name; repeatable.",
        ),
        reach_options(TARGET),
        timeout_option(TARGET, "Total deadline of one POST.  [default: from the profile]"),
        option(
            "--rate",
            group=_OPEN,
            metavar="RATE",
            help="Callbacks per second, or with a unit: 200/s, 12000/m.  [default: 50/s]",
        ),
        option(
            "--arrivals",
            group=_OPEN,
            type=click.Choice(["constant", "poisson"]),
            default="constant",
            show_default=True,
            help="Evenly spaced, or random as from independent senders.",
        ),
        option("--ramp", group=_OPEN, type=positive_duration, metavar="TIME", help="Ramp from 0 to --rate first."),
        option(
            "--stages",
            group=_OPEN,
            metavar="TIME:RATE,...",
            help="Ramp linearly to each rate over its duration, starting at --rate or 0: 10s:500,1m:500,5s:0.",
        ),
        option(
            "--concurrency",
            group=_CLOSED,
            type=WholeNumber(min=1),
            metavar="N",
            help="Keep N requests under way, instead of a rate.",
        ),
        option(
            "--duration",
            group=_LIMITS,
            type=positive_duration,
            metavar="TIME",
            help="Length of the load.  [default: 10s]",
        ),
        option("--count", group=_LIMITS, type=WholeNumber(min=1), metavar="N", help="Maximum number of callbacks."),
        option(
            "--warm-up",
            group=_LIMITS,
            type=duration,
            default="0s",
            metavar="TIME",
            help="Initial period excluded from the statistics.",
        ),
        option(
            "--max-inflight",
            group=_LIMITS,
            type=WholeNumber(min=1),
            metavar="N",
            help="Maximum number of requests under way. Callbacks beyond it start late; those of a rate are dropped "
            "when they have waited longer than the deadline.  [default: 1000; for --scenario, as many as it can need]",
        ),
        option(
            "--max-rate",
            group=_LIMITS,
            default="5000/s",
            show_default=True,
            metavar="RATE",
            help="Ceiling for --rate, --stages and --scenario.",
        ),
        option(
            "--max-count",
            group=_LIMITS,
            type=WholeNumber(min=1),
            default=1_000_000,
            show_default=True,
            metavar="N",
            help="Ceiling for the number of callbacks.",
        ),
    ],
)
_scenario_options = with_options(
    ScenarioOptions,
    "scenario",
    [
        option(
            "--scenario",
            group=_SCENARIO,
            metavar="NAME|FILE",
            help=f"Alarm storm with retries, instead of a rate: {listed(SCENARIOS)}, or your own file.",
        ),
        option(
            "--time-scale",
            group=_SCENARIO,
            type=Number(min=0, max=1e6),
            metavar="FACTOR",
            help="Multiply all waits of a scenario by this factor, but no deadlines. Idle periods are skipped.  "
            "[default: 1]",
        ),
        option(
            "--slo",
            group=OUTPUT,
            multiple=True,
            metavar="BOUND,...",
            help="Objectives, such as p99<500ms,errors<0.1%,lost=0; repeatable. Of "
            f"{listed(OBJECTIVES)}, or any other percentile.",
        ),
        option(
            "--report",
            "reports",
            group=OUTPUT,
            multiple=True,
            metavar="KIND=PATH",
            help=f"Also write a report: {listed(format_names(for_load=True))}; repeatable. csv has a row per second, "
            "junit a case per objective.",
        ),
        option(
            "--ledger",
            group=OUTPUT,
            metavar="FILE",
            help="Write a JSON line per notification and its outcome, for reconcile.",
        ),
    ],
)


@command(
    "load",
    examples="""
tcop-mock load http://localhost:8080/ --rate 200/s --duration 30s
tcop-mock load http://localhost:8080/ --concurrency 50 --count 900
tcop-mock load http://localhost:8080/ --scenario zone-outage \\
    --slo 'p99<500ms,lost=0' --report html=load.html
tcop-mock load http://hooks.example/ --allow-host hooks.example \\
    --stages 10s:500,1m:500,5s:0
""",
)
@click.argument("target", required=False, envvar="TCOP_MOCK_TARGET", metavar="[TARGET]")
@_load_options
@_scenario_options
@option(
    "--mix",
    "mixes",
    group=BODIES,
    multiple=True,
    metavar="GLOB[=WEIGHT],...",
    help="Shapes and their weights: cvm/*=3,cdb/*=1; repeatable.  [default: all shapes equally]",
)
@lang_option(BODIES)
@form_option(BODIES, [Form.DOCUMENTED, Form.OBSERVED], "Body form: as documented, or as observed.")
@option(
    "--workers",
    group=_ENGINE,
    type=WholeNumber(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of processes.",
)
@option(
    "--engine",
    group=_ENGINE,
    type=click.Choice(["builtin", "locust"]),
    default="builtin",
    show_default=True,
    help="Built-in engine, or Locust with --workers processes (install the extra locust).",
)
@option(
    "--loop",
    group=_ENGINE,
    type=click.Choice(EVENT_LOOPS),
    default=EVENT_LOOPS[0],
    show_default=True,
    help="Event loop; uvloop must be installed.",
)
@option("--console", "has_page", group=OUTPUT, is_flag=True, help="Show the load on a local page, too.")
@common_options(seed=True, profile=True, catalog=True)
def load_command(
    target: str | None,
    *,
    load: LoadOptions,
    scenario: ScenarioOptions,
    lang: str,
    form: str,
    engine: str,
    loop: str,
    has_page: bool,
    common: CommonOptions,
) -> int:
    """Send many callbacks: a constant rate, stages, or an alarm storm.

    Each callback belongs to a different alarm. The report shows how the receiver coped.

    An open load (--rate) starts callbacks on a schedule, whatever the receiver does. Latency counts from the intended
    send time, so stalls are not hidden (no coordinated omission). A closed load (--concurrency) waits for a response
    before it sends the next callback: it measures throughput, and hides stalls.

    --console prints the address of a page to standard error; the command ends when no browser shows it any more. @FILE
    reads TARGET from a file; the default is TCOP_MOCK_TARGET. Exit code: 0 the load ran, 1 an objective was
    broken or no request was acknowledged, 3 target unusable, 130 interrupted (143 by SIGTERM, 129 by SIGHUP), with a
    partial report.
    """
    from tcop_mock.cli.load import run_load_command

    return run_load_command(
        target,
        load=load,
        scenario=scenario,
        lang=lang,
        form=form,
        engine=engine,
        loop=loop,
        has_page=has_page,
        common=common,
    )
