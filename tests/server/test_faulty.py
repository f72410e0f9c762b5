"""The faulty server on raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tcop_mock.server.faults import Fault, FaultPlan, FaultyHttpServer, parse_fault
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
REQUEST = HEAD + b"Connection: close\r\n\r\n{}"
Recorded = tuple[str, str | None, int | None]


class FaultyServerRun:
    """A faulty server, and the results of requests to it."""

    def __init__(self, *faults: str) -> None:
        self.plan = FaultPlan([parse_fault(text) for text in faults])
        self.recorded: list[Recorded] = []
        self.slept_s: list[float] = []
        self.over = 0
        self.handled = 0

    def handler(self, _request: ReceivedRequest) -> Reply:
        """Respond normally."""
        self.handled += 1
        return Reply(200, b"taken\n")

    def record(self, received: ReceivedRequest, fault: Fault | None, reply: Reply | None) -> None:
        """Record the request."""
        self.recorded.append((received.body.decode(), fault.text if fault else None, reply.status if reply else None))

    def ended(self) -> None:
        """Count the finished request."""
        self.over += 1

    async def sleep(self, pause_s: float) -> None:
        """Do not wait, but record the duration."""
        self.slept_s.append(pause_s)
        await asyncio.sleep(0)

    def server(self) -> FaultyHttpServer:
        """Return the server."""
        return FaultyHttpServer(self.handler, self.plan, self.record, self.ended, sleep=self.sleep)

    def ask(self, *requests: bytes, most: int = -1) -> list[bytes | type[OSError]]:
        """Send each request on its own connection, and return the bytes received, or how the connection ended."""
        return asyncio.run(self._ask(requests, most))

    async def _ask(self, requests: Sequence[bytes], most: int) -> list[bytes | type[OSError]]:
        async with asyncio.timeout(10), self.server() as server:
            return [await _asked(server.url, request, most) for request in requests]


async def _asked(url: str, request: bytes, most: int) -> bytes | type[OSError]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        writer.write(request)
        return await (reader.read() if most < 0 else reader.readexactly(most))
    except ConnectionResetError as problem:
        return type(problem)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "Connection: close", "", ""]).encode()


WELL = _head("200 OK", "Content-Length: 6") + b"taken\n"


def test_without_a_fault_the_reply_is_sent() -> None:
    """Each request is reported before its response is sent, and counted afterwards."""
    server_run = FaultyServerRun("reset:#2")
    assert server_run.ask(REQUEST) == [WELL]
    assert server_run.recorded == [("{}", None, 200)]
    assert (server_run.over, server_run.slept_s) == (1, [])


@pytest.mark.parametrize("fault, slept_s", [("delay:6s", [6.0]), ("delay-headers:6s", [0.0, 6.0])])
def test_a_delayed_response_is_complete(fault: str, slept_s: list[float]) -> None:
    """All of it, or all except its first line, arrives after the delay."""
    server_run = FaultyServerRun(fault)
    assert server_run.ask(REQUEST) == [WELL]
    assert server_run.slept_s == slept_s


def test_delayed_headers_follow_the_status_line() -> None:
    """A client that has the status must wait for the rest."""

    class Stuck(FaultyServerRun):
        async def sleep(self, pause_s: float) -> None:
            if pause_s:
                await asyncio.Event().wait()

    assert Stuck("delay-headers:6s").ask(REQUEST, most=17) == [b"HTTP/1.1 200 OK\r\n"]


def test_headers_arrive_byte_by_byte() -> None:
    """Each byte of the head has its delay; the body follows at once."""
    server_run = FaultyServerRun("drip-headers:20ms")
    assert server_run.ask(REQUEST) == [WELL]
    assert server_run.slept_s == [0.02] * (len(WELL) - 6) + [0.0]


def test_a_body_arrives_byte_by_byte_and_is_padded() -> None:
    """The head arrives at once; a short body is padded with blanks."""
    server_run = FaultyServerRun("drip-body:50ms")
    [answer] = server_run.ask(REQUEST)
    assert isinstance(answer, bytes)
    assert answer.partition(b"\r\n\r\n")[2] == b"taken\n" + b" " * 114
    assert server_run.slept_s == [0.0] + [0.05] * 120


def test_an_endless_body_ends_when_the_client_leaves() -> None:
    """Chunks continue until the client closes the connection; nothing is left afterwards."""
    server_run = FaultyServerRun("endless-body")
    [answer] = server_run.ask(REQUEST, most=20_000)
    assert isinstance(answer, bytes)
    assert b"Transfer-Encoding: chunked\r\n" in answer
    assert answer.count(b"400\r\n" + b" " * 0x400 + b"\r\n") > 10
    assert server_run.over == 1


def test_a_reset_happens_before_the_body() -> None:
    """The head is enough; the handler is not called, and the request is reported."""
    server_run = FaultyServerRun("reset")
    assert server_run.ask(HEAD + b"\r\n") == [ConnectionResetError]
    assert (server_run.recorded, server_run.handled, server_run.over) == ([("", "reset", None)], 0, 1)


def test_a_reset_after_the_request_loses_only_the_response() -> None:
    """The handler has the request: the retry is a duplicate."""
    server_run = FaultyServerRun("reset-after-request:1")
    assert server_run.ask(REQUEST, REQUEST) == [ConnectionResetError, WELL]
    assert server_run.recorded == [("{}", "reset-after-request", None), ("{}", None, 200)]
    assert (server_run.handled, server_run.over) == (2, 2)


@pytest.mark.parametrize("fault, answer", [("empty", b""), ("garbage", b"\x15\x03\x03 this is not HTTP\r\n\r\n")])
def test_an_invalid_response_ends_the_connection(fault: str, answer: bytes) -> None:
    """An empty or invalid response is followed by an orderly end of the connection."""
    server_run = FaultyServerRun(fault)
    assert server_run.ask(REQUEST) == [answer]
    assert server_run.recorded == [("{}", fault, None)]


@pytest.mark.parametrize(
    "fault, answer",
    [
        ("redirect", _head("307 Temporary Redirect", "Location: /elsewhere", "Content-Length: 0")),
        ("401", _head("401 Unauthorized", 'WWW-Authenticate: Basic realm="alarms"', "Content-Length: 0")),
        ("status:204", _head("204 No Content")),
        (
            "status:503",
            _head("503 Service Unavailable", "Retry-After: 1", "Content-Length: 21") + b"requested by --fault\n",
        ),
        ("status:500", _head("500 Internal Server Error", "Content-Length: 21") + b"requested by --fault\n"),
    ],
)
def test_a_reply_replaces_the_handler_s(fault: str, answer: bytes) -> None:
    """The handler is not called; 429 and 503 have a Retry-After."""
    server_run = FaultyServerRun(fault)
    assert server_run.ask(REQUEST) == [answer]
    assert server_run.handled == 0


@pytest.mark.parametrize("fault, length", [("wrong-length", 130), ("wrong-length:-5", 115), ("wrong-length:-999", 0)])
def test_a_length_is_wrong_both_ways(fault: str, length: int) -> None:
    """The head promises more or less than the body has; then the connection ends."""
    [answer] = FaultyServerRun(fault).ask(REQUEST)
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {length}".encode() in head
    assert len(body) == 120


def test_a_failed_recording_ends_without_a_response() -> None:
    """A request that could not be recorded is not acknowledged."""

    class Full(FaultyServerRun):
        def record(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    assert Full().ask(REQUEST) == [b""]
