"""A load from its first push to its summary, in this process or in several; yields events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tcop_mock.domain.load import Model
from tcop_mock.domain.load_summary import LoadFinished, LoadStarted
from tcop_mock.errors import UsageError
from tcop_mock.load.aggregate import Tally
from tcop_mock.load.engine import Driver
from tcop_mock.load.executors import ScriptLoad, line_for, steady
from tcop_mock.load.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load import LoadPlan, Notified, Script
    from tcop_mock.domain.load_summary import LoadEvent, LoadSummary, LoadTicked
    from tcop_mock.load.stats import Beat


class LoadRun:
    """One load.

    Args:
        plan: what to do.
        catalog: where the shapes of the bodies come from.
        generator: draws them.
        catalog_folders: of the user's own entries; processes of their own read them again.
        loop: name of the event loop of processes of their own.
        script: notifications, for a plan of the model ``script``.
        told: is told what became of each notification, where anybody wants to know; by one process.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        plan: LoadPlan,
        catalog: Catalog,
        generator: Generator,
        *,
        catalog_folders: Sequence[str] = (),
        loop: str = "asyncio",
        script: Script | None = None,
        told: Callable[[Notified], None] | None = None,
    ) -> None:
        if plan.model is Model.SCRIPT and plan.workers > 1:
            raise UsageError("a scenario is played by one process: leave --workers out")
        self.plan = plan
        self._catalog, self._generator, self._folders = catalog, generator, tuple(catalog_folders)
        self._loop, self._script, self._told = loop, script, told
        self._tally = Tally(plan)
        self._work: ScriptLoad | None = None

    async def events(self) -> AsyncGenerator[LoadEvent]:
        """Run it, and yield what happens. Closed or cancelled before its end, it ends at once; ask for the summary."""
        yield LoadStarted(self.plan)
        beats: asyncio.Queue[tuple[int, Beat | None]] = asyncio.Queue()
        running = asyncio.create_task(self._run(beats))
        running.add_done_callback(lambda _: beats.put_nowait((-1, None)))
        try:
            while True:
                lane, beat = await beats.get()
                if lane < 0:
                    break
                for ticked in self._told_of(lane, beat):
                    yield ticked
            await running
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            while not beats.empty():
                self._told_of(*beats.get_nowait())
        yield LoadFinished(self.summary())

    def _told_of(self, lane: int, beat: Beat | None) -> list[LoadTicked]:
        return self._tally.finish(lane) if beat is None else self._tally.take(beat, lane)

    def summary(self, *, interrupted: bool = False) -> LoadSummary:
        """Return what the load has come to."""
        summary = self._tally.summary(interrupted=interrupted)
        if self._work is None:
            return summary
        return self._tally.summary(
            recovery_s=max(0.0, summary.elapsed_s - self._work.last_due_s), interrupted=interrupted
        )

    async def _run(self, beats: asyncio.Queue[tuple[int, Beat | None]]) -> None:
        plan = self.plan
        if plan.workers > 1:
            await Workers(plan, self._generator, self._folders, self._loop).run(lambda *told: beats.put_nowait(told))
            return
        scripted = plan.model is Model.SCRIPT
        told = None if scripted else self._told
        driver = Driver(plan, lambda beat: beats.put_nowait((0, beat)), line=line_for(plan), told=told)
        if scripted:
            assert self._script is not None  # noqa: S101 - who asks for this model hands one in
            work = self._work = ScriptLoad(driver, self._script, self._told or _nobody)
            await driver.run(work)
        else:
            await driver.run(steady(driver, self._catalog, self._generator, lane=0))


def _nobody(_notified: Notified) -> None:
    """Listen to nothing."""
