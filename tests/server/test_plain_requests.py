"""Requests read without h11: the same captures, answers and rejections, byte for byte, as with h11 alone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import Mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcop_mock.server.faults import FaultPlan, FaultyHttpServer
from tcop_mock.server.http_server import HttpServer, ReplyHeads
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.plain_connection import HandedOver, PlainConnection, RequestHeads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tcop_mock.server.faults import Fault

CAP = 1000
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
WELL = POST + b"Content-Length: 2\r\n\r\nok"
START_LINES = [
    *[b"POST / HTTP/1.1"] * 4,
    b"GET /a?b=%20 HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"head / HTTP/1.1",
    b"CONNECT x:1 HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"POST http://x/ HTTP/1.1",
    b"POST / HTTP/1.0",
    b"POST / HTTP/2.0",
    b"POST / http/1.1",
    b"POST /\xe9 HTTP/1.1",
    b"POST  / HTTP/1.1",
    b"",
    b"\x16\x03\x01",
]
FIELDS = [
    *[b"Host: x"] * 4,
    *[b"Content-Length: 2"] * 4,
    b"content-length:\t02 ",
    b"Content-Length: 2, 2",
    b"Content-Length: 2, 3",
    b"Content-Length: +2",
    b"Content-Length: 1001",
    b"Content-Length: 99999999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Expect: 100-continue",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"Authorization: Basic eDp5",
    b"X: a\tb c",
    b"X:",
    b"X : a",
    b"X",
    b" folded",
    b"X: \x00",
    b"X: \xe9",
    b"X: " + b"x" * 20_000,
]


class Seen(NamedTuple):
    """Answers that a client gets, and requests that the server's owner sees."""

    answers: bytes
    captures: list[tuple[str, str, tuple[tuple[str, str], ...], bytes, int | None]]
    refusals: list[str]
    sent: int


class Owner:
    """Handles requests by their bodies, and keeps them."""

    def __init__(self) -> None:
        self.captures: list[tuple[str, str, tuple[tuple[str, str], ...], bytes, int | None]] = []
        self.refusals: list[str] = []
        self.sent = 0

    def handle(self, request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        """Reply in the way that the first byte of the body selects."""
        replies = {
            b"": Reply(200, b"empty"),
            b"n": Reply(204),
            b"c": Reply(200, b"c", (("Transfer-Encoding", "chunked"),)),
            b"l": Reply(200, b"l", (("Connection", "close"),)),
            b"h": Reply(503, b"h", (("Retry-After", "1"), ("Content-Length", "99"))),
            b"i": Reply(99),
            b"s": Reply(200, b"s", [("X", "1")]),  # type: ignore[arg-type]  # users may pass a list
        }
        if request.body[:1] == b"r":
            raise ValueError
        if request.body[:1] == b"a":
            return self.later(request)
        if request.body[:1] == b"x":
            return None  # type: ignore[return-value]  # users may forget to return
        return replies.get(request.body[:1], Reply(200, request.body))

    async def later(self, request: ReceivedRequest) -> Reply:
        """Reply one turn later."""
        await asyncio.sleep(0)
        return Reply(201, request.body)

    def record(self, request: ReceivedRequest, _fault: Fault | None, reply: Reply | None) -> None:
        """Keep a request."""
        status = reply.status if reply else None
        self.captures.append((request.method, request.path, request.headers, request.body, status))

    def count(self) -> None:
        """Count a request that is over."""
        self.sent += 1


async def see(segments: Sequence[bytes], *, is_plain: bool) -> Seen:
    """Send segments on one connection, end it, and return what is seen."""
    owner = Owner()
    server = FaultyHttpServer(
        owner.handle, FaultPlan(), owner.record, owner.count, max_body_bytes=CAP, on_unreadable=owner.refusals.append
    )
    server.reads_plain_requests = is_plain
    async with asyncio.timeout(10), server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for segment in segments:
            writer.write(segment)
            with contextlib.suppress(OSError):
                await writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            writer.write_eof()
        answers = await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return Seen(answers, owner.captures, owner.refusals, owner.sent)


async def see_both(segments: Sequence[bytes]) -> tuple[Seen, Seen]:
    """Return what is seen by the plain way and by h11 alone."""
    return await see(segments, is_plain=True), await see(segments, is_plain=False)


def request_bytes(start_line: bytes, fields: Sequence[bytes], end: bytes, body: bytes) -> bytes:
    """Return a request that may be odd."""
    return end.join([start_line, *fields, b"", b""]) + body


BODIES = st.sampled_from(
    [b"", b"hi", b"no", b"ch", b"le", b"ho", b"in", b"st", b"ra", b"as", b"xx", b"2\r\nhi\r\n0\r\n\r\n"]
)
REQUESTS = st.builds(
    request_bytes,
    st.sampled_from(START_LINES),
    st.lists(st.sampled_from(FIELDS), max_size=5),
    st.sampled_from([b"\r\n"] * 5 + [b"\n"]),
    BODIES,
)
PLAIN_REQUESTS = st.builds(lambda body: POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), BODIES)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(REQUESTS | PLAIN_REQUESTS, min_size=1, max_size=3), cuts=st.lists(st.integers(1, 200), max_size=2)
)
@example(requests=[WELL, WELL], cuts=[])
@example(requests=[WELL[:-1]], cuts=[5])
@example(requests=[WELL, POST + b"Connection: close\r\n\r\n", WELL], cuts=[])
@example(requests=[POST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"], cuts=[])
@example(requests=[b"POST / HTTP/1.1\r\nHost: x\n\nX: y\r\n\r\n"], cuts=[])
def test_both_ways_see_the_same(requests: list[bytes], cuts: list[int]) -> None:
    """Any requests, in any segments: the answers, what the handler and the recorder get, and the refusals are equal."""
    data, segments = b"".join(requests), []
    for cut in cuts:
        segments.append(data[:cut])
        data = data[cut:]
    plain, ordinary = asyncio.run(see_both([*segments, data]))
    assert plain == ordinary


@pytest.mark.parametrize("start_line", dict.fromkeys(START_LINES))
def test_both_ways_see_the_same_of_each_odd_request(start_line: bytes) -> None:
    """Each odd first line with each odd field, between two usual requests."""

    async def scenario() -> None:
        for field in [b"X-Usual: 1", *dict.fromkeys(FIELDS)]:
            odd = request_bytes(start_line, [b"Host: x", field], b"\r\n", b"")
            plain, ordinary = await see_both([WELL + odd + WELL])
            assert plain == ordinary
            assert plain.captures[0] == ("POST", "/", (("host", "x"), ("content-length", "2")), b"ok", 200)

    asyncio.run(scenario())


def test_usual_requests_are_not_parsed_again() -> None:
    """A head is parsed once; a body may follow in any number of segments."""

    async def scenario() -> None:
        server = HttpServer(lambda request: Reply(200, request.body))
        async with asyncio.timeout(5), server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for segments in ([WELL], [WELL + WELL[:-1], b"k"], [WELL[:-2], b"o", b"k" + WELL]):
                for segment in segments:
                    writer.write(segment)
                    await asyncio.sleep(0.001)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            assert await reader.readexactly(5 * len(answer)) == 5 * answer
            assert list(server.request_heads) == [WELL[:-2]]
            assert not server._connections
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())


def test_heads_are_kept_up_to_a_limit_and_never_shown() -> None:
    """A client that sends a new head with each request does not fill the memory."""
    heads = RequestHeads(16_384, CAP)
    for number in range(2000):
        assert heads[POST + b"X: %d\r\n\r\n" % number] is not None
        assert len(heads) <= 512
    assert heads[POST + b"X: " + b"x" * 10_000 + b"\r\n\r\n"] is not None
    assert heads[POST + b"X: " + b"x" * 20_000 + b"\r\n\r\n"] is None
    assert "x" not in repr(heads)


def test_what_was_not_recorded_is_not_answered() -> None:
    """All requests of the batch lose their answers; the server goes on."""
    full = [True]

    def commit() -> None:
        if full.pop():
            raise OSError(28, "No space left on device")

    async def scenario() -> None:
        owner = Owner()
        server = FaultyHttpServer(owner.handle, FaultPlan(), owner.record, owner.count, commit)
        async with asyncio.timeout(5), server:
            for expected in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(WELL)
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read(len(expected) or 1) == expected
                full.append(False)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            assert owner.sent == 1

    asyncio.run(scenario())


def test_a_request_that_its_owner_cannot_keep_ends_the_connection() -> None:
    """Its answer and those of the requests behind it are not sent."""

    class Full(Owner):
        def record(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    async def scenario() -> None:
        owner = Full()
        async with asyncio.timeout(5), FaultyHttpServer(owner.handle, FaultPlan(), owner.record) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(WELL + WELL)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    asyncio.run(scenario())


def test_replies_of_many_kinds_do_not_fill_the_memory() -> None:
    """Heads of replies are kept up to a limit."""
    heads = ReplyHeads()
    for number in range(600):
        reply = Reply(200, b"x", (("Location", f"/{number}"),))
        expected = f"HTTP/1.1 200 OK\r\nLocation: /{number}\r\nContent-Length: 1\r\n\r\nx"
        assert heads.serialize(reply) == expected.encode()
        assert len(heads) <= 256


def test_the_time_of_a_client_begins_again_with_each_request() -> None:
    """A client that sends a request before its time is over is not idle."""

    async def scenario() -> None:
        now_s = [0.0]
        loop = Mock(time=lambda: now_s[0])
        server = Mock(timeout_s=10.0, buffer=bytearray(WELL), request_heads=RequestHeads(1000, CAP))
        server.view = memoryview(server.buffer)
        server.answer.return_value = None
        connection = PlainConnection(server, loop)
        connection.connection_made(Mock())
        now_s[0] = 4.0
        connection.buffer_updated(len(WELL))
        now_s[0] = 10.0
        connection._expire()
        assert [call.args[0] for call in loop.call_later.call_args_list] == [10.0, 4.0]
        server.hand_over.assert_not_called()
        now_s[0] = 14.0
        connection._expire()
        server.hand_over.assert_called_once_with(connection, HandedOver(timeout_s=0.0))

    asyncio.run(scenario())
