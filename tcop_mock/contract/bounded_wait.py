"""A limit of the time that a run waits for late answers in all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import TOO_SLOW
from tcop_mock.domain.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.domain.delivery import OutgoingRequest, Transport

_FULL_WAIT_DEADLINES = 2.0
"""Deadlines that a run spends on late answers while it waits for each as long as TCOP does."""
_SHORT_WAIT_DEADLINES = 0.5
"""Deadlines that it spends after that, while it gives up each late answer. Then it sends nothing more."""
_MIN_LATE_S = 0.5
_LATE_FACTOR = 2.0
_ROUNDING = 0.99
_LATE_SHARE, _MAX_LATE_SHARE = 0.2, 0.8
"""The share of the deadline after which an answer is late; the larger one if a plain callback takes long, too."""


@dataclass(slots=True)
class BoundedWaitTransport:
    """A transport that waits for late answers for a bounded time in all.

    Late answers to requests in flight at the same time count once. A request that is given up or not sent has the
    outcome ``cancelled``: it says nothing about the receiver.

    Args:
        transport: sends a request.
        clock: seconds.
        deadline_s: of one attempt.
        spent_s: seconds spent on late answers so far.
    """

    transport: Transport
    clock: Callable[[], float]
    deadline_s: float
    spent_s: float = 0.0
    late_s: float = field(init=False)
    """Seconds after which an answer is late."""
    is_counting: bool = True
    """Whether late answers count. In a phase that expects them they do not."""
    _counted_until_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.late_s = max(_MIN_LATE_S, _LATE_SHARE * self.deadline_s)

    def begin(self, preflight: Preflight) -> None:
        """Set what is late by the answer to the first callback."""
        self.late_s = max(self.late_s, min(_LATE_FACTOR * preflight.expected_s, _MAX_LATE_SHARE * self.deadline_s))
        if preflight.slow:
            self.spent_s = _FULL_WAIT_DEADLINES * self.deadline_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self.spent_s >= (_FULL_WAIT_DEADLINES + _SHORT_WAIT_DEADLINES) * self.deadline_s

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once, if there is time to wait; see :class:`tcop_mock.domain.delivery.Transport`."""
        started_s = self.clock()
        if self.is_over:
            intended_s = started_s if intended_s is None else intended_s
            return Attempt(Outcome.CANCELLED, intended_s, started_s, started_s, detail=TOO_SLOW)
        late_s = self.late_s + _sending_s(request)
        waits_briefly = self.spent_s >= _FULL_WAIT_DEADLINES * self.deadline_s and late_s < deadline_s
        attempt = await self.transport(
            request, deadline_s=late_s if waits_briefly else deadline_s, intended_s=intended_s
        )
        if attempt.duration_s < _ROUNDING * late_s:
            return attempt
        if self.is_counting:
            self.spent_s += max(0.0, attempt.ended_s - max(attempt.started_s, self._counted_until_s))
            self._counted_until_s = attempt.ended_s
        is_given_up = waits_briefly and attempt.outcome is Outcome.TIMED_OUT
        return replace(attempt, outcome=Outcome.CANCELLED, detail=TOO_SLOW) if is_given_up else attempt


def _sending_s(request: OutgoingRequest) -> float:
    """Return how long we take to send a request in segments."""
    return request.segment_gap_s * sum(1 for _ in request.body_segments()) if request.segment_sizes else 0.0
