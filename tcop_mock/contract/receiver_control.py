"""What a run can do to a receiver that is its own: end it, start it again, and measure it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from tcop_mock.contract.output_leaks import OutputLeaks
    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.process.system import ProcessSize

_HEAD_START_S = 0.02
"""The first pushes are in flight for this time before SIGTERM."""
_INTERVAL_S = 0.02
"""Time between the pushes after SIGTERM."""


class ReceiverControl(Protocol):
    """A receiver that the run has started."""

    @property
    def leaks(self) -> OutputLeaks | None:
        """What its output shows of its credentials; ``None`` if it has none."""
        ...

    async def crash(self) -> None:
        """End it with SIGKILL and start it again.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        ...

    async def shut_down(self, limit_s: float) -> float | None:
        """End it with SIGTERM; return how long that took, or ``None`` if it was killed after the limit."""
        ...

    async def restart(self) -> None:
        """Start it again, after SIGTERM if it runs.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        ...

    async def size(self) -> ProcessSize | None:
        """Return its size; ``None`` where the system does not tell."""
        ...


class ShutDown(NamedTuple):
    """A receiver that was ended with SIGTERM while it was pushed to."""

    attempts: list[Attempt]
    took_s: float | None
    """``None``: it was killed after the limit."""


async def shut_down_during(
    control: ReceiverControl,
    sends: Sequence[Callable[[], Coroutine[Any, Any, Attempt]]],
    sleep: Callable[[float], Awaitable[None]],
    limit_s: float,
) -> ShutDown:
    """End a receiver with SIGTERM while pushes are in flight; it is not started again.

    Args:
        control: the receiver.
        sends: sends one push each. The first half is sent before SIGTERM, the others one by one after it.
        sleep: pauses.
        limit_s: how long it may take to end.
    """
    half = len(sends) // 2

    async def send_later(number: int) -> Attempt:
        await sleep(_HEAD_START_S + _INTERVAL_S * number)
        return await sends[half + number]()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send()) for send in sends[:half]]
        tasks += [group.create_task(send_later(number)) for number in range(len(sends) - half)]
        await sleep(_HEAD_START_S)
        took_s = await control.shut_down(limit_s)
    return ShutDown([task.result() for task in tasks], took_s)
