"""Times are found in the texts that receivers write."""

from __future__ import annotations

from datetime import datetime

import pytest

from tcop_mock.contract.timestamps import find_timestamps, utc_shifts_s

SENT = datetime(2023, 8, 7, 12, 30, 15)  # noqa: DTZ001 - Beijing time without offset
HOUR_S = 3600


@pytest.mark.parametrize(
    "text, shift_s, offset_known",
    [
        ("since 2023-08-07 12:30:15.", 0, False),
        ("since 2023/8/7 12:30:15", 0, False),
        ('"2023-08-07T12:30:15+08:00"', 0, True),
        ("2023-08-07T04:30:15Z", 0, True),
        ("2023-08-07 04:30:15 UTC", 0, True),
        ("2023-08-07 12:30:15 UTC+8", 0, True),
        ("2023-08-07T12:30:15.000+0800", 0, True),
        ("2023-08-06T23:30:15-05:00", 0, True),
        ('{"start": 1691382615}', 0, True),
        ('{"start": 1691382615000}', 0, True),
        ("2023-08-07T12:30:15Z", 8 * HOUR_S, True),
        ("2023-08-07 20:30:15", 8 * HOUR_S, False),
        ("2023-08-07 04:30:15", -8 * HOUR_S, False),
        ("2023-08-07 12:30:15 PM", 0, False),
        ("2023/8/7 下午12:30:15", 0, False),
        ("2023-08-07 20:30:15 PM", 8 * HOUR_S, False),
        ("2023-08-07 12:30:15 a.m.", -12 * HOUR_S, False),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, shift_s: float, *, offset_known: bool) -> None:
    """Times are found in the formats that receivers use."""
    assert utc_shifts_s(find_timestamps(text), SENT) == {(shift_s, offset_known)}


@pytest.mark.parametrize(
    "text",
    [
        "2023-08-07 12:30:16",
        "2023-13-07 12:30:15",
        "2021-01-01 00:00:15",
        "169138261",
        "id 16913826150001234",
        "12:30:15",
        "",
    ],
)
def test_other_times_are_ignored(text: str) -> None:
    """A time that differs by other than a time zone offset, or by more than a day, is another time."""
    assert utc_shifts_s(find_timestamps(text), SENT) == set()
