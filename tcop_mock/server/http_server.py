"""A small HTTP/1.1 server that passes whole requests to a handler, on asyncio and h11.

It limits what a client can use: size of head and body, time to send a request, time to read a response.

Usual requests are read by plain connections, and their replies leave in batches: all that arrived in one turn of the
event loop is answered together, so that a subclass can write the records of a batch at once, before the replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any, Protocol, Self

import h11

from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.server.messages import Handler, ReceivedRequest, Reply
from tcop_mock.server.plain_connection import (
    BUFFER_BYTES,
    NOTHING,
    HandedOver,
    PlainConnection,
    RequestHead,
    RequestHeads,
)
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.protocol_probe import TLS_RECORDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

_BACKLOG = 4096  # bursts connect at once; Linux limits it to net.core.somaxconn
_READ_BYTES = 65_536
_LINGER_S = 1.0  # how long a client may continue to send after our last response
_MAX_REPLY_HEADS = 256
_UNUSUAL_REPLY_HEADERS = frozenset({b"connection", b"transfer-encoding"})
_LENGTH_END = b"0\r\n\r\n"
_NO_BODY_STATUS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})  # RFC 9110, 15.3.5 and 15.4.5
_log = logging.getLogger(__name__)


class ByteReader(Protocol):
    """One direction of a connection, as ``asyncio.StreamReader`` has it."""

    async def read(self, n: int = -1, /) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
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
        """Return a property of the connection, such as its ``socket``."""
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

    reads_plain_requests = True
    """Whether usual requests are read without h11. False in classes that change how requests are read or replies sent
    by overriding ``_serve``, ``_receive``, ``_handle``, ``_respond`` or ``_write``."""

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
        self.timeout_s = timeout_s
        self._on_unreadable = on_unreadable
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._plain_connections: set[PlainConnection] = set()
        self._outbox: list[tuple[PlainConnection, bytes]] = []
        self._reply_heads = ReplyHeads()
        self.request_heads = RequestHeads(max_head_bytes, max_body_bytes)
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            UsageError: cannot listen on the address; names the address and the reason.
        """
        try:
            self._server = await self._listen()
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
        for plain_connection in self._plain_connections:
            plain_connection.transport.abort()
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

    async def _listen(self) -> asyncio.Server:
        if not self.reads_plain_requests:
            return await asyncio.start_server(self._accept, self._host, self._port, backlog=_BACKLOG)
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: PlainConnection(self, loop), self._host, self._port, backlog=_BACKLOG)

    def connected(self, connection: PlainConnection) -> bool:
        """See :class:`tcop_mock.server.plain_connection.PlainServer`."""
        if self._server is None:  # accepted while the server was closing
            connection.transport.abort()
            return False
        self._plain_connections.add(connection)
        return True

    def disconnected(self, connection: PlainConnection) -> None:
        """See :class:`tcop_mock.server.plain_connection.PlainServer`."""
        self._plain_connections.discard(connection)

    def answer(self, connection: PlainConnection, head: RequestHead, body: bytes) -> Reply | Awaitable[Reply] | None:
        """See :class:`tcop_mock.server.plain_connection.PlainServer`."""
        request = ReceivedRequest(head.method, head.path, head.headers, body, self._clock())
        try:
            result = self._handler(request)
            if not isinstance(result, Reply) and inspect.isawaitable(result):
                return result
            reply, data = result, self._reply_heads.serialize(result)
        except Exception:  # noqa: BLE001 - as in _handle
            _log.debug("the handler raised", exc_info=True)
            reply = Reply(HTTPStatus.INTERNAL_SERVER_ERROR)
            data = self._reply_heads.serialize(reply)
        if data is None:
            return reply
        self._on_reply(request, reply)
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._send_outbox)
        self._outbox.append((connection, data))
        return None

    def _send_outbox(self) -> None:
        """Send the replies to all requests that arrived in one turn of the event loop."""
        outbox, self._outbox = self._outbox, []
        try:
            self._commit()
        except OSError:  # what was not recorded is not acknowledged
            for connection, _ in outbox:
                connection.transport.abort()
            return
        for connection, data in outbox:
            connection.transport.write(data)
            if connection.transport.get_write_buffer_size() and connection in self._plain_connections:
                connection.leave()  # the h11 loop waits for a client that does not read
            self._on_sent()

    def hand_over(self, connection: PlainConnection, handed_over: HandedOver) -> None:
        """See :class:`tcop_mock.server.plain_connection.PlainServer`."""
        connection.stop()
        self._plain_connections.discard(connection)
        loop, transport = asyncio.get_running_loop(), connection.transport
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if handed_over.is_ended:
            reader.feed_eof()
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        serve = partial(self._serve_handed_over, handed_over)
        self._start(self._serve_by(serve, reader, writer), writer).add_done_callback(lambda _: handed_over.close())

    @property
    def connection_count(self) -> int:
        """Number of open connections."""
        return len(self._plain_connections) + len(self._connections)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted while the server was closing
            writer.transport.abort()
            return
        self._start(self._serve(reader, writer), writer)

    def _start(self, serve: Coroutine[None, None, None], writer: asyncio.StreamWriter) -> asyncio.Task[None]:
        connection = asyncio.ensure_future(serve)
        self._connections[connection] = writer
        connection.add_done_callback(self._connections.pop)
        return connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve_by(self.serve_requests, reader, writer)

    async def _serve_by(
        self,
        serve: Callable[[ByteReader, ByteWriter], Awaitable[None]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # drain() waits until the kernel has everything
        try:
            with contextlib.suppress(OSError):  # the client is gone, or does not read its response
                await serve(reader, writer)
                await _lingering_close(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def serve_requests(self, reader: ByteReader, writer: ByteWriter, received: bytes = b"") -> None:
        """Serve the requests of one connection.

        Args:
            reader: bytes from the client.
            writer: bytes to the client.
            received: bytes that have been read already.
        """
        http = self._parser(received)
        while await self._serve_request(http, reader, writer):
            http.start_next_cycle()

    async def _serve_handed_over(self, handed_over: HandedOver, reader: ByteReader, writer: ByteWriter) -> None:
        async with asyncio.timeout(self.timeout_s):
            await writer.drain()  # the replies of the plain connection
        http = self._parser(handed_over.received)
        is_open = await self._serve_request(http, reader, writer, handed_over)
        while is_open:
            http.start_next_cycle()
            is_open = await self._serve_request(http, reader, writer)

    def _parser(self, received: bytes) -> h11.Connection:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_head_bytes)
        if received:  # no bytes would mean the end
            http.receive_data(received)
        return http

    async def _serve_request(
        self, http: h11.Connection, reader: ByteReader, writer: ByteWriter, handed_over: HandedOver = NOTHING
    ) -> bool:
        """Serve one request and return whether the connection can be reused."""
        try:
            async with asyncio.timeout(self.timeout_s if handed_over.timeout_s is None else handed_over.timeout_s):
                request = await self._receive(http, reader, writer)
        except h11.RemoteProtocolError as problem:
            self._on_unreadable(_describe_unreadable(problem, http.trailing_data[0]))
            error_reply = _error_reply(problem.error_status_hint)
        except TimeoutError:
            if http.their_state is h11.IDLE and not http.trailing_data[0]:
                return False  # idle between two requests
            self._on_unreadable(f"a request did not end within {self.timeout_s:g} s")
            error_reply = _error_reply(HTTPStatus.REQUEST_TIMEOUT)
        else:
            if request is None:
                return False
            serialize = partial(_serialize, http, request.method)
            if handed_over.result is None:
                await self._respond(request, serialize, writer)
            else:
                await self._send(request, await self._handle(request, handed_over.result), serialize, writer)
            return http.our_state is h11.DONE and http.their_state is h11.DONE
        async with asyncio.timeout(self.timeout_s):
            await self._write(writer, _serialize(http, "", error_reply))
        return False

    async def _respond(self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: ByteWriter) -> None:
        """Respond to a complete request.

        Args:
            request: the request.
            serialize: returns a reply's bytes; may be called once.
            writer: writer of the connection.
        """
        await self._send(request, await self._handle(request), serialize, writer)

    async def _send(
        self, request: ReceivedRequest, reply: Reply, serialize: Callable[[Reply], bytes], writer: ByteWriter
    ) -> None:
        self._on_reply(request, reply)
        self._commit()
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._write(writer, serialize(reply))
        finally:
            self._on_sent()

    def _on_reply(self, request: ReceivedRequest, reply: Reply) -> None:
        """Handle a request and its reply, before it is sent. An ``OSError`` closes the connection."""

    def _commit(self) -> None:
        """Handle the end of a batch of requests, before their replies are sent. An ``OSError`` closes connections."""

    def _on_sent(self) -> None:
        """Handle the end of a request: its reply was sent, or the client is gone."""

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
        method, path, headers, body_bytes = RequestHead.from_event(head)
        request = ReceivedRequest(method, path, headers, b"", self._clock())
        head_decision = self._on_request_head(request, writer)
        body = bytearray()
        self._enforce_limit(body_bytes)
        while isinstance(part := await _next_event(http, reader, writer), h11.Data):
            body += part.data
            self._enforce_limit(len(body))
        return replace(request, body=bytes(body), received_s=self._clock(), head_decision=head_decision)

    def _enforce_limit(self, size: int) -> None:
        if size > self._max_body_bytes:
            raise h11.RemoteProtocolError("body too long", error_status_hint=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def _handle(self, request: ReceivedRequest, result: Reply | Awaitable[Reply] | None = None) -> Reply:
        """Return the reply to a request.

        Args:
            request: the request.
            result: result of the handler, if it was called already.
        """
        try:
            result = self._handler(request) if result is None else result
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


class ReplyHeads(dict[tuple[int, tuple[tuple[str, str], ...]], bytes | None]):
    """Heads of replies by status and headers, up to the value of ``Content-Length``, as h11 writes them.

    ``None``: the h11 loop has to send the reply, because it has another framing, or closes the connection.
    """

    def __missing__(self, key: tuple[int, tuple[tuple[str, str], ...]]) -> bytes | None:
        """Serialize and keep a new head; raise if it is invalid."""
        status, headers = key
        head = _response(Reply(status, headers=headers))
        is_unusual = status in _NO_BODY_STATUS or any(name in _UNUSUAL_REPLY_HEADERS for name, _ in head.headers)
        data = (h11.Connection(h11.SERVER).send(head) or b"").removesuffix(_LENGTH_END)
        if len(self) >= _MAX_REPLY_HEADS:
            self.clear()
        self[key] = None if is_unusual else data
        return self[key]

    def serialize(self, reply: Reply) -> bytes | None:
        """Return the bytes of a reply to an HTTP/1.1 client that keeps its connection open."""
        try:
            head = self[reply.status, reply.headers]
        except TypeError:  # a list of headers
            return None
        return None if head is None else b"%b%d\r\n\r\n%b" % (head, len(reply.body), reply.body)


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
