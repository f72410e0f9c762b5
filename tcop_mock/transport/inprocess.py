"""Transports to WSGI apps and callables in this process, and the exchange that ASGI shares.

Every app runs in its own threads, so that a blocking app delays nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import io
import json
import sys
import threading
import traceback
from concurrent.futures import Future, InvalidStateError
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.transport.outcomes import HangUpRequestedError, Phase, failure_from_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.target import Target

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


T = TypeVar("T")


CLIENT_ADDRESS = ("127.0.0.1", 49152)

_MAX_TRACE_CHARS = 20_000

_NO_RESPONSE = "the app ended without an answer"

_INCOMPLETE_RESPONSE = "the app ended inside its answer"


class InProcessExchange:
    """One request and the response of an app: the app fills it in, the sender waits for it.

    Args:
        target: the target with the request path.
        request: the request.
        max_body_bytes: how many bytes of the response body are kept.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self, target: Target, request: OutgoingRequest, max_body_bytes: int, clock: Callable[[], float]
    ) -> None:
        self.request, self._max_body_bytes, self._clock = request, max_body_bytes, clock
        self.raw_path, _, self.query = target.path_with(request.query).partition("?")
        self.path = unquote(self.raw_path)
        self.host = target.authority
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.is_truncated = self._is_broken = False
        self.first_byte_s: float | None = None
        self.traceback = ""
        self.head_received: Future[None] = Future()
        self.body_received: Future[None] = Future()

    def request_headers(self) -> list[tuple[str, str]]:
        """Return the header fields that a socket transport would send."""
        return self.request.header_fields(self.host, keep_alive=False)

    def start_response(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Record the head of the response."""
        self.status, self.headers, self.first_byte_s = status, tuple(headers), self._clock()
        resolve_future(self.head_received)

    def write(self, data: bytes) -> None:
        """Record a part of the response body."""
        remaining = self._max_body_bytes - len(self.body)
        self.body += data[:remaining]
        if len(data) > remaining:
            self.is_truncated = True
            resolve_future(self.body_received)

    def finish(self) -> None:
        """Record the end of the response. Without a head it becomes a 500, as in servers."""
        if self.status is None:
            self.fail(_NO_RESPONSE)
        resolve_future(self.body_received)

    def fail(self, problem: BaseException | str, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> None:
        """Record that the app raised. Before the head that is a 500, afterwards a broken response, as in servers."""
        trace = problem if isinstance(problem, str) else "".join(traceback.format_exception(problem))
        if self.request.credentials is not None:
            trace = self.request.credentials.mask(trace)
        self.traceback = trace[-_MAX_TRACE_CHARS:]
        if self.status is None:
            self.start_response(status, ())
            resolve_future(self.body_received)
        else:
            self._is_broken = True
            resolve_future(self.body_received)

    async def outcome(self, deadline_s: float) -> tuple[Outcome, str]:
        """Wait for the response and return the outcome and its detail."""
        if self.request.hang_up_after_s is not None:
            await asyncio.sleep(self.request.hang_up_after_s)
            return failure_from_error(HangUpRequestedError(), Phase.WAITING)
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(asyncio.wrap_future(self.head_received))
                async with asyncio.timeout(self.request.body_timeout_s):
                    await asyncio.shield(asyncio.wrap_future(self.body_received))
        except TimeoutError as error:
            return failure_from_error(error, Phase.WAITING if self.status is None else Phase.BODY, deadline_s)
        if self._is_broken:
            return Outcome.RESET_IN_ANSWER, _INCOMPLETE_RESPONSE
        return Outcome.from_status(self.status), self.traceback.strip().rpartition("\n")[2]

    def to_attempt(self, outcome: tuple[Outcome, str], started_s: float, intended_s: float | None) -> Attempt:
        """Return the record of the attempt that has just ended."""
        return Attempt(
            outcome=outcome[0],
            intended_s=started_s if intended_s is None else intended_s,
            started_s=started_s,
            ended_s=self._clock(),
            connected_s=started_s,
            first_byte_s=self.first_byte_s,
            status=self.status,
            headers=self.headers,
            body=bytes(self.body),
            body_truncated=self.is_truncated,
            sent_bytes=len(self.request.body),
            received_bytes=len(self.body),
            request_sha256=hashlib.sha256(self.request.body).hexdigest(),
            detail=outcome[1],
            traceback=self.traceback,
        )


def resolve_future(future: Future[T | None], value: T | None = None) -> None:
    """Set the result of a future unless it is done."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)


class WsgiTransport:
    """A transport to a WSGI app.

    Args:
        app: the app.
        target: the target with the request path.
        max_body_bytes: how many bytes of a response body are kept.
        clock: monotonic clock in seconds.
    """

    def __init__(self, app: WsgiApp, target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> None:
        self._app, self._target, self._max_body_bytes, self._clock = app, target, max_body_bytes, clock

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._max_body_bytes, self._clock)
        threading.Thread(target=self._call, args=(exchange,), name="wsgi-request", daemon=True).start()
        return exchange.to_attempt(await exchange.outcome(deadline_s), started_s, intended_s)

    def _call(self, exchange: InProcessExchange) -> None:
        def start_response(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: Any = None,  # noqa: ANN401 - sys.exc_info()
        ) -> Callable[[bytes], None]:
            if exchange.status is not None and exc_info is None:
                raise AssertionError("start_response was called twice without exc_info")
            exchange.start_response(int(status.split(" ", 1)[0]), headers)
            return exchange.write

        try:
            parts = self._app(_environ(exchange), start_response)
            try:
                for part in parts:
                    exchange.write(part)
            finally:
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
            exchange.finish()
        except Exception as problem:  # noqa: BLE001 - any error of the app becomes part of the attempt
            exchange.fail(problem)


def _environ(exchange: InProcessExchange) -> dict[str, Any]:
    host, _, port = exchange.host.partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": exchange.request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": exchange.path.encode().decode("latin-1"),  # bytes as Latin-1 text (PEP 3333)
        "QUERY_STRING": exchange.query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": CLIENT_ADDRESS[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(exchange.request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in exchange.request_headers():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ


class CallableTransport:
    """A transport to a callable. Returning is a 200, ``ValueError`` a 400, any other exception a 500.

    Args:
        handler: called with the parsed body in a new thread; may be a coroutine function.
        target: the name of the handler as a target.
        answer_cap_bytes: how many bytes of a response body are kept.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self,
        handler: Callable[[Any], object],
        target: Target,
        *,
        answer_cap_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._handler, self._target, self._body_limit, self._clock = handler, target, answer_cap_bytes, clock

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._body_limit, self._clock)
        threading.Thread(target=self._call, args=(exchange,), name="callback-handler", daemon=True).start()
        return exchange.to_attempt(await exchange.outcome(deadline_s), started_s, intended_s)

    def _call(self, exchange: InProcessExchange) -> None:
        try:
            result = self._handler(json.loads(exchange.request.body))
            if inspect.isawaitable(result):
                asyncio.run(_await_result(result))
        except ValueError as problem:
            exchange.fail(problem, HTTPStatus.BAD_REQUEST)
        except Exception as problem:  # noqa: BLE001 - any error of the handler becomes part of the attempt
            exchange.fail(problem)
        else:
            exchange.start_response(HTTPStatus.OK, ())
            exchange.finish()


async def _await_result(awaitable: Awaitable[object]) -> None:
    await awaitable
