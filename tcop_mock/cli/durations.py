"""Durations on the command line: ``500ms``, ``30s``, ``10m``, ``1h`` or bare seconds."""

from __future__ import annotations

import re

import click

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)")


def duration(text: str) -> float:
    """Return the seconds of ``500ms``, ``30s``, ``10m``, ``1h`` or bare seconds.

    Raises:
        click.BadParameter: it is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration; write 500ms, 30s, 10m or bare seconds")
    return float(match[1]) * _UNITS_S[match[2]]


def positive_duration(text: str) -> float:
    """Return the seconds of a duration that is longer than nothing.

    Raises:
        click.BadParameter: it is no duration, or 0.
    """
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter("it must be more than 0")
    return seconds
