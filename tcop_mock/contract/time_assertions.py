"""Assertions about the times that effects show."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from tcop_mock.contract.timestamps import find_timestamps, utc_shifts_s
from tcop_mock.domain.contract import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tcop_mock.contract.timestamps import TimestampInText
    from tcop_mock.domain.contract import EffectScenarioResult

_MONTHS = 12
_HOUR_S = 3600
_ZONE_STEP_S = 900
"""Time zones differ by quarters of an hour."""
_TIME_CHARS = 19

_END_LABEL = re.compile(
    r"((?<![a-z])(?:recover(?:y|ed)?|resolved?|end(?:ed)?)[ _-]?(?:at|on|time|date|timestamp)"
    r"|(?<![a-z])(?:end|ended|until)"
    r"|(?:恢复|结束|解除)(?:时间|时刻|于|日期))"
    r"(?:</?\w+>|[\s\"'*`_:：=|>]|, *\"(?:value|text|content)\")*$",
    re.IGNORECASE,
)
"""The name of a time that says that it is the end of an alarm; when an incident was closed is the receiver's time."""


def timestamps_match(result: EffectScenarioResult, *, only_with_offset: bool = False) -> str | Inconclusive | None:
    """Assert that times are shown as the instants that were sent.

    Args:
        result: the scenario's result.
        only_with_offset: check only times with an offset from UTC.
    """
    expected_content = result.scenario.expected_content
    texts = [effect.text for effect in result.step_results[-1].after.effects]
    timestamps = [time for text in texts for time in find_timestamps(text) if time.has_offset or not only_with_offset]
    sent_times = [time for time in (expected_content.started_at, expected_content.recovered_at) if time]
    shift_sets = [utc_shifts_s(_without_exact(timestamps, sent_times, sent_at), sent_at) for sent_at in sent_times]
    misread = _misread_date(timestamps, sent_times, shift_sets, is_day_enough=only_with_offset)
    if misread:
        return misread
    if not any(shift_sets):
        return Inconclusive(
            f"no time of the alarm is shown{' with its offset from UTC' if only_with_offset else ''}",
            not_applicable=True,
        )
    for name, shifts in zip(("firstOccurTime", "recoverTime"), shift_sets, strict=False):
        exact_shifts = {shift for shift, has_offset in shifts if has_offset}
        if exact_shifts and 0 not in exact_shifts:
            return f"{name} is shown {_format_shift(min(exact_shifts, key=abs))}"
        naive_shifts = {shift for shift, has_offset in shifts if not (has_offset or exact_shifts)}
        if naive_shifts and not any(-20 * _HOUR_S <= shift <= 6 * _HOUR_S for shift in naive_shifts):
            return f"{name} is shown {_format_shift(min(naive_shifts, key=abs))}"
    return None if only_with_offset else _shifted_apart(shift_sets, sent_times)


def _misread_date(
    timestamps: Sequence[TimestampInText],
    sent_times: Sequence[datetime],
    shift_sets: Sequence[set[tuple[float, bool]]],
    *,
    is_day_enough: bool,
) -> str | None:
    """Return the failure if a time is shown on another date, or, unless the day is enough, without its time of day."""
    for name, sent_at, shifts in zip(("firstOccurTime", "recoverTime"), sent_times, shift_sets, strict=False):
        if shifts:
            continue
        if sent_at.day != sent_at.month and utc_shifts_s(timestamps, _with_day_as_month(sent_at)):
            return f"{name} is shown with month and day in each other's place"
        if any(utc_shifts_s(timestamps, other) for other in _in_other_years(sent_at)):
            return f"{name} is shown in another year"
        if not is_day_enough and _shows_start_of(timestamps, sent_at):
            return f"{name} is shown with its day, and zeros as its time of day"
    return None


def _shows_start_of(timestamps: Sequence[TimestampInText], sent_at: datetime) -> bool:
    """Return whether one of the times is the beginning of the day, as it is written or as an instant."""
    midnight = sent_at.replace(hour=0, minute=0, second=0)
    return any((0, time.has_offset) in utc_shifts_s([time], midnight) for time in timestamps)


def _with_day_as_month(time: datetime) -> datetime:
    """Return a time with day and month exchanged; the same time if that is not a valid date."""
    return time.replace(month=time.day, day=time.month) if time.day <= _MONTHS else time


def _without_exact(
    timestamps: Sequence[TimestampInText], sent_times: Sequence[datetime], sent_at: datetime
) -> list[TimestampInText]:
    """Return the times that are not the instant of another one that was sent: that may be some hours before."""
    others = [other for other in sent_times if other != sent_at]
    return [time for time in timestamps if not any((0, True) in utc_shifts_s([time], other) for other in others)]


def _shifted_apart(shift_sets: Sequence[set[tuple[float, bool]]], sent_times: Sequence[datetime]) -> str | None:
    """Return the failure if start and end, both without an offset, cannot be in the same time zone.

    Where one could be the other in another time zone, a single time may be both.

    A clock of twelve hours without a.m. and p.m. shows the end of an alarm before its start.
    """
    if len(shift_sets) < 2 or any(has_offset for shifts in shift_sets for _, has_offset in shifts):  # noqa: PLR2004 - a start and an end
        return None
    if (sent_times[1] - sent_times[0]).total_seconds() % _ZONE_STEP_S == 0:
        return None
    started, recovered = ({shift for shift, _ in shifts} for shifts in shift_sets)
    if not started or not recovered or started & recovered:
        return None
    hours = (min(recovered, key=abs) - min(started, key=abs)) / _HOUR_S
    return f"recoverTime is shown {abs(hours):g} hours too {'late' if hours > 0 else 'early'} for its firstOccurTime"


def _in_other_years(time: datetime) -> Iterator[datetime]:
    """Yield a time in the year before and the year after; a leap day has none."""
    for year in (time.year - 1, time.year + 1):
        with contextlib.suppress(ValueError):
            yield time.replace(year=year)


def end_is_sent(result: EffectScenarioResult) -> str | None:
    """Assert that the time which is shown as the end of an alarm is its ``recoverTime``.

    A time is shown as the end if its name says so. What shows ``recoverTime`` anywhere, too, passes.
    """
    recovered_at = result.scenario.expected_content.recovered_at
    texts = [effect.text for effect in result.step_results[-1].after.effects]
    times = [(text, time) for text in texts for time in find_timestamps(text)]
    if recovered_at is None or utc_shifts_s([time for _, time in times], recovered_at):
        return None
    for text, time in times:
        label = _END_LABEL.search(text[: time.start].replace("\\", ""))
        if label:
            name = label[1]
            return (
                f"recoverTime is {recovered_at}, and {text[time.start : time.start + _TIME_CHARS]} is shown as {name!r}"
            )
    return None


TIME_ASSERTIONS: dict[str, Callable[..., str | Inconclusive | None]] = {
    assertion.__name__: assertion for assertion in (timestamps_match, end_is_sent)
}


def _format_shift(shift_s: float) -> str:
    return f"{abs(shift_s) / _HOUR_S:g} hours too {'late' if shift_s > 0 else 'early'}"
