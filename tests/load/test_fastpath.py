"""A closed load comes to the same with its usual turns taken in one go as step by step."""

from __future__ import annotations

import asyncio
import math
import select
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from load_samples import CATALOG, make_plan
from scripted_server import Peer, ScriptedServer

from tcop_mock.callbacks.generator import Generator
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import LoadFinished, LoadSummary
from tcop_mock.load.connection import PooledConnection, ResponseCache
from tcop_mock.load.epoll import READABLE, Channel, Channels
from tcop_mock.load.executors import FastPath
from tcop_mock.load.run import LoadRun
from tcop_mock.load.stats import StatsRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.load.executors import ClosedExecutor

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="only Linux has epoll(7)")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def says(answer: bytes) -> Callable[[Peer], bool]:
    """Return a turn of the receiver that answers so, and keeps the connection."""

    def turn(peer: Peer) -> bool:
        peer.send(answer)
        return True

    return turn


def in_pieces(peer: Peer) -> bool:
    """Answer in two pieces."""
    peer.send(OK[:30])
    time.sleep(0.02)  # so that they are read one by one; if not, nothing is missed but the case
    peer.send(OK[30:])
    return True


def unasked(peer: Peer) -> bool:
    """Answer, and say more when nobody asks."""
    peer.send(OK + OK)
    return True


def ends(peer: Peer) -> bool:
    """Answer and say that this was the last one."""
    peer.send(CLOSES)
    return False


def leaves(peer: Peer) -> bool:
    """Answer as if the connection were kept, and end it."""
    peer.send(OK)
    return False


def resets(peer: Peer) -> bool:
    """Break the connection in the middle of an answer."""
    peer.send(OK[:30])
    time.sleep(0.02)  # as above
    peer.reset()
    return False


TURNS = [
    *[says(OK)] * 6,
    says(BUSY),
    *[says(OK)] * 3,
    says(CHUNKED),
    says(OK),
    in_pieces,
    *[says(OK)] * 2,
    unasked,
    says(OK),
    ends,
    *[says(OK)] * 2,
    leaves,
    *[says(OK)] * 2,
    resets,
    *[says(OK)] * 4,
]


class Load(NamedTuple):
    """What a load came to, on both sides."""

    summary: LoadSummary
    bodies: list[bytes]
    one_by_one: int
    """Times that a connection was read step by step."""


def loaded(monkeypatch: pytest.MonkeyPatch, *, fast: bool, turns: list[Callable[[Peer], bool]], **plan: Any) -> Load:
    """Run a closed load of one connection on a receiver with so many turns."""
    bodies: list[bytes] = []
    left, read = list(turns), 0

    def script(peer: Peer) -> None:
        while left:
            bodies.append(peer.read_request().partition(b"\r\n\r\n")[2])
            if not left.pop(0)(peer):
                return

    received = Channel.received

    def counting(self: Channel, data: bytes) -> None:
        nonlocal read
        read += bool(data)
        received(self, data)

    async def run(url: str) -> LoadSummary:
        steady = make_plan(url, model=LoadModel.CLOSED, concurrency=1, **plan)
        events = [event async for event in LoadRun(steady, CATALOG, Generator(1)).events()]
        assert isinstance(events[-1], LoadFinished)
        return events[-1].summary

    with monkeypatch.context() as patched, ScriptedServer(script) as server:
        patched.setattr(Channel, "received", counting)
        if not fast:
            patched.setattr(
                "tcop_mock.load.executors.FastPath", lambda channels, _: SimpleNamespace(serve=channels.serve_each)
            )
        summary = asyncio.run(run(server.url))
    return Load(summary, bodies, read)


def test_both_ways_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the receiver does: outcomes, statuses, connections, how often again, and every body, each another."""
    fast, slow = (loaded(monkeypatch, fast=fast, turns=TURNS, count=len(TURNS) - 1) for fast in (True, False))
    for name in ("attempts", "outcomes", "statuses", "connections", "replayed", "lost"):
        assert getattr(fast.summary, name) == getattr(slow.summary, name), name
    assert fast.bodies == slow.bodies
    assert len(set(fast.bodies)) == len(fast.bodies)
    for summary in (fast.summary, slow.summary):
        assert summary.ack_times.count == summary.service_times.count == summary.acked
        assert sum(point.started for point in summary.series) == summary.attempts
    assert fast.one_by_one < slow.one_by_one


def test_usual_turns_are_taken_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty plain answers two are read step by step: the first, which is new, and the last, when none is due."""
    monkeypatch.setattr("tcop_mock.load.engine.LONG_BATCH", 7)  # counted in between, and at the end
    load = loaded(monkeypatch, fast=True, turns=[says(OK)] * 20, count=20)
    assert (load.summary.acked, load.summary.ack_times.count, load.one_by_one) == (20, 20, 2)


def test_a_connection_without_an_answer_is_passed_over() -> None:
    """One that has been closed in the same turn, and one of which nothing has come after all."""

    async def run() -> list[tuple[Channel, bytes]]:
        channels, written = Channels(asyncio.get_running_loop()), list[tuple[Channel, bytes]]()
        wire = SimpleNamespace(answers=ResponseCache(1), flying={}, requests={})
        driver = SimpleNamespace(wire=wire, clock=time.perf_counter, warm_until_s=0.0, recorder=StatsRecorder())
        load = SimpleNamespace(driver=driver, bodies=iter(()), until_s=math.inf, left=9)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            line = PooledConnection(cast("Any", wire))
            channels.add(socket.create_connection(listener.getsockname()), line)
            [(descriptor, channel)] = channels.open.items()
            assert isinstance(channel, Channel)
            channel.sock.settimeout(0)
            FastPath(channels, cast("ClosedExecutor", load)).serve(
                [(descriptor + 1, READABLE), (descriptor, READABLE)], written
            )
            line.abort()
            channels.close()
        return written

    assert asyncio.run(run()) == []


def test_what_began_in_the_warm_up_is_counted_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in no total."""
    load = loaded(monkeypatch, fast=True, turns=[says(OK)] * 20, count=20, warm_up_s=60.0)
    assert (load.summary.attempts, load.summary.warm_up_attempts, load.one_by_one) == (0, 20, 20)


def test_a_load_ends_with_its_time_also_on_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """No push begins behind its end."""
    load = loaded(monkeypatch, fast=True, turns=[says(OK)] * 1_000_000, duration_s=0.3)
    assert load.summary.attempts == load.summary.acked == len(load.bodies) > 20
    assert load.one_by_one == 2
