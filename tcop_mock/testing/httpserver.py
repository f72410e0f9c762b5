"""The server below a receiver: pytest-httpserver's, with faults on the wire and what comes handed over."""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import TYPE_CHECKING, Any

from pytest_httpserver import HTTPServer
from werkzeug import Response

from tcop_mock.domain.callback_view import Told
from tcop_mock.reports.recording import masked_body, masked_path
from tcop_mock.reports.text import one_line
from tcop_mock.server.faults import NO_LINGER, RESETS, SILENT, instead, played
from tcop_mock.server.http_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from werkzeug import Request

    from tcop_mock.server.faults import Fault
    from tcop_mock.server.stubs import Answered

    Where: TypeAlias = Callable[["Captured"], object] | Mapping[str, Any]


_MOST_CHARS = 240

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Captured:
    """One request as it came. Its ``repr`` is one line without secrets: headers may hold them, and are not shown."""

    method: str
    path: str
    """Request target, with the query."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case."""
    body: bytes
    end: str = "webhook"
    """The end that it came to."""
    status: int | None = None
    """What was answered; ``None``: nothing."""
    said: str = ""
    """What the end made of it."""
    taken: bool = True
    """Whether the real end would have taken it."""

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON; ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def told(self) -> Told:
        """What the callback says, read leniently: ``.resolved``, ``.object``, ``.first``, ..."""
        tree = self.json
        return Told(tree if isinstance(tree, dict) else {})

    def at(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value at a path such as ``alarmObjInfo.region``; ``None`` where there is none."""
        found = _value(self.json, path)
        return None if found is _MISSING else found

    def __repr__(self) -> str:
        request = f"{self.method} {masked_path(self.path, self.end)}"
        body = masked_body(self.body).decode("utf-8", "backslashreplace")
        answered = "not answered" if self.status is None else f"answered {self.status}"
        said = f" ({one_line(self.said, _MOST_CHARS)})" if self.said else ""
        return f"<{one_line(request, _MOST_CHARS)} {answered}{said}: {one_line(body, _MOST_CHARS)}>"


def matches(captured: Captured, where: Where | None) -> bool:
    """Say whether a request is one that is waited for: all paths have these values, or the callable says so."""
    if where is None:
        return True
    if callable(where):
        return bool(where(captured))
    tree = captured.json
    return all(_value(tree, path) == value for path, value in where.items())


def _value(tree: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for key in path.split("."):
        if isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return _MISSING
    return tree


_POLL_S = 0.02

"""How long stopping may take; the half second of socketserver would be added to each test."""

_PATIENCE_S = 5.0

"""How long what is being answered when the test is over may take."""

_ANSWERED = "tcop_mock.answered"


class FaultyServer(HTTPServer):
    """Answers as it is told where no expectation of the test's own does.

    Args:
        choose: returns what goes wrong with the next request.
        answer: returns an answer, and what the end makes of the request; what it raises reaches the test.
        keep: is handed each request with what was answered, before it is.
        end_of: returns which end a path leads to.
    """

    def __init__(
        self,
        choose: Callable[[], Fault | None],
        answer: Callable[[Captured], Answered],
        keep: Callable[[Captured], None],
        end_of: Callable[[str], str],
    ) -> None:
        super().__init__(host="127.0.0.1", port=0, threaded=True)
        self._choose, self._answer, self._keep, self._end_of = choose, answer, keep, end_of
        self._over = threading.Event()
        self._idle = threading.Condition()
        self._busy = 0

    def thread_target(self) -> None:
        """Serve."""
        assert self.server is not None  # noqa: S101 - it has been started
        self.server.serve_forever(_POLL_S)

    def close(self) -> None:
        """Stop, when what is being answered has been; delays are cut short.

        Raises:
            Exception: what was raised while answering, if nobody has been told; several as a group.
        """
        self._over.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, _PATIENCE_S)
        self.stop()
        errors = list(self._errors())
        if len(errors) > 1:
            raise ExceptionGroup("raised while requests were answered", errors)
        if errors:
            raise errors[0]

    def _errors(self) -> Iterator[Exception]:
        for problem in self.assertions:
            yield problem if isinstance(problem, AssertionError) else AssertionError(problem)
        yield from self.handler_errors

    def application(self, request: Request) -> Response:
        """Answer one request."""
        with self._idle:
            self._busy += 1
        try:
            return self._served(request)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def respond_nohandler(self, request: Request, extra_message: str = "") -> Response:  # noqa: ARG002 - its signature
        """Answer as we are told: the test itself expects no such request."""
        try:
            answered = self._answer(self._captured(request))
        except AssertionError as problem:
            self.add_assertion(problem)
            raise
        except Exception as problem:
            self.handler_errors.append(problem)
            raise
        request.environ[_ANSWERED] = answered
        return _response(answered.reply)

    def _served(self, request: Request) -> Response:
        fault = self._choose()
        if fault and fault.name == "reset":
            _hang_up(request.environ["werkzeug.socket"], reset=True)
        request.get_data()
        reply = instead(fault) if fault else None
        response = _response(reply) if reply else self._dispatched(request)
        self.log.append((request, response))
        raw = fault if reply is None else None
        silent = raw is not None and raw.name in SILENT
        answered: Answered | None = request.environ.get(_ANSWERED)
        self._keep(
            replace(
                self._captured(request),
                status=None if silent else response.status_code,
                said=answered.said if answered else "",
                taken=answered.taken if answered else not response.status_code // 400,
            )
        )
        if raw is not None:
            self._misbehave(raw, response, request.environ["werkzeug.socket"])
        return response

    def _dispatched(self, request: Request) -> Response:
        """Have expectations answer; a request that makes them raise is kept, too."""
        try:
            return self.dispatch(request)
        except Exception:
            self._keep(
                replace(self._captured(request), status=500, said="raised in the test's own handler", taken=False)
            )
            raise

    def _captured(self, request: Request) -> Captured:
        path = str(request.environ["REQUEST_URI"])
        headers = tuple((name.lower(), value) for name, value in request.headers)
        return Captured(request.method, path, headers, request.get_data(), self._end_of(path))

    def _misbehave(self, fault: Fault, response: Response, wire: socket.socket) -> None:
        """Write the answer as the fault wants it.

        Raises:
            ConnectionError: always: nothing more is to be written, and werkzeug takes it that nobody listens.
        """
        reply = Reply(response.status_code, response.get_data(), tuple(response.headers.items()))
        for part, pause_s in played(fault, reply, _wired):
            if self._over.wait(pause_s):
                break
            wire.sendall(part)
        _hang_up(wire, reset=fault.name in RESETS)


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, headers=list(reply.headers))


def _wired(reply: Reply) -> bytes:
    chunked = any(name.lower() == "transfer-encoding" for name, _ in reply.headers)
    headers = [pair for pair in reply.headers if pair[0].lower() != "content-length"]
    headers += [] if chunked else [("Content-Length", str(len(reply.body)))]
    lines = [
        f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + reply.body


def _hang_up(wire: socket.socket, *, reset: bool) -> None:
    """Close a connection that werkzeug goes on to hold.

    Raises:
        ConnectionAbortedError: always.
    """
    if reset:
        wire.setsockopt(*NO_LINGER)
        spare, other = socket.socketpair()
        other.close()
        with spare:
            os.dup2(spare.fileno(), wire.fileno())  # what was open there is closed now, by RST; what is, is at its end
    else:
        wire.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("hung up, as asked for")
