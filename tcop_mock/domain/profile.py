"""A profile: one published generation of the callback contract, from a file in ``contracts/profiles/``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.callback import WireFormat
    from tcop_mock.domain.delivery import Attempt


DEFAULT_PROFILE = "2023"


class Accept(StrEnum):
    """Which responses accept a callback."""

    ANY_2XX = "2xx"
    EXACTLY_200 = "200"
    RET_CODE = "retCode"
    """Status 2xx and a JSON object with the callback's ``sessionId`` and ``retCode`` 0."""
    ERRCODE = "errcode"
    """Status 2xx and a JSON object with ``errcode`` 0, the response of group robots."""


class RetryAfter(StrEnum):
    """The effect of a ``Retry-After`` header in seconds (RFC 9110, 10.2.3); dates have no effect."""

    IGNORED = "ignored"
    HONOURED = "honoured"
    """The pause before the next attempt is at least that long."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How TCOP delivers one callback: attempts, deadline, acceptance and retries."""

    attempts: int
    """Maximum number of POSTs: the first one and its retries."""
    timeout_s: float
    """Total deadline of one attempt: DNS, connect, TLS, write, head and body."""
    accept: Accept
    """Which complete and timely responses accept the callback."""
    answer_cap_bytes: int
    """How many bytes of a response body are read before the socket is closed."""
    retry_on: frozenset[str]
    """Outcomes that cause a retry; ``4xx`` and ``5xx`` select rejections by status class."""
    pauses_s: tuple[float, ...]
    """Pauses before the second, third, ... attempt; the last one repeats."""
    headers: tuple[tuple[str, str], ...]
    retry_after: RetryAfter = RetryAfter.IGNORED
    """The effect of ``Retry-After`` on the pause."""
    probe: bytes | None = None
    """Body of the POST that verifies a URL when it is saved, and must be answered with 200; ``None``: no check."""

    def retry_pause_s(self, attempt: Attempt, number: int) -> float | None:
        """Return the pause before the next attempt, or ``None`` if the callback is not sent again.

        This is the only retry policy: `send`, the load engine, Locust and the pytest plugin call it after each attempt.

        Args:
            attempt: the last attempt.
            number: its number, starting at 1.
        """
        return self._pause_s(attempt, number) if number < self.attempts and self._should_retry(attempt) else None

    def _pause_s(self, attempt: Attempt, number: int) -> float:
        pause_s = self.pauses_s[min(number, len(self.pauses_s)) - 1] if self.pauses_s else 0.0
        retry_after = next((value for name, value in attempt.headers if name.lower() == "retry-after"), "")
        is_honoured = self.retry_after is RetryAfter.HONOURED and retry_after.isdecimal()
        return max(pause_s, float(retry_after)) if is_honoured else pause_s

    def _should_retry(self, attempt: Attempt) -> bool:
        if attempt.outcome in self.retry_on:
            return True
        return attempt.outcome is Outcome.REJECTED and f"{(attempt.status or 0) // 100}xx" in self.retry_on


RETRYABLE_OUTCOMES = (
    *(outcome.value for outcome in Outcome if outcome not in {Outcome.ACKED, Outcome.CANCELLED}),
    "4xx",
    "5xx",
)
"""The values that ``retry_on`` may contain."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One published generation of the callback contract."""

    name: str
    title: str
    source: str
    delivery: DeliveryRules
    wire_format: WireFormat
    assumed: Mapping[str, str]
    """Decisions without a source: a key and a sentence each."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
