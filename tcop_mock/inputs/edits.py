"""Changes to bodies before they are sent again: values by path, and times."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.json_edit import with_value, without_value
from tcop_mock.domain.callback import encode_json
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TIME = re.compile(rb'("(?:firstOccurTime|recoverTime)"\s*:\s*")(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(")')
_DURATION = re.compile(rb'"durationTime"\s*:\s*"?(\d{1,9})')
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_FIRST_YEAR = 1000
"""The first year that has four digits."""


def apply_edits(body: bytes, edits: Sequence[tuple[str, Any]], removals: Sequence[str], where: str) -> bytes:
    """Return a body with other values at paths, and without some; written compactly, as captured callbacks are.

    Raises:
        UsageError: the body is not a JSON object, or has no such path.
    """
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise UsageError(f"{where} is not a JSON object: --set and --unset change values by path")
    for path, value in edits:
        tree = with_value(tree, path, value)
    for path in removals:
        tree = without_value(tree, path)
    return encode_json(tree)


def shift_times(bodies: Iterable[bytes], now: datetime) -> tuple[list[bytes], int]:
    """Return bodies as if the first were sent now, and how many times could not be moved and stay.

    All other times keep their distance from the first; all other bytes stay.

    Args:
        bodies: of callbacks; one without a time stays.
        now: Beijing time (UTC+8) without offset, as TCOP writes it.
    """
    originals = list(bodies)
    sent_at = next((time for time in map(_sent_at, originals) if time), None)
    if sent_at is None:
        return originals, 0
    shift = timedelta(seconds=round((now - sent_at).total_seconds()))
    unmoved = 0

    def shifted(match: re.Match[bytes]) -> bytes:
        nonlocal unmoved
        time = _parse_time(match[2])
        try:
            moved = time + shift if time else None
        except OverflowError:
            moved = None
        if moved is None or moved.year < _FIRST_YEAR:
            unmoved += 1
            return match[0]
        return match[1] + moved.strftime(_TIME_FORMAT).encode() + match[3]

    return [_TIME.sub(shifted, body) for body in originals], unmoved


def _sent_at(body: bytes) -> datetime | None:
    """Return when a callback was sent: at its recovery, or its duration after its first occurrence."""
    times = {match[1].split(b'"')[1]: _parse_time(match[2]) for match in _TIME.finditer(body)}
    recovered_at, first_occurred_at = times.get(b"recoverTime"), times.get(b"firstOccurTime")
    if recovered_at or not first_occurred_at:
        return recovered_at
    duration = _DURATION.search(body)
    try:
        return first_occurred_at + timedelta(seconds=int(duration[1]) if duration else 0)
    except OverflowError:
        return None


def _parse_time(text: bytes) -> datetime | None:
    try:
        return datetime.strptime(text.decode(), _TIME_FORMAT)  # noqa: DTZ007 - Beijing time without offset
    except ValueError:
        return None
