"""A closed load has the same result with and without the hot loop."""

from __future__ import annotations

import asyncio
import math
import select
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from load_samples import CATALOG, make_plan
from scripted_server import Peer, ScriptedServer

from tcop_mock.callbacks.generator import Generator
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import LoadFinished, LoadSummary
from tcop_mock.load.connection import PooledConnection, ResponseCache
from tcop_mock.load.epoll import EpollSelector, EpollTransport
from tcop_mock.load.run import LoadRun
from tcop_mock.load.stats import StatsRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="only Linux has epoll(7)")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def responds(answer: bytes) -> Callable[[Peer], bool]:
    """Return a turn of the receiver that sends a response and keeps the connection."""

    def turn(peer: Peer) -> bool:
        peer.send(answer)
        return True

    return turn


def in_pieces(peer: Peer) -> bool:
    """Respond in two pieces."""
    peer.send(OK[:30])
    time.sleep(0.02)  # so that they are read separately; otherwise only this case is not covered
    peer.send(OK[30:])
    return True


def unasked(peer: Peer) -> bool:
    """Send a second, unrequested response."""
    peer.send(OK + OK)
    return True


def ends(peer: Peer) -> bool:
    """Respond with ``Connection: close``."""
    peer.send(CLOSES)
    return False


def leaves(peer: Peer) -> bool:
    """Respond without ``Connection: close`` and close the connection."""
    peer.send(OK)
    return False


def resets(peer: Peer) -> bool:
    """Reset the connection within a response."""
    peer.send(OK[:30])
    time.sleep(0.02)  # as above
    peer.reset()
    return False


TURNS = [
    *[responds(OK)] * 6,
    responds(BUSY),
    *[responds(OK)] * 3,
    responds(CHUNKED),
    responds(OK),
    in_pieces,
    *[responds(OK)] * 2,
    unasked,
    responds(OK),
    ends,
    *[responds(OK)] * 2,
    leaves,
    *[responds(OK)] * 2,
    resets,
    *[responds(OK)] * 4,
]


class Load(NamedTuple):
    """The result of a load on both sides."""

    summary: LoadSummary
    bodies: list[bytes]
    one_by_one: int
    """How often the transport, not the hot loop, read data."""


def loaded(
    monkeypatch: pytest.MonkeyPatch, *, hot_loop: bool, turns: list[Callable[[Peer], bool]], **plan: Any
) -> Load:
    """Run a closed load over one connection against a scripted receiver."""
    bodies: list[bytes] = []
    left, read = list(turns), 0

    def script(peer: Peer) -> None:
        while left:
            bodies.append(peer.read_request().partition(b"\r\n\r\n")[2])
            if not left.pop(0)(peer):
                return

    data_read = EpollTransport.data_read

    def counting(self: EpollTransport, data: bytes) -> None:
        nonlocal read
        read += bool(data)
        data_read(self, data)

    async def run(url: str) -> LoadSummary:
        steady = make_plan(url, model=LoadModel.CLOSED, concurrency=1, **plan)
        events = [event async for event in LoadRun(steady, CATALOG, Generator(1)).events()]
        assert isinstance(events[-1], LoadFinished)
        return events[-1].summary

    with monkeypatch.context() as patched, ScriptedServer(script) as server:
        patched.setattr(EpollTransport, "data_read", counting)
        if not hot_loop:
            patched.setattr(EpollSelector, "use_hot_loop", lambda *_: None)
        summary = asyncio.run(run(server.url))
    return Load(summary, bodies, read)


def test_the_hot_loop_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes, statuses, connections, replays and bodies are the same for every behaviour of the receiver."""
    fast, slow = (
        loaded(monkeypatch, hot_loop=hot_loop, turns=TURNS, count=len(TURNS) - 1) for hot_loop in (True, False)
    )
    for name in ("attempts", "outcomes", "statuses", "connections", "replayed", "lost"):
        assert getattr(fast.summary, name) == getattr(slow.summary, name), name
    assert fast.bodies == slow.bodies
    assert len(set(fast.bodies)) == len(fast.bodies)
    for summary in (fast.summary, slow.summary):
        assert summary.ack_times.count == summary.service_times.count == summary.acked
        assert sum(point.started for point in summary.series) == summary.attempts
    assert fast.one_by_one < slow.one_by_one


def test_usual_responses_use_the_hot_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport parses only the first and the last of twenty equal responses."""
    monkeypatch.setattr("tcop_mock.load.engine.LONG_BATCH", 7)  # counted during the load and at its end
    load = loaded(monkeypatch, hot_loop=True, turns=[responds(OK)] * 20, count=20)
    assert (load.summary.acked, load.summary.ack_times.count, load.one_by_one) == (20, 20, 2)


def test_events_without_a_response_are_ignored() -> None:
    """A connection closed in the same turn, and a readable event without data."""

    async def run() -> list[tuple[EpollTransport, bytes]]:
        selector, outbox = EpollSelector(asyncio.get_running_loop()), list[tuple[EpollTransport, bytes]]()
        pool: Any = SimpleNamespace(
            response_cache=ResponseCache(1),
            in_flight={},
            request_heads={},
            clock=time.perf_counter,
            idle_closed=lambda _: None,
        )
        load: Any = SimpleNamespace(bodies=iter(()), end_s=math.inf, remaining=9)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connection = PooledConnection(pool)
            selector.add(socket.create_connection(listener.getsockname()), connection)
            [(descriptor, transport)] = selector.connections.items()
            assert isinstance(transport, EpollTransport)
            transport.sock.settimeout(0)
            selector.use_hot_loop(load, pool, StatsRecorder(), 0.0)
            selector._dispatch([(descriptor + 1, select.EPOLLIN), (descriptor, select.EPOLLIN)], outbox)
            connection.abort()
            selector.close()
        return outbox

    assert asyncio.run(run()) == []


def test_attempts_of_the_warm_up_are_counted_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not in the totals."""
    load = loaded(monkeypatch, hot_loop=True, turns=[responds(OK)] * 20, count=20, warm_up_s=60.0)
    assert (load.summary.attempts, load.summary.warm_up_attempts, load.one_by_one) == (0, 20, 20)


def test_the_hot_loop_ends_with_the_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """No attempt starts after the end of the load."""
    load = loaded(monkeypatch, hot_loop=True, turns=[responds(OK)] * 1_000_000, duration_s=0.3)
    assert load.summary.attempts == load.summary.acked == len(load.bodies) > 20
    assert load.one_by_one == 2
