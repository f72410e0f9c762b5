"""A pool of kept-alive connections to one target, and what has to be in time on them.

What an attempt comes to is what the sender says of it (``send/http.py``), with three differences: a connection is used
again; where such a one turns out to be gone before any byte of an answer came, the request is sent once more on a new
one, and this is told; and a host's name is looked up once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import socket
import ssl
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.load.connection import BUFFER_BYTES, PooledConnection, ResponseCache
from tcop_mock.load.epoll import channels
from tcop_mock.load.timer import propagate_loop_errors, report_error
from tcop_mock.transport.connect import ResolveError, connect_socket, probe_tcp, resolve_host, tls_context
from tcop_mock.transport.http1 import InvalidResponseError, ResponseReader, request_head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.target import Target
    from tcop_mock.load.connection import PoolCallbacks
    from tcop_mock.load.epoll import Channels, Dialling
    from tcop_mock.transport.connect import Addresses


_LOCAL_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})

"""What says that this machine has nothing left, and says nothing of the receiver."""


class RequestHeads(dict[int, bytes]):
    """Heads of requests that differ in the length of their bodies only. Hold credentials in the clear: do not show."""

    def __init__(self, target: Target, template: OutgoingRequest) -> None:
        super().__init__()
        self._target, self._template = target, replace(template, keep_alive=True)

    def __missing__(self, length: int) -> bytes:
        """Write a head for the first time."""
        self[length] = request_head(self._target, replace(self._template, body=bytes(length)))
        return self[length]

    def __repr__(self) -> str:
        return f"<{len(self)} heads>"


class ConnectionPool:
    """Pushes bodies over lines of its own. Everything happens in the event loop that is running.

    Args:
        target: where to.
        template: gives the headers and credentials of every request; its body is not used.
        deadline_s: of an attempt, from its start: connecting, writing, head and body.
        max_body_bytes: how much of an answer's body is read.
        on_attempt_end: is told each line whose attempt has ended; what it says holds until it is pushed on again.
        clock: seconds, monotonic.
        insecure: do not verify the receiver's certificate.
        resolve: looks a host name up; may block.
        connection_class: makes a line.
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
        resolve: Callable[..., Any] = socket.getaddrinfo,
        connection_class: type[PooledConnection] = PooledConnection,
    ) -> None:
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.response_cache = ResponseCache(max_body_bytes)
        self.request_heads: dict[int, bytes] = RequestHeads(target, template)
        self.max_body_bytes = max_body_bytes
        self.in_flight: dict[PooledConnection, None] = {}
        """Attempts that are under way, the oldest first."""
        self.connections = 0
        """That were opened."""
        self.replayed = 0
        """Attempts that were sent again, because their connection had gone."""
        self.exhausted_reason = ""
        """Why this machine could open no further connection, when that was so."""
        self._target, self._deadline_s = target, deadline_s
        self.clock, self.on_attempt_end, self._resolve, self._connection_class = (
            clock,
            on_attempt_end,
            resolve,
            connection_class,
        )
        self._tls = tls_context(insecure=insecure) if target.scheme == "https" else None
        self._idle: list[PooledConnection] = []
        self._connecting: dict[PooledConnection, asyncio.Task[None] | Dialling] = {}
        self._addresses: Addresses | None = None
        self._last_address: tuple[int, Any] | None = None
        """Family and address that the last connection went to."""
        self.channels: Channels | None = None

    async def warm_up(self, connections: int) -> None:
        """Look the name up and open connections, so that the first attempts need not; what fails, these will tell."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(self._deadline_s):
                await self._open_idle()
                others = (self._open_idle() for _ in range(connections - 1))
                await asyncio.gather(*others, return_exceptions=True)  # where one fails, no other is left behind

    async def _open_idle(self) -> None:
        connection = self._connection_class(self)
        await self._connect(connection)
        if connection.transport is not None:  # else it has ended already
            self._idle.append(connection)

    def send(self, body: bytes, intended_s: float, started_s: float, context: object = None) -> PooledConnection:
        """Begin an attempt. The times are told again when it ends."""
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
        """End the attempts whose deadline has passed."""
        started_before_s = now_s - self._deadline_s
        for connection in list(self._overdue(started_before_s)) if self.in_flight else ():
            missing = "no answer" if connection.transport else "no connection"
            detail = "the head of the answer came in time, its body did not end"
            connection.fail(
                Outcome.TIMED_OUT, detail if connection.status else f"{missing} inside {self._deadline_s:g} s"
            )

    def _overdue(self, started_before_s: float) -> Sequence[PooledConnection]:
        overdue = []
        for connection in self.in_flight:
            if connection.started_s > started_before_s:
                break
            overdue.append(connection)
        return overdue

    def cancel(self) -> None:
        """End all attempts that are under way, as cancelled."""
        for connection in list(self.in_flight):
            connection.fail(Outcome.CANCELLED, "interrupted")

    async def close(self) -> None:
        """End all attempts and all connections."""
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
        await asyncio.sleep(0)  # what was aborted lets go of its socket
        if self.channels is not None:
            self.channels.close()
            self.channels = None

    def released(self, connection: PooledConnection) -> None:
        """See :class:`tcop_mock.load.connection.PoolCallbacks`."""
        del self.in_flight[connection]
        self._idle.append(connection)
        on_attempt_end = self.on_attempt_end  # a call of what an attribute holds is quicker in two steps (CPython 3.11)
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
        if self.channels is None or self._last_address is None:
            self._connecting[connection] = asyncio.create_task(self._connect_and_report(connection))
            return
        try:
            self._connecting[connection] = self.channels.dial(
                *self._last_address, connection, partial(self._on_reconnected, connection)
            )
        except OSError as problem:
            asyncio.get_running_loop().call_soon(self._on_reconnected, connection, problem)

    def _on_reconnected(self, connection: PooledConnection, problem: OSError | None) -> None:
        """Go on with a connection to the address that answered before, or without one."""
        self._connecting.pop(connection, None)
        if problem is None:
            self.connections += 1
            return
        has_other_address = problem.errno not in _LOCAL_ERRORS and len(self._addresses or ()) > 1
        if has_other_address:
            self._last_address = None  # another may answer
        if not connection.is_busy:
            return  # it was given up, in most cases because it took too long
        if has_other_address:
            self._start_connecting(connection)
        else:
            self._on_connect_error(connection, problem)

    async def _connect_and_report(self, connection: PooledConnection) -> None:
        try:
            await self._connect(connection)
        except OSError as problem:
            self._on_connect_error(connection, problem)
        except Exception as problem:  # noqa: BLE001 - a fault of ours, raised by whoever waits for the end
            report_error(problem)
        finally:
            self._connecting.pop(connection, None)

    async def _connect(self, connection: PooledConnection) -> None:
        if self._addresses is None:
            self._addresses = await resolve_host(self._target.host, self._target.port, self._resolve)
        if self._tls is None and self.channels is None:
            self.channels = channels()
        if self.channels is None:
            await probe_tcp(lambda: connection, self._target, self._tls, self._addresses)
        else:
            sock = await connect_socket(self._addresses)
            with contextlib.suppress(OSError):  # it was reset already, which the line is told
                self._last_address = sock.family, sock.getpeername()
            self.channels.add(sock, connection)
        self.connections += 1

    def _on_connect_error(self, connection: PooledConnection, problem: OSError) -> None:
        detail = getattr(problem, "verify_message", "") or problem.strerror or str(problem)
        if problem.errno in _LOCAL_ERRORS:
            self.exhausted_reason = detail
            connection.fail(Outcome.CANCELLED, detail)
        elif isinstance(problem, ResolveError):
            connection.fail(Outcome.DNS, str(problem))
        else:
            connection.fail(Outcome.TLS if isinstance(problem, ssl.SSLError) else Outcome.REFUSED, detail)


_TICK_S = 0.01


class RecordingConnection(PooledConnection):
    """A line that keeps what the receiver says, and when, up to the end of its answer."""

    __slots__ = ("connected_s", "first_byte_s", "response_bytes")

    def __init__(self, pool: PoolCallbacks) -> None:
        super().__init__(pool)
        self.response_bytes = bytearray()
        self.connected_s: float | None = None
        self.first_byte_s: float | None = None

    def write(self) -> None:
        """Forget what was said to the attempt before, and send the request."""
        self.response_bytes.clear()
        self.connected_s, self.first_byte_s = self._pool.clock(), None
        super().write()

    def receive(self, data: bytes) -> None:
        """Keep the next bytes of an answer, and take them."""
        if self.is_busy:
            self.first_byte_s = self.first_byte_s or self._pool.clock()
            self.response_bytes += data
        super().receive(data)

    def to_attempt(self) -> Attempt:
        """Return the attempt that has just ended."""
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


class PooledTransport:
    """Sends one push after the other, for who wants to look at each; all with the headers of the first.

    Args:
        target: where to; its credentials are not used here, they come with the first push.
        max_body_bytes: how much of an answer's body is read.
        insecure: do not verify the receiver's certificate.
        clock: seconds, monotonic.
        resolve: looks a host name up; may block.
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
        assert isinstance(connection, RecordingConnection)  # noqa: S101 - the wire makes no others
        finished = asyncio.get_running_loop().create_future()
        connection.context = finished
        with propagate_loop_errors(finished):
            while not finished.done():
                await asyncio.wait([finished], timeout=max(_TICK_S, started_s + deadline_s - self._clock()))
                pool.expire(self._clock())
        finished.result()
        return connection.to_attempt()

    async def close(self) -> None:
        """End the connection."""
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
    assert isinstance(connection.context, asyncio.Future)  # noqa: S101 - nobody else pushes on this wire
    if not connection.context.done():
        connection.context.set_result(None)
