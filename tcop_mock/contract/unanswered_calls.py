"""Rejections that follow from calls of the receiver which the check itself does not answer.

A receiver that forwards before it answers rejects a callback when its call fails. Where the check refused that call,
the rejection says nothing about the receiver.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from tcop_mock.contract.assertions import UNANSWERED_CALL
from tcop_mock.domain.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.delivery import OutgoingRequest, Transport


class UnansweredCalls(Protocol):
    """Counts the calls of the receiver that the check has not answered."""

    def unanswered(self) -> Mapping[str, int]:
        """Return the number of these calls by host."""
        ...

    def advice(self, host: str) -> str:
        """Return what the check did with the calls to a host, and which flag changes that."""
        ...


@dataclass(slots=True)
class CallAwareTransport:
    """A transport whose attempts have no result if an unanswered call of the receiver may have caused their rejection.

    Such an attempt has the outcome ``cancelled``. A host is harmless if the receiver called it and accepted the
    callback in spite of that, or called it while no request was in flight: no rejection follows from its calls.

    Args:
        transport: sends a request.
        calls: the unanswered calls.
    """

    transport: Transport
    calls: UnansweredCalls
    _in_flight: int = field(default=0, init=False)
    _begun: int = field(default=0, init=False)
    _idle_counts: Mapping[str, int] | None = field(default=None, init=False)
    """The counts when the last request in flight was answered; ``None`` if it was not."""
    _harmless: set[str] = field(default_factory=set, init=False)
    _suspected: set[str] = field(default_factory=set, init=False)
    """Hosts whose unanswered calls came with a rejection."""

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        before, is_alone = dict(self.calls.unanswered()), not self._in_flight
        if is_alone and self._idle_counts is not None:
            self._harmless |= self._called_since(self._idle_counts) - self._suspected
        self._begun += 1
        number = self._begun
        self._in_flight += 1
        attempt = None
        try:
            attempt = await self.transport(request, deadline_s=deadline_s, intended_s=intended_s)
        finally:
            self._in_flight -= 1
            is_answered = attempt is not None and attempt.status is not None
            self._idle_counts = None if self._in_flight or not is_answered else dict(self.calls.unanswered())
        called = self._called_since(before)
        if attempt.accepted and is_alone and number == self._begun:
            self._harmless |= called - self._suspected
        causes = sorted(called - self._harmless)
        if not causes or not _may_follow_from_a_call(attempt):
            return attempt
        self._suspected.update(causes)
        answer = "not answered" if attempt.status is None else f"answered {attempt.status}"
        return replace(
            attempt, outcome=Outcome.CANCELLED, detail=f"{answer}{UNANSWERED_CALL}{self.calls.advice(causes[0])}"
        )

    def _called_since(self, before: Mapping[str, int]) -> set[str]:
        return {host for host, count in self.calls.unanswered().items() if count > before.get(host, 0)}


def _may_follow_from_a_call(attempt: Attempt) -> bool:
    """Return whether a receiver whose call failed may have answered so; other 4xx are about the request."""
    status = attempt.status or HTTPStatus.INTERNAL_SERVER_ERROR
    is_about_the_request = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return not attempt.accepted and (not is_about_the_request or status == HTTPStatus.FAILED_DEPENDENCY)
