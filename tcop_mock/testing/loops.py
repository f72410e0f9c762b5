"""Asynchronous work for tests that wait for it, whatever loop they have or have not."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tcop_mock.testing.usage import misuse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    T = TypeVar("T")


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Do the work on a loop of its own in a thread of its own, and return what it returns.

    So the test's own loop, where it has one, and the thread's policy stay as they are. Whatever interrupts the waiting
    (Ctrl-C, a timeout of the test) cancels the work.
    """
    at_work: Future[asyncio.Task[T]] = Future()

    async def run() -> T:
        task = asyncio.ensure_future(work)
        at_work.set_result(task)
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="tcop-mock") as pool:
        done = pool.submit(asyncio.run, run())
        try:
            return done.result()
        except BaseException:
            task = at_work.result()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the work itself has raised
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


def require_asyncio(instead: str) -> None:
    """Refuse to be awaited by anything but asyncio.

    Raises:
        Failed: the test runs on another kind of loop; says what to use instead.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        misuse(f"this needs asyncio, and the test runs on another loop; use {instead} in a thread")
