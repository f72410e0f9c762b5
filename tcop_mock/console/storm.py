"""A scenario that a page starts: its rate, its times to an ack, and its end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.load_summary import LoadStarted, SecondElapsed
from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.reports.json import round_seconds
from tcop_mock.reports.load_json import load_document
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.delivery import TargetSetting
    from tcop_mock.console.ports import CommandLine, PreparedStorm, StormOptions
    from tcop_mock.domain.load_summary import LoadEvent, LoadResult
    from tcop_mock.domain.target import Target

_MAX_CHARS = 500
_MAX_POINTS = 3_600


@dataclass(slots=True)
class Storm:
    """The last storm, and the one that runs.

    Args:
        setting: the target.
        conversation: gets the events.
        commands: prepares a load.
    """

    setting: TargetSetting
    conversation: Conversation
    commands: CommandLine
    result: LoadResult | None = None
    _headline: str = ""
    _points: list[dict[str, Any]] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _prepared: PreparedStorm | None = None
    _interrupt: Callable[[], object] | None = None
    """Ends the load of a command that publishes its events here."""

    @property
    def is_running(self) -> bool:
        """Whether a storm runs."""
        return self._task is not None or self._interrupt is not None

    def follow(self, interrupt: Callable[[], object] | None) -> None:
        """Expect the events of a load that a command runs, in :meth:`take`.

        Args:
            interrupt: ends that load; ``None``: there is none any more.
        """
        self._interrupt = interrupt

    def take(self, event: LoadEvent) -> None:
        """Show an event of a load; its end comes by :meth:`finish`."""
        if isinstance(event, LoadStarted):
            self._headline = one_line(event.plan.title, _MAX_CHARS)
            self._publish()
        elif isinstance(event, SecondElapsed):
            self._add(event)

    def finish(self, result: LoadResult) -> None:
        """Show the result of the load that was followed."""
        self.result, self._interrupt = result, None
        self._publish()

    def document(self) -> dict[str, Any]:
        """Return the state for a page that opens."""
        return {
            "running": self.is_running,
            "headline": self._headline,
            "points": self._points,
            "summary": load_document(self.result)["summary"] if self.result else None,
        }

    def start(self, options: StormOptions) -> None:
        """Start a storm.

        Raises:
            UsageError: one runs already, or there is no target.
        """
        if self.is_running:
            raise UsageError("a storm runs already: stop it first")
        target = self.setting.require()
        self.result, self._points, self._headline = None, [], f"{options.scenario}: {target}"
        self._task = asyncio.create_task(self._run(target, options))
        self._publish()

    async def stop(self) -> None:
        """Stop the storm that runs, if any."""
        if self._interrupt is not None:
            self._interrupt()
        elif self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._headline = f"stopped: {self._headline}"
            self._end()

    async def _run(self, target: Target, options: StormOptions) -> None:
        try:
            self._prepared = prepared = await asyncio.to_thread(self.commands.prepare_storm, target, options)
            async with aclosing(prepared.run.events()) as events:
                async for event in events:
                    self.take(event)
        except TcopMockError as problem:
            self._headline = one_line(str(problem), _MAX_CHARS)
        self._end()

    def _end(self) -> None:
        self.result = self._prepared.result() if self._prepared else None
        self._task = self._prepared = None
        self._publish()

    def _add(self, event: SecondElapsed) -> None:
        point = event.point
        document = {
            "at": round_seconds(point.at_s),
            "span": round_seconds(point.span_s),
            "started": point.started,
            "acked": point.acked,
            "failed": point.failed,
            "in_flight": point.in_flight,
            "p50": round_seconds(point.p50_s),
            "p99": round_seconds(point.p99_s),
            "max": round_seconds(point.max_s),
            "total": event.attempts,
        }
        if len(self._points) < _MAX_POINTS:
            self._points.append(document)
        self.conversation.publish("second", document)

    def _publish(self) -> None:
        self.conversation.publish("storm", self.document())
