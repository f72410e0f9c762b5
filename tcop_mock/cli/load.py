"""The work of load: preflight, run, and report."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.cli.arguments import resolve_target
from tcop_mock.cli.load_locust import build_locust_run, require_locust, run_locust
from tcop_mock.cli.load_plan import build_plan, build_storm_plan, load_storm, preflight, prepare_script, time_scale
from tcop_mock.cli.signals import INTERRUPTED
from tcop_mock.cli.stdout import ignore_broken_pipe
from tcop_mock.domain.callback import Form
from tcop_mock.domain.load import LoadModel, ObjectiveStatus
from tcop_mock.domain.load_summary import LoadFinished, LoadResult
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import Ledger
from tcop_mock.load.run import LoadRun
from tcop_mock.load.schedule import weighted_shapes
from tcop_mock.load.slo import evaluate, parse_objectives
from tcop_mock.load.timer import loop_factory, require_descriptors
from tcop_mock.reports.console import console_for
from tcop_mock.reports.console_formatters import LoadConsoleFormatter
from tcop_mock.reports.files import write_report
from tcop_mock.reports.formats import JUNIT_FORMAT, ReportFile, parse_report_file, render_load
from tcop_mock.reports.json import write_json
from tcop_mock.reports.load_json import load_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.cli.options import CommonOptions, LoadOptions, ReachOptions, ScenarioOptions
    from tcop_mock.cli.run_page import RunPage
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.load_summary import LoadEvent, LoadSummary

_BROKEN, _INCONCLUSIVE = 1, 3


def run_load_command(  # noqa: PLR0913 - one parameter an option
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
    """Run a load; return the exit code."""
    if engine == "locust":
        if has_page:
            raise UsageError("--console shows a load of the built-in engine only; leave --engine out")
        require_locust()
    make_loop = loop_factory(loop)
    address, files = resolve_target(target, flag="TARGET"), _report_files(scenario)
    catalog = common.catalog()
    generator = Generator(common.seed, Lang(lang), form=Form(form), wire_format=common.profile.wire_format)
    storm, scale = load_storm(scenario, catalog, generator), time_scale(scenario)
    plan = build_storm_plan(storm, scale, load, address, common) if storm else build_plan(load, address, common)
    objectives = parse_objectives(scenario.slo, plan.model)
    if engine == "locust":
        return run_locust(build_locust_run(plan, storm, scenario, load, common))
    require_descriptors(plan.concurrency if plan.model is LoadModel.CLOSED else plan.max_inflight)
    if plan.insecure:
        common.info("warning: the receiver's certificate is not verified (--insecure)")
    script = prepare_script(storm, scale, plan.count) if storm else None
    shape, _ = weighted_shapes(catalog, plan.mix)[0]
    ledger = _ledger(scenario, plan)
    records_deliveries = scenario.ledger is not None or scenario.scenario is not None
    run = LoadRun(
        plan,
        catalog,
        generator,
        catalog_folders=common.catalog_folders,
        loop=loop,
        schedule=script,
        on_delivery=ledger if records_deliveries else None,
        probes=1,
    )

    def run_and_report(page: RunPage | None) -> int:
        ledger(preflight(plan, BodyRenderer(generator, shape).body(0)))
        started = datetime.now(UTC)
        with _progress_listener(common) as listen:
            summary = run_load(run, page.beside_load(listen) if page else listen, make_loop)
        result = LoadResult(summary, evaluate(objectives, summary), ledger.attempts, started)
        if page:
            page.finish_load(result)
        return _finish(result, files, common)

    try:
        return _with_page(run_and_report, plan, load.reach, common) if has_page else run_and_report(None)
    finally:
        ledger.close()


def _with_page(run: Callable[[RunPage], int], plan: LoadPlan, reach: ReachOptions, common: CommonOptions) -> int:
    """Run a load, and show it on a page; return the exit code."""
    from tcop_mock.cli.run_page import run_page  # noqa: PLC0415 - most loads have no page

    with run_page(plan.target, common, reach=reach, view="storm") as page:
        page.follow_load()
        code = run(page)
        page.wait(code, common)
    return code


def _ledger(scenario: ScenarioOptions, plan: LoadPlan) -> Ledger:
    """Return what records the fate of each notification.

    Raises:
        UsageError: the file cannot be written, or several processes would have to write it.
    """
    if scenario.ledger and plan.workers > 1:
        raise UsageError("--ledger is written by one process: leave --workers out")
    return Ledger(scenario.ledger)


def _finish(result: LoadResult, files: list[ReportFile], common: CommonOptions) -> int:
    """Print and write the result; return the exit code.

    Raises:
        UsageError: a report cannot be written.
    """
    with ignore_broken_pipe():
        if common.as_json:
            write_json(load_document(result), sys.stdout)
        else:
            for one in result.objectives:
                click.echo(f"objective {one.summary}")
    for file in files:
        write_report(file.path, render_load(file.format_name, result))
    if result.summary.interrupted:
        return INTERRUPTED
    statuses = {one.status for one in result.objectives}
    if not result.summary.acked or ObjectiveStatus.BROKEN in statuses:
        return _BROKEN
    return _INCONCLUSIVE if ObjectiveStatus.INCONCLUSIVE in statuses else 0


def run_load(
    run: LoadRun, listen: Callable[[LoadEvent], None], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> LoadSummary:
    """Run a load to its end or to an interrupt, and return its summary."""

    async def run_events() -> None:
        async for event in run.events():
            listen(event)

    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(run_events())
    except KeyboardInterrupt:
        summary = run.summary(interrupted=True)
        listen(LoadFinished(summary))
        return summary
    return run.summary()


@contextmanager
def _progress_listener(common: CommonOptions) -> Iterator[Callable[[LoadEvent], None]]:
    """Return the console listener: none with ``--json``, only the end with ``--quiet``."""
    if common.as_json:
        yield lambda _event: None
        return
    with console_for(sys.stdout, LoadConsoleFormatter(), os.environ) as listen:

        def print_event(event: LoadEvent) -> None:
            if isinstance(event, LoadFinished) or not common.quiet:
                with ignore_broken_pipe():
                    listen(event)

        yield print_event


def _report_files(scenario: ScenarioOptions) -> list[ReportFile]:
    """Return the report files.

    Raises:
        UsageError: an unknown kind, a file that cannot be written, or JUnit without objectives.
    """
    files = [parse_report_file(text, "--report", for_load=True) for text in scenario.reports]
    if not scenario.slo and any(file.format_name == JUNIT_FORMAT for file in files):
        raise UsageError("--report junit has a case per objective: give some with --slo")
    return files
