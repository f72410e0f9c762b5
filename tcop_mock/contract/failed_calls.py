"""Rejections that follow from calls of the receiver which fail because of the check.

A receiver that forwards before it answers rejects a callback when its call fails. Where the check refused that call, or
a stub rejected it for its address or its key, the rejection says nothing about the receiver.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from tcop_mock.contract.assertions import FAILED_CALL
from tcop_mock.domain.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.domain.delivery import OutgoingRequest, Transport


class FailedCalls(Protocol):
    """Counts the calls of the receiver that failed because of the check."""

    def failed_calls(self) -> Mapping[str, int]:
        """Return their number by host or service."""
        ...

    def advice(self, called: str) -> str:
        """Return why calls to a host or service failed, and what changes that."""
        ...


@dataclass(slots=True)
class CallAwareTransport:
    """A transport whose attempts have no result if a failed call of the receiver may have caused their rejection.

    Such an attempt has the outcome ``cancelled``. A host is harmless if the receiver called it and accepted the
    callback in spite of that, or called it while no request was in flight: no rejection follows from its calls.

    Args:
        transport: sends a request.
        sources: count the failed calls.
    """

    transport: Transport
    sources: Sequence[FailedCalls]
    _in_flight: int = field(default=0, init=False)
    _begun: int = field(default=0, init=False)
    _idle_counts: Mapping[str, int] | None = field(default=None, init=False)
    """The counts when the last request in flight was answered; ``None`` if it was not."""
    _harmless: set[str] = field(default_factory=set, init=False)
    _suspected: set[str] = field(default_factory=set, init=False)
    """Hosts whose failed calls came with a rejection."""

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        before, is_alone = self._counts(), not self._in_flight
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
            self._idle_counts = None if self._in_flight or not is_answered else self._counts()
        called = self._called_since(before)
        if attempt.accepted and is_alone and number == self._begun:
            self._harmless |= called - self._suspected
        causes = sorted(called - self._harmless)
        if not causes or not _may_follow_from_a_call(attempt):
            return attempt
        self._suspected.update(causes)
        answer = "not answered" if attempt.status is None else f"answered {attempt.status}"
        return replace(attempt, outcome=Outcome.CANCELLED, detail=f"{answer}{FAILED_CALL}{self._advice(causes[0])}")

    def _counts(self) -> dict[str, int]:
        return {called: count for source in self.sources for called, count in source.failed_calls().items()}

    def _advice(self, called: str) -> str:
        return next(source for source in self.sources if called in source.failed_calls()).advice(called)

    def _called_since(self, before: Mapping[str, int]) -> set[str]:
        return {host for host, count in self._counts().items() if count > before.get(host, 0)}


def _may_follow_from_a_call(attempt: Attempt) -> bool:
    """Return whether a receiver whose call failed may have answered so; other 4xx are about the request."""
    status = attempt.status or HTTPStatus.INTERNAL_SERVER_ERROR
    is_about_the_request = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return not attempt.accepted and (not is_about_the_request or status == HTTPStatus.FAILED_DEPENDENCY)
