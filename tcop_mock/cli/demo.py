"""The work of demo."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli.check import progress_listener
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.observers import CallableObserver
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.callback import State
from tcop_mock.domain.contract import EFFECT_PREREQUISITES, Level
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.json import check_document, write_json
from tcop_mock.reports.summary import OverallResult, overall_result
from tcop_mock.server.demo_receivers import ActingReceiver, buggy_receiver, correct_receiver
from tcop_mock.server.http_server import HttpServer
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.verdict import Verdict

_INTERNAL_ERROR = 4
_SHAPES = (
    ("cvm/basic-monitoring", State.FIRING),
    ("cvm/basic-monitoring", State.RESOLVED),
    ("cvm/events", State.FIRING),
    ("cdn/domain", State.FIRING),
)
_EFFECT_CLAUSES = ("TCM501", "TCM505")
"""Clauses about effects that the demo checks; all such clauses would take too long."""


def demo(common: CommonOptions) -> int:
    """Check both built-in receivers; return 0 if the first is found broken and the second correct."""
    broken, correct = asyncio.run(_demo(common.catalog(), common))
    if common.as_json:
        write_json({"version": 1, "broken": check_document(broken), "corrected": check_document(correct)}, sys.stdout)
    found = overall_result(broken, Level.MUST), overall_result(correct, Level.SHOULD)
    return 0 if found == (OverallResult.BROKEN, OverallResult.KEPT) else _INTERNAL_ERROR


async def _demo(catalog: Catalog, common: CommonOptions) -> tuple[Verdict, Verdict]:
    show: Callable[[str], object] = _silence if common.as_json else click.echo
    show("1. A typical first version of a receiver, with planted bugs, gets callbacks\n")
    receiver = ActingReceiver(buggy_receiver, is_correct=False)
    async with HttpServer(receiver) as sink:
        target = Target.parse(sink.url)
        for line in await _send_some(target, catalog, common):
            show(f"   {line}")
        stopped = " (the receiver stops with the demo, so its commands do not work)" if common.verbose else ""
        show(f"\n2. The result of the contract{stopped}\n")
        broken = await _check(target, receiver, catalog, common)
    show("\n3. The same receiver, corrected\n")
    receiver = ActingReceiver(correct_receiver, is_correct=True)
    async with HttpServer(receiver) as sink:
        correct = await _check(Target.parse(sink.url), receiver, catalog, common)
    show(
        f"\nThe first broke {broken.count(ClauseStatus.FAIL)} clauses, "
        f"the corrected one {correct.count(ClauseStatus.FAIL)}."
    )
    show("Now yours: tcop-mock check http://127.0.0.1:PORT/PATH")
    show("With its effects: tcop-mock check /PATH --run 'COMMAND --port {port}'")
    return broken, correct


async def _send_some(target: Target, catalog: Catalog, common: CommonOptions) -> list[str]:
    """Post a few callbacks, and return a line per response."""
    generator = Generator(common.seed, wire_format=common.profile.wire_format)
    rules = common.profile.delivery
    post = HttpTransport(target)
    lines = []
    for shape_id, state in _SHAPES:
        shape = catalog.get(shape_id)
        body = generator.callback(generator.alarm(shape, required_state=state), state).to_bytes()
        attempt = await post(OutgoingRequest(body, headers=rules.headers), deadline_s=rules.timeout_s)
        lines.append(f"POST {shape_id} {state}, {len(body)} bytes: {attempt.outcome} {attempt.status}")
    return lines


async def _check(target: Target, receiver: ActingReceiver, catalog: Catalog, common: CommonOptions) -> Verdict:
    clauses = tuple(
        clause
        for clause in load_clauses()
        if clause.code in _EFFECT_CLAUSES or not clause.prerequisites & EFFECT_PREREQUISITES
    )
    observation = ObservationConfig(CallableObserver("of the demo", receiver.observe))
    plan = CheckPlan(target, catalog, clauses, common.profile, common.seed, observation=observation)
    run = ContractRun(plan, HttpTransport(target), time.perf_counter, asyncio.sleep)
    with progress_listener(Level.MUST, common, shows_commands=False) as listen:
        async for event in run.events():
            listen(event)
    return run.verdict("not run")


def _silence(_: object) -> None:
    """Print nothing."""
