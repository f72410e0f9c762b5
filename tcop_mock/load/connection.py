"""One kept-alive connection, and the attempt that is under way on it.

On a transport of asyncio's it is a ``BufferedProtocol``: the loop reads into one buffer that all lines share; for a
``Protocol`` it maps 256 KiB for each read.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from tcop_mock.domain.delivery import Outcome
from tcop_mock.transport.http1 import InvalidResponseError, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable


BUFFER_BYTES = 65_536


class PoolCallbacks(Protocol):
    """What a line belongs to."""

    buffer: bytearray
    view: memoryview
    """Of the buffer."""
    response_cache: ResponseCache
    request_heads: dict[int, bytes]
    """The head of a request by the length of its body."""
    max_body_bytes: int
    clock: Callable[[], float]

    def released(self, connection: PooledConnection) -> None:
        """Take note that a line's attempt has ended, as the line says, and that it can be used again."""
        ...

    def discarded(self, connection: PooledConnection) -> None:
        """Take note that a line's attempt has ended, as the line says, and that it must not be used again."""
        ...

    def stale(self, connection: PooledConnection) -> None:
        """Take note that the connection had gone before any byte of an answer came."""
        ...

    def idle_closed(self, connection: PooledConnection) -> None:
        """Take note that an idle line cannot be used any more."""
        ...


class PooledConnection(asyncio.BufferedProtocol):
    """One connection; it is dialled anew where it was gone."""

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
        """Answers that came on this connection."""
        self._reader: ResponseReader | None = None
        self._remaining_bytes = 0
        self.body = b""
        self.context: object = None
        """What the one who pushes wants to know again."""
        self.intended_s = self.started_s = 0.0
        self.outcome = Outcome.CANCELLED
        self.status: int | None = None
        self.detail = ""
        self.has_response_bytes = False
        """Whether a byte of an answer came."""
        self.is_replayed = False

    def write(self) -> None:
        """Send the attempt's request. No frame but this one, which does not raise, holds the credentials."""
        assert self.transport is not None  # noqa: S101 - who writes has connected
        self.transport.write(self._pool.request_heads[len(self.body)] + self.body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and send the request of the attempt that waits for it.

        At once: where whoever dialled goes on a turn later, the connection may have ended by then.
        """
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)  # so that we are told of the first byte that is not sent
        self.is_blocked = False
        self.response_count = 0
        if self.is_busy:
            self.write()

    def pause_writing(self) -> None:
        """Take note that the receiver does not read as fast as we write."""
        self.is_blocked = True

    def resume_writing(self) -> None:
        """Take note that all is written."""
        self.is_blocked = False

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return where to read to; what is there is taken before any line reads again."""
        return self._pool.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the next bytes of an answer, which are in the buffer."""
        self.receive(bytes(self._pool.view[:nbytes]))

    def receive(self, data: bytes) -> None:
        """Take the next bytes of an answer."""
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
        if not self.is_busy:  # bytes that nobody asked for: what comes next on this connection is not to be trusted
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
        except InvalidResponseError as problem:
            self.status = reader.status  # its head may have come before what is bad
            self.fail(Outcome.BAD_ANSWER, str(problem))
            return
        self.status = reader.status
        if reader.is_complete:
            self.outcome = Outcome.from_status(reader.status)
            self.finish(is_reusable=reader.is_reusable and not self.is_blocked)

    def eof_received(self) -> None:
        """Take the end of what the receiver says; an answer without a length ends so, everything else breaks."""
        if self.is_busy and self._reader is not None:
            try:
                self._feed(b"")
            except EOFError:
                self._fail_disconnected(None)
        self.abort()
        if not self.is_busy:
            self._pool.idle_closed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self.transport = None
        if self.is_busy:
            self._fail_disconnected(exc)
        else:
            self._pool.idle_closed(self)

    def _fail_disconnected(self, problem: Exception | None) -> None:
        if self.response_count and not self.has_response_bytes and not self.is_replayed:
            self._pool.stale(self)
        elif isinstance(problem, ssl.SSLError):
            self.fail(Outcome.TLS, problem.strerror or str(problem))
        else:
            detail = "the receiver closed the connection"
            if isinstance(problem, OSError):
                detail = problem.strerror or str(problem)
            self.fail(Outcome.RESET_IN_ANSWER if self.has_response_bytes else Outcome.RESET_BEFORE_ANSWER, detail)

    def fail(self, outcome: Outcome, detail: str) -> None:
        """End the attempt, and with it the connection."""
        self.outcome, self.detail = outcome, detail
        self.finish(is_reusable=False)

    def finish(self, *, is_reusable: bool) -> None:
        """End the attempt; its outcome is set."""
        self.is_busy = False
        self._reader = None
        self._remaining_bytes = 0
        self.response_count += 1
        if is_reusable:
            self._pool.released(self)
        else:
            self._pool.discarded(self)

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


_MAX_CACHED = 512

_MAX_HEAD_BYTES = 8192

"""Of a head that is remembered."""

_MAX_RESPONSE_BYTES = 1024

"""Of an answer that is remembered."""

_BLANK_LINE = b"\r\n\r\n"

_NO_BODY_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

"""RFC 9110, 15.3.5 and 15.4.5: they have none, whatever the head says of its length."""

_TEXT = rb"[\t\x20-\x7e\x80-\xff]"

_NAME = rb"(?!content-length|transfer-encoding|connection)[!#$%&'*+.^_`|~0-9a-z-]++"

_FIELDS = rb"(?:" + _NAME + rb":" + _TEXT + rb"*+\r\n|connection:[\t ]*keep-alive[\t ]*\r\n)*+"

_STATUS_LINE = rb"(?-i:HTTP)/1\.1 ([2-5][0-9]{2})(?: " + _TEXT + rb"*+)?\r\n"

_LENGTH = rb"(?:content-length:[\t ]*([0-9]{1,9})[\t ]*\r\n)?"

_PLAIN_HEAD = re.compile(_STATUS_LINE + _FIELDS + _LENGTH + _FIELDS + rb"\r\n", re.IGNORECASE)


class ResponseHead(NamedTuple):
    """A plain head: HTTP/1.1, one length, and the connection stays open."""

    status: int
    body_bytes: int
    """Of the body, in bytes."""
    outcome: Outcome
    """Of the answer when its body has come."""


class HeadCache(dict[bytes, ResponseHead | None]):
    """Heads by their bytes, with the blank line at the end; ``None`` for those that h11 has to read.

    Receivers write the same head again and again, but for the date: the last ones are remembered.

    Args:
        max_body_bytes: a longer body is not read to its end, so that its head is not plain.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__()
        self._max_body_bytes = max_body_bytes

    def __missing__(self, head: bytes) -> ResponseHead | None:
        """Read a head that is seen for the first time."""
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
            return None  # it ends with the connection
        length = 0 if status in _NO_BODY_STATUSES else int(match[2])
        return ResponseHead(status, length, Outcome.from_status(status)) if length <= self._max_body_bytes else None


class PartialResponse(NamedTuple):
    """An answer whose head has come whole, and some of its body."""

    status: int
    remaining_bytes: int
    """Bytes of the body that are still to come; less than 0 where something came behind it."""
    outcome: Outcome
    """Of the answer when its body has come."""


class ResponseCache(dict[bytes, PartialResponse | None]):
    """Answers by what came of them first; ``None`` for those that h11 has to read.

    Receivers give the same answer again and again, all of it in one piece: the last short ones are remembered. Of those
    that differ in their bodies only, the heads are (:class:`HeadCache`).

    Args:
        max_body_bytes: as of :class:`HeadCache`.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__()
        self._heads = HeadCache(max_body_bytes)
        self.ack_statuses: dict[bytes, int] = {}
        """Of those that are remembered, the ones that came whole and ack: their status."""

    def __missing__(self, data: bytes) -> PartialResponse | None:
        """Read what is seen for the first time."""
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
