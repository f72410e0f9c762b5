"""A port to a handler on the same event loop, without sockets, so that time may be virtual."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.server.http_server import Received, Reply
from tcop_mock.transport.http1 import request_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Push
    from tcop_mock.domain.target import Target
    from tcop_mock.server.http_server import Handler

_CAP_BYTES = 65_536


class DirectPost:
    """The ``Post`` port to a handler, which gets the same requests as from a sink.

    As behind a sink, a handler goes on with its work when nobody waits for the answer any more, and an exception is
    answered with 500.

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

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Post`."""
        started_s = self._clock()
        work = asyncio.create_task(self._answer(self._received(push)))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        await asyncio.wait({work}, timeout=deadline_s if push.hang_up_s is None else push.hang_up_s)
        intended_s = started_s if intended_s is None else intended_s
        if push.hang_up_s is not None or not work.done():
            outcome = Outcome.TIMED_OUT if push.hang_up_s is None else Outcome.CANCELLED
            return Attempt(outcome, intended_s=intended_s, started_s=started_s, ended_s=self._clock())
        reply = work.result()
        body = reply.body if push.method != "HEAD" else b""
        return Attempt(
            outcome=Outcome.of_status(reply.status),
            intended_s=intended_s,
            started_s=started_s,
            ended_s=self._clock(),
            status=reply.status,
            headers=reply.headers,
            body=body[: self._cap_bytes],
            body_truncated=len(body) > self._cap_bytes,
        )

    def _received(self, push: Push) -> Received:
        start, *lines = request_head(self._target, push).decode("latin-1").splitlines()
        method, path, _ = start.split(" ")
        fields = (line.partition(": ") for line in lines if line)
        headers = tuple((name.lower(), value) for name, _, value in fields)
        return Received(method, path, headers, push.body, self._clock())

    async def _answer(self, received: Received) -> Reply:
        try:
            answer = self._handler(received)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:  # noqa: BLE001 - whatever a handler raises, a sink answers it so
            return Reply(500)
