"""In which form a callback is written: which bodies reach a URL, and what each published generation holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """Which body of an alarm."""

    DOCUMENTED = "documented"
    """As the alarm callback page of the profile prints it."""
    OBSERVED = "observed"
    """As captured callbacks look: fields that no page tells of, dimension keys in alphabetical order."""
    EVENTBRIDGE = "eventbridge"
    """EventBridge's imitation of an event alarm's callback."""
    CLOUDEVENTS = "cloudevents"
    """The CloudEvents that EventBridge posts for Anti-DDoS."""


class Scalar(StrEnum):
    """JSON type of ``alarmStatus``."""

    STRING = "string"
    INTEGER = "integer"


class Times(StrEnum):
    """Where ``firstOccurTime``, ``durationTime`` and ``recoverTime`` stand."""

    ROOT = "root"
    POLICY = "alarmPolicyInfo"


_DOCUMENTED = frozenset({"alarmType", "appId", "uin", "calcUnit", "historyValue"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one generation of the callback holds around the dimensions; by itself, what profile 2023 says."""

    status: Scalar = Scalar.STRING
    times: Times = Times.ROOT
    fields: frozenset[str] = _DOCUMENTED
    """Those that are there of the fields that came and went, by their names on the wire."""
    notify_periods: tuple[int, ...] = ()
    """``alarmNotifyPeriod`` where captured callbacks do not hold seconds."""
    period_num_s: bool = False
    """Whether ``periodNum`` was captured in seconds, not as a count of periods."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How one profile's callbacks are written; by itself, as profile 2023 says."""

    documented: Envelope = Envelope()
    observed: Envelope = Envelope(fields=_DOCUMENTED | {"policyDetailURL", "policyTags", "policyTypeEname", "tag"})

    def envelope(self, form: Form) -> Envelope:
        """Return the envelope of a form; the imitations have their own, which no profile changes."""
        return self.observed if form is Form.OBSERVED else self.documented
