"""Every way in which an attempt can end has its outcome, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]
    PostOnce = Callable[..., Attempt]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CAP = 65_536


@pytest.mark.parametrize(
    "status, outcome",
    [
        *((status, Outcome.ACKED) for status in (200, 201, 202, 204, 299)),
        *((status, Outcome.REDIRECTED) for status in (300, 301, 302, 304, 307, 308, 399)),
        *((status, Outcome.REJECTED) for status in (400, 401, 404, 413, 429, 500, 503, 599, 999)),
    ],
)
def test_the_status_says_how_a_whole_answer_counts(serve: Serve, post: PostOnce, status: int, outcome: Outcome) -> None:
    """2xx is acked, 3xx redirected, everything else rejected."""
    server = serve(lambda peer: peer.answer(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))
    attempt = post(server.url)
    assert (attempt.outcome, attempt.status, attempt.detail) == (outcome, status, "")
    assert attempt.accepted == (outcome is Outcome.ACKED)


@pytest.mark.parametrize(
    "answer, body",
    [
        (OK, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, b"ok"),
        (OK + b"stale", b"ok"),
        (OK + b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n\x00\xff", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", b"o"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b""),
        (CHUNKED + b"2\r\nok\r\n4;x=y\r\n too\r\n0\r\nT: railer\r\n\r\n", b"ok too"),
        (b"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=[
        "plain",
        "1xx",
        "stale",
        "pipelined",
        "short-length",
        "http-1.0",
        "no-length",
        "empty",
        "chunked",
        "204-with-length",
        "no-reason",
    ],
)
def test_a_whole_answer_is_acked_however_it_is_framed(serve: Serve, post: PostOnce, answer: bytes, body: bytes) -> None:
    """The body is what the framing says, and what comes after it is nobody's."""
    attempt = post(serve(lambda peer: peer.answer(answer)).url)
    assert (attempt.outcome, attempt.status) == (Outcome.ACKED, 200 if b" 200" in answer else 204)
    assert attempt.body == body
    assert not attempt.body_truncated


def test_an_answer_to_head_has_no_body(serve: Serve, sender: PostOnce) -> None:
    """The Content-Length of an answer to HEAD announces nothing that is waited for."""
    server = serve(lambda peer: peer.answer(HEAD).hold())
    assert sender(server.url, OutgoingRequest(b"", method="HEAD")).outcome is Outcome.ACKED


@pytest.mark.parametrize("answer", [OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], ids=["length", "chunked"])
def test_a_whole_answer_may_come_byte_by_byte(serve: Serve, post: PostOnce, answer: bytes) -> None:
    """An answer dripped inside the deadline is acked, and every byte of it is counted."""
    attempt = post(serve(lambda peer: (peer.read_request(), peer.drip(answer))).url)
    assert (attempt.outcome, attempt.body, attempt.received_bytes) == (Outcome.ACKED, b"ok", len(answer))


@pytest.mark.parametrize("sent", [b"", b"HTTP/1", HEAD[:-4], HEAD, HEAD + b"four", CHUNKED + b"2\r\no"])
@pytest.mark.parametrize("end", ["RST", "FIN"])
def test_a_connection_that_ends_too_early_is_a_reset(serve: Serve, post: PostOnce, sent: bytes, end: str) -> None:
    """RST and FIN count alike: before any byte of an answer, or inside it; a head that came is kept."""

    def script(peer: Peer) -> None:
        peer.answer(sent)
        if end == "RST":
            peer.reset()

    attempt = post(serve(script).url)
    assert attempt.outcome is (Outcome.RESET_IN_ANSWER if sent else Outcome.RESET_BEFORE_ANSWER)
    assert attempt.status == (200 if b"\r\n\r\n" in sent else None)
    assert attempt.detail
    assert (attempt.received_bytes, attempt.first_byte_s is None) == (len(sent), not sent)


def test_an_http_1_0_body_that_ends_in_a_reset_is_not_whole(serve: Serve, post: PostOnce) -> None:
    """Without a length only FIN ends a body; RST breaks it."""

    def script(peer: Peer) -> None:
        peer.answer(b"HTTP/1.0 200 OK\r\n\r\nto the")
        peer.reset()

    assert post(serve(script).url).outcome is Outcome.RESET_IN_ANSWER


@pytest.mark.parametrize(
    "answer, status",
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", None),
        (b"\x15\x03\x03\x00\x02\x02\x46", None),
        (b"\x00" * 2000, None),
        (b"\r\n" + OK, None),
        (b"HTTP/9\r\n\r\n", None),
        (b"HTTP/1.1 two hundred\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"x" * 1000) * 200, None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, None),
        (CHUNKED + b"zz\r\n", 200),
        (CHUNKED + b"2\r\nokxx", 200),
    ],
    ids=[
        "ssh",
        "tls-alert",
        "zeros",
        "blank-line",
        "version",
        "status",
        "upgrade",
        "header",
        "length",
        "two-lengths",
        "many-headers",
        "long-header",
        "chunk-size",
        "chunk-end",
    ],
)
def test_what_is_no_http_is_a_bad_answer(serve: Serve, post: PostOnce, answer: bytes, status: int | None) -> None:
    """It is refused as soon as it shows, while the peer still holds the connection; no byte of it is in the detail."""
    attempt = post(serve(lambda peer: peer.answer(answer).hold()).url)
    assert (attempt.outcome, attempt.status) == (Outcome.BAD_ANSWER, status)
    assert attempt.detail.startswith("no HTTP answer: ")
    assert len(attempt.detail) < 120
    assert "bytearray" not in attempt.detail


@pytest.mark.parametrize("length, truncated", [(CAP - 1, False), (CAP, False), (CAP + 1, True), (5_000_000, True)])
@pytest.mark.parametrize("framing", ["length", "chunked", "to-the-end"])
def test_a_body_is_read_up_to_the_cap(
    serve: Serve, post: PostOnce, length: int, framing: str, *, truncated: bool
) -> None:
    """64 KiB are read whole; of more, 64 KiB are kept and the connection is closed there, acked by its status."""
    body = b"x" * length
    answers = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (length, body),
        "chunked": CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (length, body),
        "to-the-end": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }
    attempt = post(serve(lambda peer: peer.answer(answers[framing])).url)
    assert (attempt.outcome, attempt.body_truncated) == (Outcome.ACKED, truncated)
    assert len(attempt.body) == min(length, CAP)
    assert attempt.received_bytes < 2 * CAP + 200


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED], ids=["to-the-end", "chunked"])
def test_an_endless_body_is_cut_at_the_cap(serve: Serve, post: PostOnce, start: bytes) -> None:
    """The cap holds without a deadline's help, whatever the cap."""
    piece = b"400\r\n" + b"x" * 0x400 + b"\r\n" if start is CHUNKED else b"x" * 0x400
    server = serve(lambda peer: peer.answer(start).flood(piece))
    attempt = post(server.url, max_body_bytes=1000)
    assert (attempt.outcome, len(attempt.body), attempt.body_truncated) == (Outcome.ACKED, 1000, True)


def test_a_compressed_body_is_not_unpacked(serve: Serve, post: PostOnce) -> None:
    """A gzip bomb stays as small as it came."""
    bomb = gzip.compress(bytes(20_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    attempt = post(serve(lambda peer: peer.answer(head + bomb)).url)
    assert (attempt.outcome, attempt.body, attempt.body_truncated) == (Outcome.ACKED, bomb, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve: Serve, post: PostOnce, status: int) -> None:
    """The place that a redirect of any kind names gets no connection."""
    elsewhere = serve(lambda peer: peer.answer(OK))
    head = b"HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, elsewhere.url.encode())
    attempt = post(serve(lambda peer: peer.answer(head)).url)
    assert (attempt.outcome, elsewhere.connections) == (Outcome.REDIRECTED, 0)
    assert ("location", elsewhere.url) in attempt.headers


def test_every_status_of_a_final_answer_is_recorded() -> None:
    """Each status from 200 to 599 is recorded, known or not."""
    statuses = range(200, 600)

    async def scenario() -> list[Attempt]:
        answers = iter(statuses)
        async with HttpServer(lambda _: Reply(next(answers))) as sink:
            post = HttpTransport(Target.parse(sink.url))
            return [await post(OutgoingRequest(b"{}"), deadline_s=25) for _ in statuses]

    attempts = asyncio.run(scenario())
    assert [attempt.status for attempt in attempts] == list(statuses)
    assert [attempt.outcome for attempt in attempts] == [Outcome.from_status(status) for status in statuses]


@pytest.mark.proof
def test_a_thousand_at_once_are_all_answered() -> None:
    """Each on a connection of its own."""

    async def scenario() -> list[Attempt]:
        async with HttpServer(lambda _: Reply(204)) as sink:
            post = HttpTransport(Target.parse(sink.url))
            return list(await asyncio.gather(*(post(OutgoingRequest(b"{}"), deadline_s=25) for _ in range(1000))))

    assert {attempt.outcome for attempt in asyncio.run(scenario())} == {Outcome.ACKED}


def test_a_head_without_measure_is_a_bad_answer(serve: Serve, post: PostOnce) -> None:
    """A hundred kilobytes of headers are read, and no more."""
    header = b"X: " + b"y" * 997 + b"\r\n"
    attempt = post(serve(lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\n" + header * 200)).url)
    assert (attempt.outcome, attempt.status) == (Outcome.BAD_ANSWER, None)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + header * 90 + b"\r\n"
    fine = post(serve(lambda peer: peer.answer(long)).url)
    assert fine.outcome is Outcome.ACKED


def test_an_ipv6_literal_is_dialled() -> None:
    """An IPv6 address is connected to, if the machine has IPv6."""

    async def scenario() -> Attempt:
        async with HttpServer(lambda _: Reply(204), host="::1") as sink:
            return await HttpTransport(Target.parse(sink.url))(OutgoingRequest(b"{}"), deadline_s=25)

    if socket.has_ipv6 and _has_loopback_6():
        assert asyncio.run(scenario()).outcome is Outcome.ACKED
    with pytest.raises(UsageError, match="not a valid name or address"):
        Target.parse("http://[::1%]/")


def _has_loopback_6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_no_proxy_of_the_environment_is_used(serve: Serve, post: PostOnce, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names gets no connection."""
    proxy = serve(lambda peer: peer.answer(OK))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert post(serve(lambda peer: peer.answer(OK)).url).outcome is Outcome.ACKED
    assert proxy.connections == 0


def test_an_early_refusal_is_read_while_the_body_is_still_being_written(serve: Serve, post: PostOnce) -> None:
    """A 413 that comes before 8 MB are written counts, though the receiver then breaks the connection."""

    def script(peer: Peer) -> None:
        peer.read_some()
        peer.send(b"HTTP/1.1 413 X\r\nContent-Length: 3\r\n\r\nbig")

    attempt = post(serve(script).url, OutgoingRequest(b"x" * 8_000_000))
    assert (attempt.outcome, attempt.status, attempt.body) == (Outcome.REJECTED, 413, b"big")


def test_a_reset_while_the_body_is_written_is_a_reset(serve: Serve, post: PostOnce) -> None:
    """A receiver that breaks off inside the request has answered nothing."""
    attempt = post(serve(lambda peer: (peer.read_some(), peer.reset())).url, OutgoingRequest(b"x" * 8_000_000))
    assert (attempt.outcome, attempt.status) == (Outcome.RESET_BEFORE_ANSWER, None)


def test_a_closed_port_is_refused(post: PostOnce) -> None:
    """Nobody listens: refused, not connected, nothing sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    attempt = post(f"http://127.0.0.1:{port}")
    assert (attempt.outcome, attempt.connected_s, attempt.sent_bytes) == (Outcome.REFUSED, None, 0)
    assert str(port) in attempt.detail


def _no_such_name(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _no_such_encoding(*_: object, **__: object) -> Any:
    raise UnicodeError("label too long")


@pytest.mark.parametrize(
    "resolve, why", [(_no_such_name, "Name or service not known"), (_no_such_encoding, "label too long")]
)
def test_a_name_that_does_not_resolve_is_dns(post: PostOnce, resolve: Callable[..., Any], why: str) -> None:
    """The outcome is dns, and the detail names the host and the resolver's reason."""
    attempt = post("http://callback.test/hook", resolve=resolve)
    assert (attempt.outcome, attempt.connected_s) == (Outcome.DNS, None)
    assert attempt.detail == f"callback.test does not resolve: {why}"


def test_the_next_address_is_tried(serve: Serve, post: PostOnce) -> None:
    """A host of which one address refuses is reached by the other."""
    server = serve(lambda peer: peer.answer(OK))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]

    def resolve(*_: object, **options: Any) -> Any:
        return [socket.getaddrinfo("127.0.0.1", port, **options)[0] for port in (closed, server.port)]

    assert post("http://callback.test", resolve=resolve).outcome is Outcome.ACKED


def test_a_look_up_has_its_own_time(serve: Serve) -> None:
    """A name is looked up before the connection; an address needs no look-up."""
    server = serve(lambda peer: peer.answer(OK))

    def resolve(*_: object, **options: Any) -> Any:
        return socket.getaddrinfo("127.0.0.1", server.port, **options)

    async def send(url: str) -> Attempt:
        return await HttpTransport(Target.parse(url), resolve=resolve)(OutgoingRequest(b"{}"), deadline_s=20)

    named = asyncio.run(send("http://callback.test"))
    assert named.started_s <= (named.resolved_s or -1) <= (named.connected_s or -1)
    assert asyncio.run(send(server.url)).resolved_s is None


def test_a_connection_that_met_itself_is_a_refusal(post: PostOnce, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at a port that the system hands out, and it hands that one out: TCP connects it with itself."""
    mirror = socket.socket()
    mirror.bind(("127.0.0.1", 0))
    mirror.connect(mirror.getsockname())
    mirror.settimeout(0)

    async def start(*_: object, **__: object) -> socket.socket:
        return mirror

    monkeypatch.setattr("aiohappyeyeballs.start_connection", start)
    attempt = post(f"http://127.0.0.1:{mirror.getsockname()[1]}/")
    assert (attempt.outcome, attempt.detail) == (Outcome.REFUSED, "Connection refused")
    assert mirror.fileno() < 0


@pytest.mark.parametrize(
    "afterwards, stale_bytes, connections",
    [("nothing", 0, 1), ("more", 4, 1), ("close", 0, 2), ("reset", 0, 2)],
)
def test_a_kept_connection_is_read_before_it_is_reused(afterwards: str, stale_bytes: int, connections: int) -> None:
    """Bytes behind a response are counted by the next attempt; a closed connection is replaced by a new one."""
    closed: list[asyncio.Event] = []
    is_next_sent = asyncio.Event()
    """Set when the server has sent what comes behind the first response."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closed.append(asyncio.Event())
        is_closed = closed[-1]
        with contextlib.suppress(OSError):
            await answer(reader, writer)
        writer.transport.abort() if afterwards == "reset" else writer.close()
        is_next_sent.set()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        is_closed.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if afterwards == "more":
                await writer.drain()
                await asyncio.sleep(0.005)  # so that it comes behind what is read with the response
                writer.write(b"more")
            if afterwards in {"more", "nothing"}:
                is_next_sent.set()
            if afterwards == "close":
                break
            if afterwards == "reset":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                break

    async def send_twice() -> Attempt:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            transport = HttpTransport(Target.parse(f"http://{host}:{port}/"))
            await transport(OutgoingRequest(b"{}", keep_alive=True, connection_name="a"), deadline_s=5.0)
            await is_next_sent.wait()
            attempt = await transport(
                OutgoingRequest(b"{}", reuse_connection=True, connection_name="a"), deadline_s=5.0
            )
            transport.close_idle_connections()
            other = await transport(OutgoingRequest(b"{}", reuse_connection=True, connection_name="b"), deadline_s=5.0)
            assert other.outcome is Outcome.ACKED  # nothing was kept under that name
            for is_closed in closed:
                await is_closed.wait()
            return attempt

    attempt = asyncio.run(send_twice())
    assert (attempt.outcome, attempt.stale_bytes, len(closed)) == (Outcome.ACKED, stale_bytes, connections + 1)
