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

_LOOP_RESOLUTION_S = 0.001


class PreciseTimer(Protocol):
    """Calls back once for each time it is set; setting it again takes the place of what was set."""

    def set(self, delay_s: float) -> None:
        """Call back after a delay."""
        ...

    def close(self) -> None:
        """Call back no more."""
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
    """A pacer on timerfd(2), which Linux has.

    Args:
        loop: that waits.
        on_expiry: what is called.
        libc: where the system's functions are.

    Raises:
        OSError: the system has no such timers, or none left.
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
        """When it is due, by the timer's clock; infinitely late where it is not set.

        The loop's own is coarser where it is uvloop's: whole milliseconds, of when its turn began.
        """
        self._spec = _ITimerSpec()
        self._spec_pointer = ctypes.byref(self._spec)
        loop.add_reader(self._descriptor, self._on_readable)

    def set(self, delay_s: float) -> None:
        """Call back after a delay. Setting the timer takes back that it had expired, so it need not be read."""
        self._expires_s = monotonic() + delay_s
        spec = self._spec
        spec.value_s, spec.value_ns = divmod(max(1, int(delay_s * _NS)), _NS)  # 0 would be never
        self._set_time(self._descriptor, 0, self._spec_pointer, None)

    def close(self) -> None:
        """Give the descriptor back."""
        self._expires_s = -math.inf
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _on_readable(self) -> None:
        if monotonic() < self._expires_s:
            return  # it was set anew after it had expired
        self._expires_s = math.inf
        self._on_expiry()
        if self._expires_s == math.inf:  # it was not set again: as long as it is not read, it is due
            os.read(self._descriptor, 8)


class LoopTimer:
    """A pacer on the loop's own timers: it sleeps as long as these are exact, and turns in the loop for the rest."""

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
        """Call back no more."""
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
    """Return the best pacer that the system has, for the loop that is running."""
    loop = asyncio.get_running_loop()
    try:
        return TimerfdTimer(loop, on_expiry, ctypes.CDLL(None, use_errno=True))
    except (OSError, TypeError, NotImplementedError):  # no Linux, Windows' CDLL, a loop that waits for sockets only
        return LoopTimer(loop, on_expiry)


LOOP_NAMES = ("asyncio", "uvloop")


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
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


_RESERVED_DESCRIPTORS = 64

"""Descriptors for everything else: files, pipes, the event loop."""


def require_descriptors(
    connections: int,
    get_limits: Callable[[], Limits] | None = None,
    set_limits: Callable[[Limits], None] | None = None,
) -> None:
    """Make sure of the file descriptors that so many connections take; the soft limit is raised where it may be.

    Args:
        connections: at once, in this process.
        get_limits: returns the soft and the hard limit.
        set_limits: sets them.

    Raises:
        UsageError: there are not enough; says what to do.
    """
    if sys.platform == "win32":  # pragma: no cover - it has no such limit
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
    """Make a future of the running loop raise what fails in any callback while the block runs.

    What the system says of connections is no fault: it shows in the outcomes.
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
    """Have the running loop told of what failed in a task that nobody waits for."""
    asyncio.get_running_loop().call_exception_handler({"message": "a fault of ours", "exception": problem})
