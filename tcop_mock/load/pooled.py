"""The ``Post`` port over the wire of loads: one attempt at a time, on a connection that is kept."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import time
from typing import TYPE_CHECKING, Any

from tcop_mock.load.faults import raised_by
from tcop_mock.load.line import Line
from tcop_mock.load.wire import Wire
from tcop_mock.model.delivery import Attempt
from tcop_mock.send.answer import Answer, BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.load.line import Pool
    from tcop_mock.model.delivery import Push
    from tcop_mock.model.target import Target

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
        """Send once; see :class:`tcop_mock.model.delivery.Post`."""
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
