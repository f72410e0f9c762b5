"""A sink that misbehaves, seen on raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tcop_mock.server.faults import Fault, FaultPlan, FaultyHttpServer, parse_fault
from tcop_mock.server.http_server import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
REQUEST = HEAD + b"Connection: close\r\n\r\n{}"
Told = tuple[str, str | None, int | None]


class Scene:
    """A faulty sink, and what came of requests to it."""

    def __init__(self, *faults: str) -> None:
        self.plan = FaultPlan([parse_fault(text) for text in faults])
        self.told: list[Told] = []
        self.slept_s: list[float] = []
        self.over = 0
        self.handled = 0

    def handler(self, _request: ReceivedRequest) -> Reply:
        """Answer well."""
        self.handled += 1
        return Reply(200, b"taken\n")

    def tell(self, received: ReceivedRequest, fault: Fault | None, reply: Reply | None) -> None:
        """Keep what is told."""
        self.told.append((received.body.decode(), fault.text if fault else None, reply.status if reply else None))

    def ended(self) -> None:
        """Count what is over."""
        self.over += 1

    async def sleep(self, pause_s: float) -> None:
        """Wait for nothing, and keep how long it should have been."""
        self.slept_s.append(pause_s)
        await asyncio.sleep(0)

    def sink(self) -> FaultyHttpServer:
        """Return the sink."""
        return FaultyHttpServer(self.handler, self.plan, self.tell, self.ended, sleep=self.sleep)

    def ask(self, *requests: bytes, most: int = -1) -> list[bytes | type[OSError]]:
        """Send each request on a connection of its own, and return all that comes, or how the connection ended."""
        return asyncio.run(self._ask(requests, most))

    async def _ask(self, requests: Sequence[bytes], most: int) -> list[bytes | type[OSError]]:
        async with asyncio.timeout(10), self.sink() as sink:
            return [await _asked(sink.url, request, most) for request in requests]


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


def test_without_a_fault_all_is_well() -> None:
    """What is not due is not played; each request is told before it is answered, and counted when it was."""
    scene = Scene("reset:#2")
    assert scene.ask(REQUEST) == [WELL]
    assert scene.told == [("{}", None, 200)]
    assert (scene.over, scene.slept_s) == (1, [])


@pytest.mark.parametrize("fault, slept_s", [("delay:6s", [6.0]), ("delay-headers:6s", [0.0, 6.0])])
def test_a_late_answer_is_whole(fault: str, slept_s: list[float]) -> None:
    """The whole of it, or all but its first line, comes after the delay."""
    scene = Scene(fault)
    assert scene.ask(REQUEST) == [WELL]
    assert scene.slept_s == slept_s


def test_late_headers_come_after_the_status_line() -> None:
    """A client that has its status waits for the rest."""

    class Stuck(Scene):
        async def sleep(self, pause_s: float) -> None:
            if pause_s:
                await asyncio.Event().wait()

    assert Stuck("delay-headers:6s").ask(REQUEST, most=17) == [b"HTTP/1.1 200 OK\r\n"]


def test_headers_come_byte_by_byte() -> None:
    """Each byte of the head after its gap; the body at once."""
    scene = Scene("drip-headers:20ms")
    assert scene.ask(REQUEST) == [WELL]
    assert scene.slept_s == [0.02] * (len(WELL) - 6) + [0.0]


def test_a_body_comes_byte_by_byte_and_is_long_enough_to_be_late() -> None:
    """The head at once; a short body is followed by blanks."""
    scene = Scene("drip-body:50ms")
    [answer] = scene.ask(REQUEST)
    assert isinstance(answer, bytes)
    assert answer.partition(b"\r\n\r\n")[2] == b"taken\n" + b" " * 114
    assert scene.slept_s == [0.0] + [0.05] * 120


def test_an_endless_body_ends_when_the_client_leaves() -> None:
    """Chunk after chunk; nothing of it is left when the client has gone."""
    scene = Scene("endless-body")
    [answer] = scene.ask(REQUEST, most=20_000)
    assert isinstance(answer, bytes)
    assert b"Transfer-Encoding: chunked\r\n" in answer
    assert answer.count(b"400\r\n" + b" " * 0x400 + b"\r\n") > 10
    assert scene.over == 1


def test_a_reset_comes_before_the_body() -> None:
    """The head is enough; the handler is not asked, and what came is told."""
    scene = Scene("reset")
    assert scene.ask(HEAD + b"\r\n") == [ConnectionResetError]
    assert (scene.told, scene.handled, scene.over) == ([("", "reset", None)], 0, 1)


def test_a_reset_after_the_request_loses_the_answer_only() -> None:
    """The handler has taken it: the retry that follows is a duplicate."""
    scene = Scene("reset-after-request:1")
    assert scene.ask(REQUEST, REQUEST) == [ConnectionResetError, WELL]
    assert scene.told == [("{}", "reset-after-request", None), ("{}", None, 200)]
    assert (scene.handled, scene.over) == (2, 2)


@pytest.mark.parametrize("fault, answer", [("empty", b""), ("garbage", b"\x15\x03\x03 this is no HTTP\r\n\r\n")])
def test_what_is_no_answer_ends_the_connection(fault: str, answer: bytes) -> None:
    """Nothing, or what is no HTTP, and then the orderly end of the connection."""
    scene = Scene(fault)
    assert scene.ask(REQUEST) == [answer]
    assert scene.told == [("{}", fault, None)]


@pytest.mark.parametrize(
    "fault, answer",
    [
        ("redirect", _head("307 Temporary Redirect", "Location: /elsewhere", "Content-Length: 0")),
        ("401", _head("401 Unauthorized", 'WWW-Authenticate: Basic realm="alarms"', "Content-Length: 0")),
        ("status:204", _head("204 No Content")),
        (
            "status:503",
            _head("503 Service Unavailable", "Retry-After: 1", "Content-Length: 24") + b"as asked for by --fault\n",
        ),
        ("status:500", _head("500 Internal Server Error", "Content-Length: 24") + b"as asked for by --fault\n"),
    ],
)
def test_another_answer_takes_the_place_of_the_handler_s(fault: str, answer: bytes) -> None:
    """The handler is not asked; 429 and 503 say when to come again."""
    scene = Scene(fault)
    assert scene.ask(REQUEST) == [answer]
    assert scene.handled == 0


@pytest.mark.parametrize("fault, length", [("wrong-length", 130), ("wrong-length:-5", 115), ("wrong-length:-999", 0)])
def test_a_length_is_wrong_both_ways(fault: str, length: int) -> None:
    """The head promises more or less than comes; the connection ends behind it."""
    [answer] = Scene(fault).ask(REQUEST)
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {length}".encode() in head
    assert len(body) == 120


def test_a_recording_that_fails_is_no_answer() -> None:
    """What could not be kept is not acknowledged."""

    class Full(Scene):
        def tell(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    assert Full().ask(REQUEST) == [b""]
