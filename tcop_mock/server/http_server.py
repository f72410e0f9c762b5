"""A small HTTP/1.1 server that hands whole requests to a handler. Asyncio carries the bytes, h11 reads and writes them.

It bounds what a client can take: size of head and body, time to send a request, time to take an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Self, TypeAlias

import h11

from tcop_mock.errors import TcopMockError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

_BACKLOG = 1024  # a burst connects at once; Linux cuts it to net.core.somaxconn
_READ_BYTES = 65_536
_LINGER_S = 1.0  # how long a client may go on sending after our last answer
_NO_BODY_STATUS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})  # RFC 9110, 15.3.5 and 15.4.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One whole request."""

    method: str
    path: str
    """Request target as it was sent, with the query."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order and number in which they were sent."""
    body: bytes
    """Without the framing of chunks."""
    received_s: float
    """When its last byte had been read, on the sink's clock."""
    head_decision: object = None
    """What was decided about it when its head had come; see ``Sink._decide``."""

    def header(self, name: str) -> str:
        """Return the first header of that name (in lower case), or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``Content-Length`` is written by the sink unless ``headers`` say ``Transfer-Encoding: chunked``."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Handler: TypeAlias = Callable[[ReceivedRequest], Reply | Awaitable[Reply]]


class HttpServer:
    """An HTTP server that is open inside ``async with``; leaving it ends every connection at once.

    Args:
        handler: called in the event loop for every whole request; what it raises is answered with a bare 500.
        host: where to listen.
        port: 0 takes a free one; ``url`` tells which.
        max_body_bytes: a longer body is answered with 413.
        max_head_bytes: a longer head is answered with 431.
        timeout_s: how long a connection may take for its next whole request, and for taking an answer.
        clock: gives ``Received.received_s``.
    """

    def __init__(  # noqa: PLR0913 - the limits are by name only
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_body_bytes: int = 1_048_576,
        max_head_bytes: int = 16_384,
        timeout_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._max_body_bytes = max_body_bytes
        self._max_head_bytes = max_head_bytes
        self._timeout_s = timeout_s
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UsageError: the address cannot be listened on; says which and why.
        """
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port, backlog=_BACKLOG)
        except OSError as problem:
            where = f"{self._host}:{self._port}"
            raise UsageError(
                f"cannot listen on {where}: {problem.strerror or problem}; port 0 takes a free one"
            ) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        with contextlib.suppress(NotImplementedError):  # Windows' usual loop has no readers
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
        await (
            _yield_to_loop()
        )  # who is being accepted comes through to us, and is hung up on; of a closed server it would leak
        server.close()
        connections = dict(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in connections.values():  # who was cancelled before the first step has not closed it
            writer.transport.abort()
        await server.wait_closed()
        await _yield_to_loop()  # aborted transports let go of their sockets

    @property
    def url(self) -> str:
        """``http://HOST:PORT`` without a path.

        Raises:
            TcopMockError: the sink is not open.
        """
        if self._server is None:
            raise TcopMockError("the sink is not open; use it inside `async with`")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it came while we were closing
            writer.transport.abort()
            return
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections[connection] = writer
        connection.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() waits until the kernel has it all
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_head_bytes)
        try:
            with contextlib.suppress(OSError):  # the client has gone, or does not take its answer
                while await self._serve_request(http, reader, writer):
                    http.start_next_cycle()
                await _lingering_close(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve_request(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; say whether the connection may carry another."""
        try:
            async with asyncio.timeout(self._timeout_s):
                request = await self._receive(http, reader, writer)
        except h11.RemoteProtocolError as problem:
            error_reply = _error_reply(problem.error_status_hint)
        except TimeoutError:
            if http.their_state is h11.IDLE and not http.trailing_data[0]:
                return False  # it waited between two requests
            error_reply = _error_reply(HTTPStatus.REQUEST_TIMEOUT)
        else:
            if request is None:
                return False
            await self._respond(request, lambda reply: _serialize(http, request.method, reply), writer)
            return http.our_state is h11.DONE and http.their_state is h11.DONE
        async with asyncio.timeout(self._timeout_s):
            await self._write(writer, _serialize(http, "", error_reply))
        return False

    async def _respond(
        self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: asyncio.StreamWriter
    ) -> None:
        """Answer a whole request.

        Args:
            request: the request.
            serialize: gives a reply's bytes; once.
            writer: of the connection.
        """
        data = serialize(await self._handle(request))
        async with asyncio.timeout(self._timeout_s):
            await self._write(writer, data)

    def _on_request_head(self, head: ReceivedRequest, writer: asyncio.StreamWriter) -> object:
        """Decide about a request whose head has come; an ``OSError`` hangs up."""

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def _receive(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> ReceivedRequest | None:
        """Return the next whole request, or ``None`` when the client has no more."""
        head = await _next_event(http, reader, writer)
        if not isinstance(head, h11.Request):
            return None
        if head.method == b"CONNECT":
            raise h11.RemoteProtocolError("this is no proxy", error_status_hint=HTTPStatus.NOT_IMPLEMENTED)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        request = ReceivedRequest(head.method.decode(), head.target.decode("latin-1"), headers, b"", self._clock())
        head_decision = self._on_request_head(request, writer)
        body = bytearray()
        self._enforce_limit(next((int(value) for name, value in headers if name == "content-length"), 0))
        while isinstance(part := await _next_event(http, reader, writer), h11.Data):
            body += part.data
            self._enforce_limit(len(body))
        return replace(request, body=bytes(body), received_s=self._clock(), head_decision=head_decision)

    def _enforce_limit(self, size: int) -> None:
        if size > self._max_body_bytes:
            raise h11.RemoteProtocolError("body over the cap", error_status_hint=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def _handle(self, request: ReceivedRequest) -> Reply:
        try:
            result = self._handler(request)
            reply = await result if inspect.isawaitable(result) else result
            _response(reply)  # raises where it cannot be written
        except Exception:  # noqa: BLE001 - whatever is wrong with a handler, its client gets a 500 and no trace
            _log.debug("the handler raised", exc_info=True)
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR)
        return reply


async def _next_event(
    http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
    while (event := http.next_event()) is h11.NEED_DATA:
        if http.they_are_waiting_for_100_continue:
            writer.write(http.send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])) or b"")
        http.receive_data(await reader.read(_READ_BYTES))
    return event


def _response(reply: Reply) -> h11.Response:
    headers = [pair for pair in reply.headers if pair[0].lower() != "content-length"]
    chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    if not chunked and reply.status not in _NO_BODY_STATUS:
        headers.append(("Content-Length", str(len(reply.body))))
    return h11.Response(status_code=reply.status, headers=headers, reason=responses.get(reply.status, ""))


def _error_reply(status: int) -> Reply:
    return Reply(status, headers=(("Connection", "close"),))


def _serialize(http: h11.Connection, method: str, reply: Reply) -> bytes:
    events: list[h11.Event] = [_response(reply), h11.EndOfMessage()]
    if reply.body and method != "HEAD" and reply.status not in _NO_BODY_STATUS:
        events.insert(1, h11.Data(data=reply.body))
    return b"".join(http.send(event) or b"" for event in events)


async def _yield_to_loop() -> None:
    """Let the event loop do what is due: accepting takes two turns, aborting one."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _lingering_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client read our last answer: closing a socket with unread bytes resets it and takes the answer along."""
    async with asyncio.timeout(_LINGER_S):
        writer.write_eof()
        while await reader.read(_READ_BYTES):
            pass
