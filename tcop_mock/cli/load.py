"""``tcop-mock load``: many callbacks, and what became of them."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tcop_mock.cli.loading import Asked
from tcop_mock.cli.options import target_of, with_common
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.generate import Generator
from tcop_mock.generate.bodies import Bodies
from tcop_mock.load.bodies import shapes_of
from tcop_mock.load.limits import require_descriptors
from tcop_mock.load.loops import factory_of
from tcop_mock.load.running import LoadRun
from tcop_mock.model.delivery import Push
from tcop_mock.model.form import Form
from tcop_mock.model.load import Model
from tcop_mock.model.loaded import LoadFinished
from tcop_mock.model.shape import Lang
from tcop_mock.report.document import write_json
from tcop_mock.report.load_document import load_document
from tcop_mock.report.load_text import load_report
from tcop_mock.run.preflight import refuse_unusable
from tcop_mock.send.http import HttpPost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.cli.options import Common
    from tcop_mock.model.load import LoadPlan
    from tcop_mock.model.loaded import LoadEvent, LoadSummary

_NOTHING_ACKED, _INTERRUPTED = 1, 130


@with_common
def load(target: str | None, *, lang: str, form: str, loop: str, common: Common, **given: Any) -> int:  # noqa: ANN401
    """Send many callbacks to TARGET, and tell how it bore them.

    Exit code 0: carried out, 1: nothing was acked, 3: target unusable, 130: interrupted.
    """
    make_loop = factory_of(loop)
    plan = Asked(**given).plan(target_of(target, flag="TARGET"), common)
    require_descriptors(plan.concurrency if plan.model is Model.CLOSED else plan.max_inflight)
    catalog = common.catalog()
    generator = Generator(common.seed, Lang(lang), form=Form(form), wire=common.profile.wire)
    shape, _ = shapes_of(catalog, plan.mix)[0]
    if plan.insecure:
        common.tell("warning: the receiver's certificate is not verified (--insecure)")
    require_usable(plan, Bodies(generator, shape).body(0))
    run = LoadRun(plan, catalog, generator, catalog_folders=common.catalog_folders, loop=loop)
    with telling(common) as tell:
        summary = play(run, tell, make_loop)
    if common.as_json:
        with reader_may_leave():
            write_json(load_document(summary), sys.stdout)
    if summary.interrupted:
        return _INTERRUPTED
    return 0 if summary.acked else _NOTHING_ACKED


def require_usable(plan: LoadPlan, body: bytes) -> None:
    """Send one callback, as TCOP would.

    Raises:
        TargetError: the target cannot be reached, wants other credentials, or has nothing at that path.
    """
    post = HttpPost(plan.target, answer_cap_bytes=plan.rules.answer_cap_bytes, insecure=plan.insecure)
    push = Push(body, headers=plan.rules.headers, credentials=plan.target.credentials)
    refuse_unusable(asyncio.run(post(push, deadline_s=plan.rules.timeout_s)), plan.target)


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
    with load_report(sys.stdout, environ=os.environ) as listen:

        def tell(event: LoadEvent) -> None:
            if isinstance(event, LoadFinished) or not common.quiet:
                with reader_may_leave():
                    listen(event)

        yield tell
