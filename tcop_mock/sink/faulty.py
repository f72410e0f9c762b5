"""A sink that misbehaves on request, on the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tcop_mock.sink.faults import Fault, FaultPlan
from tcop_mock.sink.misbehaving import HANGS_UP, NO_LINGER, RESETS, SILENT, instead, played
from tcop_mock.sink.server import Received, Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.sink.server import Handler


class HungUpError(ConnectionError):
    """We have hung up: whoever serves the connection closes it."""


class FaultySink(Sink):
    """Answers as its handler says, but for what a plan makes go wrong.

    Args:
        handler: as for :class:`Sink`; not called for a request that is reset.
        plan: what goes wrong.
        tell: called for every request with what went wrong and what is answered (``None``: nothing), before it is.
        over: called for every request when its answer has been written, or we have hung up.
        options: of :class:`Sink`.
    """

    def __init__(
        self,
        handler: Handler,
        plan: FaultPlan,
        tell: Callable[[Received, Fault | None, Reply | None], None],
        over: Callable[[], None] = lambda: None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **options: Any,  # noqa: ANN401 - Sink's own
    ) -> None:
        super().__init__(handler, **options)
        self._plan, self._tell, self._over, self._sleep = plan, tell, over, sleep
        self._number = 0
        self._started_s = self._clock()

    def _decide(self, head: Received, writer: asyncio.StreamWriter) -> Fault | None:
        self._number += 1
        fault = self._plan.choose(self._number, head.received_s - self._started_s)
        if fault is not None and fault.name == "reset":
            self._tell(head, fault, None)
            self._over()
            raise _reset(writer)
        return fault

    async def _respond(self, received: Received, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter) -> None:
        fault = received.decided if isinstance(received.decided, Fault) else None
        reply = instead(fault) if fault else None
        if reply is None:
            reply = await self._answer(received)
        silent = fault is not None and fault.name in SILENT
        self._tell(received, fault, None if silent else reply)
        try:
            if fault is not None:
                await self._play(fault, reply, wired, writer)
                return
            async with asyncio.timeout(self._timeout_s):
                await self._write(writer, wired(reply))
        finally:
            self._over()

    async def _play(
        self, fault: Fault, reply: Reply, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter
    ) -> None:
        for part, pause_s in played(fault, reply, wired):
            await self._sleep(pause_s)
            await self._write(writer, part)
        if fault.name in RESETS:
            raise _reset(writer)
        if fault.name in HANGS_UP:
            raise HungUpError


def _reset(writer: asyncio.StreamWriter) -> HungUpError:
    """Have the connection reset when it is closed, which the error that is returned does."""
    writer.get_extra_info("socket").setsockopt(*NO_LINGER)
    return HungUpError()
