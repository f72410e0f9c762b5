"""A timer with a precision of a tenth of a millisecond, and other parts that depend on the event loop or the system.

The timers of the event loop are rounded up to a millisecond, with epoll and in uvloop.
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

_LOOP_RESOLUTION_S = 0.001

_MAX_POLLING_S, _MAX_POLLING_SHARE = 0.00005, 0.25

"""The time before the end of a delay in which the event loop polls, in seconds and as a share of the delay."""


class PreciseTimer(Protocol):
    """Calls back once after ``set``; setting it again replaces the earlier delay."""

    def set(self, delay_s: float) -> None:
        """Call back after a delay."""
        ...

    def close(self) -> None:
        """Stop the timer."""
        ...


class _ITimerSpec(ctypes.Structure):
    """``struct itimerspec`` of timerfd_settime(2)."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerfdTimer:
    """A timer based on timerfd(2) of Linux.

    Args:
        loop: the event loop.
        on_expiry: called when the timer expires.
        libc: the C library.

    Raises:
        OSError: the system has no timerfd, or no descriptor left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None], libc: ctypes.CDLL) -> None:
        try:
            create, self._set_time = libc.timerfd_create, libc.timerfd_settime
        except AttributeError:
            raise OSError("no timerfd here") from None
        self._descriptor = create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop, self._on_expiry = loop, on_expiry
        self._expires_s = math.inf
        """Time on the monotonic clock at which the timer expires; infinite if it is not set.

        The clock of uvloop is too coarse: whole milliseconds, read at the start of a turn.
        """
        self._spec = _ITimerSpec()
        self._spec_pointer = ctypes.byref(self._spec)
        loop.add_reader(self._descriptor, self._on_readable)

    def set(self, delay_s: float) -> None:
        """Call back after a delay. Setting an expired timer resets it, so that it need not be read.

        The descriptor becomes readable a little earlier. The event loop then polls it in each turn until the time has
        come, because a sleeping thread wakes up some 50 µs late.
        """
        self._expires_s = monotonic() + delay_s
        spec = self._spec
        asleep_s = delay_s - min(_MAX_POLLING_S, _MAX_POLLING_SHARE * delay_s)
        spec.value_s, spec.value_ns = divmod(max(1, int(asleep_s * _NS)), _NS)  # 0 would disable the timer
        self._set_time(self._descriptor, 0, self._spec_pointer, None)

    def close(self) -> None:
        """Close the descriptor."""
        self._expires_s = -math.inf
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _on_readable(self) -> None:
        if monotonic() < self._expires_s:
            return  # the loop calls again in its next turn, as long as the descriptor is readable
        self._expires_s = math.inf
        self._on_expiry()
        if self._expires_s == math.inf:  # it was not set again, so it stays readable until it is read
            os.read(self._descriptor, 8)


class LoopTimer:
    """A timer based on the timers of the event loop; it polls during the last millisecond."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop, self._on_expiry = loop, on_expiry
        self._handle: asyncio.Handle | None = None
        self._expires_s = 0.0

    def set(self, delay_s: float) -> None:
        """Call back after a delay."""
        self.close()
        self._expires_s = monotonic() + delay_s
        self._wait()

    def close(self) -> None:
        """Stop the timer."""
        if self._handle is not None:
            self._handle.cancel()

    def _wait(self) -> None:
        remaining_s = self._expires_s - monotonic()
        if remaining_s <= 0:
            self._handle = self._loop.call_soon(self._on_expiry)
        elif remaining_s <= _LOOP_RESOLUTION_S:
            self._handle = self._loop.call_soon(self._wait)
        else:
            self._handle = self._loop.call_later(remaining_s - _LOOP_RESOLUTION_S, self._wait)


def make_timer(on_expiry: Callable[[], None]) -> PreciseTimer:
    """Return the most precise timer that the running event loop supports."""
    loop = asyncio.get_running_loop()
    try:
        return TimerfdTimer(loop, on_expiry, ctypes.CDLL(None, use_errno=True))
    except (OSError, TypeError, NotImplementedError):  # not Linux, Windows' CDLL, or a loop that waits only for sockets
        return LoopTimer(loop, on_expiry)


LOOP_NAMES = ("asyncio", "uvloop")


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the factory of an event loop.

    Raises:
        UsageError: uvloop is not installed.
    """
    if name != "uvloop":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - it is optional
    except ImportError:
        raise UsageError("--loop uvloop: it is not installed; `pip install uvloop`, or leave --loop out") from None
    return uvloop.new_event_loop


_RESERVED_DESCRIPTORS = 64

"""Descriptors for everything else: files, pipes, the event loop."""

_MANY = 1_000_000


def max_connections(get_limits: Callable[[], Limits] | None = None) -> int:
    """Return how many connections this process may have at once, if the soft limit is raised.

    Args:
        get_limits: returns the soft and the hard limit of file descriptors.
    """
    if sys.platform == "win32":  # pragma: no cover - there is no such limit
        return _MANY
    import resource  # noqa: PLC0415 - Windows does not have it

    _, hard = get_limits() if get_limits else resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if hard == resource.RLIM_INFINITY else max(1, hard - _RESERVED_DESCRIPTORS)


def require_descriptors(
    connections: int,
    get_limits: Callable[[], Limits] | None = None,
    set_limits: Callable[[Limits], None] | None = None,
) -> None:
    """Check that there are enough file descriptors for a number of connections; raise the soft limit if necessary.

    Args:
        connections: the maximum number of connections in this process.
        get_limits: returns the soft and the hard limit.
        set_limits: sets both limits.

    Raises:
        UsageError: the hard limit is too low.
    """
    if sys.platform == "win32":  # pragma: no cover - there is no such limit
        return
    import resource  # noqa: PLC0415 - Windows does not have it

    limit_id, unlimited = resource.RLIMIT_NOFILE, resource.RLIM_INFINITY
    soft, hard = get_limits() if get_limits else resource.getrlimit(limit_id)
    needed = connections + _RESERVED_DESCRIPTORS
    if soft == unlimited or soft >= needed:
        return
    if hard != unlimited and hard < needed:
        raise UsageError(
            f"{connections} connections at once need {needed} file descriptors, and this process may have {hard}: "
            f"lower --max-inflight (or --concurrency) to {max(1, hard - _RESERVED_DESCRIPTORS)}, or raise the limit "
            f"(`ulimit -Hn {needed}` as root, LimitNOFILE= of a service, --ulimit nofile= of a container)"
        )
    new_limits = (needed, hard)
    if set_limits:
        set_limits(new_limits)
    else:
        resource.setrlimit(limit_id, new_limits)


@contextmanager
def propagate_loop_errors(finished: asyncio.Future[Any]) -> Iterator[None]:
    """Set an exception of any callback of the running loop on a future while the block runs.

    Errors of connections are ignored, because they are outcomes.
    """
    loop = asyncio.get_running_loop()

    def handle_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        if isinstance(problem, Exception) and not isinstance(problem, OSError) and not finished.done():
            finished.set_exception(problem)

    previous_handler = loop.get_exception_handler()
    loop.set_exception_handler(handle_error)
    try:
        yield
    finally:
        loop.set_exception_handler(previous_handler)


def report_error(problem: Exception) -> None:
    """Report an exception of a task that nothing awaits to the running loop."""
    asyncio.get_running_loop().call_exception_handler({"message": "internal error", "exception": problem})
