"""A receiver that records requests, for tests of code that sends or forwards callbacks.

It is a server of pytest-httpserver with faults of the connection.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, TypeAlias

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tcop_mock.reports.text import one_line, pluralize
from tcop_mock.server.downstream import ReceivedMessage, snapshot_of
from tcop_mock.server.faults import (
    NO_LINGER,
    RAW_REPLIES,
    RESET_FAULTS,
    FaultPlan,
    faulty_bytes,
    parse_fault,
    replacement_reply,
)
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.stubs import StubResponse, StubServices
from tcop_mock.testing.captured_request import CapturedRequest, matches
from tcop_mock.testing.options import test_seed
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import usage_error
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from werkzeug import Request

    from tcop_mock.domain.effects import EffectSnapshot
    from tcop_mock.server.faults import Fault
    from tcop_mock.testing.captured_request import Where
    from tcop_mock.testing.senders import Clock

    Answer: TypeAlias = Reply | int | None

_POLL_S = 0.02

"""Poll interval of the server in seconds; the half second of socketserver would be added to each test."""

_SHUTDOWN_TIMEOUT_S = 5.0

"""Seconds to wait at the end of a test for requests that are being answered."""

_STUB_RESPONSE_KEY = "tcop_mock.answered"
_PATHS = {
    "webhook": "/",
    "pagerduty": "/pagerduty/v2/enqueue",
    "wecom": "/wecom/cgi-bin/webhook/send?key=tcop-mock",
    "dingtalk": "/dingtalk/robot/send?access_token=tcop-mock",
    "feishu": "/feishu/open-apis/bot/v2/hook/tcop-mock",
    "slack": "/slack/services/T00000000/B00000000/tcop-mock",
}
_MAX_SHOWN = 10
_MAX_CHARS = 300
_WAIT_S = 5.0


class FaultyTestServer(HTTPServer):
    """Answers each request without an expectation of the test.

    Args:
        next_fault: returns the fault of the next request.
        respond: returns the answer and the result of the stub service; its exceptions reach the test.
        record: called with each request and its answer, before the answer is sent.
        service_of: returns the stub service of a path.
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
        """Stop after the current requests are answered; delays are cut short.

        Raises:
            Exception: the exception of an answer that the test has not seen; several as a group.
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
        """Write the answer with the fault.

        Raises:
            ConnectionError: always, so that werkzeug writes nothing more.
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
    """Close a connection that werkzeug still holds.

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


@contextmanager
def recording_receiver(service: str, node: pytest.Item, clock: Clock) -> Iterator[Receiver]:
    """Open a receiver for one test; at its end, raise the exceptions of answers.

    Args:
        service: name of a stub service, which has its own path.
        node: the test.
        clock: clock of alarm time, for limits by the minute.

    Raises:
        Failed: pytest-httpserver is not installed.
    """
    if importlib.util.find_spec("pytest_httpserver") is None:
        usage_error('tcop_receiver and its like need pytest-httpserver: pip install "tcop-mock[pytest]"')
    running_receiver = Receiver(StubServices(service, clock), _PATHS[service], test_seed(node, settings_of(node).seed))
    running_receiver.server.start()
    try:
        yield running_receiver
    finally:
        running_receiver.server.close()


def timeout_message(
    count: int,
    timeout: float,
    where: Where | None,
    matching: Sequence[CapturedRequest],
    received: Sequence[CapturedRequest],
) -> str:
    """Return the message of a wait that failed: the condition and the received requests, bounded, the newest last."""
    expected = f"{pluralize(count, 'callback')}{f' where {_describe_condition(where)}' if where is not None else ''}"
    received_text = (
        f"{len(matching)} came"
        if where is None
        else f"{len(matching)} came, and {pluralize(len(received) - len(matching), 'other')}"
    )
    lines = [f"waited {timeout:g} s for {expected}; {received_text}{':' if received else ''}"]
    if len(received) > _MAX_SHOWN:
        lines.append(f"  … {pluralize(len(received) - _MAX_SHOWN, 'earlier one')}")
    lines += [f"  {'*' if one in matching else '-'} {one!r}" for one in received[-_MAX_SHOWN:]]
    return "\n".join(lines)


def _describe_condition(where: Where) -> str:
    if not callable(where):
        return one_line(" and ".join(f"{path} == {value!r}" for path, value in where.items()), _MAX_CHARS)
    try:
        source = " ".join(inspect.getsource(where).split())
    except (OSError, TypeError):
        source = repr(where)
    return one_line(f"`{source}`", _MAX_CHARS)


class Receiver:
    """Value of ``tcop_receiver``, ``tcop_pagerduty`` and the robots: a server on a free port of this machine.

    Args:
        services: the stub services that answer.
        path: path of ``url``.
        seed: seed of the probabilities of faults.
    """

    def __init__(self, services: StubServices, path: str, seed: int) -> None:
        self._services, self._path, self._seed = services, path, seed
        self._responder: Callable[[CapturedRequest], Answer] | None = None
        self._fault_plan = FaultPlan()
        self._request_count, self._faults_since_s = 0, monotonic_s()
        self._arrived = threading.Condition()
        self._requests: list[CapturedRequest] = []
        self.server = FaultyTestServer(self._next_fault, self._respond, self._record, services.service_of)
        """The server of pytest-httpserver: ``server.expect_request(...)`` takes precedence over our answers."""

    def __repr__(self) -> str:
        return f"<Receiver at {self.server.url_for('/')}, {len(self._requests)} requests>"

    @property
    def url(self) -> str:
        """URL for the callbacks."""
        return self.server.url_for(self._path)

    @property
    def callbacks(self) -> list[CapturedRequest]:
        """A copy of the received requests, in order."""
        with self._arrived:
            return list(self._requests)

    def clear(self) -> None:
        """Forget the received requests."""
        with self._arrived:
            self._requests.clear()

    def wait_for(self, count: int = 1, timeout: float = _WAIT_S, where: Where | None = None) -> list[CapturedRequest]:
        """Wait for matching requests and return them; a failure lists the received requests.

        Args:
            count: minimum number of requests.
            timeout: maximum time in seconds.
            where: condition of a match: a callable, or paths with their values, as in
                ``{"alarmStatus": "0", "alarmObjInfo.region": "gz"}``.

        Raises:
            Exception: the exception of an answer.
        """
        __tracebackhide__ = True
        until_s = monotonic_s() + timeout
        with self._arrived:
            while True:
                self.server.check()
                matching = [one for one in self._requests if matches(one, where)]
                remaining_s = until_s - monotonic_s()
                if len(matching) >= count:
                    return matching
                if remaining_s <= 0:
                    pytest.fail(timeout_message(count, timeout, where, matching, self._requests), pytrace=False)
                self._arrived.wait(remaining_s)

    def answer_with(self, responder: Callable[[CapturedRequest], Answer] | None) -> None:
        """Let a callable answer: with a status, a ``Reply``, or ``None`` for the default answer.

        Its exceptions fail the test, at the latest at the end of the test.
        """
        self._responder = responder

    def fault(self, *faults: str) -> None:
        """Have something go wrong from now on, as ``tcop-mock listen --fault`` does; without a name, nothing any more.

        ``fault("status:503:2")`` refuses the next two; ``delay:6s``, ``drip-headers``, ``drip-body``,
        ``endless-body``, ``reset``, ``reset-after-request``, ``empty``, ``garbage``, ``redirect``, ``401`` and
        ``wrong-length:-5`` are the others. ``:0.1`` behind it is a probability, ``:#2-5`` the second to fifth, ``:%4``
        each fourth.

        Raises:
            UsageError: no such fault; suggests similar names.
        """
        plan = FaultPlan([parse_fault(text, "fault") for text in faults], seed=self._seed)
        with self._arrived:
            self._fault_plan, self._request_count, self._faults_since_s = plan, 0, monotonic_s()

    def disable_rate_limit(self) -> None:
        """Disable the service's limit by the minute, because a check sends faster than TCOP."""
        self._services.rate_limits = {}

    @property
    def shows_all(self) -> bool:
        """True: as an observer, it returns all effects, whatever the token is."""
        return True

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return the accepted messages as effects, for ``tcop_observer``."""
        return snapshot_of([_to_message(one) for one in self.callbacks if one.is_message])

    def _next_fault(self) -> Fault | None:
        with self._arrived:
            self._request_count += 1
            return self._fault_plan.choose(self._request_count, monotonic_s() - self._faults_since_s)

    def _respond(self, request: CapturedRequest) -> StubResponse:
        """Answer as the end does, or as the test's own callable does in its place."""
        received = ReceivedRequest(request.method, request.path, request.headers, request.body, monotonic_s())
        answer = self._responder(request) if self._responder else None
        if answer is None:
            return self._services.respond(received)
        reply = answer if isinstance(answer, Reply) else Reply(answer)
        return StubResponse(reply, "as the test answers", is_accepted=reply.status < HTTPStatus.BAD_REQUEST)

    def _record(self, request: CapturedRequest) -> None:
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()


def _to_message(request: CapturedRequest) -> ReceivedMessage:
    return ReceivedMessage.from_request(
        request.service, request.path, request.body, is_accepted=request.accepted, note=request.note
    )
