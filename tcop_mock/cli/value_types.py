"""Values of options: durations, rates, outcomes and notification policies, as click types."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

from tcop_mock.domain.alarm import REPEAT_PERIODS_S, NotifyType, RepeatPolicy
from tcop_mock.domain.profile import RETRYABLE_OUTCOMES
from tcop_mock.errors import did_you_mean

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_TYPES = {kind.removesuffix("Alarm"): kind for kind in NotifyType}
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|min|m|h)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)")


class WholeNumber(click.IntRange):
    """A whole number in a range, by a name that messages can use."""

    name = "whole number"


class Number(click.FloatRange):
    """A number in a range, by a name that messages can use."""

    name = "number"


def duration(text: str) -> float:
    """Return the seconds of ``500ms``, ``30s``, ``10m``, ``1h`` or bare seconds.

    Raises:
        click.BadParameter: it is not a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a duration; write 500ms, 30s, 10m or bare seconds")
    return float(match[1]) * _UNITS_S[match[2]]


def positive_duration(text: str) -> float:
    """Return the seconds of a duration above 0.

    Raises:
        click.BadParameter: it is not a duration, or it is 0.
    """
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter("it must be more than 0")
    return seconds


class RateLimit(NamedTuple):
    """At most ``requests`` in any ``seconds``; 0 requests mean no limit."""

    requests: int
    seconds: float

    @property
    def gap_s(self) -> float:
        """The mean time between two requests."""
        return self.seconds / self.requests

    def __str__(self) -> str:
        """Return the limit as ``--pace`` takes it."""
        return f"{60 / self.gap_s:.10g}/min"


def rate_limit(text: str) -> RateLimit:
    """Return the limit of ``10/s``, ``300/min`` or ``1000/h``.

    Raises:
        click.BadParameter: it is not a rate.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{text!r} is not a rate; write 10/s or 300/min")
    seconds, number = _UNITS_S[match[2].removesuffix("in")], float(match[1])
    return RateLimit(int(number), seconds) if number.is_integer() else RateLimit(1, seconds / number)


NO_LIMIT = RateLimit(0, 1.0)


def rate_limit_or_none(text: str) -> RateLimit:
    """Parse a limit such as ``10/s``; ``none`` means no limit.

    Raises:
        click.BadParameter: it is not a rate.
    """
    return NO_LIMIT if text.strip() == "none" else rate_limit(text)


def durations(text: str) -> tuple[float, ...]:
    """Return the seconds of comma-separated durations.

    Raises:
        click.BadParameter: one is not a duration.
    """
    return tuple(map(duration, text.split(",")))


def retry_on(text: str) -> tuple[str, ...]:
    """Return comma-separated outcomes or status classes; ``none`` alone means no retry.

    Raises:
        click.BadParameter: one is unknown; the message suggests similar ones.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip() != "none")
    for name in names:
        if name not in RETRYABLE_OUTCOMES:
            near = did_you_mean(name, RETRYABLE_OUTCOMES)
            hint = f"; did you mean {near}?" if near else ""
            raise click.BadParameter(
                f"{name!r} is not an outcome{hint}; one of {', '.join(RETRYABLE_OUTCOMES)}, or none"
            )
    return names


def notify(text: str) -> RepeatPolicy:
    """Return how an alarm repeats: ``single``, ``continuous:5m``, ``exponential:1h``.

    Raises:
        click.BadParameter: unknown type, or an interval that no policy can have.
    """
    name, _, every = text.partition(":")
    if name not in _TYPES or (name == "single") != (not every):
        raise click.BadParameter(f"{text!r} is not single, continuous:TIME or exponential:TIME")
    every_s = duration(every) if every else 0
    if every and every_s not in REPEAT_PERIODS_S:
        known = ", ".join(_written(seconds) for seconds in REPEAT_PERIODS_S)
        raise click.BadParameter(f"no policy repeats every {every}; one of {known}")
    return RepeatPolicy(_TYPES[name], int(every_s))


def _written(seconds: int) -> str:
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"
