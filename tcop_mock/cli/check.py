"""The work of check: build the plan, run it, and report."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.callbacks.validator import TEMPLATE_PROFILE
from tcop_mock.cli.arguments import (
    is_from_command_line,
    parse_header,
    read_text,
    resolve_target,
    target_text,
    warn_of_other_machine,
)
from tcop_mock.cli.check_reports import (
    Baseline,
    read_baseline_options,
    report_files,
    streaming_reports,
    workflow_commands_disabled,
    write_reports,
)
from tcop_mock.cli.connections import connection_flags, read_connection
from tcop_mock.cli.observation import (
    StartedReceiver,
    app_calls,
    build_observation,
    effects_hint,
    observation_notes,
    print_calls,
    receiver_to_run,
    reproduction_flags,
    run_flags,
)
from tcop_mock.cli.signals import INTERRUPTED
from tcop_mock.cli.stdout import ignore_broken_pipe
from tcop_mock.cli.value_types import NO_LIMIT
from tcop_mock.contract.check import planned_requests, run_check
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.reproduce import Flag
from tcop_mock.domain.contract import Level
from tcop_mock.domain.target import Parser, Target, mask_query_secrets
from tcop_mock.domain.verdict import ClauseStatus, RunFinished
from tcop_mock.errors import UsageError
from tcop_mock.reports.console import console_for
from tcop_mock.reports.console_formatters import ConsoleFormatter, ScreenFormatter
from tcop_mock.reports.formats import FORMATS
from tcop_mock.reports.json import check_document, write_json
from tcop_mock.reports.summary import OverallResult, overall_result
from tcop_mock.transport.open import open_transport, runner_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.check_options import CheckOptions
    from tcop_mock.cli.effect_options import ObserverOptions
    from tcop_mock.cli.options import CommonOptions, ReachOptions
    from tcop_mock.cli.run_page import RunPage
    from tcop_mock.cli.value_types import RateLimit
    from tcop_mock.contract.observation import ObservationConfig
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import RunEvent, Verdict
    from tcop_mock.reports.console import EventListener
    from tcop_mock.reports.formats import ReportFile
    from tcop_mock.server.app_calls import AppCalls

_NO_TLS = "calls with TLS are not caught: install tcop-mock[run]; calls without TLS are"
EXIT_CODES = {OverallResult.KEPT: 0, OverallResult.BROKEN: 1, OverallResult.INCONCLUSIVE: 3}


class _Outputs(NamedTuple):
    """Report files, baseline and failing level of a check, and the page that shows it."""

    files: Sequence[ReportFile]
    baseline: Baseline | None
    level: Level
    page: RunPage | None = None


class _CheckedReceiver(NamedTuple):
    """The target of a check, with its process or its caught calls."""

    target: Target
    started: StartedReceiver | None
    """The receiver of ``--run``."""
    calls: AppCalls | None
    """The caught calls of an app in this process."""

    @classmethod
    def resolve(cls, options: CheckOptions) -> _CheckedReceiver:
        """Return the receiver of the options, which is not started yet.

        Raises:
            UsageError: there is no receiver, or the options contradict each other.
        """
        started = _receiver_to_run(options)
        target = started.target if started else _resolve_target(options)
        is_app = target.app and not target.parser
        return cls(target, started, app_calls(options.running, options.observer.url) if is_app else None)

    def observation(self, options: ObserverOptions) -> ObservationConfig:
        """Return how the check observes the effects."""
        if self.started:
            process = self.started.managed.process
            return self.started.managed.configure(build_observation(options, process.output))
        observation = build_observation(options)
        return observation.with_app_calls(self.calls) if self.calls else observation

    def check(self, plan: CheckPlan, outputs: _Outputs, common: CommonOptions, reach: ReachOptions) -> int:
        """Run the check, with the receiver started or its calls caught; return the exit code."""
        if self.started:
            return _run_and_check(self.started, plan, outputs, common, reach)
        if self.calls:
            return _catch_and_check(self.calls, plan, outputs, common, reach)
        return _check_and_report(plan, outputs, common, reach)


def check(clauses: Sequence[Clause], options: CheckOptions, common: CommonOptions) -> int:
    """Check a receiver or a parser; return the exit code."""
    reporting = options.reporting
    outputs = _Outputs(report_files(reporting), read_baseline_options(reporting), Level(options.fail_on))
    receiver = _CheckedReceiver.resolve(options)
    _require_http_target(receiver.target, outputs.files)
    plan = _build_plan(clauses, receiver, options, common)
    if not options.has_page:
        return receiver.check(plan, outputs, common, options.reach)
    from tcop_mock.cli.run_page import run_page  # noqa: PLC0415 - most checks have no page

    with run_page(receiver.target, common, reach=options.reach, view="contract") as page:
        page.follow_check()
        code = receiver.check(plan, outputs._replace(page=page), common, options.reach)
        page.wait(code, common)
    return code


def _build_plan(
    clauses: Sequence[Clause], receiver: _CheckedReceiver, options: CheckOptions, common: CommonOptions
) -> CheckPlan:
    pace = None if options.pace in {None, NO_LIMIT} else options.pace
    is_run = receiver.started or receiver.calls
    return CheckPlan(
        receiver.target,
        common.catalog(),
        tuple(clauses),
        common.profile,
        common.seed,
        check_auth=options.auth_from_url,
        wait_s=options.wait_s,
        max_time_s=options.max_time_s,
        jobs=options.jobs,
        min_interval_s=pace.gap_s if pace else None,
        template=_load_template(options.template, common),
        observation=receiver.observation(options.observer),
        catalog_folders=common.catalog_folders,
        clause_files=options.selection.clause_files,
        fail_on=Level(options.fail_on),
        flags=(
            *_reach_flags(options, pace),
            *(run_flags(options.running) if is_run else ()),
            *reproduction_flags(options.observer),
        ),
    )


def _catch_and_check(
    calls: AppCalls, plan: CheckPlan, outputs: _Outputs, common: CommonOptions, reach: ReachOptions
) -> int:
    """Check an app in this process whose calls are caught, also those of its import."""
    if not calls.catches_tls:
        common.info(_NO_TLS)
    with calls:
        try:
            return _check_and_report(plan, outputs, common, reach)
        finally:
            print_calls(calls.log.hints(), common)


def _run_and_check(
    receiver: StartedReceiver, plan: CheckPlan, outputs: _Outputs, common: CommonOptions, reach: ReachOptions
) -> int:
    """Check a receiver that the check starts; it is ended whatever happens."""
    if receiver.managed.hosts is not None and not receiver.managed.catches_tls:
        common.info(_NO_TLS)
    code = INTERRUPTED
    try:
        code = _check_and_report(plan, outputs, common, reach)
    finally:
        receiver.managed.process.stop()
        receiver.print_end(common, is_kept=code == EXIT_CODES[OverallResult.KEPT])
    return code


def _receiver_to_run(options: CheckOptions) -> StartedReceiver | None:
    """Return the receiver of ``--run``, or ``None`` without one.

    Another target on the command line overrides a command of the settings or the environment.

    Raises:
        UsageError: there are two targets, or the command or the target is invalid.
    """
    running = options.running
    if running.run is None:
        _require_own_receiver(options)
        return None
    parser = "--model" if options.model else "--schema" if options.schema else ""
    has_other_target = is_from_command_line("target") and not str(options.target).startswith("/")
    if is_from_command_line("run"):
        if parser:
            raise UsageError(f"--run and {parser}: a parser is not started; leave one out")
    elif parser or has_other_target:
        return None
    text = target_text(options.target)
    if not is_from_command_line("target"):
        text = _without_app(text)
    return receiver_to_run(running, text, wait_s=options.wait_s)


def _require_own_receiver(options: CheckOptions) -> None:
    """Reject options about the calls of a receiver that is neither started nor in this process.

    Raises:
        UsageError: there are some.
    """
    for name, flag in (("catch", "--no-catch"), ("catch_hosts", "--catch-host")):
        if is_from_command_line(name) and not (
            _resolve_target(options).app and not options.model and not options.schema
        ):
            raise UsageError(
                f"{flag} is about the calls of a receiver that --run starts, or of an app; give --run CMD, too"
            )


def _without_app(text: str) -> str:
    """Return a target of the settings without its app: it names the same receiver, whose command they have, too."""
    with suppress(UsageError):  # a path alone is not a target
        target = Target.parse(text)
        if target.app:
            return text.replace(target.app, "", 1)
    return text


def list_requests(plan_clauses: Sequence[Clause], options: CheckOptions, common: CommonOptions) -> None:
    """Print how many requests each selected clause sends, and send none."""
    target = _resolve_target(options)
    plan = CheckPlan(
        target,
        common.catalog(),
        tuple(plan_clauses),
        common.profile,
        common.seed,
        check_auth=options.auth_from_url,
        observation=build_observation(options.observer),
        template=_load_template(options.template, common),
    )
    counts = planned_requests(plan)
    total = sum(counts.values())
    if common.as_json:
        rows = [{"code": code, "requests": count} for code, count in counts.items()]
        write_json({"version": 1, "clauses": rows, "requests": total}, sys.stdout)
        return
    for clause in plan_clauses:
        click.echo(f"{clause.id:<34} {counts[clause.code] or 'not run'}")
    click.echo(f"{total} requests, and a few plain callbacks between them; what fails is sent again")


def _resolve_target(options: CheckOptions) -> Target:
    """Return the receiver, or the parser of ``--model`` or ``--schema``.

    Raises:
        UsageError: there is no target, or several.
    """
    names = {Parser.MODEL: options.model, Parser.SCHEMA: options.schema}
    parsers = {parser: name for parser, name in names.items() if name is not None}
    has_target = options.target is not None and is_from_command_line("target")
    given = ["TARGET"] * has_target + [f"--{parser}" for parser in parsers]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one target at a time; leave out the others")
    for parser, name in parsers.items():
        return Target.for_parser(parser, name)
    return resolve_target(options.target, flag="TARGET")


def _require_http_target(target: Target, files: Sequence[ReportFile]) -> None:
    """Reject reports about requests for a parser, which receives no requests.

    Raises:
        UsageError: there is such a report.
    """
    for file in files:
        if target.parser and FORMATS[file.format_name].needs_requests:
            raise UsageError(
                f"--report {file.format_name}: a {target.parser} gets no requests; take json, text or html"
            )


def _load_template(file: str | None, common: CommonOptions) -> NotificationTemplate | None:
    """Return the notification template, if there is one.

    Raises:
        UsageError: it cannot be read, is invalid, or does not go with the profile.
    """
    if file is None:
        return None
    if common.profile.name != TEMPLATE_PROFILE:
        raise UsageError(f"--template sends your own notifications: it needs --profile {TEMPLATE_PROFILE}")
    return NotificationTemplate(read_text(file), file)


def _reach_flags(options: CheckOptions, pace: RateLimit | None) -> Iterator[Flag]:
    """Yield the connection flags of a reproduction command."""
    yield from connection_flags(options.reach)
    if not options.auth_from_url:
        yield Flag("--no-auth-from-url")
    if pace:
        yield Flag("--pace", str(pace))
    if options.jobs:
        yield Flag("--jobs", str(options.jobs))


def _check_and_report(plan: CheckPlan, outputs: _Outputs, common: CommonOptions, reach: ReachOptions) -> int:
    cap, level, baseline = plan.profile.delivery.answer_cap_bytes, outputs.level, outputs.baseline
    warn_of_other_machine(plan.target, common)
    connection, headers = read_connection(reach), tuple(parse_header("--header", text) for text in reach.headers)
    if reach.insecure:
        common.info("warning: the receiver's certificate is not verified (--insecure)")
    comparison = baseline.comparison() if baseline else None
    with (
        open_transport(plan.target, cap, insecure=reach.insecure, connection=connection, headers=headers) as transport,
        progress_listener(level, common) as progress,
        streaming_reports(outputs.files, outputs.page.beside_check(progress) if outputs.page else progress) as listen,
    ):
        listener = comparison.wrap_listener(listen) if comparison else listen
        run = run_check(plan, transport, listener, run_coroutine=runner_for(plan.target))
    verdict = comparison.filter_verdict(run.verdict) if comparison else run.verdict
    if common.as_json:
        with ignore_broken_pipe():
            write_json(check_document(verdict), sys.stdout)
    write_reports(outputs.files, verdict, level)
    for line in (*observation_notes(plan.observation), *_effects_hint(plan, verdict, level, common)):
        common.info(line)
    if comparison and baseline and (baseline.update or baseline.prune):
        common.info(baseline.save(comparison, verdict, interrupted=run.interrupted))
    return INTERRUPTED if run.interrupted else EXIT_CODES[overall_result(verdict, level)]


def _effects_hint(plan: CheckPlan, verdict: Verdict, level: Level, common: CommonOptions) -> Iterator[str]:
    """Yield the line with advice on observing effects, if the check has observed none.

    A screen that shows findings, or a contract that is not kept, ends with another command.
    """
    is_clean = overall_result(verdict, level) is OverallResult.KEPT and not verdict.count(ClauseStatus.FAIL)
    is_screen = not common.as_json and not common.verbose
    if (is_clean or not is_screen) and plan.target.parser is None and not plan.target.app:
        hint = effects_hint(verdict, mask_query_secrets(plan.target.path), Path.cwd())
        if hint:
            yield hint


@contextmanager
def progress_listener(level: Level, common: CommonOptions, *, shows_commands: bool = True) -> Iterator[EventListener]:
    """Return the console listener: none with ``--json``, only the end with ``--quiet``, all with ``--verbose``.

    Args:
        level: level down to which clauses decide the result.
        common: the flags that choose the listener.
        shows_commands: whether the receiver still runs, for the commands that check it again.
    """
    if common.as_json:
        yield lambda _event: None
        return
    formatter = (
        ConsoleFormatter(fail_on=level)
        if common.verbose
        else ScreenFormatter(fail_on=level, shows_commands=shows_commands)
    )
    with workflow_commands_disabled(), console_for(sys.stdout, formatter, os.environ) as listen:

        def print_event(event: RunEvent) -> None:
            if isinstance(event, RunFinished) or not common.quiet:
                with ignore_broken_pipe():
                    listen(event)

        yield print_event
