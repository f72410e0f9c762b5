"""A transport to a handler on the same event loop, without sockets: time may be virtual."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import request_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.target import Target
    from tcop_mock.server.messages import Handler

_CAP_BYTES = 65_536


class DirectTransport:
    """The transport to a handler, which receives the same requests as from a server.

    As behind a server, a handler goes on with its work after the deadline, and an exception is answered with 500.

    Args:
        handler: the receiver.
        target: whose path is asked for.
        clock: seconds; the time of the event loop, if it is virtual.
        cap_bytes: how much of an answer's body is read.
    """

    def __init__(
        self, handler: Handler, target: Target, clock: Callable[[], float], cap_bytes: int = _CAP_BYTES
    ) -> None:
        self._handler, self._target, self._clock, self._cap_bytes = handler, target, clock, cap_bytes
        self._working: set[asyncio.Task[Reply]] = set()

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self._clock()
        work = asyncio.create_task(self._answer(self._received(request)))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        await asyncio.wait({work}, timeout=deadline_s if request.hang_up_after_s is None else request.hang_up_after_s)
        intended_s = started_s if intended_s is None else intended_s
        if request.hang_up_after_s is not None or not work.done():
            outcome = Outcome.TIMED_OUT if request.hang_up_after_s is None else Outcome.CANCELLED
            return Attempt(outcome, intended_s=intended_s, started_s=started_s, ended_s=self._clock())
        reply = work.result()
        body = reply.body if request.method != "HEAD" else b""
        return Attempt(
            outcome=Outcome.from_status(reply.status),
            intended_s=intended_s,
            started_s=started_s,
            ended_s=self._clock(),
            status=reply.status,
            headers=reply.headers,
            body=body[: self._cap_bytes],
            body_truncated=len(body) > self._cap_bytes,
        )

    def _received(self, request: OutgoingRequest) -> ReceivedRequest:
        start, *lines = request_head(self._target, request).decode("latin-1").splitlines()
        method, path, _ = start.split(" ")
        fields = (line.partition(": ") for line in lines if line)
        headers = tuple((name.lower(), value) for name, _, value in fields)
        return ReceivedRequest(method, path, headers, request.body, self._clock())

    async def _answer(self, received: ReceivedRequest) -> Reply:
        try:
            answer = self._handler(received)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:  # noqa: BLE001 - whatever a handler raises, a server answers it so
            return Reply(500)
