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


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one generation of the callback holds around the dimensions. Read from a profile."""

    status: Scalar = Scalar.STRING
    times: Times = Times.ROOT
    fields: frozenset[str] = frozenset({"alarmType", "appId", "uin", "calcUnit", "historyValue"})
    """Those that are there of the fields that came and went, by their names on the wire."""
    notify_periods: tuple[int, ...] = ()
    """``alarmNotifyPeriod`` where captured callbacks do not hold seconds."""
    period_num_s: bool = False
    """Whether ``periodNum`` was captured in seconds, not as a count of periods."""


COMING_AND_GOING = ("alarmType", "alertId", "appId", "uin", "calcUnit", "historyValue", "policyDetailURL", "policyTags",
                    "policyTypeEname", "tag")  # fmt: skip
"""Fields of a metric alarm that not every generation has."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How one profile's callbacks are written."""

    documented: Envelope = Envelope()
    observed: Envelope = Envelope()

    def envelope(self, form: Form) -> Envelope:
        """Return the envelope of a form; the imitations have their own, which no profile changes."""
        return self.observed if form is Form.OBSERVED else self.documented
