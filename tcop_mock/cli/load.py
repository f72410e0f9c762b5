"""``tcop-mock load``: many callbacks, and what became of them."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.cli.loading import Asked
from tcop_mock.cli.locusting import packed, require_locust, unleash
from tcop_mock.cli.options import target_of, with_common
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.cli.storming import Storming, write_reports
from tcop_mock.contract.preflight import raise_if_unusable
from tcop_mock.domain.alarm import Form
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel, ScheduledCallback
from tcop_mock.domain.load_summary import LoadFinished, LoadResult
from tcop_mock.domain.shape import Lang
from tcop_mock.load.run import LoadRun
from tcop_mock.load.schedule import weighted_shapes
from tcop_mock.load.slo import evaluate
from tcop_mock.load.timer import loop_factory, require_descriptors
from tcop_mock.reports.console import console_for
from tcop_mock.reports.console_formatters import LoadConsoleFormatter
from tcop_mock.reports.json import write_json
from tcop_mock.reports.load_json import load_document
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.cli.options import Common
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.load_summary import LoadEvent, LoadSummary
    from tcop_mock.reports.formats import ReportFile

_NOT_KEPT, _INTERRUPTED = 1, 130


@with_common
def load(  # noqa: PLR0913 - click hands them in one by one
    target: str | None,
    *,
    lang: str,
    form: str,
    loop: str,
    engine: str,
    common: Common,
    **given: Any,  # noqa: ANN401 - click's values
) -> int:
    """Send many callbacks to TARGET, and tell how it bore them.

    Exit code 0: carried out, 1: an objective was not kept, or nothing was acked, 3: target unusable, 130: interrupted.
    """
    if engine == "locust":
        require_locust()
    make_loop = loop_factory(loop)
    storming = Storming(**{field.name: given.pop(field.name) for field in fields(Storming)})
    asked, aim = Asked(**given), target_of(target, flag="TARGET")
    files = storming.files()
    catalog = common.catalog()
    generator = Generator(common.seed, Lang(lang), form=Form(form), wire_format=common.profile.wire_format)
    storm = storming.storm(catalog, generator)
    plan = storming.plan(storm, asked, asked.base(aim, common)) if storm else asked.plan(aim, common)
    objectives = storming.objectives(plan.model)
    if engine == "locust":
        return unleash(packed(plan, storm, storming, asked, common))
    require_descriptors(plan.concurrency if plan.model is LoadModel.CLOSED else plan.max_inflight)
    if plan.insecure:
        common.tell("warning: the receiver's certificate is not verified (--insecure)")
    script = storming.script(storm, plan.count) if storm else None
    shape, _ = weighted_shapes(catalog, plan.mix)[0]
    keeper = storming.keeper(plan)
    told = keeper if storming.keeps else None
    run = LoadRun(
        plan, catalog, generator, catalog_folders=common.catalog_folders, loop=loop, schedule=script, on_delivery=told
    )
    try:
        keeper(require_usable(plan, BodyRenderer(generator, shape).body(0)))
        started = datetime.now(UTC)
        with telling(common) as tell:
            summary = play(run, tell, make_loop)
        return conclude(LoadResult(summary, evaluate(objectives, summary), keeper.attempts, started), files, common)
    finally:
        keeper.close()


def conclude(told: LoadResult, files: list[ReportFile], common: Common) -> int:
    """Tell and write what a load came to; return the exit code.

    Raises:
        UsageError: a report cannot be written.
    """
    with reader_may_leave():
        if common.as_json:
            write_json(load_document(told), sys.stdout)
        else:
            for one in told.objectives:
                click.echo(f"objective {one.summary}")
    write_reports(files, told)
    if told.summary.interrupted:
        return _INTERRUPTED
    return 0 if told.summary.acked and all(one.is_met for one in told.objectives) else _NOT_KEPT


def require_usable(plan: LoadPlan, body: bytes) -> DeliveryRecord:
    """Send one callback, as TCOP would, and return what became of it: it counts for nothing, but the receiver has it.

    Raises:
        TargetError: the target cannot be reached, wants other credentials, or has nothing at that path.
    """
    post = HttpTransport(plan.target, max_body_bytes=plan.rules.answer_cap_bytes, insecure=plan.insecure)
    push = OutgoingRequest(body, headers=plan.rules.headers, credentials=plan.target.credentials)
    attempt = asyncio.run(post(push, deadline_s=plan.rules.timeout_s))
    raise_if_unusable(attempt, plan.target)
    spent_s = attempt.duration_s
    return DeliveryRecord(
        ScheduledCallback(-spent_s, body), (AttemptRecord(-spent_s, -spent_s, 0.0, attempt.outcome, attempt.status),)
    )


def play(
    run: LoadRun, tell: Callable[[LoadEvent], None], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> LoadSummary:
    """Run a load to its end or to an interrupt, and return what it came to."""

    async def listen() -> None:
        async for event in run.events():
            tell(event)

    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(listen())
    except KeyboardInterrupt:
        summary = run.summary(interrupted=True)
        tell(LoadFinished(summary))
        return summary
    return run.summary()


@contextmanager
def telling(common: Common) -> Iterator[Callable[[LoadEvent], None]]:
    """Give the listener that suits the flags: none for JSON, only the end for ``--quiet``."""
    if common.as_json:
        yield lambda _event: None
        return
    with console_for(sys.stdout, LoadConsoleFormatter(), os.environ) as listen:

        def tell(event: LoadEvent) -> None:
            if isinstance(event, LoadFinished) or not common.quiet:
                with reader_may_leave():
                    listen(event)

        yield tell
