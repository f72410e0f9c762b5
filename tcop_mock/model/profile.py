"""A profile: one published generation of the callback contract. Read from one file of ``contracts/profiles/``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcop_mock.model.delivery import Outcome
    from tcop_mock.model.form import Wire


DEFAULT_PROFILE = "2023"


class Accept(StrEnum):
    """Which answers accept a callback."""

    ANY_2XX = "2xx"
    EXACTLY_200 = "200"
    RET_CODE = "retCode"
    """Status 2xx and a JSON object with the callback's ``sessionId`` and ``retCode`` 0."""


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
    retry_on: frozenset[Outcome]
    """Outcomes after which the callback is pushed again."""
    pauses_s: tuple[float, ...]
    """Pause before the second, third, ... attempt; the last one holds for all that follow."""
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """One published generation of the callback contract."""

    name: str
    title: str
    source: str
    delivery: DeliveryRules
    wire: Wire
    assumptions: tuple[str, ...]
    """What no source says and this profile had to decide, a sentence each; printed in every report."""
