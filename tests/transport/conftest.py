"""A scripted receiver, and fixtures that send one request to it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from pooled_transport import PooledTransport
from scripted_server import Peer, ScriptedServer

from tcop_mock.domain.delivery import Attempt, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PUSH = OutgoingRequest(b'{"a":1}')


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Peer], object]], ScriptedServer]]:
    """Start scripted servers; at the end every client must have disconnected."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script))


@pytest.fixture
def sender() -> Callable[..., Attempt]:
    """Send one request with the HTTP transport. The default deadline is longer than every test."""

    def send(url: str, push: OutgoingRequest = _PUSH, *, deadline_s: float = 25, **options: Any) -> Attempt:
        return asyncio.run(HttpTransport(Target.parse(url), **options)(push, deadline_s=deadline_s))

    return send


@pytest.fixture(params=["sender", "pool", "pool on asyncio transports"])
def post(
    request: pytest.FixtureRequest, sender: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Attempt]:
    """Send one request with the HTTP transport, or with the load engine on either kind of connection."""
    if request.param.endswith("transports"):  # as on systems without epoll(7)
        monkeypatch.setattr("tcop_mock.load.pool.open_selector", lambda: None)

    def send(url: str, push: OutgoingRequest = _PUSH, *, deadline_s: float = 25, **options: Any) -> Attempt:
        return asyncio.run(_pooled(Target.parse(url), push, deadline_s, options))

    return sender if request.param == "sender" else send


async def _pooled(target: Target, push: OutgoingRequest, deadline_s: float, options: dict[str, Any]) -> Attempt:
    port = PooledTransport(target, **options)
    try:
        return await port(push, deadline_s=deadline_s)
    finally:
        await port.close()
