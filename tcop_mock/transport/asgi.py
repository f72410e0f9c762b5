"""A transport to an ASGI 3 app in this process.

The app runs where the caller is (:mod:`tcop_mock.transport.caller`): in the event loop of an asynchronous caller, or in
the thread of a synchronous one, on a loop of its own. Between the calls of a synchronous caller that loop runs in a
thread of its own, so that the app's background tasks go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Self

from tcop_mock.errors import TargetError
from tcop_mock.transport.caller import Caller, LoopCaller, ThreadCaller, current_caller
from tcop_mock.transport.clock import close_loop, new_event_loop
from tcop_mock.transport.inprocess import CLIENT_ADDRESS, InProcessExchange, resolve_future

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

_ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_LIFESPAN_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class AsgiTransport:
    """A transport to an app. The first request starts the app; the end of ``with`` shuts it down.

    Args:
        app: the app.
        target: the target with the request path.
        max_body_bytes: how many bytes of a response body are kept.
        clock: monotonic clock in seconds.
        lifespan_timeout_s: time limit of the startup and of the shutdown.
    """

    def __init__(
        self,
        app: AsgiApp,
        target: Target,
        *,
        max_body_bytes: int,
        clock: Callable[[], float],
        lifespan_timeout_s: float = _LIFESPAN_TIMEOUT_S,
    ) -> None:
        self._app, self._target, self._max_body_bytes, self._clock = app, target, max_body_bytes, clock
        self._lifespan_timeout_s = lifespan_timeout_s
        self._own_loop: _OwnLoop | None = None
        self._lifespans: dict[asyncio.AbstractEventLoop, _Lifespan] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for loop, lifespan in self._lifespans.items():
            if self._own_loop is None or loop is not self._own_loop.loop:
                self._shut_down_between(loop, lifespan)
        if self._own_loop is not None:
            self._own_loop.close(self._shut_down(self._lifespans.get(self._own_loop.loop)))

    def _shut_down_between(self, loop: asyncio.AbstractEventLoop, lifespan: _Lifespan) -> None:
        """Shut down the app in the loop of an asynchronous caller, while that loop does not run."""
        if loop.is_closed() or loop.is_running():
            return
        with contextlib.suppress(RuntimeError):  # another loop runs in this thread
            asyncio.get_running_loop()
            return
        loop.run_until_complete(self._shut_down(lifespan))

    async def shut_down(self) -> None:
        """Shut down the app in the running loop, if it was started there."""
        await self._shut_down(self._lifespans.pop(asyncio.get_running_loop(), None))

    async def _shut_down(self, lifespan: _Lifespan | None) -> None:
        if lifespan is not None:
            lifespan.shutdown_requested.set()
            await asyncio.wait({asyncio.wrap_future(lifespan.shutdown_result)}, timeout=self._lifespan_timeout_s)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`.

        Raises:
            TargetError: the app does not start.
        """
        loop = self._loop_for(current_caller())
        lifespan = await self._started(loop)
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._max_body_bytes, self._clock)
        asgi_request = _AsgiRequest(self._app, exchange, dict(lifespan.state), _sync_executor())
        self._start(loop, asgi_request.run())
        caller = current_caller()
        if caller is not None:
            caller.expect(exchange.has_returned)
        outcome = await exchange.outcome(deadline_s)
        loop.call_soon_threadsafe(asgi_request.client_gone.set)
        return exchange.to_attempt(outcome, started_s, intended_s)

    def _loop_for(self, caller: Caller | None) -> asyncio.AbstractEventLoop:
        """Return the loop in which the app runs for a caller."""
        if caller is None:
            return asyncio.get_running_loop()
        if isinstance(caller, LoopCaller) and caller.loop is not None:
            return caller.loop
        if self._own_loop is None:
            self._own_loop = _OwnLoop()
        if isinstance(caller, ThreadCaller):
            if caller.loop is not self._own_loop.loop and self._own_loop.pause():
                caller.share(self._own_loop)
        elif not self._own_loop.is_running:
            self._own_loop.run_in_background()
        return self._own_loop.loop

    async def _started(self, loop: asyncio.AbstractEventLoop) -> _Lifespan:
        """Start the app in a loop, once.

        Raises:
            TargetError: it fails to start, or does not start in time.
        """
        lifespan = self._lifespans.get(loop)
        if lifespan is None:
            lifespan = self._lifespans[loop] = _Lifespan(self._app)
            self._start(loop, lifespan.run())
        startup = asyncio.wrap_future(lifespan.startup_result)
        done, _ = await asyncio.wait({startup}, timeout=self._lifespan_timeout_s)
        problem = startup.result() if done else f"not done in {self._lifespan_timeout_s:g} s"
        if problem is None:
            return lifespan
        lines = [line.strip() for line in problem.splitlines() if line.strip()]
        cause = RuntimeError(problem) if len(lines) > 1 else None
        raise TargetError(f"{self._target}: the app did not start up: {lines[-1]}") from cause

    def _start(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task of the app in a copy of the caller's context."""
        caller = current_caller()
        context = caller.context.copy() if caller else contextvars.copy_context()

        def start() -> None:
            task = loop.create_task(coroutine, context=context)
            _tasks.add(task)
            task.add_done_callback(_forget)

        loop.call_soon_threadsafe(start)


_tasks: set[asyncio.Task[None]] = set()
"""Tasks of apps: a loop keeps weak references only."""


def _forget(task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    _ = task.cancelled() or task.exception()  # a loop reports what nobody looks at


class _OwnLoop:
    """The event loop of an app: the thread of a caller runs it during a run, a thread of its own at other times."""

    def __init__(self) -> None:
        self.loop = new_event_loop()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        """Held by who decides whether the thread ends."""
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


def _sync_executor() -> Executor | None:
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
async def _thread_sensitive_code(executor: Executor | None) -> AsyncIterator[None]:
    """Have asgiref run synchronous code in an executor."""
    if executor is None:
        yield
        return
    asgiref: Any = sys.modules["asgiref.sync"]
    context = asgiref.ThreadSensitiveContext()
    async with context:
        asgiref.SyncToAsync.context_to_thread_executor[context] = executor
        yield


class _AsgiRequest:
    """One request, which runs on the app's event loop."""

    def __init__(
        self, app: AsgiApp, exchange: InProcessExchange, state: Message, sync_executor: Executor | None
    ) -> None:
        self._app, self._exchange, self._state, self._sync_executor = app, exchange, state, sync_executor
        self._caller = current_caller()
        self._body_parts = list(exchange.request.body_segments()) or [b""]
        self.client_gone = asyncio.Event()
        """Set when the client has the response or has stopped waiting."""

    async def run(self) -> None:
        """Call the app."""
        exchange = self._exchange
        scope = {
            "type": "http",
            "asgi": _ASGI_VERSIONS,
            "http_version": "1.1",
            "method": exchange.request.method,
            "scheme": "http",
            "path": exchange.path,
            "raw_path": exchange.raw_path.encode(),
            "query_string": exchange.query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in exchange.request_headers()
            ],
            "client": CLIENT_ADDRESS,
            "server": (exchange.host, 80),
            "state": self._state,
        }
        try:
            async with _thread_sensitive_code(self._sync_executor):
                await self._app(scope, self._receive, self._send)
            exchange.finish()
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - any error of the app becomes part of the attempt
            exchange.fail(problem)
        except KeyboardInterrupt as problem:
            exchange.fail(problem)
            if not isinstance(self._caller, ThreadCaller):
                raise
            self._caller.interrupt()  # raised here, it would leave the loop in the middle of its work
        finally:
            resolve_future(exchange.has_returned)

    async def _receive(self) -> Message:
        if self._body_parts:
            part = self._body_parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._body_parts)}
        await self.client_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        message_type = message["type"]
        if message_type == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            self._exchange.start_response(message["status"], headers)
        elif message_type == "http.response.body":
            self._exchange.write(message.get("body", b""))
            if not message.get("more_body", False):
                self._exchange.finish()
        else:
            raise RuntimeError(f"an app cannot send {message_type!r} here")


class _Lifespan:
    """The lifespan protocol; apps without it are supported."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.state: Message = {}
        self.startup_result: Future[str | None] = Future()
        """The error of the startup, or ``None``."""
        self.shutdown_result: Future[None] = Future()
        self.shutdown_requested = asyncio.Event()
        self._receive_count = 0

    async def run(self) -> None:
        """Run the lifespan of the app until it ends."""
        try:
            await self._app(
                {"type": "lifespan", "asgi": _ASGI_VERSIONS, "state": self.state}, self._receive, self._send
            )
        except Exception:  # noqa: BLE001 - by the specification an app that raises here has no lifespan
            _log.debug("the app has no lifespan", exc_info=True)
        finally:
            resolve_future(self.startup_result)
            resolve_future(self.shutdown_result)

    async def _receive(self) -> Message:
        self._receive_count += 1
        if self._receive_count == 1:
            return {"type": "lifespan.startup"}
        await self.shutdown_requested.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        has_failed = message["type"] == "lifespan.startup.failed"
        resolve_future(self.startup_result, (message.get("message") or "it gives no reason") if has_failed else None)
