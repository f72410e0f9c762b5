"""The sink on raw sockets: what it reads, what it refuses, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.server.http_server import HttpServer, ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CAP = 1000
POST = b"POST /hook?a=1 HTTP/1.1\r\nHost: x\r\n"
CONTINUE = b"HTTP/1.1 100 \r\n\r\n"


def echo(request: ReceivedRequest) -> Reply:
    """Answer with the body that came."""
    return Reply(200, request.body)


class Wire:
    """The client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Hand bytes to the kernel as a write of their own."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer framed by Content-Length: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("Content-Length", "0")))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        return await self.reader.read()


@contextlib.asynccontextmanager
async def wired(sink: HttpServer) -> AsyncIterator[Wire]:
    """Open a connection to a sink."""
    host, _, port = sink.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(sink: HttpServer, request: bytes) -> bytes:
    """Send a whole request, with ``Connection: close`` or broken, and return all that comes."""
    async with asyncio.timeout(5), wired(sink) as wire:
        await wire.send(request)
        return await wire.rest()


def test_a_handler_gets_the_whole_request() -> None:
    """Method, target with query, lower-cased headers, body and the clock's time reach the handler."""
    seen: list[ReceivedRequest] = []

    def handler(request: ReceivedRequest) -> Reply:
        seen.append(request)
        return Reply(202)

    async def scenario() -> None:
        async with HttpServer(handler, clock=lambda: 7.0) as sink:
            await ask(sink, POST + b"X-Twice: 1\r\nX-Twice: 2\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")

    asyncio.run(scenario())
    headers = (("host", "x"), ("x-twice", "1"), ("x-twice", "2"), ("connection", "close"), ("content-length", "2"))
    assert seen == [ReceivedRequest("POST", "/hook?a=1", headers, b"hi", 7.0)]
    assert (seen[0].header("x-twice"), seen[0].header("absent")) == ("1", "")


def test_two_requests_on_one_connection_are_answered_in_turn() -> None:
    """A connection is kept alive, and pipelined requests are answered in their order."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as sink, wired(sink) as wire:
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
    """The same body arrives in one segment and byte by byte; then the connection ends as the client asked."""

    async def scenario() -> None:
        async with HttpServer(echo) as sink:
            assert (await ask(sink, request_bytes)).endswith(b"\r\n\r\nhi")
            async with asyncio.timeout(5), wired(sink) as wire:
                for byte in request_bytes:
                    await wire.send(bytes([byte]))
                assert (await wire.rest()).endswith(b"\r\n\r\nhi")

    asyncio.run(scenario())


def test_expect_100_continue_is_answered_before_the_body() -> None:
    """A client that waits for 100 gets it, then sends its body and gets the answer."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as sink, wired(sink) as wire:
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
def test_what_is_no_request_or_too_much_is_refused_and_the_connection_closed(request_bytes: bytes, status: int) -> None:
    """The handler is not asked, the status says why, and the sink goes on serving others."""
    handler = Mock(return_value=Reply())

    async def scenario() -> None:
        async with HttpServer(handler, max_body_bytes=CAP) as sink:
            answer = await ask(sink, request_bytes)
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"\r\nConnection: close\r\n" in answer
            handler.assert_not_called()
            assert (await ask(sink, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_a_body_as_long_as_the_cap_is_taken() -> None:
    """The cap is the longest body that passes."""

    async def scenario() -> None:
        async with HttpServer(echo, max_body_bytes=CAP) as sink:
            head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % CAP
            assert (await ask(sink, head + b"x" * CAP)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_a_refusal_is_read_whole_by_a_client_that_sends_on() -> None:
    """A client that sends 4 MB into a 413 still reads the 413, because the sink reads on before it closes."""

    async def scenario() -> None:
        async with HttpServer(echo, max_body_bytes=CAP) as sink:
            answer = await ask(sink, POST + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
            assert answer.startswith(b"HTTP/1.1 413 ")

    asyncio.run(scenario())


@pytest.mark.parametrize("partial", [b"POST / HT", POST + b"Content-Length: 9\r\n\r\nfour"], ids=["head", "body"])
def test_a_client_that_leaves_in_the_middle_is_no_request(partial: bytes) -> None:
    """A half-closed request is answered with 400, a broken connection with nothing; neither reaches the handler."""
    handler = Mock(return_value=Reply())

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(handler) as sink:
            async with wired(sink) as wire:
                await wire.send(partial)
                wire.writer.write_eof()
                assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
            async with wired(sink) as wire:
                await wire.send(partial)
                reset(wire.writer)
            await served(sink)

    asyncio.run(scenario())
    handler.assert_not_called()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    linger_off = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    writer.transport.abort()


async def served(sink: HttpServer) -> None:
    """Return when the sink has done with the connections it has."""
    if sink._connections:
        await asyncio.wait(sink._connections)


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
def test_a_handlers_fault_is_a_bare_500(reply: Reply | Exception | None) -> None:
    """A handler that raises or answers what is no HTTP gives a 500 without a body, and the connection lives on."""
    handler = Mock(side_effect=[reply, Reply(204)])

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(handler) as sink, wired(sink) as wire:
            await wire.send(POST + b"\r\n")
            assert await wire.answer() == (500, {"Content-Length": "0"}, b"")
            await wire.send(POST + b"\r\n")
            assert (await wire.answer())[0] == 204

    asyncio.run(scenario())


def test_an_asynchronous_handler_is_awaited() -> None:
    """What an awaitable gives is the answer."""

    async def handler(request: ReceivedRequest) -> Reply:
        return Reply(201, request.path.encode())

    async def scenario() -> None:
        async with HttpServer(handler) as sink:
            assert (await ask(sink, POST + b"Connection: close\r\n\r\n")).endswith(b"\r\n\r\n/hook?a=1")

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
def test_an_answer_is_framed_as_its_method_and_status_want(method: str, reply: Reply, expected: bytes) -> None:
    """Content-Length is right, HEAD and 204 have no body, and a chunked answer is one chunk."""

    async def scenario() -> None:
        async with HttpServer(lambda _: reply) as sink:
            request = f"{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            assert (await ask(sink, request)).endswith(expected)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "partial, answer",
    [(b"", b""), (POST, b"HTTP/1.1 408 "), (POST + b"Content-Length: 9\r\n\r\nfour", b"HTTP/1.1 408 ")],
    ids=["idle", "head", "body"],
)
def test_a_client_that_is_too_slow_is_let_go(partial: bytes, answer: bytes) -> None:
    """An idle connection is closed without a word, a request that does not end with 408."""

    async def scenario() -> None:
        async with HttpServer(echo, timeout_s=0.05) as sink:
            assert (await ask(sink, partial))[: len(answer) or None] == answer

    asyncio.run(scenario())


def test_a_client_that_does_not_take_its_answer_is_let_go() -> None:
    """An answer that nobody reads ends its connection after the timeout."""

    async def scenario() -> None:
        sink = HttpServer(lambda _: Reply(200, bytes(50_000_000)), timeout_s=0.05)
        async with asyncio.timeout(5), sink, wired(sink) as wire:
            await wire.send(POST + b"\r\n")
            await wire.reader.readexactly(1)
            await served(sink)

    asyncio.run(scenario())


def test_leaving_the_sink_ends_every_connection_at_once() -> None:
    """Idle clients, half-sent requests and running handlers are let go, and no task or socket is left."""
    started = asyncio.Event()

    async def handler(_: ReceivedRequest) -> Reply:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        async with asyncio.timeout(5), contextlib.AsyncExitStack() as stack:
            sink = HttpServer(handler)
            async with sink:
                wires = [await stack.enter_async_context(wired(sink)) for _ in range(3)]
                await wires[0].send(POST)
                await wires[1].send(POST + b"\r\n")
                await started.wait()
            assert [await wire.rest() for wire in wires] == [b"", b"", b""]
            assert not sink._connections
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_a_connection_that_comes_while_the_sink_closes_is_dropped() -> None:
    """What the event loop had accepted before and hands over afterwards is not served."""

    async def scenario() -> None:
        sink, writer = HttpServer(echo), Mock()
        sink._accept(Mock(), writer)
        writer.transport.abort.assert_called_once_with()
        assert not sink._connections

    asyncio.run(scenario())


def test_a_connection_that_is_not_served_yet_is_closed_with_the_sink() -> None:
    """Who was accepted in the very moment in which the sink closes is hung up on, too."""

    async def scenario() -> None:
        sink = HttpServer(lambda _: Reply(200))
        accept, accepted = sink._accept, asyncio.Event()

        def accept_last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            closing.append(asyncio.ensure_future(sink.__aexit__(None, None, None)))
            accept(reader, writer)
            accepted.set()

        closing: list[asyncio.Future[None]] = []
        sink._accept = accept_last  # type: ignore[method-assign]  # to be called in between
        await sink.__aenter__()
        host, port = sink.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(5):
            await accepted.wait()
            await closing[0]
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()

    asyncio.run(scenario())


def test_three_hundred_clients_at_once_are_all_answered() -> None:
    """A burst that connects in one go gets its answers, each its own."""

    async def scenario() -> None:
        async with HttpServer(echo) as sink:
            bodies = [b"%03d" % number for number in range(300)]
            head = POST + b"Connection: close\r\nContent-Length: 3\r\n\r\n"
            answers = await asyncio.gather(*(ask(sink, head + body) for body in bodies))
            assert [answer[-3:] for answer in answers] == bodies

    asyncio.run(scenario())


def test_the_url_says_where_the_sink_listens() -> None:
    """The URL holds the free port that was taken, IPv6 hosts in brackets; a closed sink has none."""

    async def scenario() -> None:
        sink = HttpServer(echo)
        async with sink:
            assert sink.url.startswith("http://127.0.0.1:")
        with pytest.raises(TcopMockError, match="not open"):
            _ = sink.url
        await sink.__aexit__(None, None, None)

    asyncio.run(scenario())


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_the_sink_listens_on_ipv6_too() -> None:
    """An IPv6 host stands in brackets in the URL."""

    async def scenario() -> None:
        async with HttpServer(echo, host="::1") as sink:
            assert sink.url.startswith("http://[::1]:")
            assert (await ask(sink, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_an_address_in_use_is_the_users_mistake() -> None:
    """The error names the address and says what to do."""

    async def scenario() -> None:
        async with HttpServer(echo) as first:
            port = int(first.url.rpartition(":")[2])
            with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: .*port 0"):
                await HttpServer(echo, port=port).__aenter__()

    asyncio.run(scenario())


@settings(max_examples=40, deadline=None)
@given(garbage=st.binary(max_size=200))
def test_no_bytes_break_the_sink(garbage: bytes) -> None:
    """Whatever comes is answered as HTTP or closed in silence, and the next request is served."""

    async def scenario() -> None:
        async with asyncio.timeout(5), HttpServer(echo) as sink:
            async with wired(sink) as wire:
                await wire.send(garbage)
                wire.writer.write_eof()
                answer = await wire.rest()
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert (await ask(sink, POST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())
