"""A profile: one published generation of the callback contract. Read from one file of ``contracts/profiles/``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.alarm import WireFormat
    from tcop_mock.domain.delivery import Attempt


DEFAULT_PROFILE = "2023"


class Accept(StrEnum):
    """Which answers accept a callback."""

    ANY_2XX = "2xx"
    EXACTLY_200 = "200"
    RET_CODE = "retCode"
    """Status 2xx and a JSON object with the callback's ``sessionId`` and ``retCode`` 0."""
    ERRCODE = "errcode"
    """Status 2xx and a JSON object with ``errcode`` 0, as group robots answer."""


class RetryAfter(StrEnum):
    """What an answer's ``Retry-After`` (RFC 9110, 10.2.3; in seconds, not as a date) does."""

    IGNORED = "ignored"
    HONOURED = "honoured"
    """The pause before the next attempt is at least that long."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How TCOP pushes one callback."""

    attempts: int
    """POSTs at the most: the first and its retries."""
    timeout_s: float
    """Total deadline of one attempt: DNS, connect, TLS, write, head and body."""
    accept: Accept
    """Which of the answers that came in full and in time accept it."""
    answer_cap_bytes: int
    """How much of an answer's body is read before the socket is closed."""
    retry_on: frozenset[str]
    """Outcomes after which the callback is pushed again; ``4xx`` and ``5xx`` for rejections by class of status."""
    pauses_s: tuple[float, ...]
    """Pause before the second, third, ... attempt; the last one holds for all that follow."""
    headers: tuple[tuple[str, str], ...]
    retry_after: RetryAfter = RetryAfter.IGNORED
    """What an answer's ``Retry-After`` does to the pause."""
    probe: bytes | None = None
    """What verifies the URL when it is saved, in one POST that must be answered 200; ``None``: nothing does."""

    def pause_s(self, attempt: Attempt, number: int) -> float:
        """Return how long to wait after the attempt with a number, from 1."""
        pause_s = self.pauses_s[min(number, len(self.pauses_s)) - 1] if self.pauses_s else 0.0
        retry_after = next((value for name, value in attempt.headers if name.lower() == "retry-after"), "")
        is_honoured = self.retry_after is RetryAfter.HONOURED and retry_after.isdecimal()
        return max(pause_s, float(retry_after)) if is_honoured else pause_s

    def should_retry(self, attempt: Attempt) -> bool:
        """Tell whether the callback is pushed again after an attempt, where attempts are left."""
        if attempt.outcome in self.retry_on:
            return True
        return attempt.outcome is Outcome.REJECTED and f"{(attempt.status or 0) // 100}xx" in self.retry_on


RETRYABLE_OUTCOMES = (
    *(outcome.value for outcome in Outcome if outcome not in {Outcome.ACKED, Outcome.CANCELLED}),
    "4xx",
    "5xx",
)
"""What ``retry_on`` can hold."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One published generation of the callback contract."""

    name: str
    title: str
    source: str
    delivery: DeliveryRules
    wire_format: WireFormat
    assumed: Mapping[str, str]
    """What no source says and this profile had to decide: what it is about, and a sentence."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
