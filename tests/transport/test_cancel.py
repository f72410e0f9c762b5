"""A cancelled attempt raises CancelledError and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"


@pytest.mark.proof
@pytest.mark.parametrize(
    "answer, push, scheme",
    [
        (b"", OutgoingRequest(b"{}"), "http"),
        (HEAD, OutgoingRequest(b"{}"), "http"),
        (HEAD, OutgoingRequest(b"{}", body_timeout_s=25), "http"),
        (b"", OutgoingRequest(b"x" * 20_000_000), "http"),
        (b"", OutgoingRequest(b"x" * 5000, segment_sizes=(1,)), "http"),
        (b"", OutgoingRequest(b"{}"), "https"),
    ],
    ids=["before-answer", "in-body", "in-patience", "in-write", "between-segments", "in-handshake"],
)
def test_a_cancelled_attempt_leaves_nothing(serve: Serve, answer: bytes, push: OutgoingRequest, scheme: str) -> None:
    """CancelledError comes through, the receiver sees the connection end, no task or socket stays."""
    begun, left = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_some()
        peer.send(answer)
        begun.set()
        try:
            peer.hold()
        finally:
            left.set()

    async def scenario(url: str) -> None:
        loop = asyncio.get_running_loop()
        attempt = asyncio.create_task(HttpTransport(Target.parse(url))(push, deadline_s=25))
        await loop.run_in_executor(None, begun.wait, 25)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await loop.run_in_executor(None, left.wait, 25)

    asyncio.run(scenario(serve(script).url.replace("http", scheme)), debug=True)
    gc.collect()  # an open socket would warn here, and warnings are errors


def test_an_attempt_cancelled_in_its_look_up_leaves_nothing() -> None:
    """CancelledError comes through although the resolver hangs, and its late answer goes nowhere."""
    asked, go_on = threading.Event(), threading.Event()

    def resolve(*_: object, **__: object) -> Any:
        asked.set()
        go_on.wait(25)
        return []

    async def scenario() -> None:
        post = HttpTransport(Target.parse("http://callback.test"), resolve=resolve)
        attempt = asyncio.create_task(post(OutgoingRequest(b"{}"), deadline_s=25))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, 25)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        go_on.set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_a_request_that_hangs_up_is_sent_whole_and_reads_no_response(serve: Serve) -> None:
    """The connection closes after the request, and the outcome is cancelled; the pause is awaited."""
    requests: list[bytes] = []
    left = threading.Event()
    pauses_s: list[float] = []

    def script(peer: Peer) -> None:
        requests.append(peer.read_request())
        try:
            peer.hold()
        finally:
            left.set()

    async def pause(seconds: float) -> None:
        pauses_s.append(seconds)

    push = OutgoingRequest(b'{"a":1}', hang_up_after_s=1.5)
    transport = HttpTransport(Target.parse(serve(script).url), sleep=pause)
    attempt = asyncio.run(transport(push, deadline_s=25))
    assert left.wait(25)
    assert (attempt.outcome, attempt.status, pauses_s) == (Outcome.CANCELLED, None, [1.5])
    assert requests[0].endswith(b'{"a":1}')
