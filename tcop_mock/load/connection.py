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
from tcop_mock.transport.http1 import Answer, BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable


BUFFER_BYTES = 65_536


class Pool(Protocol):
    """What a line belongs to."""

    buffer: bytearray
    view: memoryview
    """Of the buffer."""
    answers: Answers
    requests: dict[int, bytes]
    """The head of a request by the length of its body."""
    cap_bytes: int
    clock: Callable[[], float]

    def freed(self, line: Line) -> None:
        """Take note that a line's attempt has ended, as the line says, and that it can be used again."""
        ...

    def spent(self, line: Line) -> None:
        """Take note that a line's attempt has ended, as the line says, and that it must not be used again."""
        ...

    def stale(self, line: Line) -> None:
        """Take note that the connection had gone before any byte of an answer came."""
        ...

    def left(self, line: Line) -> None:
        """Take note that an idle line cannot be used any more."""
        ...


class Line(asyncio.BufferedProtocol):
    """One connection; it is dialled anew where it was gone."""

    __slots__ = (
        "_answer",
        "_left",
        "_pool",
        "blocked",
        "body",
        "busy",
        "detail",
        "due",
        "intended_s",
        "outcome",
        "received",
        "replayed",
        "served",
        "started_s",
        "status",
        "transport",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.transport: asyncio.Transport | None = None
        self.busy = False
        self.blocked = False
        """Whether a part of the request waits in our own buffer."""
        self.served = 0
        """Answers that came on this connection."""
        self._answer: Answer | None = None
        self._left = 0
        self.body = b""
        self.due: object = None
        """What the one who pushes wants to know again."""
        self.intended_s = self.started_s = 0.0
        self.outcome = Outcome.CANCELLED
        self.status: int | None = None
        self.detail = ""
        self.received = False
        """Whether a byte of an answer came."""
        self.replayed = False

    def write(self) -> None:
        """Send the attempt's request. No frame but this one, which does not raise, holds the credentials."""
        assert self.transport is not None  # noqa: S101 - who writes has connected
        self.transport.write(self._pool.requests[len(self.body)] + self.body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and send the request of the attempt that waits for it.

        At once: where whoever dialled goes on a turn later, the connection may have ended by then.
        """
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)  # so that we are told of the first byte that is not sent
        self.blocked = False
        self.served = 0
        if self.busy:
            self.write()

    def pause_writing(self) -> None:
        """Take note that the receiver does not read as fast as we write."""
        self.blocked = True

    def resume_writing(self) -> None:
        """Take note that all is written."""
        self.blocked = False

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return where to read to; what is there is taken before any line reads again."""
        return self._pool.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the next bytes of an answer, which are in the buffer."""
        self.take(bytes(self._pool.view[:nbytes]))

    def take(self, data: bytes) -> None:
        """Take the next bytes of an answer."""
        if self.received or not self.busy:
            self._go_on(data)
            return
        self.received = True
        pool = self._pool
        begun = pool.answers[data]
        if begun is None:
            self._answer = Answer("POST", self._pool.cap_bytes)
            self._feed(data)
            return
        self.status, left, self.outcome = begun
        if left == 0 and not self.blocked:
            self.busy = False
            self.served += 1
            pool.freed(self)
        elif left > 0:
            self._left = left
        else:
            self.end(reusable=False)

    def _go_on(self, data: bytes) -> None:
        if not self.busy:  # bytes that nobody asked for: what comes next on this connection is not to be trusted
            self.abort()
            self._pool.left(self)
        elif self._answer is not None:
            self._feed(data)
        else:
            self._left -= len(data)
            if self._left <= 0:
                self.end(reusable=self._left == 0 and not self.blocked)

    def _feed(self, data: bytes) -> None:
        answer = cast("Answer", self._answer)
        try:
            answer.feed(data)
        except BadAnswerError as problem:
            self.status = answer.status  # its head may have come before what is bad
            self.fail(Outcome.BAD_ANSWER, str(problem))
            return
        self.status = answer.status
        if answer.complete:
            self.outcome = Outcome.of_status(answer.status)
            self.end(reusable=answer.reusable and not self.blocked)

    def eof_received(self) -> None:
        """Take the end of what the receiver says; an answer without a length ends so, everything else breaks."""
        if self.busy and self._answer is not None:
            try:
                self._feed(b"")
            except EOFError:
                self._break(None)
        self.abort()
        if not self.busy:
            self._pool.left(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self.transport = None
        if self.busy:
            self._break(exc)
        else:
            self._pool.left(self)

    def _break(self, problem: Exception | None) -> None:
        if self.served and not self.received and not self.replayed:
            self._pool.stale(self)
        elif isinstance(problem, ssl.SSLError):
            self.fail(Outcome.TLS, problem.strerror or str(problem))
        else:
            said = "the receiver closed the connection"
            if isinstance(problem, OSError):
                said = problem.strerror or str(problem)
            self.fail(Outcome.RESET_IN_ANSWER if self.received else Outcome.RESET_BEFORE_ANSWER, said)

    def fail(self, outcome: Outcome, detail: str) -> None:
        """End the attempt, and with it the connection."""
        self.outcome, self.detail = outcome, detail
        self.end(reusable=False)

    def end(self, *, reusable: bool) -> None:
        """End the attempt; its outcome is set."""
        self.busy = False
        self._answer = None
        self._left = 0
        self.served += 1
        if reusable:
            self._pool.freed(self)
        else:
            self._pool.spent(self)

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


_MOST = 512

_LONGEST_BYTES = 8192

"""Of a head that is remembered."""

_SHORT_BYTES = 1024

"""Of an answer that is remembered."""

_BLANK_LINE = b"\r\n\r\n"

_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

"""RFC 9110, 15.3.5 and 15.4.5: they have none, whatever the head says of its length."""

_TEXT = rb"[\t\x20-\x7e\x80-\xff]"

_NAME = rb"(?!content-length|transfer-encoding|connection)[!#$%&'*+.^_`|~0-9a-z-]++"

_FIELDS = rb"(?:" + _NAME + rb":" + _TEXT + rb"*+\r\n|connection:[\t ]*keep-alive[\t ]*\r\n)*+"

_STATUS_LINE = rb"(?-i:HTTP)/1\.1 ([2-5][0-9]{2})(?: " + _TEXT + rb"*+)?\r\n"

_LENGTH = rb"(?:content-length:[\t ]*([0-9]{1,9})[\t ]*\r\n)?"

_PLAIN = re.compile(_STATUS_LINE + _FIELDS + _LENGTH + _FIELDS + rb"\r\n", re.IGNORECASE)


class Head(NamedTuple):
    """A plain head: HTTP/1.1, one length, and the connection stays open."""

    status: int
    length: int
    """Of the body, in bytes."""
    outcome: Outcome
    """Of the answer when its body has come."""


class Heads(dict[bytes, Head | None]):
    """Heads by their bytes, with the blank line at the end; ``None`` for those that h11 has to read.

    Receivers write the same head again and again, but for the date: the last ones are remembered.

    Args:
        cap_bytes: a longer body is not read to its end, so that its head is not plain.
    """

    def __init__(self, cap_bytes: int) -> None:
        super().__init__()
        self._cap = cap_bytes

    def __missing__(self, head: bytes) -> Head | None:
        """Read a head that is seen for the first time."""
        read = self._read(head)
        if len(head) <= _LONGEST_BYTES:
            if len(self) >= _MOST:
                self.clear()
            self[head] = read
        return read

    def _read(self, head: bytes) -> Head | None:
        match = _PLAIN.fullmatch(head)
        if match is None:
            return None
        status = int(match[1])
        if status not in _NO_BODY and match[2] is None:
            return None  # it ends with the connection
        length = 0 if status in _NO_BODY else int(match[2])
        return Head(status, length, Outcome.of_status(status)) if length <= self._cap else None


class Begun(NamedTuple):
    """An answer whose head has come whole, and some of its body."""

    status: int
    left: int
    """Bytes of the body that are still to come; less than 0 where something came behind it."""
    outcome: Outcome
    """Of the answer when its body has come."""


class Answers(dict[bytes, Begun | None]):
    """Answers by what came of them first; ``None`` for those that h11 has to read.

    Receivers give the same answer again and again, all of it in one piece: the last short ones are remembered. Of those
    that differ in their bodies only, the heads are (:class:`Heads`).

    Args:
        cap_bytes: as of :class:`Heads`.
    """

    def __init__(self, cap_bytes: int) -> None:
        super().__init__()
        self._heads = Heads(cap_bytes)
        self.acking: dict[bytes, int] = {}
        """Of those that are remembered, the ones that came whole and ack: their status."""

    def __missing__(self, data: bytes) -> Begun | None:
        """Read what is seen for the first time."""
        end = data.find(_BLANK_LINE) + len(_BLANK_LINE)
        head = self._heads[data[:end]] if end >= len(_BLANK_LINE) else None
        begun = None if head is None else Begun(head.status, end + head.length - len(data), head.outcome)
        if len(data) <= _SHORT_BYTES:
            if len(self) >= _MOST:
                self.clear()
                self.acking.clear()
            self[data] = begun
            if begun is not None and begun.left == 0 and begun.outcome is Outcome.ACKED:
                self.acking[data] = begun.status
        return begun
