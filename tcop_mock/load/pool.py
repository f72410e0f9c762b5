"""A pool of kept-alive connections to one target, and the deadlines of the attempts on them.

An attempt has the same outcome as in ``transport/http1.py``, with three differences. Connections are reused. If a
reused connection was closed before any byte of a response, the request is sent once more on a new connection, and the
attempt is marked as replayed. The host name is resolved once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions
from tcop_mock.load.connection import BUFFER_BYTES, PooledConnection, ResponseCache
from tcop_mock.load.epoll import open_selector
from tcop_mock.load.timer import report_error
from tcop_mock.transport.connect import (
    connect_socket,
    probe_tcp,
    resolve_host,
    resolver_of,
    tls_context,
)
from tcop_mock.transport.http1 import ResponseReader, request_head
from tcop_mock.transport.outcomes import (
    INTERRUPTED,
    InvalidResponseError,
    Phase,
    error_text,
    failure_from_error,
    is_local_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.target import Target
    from tcop_mock.load.connection import PoolCallbacks
    from tcop_mock.load.epoll import EpollSelector, PendingConnection
    from tcop_mock.transport.connect import Addresses


class RequestHeads(dict[int, bytes]):
    """Request heads by body length. They contain the credentials in the clear, so they are never shown."""

    def __init__(self, target: Target, template: OutgoingRequest) -> None:
        super().__init__()
        self._target, self._template = target, replace(template, keep_alive=True)

    def __missing__(self, length: int) -> bytes:
        """Build the head for a new body length."""
        self[length] = request_head(self._target, replace(self._template, body=bytes(length)))
        return self[length]

    def __repr__(self) -> str:
        return f"<{len(self)} heads>"


class ConnectionPool:
    """Sends request bodies over its connections, in the running event loop.

    Args:
        target: the receiver.
        template: the headers and credentials of every request; its body is not used.
        deadline_s: the deadline of an attempt from its start; covers connect, write, head and body.
        max_body_bytes: how many bytes of a response body are read.
        on_attempt_end: called with the connection whose attempt has ended; its fields are valid until the next send.
        clock: monotonic clock in seconds.
        insecure: do not verify the receiver's certificate.
        connection: authorities, client certificate, addresses of host names.
        resolve: function that resolves a host name, in place of that of ``connection``; may block.
        connection_class: the class of the connections.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        target: Target,
        template: OutgoingRequest,
        *,
        deadline_s: float,
        max_body_bytes: int,
        on_attempt_end: Callable[[PooledConnection], None],
        clock: Callable[[], float],
        insecure: bool = False,
        connection: ConnectionOptions = DEFAULTS,
        resolve: Callable[..., Any] | None = None,
        connection_class: type[PooledConnection] = PooledConnection,
    ) -> None:
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.response_cache = ResponseCache(max_body_bytes)
        self.request_heads: dict[int, bytes] = RequestHeads(target, template)
        self.max_body_bytes = max_body_bytes
        self.in_flight: dict[PooledConnection, None] = {}
        """The connections with an attempt in flight, the oldest attempt first."""
        self.connections = 0
        """Connections opened so far."""
        self.replayed = 0
        """Attempts that were sent again because their connection was closed."""
        self.exhausted_reason = ""
        """Why this machine could not open another connection; empty if it always could."""
        self._target, self._deadline_s = target, deadline_s
        self.clock, self.on_attempt_end, self._resolve, self._connection_class = (
            clock,
            on_attempt_end,
            resolve or resolver_of(connection),
            connection_class,
        )
        self._tls = tls_context(insecure=insecure, options=connection) if target.scheme == "https" else None
        self._idle: list[PooledConnection] = []
        self._connecting: dict[PooledConnection, asyncio.Task[None] | PendingConnection] = {}
        self._addresses: Addresses | None = None
        self._last_address: tuple[int, Any] | None = None
        """Address family and address of the last connection."""
        self.selector: EpollSelector | None = None

    async def warm_up(self, connections: int) -> None:
        """Resolve the name and open connections before the first attempts. Errors are left to the attempts."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(self._deadline_s):
                await self._open_idle()
                others = (self._open_idle() for _ in range(connections - 1))
                await asyncio.gather(*others, return_exceptions=True)  # one failure leaves no other task running

    async def _open_idle(self) -> None:
        connection = self._connection_class(self)
        await self._connect(connection)
        if connection.transport is not None:  # otherwise it is closed already
            self._idle.append(connection)

    def send(self, body: bytes, intended_s: float, started_s: float, context: object = None) -> PooledConnection:
        """Start an attempt. The connection returns the times and the context when the attempt ends."""
        idle = self._idle
        connection = idle.pop() if idle else self._connection_class(self)
        connection.is_busy = True
        connection.has_response_bytes = connection.is_replayed = False
        connection.body = body
        connection.context = context
        connection.status = None
        connection.intended_s = intended_s
        connection.started_s = started_s
        self.in_flight[connection] = None
        if connection.transport is not None:
            connection.write()
        else:
            self._start_connecting(connection)
        return connection

    def expire(self, now_s: float) -> None:
        """End all attempts whose deadline has passed."""
        started_before_s = now_s - self._deadline_s
        for connection in list(self._overdue(started_before_s)) if self.in_flight else ():
            phase = Phase.CONNECTING if connection.transport is None else connection.phase
            connection.fail(*failure_from_error(TimeoutError(), phase, self._deadline_s))

    def _overdue(self, started_before_s: float) -> Sequence[PooledConnection]:
        overdue = []
        for connection in self.in_flight:
            if connection.started_s > started_before_s:
                break
            overdue.append(connection)
        return overdue

    def cancel(self) -> None:
        """Cancel all attempts in flight."""
        for connection in list(self.in_flight):
            connection.fail(Outcome.CANCELLED, INTERRUPTED)

    async def close(self) -> None:
        """Cancel all attempts and close all connections."""
        self.cancel()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()
        connecting = list(self._connecting.values())
        for attempt in connecting:
            attempt.cancel()
        await asyncio.gather(
            *(attempt for attempt in connecting if isinstance(attempt, asyncio.Task)), return_exceptions=True
        )
        await asyncio.sleep(0)  # aborted transports close their sockets
        if self.selector is not None:
            self.selector.close()
            self.selector = None

    def released(self, connection: PooledConnection) -> None:
        """See :class:`tcop_mock.load.connection.PoolCallbacks`."""
        del self.in_flight[connection]
        self._idle.append(connection)
        on_attempt_end = self.on_attempt_end  # calling an attribute is faster in two steps (CPython 3.11)
        on_attempt_end(connection)

    def discarded(self, connection: PooledConnection) -> None:
        """See :class:`tcop_mock.load.connection.PoolCallbacks`."""
        del self.in_flight[connection]
        connection.abort()
        if connection in self._connecting:
            self._connecting[connection].cancel()
        self.on_attempt_end(connection)

    def stale(self, connection: PooledConnection) -> None:
        """See :class:`tcop_mock.load.connection.PoolCallbacks`."""
        self.replayed += 1
        connection.is_replayed = True
        self._start_connecting(connection)

    def idle_closed(self, connection: PooledConnection) -> None:
        """See :class:`tcop_mock.load.connection.PoolCallbacks`."""
        if connection in self._idle:
            self._idle.remove(connection)

    def _start_connecting(self, connection: PooledConnection) -> None:
        if self.selector is None or self._last_address is None:
            self._connecting[connection] = asyncio.create_task(self._connect_and_report(connection))
            return
        try:
            self._connecting[connection] = self.selector.connect(
                *self._last_address, connection, partial(self._on_reconnected, connection)
            )
        except OSError as problem:
            asyncio.get_running_loop().call_soon(self._on_reconnected, connection, problem)

    def _on_reconnected(self, connection: PooledConnection, problem: OSError | None) -> None:
        """Handle the result of reconnecting to the address that accepted a connection before."""
        self._connecting.pop(connection, None)
        if problem is None:
            self.connections += 1
            return
        has_other_address = not is_local_error(problem) and len(self._addresses or ()) > 1
        if has_other_address:
            self._last_address = None  # try the others
        if not connection.is_busy:
            return  # the attempt has ended, usually at its deadline
        if has_other_address:
            self._start_connecting(connection)
        else:
            self._on_connect_error(connection, problem)

    async def _connect_and_report(self, connection: PooledConnection) -> None:
        try:
            await self._connect(connection)
        except OSError as problem:
            self._on_connect_error(connection, problem)
        except Exception as problem:  # noqa: BLE001 - our own error; the engine raises it
            report_error(problem)
        finally:
            self._connecting.pop(connection, None)

    async def _connect(self, connection: PooledConnection) -> None:
        if self._addresses is None:
            self._addresses = await resolve_host(self._target.host, self._target.port, self._resolve)
        if self._tls is None and self.selector is None:
            self.selector = open_selector()
        if self.selector is None:
            await probe_tcp(lambda: connection, self._target, self._tls, self._addresses)
        else:
            sock = await connect_socket(self._addresses)
            with contextlib.suppress(OSError):  # it was reset already; the connection handles that
                self._last_address = sock.family, sock.getpeername()
            self.selector.add(sock, connection)
        self.connections += 1

    def _on_connect_error(self, connection: PooledConnection, error: OSError) -> None:
        if is_local_error(error):
            self.exhausted_reason = error_text(error)
            connection.fail(Outcome.CANCELLED, self.exhausted_reason)
        else:
            connection.fail(*failure_from_error(error, Phase.CONNECTING, self._deadline_s))


class RecordingConnection(PooledConnection):
    """A connection that records the response and its times."""

    __slots__ = ("connected_s", "first_byte_s", "response_bytes")

    def __init__(self, pool: PoolCallbacks) -> None:
        super().__init__(pool)
        self.response_bytes = bytearray()
        self.connected_s: float | None = None
        self.first_byte_s: float | None = None

    def write(self) -> None:
        """Discard the previous response and send the request."""
        self.response_bytes.clear()
        self.connected_s, self.first_byte_s = self._pool.clock(), None
        super().write()

    def receive(self, data: bytes) -> None:
        """Record and handle the next bytes of a response."""
        if self.is_busy:
            self.first_byte_s = self.first_byte_s or self._pool.clock()
            self.response_bytes += data
        super().receive(data)

    def to_attempt(self) -> Attempt:
        """Return a record of the attempt that has just ended."""
        reader = ResponseReader("POST", self._pool.max_body_bytes)
        with contextlib.suppress(InvalidResponseError):
            if self.response_bytes:
                reader.feed(bytes(self.response_bytes))
        is_connected = self.connected_s is not None
        return Attempt(
            outcome=self.outcome,
            intended_s=self.intended_s,
            started_s=self.started_s,
            ended_s=self._pool.clock(),
            connected_s=self.connected_s,
            first_byte_s=self.first_byte_s,
            status=self.status,
            headers=reader.headers,
            body=bytes(reader.body),
            body_truncated=reader.is_truncated,
            sent_bytes=len(self._pool.request_heads[len(self.body)]) + len(self.body) if is_connected else 0,
            received_bytes=len(self.response_bytes),
            request_sha256=hashlib.sha256(self.body).hexdigest(),
            detail=self.detail,
        )
