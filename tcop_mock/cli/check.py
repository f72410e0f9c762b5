"""``tcop-mock check``: judge a receiver by the contract."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.cli.aiming import aimed, all_clauses, own_template, require_address
from tcop_mock.cli.github import commands_stopped
from tcop_mock.cli.observing import Asked, flags_of, listening, observing
from tcop_mock.cli.options import with_common
from tcop_mock.cli.reports import streaming, with_reporting, write_reports
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.contract.clauses import select_clauses
from tcop_mock.contract.reproduce import INSECURE, Flag
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.contract import Level
from tcop_mock.domain.target import Parser
from tcop_mock.domain.verdict import RunFinished
from tcop_mock.errors import UsageError
from tcop_mock.reports.console import console_for
from tcop_mock.reports.console_formatters import ConsoleFormatter
from tcop_mock.reports.json import check_document, write_json
from tcop_mock.reports.summary import OverallResult, overall_result
from tcop_mock.transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.cli.durations import RateLimit
    from tcop_mock.cli.observing import Ends
    from tcop_mock.cli.options import Common
    from tcop_mock.cli.reports import Baseline, Reporting
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import RunEvent, Verdict
    from tcop_mock.reports.console import EventListener
    from tcop_mock.reports.formats import ReportFile

EXIT_CODES = {OverallResult.KEPT: 0, OverallResult.BROKEN: 1, OverallResult.INCONCLUSIVE: 3}
_INTERRUPTED = 130


@with_common
@with_reporting
def check(  # noqa: PLR0913 - one parameter an option
    target: str | None,
    *,
    globs: tuple[str, ...],
    skip: tuple[str, ...],
    fail_on: str,
    insecure: bool,
    only_list: bool,
    reporting: Reporting,
    common: Common,
    **more: Any,  # noqa: ANN401 - the flags of cli/flags.py's observing() and aiming()
) -> int:
    """Judge the receiver at TARGET, [http://][USER:PASSWORD@]HOST[:PORT][/PATH], by the contract.

    @FILE reads TARGET from a file; without one it comes from TCOP_MOCK_TARGET. Both keep passwords out of the process
    list. Exit code 0: kept, 1: broken, 3: target unusable, or what counts could not be judged.
    """
    files_of_own = more.pop("clause_files")
    clauses = select_clauses(all_clauses(files_of_own, common), _split("--clauses", globs), _split("--skip", skip))
    if not clauses:
        raise UsageError("--skip leaves no clause to judge")
    if only_list:
        _list(clauses, common)
        return 0
    files, baseline = reporting.files(), reporting.baseline()
    aim = aimed(target, {parser: more.pop(parser) for parser in Parser})
    require_address(aim, files)
    template = own_template(more.pop("template"), common)
    ways = {name: more.pop(name) for name in ("judge_auth", "wait_s", "max_time_s")}
    pace = more.pop("pace")
    found, ends = observing(asked := Asked(**more))
    plan = CheckPlan(
        aim,
        common.catalog(),
        clauses,
        common.profile,
        common.seed,
        observation=found,
        catalog_folders=common.catalog_folders,
        clause_files=files_of_own,
        template=template,
        min_interval_s=pace.gap_s if pace else None,
        flags=(*_flags(ways, pace, insecure=insecure), *flags_of(asked)),
        **ways,
    )
    return _judge_and_report(plan, ends, _Told(files, baseline, Level(fail_on), common), insecure=insecure)


def _flags(ways: Mapping[str, Any], pace: RateLimit | None, *, insecure: bool) -> Iterator[Flag]:
    """Yield those by which the receiver is reached, where they are not the usual ones."""
    if insecure:
        yield INSECURE
    if not ways["judge_auth"]:
        yield Flag("--no-auth-from-url")
    if pace:
        yield Flag("--pace", str(pace))


class _Told(NamedTuple):
    """Who is told what of a run."""

    files: Sequence[ReportFile]
    baseline: Baseline | None
    level: Level
    common: Common


def _judge_and_report(plan: CheckPlan, ends: Ends | None, told: _Told, *, insecure: bool) -> int:
    cap, level, common = plan.profile.delivery.answer_cap_bytes, told.level, told.common
    if insecure:
        common.tell("warning: the receiver's certificate is not verified (--insecure)")
    comparison = told.baseline.comparison() if told.baseline else None
    with (
        open_transport(plan.target, cap, insecure=insecure) as post,
        telling(level, common) as tell,
        streaming(told.files, tell) as tell_all,
    ):
        run = ContractRun(plan, post, time.perf_counter, asyncio.sleep)
        verdict, code = judge(run, comparison.wrap_listener(tell_all) if comparison else tell_all, ends)
    if comparison:
        verdict = comparison.filter_verdict(verdict)
    if common.as_json:
        with reader_may_leave():
            write_json(check_document(verdict), sys.stdout)
    write_reports(told.files, verdict, level)
    if comparison and told.baseline and (told.baseline.update or told.baseline.prune):
        common.tell(told.baseline.keep(comparison, verdict, interrupted=code is not None))
    return EXIT_CODES[overall_result(verdict, level)] if code is None else code


@contextmanager
def telling(level: Level, common: Common) -> Iterator[EventListener]:
    """Give the listener that suits the flags: none for JSON, only the end for ``--quiet``."""
    if common.as_json:
        yield lambda _event: None
        return
    with commands_stopped(), console_for(sys.stdout, ConsoleFormatter(fail_on=level), os.environ) as listen:

        def tell(event: RunEvent) -> None:
            if isinstance(event, RunFinished) or not common.quiet:
                with reader_may_leave():
                    listen(event)

        yield tell


def judge(run: ContractRun, tell: EventListener, ends: Ends | None = None) -> tuple[Verdict, int | None]:
    """Play a run to its end or to an interrupt; return the verdict, and 130 where it was interrupted."""

    async def play() -> None:
        async with listening(run.plan.observation, ends):
            async for event in run.events():
                tell(event)

    try:
        asyncio.run(play())
    except KeyboardInterrupt:
        verdict = run.verdict("interrupted")
        tell(RunFinished(verdict))
        return verdict, _INTERRUPTED
    return run.verdict("not run"), None


def _list(clauses: Sequence[Clause], common: Common) -> None:
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
        raise UsageError(f"{flag} names no clause; write TCM302, TCM3* or recover-*, several with commas")
    return split
