"""Control of a receiver that the run has started: end it, start it again, and measure it.

The output of the receiver is searched for its credentials.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tcop_mock.domain.target import MASK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.target import Credentials
    from tcop_mock.process.system import ProcessSize

_MAX_LINE_BYTES = 65_536
_MAX_CONTEXT_CHARS = 60
_HEAD_START_S = 0.02
"""The first pushes are in flight for this time before SIGTERM."""
_INTERVAL_S = 0.02
"""Time between the pushes after SIGTERM."""


class OutputLeak(NamedTuple):
    """The first line that shows the credentials."""

    line_number: int
    """Number of the line, from 1, in all output of the receiver, also before a restart."""
    excerpt: str
    """The line around them, with the credentials masked."""


@dataclass(slots=True)
class OutputLeaks:
    """Searches a stream of output for credentials, independent of its chunks.

    Args:
        credentials: their password and token are searched for.
    """

    credentials: Credentials = field(repr=False)
    count: int = 0
    """Number of lines that show them."""
    first: OutputLeak | None = None
    _line_number: int = 1
    _is_counted: bool = False
    """Whether the line that has no end yet is counted already."""
    _partial: bytes = field(default=b"", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _parts: tuple[str, ...] = field(default=(), init=False, repr=False)
    """Strings of which each leak contains one; a fast search for them comes first."""

    def __post_init__(self) -> None:
        self._parts = (self.credentials.token().reveal().rstrip("="), *self.credentials.leak_patterns())

    def feed(self, data: bytes) -> None:
        """Search the next bytes of the output, which may end within a line."""
        with self._lock:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._look_at(line)
                self._line_number += 1
                self._is_counted = False
            if len(self._partial) > _MAX_LINE_BYTES:
                self._look_at(self._partial)
                self._partial = self._partial[-self._overlap :]

    def result(self) -> tuple[int, OutputLeak | None]:
        """Return how many lines show the credentials so far, and the first one."""
        with self._lock:
            self._look_at(self._partial)
            return self.count, self.first

    @property
    def _overlap(self) -> int:
        """Maximum size in bytes of a spelling of a credential and its context before it."""
        return 4 * max(map(len, self._parts)) + _MAX_CONTEXT_CHARS

    def _look_at(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self._is_counted or not any(part in text for part in self._parts):
            return
        masked = self.credentials.mask_leaks(text)
        if masked == text:
            return
        self.count += 1
        self._is_counted = True
        if self.first is None:
            pairs = enumerate(zip(masked, text, strict=False))
            start = next((index for index, (shown, char) in pairs if shown != char), len(masked))
            excerpt = masked[max(0, start - _MAX_CONTEXT_CHARS) : start + len(MASK) + _MAX_CONTEXT_CHARS]
            self.first = OutputLeak(self._line_number, self.credentials.mask(excerpt).strip())


class ReceiverControl(Protocol):
    """A receiver that the run has started."""

    @property
    def leaks(self) -> OutputLeaks | None:
        """Leaks of its credentials in its output; ``None`` if it has no credentials."""
        ...

    async def crash(self) -> None:
        """End it with SIGKILL and start it again.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        ...

    async def shut_down(self, limit_s: float) -> float | None:
        """End it with SIGTERM; return the seconds until its end, or ``None`` if it was killed after the limit."""
        ...

    async def restart(self) -> None:
        """Start it again, after SIGTERM if it runs.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        ...

    async def size(self) -> ProcessSize | None:
        """Return its resource use; ``None`` without proc(5)."""
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
