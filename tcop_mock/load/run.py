"""Runs a load in this process or in several, and yields its events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import LoadFinished, LoadStarted
from tcop_mock.errors import UsageError
from tcop_mock.load.engine import LoadEngine
from tcop_mock.load.executors import ScenarioExecutor, connection_class_for, make_executor
from tcop_mock.load.stats import StatsAggregator
from tcop_mock.load.workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import DeliveryRecord, LoadPlan, Schedule
    from tcop_mock.domain.load_summary import LoadEvent, LoadSummary, SecondElapsed
    from tcop_mock.load.stats import SecondStats


class LoadRun:
    """One load.

    Args:
        plan: the plan.
        catalog: the catalogue with the shapes of the bodies.
        generator: generates the bodies.
        catalog_folders: the user's own catalogue folders; worker processes read them again.
        loop: the name of the event loop of worker processes.
        schedule: the notifications, for a scenario.
        on_delivery: called with the record of each notification; not with several processes.
        probes: number of callbacks that were sent before the load, for its summary.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        plan: LoadPlan,
        catalog: Catalog,
        generator: Generator,
        *,
        catalog_folders: Sequence[str] = (),
        loop: str = "asyncio",
        schedule: Schedule | None = None,
        on_delivery: Callable[[DeliveryRecord], None] | None = None,
        probes: int = 0,
    ) -> None:
        if plan.model is LoadModel.SCRIPT and plan.workers > 1:
            raise UsageError("a scenario runs in one process: leave --workers out")
        self.plan = plan
        self._catalog, self._generator, self._folders = catalog, generator, tuple(catalog_folders)
        self._loop, self._schedule, self._on_delivery = loop, schedule, on_delivery
        self._stats = StatsAggregator(plan, probes)
        self._executor: ScenarioExecutor | None = None

    async def events(self) -> AsyncGenerator[LoadEvent]:
        """Run the load and yield its events. If closed or cancelled early, end at once; ``summary`` is then partial."""
        yield LoadStarted(self.plan)
        seconds: asyncio.Queue[tuple[int, SecondStats | None]] = asyncio.Queue()
        run_task = asyncio.create_task(self._run(seconds))
        run_task.add_done_callback(lambda _: seconds.put_nowait((-1, None)))
        try:
            while True:
                worker, second = await seconds.get()
                if worker < 0:
                    break
                for event in self._events_of(worker, second):
                    yield event
            await run_task
        finally:
            run_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run_task
            while not seconds.empty():
                self._events_of(*seconds.get_nowait())
        yield LoadFinished(self.summary())

    def _events_of(self, worker: int, second: SecondStats | None) -> list[SecondElapsed]:
        return self._stats.finish(worker) if second is None else self._stats.add(second, worker)

    def summary(self, *, interrupted: bool = False) -> LoadSummary:
        """Return the statistics of the load so far."""
        summary = self._stats.summary(interrupted=interrupted)
        if self._executor is None:
            return summary
        return self._stats.summary(
            recovery_s=max(0.0, summary.elapsed_s - self._executor.last_due_s), interrupted=interrupted
        )

    async def _run(self, seconds: asyncio.Queue[tuple[int, SecondStats | None]]) -> None:
        plan = self.plan
        if plan.workers > 1:
            await WorkerPool(plan, self._generator, self._folders, self._loop).run(
                lambda *item: seconds.put_nowait(item)
            )
            return
        is_scheduled = plan.model is LoadModel.SCRIPT
        on_delivery = None if is_scheduled else self._on_delivery
        engine = LoadEngine(
            plan,
            lambda second: seconds.put_nowait((0, second)),
            connection_class=connection_class_for(plan),
            on_delivery=on_delivery,
        )
        if is_scheduled:
            assert self._schedule is not None  # noqa: S101 - a scenario has a schedule
            executor = self._executor = ScenarioExecutor(engine, self._schedule, self._on_delivery or _ignore_delivery)
            await engine.run(executor)
        else:
            await engine.run(make_executor(engine, self._catalog, self._generator, worker=0))


def _ignore_delivery(_delivery: DeliveryRecord) -> None:
    """Do nothing."""
