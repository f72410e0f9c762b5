"""Times in texts that receivers write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BEIJING = timezone(timedelta(hours=8))
_TIME = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d{1,9})?"
    r" ?(Z\b|UTC\b(?![+-])|GMT\b(?![+-])|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|(?:UTC|GMT)[+-]\d{1,2}\b)?"
)
_EPOCH = re.compile(r"(?<![\d.])(1[5-9]\d{8})(\d{3})?(?![\d])")
"""Seconds or milliseconds of the years 2017 to 2033."""
_QUARTER_S = 900
_DAY_S = 86_400


class Shown(NamedTuple):
    """A time as it is shown."""

    wall: datetime
    """Naive: as a clock in UTC shows it where the offset is known, else as it is written."""
    offset_known: bool


def shown_times(text: str) -> Iterator[Shown]:
    """Yield the times in a text: with an offset from UTC, without one, and seconds or milliseconds since 1970."""
    for match in _TIME.finditer(text):
        try:
            wall = datetime.strptime(" ".join(match.groups()[:6]), "%Y %m %d %H %M %S")  # noqa: DTZ007 - see below
        except ValueError:
            continue
        offset = _offset(match[7])
        yield Shown(wall if offset is None else wall - offset, offset is not None)
    for match in _EPOCH.finditer(text):
        yield Shown(datetime.fromtimestamp(int(match[1]), UTC).replace(tzinfo=None), offset_known=True)


def shifts_s(shown: Iterable[Shown], sent: datetime) -> set[tuple[float, bool]]:
    """Return by how much the times that can only be meant as this one are off.

    Args:
        shown: times as they are shown.
        sent: as TCOP writes it: Beijing time without offset.

    Returns:
        Seconds (late is positive), each a whole number of quarters of an hour of at most a day, as time zones are; and
        whether the time has an offset.
    """
    utc = sent.replace(tzinfo=_BEIJING).astimezone(UTC).replace(tzinfo=None)
    found = set()
    for time in shown:
        shift_s = (time.wall - (utc if time.offset_known else sent)).total_seconds()
        if abs(shift_s) <= _DAY_S and shift_s % _QUARTER_S == 0:
            found.add((shift_s, time.offset_known))
    return found


def _offset(text: str | None) -> timedelta | None:
    if not text:
        return None
    digits = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None:
        return timedelta()
    sign = -1 if digits[1] == "-" else 1
    return sign * timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))
