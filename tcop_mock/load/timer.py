"""Call back at a moment, to a tenth of a millisecond: a timer that the event loop waits for as for a socket.

The loop's own timers are rounded up to a millisecond where it waits with epoll, and in uvloop.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Limits = tuple[int, int]


_CLOCK_MONOTONIC = 1

_NS = 1_000_000_000

_TICK_S = 0.001


class Pacer(Protocol):
    """Calls back once for each time it is set; setting it again takes the place of what was set."""

    def set(self, delay_s: float) -> None:
        """Call back after a delay."""
        ...

    def close(self) -> None:
        """Call back no more."""
        ...


class _Spec(ctypes.Structure):
    """``struct itimerspec`` of timerfd_settime(2)."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerDescriptor:
    """A pacer on timerfd(2), which Linux has.

    Args:
        loop: that waits.
        call: what is called.
        libc: where the system's functions are.

    Raises:
        OSError: the system has no such timers, or none left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None], libc: ctypes.CDLL) -> None:
        try:
            create, self._set_time = libc.timerfd_create, libc.timerfd_settime
        except AttributeError:
            raise OSError("no timerfd here") from None
        self._descriptor = create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop, self._call = loop, call
        self._until_s = math.inf
        """When it is due, by the timer's clock; infinitely late where it is not set.

        The loop's own is coarser where it is uvloop's: whole milliseconds, of when its turn began.
        """
        self._spec = _Spec()
        self._at = ctypes.byref(self._spec)
        loop.add_reader(self._descriptor, self._due)

    def set(self, delay_s: float) -> None:
        """Call back after a delay. Setting the timer takes back that it had expired, so it need not be read."""
        self._until_s = monotonic() + delay_s
        spec = self._spec
        spec.value_s, spec.value_ns = divmod(max(1, int(delay_s * _NS)), _NS)  # 0 would be never
        self._set_time(self._descriptor, 0, self._at, None)

    def close(self) -> None:
        """Give the descriptor back."""
        self._until_s = -math.inf
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _due(self) -> None:
        if monotonic() < self._until_s:
            return  # it was set anew after it had expired
        self._until_s = math.inf
        self._call()
        if self._until_s == math.inf:  # it was not set again: as long as it is not read, it is due
            os.read(self._descriptor, 8)


class LoopTimer:
    """A pacer on the loop's own timers: it sleeps as long as these are exact, and turns in the loop for the rest."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop, self._call = loop, call
        self._handle: asyncio.Handle | None = None
        self._until_s = 0.0

    def set(self, delay_s: float) -> None:
        """Call back after a delay."""
        self.close()
        self._until_s = monotonic() + delay_s
        self._wait()

    def close(self) -> None:
        """Call back no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _wait(self) -> None:
        left_s = self._until_s - monotonic()
        if left_s <= 0:
            self._handle = self._loop.call_soon(self._call)
        elif left_s <= _TICK_S:
            self._handle = self._loop.call_soon(self._wait)
        else:
            self._handle = self._loop.call_later(left_s - _TICK_S, self._wait)


def pacer(call: Callable[[], None]) -> Pacer:
    """Return the best pacer that the system has, for the loop that is running."""
    loop = asyncio.get_running_loop()
    try:
        return TimerDescriptor(loop, call, ctypes.CDLL(None, use_errno=True))
    except (OSError, TypeError, NotImplementedError):  # no Linux, Windows' CDLL, a loop that waits for sockets only
        return LoopTimer(loop, call)


NAMES = ("asyncio", "uvloop")


def factory_of(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes an event loop.

    Raises:
        UsageError: it is uvloop, which is not installed.
    """
    if name != "uvloop":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - it need not be there
    except ImportError:
        raise UsageError("--loop uvloop: it is not installed; `pip install uvloop`, or leave --loop out") from None
    return uvloop.new_event_loop


_OTHERS = 64

"""Descriptors for everything else: files, pipes, the event loop."""


def require_descriptors(
    connections: int,
    limits: Callable[[], Limits] | None = None,
    raise_to: Callable[[Limits], None] | None = None,
) -> None:
    """Make sure of the file descriptors that so many connections take; the soft limit is raised where it may be.

    Args:
        connections: at once, in this process.
        limits: returns the soft and the hard limit.
        raise_to: sets them.

    Raises:
        UsageError: there are not enough; says what to do.
    """
    if sys.platform == "win32":  # pragma: no cover - it has no such limit
        return
    import resource  # noqa: PLC0415 - Windows does not have it

    number, infinite = resource.RLIMIT_NOFILE, resource.RLIM_INFINITY
    soft, hard = limits() if limits else resource.getrlimit(number)
    needed = connections + _OTHERS
    if soft == infinite or soft >= needed:
        return
    if hard != infinite and hard < needed:
        raise UsageError(
            f"{connections} connections at once need {needed} file descriptors, and this process may have {hard}: "
            f"lower --max-inflight (or --concurrency) to {max(1, hard - _OTHERS)}, or raise the limit "
            f"(`ulimit -Hn {needed}` as root, LimitNOFILE= of a service, --ulimit nofile= of a container)"
        )
    raised = (needed, hard)
    if raise_to:
        raise_to(raised)
    else:
        resource.setrlimit(number, raised)


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
