"""One kept-alive connection, the attempt in flight on it, and the cache of parsed responses.

On an asyncio transport the connection is a ``BufferedProtocol``, so that the event loop reads into one buffer that all
connections share. For a plain ``Protocol`` it allocates 256 KiB for each read.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from tcop_mock.domain.delivery import Outcome
from tcop_mock.transport.http1 import ResponseReader
from tcop_mock.transport.outcomes import InvalidResponseError, Phase, failure_from_error

if TYPE_CHECKING:
    from collections.abc import Callable


BUFFER_BYTES = 65_536


class PoolCallbacks(Protocol):
    """The part of the connection pool that its connections use."""

    buffer: bytearray
    view: memoryview
    """A view of the buffer."""
    response_cache: ResponseCache
    request_heads: dict[int, bytes]
    """Request heads by body length."""
    max_body_bytes: int
    in_flight: dict[PooledConnection, None]
    """The connections with an attempt in flight, the oldest attempt first."""
    clock: Callable[[], float]

    def released(self, connection: PooledConnection) -> None:
        """Handle the end of an attempt after which the connection can be reused."""
        ...

    def discarded(self, connection: PooledConnection) -> None:
        """Handle the end of an attempt after which the connection must not be reused."""
        ...

    def stale(self, connection: PooledConnection) -> None:
        """Handle a reused connection that was closed before any byte of a response."""
        ...

    def idle_closed(self, connection: PooledConnection) -> None:
        """Handle an idle connection that can no longer be used."""
        ...


class PooledConnection(asyncio.BufferedProtocol):
    """One connection; the pool reopens it after it was closed."""

    __slots__ = (
        "_pool",
        "_reader",
        "_remaining_bytes",
        "body",
        "context",
        "detail",
        "has_response_bytes",
        "intended_s",
        "is_blocked",
        "is_busy",
        "is_replayed",
        "outcome",
        "response_count",
        "started_s",
        "status",
        "transport",
    )

    def __init__(self, pool: PoolCallbacks) -> None:
        self._pool = pool
        self.transport: asyncio.Transport | None = None
        self.is_busy = False
        self.is_blocked = False
        """Whether a part of the request waits in our own buffer."""
        self.response_count = 0
        """Responses received on this connection."""
        self._reader: ResponseReader | None = None
        self._remaining_bytes = 0
        self.body = b""
        self.context: object = None
        """The value that the caller of ``send`` passed."""
        self.intended_s = self.started_s = 0.0
        self.outcome = Outcome.CANCELLED
        self.status: int | None = None
        self.detail = ""
        self.has_response_bytes = False
        """Whether a byte of a response has arrived."""
        self.is_replayed = False

    @property
    def phase(self) -> Phase:
        """Phase of the attempt on its connection."""
        if self.status is not None:
            return Phase.BODY
        return Phase.HEAD if self.has_response_bytes else Phase.WAITING

    def write(self) -> None:
        """Send the request. Only this frame holds the credentials, and it does not raise."""
        assert self.transport is not None  # noqa: S101 - connected before writing
        self.transport.write(self._pool.request_heads[len(self.body)] + self.body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and send the request of the waiting attempt.

        It is sent immediately, because the connection may be closed one turn of the event loop later.
        """
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)  # so that pause_writing is called for the first unsent byte
        self.is_blocked = False
        self.response_count = 0
        if self.is_busy:
            self.write()

    def pause_writing(self) -> None:
        """Note that the receiver reads more slowly than we write."""
        self.is_blocked = True

    def resume_writing(self) -> None:
        """Note that all data has been written."""
        self.is_blocked = False

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return the shared buffer; its content is handled before another connection reads."""
        return self._pool.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Handle the next bytes of a response, which are in the buffer."""
        self.receive(bytes(self._pool.view[:nbytes]))

    def receive(self, data: bytes) -> None:
        """Handle the next bytes of a response."""
        if self.has_response_bytes or not self.is_busy:
            self._receive_more(data)
            return
        self.has_response_bytes = True
        pool = self._pool
        partial = pool.response_cache[data]
        if partial is None:
            self._reader = ResponseReader("POST", self._pool.max_body_bytes)
            self._feed(data)
            return
        self.status, remaining_bytes, self.outcome = partial
        if remaining_bytes == 0 and not self.is_blocked:
            self.is_busy = False
            self.response_count += 1
            pool.released(self)
        elif remaining_bytes > 0:
            self._remaining_bytes = remaining_bytes
        else:
            self.finish(is_reusable=False)

    def _receive_more(self, data: bytes) -> None:
        if not self.is_busy:  # unrequested bytes: later responses on this connection cannot be trusted
            self.abort()
            self._pool.idle_closed(self)
        elif self._reader is not None:
            self._feed(data)
        else:
            self._remaining_bytes -= len(data)
            if self._remaining_bytes <= 0:
                self.finish(is_reusable=self._remaining_bytes == 0 and not self.is_blocked)

    def _feed(self, data: bytes) -> None:
        reader = cast("ResponseReader", self._reader)
        try:
            reader.feed(data)
        except InvalidResponseError as error:
            self.status = reader.status  # the head may have been valid
            self.fail(*failure_from_error(error, self.phase))
            return
        self.status = reader.status
        if reader.is_complete:
            self.outcome = Outcome.from_status(reader.status)
            self.finish(is_reusable=reader.is_reusable and not reader.trailing_bytes and not self.is_blocked)

    def eof_received(self) -> None:
        """Handle the end of the received data, which is valid only for a response without a length."""
        if self.is_busy and self._reader is not None:
            try:
                self._feed(b"")
            except EOFError:
                self._fail_disconnected(None)
        self.abort()
        if not self.is_busy:
            self._pool.idle_closed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        self.transport = None
        if self.is_busy:
            self._fail_disconnected(exc)
        else:
            self._pool.idle_closed(self)

    def _fail_disconnected(self, problem: Exception | None) -> None:
        if self.response_count and not self.has_response_bytes and not self.is_replayed:
            self._pool.stale(self)
        else:
            self.fail(*failure_from_error(problem, self.phase))

    def fail(self, outcome: Outcome, detail: str) -> None:
        """End the attempt as failed and close the connection."""
        self.outcome, self.detail = outcome, detail
        self.finish(is_reusable=False)

    def finish(self, *, is_reusable: bool) -> None:
        """End the attempt with the outcome that is set."""
        self.is_busy = False
        self._reader = None
        self._remaining_bytes = 0
        self.response_count += 1
        if is_reusable:
            self._pool.released(self)
        else:
            self._pool.discarded(self)

    def abort(self) -> None:
        """Close the connection immediately."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


_MAX_CACHED = 512

_MAX_HEAD_BYTES = 8192

"""Longest head that is cached."""

_MAX_RESPONSE_BYTES = 1024

"""Longest response that is cached."""

_BLANK_LINE = b"\r\n\r\n"

_NO_BODY_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

"""These have no body, even if the head has a length (RFC 9110, 15.3.5 and 15.4.5)."""

_TEXT = rb"[\t\x20-\x7e\x80-\xff]"

_NAME = rb"(?!content-length|transfer-encoding|connection)[!#$%&'*+.^_`|~0-9a-z-]++"

_FIELDS = rb"(?:" + _NAME + rb":" + _TEXT + rb"*+\r\n|connection:[\t ]*keep-alive[\t ]*\r\n)*+"

_STATUS_LINE = rb"(?-i:HTTP)/1\.1 ([2-5][0-9]{2})(?: " + _TEXT + rb"*+)?\r\n"

_LENGTH = rb"(?:content-length:[\t ]*([0-9]{1,9})[\t ]*\r\n)?"

_PLAIN_HEAD = re.compile(_STATUS_LINE + _FIELDS + _LENGTH + _FIELDS + rb"\r\n", re.IGNORECASE)


class ResponseHead(NamedTuple):
    """A simple response head: HTTP/1.1, one length, and the connection stays open."""

    status: int
    body_bytes: int
    outcome: Outcome
    """The outcome when the body has arrived."""


class HeadCache(dict[bytes, ResponseHead | None]):
    """Parsed heads by their bytes, including the blank line; ``None`` if h11 has to parse the head.

    A receiver repeats its head, except for the date, so the last heads are cached.

    Args:
        max_body_bytes: heads that announce a longer body are left to h11.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__()
        self._max_body_bytes = max_body_bytes

    def __missing__(self, head: bytes) -> ResponseHead | None:
        """Parse and cache a new head."""
        parsed = self._parse(head)
        if len(head) <= _MAX_HEAD_BYTES:
            if len(self) >= _MAX_CACHED:
                self.clear()
            self[head] = parsed
        return parsed

    def _parse(self, head: bytes) -> ResponseHead | None:
        match = _PLAIN_HEAD.fullmatch(head)
        if match is None:
            return None
        status = int(match[1])
        if status not in _NO_BODY_STATUSES and match[2] is None:
            return None  # the body ends with the connection
        length = 0 if status in _NO_BODY_STATUSES else int(match[2])
        return ResponseHead(status, length, Outcome.from_status(status)) if length <= self._max_body_bytes else None


class PartialResponse(NamedTuple):
    """A response whose head has arrived completely, with a part of its body."""

    status: int
    remaining_bytes: int
    """Bytes of the body that are missing; negative if more bytes than the body arrived."""
    outcome: Outcome
    """The outcome when the body has arrived."""


class ResponseCache(dict[bytes, PartialResponse | None]):
    """Parsed responses by the bytes that arrived first; ``None`` if h11 has to parse them.

    A receiver repeats its response, usually in one piece, so the last short responses are cached. For responses that
    differ only in the body, the head is cached (:class:`HeadCache`).

    Args:
        max_body_bytes: see :class:`HeadCache`.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__()
        self._heads = HeadCache(max_body_bytes)
        self.ack_statuses: dict[bytes, int] = {}
        """The status of each cached response that is complete and acknowledges the callback."""

    def __missing__(self, data: bytes) -> PartialResponse | None:
        """Parse and cache a new response."""
        end = data.find(_BLANK_LINE) + len(_BLANK_LINE)
        head = self._heads[data[:end]] if end >= len(_BLANK_LINE) else None
        partial = (
            None if head is None else PartialResponse(head.status, end + head.body_bytes - len(data), head.outcome)
        )
        if len(data) <= _MAX_RESPONSE_BYTES:
            if len(self) >= _MAX_CACHED:
                self.clear()
                self.ack_statuses.clear()
            self[data] = partial
            if partial is not None and partial.remaining_bytes == 0 and partial.outcome is Outcome.ACKED:
                self.ack_statuses[data] = partial.status
        return partial
