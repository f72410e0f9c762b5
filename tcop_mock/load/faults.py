"""What fails in a callback of the event loop, raised where it is waited for: asyncio would log it, and wait on."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def raised_by(over: asyncio.Future[Any]) -> Iterator[None]:
    """Make a future of the running loop raise what fails in any callback while the block runs.

    What the system says of connections is no fault: it shows in the outcomes.
    """
    loop = asyncio.get_running_loop()

    def take(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        if isinstance(problem, Exception) and not isinstance(problem, OSError) and not over.done():
            over.set_exception(problem)

    before = loop.get_exception_handler()
    loop.set_exception_handler(take)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


def fault(problem: Exception) -> None:
    """Have the running loop told of what failed in a task that nobody waits for."""
    asyncio.get_running_loop().call_exception_handler({"message": "a fault of ours", "exception": problem})
