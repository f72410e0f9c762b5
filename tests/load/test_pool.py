"""Connections that are kept: when they are used again, and when they must not be.

How one attempt ends is in ``tests/transport``, for the sender and for this wire alike.
"""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pooled_transport import PooledTransport

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.load.connection import PooledConnection
from tcop_mock.load.pool import ConnectionPool, RequestHeads
from tcop_mock.transport.connect import connect_socket

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.transport.connect import Addresses

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


class Ended(NamedTuple):
    """Result of one attempt."""

    outcome: Outcome
    status: int | None
    replayed: bool


@pytest.fixture(params=["epoll", "transports"])
def connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have either kind of connection; the second, as on systems without epoll(7)."""
    if request.param == "transports":
        monkeypatch.setattr("tcop_mock.load.pool.open_selector", lambda: None)


class Wired(NamedTuple):
    """Results of some attempts, and of their connections."""

    ended: list[Ended]
    connections: int
    replayed: int
    exhausted: str


def wire_to(url: str, ended: Callable[[PooledConnection], None], **options: Any) -> ConnectionPool:
    """Return a wire; what its deadline is matters to no test that names none."""
    ports: dict[str, Any] = {"deadline_s": 25.0, "max_body_bytes": 65_536, "clock": time.perf_counter} | options
    return ConnectionPool(Target.parse(url), OutgoingRequest(b""), on_attempt_end=ended, **ports)


def one_by_one(url: str, pushes: int, *, pause: Callable[[], None] | None = None, body: bytes = b"{}") -> Wired:
    """Push so often, each when the one before has ended; ``pause`` is called in between, and the loop turns."""

    async def run() -> Wired:
        ended: asyncio.Queue[Ended] = asyncio.Queue()
        wire = wire_to(url, lambda line: ended.put_nowait(Ended(line.outcome, line.status, line.is_replayed)))
        all_ended = []
        for number in range(pushes):
            if number and pause:
                pause()
                await asyncio.sleep(0.05)
            wire.send(body, 0.0, time.perf_counter())
            all_ended.append(await ended.get())
        await wire.close()
        return Wired(all_ended, wire.connections, wire.replayed, wire.exhausted_reason)

    return asyncio.run(run())


def again_and_again(answer: bytes) -> Callable[[Peer], object]:
    """Return a script that answers each request on a connection the same way."""

    def script(peer: Peer) -> None:
        while True:
            peer.answer(answer)

    return script


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"], ids=["length", "chunked", "204"])
def test_a_connection_is_kept(serve: Serve, answer: bytes) -> None:
    """Whole answers, however they are framed, leave a connection on which the next push goes out."""
    wired = one_by_one(serve(again_and_again(answer)).url, 5)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED] * 5
    assert (wired.connections, wired.replayed) == (1, 0)


@pytest.mark.parametrize("at", [1, 20, len(OK) - 2])
def test_an_answer_in_pieces_keeps_the_connection(serve: Serve, at: int) -> None:
    """Wherever it is cut: in the head, which a parser reads then, or in the body, whose rest is only counted."""

    def script(peer: Peer) -> None:
        while True:
            peer.answer(OK[:at])
            time.sleep(0.02)  # so that the pieces are read one by one; if not, nothing is missed but the case
            peer.drip(OK[at:])

    wired = one_by_one(serve(script).url, 3)
    assert [(one.outcome, one.status) for one in wired.ended] == [(Outcome.ACKED, 200)] * 3
    assert wired.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["pipelined", "pipelined-behind-chunks", "short-length", "close", "http-1.0"],
)
def test_a_connection_that_cannot_be_trusted_is_not_kept(serve: Serve, answer: bytes) -> None:
    """Bytes behind the end of an answer, or an answer that says so, end the connection; the next push gets its own."""
    wired = one_by_one(serve(again_and_again(answer)).url, 3)
    assert [(one.outcome, one.status) for one in wired.ended] == [(Outcome.ACKED, 200)] * 3
    assert wired.connections == 3


def test_bytes_that_nobody_asked_for_end_an_idle_connection(serve: Serve) -> None:
    """Bytes that come between two pushes are not an answer to the second one."""

    def script(peer: Peer) -> None:
        peer.answer(OK)
        time.sleep(0.02)  # as above
        peer.send(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
        peer.hold()

    wired = one_by_one(serve(script).url, 3, pause=lambda: time.sleep(0.05))
    assert [one.status for one in wired.ended] == [200] * 3
    assert wired.connections == 3


def test_a_rest_that_is_too_long_ends_the_connection(serve: Serve) -> None:
    """The same behind a body of which a part had come before."""

    def script(peer: Peer) -> None:
        while True:
            peer.answer(OK[:-1])
            time.sleep(0.02)  # as above
            peer.send(b"kHTTP/1.1 500 X\r\n\r\n")

    wired = one_by_one(serve(script).url, 2)
    assert ([one.status for one in wired.ended], wired.connections) == ([200, 200], 2)


def test_an_idle_connection_that_the_receiver_closes_is_forgotten(serve: Serve) -> None:
    """The next push opens another; nothing is sent twice."""
    wired = one_by_one(serve(lambda peer: peer.answer(OK)).url, 3, pause=lambda: time.sleep(0.05))
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED] * 3
    assert (wired.connections, wired.replayed) == (3, 0)


@pytest.mark.parametrize("end", ["FIN", "RST"])
def test_a_stale_connection_is_tried_once_more(serve: Serve, end: str) -> None:
    """A kept connection ends before any byte of an answer: the request goes out again on a new one, and is reported."""
    numbers = itertools.count()

    def script(peer: Peer) -> None:
        first = next(numbers) == 0
        peer.answer(OK)
        if first:
            peer.read_some()  # the second request comes, and finds nobody
            if end == "RST":
                peer.reset()
        else:
            again_and_again(OK)(peer)

    wired = one_by_one(serve(script).url, 3)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED] * 3
    assert [one.replayed for one in wired.ended] == [False, True, False]
    assert (wired.connections, wired.replayed) == (2, 1)


def test_it_is_tried_once_only(serve: Serve) -> None:
    """A receiver that leaves the second request of each connection, and the first of the one after it, is reset."""
    numbers = itertools.count()

    def script(peer: Peer) -> None:
        if next(numbers) == 0:
            peer.answer(OK)
        peer.read_some()

    wired = one_by_one(serve(script).url, 2)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.RESET_BEFORE_ANSWER]
    assert (wired.connections, wired.replayed) == (2, 1)


def test_an_answer_that_has_begun_is_not_asked_for_again(serve: Serve) -> None:
    """A kept connection that ends inside an answer is a reset in the answer; nothing is sent twice."""
    wired = one_by_one(serve(lambda peer: peer.answer(OK).answer(OK[:-1])).url, 2)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.RESET_IN_ANSWER]
    assert wired.replayed == 0


def test_an_answer_before_the_request_is_out_ends_the_connection(serve: Serve) -> None:
    """The connection is closed, because a receiver would read the rest of the request as the next one."""

    def script(peer: Peer) -> None:
        peer.read_some()
        peer.send(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
        peer.ignore()

    wired = one_by_one(serve(script).url, 2, body=b"x" * 20_000_000)
    assert [(one.outcome, one.status) for one in wired.ended] == [(Outcome.REJECTED, 413)] * 2
    assert wired.connections == 2


@pytest.mark.proof
def test_a_request_that_is_read_slowly_is_answered(serve: Serve) -> None:
    """The rest of a large request is sent when the receiver has room for it."""

    def script(peer: Peer) -> None:
        while True:
            peer.answer(OK)

    wired = one_by_one(serve(script).url, 2, body=b"x" * 20_000_000)
    assert ([one.status for one in wired.ended], wired.connections) == ([200, 200], 1)


def test_a_machine_without_descriptors_is_no_refusal(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt without a free descriptor is cancelled, and the reason is kept."""

    async def none_left(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("tcop_mock.load.pool.connect_socket", none_left)
    wired = one_by_one(serve(again_and_again(OK)).url, 1)
    assert [one.outcome for one in wired.ended] == [Outcome.CANCELLED]
    assert wired.exhausted == "Too many open files"


def two_pushes(
    between: Callable[[ConnectionPool], object], resolve: Callable[..., object], port: int, *, pushes: int = 2
) -> Wired:
    """Push twice to a receiver that keeps no connection; in between something happens."""

    async def run() -> Wired:
        ended: asyncio.Queue[Ended] = asyncio.Queue()
        wire = wire_to(
            f"http://receiver.test:{port}/",
            lambda line: ended.put_nowait(Ended(line.outcome, line.status, line.is_replayed)),
            resolve=resolve,
        )
        all_ended = []
        for _ in range(pushes):
            wire.send(b"{}", 0.0, time.perf_counter())
            all_ended.append(await ended.get())
            between(wire)
        await wire.close()
        return Wired(all_ended, wire.connections, wire.replayed, wire.exhausted_reason)

    return asyncio.run(run())


CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def resolved_to(*ports: int) -> Callable[..., object]:
    """Return a resolver of a name that has some addresses, which differ in their ports here."""
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]


def test_a_receiver_that_is_gone_is_refused_the_second_time(serve: Serve) -> None:
    """The second attempt is refused if nothing listens any more and there is no other address."""
    server = serve(again_and_again(CLOSES))
    port = Target.parse(server.url).port
    wired = two_pushes(lambda _: server.stop_accepting(), resolved_to(port), port)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.REFUSED]
    assert wired.connections == 1


def test_another_address_is_tried_when_the_one_that_answered_is_gone(serve: Serve) -> None:
    """The second address of a name is used when the first refuses connections."""
    first, second = serve(again_and_again(CLOSES)), serve(again_and_again(CLOSES))
    ports = [Target.parse(server.url).port for server in (first, second)]
    wired = two_pushes(lambda _: first.stop_accepting(), resolved_to(*ports), ports[0])
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED] * 2
    assert wired.connections == 2


def test_descriptors_that_run_out_later_are_no_refusal(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later attempt without a descriptor is cancelled, and the reason is kept."""
    server = serve(again_and_again(CLOSES))
    port = Target.parse(server.url).port

    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    wired = two_pushes(
        lambda _: monkeypatch.setattr("tcop_mock.load.epoll.EpollSelector.connect", none_left), resolved_to(port), port
    )
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.CANCELLED]
    assert wired.exhausted == "Too many open files"


def test_another_address_is_tried_when_the_one_that_answered_takes_too_long(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both addresses of a name are tried after an attempt without a connection in time."""
    first, second = serve(again_and_again(CLOSES)), serve(again_and_again(CLOSES))
    ports = [Target.parse(server.url).port for server in (first, second)]
    between = iter([True, False, False])

    def no_connection(wire: ConnectionPool) -> None:
        if next(between):
            wire.send(b"{}", 0.0, 0.0)
            wire.expire(1e9)
            monkeypatch.setattr("tcop_mock.load.epoll.EpollSelector.connect", no_dial)

    def no_dial(*_: object) -> None:
        raise LookupError("the same address again")

    wired = two_pushes(no_connection, resolved_to(*ports), ports[0], pushes=3)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.TIMED_OUT, Outcome.ACKED]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="elsewhere asyncio's transports find it out")
def test_a_connection_that_is_reset_as_soon_as_it_stands_is_no_refusal(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection was accepted, so it is a reset; no socket stays open."""
    stands = threading.Semaphore(0)

    async def late(addresses: Addresses) -> socket.socket:
        sock = await connect_socket(addresses)
        stands.release()
        select.select([sock], [], [], 20)  # until it is reset
        return sock

    monkeypatch.setattr("tcop_mock.load.pool.connect_socket", late)
    wired = one_by_one(serve(lambda peer: stands.acquire(timeout=20) and peer.reset()).url, 2)
    assert [one.outcome for one in wired.ended] == [Outcome.RESET_BEFORE_ANSWER] * 2


def test_what_is_dialled_again_at_the_end_is_given_up(serve: Serve) -> None:
    """Cancelled once, and nothing is left open."""
    server = serve(again_and_again(CLOSES))
    port = Target.parse(server.url).port

    def push_and_end(wire: ConnectionPool) -> None:
        wire.send(b"{}", 0.0, 0.0)
        wire.cancel()

    wired = two_pushes(push_and_end, resolved_to(port), port)
    assert [one.outcome for one in wired.ended] == [Outcome.ACKED, Outcome.CANCELLED]
    assert wired.connections == 1


def test_connections_are_opened_ahead(serve: Serve) -> None:
    """The requested number of connections is opened; if none can be, the attempts report why."""
    server = serve(again_and_again(OK))

    async def run(url: str) -> tuple[int, Outcome]:
        ended: asyncio.Queue[Outcome] = asyncio.Queue()
        wire = wire_to(url, lambda line: ended.put_nowait(line.outcome))
        await wire.warm_up(3)
        wire.send(b"{}", 0.0, time.perf_counter())
        outcome = await ended.get()
        await wire.close()
        return wire.connections, outcome

    assert asyncio.run(run(server.url)) == (3, Outcome.ACKED)
    server.stop_accepting()
    assert asyncio.run(run(server.url)) == (0, Outcome.REFUSED)


class Ends(PooledConnection):
    """A line whose connection ends in the same turn in which it is made, before whoever dialled goes on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and its end."""
        super().connection_made(transport)
        self.eof_received()


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize("ahead", [0, 1])
def test_a_connection_that_ends_before_its_dialler_goes_on_is_a_reset(serve: Serve, ahead: int) -> None:
    """Such an end is an outcome, not an error of ours; an idle connection is not used."""

    async def run(url: str) -> tuple[Outcome, list[object]]:
        ended: asyncio.Queue[Outcome] = asyncio.Queue()
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        wire = ConnectionPool(
            Target.parse(url),
            OutgoingRequest(b""),
            deadline_s=25.0,
            max_body_bytes=65_536,
            clock=time.perf_counter,
            on_attempt_end=lambda line: ended.put_nowait(line.outcome),
            connection_class=Ends,
        )
        if ahead:
            await wire.warm_up(ahead)
        wire.send(b"{}", 0.0, time.perf_counter())
        outcome = await asyncio.wait_for(ended.get(), 20)
        await wire.close()
        return outcome, faults

    assert asyncio.run(run(serve(lambda peer: peer.hold()).url)) == (Outcome.RESET_BEFORE_ANSWER, [])


def test_one_that_cannot_be_opened_ahead_leaves_no_other_behind(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the second of three fails at once, the third is open when the call returns."""
    numbers = itertools.count()

    async def second_fails(addresses: Addresses) -> socket.socket:
        if next(numbers) == 1:
            raise OSError(24, "Too many open files")
        await asyncio.sleep(0.02)
        return await connect_socket(addresses)

    async def run(url: str) -> int:
        wire = ConnectionPool(
            Target.parse(url),
            OutgoingRequest(b""),
            deadline_s=25.0,
            max_body_bytes=1,
            clock=time.perf_counter,
            on_attempt_end=lambda _: None,
        )
        await wire.warm_up(3)
        await wire.close()
        return wire.connections

    monkeypatch.setattr("tcop_mock.load.pool.connect_socket", second_fails)
    assert asyncio.run(run(serve(again_and_again(OK)).url)) == 2


def test_what_is_under_way_at_the_end_is_cancelled(serve: Serve) -> None:
    """While dialling, and while waiting for an answer; and only once."""
    server = serve(lambda peer: peer.hold())

    async def run() -> list[tuple[Outcome, str]]:
        ended: list[tuple[Outcome, str]] = []
        wire = wire_to(server.url, lambda line: ended.append((line.outcome, line.detail)))
        wire.send(b"{}", 0.0, 0.0)
        await asyncio.sleep(0.05)  # it connects; if not, both are dialled when they end
        wire.send(b"{}", 0.0, 0.0)
        await wire.close()
        return ended

    assert asyncio.run(run()) == [(Outcome.CANCELLED, "interrupted")] * 2


def test_only_what_is_overdue_expires(serve: Serve) -> None:
    """Only the attempt whose deadline has passed ends; without attempts nothing happens."""
    server = serve(lambda peer: peer.hold())
    now_s = 100.0

    async def run() -> list[float]:
        ended: list[float] = []

        def end(line: PooledConnection) -> None:
            ended.append(line.started_s)

        wire = wire_to(server.url, end, deadline_s=5.0, clock=lambda: now_s)
        wire.expire(now_s)
        wire.send(b"{}", 0.0, 95.0)
        wire.send(b"{}", 0.0, 95.1)
        wire.expire(now_s)
        expired = ended.copy()
        await wire.close()
        return expired

    assert asyncio.run(run()) == [95.0]


def test_request_heads_do_not_show() -> None:
    """They hold the credentials in the clear: their collection says only how many there are."""
    target = Target.parse("http://user:s3cret@127.0.0.1:1/")
    requests = RequestHeads(target, OutgoingRequest(b"", credentials=target.credentials))
    assert b"Content-Length: 7\r\n" in requests[7]
    assert b"Connection: keep-alive\r\n" in requests[7]
    assert repr(requests) == "<1 heads>"


def test_one_attempt_after_the_other_on_a_kept_connection(serve: Serve) -> None:
    """The port returns the outcome of each request, and nothing of what came before, or in between."""

    def script(peer: Peer) -> None:
        peer.answer(OK)
        peer.answer(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy")
        time.sleep(0.02)  # so that it comes when nobody waits for it; if not, nothing is missed but the case
        peer.send(b"stray")
        peer.hold()

    async def run() -> list[Attempt]:
        port = PooledTransport(Target.parse(server.url))
        await port.close()  # before it was used there is nothing to close
        attempts = [
            await port(OutgoingRequest(b"{}"), deadline_s=25, intended_s=-1.0),
            await port(OutgoingRequest(b"{}"), deadline_s=25),
        ]
        await asyncio.sleep(0.1)
        await port.close()
        return attempts

    server = serve(script)
    first, second = asyncio.run(run())
    assert (first.body, first.intended_s, second.body) == (b"ok", -1.0, b"busy")
    assert ("retry-after", "7") in second.headers
    assert (second.outcome, second.received_bytes) == (Outcome.REJECTED, 57)
    assert server.connections == 1


def test_a_fault_of_the_resolver_is_raised() -> None:
    """An error that does not come from the resolver is an error of ours."""

    def broken(*_: object, **__: object) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        asyncio.run(
            PooledTransport(Target.parse("http://callback.test"), resolve=broken)(OutgoingRequest(b"{}"), deadline_s=25)
        )
