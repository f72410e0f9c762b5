"""A pool of kept-alive connections to one target, and what has to be in time on them.

What an attempt comes to is what the sender says of it (``send/http.py``), with three differences: a connection is used
again; where such a one turns out to be gone before any byte of an answer came, the request is sent once more on a new
one, and this is told; and a host's name is looked up once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import socket
import ssl
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import Attempt, Outcome, Push
from tcop_mock.load.connection import BUFFER_BYTES, Answers, Line
from tcop_mock.load.epoll import channels
from tcop_mock.load.timer import fault, raised_by
from tcop_mock.transport.connect import ResolveError, connect, opened, resolved, tls_context
from tcop_mock.transport.http1 import Answer, BadAnswerError, request_head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.target import Target
    from tcop_mock.load.connection import Pool
    from tcop_mock.load.epoll import Channels, Dialling
    from tcop_mock.transport.connect import Addresses


_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})

"""What says that this machine has nothing left, and says nothing of the receiver."""


class Requests(dict[int, bytes]):
    """Heads of requests that differ in the length of their bodies only. Hold credentials in the clear: do not show."""

    def __init__(self, target: Target, push: Push) -> None:
        super().__init__()
        self._target, self._push = target, replace(push, keeps=True)

    def __missing__(self, length: int) -> bytes:
        """Write a head for the first time."""
        self[length] = request_head(self._target, replace(self._push, body=bytes(length)))
        return self[length]

    def __repr__(self) -> str:
        return f"<{len(self)} heads>"


class Wire:
    """Pushes bodies over lines of its own. Everything happens in the event loop that is running.

    Args:
        target: where to.
        like: gives the headers and credentials of every request; its body is not used.
        deadline_s: of an attempt, from its start: connecting, writing, head and body.
        cap_bytes: how much of an answer's body is read.
        ended: is told each line whose attempt has ended; what it says holds until it is pushed on again.
        clock: seconds, monotonic.
        insecure: do not verify the receiver's certificate.
        resolve: looks a host name up; may block.
        line: makes a line.
    """

    def __init__(  # noqa: PLR0913 - ports are handed in one by one
        self,
        target: Target,
        like: Push,
        *,
        deadline_s: float,
        cap_bytes: int,
        ended: Callable[[Line], None],
        clock: Callable[[], float],
        insecure: bool = False,
        resolve: Callable[..., Any] = socket.getaddrinfo,
        line: type[Line] = Line,
    ) -> None:
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.answers = Answers(cap_bytes)
        self.requests: dict[int, bytes] = Requests(target, like)
        self.cap_bytes = cap_bytes
        self.flying: dict[Line, None] = {}
        """Attempts that are under way, the oldest first."""
        self.connections = 0
        """That were opened."""
        self.replayed = 0
        """Attempts that were sent again, because their connection had gone."""
        self.exhausted = ""
        """Why this machine could open no further connection, when that was so."""
        self._target, self._deadline_s = target, deadline_s
        self.clock, self.ended, self._resolve, self._make = clock, ended, resolve, line
        self._tls = tls_context(insecure=insecure) if target.scheme == "https" else None
        self._idle: list[Line] = []
        self._dialling: dict[Line, asyncio.Task[None] | Dialling] = {}
        self._addresses: Addresses | None = None
        self._answering: tuple[int, Any] | None = None
        """Family and address that the last connection went to."""
        self.channels: Channels | None = None

    async def prepare(self, connections: int) -> None:
        """Look the name up and open connections, so that the first attempts need not; what fails, these will tell."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(self._deadline_s):
                await self._prepared()
                more = (self._prepared() for _ in range(connections - 1))
                await asyncio.gather(*more, return_exceptions=True)  # where one fails, no other is left behind

    async def _prepared(self) -> None:
        line = self._make(self)
        await self._connect(line)
        if line.transport is not None:  # else it has ended already
            self._idle.append(line)

    def push(self, body: bytes, intended_s: float, started_s: float, due: object = None) -> Line:
        """Begin an attempt. The times are told again when it ends."""
        idle = self._idle
        line = idle.pop() if idle else self._make(self)
        line.busy = True
        line.received = line.replayed = False
        line.body = body
        line.due = due
        line.status = None
        line.intended_s = intended_s
        line.started_s = started_s
        self.flying[line] = None
        if line.transport is not None:
            line.write()
        else:
            self._dial(line)
        return line

    def expire(self, now_s: float) -> None:
        """End the attempts whose deadline has passed."""
        until_s = now_s - self._deadline_s
        for line in list(self._overdue(until_s)) if self.flying else ():
            late = "no answer" if line.transport else "no connection"
            told = "the head of the answer came in time, its body did not end"
            line.fail(Outcome.TIMED_OUT, told if line.status else f"{late} inside {self._deadline_s:g} s")

    def _overdue(self, until_s: float) -> Sequence[Line]:
        overdue = []
        for line in self.flying:
            if line.started_s > until_s:
                break
            overdue.append(line)
        return overdue

    def cancel(self) -> None:
        """End all attempts that are under way, as cancelled."""
        for line in list(self.flying):
            line.fail(Outcome.CANCELLED, "interrupted")

    async def close(self) -> None:
        """End all attempts and all connections."""
        self.cancel()
        idle, self._idle = self._idle, []
        for line in idle:
            line.abort()
        dialling = list(self._dialling.values())
        for one in dialling:
            one.cancel()
        await asyncio.gather(*(one for one in dialling if isinstance(one, asyncio.Task)), return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted lets go of its socket
        if self.channels is not None:
            self.channels.close()
            self.channels = None

    def freed(self, line: Line) -> None:
        """See :class:`tcop_mock.load.connection.Pool`."""
        del self.flying[line]
        self._idle.append(line)
        ended = self.ended  # a call of what an attribute holds is quicker in two steps (CPython 3.11)
        ended(line)

    def spent(self, line: Line) -> None:
        """See :class:`tcop_mock.load.connection.Pool`."""
        del self.flying[line]
        line.abort()
        if line in self._dialling:
            self._dialling[line].cancel()
        self.ended(line)

    def stale(self, line: Line) -> None:
        """See :class:`tcop_mock.load.connection.Pool`."""
        self.replayed += 1
        line.replayed = True
        self._dial(line)

    def left(self, line: Line) -> None:
        """See :class:`tcop_mock.load.connection.Pool`."""
        if line in self._idle:
            self._idle.remove(line)

    def _dial(self, line: Line) -> None:
        if self.channels is None or self._answering is None:
            self._dialling[line] = asyncio.create_task(self._dialled(line))
            return
        try:
            self._dialling[line] = self.channels.dial(*self._answering, line, partial(self._dialled_again, line))
        except OSError as problem:
            asyncio.get_running_loop().call_soon(self._dialled_again, line, problem)

    def _dialled_again(self, line: Line, problem: OSError | None) -> None:
        """Go on with a connection to the address that answered before, or without one."""
        self._dialling.pop(line, None)
        if problem is None:
            self.connections += 1
            return
        elsewhere = problem.errno not in _OURS and len(self._addresses or ()) > 1
        if elsewhere:
            self._answering = None  # another may answer
        if not line.busy:
            return  # it was given up, in most cases because it took too long
        if elsewhere:
            self._dial(line)
        else:
            self._not_connected(line, problem)

    async def _dialled(self, line: Line) -> None:
        try:
            await self._connect(line)
        except OSError as problem:
            self._not_connected(line, problem)
        except Exception as problem:  # noqa: BLE001 - a fault of ours, raised by whoever waits for the end
            fault(problem)
        finally:
            self._dialling.pop(line, None)

    async def _connect(self, line: Line) -> None:
        if self._addresses is None:
            self._addresses = await resolved(self._target.host, self._target.port, self._resolve)
        if self._tls is None and self.channels is None:
            self.channels = channels()
        if self.channels is None:
            await connect(lambda: line, self._target, self._tls, self._addresses)
        else:
            sock = await opened(self._addresses)
            with contextlib.suppress(OSError):  # it was reset already, which the line is told
                self._answering = sock.family, sock.getpeername()
            self.channels.add(sock, line)
        self.connections += 1

    def _not_connected(self, line: Line, problem: OSError) -> None:
        said = getattr(problem, "verify_message", "") or problem.strerror or str(problem)
        if problem.errno in _OURS:
            self.exhausted = said
            line.fail(Outcome.CANCELLED, said)
        elif isinstance(problem, ResolveError):
            line.fail(Outcome.DNS, str(problem))
        else:
            line.fail(Outcome.TLS if isinstance(problem, ssl.SSLError) else Outcome.REFUSED, said)


_TICK_S = 0.01


class KeepingLine(Line):
    """A line that keeps what the receiver says, and when, up to the end of its answer."""

    __slots__ = ("connected_s", "first_byte_s", "said")

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.said = bytearray()
        self.connected_s: float | None = None
        self.first_byte_s: float | None = None

    def write(self) -> None:
        """Forget what was said to the attempt before, and send the request."""
        self.said.clear()
        self.connected_s, self.first_byte_s = self._pool.clock(), None
        super().write()

    def take(self, data: bytes) -> None:
        """Keep the next bytes of an answer, and take them."""
        if self.busy:
            self.first_byte_s = self.first_byte_s or self._pool.clock()
            self.said += data
        super().take(data)

    def attempt(self) -> Attempt:
        """Return the attempt that has just ended."""
        answer = Answer("POST", self._pool.cap_bytes)
        with contextlib.suppress(BadAnswerError):
            if self.said:
                answer.feed(bytes(self.said))
        connected = self.connected_s is not None
        return Attempt(
            outcome=self.outcome,
            intended_s=self.intended_s,
            started_s=self.started_s,
            ended_s=self._pool.clock(),
            connected_s=self.connected_s,
            first_byte_s=self.first_byte_s,
            status=self.status,
            headers=answer.headers,
            body=bytes(answer.body),
            body_truncated=answer.truncated,
            sent_bytes=len(self._pool.requests[len(self.body)]) + len(self.body) if connected else 0,
            received_bytes=len(self.said),
            request_sha256=hashlib.sha256(self.body).hexdigest(),
            detail=self.detail,
        )


class PooledPost:
    """Sends one push after the other, for who wants to look at each; all with the headers of the first.

    Args:
        target: where to; its credentials are not used here, they come with the first push.
        answer_cap_bytes: how much of an answer's body is read.
        insecure: do not verify the receiver's certificate.
        clock: seconds, monotonic.
        resolve: looks a host name up; may block.
    """

    def __init__(
        self,
        target: Target,
        *,
        answer_cap_bytes: int = 65_536,
        insecure: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        resolve: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._target, self._cap, self._insecure = target, answer_cap_bytes, insecure
        self._clock, self._resolve = clock, resolve
        self._wire: Wire | None = None

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Post`."""
        wire = self._wire = self._wire or self._opened(push, deadline_s)
        started_s = self._clock()
        line = wire.push(push.body, started_s if intended_s is None else intended_s, started_s)
        assert isinstance(line, KeepingLine)  # noqa: S101 - the wire makes no others
        over = asyncio.get_running_loop().create_future()
        line.due = over
        with raised_by(over):
            while not over.done():
                await asyncio.wait([over], timeout=max(_TICK_S, started_s + deadline_s - self._clock()))
                wire.expire(self._clock())
        over.result()
        return line.attempt()

    async def close(self) -> None:
        """End the connection."""
        if self._wire is not None:
            await self._wire.close()

    def _opened(self, push: Push, deadline_s: float) -> Wire:
        return Wire(
            self._target,
            push,
            deadline_s=deadline_s,
            cap_bytes=self._cap,
            ended=_tell,
            clock=self._clock,
            insecure=self._insecure,
            resolve=self._resolve,
            line=KeepingLine,
        )


def _tell(line: Line) -> None:
    assert isinstance(line.due, asyncio.Future)  # noqa: S101 - nobody else pushes on this wire
    if not line.due.done():
        line.due.set_result(None)
