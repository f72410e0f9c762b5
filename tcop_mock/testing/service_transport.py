"""Stub services as transports of httpx clients: for tests of forwarders, without a server.

``httpx.AsyncClient(transport=tcop_mock.testing.wecom())`` answers each request as a WeCom group robot does. The library
of the client makes the response, so httpx is not imported here, and libraries with its interface work, too.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from tcop_mock.errors import UsageError
from tcop_mock.server.faults import FaultPlan, parse_fault, replacement_reply
from tcop_mock.server.messages import ReceivedRequest
from tcop_mock.server.stubs import StubServices
from tcop_mock.testing.captured_request import CapturedRequest, matches
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tcop_mock.server.faults import Fault
    from tcop_mock.server.stubs import StubResponse
    from tcop_mock.testing.captured_request import Where

    class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
        """Base class for type checkers; at run time there is none."""
else:
    _Transport = object

_ERRORS = {
    "reset": ("ConnectError", "connection reset, as the fault wants it"),
    "reset-after-request": ("ReadError", "connection reset after the request, as the fault wants it"),
    "empty": ("RemoteProtocolError", "Server disconnected without sending a response."),
    "delay": ("ReadTimeout", "no answer in time, as the fault wants it"),
}
"""Errors of httpx for faults of the connection, and their texts."""
_REPLIES = ("status", "redirect", "401")


class ServiceTransport(_Transport):
    """A stub service as a transport: it answers like the real service and records the requests.

    Args:
        service: the service that answers all requests.
        clock: clock in seconds, for the service's limit by the minute.
        rate_limits: whether the service has that limit.
    """

    def __init__(self, service: str, *, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> None:
        self._service, self._clock = service, clock
        self._services = StubServices(service, clock)
        if not rate_limits:
            self._services.rate_limits = {}
        self._requests: list[CapturedRequest] = []
        self._fault_plan, self._count, self._faults_since_s = FaultPlan(), 0, clock()

    @property
    def callbacks(self) -> list[CapturedRequest]:
        """The requests received, in order; a copy."""
        return list(self._requests)

    def matching(self, where: Where) -> list[CapturedRequest]:
        """Return the requests that meet a condition, as ``wait_for`` of the fixtures takes it."""
        return [request for request in self._requests if matches(request, where)]

    def clear(self) -> None:
        """Forget the requests received."""
        self._requests.clear()

    def fault(self, *faults: str) -> None:
        """Inject a fault from now on, as ``tcop-mock listen --fault`` does; without a name, end all faults.

        ``status:503:2`` rejects the next two requests; ``redirect`` and ``401`` answer with such a status. ``reset``,
        ``reset-after-request``, ``empty`` and ``delay:6s`` raise the errors of httpx; a delay that is shorter than
        the client's timeout does nothing.

        Raises:
            UsageError: there is no such fault, or it needs a socket.
        """
        plan = [parse_fault(text, "fault") for text in faults]
        for fault in plan:
            if fault.name not in {*_ERRORS, *_REPLIES}:
                raise UsageError(
                    f"fault {fault.name!r} needs a socket; use the fixture tcop_{self._service}, or one of "
                    f"{', '.join((*_REPLIES, *_ERRORS))}"
                )
        self._fault_plan, self._count, self._faults_since_s = FaultPlan(plan), 0, self._clock()

    def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - of the client's library
        """Answer a request of a synchronous client."""
        return self._respond(request, request.read())

    async def handle_async_request(self, request: Any) -> Any:  # noqa: ANN401 - of the client's library
        """Answer a request of an asynchronous client."""
        return self._respond(request, await request.aread())

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def _respond(self, request: Any, body: bytes) -> Any:  # noqa: ANN401 - of the client's library
        library = sys.modules[type(request).__module__.partition(".")[0]]
        self._count += 1
        fault = self._fault_plan.choose(self._count, self._clock() - self._faults_since_s)
        headers = tuple((name.lower(), value) for name, value in request.headers.multi_items())
        received = ReceivedRequest(request.method, request.url.raw_path.decode("ascii"), headers, body, self._clock())
        if fault and fault.name in _ERRORS and _is_felt(fault, request):
            if fault.name != "reset":  # else it breaks before the request
                self._record(received, None)
            error_name, text = _ERRORS[fault.name]
            raise getattr(library, error_name)(text, request=request)
        reply = replacement_reply(fault) if fault else None
        if reply is not None:
            self._record(received, None, reply.status)
        else:
            stub_response = self._services.respond(received)
            reply = stub_response.reply
            self._record(received, stub_response)
        return library.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)

    def _record(self, received: ReceivedRequest, response: StubResponse | None, status: int | None = None) -> None:
        self._requests.append(
            CapturedRequest(
                received.method,
                received.path,
                received.headers,
                received.body,
                self._services.service_of(received.path),
                status if response is None else response.reply.status,
                "" if response is None else response.note,
                response is not None and response.is_accepted,
                response is None or response.is_message,
            )
        )


def _is_felt(fault: Fault, request: Any) -> bool:  # noqa: ANN401 - of the client's library
    """Return whether a client meets a fault: a delay only if it is longer than the client waits."""
    if fault.name != "delay":
        return True
    timeout_s = request.extensions.get("timeout", {}).get("read")
    return timeout_s is not None and float(fault.argument) >= timeout_s


def wecom(*, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> ServiceTransport:
    """Return a WeCom group robot as a transport; 20 messages a minute."""
    return ServiceTransport("wecom", clock=clock, rate_limits=rate_limits)


def pagerduty(*, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> ServiceTransport:
    """Return PagerDuty's Events API v2 as a transport."""
    return ServiceTransport("pagerduty", clock=clock, rate_limits=rate_limits)


def dingtalk(*, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> ServiceTransport:
    """Return a custom robot of DingTalk as a transport; 20 messages a minute."""
    return ServiceTransport("dingtalk", clock=clock, rate_limits=rate_limits)


def feishu(*, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> ServiceTransport:
    """Return a custom bot of Feishu or Lark as a transport; 100 messages a minute."""
    return ServiceTransport("feishu", clock=clock, rate_limits=rate_limits)


def slack(*, clock: Callable[[], float] = monotonic_s, rate_limits: bool = True) -> ServiceTransport:
    """Return an incoming webhook of Slack, and its Web API below ``/slack/api/``, as a transport."""
    return ServiceTransport("slack", clock=clock, rate_limits=rate_limits)
