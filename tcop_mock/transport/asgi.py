"""A transport to an ASGI 3 app in this process. The app runs on its own event loop in its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

from tcop_mock.errors import TargetError
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
_STOP_TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class AsgiTransport:
    """A transport to an app. ``with`` starts the app and shuts it down.

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
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="asgi-app", daemon=True)
        self._lifespan = _Lifespan(app)

    def __enter__(self) -> Self:
        """Start the app.

        Raises:
            TargetError: the app fails to start, or does not start in time.
        """
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        lifespan_future = asyncio.run_coroutine_threadsafe(self._lifespan.run(), self._loop)
        try:
            problem = self._lifespan.startup_result.result(self._lifespan_timeout_s)
        except TimeoutError:
            problem = f"not done in {self._lifespan_timeout_s:g} s"
        if problem is not None:
            lifespan_future.cancel()
            self._stop()
            raise TargetError(f"{self._target}: the app did not start up: {problem}")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._lifespan.shutdown_requested.set)
        with contextlib.suppress(TimeoutError):
            self._lifespan.shutdown_result.result(self._lifespan_timeout_s)
        self._stop()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _stop(self) -> None:
        """Cancel all tasks and stop the loop. If the app blocks it, its daemon thread ends with this process."""
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        self._thread.join(_STOP_TIMEOUT_S)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._max_body_bytes, self._clock)
        asgi_request = _AsgiRequest(self._app, exchange, dict(self._lifespan.state))
        asyncio.run_coroutine_threadsafe(asgi_request.run(), self._loop)
        outcome = await exchange.outcome(deadline_s)
        self._loop.call_soon_threadsafe(asgi_request.client_gone.set)
        return exchange.to_attempt(outcome, started_s, intended_s)


class _AsgiRequest:
    """One request, which runs on the app's event loop."""

    def __init__(self, app: AsgiApp, exchange: InProcessExchange, state: Message) -> None:
        self._app, self._exchange, self._state = app, exchange, state
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
            await self._app(scope, self._receive, self._send)
            exchange.finish()
        except Exception as problem:  # noqa: BLE001 - any error of the app becomes part of the attempt
            exchange.fail(problem)

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


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    asyncio.get_running_loop().stop()
