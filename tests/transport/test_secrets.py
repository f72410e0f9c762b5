"""No record, traceback or log of an attempt contains the credentials."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pooled_transport import PooledTransport

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]

PASSWORD = "s3cret p@ss/wörd"
TOKEN = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
SPELLINGS = (PASSWORD, "s3cret", quote(PASSWORD, safe=""), TOKEN, TOKEN[8:16])


def shown(problem: BaseException) -> str:
    """Return a traceback with the local variables of all frames, of causes and contexts too."""
    texts: list[str] = []
    chain: list[BaseException | None] = [problem]
    while chain:
        if (link := chain.pop()) is not None:
            texts += traceback.TracebackException.from_exception(link, capture_locals=True, compact=True).format()
            texts.append(repr(link.args))
            chain += [link.__cause__, link.__context__]
    return "".join(texts)


def prepared(server: ScriptedServer, body: bytes = b"{}") -> tuple[Target, OutgoingRequest]:
    """Return a target with userinfo, and a push with its credentials."""
    target = Target.parse(server.url.replace("://", f"://user:{quote(PASSWORD, safe='')}@"))
    return target, OutgoingRequest(body, credentials=target.credentials, segment_sizes=(1,))


def raising(at: int) -> Callable[..., Any]:
    """Return a clock that fails at a given call."""
    calls: list[None] = []

    def clock() -> float:
        calls.append(None)
        if len(calls) == at:
            raise LookupError("the clock fails")
        return float(len(calls))

    return clock


async def failing_sleep(_: float) -> None:
    """Fail between two segments."""
    raise LookupError("the pause fails")


@pytest.mark.parametrize(
    "options",
    [*({"clock": raising(at)} for at in range(1, 5)), {"sleep": failing_sleep}],
    ids=["at-start", "when-connected", "at-first-byte", "at-end", "between-segments"],
)
def test_a_traceback_with_locals_of_a_failing_attempt_shows_none(serve: Serve, options: dict[str, Any]) -> None:
    """Wherever our own code fails in an attempt, no frame holds the credentials in the clear."""
    script = (
        (lambda peer: peer.hold()) if "sleep" in options else (lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\n\r\n"))
    )
    target, push = prepared(serve(script))
    with pytest.raises(LookupError) as failure:
        asyncio.run(HttpTransport(target, **options)(push, deadline_s=0.3 if "sleep" in options else 25))
    text = shown(failure.value)
    assert "request = OutgoingRequest" in text, "the locals are captured"
    assert [spelling for spelling in SPELLINGS if spelling in text] == []


@pytest.mark.parametrize("at", range(1, 6))
def test_a_traceback_with_locals_of_the_wire_of_loads_shows_none(serve: Serve, at: int) -> None:
    """The same of a connection that is kept: wherever the clock fails, it is raised, and shows nothing."""
    target, push = prepared(serve(lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").hold()))

    async def run() -> None:
        port = PooledTransport(target, clock=raising(at))
        try:
            await port(push, deadline_s=25)
        finally:
            await port.close()

    with pytest.raises(LookupError, match="the clock fails") as failure:
        asyncio.run(run())
    text = shown(failure.value)
    assert "request = OutgoingRequest" in text, "the locals are captured"
    assert [spelling for spelling in SPELLINGS if spelling in text] == []


def test_a_traceback_with_locals_of_a_cancelled_attempt_shows_none(serve: Serve) -> None:
    """Neither the attempt's own frames nor those of its tasks, at any pause of theirs, hold the credentials."""
    stacks: list[str] = []

    def script(peer: Peer) -> None:
        peer.read_some()
        peer.hold()

    async def scenario() -> None:
        target, push = prepared(serve(script), b"x" * 100)
        paused = asyncio.Event()

        async def pause(_: float) -> None:
            paused.set()
            await asyncio.sleep(25)

        attempt = asyncio.ensure_future(HttpTransport(target, sleep=pause)(push, deadline_s=25))
        await paused.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:  # whose stack would be all of pytest's
            stacks.extend(repr(frame.f_locals) for frame in task.get_stack())
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError) as end:
            await attempt
        stacks.append(shown(end.value))

    asyncio.run(scenario())
    assert any("_write" in stack for stack in stacks)
    assert [spelling for spelling in SPELLINGS if spelling in "".join(stacks)] == []


@pytest.mark.parametrize(
    "echo",
    [
        lambda token: b"%s\r\n\r\n" % token,
        lambda token: b"HTTP/1.1 %s\r\n\r\n" % token,
        lambda token: b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % token,
        lambda token: b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % token,
        lambda token: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n" % token,
        lambda token: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % token,
    ],
    ids=["garbage", "status-line", "header", "length", "encoding", "chunk"],
)
def test_a_receiver_cannot_put_them_into_the_detail(
    serve: Serve, echo: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """A broken answer that echoes them is a bad answer, whose record and log, in debug mode too, hold none of it."""

    async def run(target: Target, push: OutgoingRequest) -> Attempt:
        return await HttpTransport(target)(push, deadline_s=25)

    with caplog.at_level(logging.DEBUG):
        server = serve(lambda peer: peer.answer(echo(TOKEN.encode())).hold())
        attempt = asyncio.run(run(*prepared(server)), debug=True)
    assert attempt.outcome is Outcome.BAD_ANSWER
    assert [spelling for spelling in SPELLINGS if spelling in repr(attempt) + caplog.text] == []


@pytest.mark.parametrize(
    "url", ["http://user:{}@host:abc", "http://user:{}%FF@host", "ftp://user:{}@host", "http://us%3Aer:{}@ho/x"]
)
def test_a_refused_target_leaves_none_in_our_frames(url: str) -> None:
    """The traceback of the refusal, with the locals of our own frames, shows nothing of the userinfo."""
    with pytest.raises(UsageError) as refusal:
        Target.parse(url.format(quote(PASSWORD, safe="")))
    text = shown(refusal.value.with_traceback(refusal.tb.tb_next))
    assert "redacted = " in text
    assert [spelling for spelling in SPELLINGS if spelling in text] == []
