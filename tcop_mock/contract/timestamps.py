"""Times in the texts that receivers write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.alarm import BEIJING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TIMESTAMP = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(?:(上午|下午) ?)?(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d{1,9})?"
    r"(?: ?([AaPp])\.?[Mm]\b\.?)?"
    r" ?(Z\b|UTC\b(?![+-])|GMT\b(?![+-])|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|(?:UTC|GMT)[+-]\d{1,2}\b)?"
)

_EPOCH = re.compile(r"(?<![\d.])(1[5-9]\d{8})(\d{3})?(?![\d])")
"""Unix time in seconds or milliseconds, for the years 2017 to 2033."""

_QUARTER_HOUR_S = 900

_DAY_S = 86_400

_NOON = 12


class TimestampInText(NamedTuple):
    """A time found in a text."""

    time: datetime
    """Without offset: in UTC if the offset is known, otherwise as written."""
    has_offset: bool
    start: int = 0
    """Where it starts in the text."""


def find_timestamps(text: str) -> Iterator[TimestampInText]:
    """Yield the times in a text: with an offset from UTC, without one, and as Unix time."""
    for match in _TIMESTAMP.finditer(text):
        *date, before, hour, minute, second, after, zone = match.groups()
        half = {"上午": "AM", "下午": "PM", None: ""}[before] or (f"{after}M" if after else "")
        half = half if 1 <= int(hour) <= _NOON else ""
        text = " ".join([*date, hour, minute, second, half]).rstrip()
        try:
            time = datetime.strptime(text, "%Y %m %d %I %M %S %p" if half else "%Y %m %d %H %M %S")  # noqa: DTZ007 - see below
        except ValueError:
            continue
        offset = _offset(zone)
        yield TimestampInText(time if offset is None else time - offset, offset is not None, match.start())
    for match in _EPOCH.finditer(text):
        yield TimestampInText(
            datetime.fromtimestamp(int(match[1]), UTC).replace(tzinfo=None), has_offset=True, start=match.start()
        )


def utc_shifts_s(timestamps: Iterable[TimestampInText], sent_at: datetime) -> set[tuple[float, bool]]:
    """Return the time zone shifts of the times that can only mean ``sent_at``.

    Args:
        timestamps: times found in texts.
        sent_at: the time as TCOP sends it: Beijing time without offset.

    Returns:
        Pairs of a shift in seconds (positive: late) and whether the time has an offset. Shifts are multiples of a
        quarter of an hour and at most a day, as for time zones.
    """
    utc = sent_at.replace(tzinfo=BEIJING).astimezone(UTC).replace(tzinfo=None)
    shifts = set()
    for timestamp in timestamps:
        shift_s = (timestamp.time - (utc if timestamp.has_offset else sent_at)).total_seconds()
        if abs(shift_s) <= _DAY_S and shift_s % _QUARTER_HOUR_S == 0:
            shifts.add((shift_s, timestamp.has_offset))
    return shifts


def _offset(text: str | None) -> timedelta | None:
    if not text:
        return None
    digits = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None:
        return timedelta()
    sign = -1 if digits[1] == "-" else 1
    return sign * timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))
