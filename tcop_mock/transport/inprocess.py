"""One request to an app in this process, as it goes on: the app's side fills it in, the sender's waits for it.

Each app runs in threads of its own, so that one that blocks is late and nothing else is.
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
    """A request, and what an app answers.

    Args:
        target: whose path is asked for.
        request: what is sent.
        max_body_bytes: of the answer's body.
        clock: seconds.
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
        """Return the headers as the sender writes them on a wire."""
        request = self.request
        fields = {
            "host": ("Host", self.host),
            "content-length": request.framing_header,
            "connection": ("Connection", "close"),
        }
        if request.credentials is not None:
            fields["authorization"] = ("Authorization", f"Basic {request.credentials.token().reveal()}")
        return list((fields | {name.lower(): (name, value) for name, value in request.headers}).values())

    def start_response(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take the head of the answer."""
        self.status, self.headers, self.first_byte_s = status, tuple(headers), self._clock()
        resolve_future(self.head_received)

    def write(self, data: bytes) -> None:
        """Take a part of the answer's body."""
        remaining = self._max_body_bytes - len(self.body)
        self.body += data[:remaining]
        if len(data) > remaining:
            self.is_truncated = True
            resolve_future(self.body_received)

    def finish(self) -> None:
        """Take it that there is no more to come; without a head, servers answer 500."""
        if self.status is None:
            self.fail(_NO_RESPONSE)
        resolve_future(self.body_received)

    def fail(self, problem: BaseException | str, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> None:
        """Take it that the app has raised: as servers do it, 500 before the head, and the end of all behind it."""
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
        """Wait for the answer, and say how the attempt ended."""
        if self.request.hang_up_after_s is not None:
            await asyncio.sleep(self.request.hang_up_after_s)
            return Outcome.CANCELLED, "hung up, as asked for"
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(asyncio.wrap_future(self.head_received))
                async with asyncio.timeout(self.request.body_timeout_s):
                    await asyncio.shield(asyncio.wrap_future(self.body_received))
        except TimeoutError:
            detail = (
                f"no answer inside {deadline_s:g} s" if self.status is None else "the body of the answer did not end"
            )
            return Outcome.TIMED_OUT, detail
        if self._is_broken:
            return Outcome.RESET_IN_ANSWER, _INCOMPLETE_RESPONSE
        return Outcome.from_status(self.status), self.traceback.strip().rpartition("\n")[2]

    def to_attempt(self, outcome: tuple[Outcome, str], started_s: float, intended_s: float | None) -> Attempt:
        """Return the record of the attempt, which has ended now."""
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
    """Settle a future that may be settled."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)


class WsgiTransport:
    """A ``Post`` port to an app.

    Args:
        app: the app.
        target: whose path is asked for.
        max_body_bytes: of an answer's body.
        clock: seconds.
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
        except Exception as problem:  # noqa: BLE001 - whatever an app raises is the attempt's to tell
            exchange.fail(problem)


def _environ(exchange: InProcessExchange) -> dict[str, Any]:
    host, _, port = exchange.host.partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": exchange.request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": exchange.path.encode().decode("latin-1"),  # as PEP 3333 has bytes in texts
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
    """A ``Post`` port to a callable: that it returns is 200, a ``ValueError`` is 400, whatever else it raises is 500.

    Args:
        handler: gets the body's JSON value; may be a coroutine function. Each call is in a thread of its own.
        target: what it is called.
        answer_cap_bytes: as of other ports.
        clock: seconds.
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
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises is the attempt's to tell
            exchange.fail(problem)
        else:
            exchange.start_response(HTTPStatus.OK, ())
            exchange.finish()


async def _await_result(awaitable: Awaitable[object]) -> None:
    await awaitable
