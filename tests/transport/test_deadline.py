"""The deadline covers everything, and nothing that a receiver does stretches it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]
    PostOnce = Callable[..., Attempt]

DEADLINE_S = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time can be put forward."""

    ahead_s = 0.0

    def time(self) -> float:
        """Return the loop's time."""
        return super().time() + self.ahead_s


class Clock:
    """Counts its calls; at a given one, a long time passes on the loop."""

    def __init__(self, loop: Loop, jump_at: int) -> None:
        self._loop, self._jump_at, self._calls = loop, jump_at, 0

    def __call__(self) -> float:
        """Return how often it was called."""
        self._calls += 1
        if self._calls == self._jump_at:
            self._loop.ahead_s += 1000
        return float(self._calls)


@pytest.mark.proof
@pytest.mark.parametrize(
    "script",
    [
        lambda peer: peer.hold(),
        lambda peer: (peer.read_request(), peer.drip(b"HTTP/1.1 200 " + b"O" * 5000)),
        lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\n").drip(b"X: " + b"y" * 5000),
        lambda peer: (peer.read_request(), peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n")),
    ],
    ids=["silent", "dripped-status-line", "dripped-header", "flood-of-1xx"],
)
def test_an_answer_without_an_end_of_its_head_times_out(
    serve: Serve, post: PostOnce, script: Callable[[Peer], object]
) -> None:
    """However busy the receiver is, the attempt ends at its deadline and leaves; there is no status."""
    attempt = post(serve(script).url, deadline_s=DEADLINE_S)
    assert (attempt.outcome, attempt.status) == (Outcome.TIMED_OUT, None)
    assert DEADLINE_S <= attempt.duration_s < 20
    assert attempt.detail == "no answer inside 0.3 s"


def test_a_receiver_that_never_reads_times_out(serve: Serve, post: PostOnce) -> None:
    """A body that the receiver's and our buffers cannot hold does not hold us beyond the deadline."""
    attempt = post(serve(lambda peer: peer.ignore()).url, OutgoingRequest(b"x" * 20_000_000), deadline_s=DEADLINE_S)
    assert (attempt.outcome, attempt.status) == (Outcome.TIMED_OUT, None)
    assert attempt.duration_s < 20


def test_a_connection_that_nobody_accepts_times_out(post: PostOnce) -> None:
    """While the receiver's queue of connections is full, the attempt is not connected, and ends at its deadline."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        queue = [socket.socket() for _ in range(8)]
        for waiting in queue:
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        attempt = post(f"http://127.0.0.1:{listener.getsockname()[1]}", deadline_s=DEADLINE_S)
        for waiting in queue:
            waiting.close()
    assert (attempt.outcome, attempt.connected_s) == (Outcome.TIMED_OUT, None)
    assert attempt.detail == "no connection inside 0.3 s"


@pytest.mark.parametrize("body", [b"", b"part"])
def test_a_head_that_came_before_the_deadline_is_kept(serve: Serve, body: bytes) -> None:
    """The deadline passes inside the body: timed out, with status, accepted by its head, and the times it had."""
    server = serve(lambda peer: peer.answer(HEAD + body).hold())
    with asyncio.Runner(loop_factory=Loop) as runner:
        clock = Clock(runner.get_loop(), jump_at=3)  # type: ignore[arg-type]  # start, connected, first byte
        post = HttpTransport(Target.parse(server.url), clock=clock)
        attempt = runner.run(post(OutgoingRequest(b"{}"), deadline_s=500))
    assert (attempt.outcome, attempt.status, attempt.accepted) == (Outcome.TIMED_OUT, 200, True)
    assert (attempt.started_s, attempt.connected_s, attempt.first_byte_s, attempt.ended_s) == (1, 2, 3, 4)
    assert (attempt.intended_s, attempt.body) == (1, body)
    assert attempt.detail == "the head of the answer came in time, its body did not end"


@pytest.mark.parametrize("jump_at, connected_s", [(1, None), (2, 2.0)])
def test_the_deadline_counts_from_the_start(serve: Serve, jump_at: int, connected_s: float | None) -> None:
    """Time that passes once connected is part of it; time before the attempt is not."""
    server = serve(lambda peer: peer.hold())
    with asyncio.Runner(loop_factory=Loop) as runner:
        clock = Clock(runner.get_loop(), jump_at)  # type: ignore[arg-type]  # it has the one method
        post = HttpTransport(Target.parse(server.url), clock=clock)
        deadline_s = 500 if connected_s else DEADLINE_S
        attempt = runner.run(post(OutgoingRequest(b"{}"), deadline_s=deadline_s, intended_s=-4.0))
    assert attempt.outcome is Outcome.TIMED_OUT
    assert attempt.intended_s == -4.0
    assert connected_s is None or attempt.connected_s == connected_s


@pytest.mark.parametrize("drip", [True, False], ids=["dripped", "silent"])
def test_patience_ends_the_wait_for_a_body_early(serve: Serve, sender: PostOnce, *, drip: bool) -> None:
    """After the head the body has patience_s; then the attempt is timed out with its status, far from the deadline."""

    def script(peer: Peer) -> None:
        peer.answer(HEAD)
        if drip:
            peer.drip(b"x" * 50_000)
        peer.hold()

    attempt = sender(serve(script).url, OutgoingRequest(b"{}", body_timeout_s=0.2), deadline_s=600)
    assert (attempt.outcome, attempt.status) == (Outcome.TIMED_OUT, 200)
    assert 0.2 <= attempt.duration_s < 60


def test_patience_does_not_count_before_the_head(serve: Serve, sender: PostOnce) -> None:
    """A receiver may take longer than patience_s for its head, and is acked when the body comes with it."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 30 + b"\r\nContent-Length: 0\r\n\r")
        peer.send(b"\n")

    attempt = sender(serve(script).url, OutgoingRequest(b"{}", body_timeout_s=0.01))
    assert (attempt.outcome, attempt.duration_s > 0.01) == (Outcome.ACKED, True)


def test_a_resolver_that_hangs_holds_up_neither_the_attempt_nor_the_exit() -> None:
    """The attempt times out at its deadline, and the program ends though the look-up goes on."""
    program = """
import asyncio, threading
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

def hang(*_, **__):
    threading.Event().wait()

post = HttpTransport(Target.parse("http://callback.test"), resolve=hang)
print(asyncio.run(post(OutgoingRequest(b"{}"), deadline_s=0.2)).outcome)
"""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert (done.stdout, done.stderr) == ("timed_out\n", "")


def test_a_resolver_that_answers_too_late_disturbs_nobody() -> None:
    """Its answer comes after the attempt and after the loop has gone; it raises nowhere."""
    program = """
import asyncio, socket, threading
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

go_on, threads = threading.Event(), []

def late(*arguments, **options):
    threads.append(threading.current_thread())
    go_on.wait()
    return socket.getaddrinfo("127.0.0.1", 1, **options)

async def twice():
    post = HttpTransport(Target.parse("http://callback.test"), resolve=late)
    first = await post(OutgoingRequest(b"{}"), deadline_s=0.1)
    go_on.set()
    threads[0].join()
    await asyncio.sleep(0)
    go_on.clear()
    return first, await post(OutgoingRequest(b"{}"), deadline_s=0.1)

attempts = asyncio.run(twice())
go_on.set()
threads[1].join()
print(*(attempt.outcome for attempt in attempts))
"""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert (done.stdout, done.stderr) == ("timed_out timed_out\n", "")
