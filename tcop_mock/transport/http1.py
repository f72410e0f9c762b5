"""A transport that sends one request over HTTP/1.1 and records how it ended.

``h11`` parses responses. The socket is our own, because client libraries hide what the outcome depends on: how many
bytes of a response arrived, when, and how the request was split into segments.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import h11

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.connect import Connection, connect_streams, resolver_of, tls_context
from tcop_mock.transport.outcomes import (
    NO_HTTP_ANSWER,
    HangUpRequestedError,
    InvalidResponseError,
    Phase,
    failure_from_error,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.target import Target


_MAX_HEAD_BYTES = 100 * 1024

_HTTP_PREFIX = b"HTTP/"
_STALE_WAIT_S = 0.02
"""Seconds to read a connection before its reuse, for bytes that belong to no response."""


class ResponseReader:
    """Parses a response into status, headers and body; ``is_complete`` when nothing more is to be read."""

    def __init__(self, method: str, max_body_bytes: int) -> None:
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.is_truncated = False
        self.is_complete = False
        self.received_bytes = 0
        self._max_body_bytes = max_body_bytes
        self._first_bytes = b""
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        # the parser needs the method (a response to HEAD has no body); the real request is written elsewhere
        self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "-")]))
        self._parser.send(h11.EndOfMessage())

    @property
    def is_reusable(self) -> bool:
        """Whether the receiver keeps the connection open after the response."""
        return self.is_complete and self._parser.their_state is h11.DONE

    @property
    def trailing_bytes(self) -> int:
        """Number of bytes that were read behind the end of the response."""
        return len(self._parser.trailing_data[0])

    def feed(self, data: bytes) -> None:
        """Parse the next bytes; an empty value means that the receiver closed the connection.

        Raises:
            InvalidResponseError: the bytes are not HTTP/1.
            EOFError: the response ends too early.
        """
        self.received_bytes += len(data)
        self._first_bytes = (self._first_bytes + data)[: len(_HTTP_PREFIX)]
        if not _HTTP_PREFIX.startswith(self._first_bytes):
            raise InvalidResponseError(NO_HTTP_ANSWER)  # the parser would wait for a blank line
        try:
            self._parser.receive_data(data)
            while not self.is_complete and (event := self._parser.next_event()) is not h11.NEED_DATA:
                self._handle_event(event)
        except h11.RemoteProtocolError as problem:
            if not data:
                raise EOFError from None  # closed before the end of the response
            # the text after the colon is the receiver's own and may contain credentials
            raise InvalidResponseError(f"no HTTP answer: {str(problem).partition(':')[0]}") from None

    def _handle_event(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self.status = event.status_code
            self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        elif isinstance(event, h11.Data):
            remaining = self._max_body_bytes - len(self.body)
            self.body += bytes(event.data)[:remaining]
            self.is_truncated = self.is_complete = len(event.data) > remaining
        elif isinstance(event, h11.EndOfMessage):
            self.is_complete = True


def request_head(target: Target, request: OutgoingRequest) -> bytes:
    """Return the request line and the header fields, including the blank line.

    Nothing here raises, so that no traceback shows the credentials in the clear.
    """
    request_line = f"{request.method} {target.path_with(request.query)} HTTP/1.1"
    fields = request.header_fields(target.authority, keep_alive=request.keep_alive)
    lines = [request_line, *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_READ_BYTES = 65_536


@dataclass(slots=True)
class _AttemptState:
    """The progress of one attempt."""

    intended_s: float
    started_s: float
    response: ResponseReader
    resolved_s: float | None = None
    connected_s: float | None = None
    first_byte_s: float | None = None
    sent_bytes: int = 0
    stale_bytes: int = 0

    @property
    def phase(self) -> Phase:
        """How far the attempt has come."""
        if self.connected_s is None:
            return Phase.CONNECTING
        if self.response.status is not None:
            return Phase.BODY
        return Phase.HEAD if self.response.received_bytes else Phase.WAITING


class _IdleConnection(NamedTuple):
    """A connection that was kept open."""

    connection: Connection
    trailing_bytes: int
    """Bytes behind the end of its last response."""


class HttpTransport:
    """The transport over real sockets: a new connection per attempt, no proxy, no redirect, no retry.

    Args:
        target: the receiver; its credentials are not used, because each request has its own.
        max_body_bytes: how many bytes of a response body are read before the socket is closed.
        insecure: do not verify the receiver's certificate.
        connection: authorities, client certificate, addresses of host names.
        clock: monotonic clock in seconds.
        sleep: coroutine used for the pauses between segments.
        resolve: function that resolves a host name, in place of that of ``connection``; may block.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        target: Target,
        *,
        max_body_bytes: int = 65_536,
        insecure: bool = False,
        connection: ConnectionOptions = DEFAULTS,
        clock: Callable[[], float] = monotonic_s,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        resolve: Callable[..., Any] | None = None,
    ) -> None:
        self._target = target
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._sleep = sleep
        self._resolve = resolve or resolver_of(connection)
        self._idle_connections: dict[str, _IdleConnection] = {}
        self._tls = tls_context(insecure=insecure, options=connection) if target.scheme == "https" else None

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self._clock()
        state = _AttemptState(
            intended_s=started_s if intended_s is None else intended_s,
            started_s=started_s,
            response=ResponseReader(request.method, self._max_body_bytes),
        )
        outcome, detail = await self._outcome(request, state, deadline_s)
        return self._to_attempt(request, state, outcome, detail)

    @property
    def has_idle_connection(self) -> bool:
        """Whether an attempt left a connection that can be reused: without bytes behind its response."""
        return any(not idle_connection.trailing_bytes for idle_connection in self._idle_connections.values())

    def close_idle_connections(self) -> None:
        """Close the connections that were kept open."""
        while self._idle_connections:
            _, (connection, _) = self._idle_connections.popitem()
            connection.writer.transport.abort()

    async def _outcome(self, request: OutgoingRequest, state: _AttemptState, deadline_s: float) -> tuple[Outcome, str]:
        try:
            async with asyncio.timeout(deadline_s):
                await self._exchange_on_connection(request, state)
        except (OSError, EOFError, InvalidResponseError, HangUpRequestedError) as error:
            return failure_from_error(error, state.phase, deadline_s)
        return Outcome.from_status(state.response.status), ""

    async def _exchange_on_connection(self, request: OutgoingRequest, state: _AttemptState) -> None:
        def note_resolved() -> None:
            state.resolved_s = self._clock()

        reused_connection = await self._take_idle_connection(request, state) if request.reuse_connection else None
        connection = reused_connection or await connect_streams(self._target, self._tls, self._resolve, note_resolved)
        try:
            state.connected_s = self._clock()
            await self._send_and_receive(request, state, connection)
        finally:
            if request.keep_alive and state.response.is_reusable:
                self._idle_connections[request.connection_name] = _IdleConnection(
                    connection, state.response.trailing_bytes
                )
            else:
                connection.writer.transport.abort()  # close() would wait for a peer that does not read

    async def _take_idle_connection(self, request: OutgoingRequest, state: _AttemptState) -> Connection | None:
        """Return the connection that was kept open; ``None`` without one, or if the receiver has closed it."""
        idle_connection = self._idle_connections.pop(request.connection_name, None)
        if idle_connection is None:
            return None
        connection, state.stale_bytes = idle_connection
        try:
            async with asyncio.timeout(_STALE_WAIT_S):
                while data := await connection.reader.read(_READ_BYTES):
                    state.stale_bytes += len(data)
        except TimeoutError:
            return connection
        except OSError:
            pass  # closed by a reset
        connection.writer.transport.abort()
        return None

    async def _send_and_receive(self, request: OutgoingRequest, state: _AttemptState, connection: Connection) -> None:
        """Write and read concurrently, because a response may arrive before the request is written (413, 401)."""
        if request.hang_up_after_s is not None:
            await self._write(request, state, connection.writer)
            await self._sleep(request.hang_up_after_s)
            raise HangUpRequestedError
        write_task = asyncio.create_task(self._write(request, state, connection.writer))
        try:
            await self._read(request, state, connection.reader)
        finally:
            write_task.cancel()
            await asyncio.wait([write_task])
            problem = None if write_task.cancelled() else write_task.exception()
            if problem is not None and not isinstance(problem, OSError):
                raise problem  # our own error; errors of the connection show when reading

    async def _write(self, request: OutgoingRequest, state: _AttemptState, writer: asyncio.StreamWriter) -> None:
        state.sent_bytes = self._write_head(request, writer)
        await writer.drain()
        for segment in request.body_segments() if _is_segmented(request) else ():
            await self._sleep(request.segment_gap_s)
            writer.write(segment)
            state.sent_bytes += len(segment)
            await writer.drain()
        if request.truncate_at is not None and writer.can_write_eof():
            writer.write_eof()

    def _write_head(self, request: OutgoingRequest, writer: asyncio.StreamWriter) -> int:
        """Write the head, and the body unless it is segmented.

        Only this frame holds the credentials in the clear. It neither awaits nor raises, so that no traceback with
        local variables shows them.
        """
        data = request_head(self._target, request) + (
            b"" if _is_segmented(request) else request.framed_body()[: request.truncate_at]
        )
        writer.write(data)
        return len(data)

    async def _read(self, request: OutgoingRequest, state: _AttemptState, reader: asyncio.StreamReader) -> None:
        while state.response.status is None:
            await self._read_chunk(state, reader)
        async with asyncio.timeout(request.body_timeout_s):
            while not state.response.is_complete:
                await self._read_chunk(state, reader)

    async def _read_chunk(self, state: _AttemptState, reader: asyncio.StreamReader) -> None:
        data = await reader.read(_READ_BYTES)
        if data and state.first_byte_s is None:
            state.first_byte_s = self._clock()
        state.response.feed(data)

    def _to_attempt(self, request: OutgoingRequest, state: _AttemptState, outcome: Outcome, detail: str) -> Attempt:
        response = state.response
        return Attempt(
            outcome=outcome,
            intended_s=state.intended_s,
            started_s=state.started_s,
            ended_s=self._clock(),
            resolved_s=state.resolved_s,
            connected_s=state.connected_s,
            first_byte_s=state.first_byte_s,
            status=response.status,
            headers=response.headers,
            body=bytes(response.body),
            body_truncated=response.is_truncated,
            sent_bytes=state.sent_bytes,
            received_bytes=response.received_bytes,
            stale_bytes=state.stale_bytes,
            request_sha256=hashlib.sha256(request.body).hexdigest(),
            detail=detail,
        )


def _is_segmented(request: OutgoingRequest) -> bool:
    """Whether the body is written in segments, separately from the head."""
    return bool(request.segment_sizes) and not request.chunked
