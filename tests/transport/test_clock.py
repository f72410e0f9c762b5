"""Real time goes on in a test that freezes it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import tcop_mock
from tcop_mock.errors import TargetError
from tcop_mock.server.stubs import StubServices
from tcop_mock.testing.receiver import Receiver
from tcop_mock.transport import clock
from tcop_mock.transport.clock import close_loop, monotonic_s, new_event_loop, run_awaitable


async def waits(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    """Never answer."""
    assert scope["type"] == "http"
    await asyncio.Event().wait()


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freeze time as freezegun does: its functions replace those of ``time``."""
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: 1_577_836_800.0)
    for name in ("time_ns", "monotonic_ns", "perf_counter_ns"):
        monkeypatch.setattr(time, name, lambda: 1_577_836_800_000_000_000)


@pytest.mark.usefixtures("frozen")
def test_deadlines_end_under_frozen_time() -> None:
    """Deadlines of attempts and runs end in real time, from synchronous code and from a frozen loop."""
    [attempt] = tcop_mock.send(b"{}", waits, attempts=1, timeout_s=0.02).attempts
    assert attempt.detail == "no answer inside 0.02 s"
    assert attempt.duration_s >= 0.02
    with pytest.raises(TargetError, match=r"inside --max-time 0\.02s"):
        tcop_mock.check(waits, clauses="TCM101", max_time_s=0.02)

    async def scene() -> str:
        [attempt] = (await tcop_mock.send_async(b"{}", waits, attempts=1, timeout_s=0.02)).attempts
        return attempt.detail

    assert asyncio.run(scene()) == "no answer inside 0.02 s"


@pytest.mark.usefixtures("frozen")
def test_pauses_end_under_frozen_time() -> None:
    """Pauses between attempts take real time."""
    pauses_s = tcop_mock.send(b"{}", lambda _alarm: 1 / 0, attempts=2, time_scale=0.0001)
    assert len(pauses_s.attempts) == 2


@pytest.mark.usefixtures("frozen")
def test_a_wait_for_callbacks_ends_under_frozen_time() -> None:
    """It says that none came."""
    receiver = Receiver(StubServices("webhook"), "/", 0)
    with pytest.raises(pytest.fail.Exception, match=r"waited 0\.02 s for 1 callback; 0 came"):
        receiver.wait_for(1, timeout=0.02)


def test_a_system_without_clock_gettime_has_the_clock_of_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without clock_gettime, such as Windows, uses the clock at import."""
    monkeypatch.delattr(time, "clock_gettime")
    assert clock._real_clock() is time.perf_counter


def test_a_loop_that_cannot_be_given_a_clock_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop such as that of uvloop keeps its own clock."""

    class Loop:
        __slots__ = ()

    monkeypatch.setattr(asyncio, "new_event_loop", Loop)
    assert isinstance(new_event_loop(), Loop)


def test_a_loop_is_closed_with_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that fail or refuse cancellation do not delay the end of the loop."""
    monkeypatch.setattr(clock, "_CANCEL_TIMEOUT_S", 0.02)
    loop, refused = new_event_loop(), list[bool]()

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    async def refuses() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if refused:
                    raise
                refused.append(True)

    async def start() -> None:
        tasks.extend(loop.create_task(one()) for one in (fails, refuses, asyncio.Event().wait))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[Any]] = []
    loop.run_until_complete(start())
    close_loop(loop)
    assert loop.is_closed()
    assert refused == [True]
    tasks[1].get_coro().close()
    tasks[1]._log_destroy_pending = False  # type: ignore[attr-defined]  # a private switch of asyncio


def test_awaiting_has_a_loop_of_its_own() -> None:
    """An exception of the awaitable is raised."""

    async def fails() -> None:
        raise ValueError("mine")

    before_s = monotonic_s()
    with pytest.raises(ValueError, match="mine"):
        run_awaitable(fails())
    assert monotonic_s() >= before_s
