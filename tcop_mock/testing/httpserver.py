"""The server below a receiver: pytest-httpserver's, with faults on the wire and what comes handed over."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import replace
from http.client import responses
from typing import TYPE_CHECKING

from pytest_httpserver import HTTPServer
from werkzeug import Response

from tcop_mock.server.faults import NO_LINGER, RAW_REPLIES, RESET_FAULTS, faulty_bytes, replacement_reply
from tcop_mock.server.messages import Reply
from tcop_mock.testing.captured_request import CapturedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug import Request

    from tcop_mock.server.faults import Fault
    from tcop_mock.server.stubs import StubResponse


_POLL_S = 0.02

"""How long stopping may take; the half second of socketserver would be added to each test."""

_SHUTDOWN_TIMEOUT_S = 5.0

"""How long what is being answered when the test is over may take."""

_STUB_RESPONSE_KEY = "tcop_mock.answered"


class FaultyTestServer(HTTPServer):
    """Answers each request for which the test itself has no expectation.

    Args:
        next_fault: returns what goes wrong with the next request.
        respond: returns an answer, and what the end makes of the request; what it raises reaches the test.
        record: is handed each request with what was answered, before it is.
        service_of: returns which end a path leads to.
    """

    def __init__(
        self,
        next_fault: Callable[[], Fault | None],
        respond: Callable[[CapturedRequest], StubResponse],
        record: Callable[[CapturedRequest], None],
        service_of: Callable[[str], str],
    ) -> None:
        super().__init__(host="127.0.0.1", port=0, threaded=True)
        self._next_fault, self._respond, self._record, self._service_of = next_fault, respond, record, service_of
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._active_requests = 0

    def thread_target(self) -> None:
        """Serve."""
        assert self.server is not None  # noqa: S101 - it has been started
        self.server.serve_forever(_POLL_S)

    def close(self) -> None:
        """Stop, when what is being answered has been; delays are cut short.

        Raises:
            Exception: what was raised while answering, if the test did not see it; several as a group.
        """
        self._stopping.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._active_requests, _SHUTDOWN_TIMEOUT_S)
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
            self._active_requests += 1
        try:
            return self._serve(request)
        finally:
            with self._idle:
                self._active_requests -= 1
                self._idle.notify_all()

    def respond_nohandler(self, request: Request, extra_message: str = "") -> Response:  # noqa: ARG002 - its signature
        """Answer a request that the test itself does not expect."""
        try:
            stub_response = self._respond(self._capture(request))
        except AssertionError as problem:
            self.add_assertion(problem)
            raise
        except Exception as problem:
            self.handler_errors.append(problem)
            raise
        request.environ[_STUB_RESPONSE_KEY] = stub_response
        return _to_werkzeug(stub_response.reply)

    def _serve(self, request: Request) -> Response:
        fault = self._next_fault()
        if fault and fault.name == "reset":
            _hang_up(request.environ["werkzeug.socket"], reset=True)
        request.get_data()
        reply = replacement_reply(fault) if fault else None
        response = _to_werkzeug(reply) if reply else self._dispatch(request)
        self.log.append((request, response))
        raw_fault = fault if reply is None else None
        is_silent = raw_fault is not None and raw_fault.name in RAW_REPLIES
        stub_response: StubResponse | None = request.environ.get(_STUB_RESPONSE_KEY)
        self._record(
            replace(
                self._capture(request),
                status=None if is_silent else response.status_code,
                note=stub_response.note if stub_response else "",
                accepted=stub_response.is_accepted if stub_response else not response.status_code // 400,
                is_message=stub_response.is_message if stub_response else True,
            )
        )
        if raw_fault is not None:
            self._inject_fault(raw_fault, response, request.environ["werkzeug.socket"])
        return response

    def _dispatch(self, request: Request) -> Response:
        """Have expectations answer; a request that makes them raise is kept, too."""
        try:
            return self.dispatch(request)
        except Exception:
            self._record(
                replace(self._capture(request), status=500, note="raised in the test's own handler", accepted=False)
            )
            raise

    def _capture(self, request: Request) -> CapturedRequest:
        path = str(request.environ["REQUEST_URI"])
        headers = tuple((name.lower(), value) for name, value in request.headers)
        return CapturedRequest(request.method, path, headers, request.get_data(), self._service_of(path))

    def _inject_fault(self, fault: Fault, response: Response, connection: socket.socket) -> None:
        """Write the answer as the fault wants it.

        Raises:
            ConnectionError: always: nothing more is to be written, and werkzeug takes it that nobody listens.
        """
        reply = Reply(response.status_code, response.get_data(), tuple(response.headers.items()))
        for part, pause_s in faulty_bytes(fault, reply, _serialize):
            if self._stopping.wait(pause_s):
                break
            connection.sendall(part)
        _hang_up(connection, reset=fault.name in RESET_FAULTS)


def _to_werkzeug(reply: Reply) -> Response:
    return Response(reply.body, reply.status, headers=list(reply.headers))


def _serialize(reply: Reply) -> bytes:
    is_chunked = any(name.lower() == "transfer-encoding" for name, _ in reply.headers)
    headers = [pair for pair in reply.headers if pair[0].lower() != "content-length"]
    headers += [] if is_chunked else [("Content-Length", str(len(reply.body)))]
    lines = [
        f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + reply.body


def _hang_up(connection: socket.socket, *, reset: bool) -> None:
    """Close a connection that werkzeug goes on to hold.

    Raises:
        ConnectionAbortedError: always.
    """
    if reset:
        connection.setsockopt(*NO_LINGER)
        spare, other = socket.socketpair()
        other.close()
        with spare:
            os.dup2(
                spare.fileno(), connection.fileno()
            )  # what was open there is closed now, by RST; what is, is at its end
    else:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("hung up, as asked for")
