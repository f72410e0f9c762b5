"""Timers: calls at a moment, on any system."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tcop_mock.load.timer import LoopTimer, PreciseTimer, TimerfdTimer, make_timer

if TYPE_CHECKING:
    from collections.abc import Callable

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has timerfd(2)")
MAKERS = [
    pytest.param(
        lambda call: TimerfdTimer(asyncio.get_running_loop(), call, ctypes.CDLL(None, use_errno=True)),
        id="timerfd",
        marks=linux,
    ),
    pytest.param(lambda call: LoopTimer(asyncio.get_running_loop(), call), id="loop"),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("delay_s", [0.0, 0.0005, 0.02])
def test_it_calls_back_once_and_not_too_early(
    make: Callable[[Callable[[], None]], PreciseTimer], delay_s: float
) -> None:
    """After the delay, however short; and no second time."""

    async def run() -> tuple[float, int]:
        loop, called, calls = asyncio.get_running_loop(), asyncio.Event(), []

        def call() -> None:
            calls.append(loop.time())
            called.set()

        one = make(call)
        began_s = loop.time()
        one.set(delay_s)
        await called.wait()
        await asyncio.sleep(0.01)
        one.close()
        return calls[0] - began_s, len(calls)

    waited_s, times = asyncio.run(run())
    assert waited_s >= delay_s - 1e-6
    assert times == 1


@pytest.mark.parametrize("make", MAKERS)
def test_setting_it_again_takes_the_place_of_what_was_set(make: Callable[[Callable[[], None]], PreciseTimer]) -> None:
    """The first moment passes without a call, also where it had come already when it was set anew."""

    async def run() -> int:
        calls: list[None] = []
        one = make(lambda: calls.append(None))
        one.set(0.0)
        one.set(60.0)
        await asyncio.sleep(0.01)
        one.close()
        one.close() if isinstance(one, LoopTimer) else None
        return len(calls)

    assert asyncio.run(run()) == 0


@linux
def test_a_timer_that_was_set_anew_behind_its_back_is_not_due() -> None:
    """It had expired, and before the loop came to it, it was set to a later moment."""

    async def run() -> int:
        calls: list[None] = []
        one = TimerfdTimer(asyncio.get_running_loop(), lambda: calls.append(None), ctypes.CDLL(None, use_errno=True))
        one.set(60.0)
        one._on_readable()
        one.close()
        return len(calls)

    assert asyncio.run(run()) == 0


@linux
def test_it_is_as_exact_where_the_loops_clock_is_not() -> None:
    """The timer is exact on a loop with a coarse clock, such as that of uvloop."""

    class Coarse(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time() // 60 * 60

    async def run() -> float:
        called = asyncio.Event()
        one = make_timer(called.set)
        began_s = time.monotonic()
        one.set(0.01)
        await called.wait()
        one.close()
        return time.monotonic() - began_s

    with asyncio.Runner(loop_factory=Coarse) as runner:
        assert 0.01 <= runner.run(run()) < 5


class NoTimers:
    """A system's functions, without timers."""


class NoneLeft:
    """A system whose timers are used up."""

    @staticmethod
    def timerfd_create(*_: object) -> int:
        """Fail."""
        return -1

    timerfd_settime = timerfd_create


@pytest.mark.parametrize("libc", [NoTimers(), NoneLeft()])
def test_where_there_is_no_timer_descriptor_the_loop_has_timers(libc: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a timer descriptor the timers of the loop are used."""

    async def run() -> PreciseTimer:
        one = make_timer(lambda: None)
        one.close()
        return one

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: libc)
    assert isinstance(asyncio.run(run()), LoopTimer)
