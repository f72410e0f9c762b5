"""Event loops for the coroutines of an app or a client: the caller's loop, or a separate one."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from tcop_mock.transport.caller import LoopCaller, ThreadCaller, current_caller
from tcop_mock.transport.clock import close_loop, new_event_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

_STOP_TIMEOUT_S = 1.0


class AppLoops:
    """The event loops of one app: that of an asynchronous caller, and a separate one for all others."""

    def __init__(self) -> None:
        self.own: OwnLoop | None = None

    def for_caller(self) -> asyncio.AbstractEventLoop:
        """Return the loop in which the app runs for the current caller."""
        caller = current_caller()
        if caller is None:
            return asyncio.get_running_loop()
        if isinstance(caller, LoopCaller) and caller.loop is not None:
            return caller.loop
        if self.own is None:
            self.own = OwnLoop()
        if isinstance(caller, ThreadCaller):
            if caller.loop is not self.own.loop and self.own.pause():
                caller.share(self.own)
        elif not self.own.is_running:
            self.own.run_in_background()
        return self.own.loop

    def close(self, shutdown: Coroutine[Any, Any, None] | None = None) -> None:
        """Close the loop of its own, after a coroutine has run in it."""
        if self.own is not None:
            self.own.close(shutdown or _nothing())


async def _nothing() -> None:
    pass


def start_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> Future[asyncio.Task[None]]:
    """Start a task in a copy of the caller's context, from any thread."""
    caller = current_caller()
    context = caller.context.copy() if caller else contextvars.copy_context()
    started: Future[asyncio.Task[None]] = Future()

    def start() -> None:
        task = loop.create_task(coroutine, context=context)
        _tasks.add(task)
        task.add_done_callback(_forget)
        started.set_result(task)

    loop.call_soon_threadsafe(start)
    return started


_tasks: set[asyncio.Task[None]] = set()
"""Tasks of apps: a loop keeps weak references only."""


def _forget(task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    _ = task.cancelled() or task.exception()  # a loop reports what nobody looks at


class OwnLoop:
    """The event loop of an app: the thread of a caller runs it during a run, a thread of its own at other times."""

    def __init__(self) -> None:
        self.loop = new_event_loop()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        """Held while it is decided whether the thread ends."""
        self._is_pausing = False
        self._has_left = False

    @property
    def is_running(self) -> bool:
        """Whether the thread of its own runs it."""
        return self._thread is not None

    def run_in_background(self) -> None:
        """Run the loop in a thread of its own."""
        self._is_pausing = self._has_left = False
        self._thread = threading.Thread(target=self._run, name="asgi-app", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self.loop.run_forever()
            with self._lock:
                if self._is_pausing:
                    self._has_left = True
                    return

    def pause(self) -> bool:
        """Stop the thread; return whether the loop is free. It is not while the app blocks it."""
        if self._thread is None:
            return True
        self._is_pausing = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_STOP_TIMEOUT_S)
        with self._lock:
            if not self._has_left:
                self._is_pausing = False
                return False
        self._thread.join()
        self._thread = None
        return True

    def close(self, shutdown: Coroutine[Any, Any, None]) -> None:
        """Run the shutdown of the app, cancel its tasks, and close the loop.

        If the app blocks the loop, its daemon thread ends when the app lets it, or with this process.
        """
        if not self.pause():
            self._is_pausing = True
            shutdown.close()
            return

        def close() -> None:
            self.loop.stop()
            self.loop.run_forever()  # runs a stop of pause() that the thread ended too early to meet
            self.loop.run_until_complete(shutdown)
            close_loop(self.loop)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            close()
        else:
            thread = threading.Thread(target=close, name="asgi-shutdown")
            thread.start()
            thread.join()


class _SharedExecutor(Executor):
    """An executor that hands its calls to another one, and is not shut down with its user."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:  # noqa: ANN401 - any call
        """Hand a call on."""
        return self._executor.submit(function, *arguments, **keywords)


def sync_executor() -> Executor | None:
    """Return what runs the synchronous code of an app that uses asgiref, as Django does.

    That is the thread of a synchronous caller, or the thread in which asgiref runs the synchronous code of an
    asynchronous caller. So the app uses the caller's database connections.
    """
    asgiref = sys.modules.get("asgiref.sync")
    caller = current_caller()
    if asgiref is None or caller is None:
        return None
    if isinstance(caller, ThreadCaller):
        return _SharedExecutor(caller)
    executor: Executor | None = getattr(asgiref.SyncToAsync, "single_thread_executor", None)
    return _SharedExecutor(executor) if executor and isinstance(caller, LoopCaller) else None


@contextlib.asynccontextmanager
async def thread_sensitive_code(executor: Executor | None) -> AsyncIterator[None]:
    """Have asgiref run synchronous code in an executor."""
    if executor is None:
        yield
        return
    asgiref: Any = sys.modules["asgiref.sync"]
    context = asgiref.ThreadSensitiveContext()
    async with context:
        asgiref.SyncToAsync.context_to_thread_executor[context] = executor
        yield
