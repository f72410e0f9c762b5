"""What a receiver sends to the stub services of our receiving end, while a check runs: the check answers it."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from tcop_mock.server.downstream import DownstreamRecorder
    from tcop_mock.server.messages import ReceivedRequest

_ENDED = Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"the check has ended\n")


class ForwardedMessages:
    """Passes messages of the receiver to the check that runs, which observes them and can fail them."""

    def __init__(self) -> None:
        self._recorder: DownstreamRecorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def passed_to(self, recorder: DownstreamRecorder) -> AsyncIterator[None]:
        """Pass messages to the recorder of a check inside ``async with``, in the event loop of that check."""
        self._recorder, self._loop = recorder, asyncio.get_running_loop()
        try:
            yield
        finally:
            self._recorder = None

    def reply_to(self, request: ReceivedRequest) -> Awaitable[Reply] | None:
        """Return the reply of the check that runs, or ``None`` if none does."""
        return None if self._recorder is None else self._reply(self._recorder, request)

    async def _reply(self, recorder: DownstreamRecorder, request: ReceivedRequest) -> Reply:
        assert self._loop is not None  # noqa: S101 - set with the recorder
        answering = asyncio.run_coroutine_threadsafe(recorder.answer(request), self._loop)
        reply = asyncio.wrap_future(answering)
        await asyncio.wait([reply])
        return _ENDED if reply.cancelled() else reply.result()


class UnusedServices:
    """Why a check saw no message, if there was none: then clauses about messages are not run."""

    is_any_taken = False
    """No call is seen before its message."""

    def __init__(self, address: str) -> None:
        self._address = address

    def hints(self) -> list[str]:
        """Return what to do."""
        return [
            f"none came to {self._address}; let it send to a path there, such as /wecom/send?key=test or /pagerduty"
        ]
