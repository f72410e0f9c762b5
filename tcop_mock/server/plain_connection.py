"""Connections that read usual requests without a parser of their own, and hand over everything else.

A usual request has a head that arrives in one piece and a body with a ``Content-Length``, and leaves the connection
open. Clients repeat their heads, so h11 parses each head once. From the first unusual byte on, the server's h11 loop
serves the connection.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import h11

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tcop_mock.server.messages import Reply

BUFFER_BYTES = 65_536
_BLANK_LINE = b"\r\n\r\n"
_MAX_CACHED = 512
_MAX_CACHED_BYTES = 4096
_UNUSUAL_METHODS = frozenset({b"HEAD", b"CONNECT"})
_UNUSUAL_HEADERS = frozenset({b"connection", b"expect", b"transfer-encoding", b"upgrade"})
_KEEP_ALIVE = (b"connection", b"keep-alive")


class RequestHead(NamedTuple):
    """A parsed request head."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body_bytes: int
    """Announced length of the body."""

    @classmethod
    def from_event(cls, event: h11.Request) -> RequestHead:
        """Return the head that h11 has parsed."""
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        length = next((int(value) for name, value in headers if name == "content-length"), 0)
        return cls(event.method.decode(), event.target.decode("latin-1"), headers, length)


class RequestHeads(dict[bytes, RequestHead | None]):
    """Parsed heads by their bytes, including the blank line; ``None``: the head is unusual.

    They contain credentials, so they are never shown.

    Args:
        max_head_bytes: longer heads are unusual.
        max_body_bytes: heads that announce longer bodies are unusual.
    """

    def __init__(self, max_head_bytes: int, max_body_bytes: int) -> None:
        super().__init__()
        self._max_head_bytes, self._max_body_bytes = max_head_bytes, max_body_bytes

    def __missing__(self, data: bytes) -> RequestHead | None:
        """Parse and keep a new head."""
        head = self._parse(data) if len(data) <= self._max_head_bytes else None
        if len(data) <= _MAX_CACHED_BYTES:
            if len(self) >= _MAX_CACHED:
                self.clear()
            self[data] = head
        return head

    def __repr__(self) -> str:
        return f"<{len(self)} heads>"

    def _parse(self, data: bytes) -> RequestHead | None:
        http = h11.Connection(h11.SERVER)
        http.receive_data(data)
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            return None
        if not isinstance(event, h11.Request) or event.http_version != b"1.1" or http.trailing_data[0]:
            return None  # trailing data: h11 sees the end of the head elsewhere
        names = {name for name, value in event.headers if (name, value.lower()) != _KEEP_ALIVE}
        if event.method in _UNUSUAL_METHODS or names & _UNUSUAL_HEADERS:
            return None
        head = RequestHead.from_event(event)
        return head if head.body_bytes <= self._max_body_bytes else None


class HandedOver(NamedTuple):
    """State that a plain connection hands over to the h11 loop."""

    received: bytes = b""
    """Bytes from the client that have no reply yet."""
    timeout_s: float | None = None
    """Seconds that the client has left for the rest of its request; ``None``: the usual limit."""
    result: Reply | Awaitable[Reply] | None = None
    """Result of the handler for the first of these requests, if it was called."""
    is_ended: bool = False
    """Whether the client has ended its side of the connection."""

    def close(self) -> None:
        """Close the result if it is a coroutine, because nothing may have awaited it."""
        if asyncio.iscoroutine(self.result):
            self.result.close()


NOTHING = HandedOver()


class PlainServer(Protocol):
    """The part of the server that its plain connections use."""

    buffer: bytearray
    view: memoryview
    """A view of the buffer."""
    request_heads: RequestHeads
    timeout_s: float
    """Seconds that a client may take for its next request."""

    def connected(self, connection: PlainConnection) -> bool:
        """Handle a new connection; return whether it may read."""
        ...

    def answer(self, connection: PlainConnection, head: RequestHead, body: bytes) -> Reply | Awaitable[Reply] | None:
        """Answer a request, and return ``None``, or a result that only the h11 loop can send.

        Raises:
            OSError: the connection has to be closed.
        """
        ...

    def hand_over(self, connection: PlainConnection, handed_over: HandedOver) -> None:
        """Serve the connection from now on."""
        ...

    def disconnected(self, connection: PlainConnection) -> None:
        """Handle the end of a connection."""
        ...


class PlainConnection(asyncio.BufferedProtocol):
    """One connection, until its first unusual request.

    It is a ``BufferedProtocol``, so that the event loop reads into one buffer that all connections share. For a plain
    ``Protocol`` it allocates 256 KiB for each read.
    """

    __slots__ = ("_idle_since_s", "_loop", "_missing_bytes", "_received", "_server", "_timer", "transport")

    def __init__(self, server: PlainServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop
        self._received = bytearray()
        self._missing_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=sys.maxsize)  # see hand_over
        self._idle_since_s = self._loop.time()
        if self._server.connected(self):
            self._timer = self._loop.call_later(self._server.timeout_s, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection."""
        self.stop()
        self._server.disconnected(self)

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return the shared buffer; its content is handled before another connection reads."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Handle the next bytes of the client, which are in the buffer."""
        data = self._server.view[:nbytes]
        if not self._missing_bytes:
            self._serve(bytes(data))
            return
        self._received += data
        self._missing_bytes -= nbytes
        if self._missing_bytes <= 0:
            received = bytes(self._received)
            self._received.clear()
            self._missing_bytes = 0
            self._serve(received)

    def eof_received(self) -> bool:
        """Close the connection after a whole request, else keep the sending side open for the h11 loop."""
        if self._received:
            self._server.hand_over(self, HandedOver(bytes(self._received), is_ended=True))
        return bool(self._received)

    def leave(self) -> None:
        """Hand over between two requests."""
        self._server.hand_over(self, HandedOver(bytes(self._received)))

    def _serve(self, data: bytes) -> None:
        """Answer all complete requests."""
        server, position = self._server, 0
        while position < len(data):
            body_at = data.find(_BLANK_LINE, position) + len(_BLANK_LINE)
            head = server.request_heads[data[position:body_at]] if body_at >= len(_BLANK_LINE) else None
            if head is None:
                server.hand_over(self, HandedOver(data[position:]))
                return
            end = body_at + head.body_bytes
            if end > len(data):
                self._received += data[position:]
                self._missing_bytes = end - len(data)
                return
            try:
                result = server.answer(self, head, data[body_at:end])
            except OSError:
                self.transport.abort()
                return
            if result is not None:
                server.hand_over(self, HandedOver(data[position:], result=result))
                return
            position = end
        self._idle_since_s = self._loop.time()

    def _expire(self) -> None:
        """Hand over a client that is too slow to the h11 loop, which answers it."""
        left_s = self._idle_since_s + self._server.timeout_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._expire)
        else:
            self._server.hand_over(self, HandedOver(bytes(self._received), timeout_s=0.0))
