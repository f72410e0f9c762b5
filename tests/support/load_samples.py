"""Sample load plans and summaries, and loads on a receiver in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel, LoadPlan, Stage
from tcop_mock.domain.load_summary import Bucket, Distribution, LoadFinished, LoadSummary, SeriesPoint
from tcop_mock.domain.target import Target
from tcop_mock.load.run import LoadRun
from tcop_mock.server.http_server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.domain.load import DeliveryRecord, ScheduledCallback
    from tcop_mock.domain.load_summary import LoadEvent
    from tcop_mock.server.messages import Handler

CATALOG = Catalog.load()
CVM = (("cvm/basic-monitoring", 1.0),)


def make_plan(url: str = "http://127.0.0.1:9/", profile: str = "2023", **changes: Any) -> LoadPlan:
    """Return a plan by a profile, with a long deadline by default."""
    rules = replace(load_profile(profile).delivery, timeout_s=25.0)
    plan = LoadPlan(Target.parse(url), rules, profile, seed=1, mix=CVM, title="as a test wants it")
    return replace(plan, **changes)


def constant_stages(rate: float, seconds: float) -> tuple[Stage, ...]:
    """Return a single stage with a constant rate."""
    return (Stage(seconds, rate, rate),)


class LoadResult(NamedTuple):
    """Events and deliveries of a load."""

    events: list[LoadEvent]
    deliveries: list[DeliveryRecord]

    @property
    def summary(self) -> LoadSummary:
        """The summary of the last event."""
        last = self.events[-1]
        assert isinstance(last, LoadFinished)
        return last.summary


def run_load(handler: Handler, plan: LoadPlan, script: Iterable[ScheduledCallback] | None = None) -> LoadResult:
    """Run a load on a receiver in this process, which replaces the plan's target."""
    deliveries: list[DeliveryRecord] = []

    async def run() -> list[LoadEvent]:
        async with HttpServer(handler) as server:
            server_plan = replace(plan, target=replace(Target.parse(server.url), credentials=plan.target.credentials))
            schedule = None if script is None else iter(script)
            load = LoadRun(server_plan, CATALOG, Generator(1), schedule=schedule, on_delivery=deliveries.append)
            return [event async for event in load.events()]

    return LoadResult(asyncio.run(run()), deliveries)


def distribution_of(*seconds: float) -> Distribution:
    """Return a distribution of times."""
    return Distribution(tuple(Bucket(one, 1) for one in sorted(seconds)), max(seconds), sum(seconds))


def second_stats(at_s: float, **changes: Any) -> SeriesPoint:
    """Return a second in which 100 callbacks were acked."""
    return replace(SeriesPoint(at_s, 1.0, 100, 100, 0, 0, 0, 3, 0.002, 0.009, 0.02), **changes)


def make_summary(**changes: Any) -> LoadSummary:
    """Return the summary of an open load of 3 s: 297 acks, 2 refusals, a timeout."""
    plan = make_plan("http://user:s3cret@127.0.0.1:8080/alarm", stages=constant_stages(100, 3), duration_s=3.0)
    acks = Distribution((Bucket(0.001, 200), Bucket(0.01, 90), Bucket(6.0, 7)), 5.9, 42.0)
    summary = LoadSummary(
        plan=replace(plan, assumptions=("status 2xx counts as success",)),
        elapsed_s=3.0,
        attempts=300,
        outcomes={Outcome.ACKED: 297, Outcome.REJECTED: 2, Outcome.TIMED_OUT: 1},
        statuses={200: 297, 503: 2},
        ack_times=acks,
        service_times=distribution_of(0.001, 0.002),
        lateness=distribution_of(0.0001, 0.02),
        late=1,
        dropped=0,
        replayed=0,
        connections=4,
        series=tuple(second_stats(at) for at in range(3)),
        notifications=300,
        lost=3,
    )
    return replace(summary, **changes)


SCENARIO_CHANGES: dict[str, Any] = {"model": LoadModel.SCRIPT, "stages": ()}
"""Changes that make a plan follow a script."""
