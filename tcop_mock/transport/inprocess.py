"""Transports to WSGI apps and callables in this process, and the exchange that ASGI shares.

For a synchronous caller, an app is called in the caller's own thread, one request after the other. For an asynchronous
caller, and while a call is over its deadline, each request has a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import inspect
import io
import json
import sys
import sysconfig
import threading
import traceback
from abc import ABC, abstractmethod
from concurrent.futures import Future, InvalidStateError
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.transport.caller import LoopCaller, ThreadCaller, current_caller
from tcop_mock.transport.clock import run_awaitable
from tcop_mock.transport.outcomes import Failure, HangUpRequestedError, Phase, failure_from_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.target import Target

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LIBRARY_FOLDERS = tuple(
    {str(Path(path)) for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))}
)
_PACKAGE_FOLDER = str(Path(__file__).parents[1])
_LIBRARY_PARTS = frozenset({"site-packages", "dist-packages"})
_MAX_FRAMES = 8
_MAX_LIBRARY_FRAMES = 3
_MAX_EXCEPTIONS = 4
_MAX_MESSAGE_CHARS = 2_000
T = TypeVar("T")
CLIENT_ADDRESS = ("127.0.0.1", 49152)
_RAISE_TIMEOUT_S = 1.0
"""Seconds to wait for the exception of an app that has answered 5xx: frameworks answer before they raise."""
_NO_RESPONSE = "the app ended without an answer"
_INCOMPLETE_RESPONSE = "the app ended inside its answer"


def error_text(problem: BaseException) -> str:
    """Return the traceback of an exception with the last frames of the user's own code.

    The frames of libraries are left out. If all frames are of libraries, the last few are shown.
    """
    return "\n".join(line for one in _chain(problem) for line in _lines_of(one)).strip()


def error_line(problem: BaseException) -> str:
    """Return an exception and its place in one line: ``ValueError: no time (receive, line 14 of receiver.py)``."""
    cause = _unwrapped(problem)
    message = " ".join("".join(traceback.format_exception_only(cause)).split())[:_MAX_MESSAGE_CHARS]
    frames = [one for one in traceback.extract_tb(cause.__traceback__) if _is_own(one.filename)]
    if not frames:
        return message
    return f"{message} ({frames[-1].name}, line {frames[-1].lineno} of {Path(frames[-1].filename).name})"


def _chain(problem: BaseException) -> list[BaseException]:
    """Return an exception after those that led to it, as Python prints them."""
    chain = [_unwrapped(problem)]
    while len(chain) < _MAX_EXCEPTIONS:
        last = chain[-1]
        earlier = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if earlier is None or earlier in chain:
            break
        chain.append(_unwrapped(earlier))
    return chain[::-1]


def _unwrapped(problem: BaseException) -> BaseException:
    """Return the only exception of a group; task groups of frameworks wrap exceptions."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    return problem


def _lines_of(problem: BaseException) -> Iterator[str]:
    frames = traceback.extract_tb(problem.__traceback__)
    shown = [one for one in frames if _is_own(one.filename)][-_MAX_FRAMES:] or frames[-_MAX_LIBRARY_FRAMES:]
    hidden_count = len(frames) - len(shown)
    if shown:
        yield "Traceback (most recent call last):"
        if hidden_count:
            yield f"  ({hidden_count} of {len(frames)} frames are not shown)"
        yield from "".join(traceback.format_list(shown)).splitlines()
    message = "".join(traceback.format_exception_only(problem)).rstrip()
    yield message if len(message) <= _MAX_MESSAGE_CHARS else f"{message[:_MAX_MESSAGE_CHARS]}…"


def _is_own(filename: str) -> bool:
    """Return whether a file is the user's: no part of a library, of Python, or of tcop-mock."""
    path = Path(filename)
    if filename.startswith("<") or _LIBRARY_PARTS & set(path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in (*_LIBRARY_FOLDERS, _PACKAGE_FOLDER))


class InProcessExchange:
    """One request and the response of an app: the app fills it in, the sender waits for it.

    Args:
        target: the target with the request path.
        request: the request.
        max_body_bytes: number of bytes of the response body to keep.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self, target: Target, request: OutgoingRequest, max_body_bytes: int, clock: Callable[[], float]
    ) -> None:
        self.target = target
        self.request, self._max_body_bytes, self._clock = request, max_body_bytes, clock
        self.raw_path, _, self.query = target.path_with(request.query).partition("?")
        self.path = unquote(self.raw_path)
        self.host = target.authority
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.is_truncated = self._is_broken = False
        self.first_byte_s: float | None = None
        self.traceback = self._error_line = ""
        self.deadline_s = 0.0
        """Deadline of the attempt, for clients that need a limit of their own."""
        self._failure: Failure | None = None
        self.head_received: Future[None] = Future()
        self.body_received: Future[None] = Future()
        self.has_returned: Future[None] = Future()
        """Resolved when the app's call is over."""

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
        """Record an exception of the app as the response that a server would make of it.

        Before the head that is a 500, inside of the response a broken response. After the end of the response it
        changes nothing: the client has it already.
        """
        if self._has_announced_body():
            resolve_future(self.body_received)
        if self.body_received.done() and self.status is not None and self.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        self.traceback = self._mask(problem if isinstance(problem, str) else error_text(problem))
        self._error_line = self._mask(problem if isinstance(problem, str) else error_line(problem))
        if self.status is None:
            self.start_response(status, ())
        elif not self.body_received.done():
            self._is_broken = True
        resolve_future(self.body_received)

    def _has_announced_body(self) -> bool:
        """Return whether the body is as long as its Content-Length says, so that a client has the whole response."""
        length = next((value for name, value in self.headers if name.lower() == "content-length"), None)
        return length == str(len(self.body))

    def break_off(self, problem: BaseException) -> None:
        """Record that the connection of a client failed before the response was complete."""
        phase = Phase.WAITING if self.status is None else Phase.BODY
        outcome, detail = failure_from_error(problem, phase, self.deadline_s)
        self._failure = Failure(outcome, self._mask(detail))
        resolve_future(self.head_received)
        resolve_future(self.body_received)

    def _mask(self, text: str) -> str:
        return self.request.credentials.mask(text) if self.request.credentials is not None else text

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
        if self._failure is not None:
            return self._failure
        if self.status is not None and self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            await asyncio.wait({asyncio.wrap_future(self.has_returned)}, timeout=_RAISE_TIMEOUT_S)
        if self._is_broken:
            return Outcome.RESET_IN_ANSWER, ": ".join(filter(None, [_INCOMPLETE_RESPONSE, self._error_line]))
        return Outcome.from_status(self.status), self._error_line

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


class CallTransport(ABC):
    """A transport to an object that is called once for each request.

    Args:
        app: the object.
        target: the target with the request path.
        max_body_bytes: number of bytes of a response body to keep.
        clock: monotonic clock in seconds.
    """

    is_one_by_one = False
    """Whether only one call may be in progress, for all callers together."""

    def __init__(self, app: Any, target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> None:  # noqa: ANN401 - each subclass has its own kind
        self._app, self._target, self._max_body_bytes, self._clock = app, target, max_body_bytes, clock

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        caller = current_caller()
        thread_caller = caller if isinstance(caller, ThreadCaller) else None
        if caller is None or not (thread_caller or self.is_one_by_one):
            return await self._send(request, deadline_s, intended_s, None)
        async with caller.turn:
            return await self._send(request, deadline_s, intended_s, thread_caller)

    async def _send(
        self, request: OutgoingRequest, deadline_s: float, intended_s: float | None, caller: ThreadCaller | None
    ) -> Attempt:
        started_s = self._clock()
        exchange = InProcessExchange(self._target, request, self._max_body_bytes, self._clock)
        exchange.deadline_s = deadline_s
        self._start(exchange, caller)
        attempt = exchange.to_attempt(await exchange.outcome(deadline_s), started_s, intended_s)
        if caller is not None:  # the thread is needed for the next call
            remaining_s = max(0.0, deadline_s - (self._clock() - started_s))
            await asyncio.wait({asyncio.wrap_future(exchange.has_returned)}, timeout=remaining_s)
        return attempt

    def _start(self, exchange: InProcessExchange, caller: ThreadCaller | None) -> None:
        """Call the app in the thread of the caller, or in a new one if there is none or a late call blocks it."""

        def call() -> None:
            try:
                self.call(exchange, loop)
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - any error of the app becomes part of the attempt
                exchange.fail(problem)
            finally:
                resolve_future(exchange.has_returned)

        waiting = current_caller()
        loop = waiting.loop if isinstance(waiting, LoopCaller) else None
        if caller is not None and (caller.last_call is None or caller.last_call.done()):
            caller.last_call = caller.submit(call)
            return
        context = waiting.context.copy() if waiting else contextvars.copy_context()
        threading.Thread(target=context.run, args=(call,), name="app-request", daemon=True).start()

    @abstractmethod
    def call(self, exchange: InProcessExchange, loop: asyncio.AbstractEventLoop | None) -> None:
        """Call the app with the request of an exchange, and record its response there.

        Args:
            exchange: the request.
            loop: the event loop of an asynchronous caller.
        """


def calls_one_by_one(transport: object) -> bool:
    """Return whether a transport calls its app one request after the other: in the thread of the caller of this run."""
    return isinstance(transport, CallTransport) and (
        transport.is_one_by_one or isinstance(current_caller(), ThreadCaller)
    )


class WsgiTransport(CallTransport):
    """A transport to a WSGI app."""

    def call(self, exchange: InProcessExchange, loop: asyncio.AbstractEventLoop | None) -> None:
        """Call the app as PEP 3333 has it."""
        del loop

        def start_response(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: Any = None,  # noqa: ANN401 - sys.exc_info()
        ) -> Callable[[bytes], None]:
            if exchange.status is not None and exc_info is None:
                raise AssertionError("start_response was called twice without exc_info")
            exchange.start_response(int(status.split(" ", 1)[0]), headers)
            return exchange.write

        parts = self._app(_environ(exchange), start_response)
        try:
            for part in parts:
                exchange.write(part)
                if exchange.is_truncated:  # a server stops when its client has left
                    break
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        exchange.finish()


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


class CallableTransport(CallTransport):
    """A transport to a callable. Returning is a 200, ``ValueError`` a 400, any other exception a 500.

    The callable gets the parsed body; it may be a coroutine function.
    """

    def call(self, exchange: InProcessExchange, loop: asyncio.AbstractEventLoop | None) -> None:
        """Call it, and await its result in the event loop of the caller, or in a new one."""
        try:
            result = self._app(json.loads(exchange.request.body))
            if inspect.isawaitable(result):
                if loop is None:
                    run_awaitable(result)
                else:
                    asyncio.run_coroutine_threadsafe(_await_result(result), loop).result()
        except ValueError as problem:
            exchange.fail(problem, HTTPStatus.BAD_REQUEST)
        else:
            exchange.start_response(HTTPStatus.OK, ())
            exchange.finish()


async def _await_result(awaitable: Awaitable[object]) -> None:
    await awaitable
