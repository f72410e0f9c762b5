"""Baseline file: reads and writes versioned JSON (``contracts/schemas/baseline.schema.json``)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.schema_check import validator, worst_violation
from tcop_mock.domain.verdict import BaselineEntry
from tcop_mock.errors import UsageError
from tcop_mock.reports.files import write_report
from tcop_mock.reports.json import VERSION, json_text
from tcop_mock.reports.summary import creator_document
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_BYTES = 64 * 1024 * 1024
_MAX_CHARS = 300


def read_baseline(path: str) -> list[BaselineEntry]:
    """Return the entries of a baseline.

    Raises:
        UsageError: the file cannot be read or is not a baseline. The message names the key and the fix.
    """
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"baseline {path!r} is not there; --baseline-update writes it") from None
    except OSError as problem:
        raise UsageError(f"baseline {path!r} cannot be read: {problem.strerror or problem}") from None
    try:
        document = json.loads(raw[:_MAX_BYTES])
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"baseline {path!r} is not JSON: {one_line(str(problem), _MAX_CHARS)}") from None
    violation = worst_violation(validator(read_schema("baseline")), document)
    if violation:
        key = ".".join(map(str, violation.path)) or "the document"
        hint = f" ({violation.description})" if violation.description else ""
        raise UsageError(one_line(f"baseline {path!r}: {key} {violation.message}{hint}", _MAX_CHARS))
    entries = [_entry_from_row(row, f"baseline {path!r}: findings.{at}") for at, row in enumerate(document["findings"])]
    fingerprints = [one.fingerprint for one in entries]
    duplicate = next((mark for mark in fingerprints if fingerprints.count(mark) > 1), None)
    if duplicate:
        raise UsageError(f"baseline {path!r} lists the fingerprint {duplicate} twice; keep one of them")
    return entries


def baseline_document(entries: Iterable[BaselineEntry]) -> dict[str, Any]:
    """Return the document of a baseline."""
    return {
        "version": VERSION,
        "tool": creator_document(),
        "findings": [
            {
                "fingerprint": one.fingerprint,
                "clause": one.clause,
                "cause": one.cause,
                "title": one.title,
                "cases": list(one.cases),
                "first_seen": one.first_seen.isoformat(),
                "expires": one.expires.isoformat() if one.expires else None,
                "note": one.note,
            }
            for one in entries
        ],
    }


def write_baseline(path: str, entries: Iterable[BaselineEntry]) -> None:
    """Replace a baseline atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_report(path, json_text(baseline_document(entries)).encode(), label="baseline")


def _entry_from_row(row: dict[str, Any], where: str) -> BaselineEntry:
    return BaselineEntry(
        fingerprint=row["fingerprint"],
        clause=row["clause"],
        first_seen=_parse_date(row["first_seen"], f"{where}.first_seen"),
        cause=row.get("cause", ""),
        title=row.get("title", ""),
        cases=tuple(row.get("cases", ())),
        expires=_parse_date(row["expires"], f"{where}.expires") if row.get("expires") else None,
        note=row.get("note", ""),
    )


def _parse_date(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{where} {text!r} is not a date; write one as in 2026-12-31") from None
