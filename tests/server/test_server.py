"""The HTTP server on raw sockets: accepted and rejected requests, and complete cleanup."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from broken_servers import BrokenServer
from hypothesis import given, settings
from hypothesis import strategies as st

from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CAP = 1000
POST = b"POST /hook?a=1 HTTP/1.1\r\nHost: x\r\n"
CONTINUE = b"HTTP/1.1 100 \r\n\r\n"


def echo(request: ReceivedRequest) -> Reply:
    """Respond with the received body."""
    return Reply(200, request.body)


class Wire:
    """Client side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Pass bytes to the kernel in one write."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response framed by Content-Length: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("Content-Length", "0")))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        return await self.reader.read()


@contextlib.asynccontextmanager
async def wired(server: HttpServer) -> AsyncIterator[Wire]:
    """Open a connection to a server."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(server: HttpServer, request: bytes) -> bytes:
    """Send a complete request, with ``Connection: close`` or broken, and return the received bytes."""
    async with asyncio.timeout(5), wired(server) as wire:
        await wire.send(request)
        return await wire.rest()


def test_a_handler_gets_the_complete_request() -> None:
    """Method, target with query, lower-case headers, body and the clock's time reach the handler."""
    seen: list[ReceivedRequest] = []

    def handler(request: ReceivedRequest) -> Reply:
        seen.append(request)
        return Reply(202)

    async def scenario() -> None:
        async with HttpServer(handler, clock=lambda: 7.0) as server:
            await ask(server, POST + b"X-Twice: 1\r\nX-Twice: 2\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")

    asyncio.run(scenario())
    headers = (("host", "x"), ("x-twice", "1"), ("x-twice", "2"), ("connection", "close"), ("content-length", "2"))
    assert seen == [ReceivedRequest("POST", "/hook?a=1", headers, b"hi", 7.0)]
    assert (seen[0].header("x-twice"), seen[0].header("absent")) == ("1", "")


def test_two_requests_on_one_connection_get_responses_in_order() -> None:
    """A connection is kept alive, and pipelined requests get their responses in order."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as server, wired(server) as wire:
            await wire.send(POST + b"Content-Length: 3\r\n\r\none")
            assert (await wire.answer())[2] == b"one"
            await wire.send(b"".join(POST + b"Content-Length: 1\r\n\r\n" + body for body in (b"2", b"3")))
            assert [(await wire.answer())[2] for _ in range(2)] == [b"2", b"3"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_bytes",
    [
        POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
    ],
    ids=["content-length", "chunked", "http-1.0"],
)
def test_a_body_is_read_however_it_is_framed_or_dripped(request_bytes: bytes) -> None:
    """The body is the same in one segment and byte by byte; then the connection ends as the client requested."""

    async def scenario() -> None:
        async with HttpServer(echo) as server:
            assert (await ask(server, request_bytes)).endswith(b"\r\n\r\nhi")
            async with asyncio.timeout(5), wired(server) as wire:
                for byte in request_bytes:
                    await wire.send(bytes([byte]))
                assert (await wire.rest()).endswith(b"\r\n\r\nhi")

    asyncio.run(scenario())


def test_expect_100_continue_is_answered_before_the_body() -> None:
    """A client that waits for 100 gets it, then sends its body and gets the response."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as server, wired(server) as wire:
            await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert await wire.reader.readexactly(len(CONTINUE)) == CONTINUE
            await wire.send(b"hi")
            assert await wire.answer() == (200, {"Content-Length": "2"}, b"hi")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"what is this\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 501),
        (POST + b"Content-Length: two\r\n\r\nhi", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"X: " + b"x" * 20_000, 431),
        (POST + b"Content-Length: %d\r\n\r\n" % (CAP + 1), 413),
        (POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (CAP + 1), 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (CAP + 1), 413),
    ],
    ids=[
        "no-http",
        "no-host",
        "proxy",
        "bad-length",
        "bad-chunk",
        "long-head",
        "long-body",
        "expect-long-body",
        "long-chunks",
    ],
)
def test_invalid_and_too_large_requests_are_rejected(request_bytes: bytes, status: int) -> None:
    """The handler is not called, the status says why, and the server continues to serve others."""
    handler = Mock(return_value=Reply())

    async def scenario() -> None:
        async with HttpServer(handler, max_body_bytes=CAP) as server:
            answer = await ask(server, request_bytes)
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"\r\nConnection: close\r\n" in answer
            handler.assert_not_called()
            assert (await ask(server, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_bytes, reason",
    [
        (
            b"\x16\x03\x01\x00\x05hello",
            "a TLS handshake came in place of a request: write http:// in the URL of the sender",
        ),
        (POST + b"Content-Length: 1001\r\n\r\n", "a request has a body that is too long"),
        (POST + b"Authorization s3cret\r\n\r\n", "a request is not HTTP/1.1: illegal header line"),
        (POST, "a request did not end within 0.1 s"),
    ],
)
def test_a_request_that_cannot_be_read_is_reported(request_bytes: bytes, reason: str) -> None:
    """Its reason names what the client has to change, and holds nothing that may be secret."""
    reasons: list[str] = []

    async def run() -> None:
        server = HttpServer(echo, max_body_bytes=CAP, timeout_s=0.1, on_unreadable=reasons.append)
        async with server, wired(server) as wire:
            await wire.send(request_bytes)
            await wire.rest()

    asyncio.run(run())
    assert reasons == [reason]


def test_a_body_of_the_maximum_length_is_accepted() -> None:
    """The limit is the longest accepted body."""

    async def scenario() -> None:
        async with HttpServer(echo, max_body_bytes=CAP) as server:
            head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % CAP
            assert (await ask(server, head + b"x" * CAP)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_a_client_that_continues_to_send_can_read_the_rejection() -> None:
    """A client that sends 4 MB can still read the 413, because the server reads on before it closes."""

    async def scenario() -> None:
        async with HttpServer(echo, max_body_bytes=CAP) as server:
            answer = await ask(server, POST + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
            assert answer.startswith(b"HTTP/1.1 413 ")

    asyncio.run(scenario())


@pytest.mark.parametrize("partial", [b"POST / HT", POST + b"Content-Length: 9\r\n\r\nfour"], ids=["head", "body"])
def test_an_incomplete_request_does_not_reach_the_handler(partial: bytes) -> None:
    """A half-closed request gets 400, a broken connection nothing."""
    handler = Mock(return_value=Reply())

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(handler) as server:
            async with wired(server) as wire:
                await wire.send(partial)
                wire.writer.write_eof()
                assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
            async with wired(server) as wire:
                await wire.send(partial)
                reset(wire.writer)
            await served(server)

    asyncio.run(scenario())
    handler.assert_not_called()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    linger_off = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    writer.transport.abort()


async def served(server: HttpServer) -> None:
    """Wait until the server has finished its connections."""
    if server._connections:
        await asyncio.wait(server._connections)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(99),
        Reply(200, headers=(("bad name", "x"),)),
        Reply(200, headers=(("X", "a\r\nb"),)),
        Reply(200, headers=(("Transfer-Encoding", "gzip"),)),
        None,
        ValueError("s3cret trace"),
    ],
    ids=["status", "header-name", "header-value", "transfer-encoding", "no-reply", "raises"],
)
def test_a_handlers_error_is_an_empty_500(reply: Reply | Exception | None) -> None:
    """A handler that raises or returns an invalid reply gives a 500 without a body, and the connection stays open."""
    handler = Mock(side_effect=[reply, Reply(204)])

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(handler) as server, wired(server) as wire:
            await wire.send(POST + b"\r\n")
            assert await wire.answer() == (500, {"Content-Length": "0"}, b"")
            await wire.send(POST + b"\r\n")
            assert (await wire.answer())[0] == 204

    asyncio.run(scenario())


def test_an_asynchronous_handler_is_awaited() -> None:
    """The result of an awaitable is the reply."""

    async def handler(request: ReceivedRequest) -> Reply:
        return Reply(201, request.path.encode())

    async def scenario() -> None:
        async with HttpServer(handler) as server:
            assert (await ask(server, POST + b"Connection: close\r\n\r\n")).endswith(b"\r\n\r\n/hook?a=1")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "method, reply, expected",
    [
        ("GET", Reply(200, b"hi"), b"Content-Length: 2\r\nConnection: close\r\n\r\nhi"),
        ("GET", Reply(200, b"hi", (("Content-Length", "9"),)), b"Content-Length: 2\r\nConnection: close\r\n\r\nhi"),
        ("HEAD", Reply(200, b"hi"), b"Content-Length: 2\r\nConnection: close\r\n\r\n"),
        ("GET", Reply(204, b"hi"), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        ("GET", Reply(299), b"HTTP/1.1 299 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        (
            "GET",
            Reply(200, b"hi", (("Transfer-Encoding", "chunked"),)),
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
    ],
    ids=["length", "wrong-length", "head", "no-content", "unknown-status", "chunked"],
)
def test_a_response_is_framed_by_method_and_status(method: str, reply: Reply, expected: bytes) -> None:
    """Content-Length is right, HEAD and 204 have no body, and a chunked response is one chunk."""

    async def scenario() -> None:
        async with HttpServer(lambda _: reply) as server:
            request = f"{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            assert (await ask(server, request)).endswith(expected)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "partial, answer",
    [(b"", b""), (POST, b"HTTP/1.1 408 "), (POST + b"Content-Length: 9\r\n\r\nfour", b"HTTP/1.1 408 ")],
    ids=["idle", "head", "body"],
)
def test_a_client_that_is_too_slow_is_disconnected(partial: bytes, answer: bytes) -> None:
    """An idle connection is closed silently, an incomplete request gets 408."""

    async def scenario() -> None:
        async with HttpServer(echo, timeout_s=0.05) as server:
            assert (await ask(server, partial))[: len(answer) or None] == answer

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_disconnected() -> None:
    """An unread response ends its connection after the timeout."""

    async def scenario() -> None:
        server = HttpServer(lambda _: Reply(200, bytes(50_000_000)), timeout_s=0.05)
        async with asyncio.timeout(5), server, wired(server) as wire:
            await wire.send(POST + b"\r\n")
            await wire.reader.readexactly(1)
            await served(server)

    asyncio.run(scenario())


def test_leaving_the_server_ends_every_connection_at_once() -> None:
    """Idle clients, incomplete requests and running handlers are ended, and no task or socket is left."""
    started = asyncio.Event()

    async def handler(_: ReceivedRequest) -> Reply:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        async with asyncio.timeout(5), contextlib.AsyncExitStack() as stack:
            server = HttpServer(handler)
            async with server:
                wires = [await stack.enter_async_context(wired(server)) for _ in range(3)]
                await wires[0].send(POST)
                await wires[1].send(POST + b"\r\n")
                await started.wait()
            assert [await wire.rest() for wire in wires] == [b"", b"", b""]
            assert not server._connections
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_a_connection_during_closing_is_dropped() -> None:
    """A connection accepted before closing and delivered afterwards is not served."""

    async def scenario() -> None:
        server, writer = HttpServer(echo), Mock()
        server._accept(Mock(), writer)
        writer.transport.abort.assert_called_once_with()
        assert not server._connections
        connection = Mock()
        assert not server.connected(connection)
        connection.transport.abort.assert_called_once_with()

    asyncio.run(scenario())


@pytest.mark.parametrize("server_class, method", [(HttpServer, "connected"), (BrokenServer, "_accept")])
def test_a_connection_not_served_yet_is_closed(server_class: type[HttpServer], method: str) -> None:
    """A client accepted at the moment of closing is also disconnected."""

    async def scenario() -> None:
        server = server_class(lambda _: Reply(200))
        accept, accepted = getattr(server, method), asyncio.Event()

        def accept_last(*connection: object) -> None:
            closing.append(asyncio.ensure_future(server.__aexit__(None, None, None)))
            accept(*connection)
            accepted.set()

        closing: list[asyncio.Future[None]] = []
        setattr(server, method, accept_last)  # called in between
        await server.__aenter__()
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(5):
            await accepted.wait()
            await closing[0]
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()

    asyncio.run(scenario())


@pytest.mark.proof
def test_three_hundred_clients_at_once_get_responses() -> None:
    """Each client of a burst gets its own response."""

    async def scenario() -> None:
        async with HttpServer(echo) as server:
            bodies = [b"%03d" % number for number in range(300)]
            head = POST + b"Connection: close\r\nContent-Length: 3\r\n\r\n"
            answers = await asyncio.gather(*(ask(server, head + body) for body in bodies))
            assert [answer[-3:] for answer in answers] == bodies

    asyncio.run(scenario())


def test_the_url_has_the_address_of_the_server() -> None:
    """The URL has the chosen port and IPv6 hosts in brackets; a closed server has none."""

    async def scenario() -> None:
        server = HttpServer(echo)
        async with server:
            assert server.url.startswith("http://127.0.0.1:")
        with pytest.raises(TcopMockError, match="not running"):
            _ = server.url
        await server.__aexit__(None, None, None)

    asyncio.run(scenario())


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_the_server_listens_on_ipv6() -> None:
    """An IPv6 host is in brackets in the URL."""

    async def scenario() -> None:
        async with HttpServer(echo, host="::1") as server:
            assert server.url.startswith("http://[::1]:")
            assert (await ask(server, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_an_address_in_use_is_a_usage_error() -> None:
    """The error names the address and says what to do."""

    async def scenario() -> None:
        async with HttpServer(echo) as first:
            port = int(first.url.rpartition(":")[2])
            with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: .*port 0"):
                await HttpServer(echo, port=port).__aenter__()

    asyncio.run(scenario())


@settings(max_examples=40, deadline=None)
@given(garbage=st.binary(max_size=200))
def test_no_bytes_break_the_server(garbage: bytes) -> None:
    """Any bytes get an HTTP response or a silent close, and the next request is served."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as server:
            async with wired(server) as wire:
                await wire.send(garbage)
                wire.writer.write_eof()
                answer = await wire.rest()
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert (await ask(server, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())
