"""The real clock: it goes on in a test that freezes time (freezegun, time-machine).

freezegun replaces ``time.time``, ``time.monotonic``, ``time.perf_counter``, and each name in a module that refers to
them. It does not replace ``time.clock_gettime``. An event loop reads ``time.monotonic``, so our loops get this clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_CANCEL_TIMEOUT_S = 1.0


def _real_clock() -> Callable[[], float]:
    """Return a clock that no library replaces; on Windows, the one that was there at the import."""
    read, clock_id = getattr(time, "clock_gettime", None), getattr(time, "CLOCK_MONOTONIC", None)
    if read is None or clock_id is None:
        return time.perf_counter
    return lambda: float(read(clock_id))


_clocks = (_real_clock(),)
"""A tuple, because freezegun replaces names of modules."""


def monotonic_s() -> float:
    """Return the seconds of a monotonic clock."""
    return _clocks[0]()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop whose waits end in real time."""
    loop = asyncio.new_event_loop()
    with contextlib.suppress(AttributeError):  # uvloop has the real clock, and no attribute to set
        loop.time = monotonic_s  # type: ignore[method-assign]  # a subclass would have to know which loop is the default
    return loop


def run_awaitable(awaitable: Awaitable[object]) -> None:
    """Await something in a new event loop, without the signal handlers of ``asyncio.run``."""

    async def wait_for_result() -> None:
        await awaitable

    loop = new_event_loop()
    try:
        loop.run_until_complete(wait_for_result())
    finally:
        close_loop(loop)


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks of a loop that is not running, and close it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        ended, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_TIMEOUT_S))
        for task in ended:
            _ = task.cancelled() or task.exception()  # a loop reports what nobody looks at
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
