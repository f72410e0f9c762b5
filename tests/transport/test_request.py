"""The request at the receiver: the same bytes, the right headers, the requested segments."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receiver_factories import in_thread, server_factory

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Credentials, Secret, Target
from tcop_mock.errors import UsageError
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport, request_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]
    PostOnce = Callable[..., Attempt]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def post(sender: PostOnce) -> PostOnce:
    """Push with the sender: the wire of loads knows no segments, chunks or methods."""
    return sender


@pytest.fixture
def request_of(serve: Serve, post: PostOnce) -> Callable[[OutgoingRequest], bytes]:
    """Return the bytes that a receiver gets for a push."""

    def sent(push: OutgoingRequest) -> bytes:
        requests: list[bytes] = []

        def script(peer: Peer) -> None:
            requests.append(peer.read_request())
            peer.send(OK)

        server = serve(script)
        attempt = post(server.url + "?a=1", push)
        assert (attempt.outcome, attempt.sent_bytes) == (Outcome.ACKED, len(requests[0]))
        assert attempt.request_sha256 == hashlib.sha256(push.body).hexdigest()
        return requests[0].replace(str(server.port).encode(), b"PORT")

    return sent


def test_the_request_is_http_1_1_with_these_headers_and_no_others(
    request_of: Callable[[OutgoingRequest], bytes],
) -> None:
    """Request line with the query, Host, Content-Length, Connection, Content-Type; no Authorization; then the body."""
    assert request_of(OutgoingRequest('{"名":1}'.encode())) == (
        b"POST /hook?a=1 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 9\r\nConnection: close\r\n"
        b'Content-Type: application/json\r\n\r\n{"\xe5\x90\x8d":1}'
    )


def test_headers_of_the_push_override_ours_whatever_their_case(request_of: Callable[[OutgoingRequest], bytes]) -> None:
    """Each header stands once, in the push's own spelling; a Latin-1 value is sent as it is."""
    mine = (("HOST", "other"), ("connection", "keep-alive"), ("authorization", "Bearer x"), ("X-Note", "caf\xe9"))
    assert request_of(OutgoingRequest(b"{}", headers=mine, credentials=Credentials(Secret("u"), Secret("p")))) == (
        b"POST /hook?a=1 HTTP/1.1\r\nHOST: other\r\nContent-Length: 2\r\nconnection: keep-alive\r\n"
        b"authorization: Bearer x\r\nX-Note: caf\xe9\r\n\r\n{}"
    )


@pytest.mark.parametrize(
    "user, password", [("user", "pass"), ("", ""), ("u", ""), ("用户", "密码:@/"), ("a b", 'p"\\%40ß\u20ac')]
)
def test_credentials_are_sent_as_basic_in_utf_8(
    request_of: Callable[[OutgoingRequest], bytes], user: str, password: str
) -> None:
    """The header decodes to user, colon and password, and stands once."""
    request = request_of(OutgoingRequest(b"{}", credentials=Credentials(Secret(user), Secret(password))))
    (header,) = (line for line in request.split(b"\r\n") if line.lower().startswith(b"authorization:"))
    assert base64.b64decode(header.removeprefix(b"Authorization: Basic ")).decode() == f"{user}:{password}"


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"method": "PO ST"}, "'PO ST' is not an HTTP method"),
        ({"method": ""}, "'' is not an HTTP method"),
        ({"headers": (("X Y", "1"),)}, "'X Y' is not a name"),
        ({"headers": (("", "1"),)}, "'' is not a name"),
        ({"headers": (("X", "1\r\nY: s3cret"),)}, "the value of the header X"),
        ({"headers": (("X", "\u540d s3cret"),)}, "the value of the header X"),
        ({"segment_sizes": (3, 0)}, r"not \(3, 0\)"),
    ],
)
def test_what_no_request_can_have_is_a_usage_error(fields: dict[str, object], why: str) -> None:
    """It is refused before anything is sent, and the value of a header is not shown."""
    with pytest.raises(UsageError, match=why) as refusal:
        OutgoingRequest(b"{}", **fields)  # type: ignore[arg-type]  # of any type
    assert "s3cret" not in str(refusal.value)


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=300), segments=st.lists(st.integers(1, 400), max_size=5).map(tuple))
def test_segments_cut_the_same_bytes(body: bytes, segments: tuple[int, ...]) -> None:
    """The receiver gets the same bytes in the segments asked for: the head alone, then the sizes."""

    async def received(push: OutgoingRequest) -> list[bytes]:
        """Return the request as it came, piece by piece: before each segment the sender waits for the last to come."""
        pieces: list[bytes] = []
        came = asyncio.Semaphore(0)

        async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while sum(map(len, pieces)) < whole:
                pieces.append(await reader.read(65_536))
                came.release()
            writer.write(OK)
            with contextlib.suppress(OSError):
                await reader.read()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            ended.set()

        async def wait_for_it(_: float) -> None:
            await came.acquire()

        ended = asyncio.Event()
        server = await asyncio.start_server(receive, "127.0.0.1", 0)
        async with server:
            target = Target.parse(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            post = HttpTransport(target, sleep=wait_for_it)
            whole = len(request_head(target, push)) + len(push.body)
            attempt = await post(push, deadline_s=25)
            await ended.wait()
        assert (attempt.outcome, attempt.sent_bytes) == (Outcome.ACKED, whole)
        return pieces

    pieces = asyncio.run(received(OutgoingRequest(body, segment_sizes=segments)))
    assert b"".join(pieces).partition(b"\r\n\r\n")[2] == body
    if segments:
        assert pieces[0].endswith(b"\r\n\r\n")
        sizes = [*segments, *[segments[-1]] * len(body)]
        assert all(len(piece) == size for piece, size in zip(pieces[1:-1], sizes, strict=False))
        assert len(pieces) == 1 or len(pieces[-1]) <= sizes[len(pieces) - 2]
    else:
        assert len(pieces) == 1


@pytest.mark.parametrize(
    "body, segments, framed",
    [
        (b"abcdefghijklmnop", (), b"10\r\nabcdefghijklmnop\r\n0\r\n\r\n"),
        (b"abcdef", (4,), b"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
        (b"", (), b"0\r\n\r\n"),
    ],
)
def test_a_body_in_chunks(body: bytes, segments: tuple[int, ...], framed: bytes) -> None:
    """One chunk for each segment and an empty one at the end (RFC 9112, 7.1), in one write; no length is reported."""
    push = OutgoingRequest(body, segment_sizes=segments, chunked=True)
    head = request_head(Target.parse("127.0.0.1:9"), push)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert b"content-length" not in head.lower()
    assert push.framed_body() == framed


def test_chunks_are_read_by_a_server(post: PostOnce) -> None:
    """A receiver that knows chunks has the body whole, and the query behind the target's own."""
    seen: list[ReceivedRequest] = []
    push = OutgoingRequest("名前".encode() * 99, segment_sizes=(100,), chunked=True, query="from=tcop")

    def handler(request: ReceivedRequest) -> Reply:
        seen.append(request)
        return Reply(204)

    with in_thread(server_factory(lambda: handler)) as url:
        assert post(f"{url}?a=1", push).status == 204
    assert seen[0].body == push.body
    assert seen[0].path.endswith("?a=1&from=tcop")


def test_segments_work_with_the_real_pause(request_of: Callable[[OutgoingRequest], bytes]) -> None:
    """Nothing needs to be handed in for a body in three segments."""
    assert request_of(OutgoingRequest(b"abcdef", segment_sizes=(1, 3))).endswith(b"\r\n\r\nabcdef")


def test_a_fault_of_ours_while_writing_is_raised(serve: Serve, post: PostOnce) -> None:
    """It is not taken for the receiver's."""

    async def broken(_: float) -> None:
        raise LookupError("ours")

    server = serve(lambda peer: peer.hold())
    with pytest.raises(LookupError, match="ours"):
        post(server.url, OutgoingRequest(b"ab", segment_sizes=(1,)), deadline_s=0.2, sleep=broken)


def test_a_fault_of_the_resolver_is_raised(post: PostOnce) -> None:
    """It is neither a DNS failure nor a wait until the deadline."""

    def broken(*_: object, **__: object) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        post("http://callback.test", resolve=broken)
