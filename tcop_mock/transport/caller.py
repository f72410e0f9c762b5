"""Runs a coroutine while the caller waits, and the user's code in the caller's thread or loop.

Our requests have an event loop and a thread of their own, so that deadlines hold while an app blocks. What belongs to
the user runs where the user's test runs, because a test's state may belong to its thread or its loop: a database
connection, a transaction, a context variable, a lock.

- A synchronous caller waits in its thread. Meanwhile it calls the functions of the user (:class:`ThreadCaller`).
- An asynchronous caller waits in its event loop. The coroutines of the user run in that loop (:class:`LoopCaller`).
- A synchronous caller inside of a running loop can do neither (:class:`Caller`).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import queue
import signal
import threading
import time
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from tcop_mock.transport.clock import new_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

T = TypeVar("T")
P = ParamSpec("P")

_UNFINISHED_CALLS_S = 1.0
"""How long a run waits at its end for calls that have answered and not yet returned."""
_INTERRUPT_AFTER_S = 2.0
"""How long after the end of a run a call that blocks the thread of its caller is interrupted."""
_INTERRUPT_ARRIVES_S = 0.5
"""How long to wait for an interrupt that was sent as the call ended."""


class SharedLoop(Protocol):
    """An event loop that a caller's thread can run for the time of a run."""

    loop: asyncio.AbstractEventLoop

    def run_in_background(self) -> None:
        """Run the loop in a thread of its own."""
        ...


class Caller:
    """The code that waits for a run: its context, and the thread or loop for the user's code."""

    loop: asyncio.AbstractEventLoop | None = None
    """The loop for the coroutines of the user, if there is one."""

    def __init__(self) -> None:
        self.context = contextvars.copy_context()
        self.turn = asyncio.Lock()
        """Held by the request that is answered, where only one may be."""
        self._calls: set[Future[Any]] = set()

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function of the user."""
        return self.context.copy().run(function, *arguments)

    def expect(self, call: Future[Any]) -> None:
        """Wait for a call at the end of the run, for a limited time."""
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def finish(self) -> None:
        """Wait for the calls that have answered and not yet returned."""
        if calls := set(map(asyncio.wrap_future, self._calls.copy())):
            await asyncio.wait(calls, timeout=_UNFINISHED_CALLS_S)


class LoopCaller(Caller):
    """A caller in a running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function of the user in the loop's thread."""
        return await asyncio.wrap_future(self.submit(function, *arguments))

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Have a function called in the loop's thread."""
        future: Future[T] = Future()
        assert self.loop is not None  # noqa: S101 - set at the start
        self.loop.call_soon_threadsafe(_resolve, future, function, arguments, context=self.context.copy())
        return future


class ThreadCaller(Caller, Executor):
    """A caller whose thread waits: meanwhile it calls functions of the user, and runs their event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.last_call: Future[None] | None = None
        """The last call of an app; it may be over its deadline and block the thread."""
        self._pending: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.current_thread()
        self._shared_loop: SharedLoop | None = None
        self._lock = threading.Lock()
        self._has_left = self._is_interrupted = False
        self._left = threading.Event()

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function of the user in the thread of the caller."""
        return await asyncio.wrap_future(self.submit(function, *arguments))

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs) -> Future[T]:
        """Have a function called in the thread of the caller; in another one when the caller has left."""
        future: Future[T] = Future()
        context = self.context.copy()

        def call() -> None:
            context.run(_resolve, future, lambda: function(*arguments, **keywords), ())

        with self._lock:
            has_left = self._has_left
            if not has_left:
                self._put(call)
        if has_left:
            threading.Thread(target=call, name="late-call", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of Executor
        """Do nothing: the thread is the caller's."""

    def share(self, shared_loop: SharedLoop) -> None:
        """Run a loop from now on, until the end of the run."""
        self._shared_loop, self.loop = shared_loop, shared_loop.loop
        self._put(lambda: None)

    def _put(self, call: Callable[[], object] | None) -> None:
        self._pending.put(call)
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):  # a loop that is closed waits for nothing
                self.loop.call_soon_threadsafe(self.loop.stop)

    def serve(self, done: Future[Any]) -> None:
        """Call the submitted functions until a run is done."""
        done.add_done_callback(lambda _: self._put(None))
        ident = threading.get_ident()
        _user_threads.add(ident)
        try:
            while (call := self._next_call()) is not None:
                call()
            self._leave()
        except KeyboardInterrupt:
            if not self._is_interrupted:
                raise
        finally:
            self._has_left = True
            self._left.set()
            _user_threads.discard(ident)
            if self._shared_loop is not None:
                self._shared_loop.run_in_background()

    def _next_call(self) -> Callable[[], object] | None:
        while self.loop is not None:
            with contextlib.suppress(queue.Empty):
                return self._pending.get_nowait()
            self.loop.run_forever()
        return self._pending.get()

    def _leave(self) -> None:
        """Call the functions that were submitted last, and wait for an interrupt that is under way."""
        with self._lock:
            self._has_left = True
            self._left.set()
            while not self._pending.empty():
                call = self._pending.get()
                if call is not None:
                    threading.Thread(target=call, name="late-call", daemon=True).start()
        if self._is_interrupted:
            time.sleep(_INTERRUPT_ARRIVES_S)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt from the run: Ctrl-C came while a coroutine of the user ran."""
        if not self._is_interrupted:
            self._put(_raise_interrupt)

    def interrupt_if_blocked(self) -> None:
        """Interrupt a call that goes on after the end of the run, as Ctrl-C would; in the main thread only."""
        if self._left.wait(_INTERRUPT_AFTER_S) or self._thread is not threading.main_thread():
            return
        can_interrupt = signal.getsignal(signal.SIGINT) is signal.default_int_handler and hasattr(
            signal, "pthread_kill"
        )
        with self._lock:
            self._is_interrupted = can_interrupt and not self._left.is_set()
            if self._is_interrupted:
                signal.pthread_kill(self._thread.ident or 0, signal.SIGINT)


def _raise_interrupt() -> None:
    raise KeyboardInterrupt


def _resolve(future: Future[T], function: Callable[..., T], arguments: Iterable[object]) -> None:
    """Call a function and resolve a future with its result or its exception."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*arguments)
    except Exception as problem:  # noqa: BLE001 - the future passes it on
        future.set_exception(problem)
    except BaseException as problem:  # Ctrl-C, or a test that ends itself: the caller gets it, too
        future.set_exception(RuntimeError(f"ended by {type(problem).__name__}"))
        raise
    else:
        future.set_result(result)


_current: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("tcop_mock_caller", default=None)
_user_threads: set[int] = set()
"""Threads that call functions of the user at present."""


def current_caller() -> Caller | None:
    """Return the caller of the run that this code belongs to; ``None`` outside of a run."""
    return _current.get()


def runs_user_code() -> bool:
    """Return whether the current thread runs code of the user for a run."""
    return _current.get() is None and threading.get_ident() in _user_threads


async def call_user(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - what the function returns
    """Call a function of the user in the caller's thread or loop; await its result there if that is awaitable."""
    caller = current_caller()
    result = await caller.call(function, *arguments) if caller else function(*arguments)
    if not inspect.isawaitable(result):
        return result
    if caller is None or caller.loop is None:
        return await result

    async def wait_for_result() -> Any:  # noqa: ANN401 - what the function returns
        return await result

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait_for_result(), caller.loop))


def call_and_wait(function: Callable[..., T], *arguments: object) -> T:
    """Call a function of the user in the loop of an asynchronous caller, and wait for it; elsewhere, call it here."""
    caller = current_caller()
    return caller.submit(function, *arguments).result() if isinstance(caller, LoopCaller) else function(*arguments)


def run_beside(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread and an event loop of its own, and return its result; the user's code runs here.

    This also works inside of a running loop. Any interrupt of the wait (Ctrl-C, the timeout of a test) cancels the
    coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        caller: Caller = ThreadCaller()
    else:
        caller = Caller()
    run = _Run(coroutine, caller)
    try:
        if isinstance(caller, ThreadCaller):
            caller.serve(run.done)
        run.done.exception()
    except BaseException:
        run.cancel()
        raise
    finally:
        run.thread.join()
    result: T = run.done.result()
    return result


async def run_beside_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread and an event loop of its own, and return its result; the user's code runs here.

    If the task is cancelled, so is the coroutine.
    """
    run = _Run(coroutine, LoopCaller(asyncio.get_running_loop()))
    done: asyncio.Future[T] = asyncio.wrap_future(run.done)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        run.cancel()
        await asyncio.wait({done})
        done.exception()  # a future reports an exception that nobody looks at
        raise


class _Run:
    """A coroutine that runs in a thread of its own."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], caller: Caller) -> None:
        self.done: Future[Any] = Future()
        self._task: Future[asyncio.Task[Any]] = Future()
        context = contextvars.copy_context()
        context.run(_current.set, caller)
        self.thread = threading.Thread(
            target=context.run, args=(self._run, coroutine, caller), name="tcop-mock", daemon=True
        )
        self.thread.start()

    def cancel(self) -> None:
        """Cancel the coroutine, if it still runs."""
        task = self._task.result()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the coroutine has ended
            task.get_loop().call_soon_threadsafe(task.cancel)

    def _run(self, coroutine: Coroutine[Any, Any, Any], caller: Caller) -> None:
        async def run() -> Any:  # noqa: ANN401 - what the coroutine returns
            task = asyncio.ensure_future(coroutine)
            self._task.set_result(task)
            result = await task
            await caller.finish()
            return result

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                result = runner.run(run())
        except BaseException as problem:  # noqa: BLE001 - the caller gets it
            self.done.set_exception(problem)
        else:
            self.done.set_result(result)
        if isinstance(caller, ThreadCaller):
            caller.interrupt_if_blocked()
