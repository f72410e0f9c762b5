"""What a verdict amounts to, given which clauses count."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from datetime import UTC
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.reasons import reason_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.verdict import ClauseResult, Verdict


class OverallResult(StrEnum):
    """The one word on a run."""

    KEPT = "kept"
    BROKEN = "broken"
    """A clause that counts is broken."""
    INCONCLUSIVE = "unjudged"
    """None that counts is broken, but one could not be judged, or no must clause was: that is no pass."""


def is_gating(level: Level, fail_on: Level) -> bool:
    """Return whether a clause of ``level`` decides on the run, where all down to ``fail_on`` do."""
    return fail_on.includes(level)


def any_must_checked(verdict: Verdict) -> bool:
    """Return whether at least one must clause was judged, whatever was found."""
    return verdict.any_must_checked


def overall_result(verdict: Verdict, fail_on: Level) -> OverallResult:
    """Return what the verdict amounts to."""
    verdict = dataclasses.replace(verdict, fail_on=fail_on)
    if verdict.failed:
        return OverallResult.BROKEN
    return OverallResult.KEPT if verdict.passed else OverallResult.INCONCLUSIVE


TOOL = "tcop-mock"

LIBRARIES = ("aiohappyeyeballs", "click", "h11", "jsonpath-rfc9535", "jsonschema", "rich")

"""Those whose version can change what is sent, seen or told."""

_HASH_CHARS = 12

"""Of a hash, for people."""


class SkippedClauses(NamedTuple):
    """Clauses that were not run, and why."""

    reason: str
    codes: tuple[str, ...]


def catalogue_sha256(shapes: Iterable[Shape]) -> str:
    """Return a hash of all that some shapes say, in hexadecimal; where their files lie makes no difference."""
    tables = [dataclasses.asdict(shape) for shape in shapes]
    for table in tables:
        del table["file"]
    return hashlib.sha256(json.dumps(tables, ensure_ascii=False, default=str).encode()).hexdigest()


@cache
def tool_document() -> dict[str, Any]:
    """Return who judges: our version, Python's, the system's, and those of the libraries that are there."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "name": TOOL,
        "version": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libraries": libraries,
    }


def skipped_clauses(results: Iterable[ClauseResult]) -> list[SkippedClauses]:
    """Return the clauses that were not run, those of one reason together."""
    codes_by_reason: dict[str, list[str]] = {}
    for one in results:
        if one.status is ClauseStatus.NOT_RUN:
            codes_by_reason.setdefault(reason_text(one), []).append(one.clause.code)
    return [SkippedClauses(reason, tuple(same)) for reason, same in codes_by_reason.items()]


def format_utc(time: datetime) -> str:
    """Return a moment in UTC, to the second (RFC 3339)."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_metadata(verdict: Verdict) -> list[tuple[str, str]]:
    """Return what a person is told of a run: names and values, none of them escaped."""
    tool = tool_document()
    metadata = [
        ("Target", verdict.target),
        ("Profile", verdict.profile),
        ("Seed", str(verdict.seed)),
        ("Judged by", f"{TOOL} {__version__}, {tool['python']}, {tool['platform']}"),
        ("Libraries", ", ".join(f"{name} {number}" for name, number in tool["libraries"].items())),
    ]
    run_info = verdict.run_info
    if run_info:
        shapes = f"{len(run_info.shapes)} shapes, sha256 {catalogue_sha256(run_info.shapes)[:_HASH_CHARS]}"
        metadata += [
            ("Catalogue", shapes),
            ("Started", f"{format_utc(run_info.started_at)}, took {run_info.duration_s:.1f} s"),
        ]
    return metadata
