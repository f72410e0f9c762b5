"""``tcop-mock demo``: a receiver with planted bugs is judged, then the corrected one, all on loopback."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli.check import telling
from tcop_mock.cli.options import with_common
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.alarm import State
from tcop_mock.domain.contract import Level
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.json import check_document, write_json
from tcop_mock.reports.summary import OverallResult, overall_result
from tcop_mock.server.demo_receivers import buggy_receiver, correct_receiver
from tcop_mock.server.http_server import HttpServer
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import Common
    from tcop_mock.domain.verdict import Verdict

_OURS = 4
_SHOWN = (
    ("cvm/basic-monitoring", State.FIRING),
    ("cvm/basic-monitoring", State.RESOLVED),
    ("cvm/events", State.FIRING),
    ("cdn/domain", State.FIRING),
)


@with_common
def demo(*, common: Common) -> int:
    """Send callbacks to a receiver with planted bugs, judge it, then judge the corrected one; all on loopback.

    Exit code 0: the first was found broken and the second whole, as they are.
    """
    broken, whole = asyncio.run(_demo(common.catalog(), common))
    if common.as_json:
        write_json({"version": 1, "broken": check_document(broken), "corrected": check_document(whole)}, sys.stdout)
    found = overall_result(broken, Level.MUST), overall_result(whole, Level.SHOULD)
    return 0 if found == (OverallResult.BROKEN, OverallResult.KEPT) else _OURS


async def _demo(catalog: Catalog, common: Common) -> tuple[Verdict, Verdict]:
    say: Callable[[str], object] = _silence if common.as_json else click.echo
    say("1. A receiver as first versions are, with bugs planted, and what TCOP would send it\n")
    async with HttpServer(buggy_receiver) as sink:
        target = Target.parse(sink.url)
        for line in await _send_some(target, catalog, common):
            say(f"   {line}")
        say("\n2. The contract's verdict on it (it ends with the demo, so `See it again` is only to look at here)\n")
        broken = await _judged(target, catalog, common)
    say("\n3. The same receiver put right\n")
    async with HttpServer(correct_receiver) as sink:
        whole = await _judged(Target.parse(sink.url), catalog, common)
    say(
        f"\nThe first broke {broken.count(ClauseStatus.FAIL)} clauses, the corrected one {whole.count(ClauseStatus.FAIL)}."
    )
    say("Now yours: tcop-mock check http://127.0.0.1:PORT/PATH")
    return broken, whole


async def _send_some(target: Target, catalog: Catalog, common: Common) -> list[str]:
    """Post a few callbacks and say in a line each how they were answered."""
    generator = Generator(common.seed, wire_format=common.profile.wire_format)
    rules = common.profile.delivery
    post = HttpTransport(target)
    lines = []
    for shape_id, state in _SHOWN:
        shape = catalog.get(shape_id)
        body = generator.callback(generator.alarm(shape, required_state=state), state).to_bytes()
        attempt = await post(OutgoingRequest(body, headers=rules.headers), deadline_s=rules.timeout_s)
        lines.append(f"POST {shape_id} {state}, {len(body)} bytes: {attempt.outcome} {attempt.status}")
    return lines


async def _judged(target: Target, catalog: Catalog, common: Common) -> Verdict:
    plan = CheckPlan(target, catalog, load_clauses(), common.profile, common.seed)
    run = ContractRun(plan, HttpTransport(target), time.perf_counter, asyncio.sleep)
    with telling(Level.MUST, common) as tell:
        async for event in run.events():
            tell(event)
    return run.verdict("not run")


def _silence(_: object) -> None:
    """Tell nothing."""
