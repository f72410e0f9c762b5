"""The course of a load as CSV (RFC 4180): a row a second; of a long load, a row for several seconds."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from tcop_mock.model.loaded import LoadPoint

if TYPE_CHECKING:
    from collections.abc import Iterable

_DECIMALS = 6


def load_csv(series: Iterable[LoadPoint]) -> str:
    """Return points as rows under their names, times in seconds."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow([field.name for field in fields(LoadPoint)])
    rows.writerows([[_written(value) for value in astuple(point)] for point in series])
    return stream.getvalue()


def _written(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{round(value, _DECIMALS)}"
