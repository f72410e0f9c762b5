"""A transport over one connection of the load engine, so that tests can look at single attempts."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

from tcop_mock.load.pool import ConnectionPool, RecordingConnection
from tcop_mock.load.timer import propagate_loop_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target
    from tcop_mock.load.connection import PooledConnection

_TICK_S = 0.01


class PooledTransport:
    """Sends requests one after the other over one kept-alive connection, with the headers of the first request.

    Args:
        target: the receiver; its credentials come with the first request.
        max_body_bytes: how many bytes of a response body are read.
        insecure: do not verify the receiver's certificate.
        clock: monotonic clock in seconds.
        resolve: function that resolves a host name; may block.
    """

    def __init__(
        self,
        target: Target,
        *,
        max_body_bytes: int = 65_536,
        insecure: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        resolve: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._target, self._max_body_bytes, self._insecure = target, max_body_bytes, insecure
        self._clock, self._resolve = clock, resolve
        self._pool: ConnectionPool | None = None

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        pool = self._pool = self._pool or self._open_pool(request, deadline_s)
        started_s = self._clock()
        connection = pool.send(request.body, started_s if intended_s is None else intended_s, started_s)
        assert isinstance(connection, RecordingConnection)
        finished = asyncio.get_running_loop().create_future()
        connection.context = finished
        with propagate_loop_errors(finished):
            while not finished.done():
                await asyncio.wait([finished], timeout=max(_TICK_S, started_s + deadline_s - self._clock()))
                pool.expire(self._clock())
        finished.result()
        return connection.to_attempt()

    async def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            await self._pool.close()

    def _open_pool(self, request: OutgoingRequest, deadline_s: float) -> ConnectionPool:
        return ConnectionPool(
            self._target,
            request,
            deadline_s=deadline_s,
            max_body_bytes=self._max_body_bytes,
            on_attempt_end=_finish,
            clock=self._clock,
            insecure=self._insecure,
            resolve=self._resolve,
            connection_class=RecordingConnection,
        )


def _finish(connection: PooledConnection) -> None:
    assert isinstance(connection.context, asyncio.Future)
    if not connection.context.done():
        connection.context.set_result(None)
