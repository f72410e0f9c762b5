"""``listen --forward``: passes each request on to a receiver, and its response back, inside TCOP's deadline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.errors import UsageError
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "expect"}
)
"""Header fields of one connection (RFC 9110, 7.6.1), and those that each side writes itself."""
_BAD_GATEWAY = b"the receiver of --forward did not answer\n"


@dataclass(frozen=True, slots=True)
class ForwardedReply(Reply):
    """The reply to a request that was passed on, with the attempt to do so."""

    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Passes requests on.

    Args:
        target: the receiver; its path precedes that of each request.
        rules: with the deadline.
    """

    target: Target
    rules: DeliveryRules

    async def answer(self, received: ReceivedRequest) -> Reply:
        """Pass a request on once, and return the response; 504 where none came inside the deadline, else 502."""
        headers = tuple((name, value) for name, value in received.headers if name not in _HOP_BY_HOP)
        if self.target.credentials is not None:
            headers = tuple(pair for pair in headers if pair[0] != "authorization")
        prefix = self.target.path.rstrip("/")
        path = prefix + received.path if received.path != "/" or not prefix else prefix
        try:
            request = OutgoingRequest(
                received.body, method=received.method, headers=headers, credentials=self.target.credentials
            )
        except UsageError as problem:
            return Reply(HTTPStatus.BAD_REQUEST, f"{problem}\n".encode())
        transport = HttpTransport(replace(self.target, path=path), max_body_bytes=self.rules.answer_cap_bytes)
        attempt = await transport(request, deadline_s=self.rules.timeout_s)
        if attempt.status is None or attempt.outcome in {Outcome.TIMED_OUT, Outcome.RESET_IN_ANSWER}:
            is_late = attempt.outcome is Outcome.TIMED_OUT
            status = HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.BAD_GATEWAY
            return ForwardedReply(status, _BAD_GATEWAY, attempt=attempt)
        own = tuple(pair for pair in attempt.headers if pair[0].lower() not in _HOP_BY_HOP)
        return ForwardedReply(attempt.status, attempt.body, own, attempt=attempt)
