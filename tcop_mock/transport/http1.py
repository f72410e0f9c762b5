"""One POST over HTTP/1.1, and everything there is to know about how it ended.

``h11`` parses; the socket is ours, because the outcome depends on what a client library hides: how many bytes of an
answer had come, when, and how the request was cut into segments.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.transport.connect import Connection, ResolveError, connect_streams, tls_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.target import Target


_MAX_HEAD_BYTES = 100 * 1024

_HTTP_PREFIX = b"HTTP/"


class InvalidResponseError(Exception):
    """What came is no HTTP/1 answer."""


class ResponseReader:
    """Collects status, headers and body; ``is_complete`` when there is no more to come or to read."""

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
        # the parser has to know the method (an answer to HEAD has no body); the real request is written elsewhere
        self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "-")]))
        self._parser.send(h11.EndOfMessage())

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow on the same connection: not behind bytes that nobody asked for."""
        return self.is_complete and self._parser.their_state is h11.DONE and not self._parser.trailing_data[0]

    def feed(self, data: bytes) -> None:
        """Take the next bytes; none mean that the receiver closed.

        Raises:
            BadAnswerError: they are no HTTP/1.
            EOFError: the answer ends too early.
        """
        self.received_bytes += len(data)
        self._first_bytes = (self._first_bytes + data)[: len(_HTTP_PREFIX)]
        if not _HTTP_PREFIX.startswith(self._first_bytes):
            raise InvalidResponseError(
                "no HTTP answer: it does not start with HTTP/"
            )  # the parser waits for a blank line
        try:
            self._parser.receive_data(data)
            while not self.is_complete and (event := self._parser.next_event()) is not h11.NEED_DATA:
                self._handle_event(event)
        except h11.RemoteProtocolError as problem:
            if not data:
                raise EOFError from None  # it closed before the end of its answer
            # what stands after the colon is the receiver's own text, which may echo credentials
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
    """Return it, with the blank line at its end.

    Nothing here raises, so that no traceback shows the credentials that it holds in the clear.
    """
    fields = {
        "host": ("Host", target.authority),
        "content-length": request.framing_header,
        # RFC 9112, 9.6: "close" is said by who will not use the connection again
        "connection": ("Connection", "keep-alive" if request.keep_alive else "close"),
    }
    if request.credentials is not None:
        fields["authorization"] = ("Authorization", f"Basic {request.credentials.token().reveal()}")
    fields |= {name.lower(): (name, value) for name, value in request.headers}
    request_line = f"{request.method} {target.path_with(request.query)} HTTP/1.1"
    lines = [request_line, *(f"{name}: {value}" for name, value in fields.values())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_READ_BYTES = 65_536


@dataclass(slots=True)
class _AttemptState:
    """What has happened so far in one attempt."""

    intended_s: float
    started_s: float
    response: ResponseReader
    connected_s: float | None = None
    first_byte_s: float | None = None
    sent_bytes: int = 0


class HangUpRequestedError(Exception):
    """The connection is to be closed, as the push asks for."""


class HttpTransport:
    """The ``Post`` port over real sockets: a fresh connection per attempt, no proxy, no redirect, no retry.

    Args:
        target: where to; its credentials are not used here, they come with each push.
        max_body_bytes: how much of an answer's body is read before the socket is closed.
        insecure: do not verify the receiver's certificate.
        clock: seconds, monotonic.
        sleep: pauses between segments.
        resolve: looks a host name up; may block.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        target: Target,
        *,
        max_body_bytes: int = 65_536,
        insecure: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        resolve: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._target = target
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._sleep = sleep
        self._resolve = resolve
        self._idle_connection: Connection | None = None
        self._tls = tls_context(insecure=insecure) if target.scheme == "https" else None

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
        """Whether the last attempt left a connection on which another request may follow."""
        return self._idle_connection is not None

    def close_idle_connection(self) -> None:
        """Close the connection that was kept, if one was."""
        if self._idle_connection is not None:
            self._idle_connection.writer.transport.abort()
            self._idle_connection = None

    async def _outcome(self, request: OutgoingRequest, state: _AttemptState, deadline_s: float) -> tuple[Outcome, str]:
        try:
            async with asyncio.timeout(deadline_s):
                await self._exchange_on_connection(request, state)
        except TimeoutError:
            return Outcome.TIMED_OUT, _timeout_detail(state, deadline_s)
        except HangUpRequestedError:
            return Outcome.CANCELLED, "hung up, as asked for"
        except InvalidResponseError as problem:
            return Outcome.BAD_ANSWER, str(problem)
        except EOFError:
            return _connection_outcome(state), "the receiver closed the connection"
        except OSError as problem:
            return _connection_outcome(state, problem), getattr(
                problem, "verify_message", ""
            ) or problem.strerror or str(problem)
        return Outcome.from_status(state.response.status), ""

    async def _exchange_on_connection(self, request: OutgoingRequest, state: _AttemptState) -> None:
        idle_connection, self._idle_connection = (
            (self._idle_connection, None) if request.reuse_connection else (None, self._idle_connection)
        )
        connection = idle_connection or await connect_streams(self._target, self._tls, self._resolve)
        try:
            state.connected_s = self._clock()
            await self._send_and_receive(request, state, connection)
        finally:
            if request.keep_alive and state.response.is_reusable:
                self._idle_connection = connection
            else:
                connection.writer.transport.abort()  # close() would wait for a peer that does not read

    async def _send_and_receive(self, request: OutgoingRequest, state: _AttemptState, connection: Connection) -> None:
        """Write and read side by side: an answer may come before the request is written (413, 401)."""
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
                raise problem  # ours; what the receiver does to the connection shows when it is read

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
        """Write the head, with the body unless that is segmented.

        Only here, where nothing is awaited and nothing raises, does a frame hold the credentials in the clear: a
        traceback that shows local variables never shows them.
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
            connected_s=state.connected_s,
            first_byte_s=state.first_byte_s,
            status=response.status,
            headers=response.headers,
            body=bytes(response.body),
            body_truncated=response.is_truncated,
            sent_bytes=state.sent_bytes,
            received_bytes=response.received_bytes,
            request_sha256=hashlib.sha256(request.body).hexdigest(),
            detail=detail,
        )


def _is_segmented(request: OutgoingRequest) -> bool:
    """Whether the body goes out in writes of its own."""
    return bool(request.segment_sizes) and not request.chunked


def _connection_outcome(state: _AttemptState, problem: OSError | None = None) -> Outcome:
    if isinstance(problem, ResolveError):
        return Outcome.DNS
    if isinstance(problem, ssl.SSLError):
        return Outcome.TLS
    if state.connected_s is None:
        return Outcome.REFUSED
    return Outcome.RESET_IN_ANSWER if state.response.received_bytes else Outcome.RESET_BEFORE_ANSWER


def _timeout_detail(state: _AttemptState, deadline_s: float) -> str:
    if state.connected_s is None:
        return f"no connection inside {deadline_s:g} s"
    if state.response.status is None:
        return f"no answer inside {deadline_s:g} s"
    return "the head of the answer came in time, its body did not end"
