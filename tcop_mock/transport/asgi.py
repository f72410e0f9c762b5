"""A transport to an ASGI 3 app in this process.

The app runs where the caller is (:mod:`tcop_mock.transport.caller`): in the event loop of an asynchronous caller, or in
the thread of a synchronous one, on a loop of its own. Between the calls of a synchronous caller that loop runs in a
thread of its own, so that the app's background tasks go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Self

from tcop_mock.errors import TargetError
from tcop_mock.transport.app_loop import AppLoops, start_in, sync_executor, thread_sensitive_code
from tcop_mock.transport.caller import ThreadCaller, current_caller
from tcop_mock.transport.inprocess import CLIENT_ADDRESS, InProcessExchange, resolve_future

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

_ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_LIFESPAN_TIMEOUT_S = 30.0
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
        self._loops = AppLoops()
        self._lifespans: dict[asyncio.AbstractEventLoop, _Lifespan] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for loop, lifespan in self._lifespans.items():
            if self._loops.own is None or loop is not self._loops.own.loop:
                self._shut_down_between(loop, lifespan)
        if self._loops.own is not None:
            self._loops.close(self._shut_down(self._lifespans.get(self._loops.own.loop)))

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
        loop = self._loops.for_caller()
        lifespan = await self._started(loop)
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._max_body_bytes, self._clock)
        asgi_request = _AsgiRequest(self._app, exchange, dict(lifespan.state), sync_executor())
        start_in(loop, asgi_request.run())
        caller = current_caller()
        if caller is not None:
            caller.expect(exchange.has_returned)
        outcome = await exchange.outcome(deadline_s)
        loop.call_soon_threadsafe(asgi_request.client_gone.set)
        return exchange.to_attempt(outcome, started_s, intended_s)

    async def _started(self, loop: asyncio.AbstractEventLoop) -> _Lifespan:
        """Start the app in a loop, once.

        Raises:
            TargetError: it fails to start, or does not start in time.
        """
        lifespan = self._lifespans.get(loop)
        if lifespan is None:
            lifespan = self._lifespans[loop] = _Lifespan(self._app)
            start_in(loop, lifespan.run())
        startup = asyncio.wrap_future(lifespan.startup_result)
        done, _ = await asyncio.wait({startup}, timeout=self._lifespan_timeout_s)
        problem = startup.result() if done else f"not done in {self._lifespan_timeout_s:g} s"
        if problem is None:
            return lifespan
        lines = [line.strip() for line in problem.splitlines() if line.strip()]
        cause = RuntimeError(problem) if len(lines) > 1 else None
        raise TargetError(f"{self._target}: the app did not start up: {lines[-1]}") from cause


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
            async with thread_sensitive_code(self._sync_executor):
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
