"""A port to a callable that takes a callback as a tree: no HTTP, only what it makes of callbacks."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tcop_mock.send.inprocess import Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.model.delivery import Attempt, Push
    from tcop_mock.model.target import Target


class HandlerPost:
    """A ``Post`` port to a callable: that it returns is 200, a ``ValueError`` is 400, whatever else it raises is 500.

    Args:
        handler: gets the body's JSON value; may be a coroutine function. Each call is in a thread of its own.
        target: what it is called.
        answer_cap_bytes: as of other ports.
        clock: seconds.
    """

    def __init__(
        self,
        handler: Callable[[Any], object],
        target: Target,
        *,
        answer_cap_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._handler, self._target, self._cap, self._clock = handler, target, answer_cap_bytes, clock

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; see :class:`tcop_mock.model.delivery.Post`."""
        started_s = self._clock()
        exchange = Exchange(self._target, push, self._cap, self._clock)
        threading.Thread(target=self._call, args=(exchange,), name="callback-handler", daemon=True).start()
        return exchange.attempt(await exchange.outcome(deadline_s), started_s, intended_s)

    def _call(self, exchange: Exchange) -> None:
        try:
            answer = self._handler(json.loads(exchange.push.body))
            if inspect.isawaitable(answer):
                asyncio.run(_awaited(answer))
        except ValueError as problem:
            exchange.fail(problem, HTTPStatus.BAD_REQUEST)
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises is the attempt's to tell
            exchange.fail(problem)
        else:
            exchange.begin(HTTPStatus.OK, ())
            exchange.end()


async def _awaited(answer: Awaitable[object]) -> None:
    await answer
