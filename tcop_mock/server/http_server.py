"""A small HTTP/1.1 server that passes whole requests to a handler, on asyncio and h11.

It limits what a client can use: size of head and body, time to send a request, time to read a response.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import h11

from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.protocol_probe import TLS_RECORDS

if TYPE_CHECKING:
    from types import TracebackType

_BACKLOG = 1024  # bursts connect at once; Linux limits it to net.core.somaxconn
_READ_BYTES = 65_536
_LINGER_S = 1.0  # how long a client may continue to send after our last response
_NO_BODY_STATUS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})  # RFC 9110, 15.3.5 and 15.4.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One complete request."""

    method: str
    path: str
    """Request target as sent, with the query."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order and number in which they were sent."""
    body: bytes
    """Body without chunk framing."""
    received_s: float
    """Time at which the last byte was read, on the server's clock."""
    head_decision: object = None
    """Result of ``HttpServer._on_request_head`` for this request."""

    def header(self, name: str) -> str:
        """Return the first header with this name (in lower case), or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """One response. The server adds ``Content-Length`` unless ``headers`` contain ``Transfer-Encoding: chunked``."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Handler: TypeAlias = Callable[[ReceivedRequest], Reply | Awaitable[Reply]]


class ByteReader(Protocol):
    """One direction of a connection, as ``asyncio.StreamReader`` has it."""

    async def read(self, n: int = -1, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        ...


class ByteWriter(Protocol):
    """The other direction, as ``asyncio.StreamWriter`` has it."""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""
        ...

    async def drain(self) -> None:
        """Wait until they are sent."""
        ...

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return what is known of the connection, such as its ``socket``."""
        ...


class HttpServer:
    """An HTTP server that runs inside ``async with``; leaving the block closes every connection at once.

    Args:
        handler: called in the event loop for each complete request; an exception becomes an empty 500 response.
        host: address to listen on.
        port: port to listen on; 0 chooses a free one, see ``url``.
        max_body_bytes: longer bodies get 413.
        max_head_bytes: longer heads get 431.
        timeout_s: limit for a connection to send its next complete request, and to read a response.
        on_unreadable: called with a sentence for each request that cannot be read, such as a TLS handshake.
        clock: source of ``ReceivedRequest.received_s``.
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
        on_unreadable: Callable[[str], object] = len,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._max_body_bytes = max_body_bytes
        self._max_head_bytes = max_head_bytes
        self._timeout_s = timeout_s
        self._on_unreadable = on_unreadable
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            UsageError: cannot listen on the address; says which and why.
        """
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port, backlog=_BACKLOG)
        except OSError as problem:
            where = f"{self._host}:{self._port}"
            raise UsageError(
                f"cannot listen on {where}: {problem.strerror or problem}; port 0 chooses a free one"
            ) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        with contextlib.suppress(NotImplementedError):  # the default loop on Windows has no readers
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
        await _yield_to_loop()  # accept and close pending connections, which a closed server would leak
        server.close()
        connections = dict(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in connections.values():  # a task cancelled before its first step has not closed it
            writer.transport.abort()
        await server.wait_closed()
        await _yield_to_loop()  # aborted transports release their sockets

    @property
    def url(self) -> str:
        """``http://HOST:PORT`` without a path.

        Raises:
            TcopMockError: the server is not running.
        """
        if self._server is None:
            raise TcopMockError("the server is not running; use it inside `async with`")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def port(self) -> int:
        """Port at which it listens.

        Raises:
            TcopMockError: the server is not running.
        """
        return int(self.url.rpartition(":")[2])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted while the server was closing
            writer.transport.abort()
            return
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections[connection] = writer
        connection.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # drain() waits until the kernel has everything
        try:
            with contextlib.suppress(OSError):  # the client is gone, or does not read its response
                await self.serve_requests(reader, writer)
                await _lingering_close(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def serve_requests(self, reader: ByteReader, writer: ByteWriter, received: bytes = b"") -> None:
        """Serve the requests of one connection.

        Args:
            reader: what the client sends.
            writer: what it gets.
            received: what it has sent already.
        """
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_head_bytes)
        if received:
            http.receive_data(received)
        while await self._serve_request(http, reader, writer):
            http.start_next_cycle()

    async def _serve_request(self, http: h11.Connection, reader: ByteReader, writer: ByteWriter) -> bool:
        """Serve one request and return whether the connection can be reused."""
        try:
            async with asyncio.timeout(self._timeout_s):
                request = await self._receive(http, reader, writer)
        except h11.RemoteProtocolError as problem:
            self._on_unreadable(_describe_unreadable(problem, http.trailing_data[0]))
            error_reply = _error_reply(problem.error_status_hint)
        except TimeoutError:
            if http.their_state is h11.IDLE and not http.trailing_data[0]:
                return False  # idle between two requests
            self._on_unreadable(f"a request did not end within {self._timeout_s:g} s")
            error_reply = _error_reply(HTTPStatus.REQUEST_TIMEOUT)
        else:
            if request is None:
                return False
            await self._respond(request, lambda reply: _serialize(http, request.method, reply), writer)
            return http.our_state is h11.DONE and http.their_state is h11.DONE
        async with asyncio.timeout(self._timeout_s):
            await self._write(writer, _serialize(http, "", error_reply))
        return False

    async def _respond(self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: ByteWriter) -> None:
        """Respond to a complete request.

        Args:
            request: the request.
            serialize: returns a reply's bytes; may be called once.
            writer: writer of the connection.
        """
        data = serialize(await self._handle(request))
        async with asyncio.timeout(self._timeout_s):
            await self._write(writer, data)

    def _on_request_head(self, head: ReceivedRequest, writer: ByteWriter) -> object:
        """Decide about a request after its head was read. An ``OSError`` closes the connection."""

    async def _write(self, writer: ByteWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def _receive(self, http: h11.Connection, reader: ByteReader, writer: ByteWriter) -> ReceivedRequest | None:
        """Return the next complete request, or ``None`` if the client sends no more."""
        head = await _next_event(http, reader, writer)
        if not isinstance(head, h11.Request):
            return None
        if head.method == b"CONNECT":
            raise h11.RemoteProtocolError("this is not a proxy", error_status_hint=HTTPStatus.NOT_IMPLEMENTED)
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
            raise h11.RemoteProtocolError("body too long", error_status_hint=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def _handle(self, request: ReceivedRequest) -> Reply:
        try:
            result = self._handler(request)
            reply = await result if inspect.isawaitable(result) else result
            _response(reply)  # raises if it cannot be sent
        except Exception:  # noqa: BLE001 - after any error of a handler the client gets a 500 without a traceback
            _log.debug("the handler raised", exc_info=True)
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR)
        return reply


def _describe_unreadable(problem: h11.RemoteProtocolError, data: bytes) -> str:
    """Return why a request cannot be read; what follows a colon in the message may be a secret of the client."""
    if data.startswith(TLS_RECORDS):
        return "a TLS handshake came in place of a request: write http:// in the URL of the sender"
    if problem.error_status_hint == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "a request has a body that is too long"
    return f"a request is not HTTP/1.1: {str(problem).partition(':')[0]}"


async def _next_event(
    http: h11.Connection, reader: ByteReader, writer: ByteWriter
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
    """Let the event loop run pending callbacks: accepting takes two iterations, aborting one."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _lingering_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client read our last response, because closing a socket with unread bytes would reset it."""
    async with asyncio.timeout(_LINGER_S):
        writer.write_eof()
        while await reader.read(_READ_BYTES):
            pass
