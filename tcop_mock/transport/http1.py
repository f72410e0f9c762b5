"""One POST over HTTP/1.1, and everything there is to know about how it ended.

``h11`` parses; the socket is ours, because the outcome depends on what a client library hides: how many bytes of an
answer had come, when, and how the request was cut into segments.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.transport.connect import Line, ResolveError, dial, tls_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.delivery import Push
    from tcop_mock.domain.target import Target


_HEAD_CAP_BYTES = 100 * 1024

_START = b"HTTP/"


class BadAnswerError(Exception):
    """What came is no HTTP/1 answer."""


class Answer:
    """Collects status, headers and body; ``complete`` when there is no more to come or to read."""

    def __init__(self, method: str, cap_bytes: int) -> None:
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.truncated = False
        self.complete = False
        self.received_bytes = 0
        self._cap = cap_bytes
        self._start = b""
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_CAP_BYTES)
        # the parser has to know the method (an answer to HEAD has no body); the real request is written elsewhere
        self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "-")]))
        self._parser.send(h11.EndOfMessage())

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the same connection: not behind bytes that nobody asked for."""
        return self.complete and self._parser.their_state is h11.DONE and not self._parser.trailing_data[0]

    def feed(self, data: bytes) -> None:
        """Take the next bytes; none mean that the receiver closed.

        Raises:
            BadAnswerError: they are no HTTP/1.
            EOFError: the answer ends too early.
        """
        self.received_bytes += len(data)
        self._start = (self._start + data)[: len(_START)]
        if not _START.startswith(self._start):
            raise BadAnswerError("no HTTP answer: it does not start with HTTP/")  # the parser waits for a blank line
        try:
            self._parser.receive_data(data)
            while not self.complete and (event := self._parser.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError as problem:
            if not data:
                raise EOFError from None  # it closed before the end of its answer
            # what stands after the colon is the receiver's own text, which may echo credentials
            raise BadAnswerError(f"no HTTP answer: {str(problem).partition(':')[0]}") from None

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self.status = event.status_code
            self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        elif isinstance(event, h11.Data):
            room = self._cap - len(self.body)
            self.body += bytes(event.data)[:room]
            self.truncated = self.complete = len(event.data) > room
        elif isinstance(event, h11.EndOfMessage):
            self.complete = True


def request_head(target: Target, push: Push) -> bytes:
    """Return it, with the blank line at its end.

    Nothing here raises, so that no traceback shows the credentials that it holds in the clear.
    """
    fields = {
        "host": ("Host", target.authority),
        "content-length": push.framing,
        # RFC 9112, 9.6: "close" is said by who will not use the connection again
        "connection": ("Connection", "keep-alive" if push.keeps else "close"),
    }
    if push.credentials is not None:
        fields["authorization"] = ("Authorization", f"Basic {push.credentials.token().reveal()}")
    fields |= {name.lower(): (name, value) for name, value in push.headers}
    start = f"{push.method} {target.path_with(push.query)} HTTP/1.1"
    lines = [start, *(f"{name}: {value}" for name, value in fields.values())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_READ_BYTES = 65_536


@dataclass(slots=True)
class _Course:
    """What has happened so far in one attempt."""

    intended_s: float
    started_s: float
    answer: Answer
    connected_s: float | None = None
    first_byte_s: float | None = None
    sent_bytes: int = 0


class HungUpError(Exception):
    """The connection is to be closed, as the push asks for."""


class HttpPost:
    """The ``Post`` port over real sockets: a fresh connection per attempt, no proxy, no redirect, no retry.

    Args:
        target: where to; its credentials are not used here, they come with each push.
        answer_cap_bytes: how much of an answer's body is read before the socket is closed.
        insecure: do not verify the receiver's certificate.
        clock: seconds, monotonic.
        sleep: pauses between segments.
        resolve: looks a host name up; may block.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        target: Target,
        *,
        answer_cap_bytes: int = 65_536,
        insecure: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        resolve: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._target = target
        self._cap = answer_cap_bytes
        self._clock = clock
        self._sleep = sleep
        self._resolve = resolve
        self._kept: Line | None = None
        self._tls = tls_context(insecure=insecure) if target.scheme == "https" else None

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Post`."""
        started_s = self._clock()
        course = _Course(
            intended_s=started_s if intended_s is None else intended_s,
            started_s=started_s,
            answer=Answer(push.method, self._cap),
        )
        outcome, detail = await self._outcome(push, course, deadline_s)
        return self._attempt(push, course, outcome, detail)

    @property
    def is_kept(self) -> bool:
        """Whether the last attempt left a connection on which another request may follow."""
        return self._kept is not None

    def hang_up(self) -> None:
        """Close the connection that was kept, if one was."""
        if self._kept is not None:
            self._kept.writer.transport.abort()
            self._kept = None

    async def _outcome(self, push: Push, course: _Course, deadline_s: float) -> tuple[Outcome, str]:
        try:
            async with asyncio.timeout(deadline_s):
                await self._exchange(push, course)
        except TimeoutError:
            return Outcome.TIMED_OUT, _what_was_late(course, deadline_s)
        except HungUpError:
            return Outcome.CANCELLED, "hung up, as asked for"
        except BadAnswerError as problem:
            return Outcome.BAD_ANSWER, str(problem)
        except EOFError:
            return _broken(course), "the receiver closed the connection"
        except OSError as problem:
            return _broken(course, problem), getattr(problem, "verify_message", "") or problem.strerror or str(problem)
        return Outcome.of_status(course.answer.status), ""

    async def _exchange(self, push: Push, course: _Course) -> None:
        kept, self._kept = (self._kept, None) if push.reuses else (None, self._kept)
        line = kept or await dial(self._target, self._tls, self._resolve)
        try:
            course.connected_s = self._clock()
            await self._talk(push, course, line)
        finally:
            if push.keeps and course.answer.reusable:
                self._kept = line
            else:
                line.writer.transport.abort()  # close() would wait for a peer that does not read

    async def _talk(self, push: Push, course: _Course, line: Line) -> None:
        """Write and read side by side: an answer may come before the request is written (413, 401)."""
        if push.hang_up_s is not None:
            await self._write(push, course, line.writer)
            await self._sleep(push.hang_up_s)
            raise HungUpError
        writing = asyncio.create_task(self._write(push, course, line.writer))
        try:
            await self._read(push, course, line.reader)
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            problem = None if writing.cancelled() else writing.exception()
            if problem is not None and not isinstance(problem, OSError):
                raise problem  # ours; what the receiver does to the connection shows when it is read

    async def _write(self, push: Push, course: _Course, writer: asyncio.StreamWriter) -> None:
        course.sent_bytes = self._write_start(push, writer)
        await writer.drain()
        for segment in push.parts() if _is_cut(push) else ():
            await self._sleep(push.gap_s)
            writer.write(segment)
            course.sent_bytes += len(segment)
            await writer.drain()
        if push.cut is not None and writer.can_write_eof():
            writer.write_eof()

    def _write_start(self, push: Push, writer: asyncio.StreamWriter) -> int:
        """Write the head, with the body unless that is segmented.

        Only here, where nothing is awaited and nothing raises, does a frame hold the credentials in the clear: a
        traceback that shows local variables never shows them.
        """
        start = request_head(self._target, push) + (b"" if _is_cut(push) else push.framed()[: push.cut])
        writer.write(start)
        return len(start)

    async def _read(self, push: Push, course: _Course, reader: asyncio.StreamReader) -> None:
        while course.answer.status is None:
            await self._read_some(course, reader)
        async with asyncio.timeout(push.patience_s):
            while not course.answer.complete:
                await self._read_some(course, reader)

    async def _read_some(self, course: _Course, reader: asyncio.StreamReader) -> None:
        data = await reader.read(_READ_BYTES)
        if data and course.first_byte_s is None:
            course.first_byte_s = self._clock()
        course.answer.feed(data)

    def _attempt(self, push: Push, course: _Course, outcome: Outcome, detail: str) -> Attempt:
        answer = course.answer
        return Attempt(
            outcome=outcome,
            intended_s=course.intended_s,
            started_s=course.started_s,
            ended_s=self._clock(),
            connected_s=course.connected_s,
            first_byte_s=course.first_byte_s,
            status=answer.status,
            headers=answer.headers,
            body=bytes(answer.body),
            body_truncated=answer.truncated,
            sent_bytes=course.sent_bytes,
            received_bytes=answer.received_bytes,
            request_sha256=hashlib.sha256(push.body).hexdigest(),
            detail=detail,
        )


def _is_cut(push: Push) -> bool:
    """Whether the body goes out in writes of its own."""
    return bool(push.segments) and not push.chunked


def _broken(course: _Course, problem: OSError | None = None) -> Outcome:
    if isinstance(problem, ResolveError):
        return Outcome.DNS
    if isinstance(problem, ssl.SSLError):
        return Outcome.TLS
    if course.connected_s is None:
        return Outcome.REFUSED
    return Outcome.RESET_IN_ANSWER if course.answer.received_bytes else Outcome.RESET_BEFORE_ANSWER


def _what_was_late(course: _Course, deadline_s: float) -> str:
    if course.connected_s is None:
        return f"no connection inside {deadline_s:g} s"
    if course.answer.status is None:
        return f"no answer inside {deadline_s:g} s"
    return "the head of the answer came in time, its body did not end"
