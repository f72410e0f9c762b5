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
from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Result

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.verdict import ClauseResult, Verdict


_ORDER = tuple(Level)

_JUDGED = frozenset({Result.PASS, Result.FAIL, Result.KNOWN})


class Ruling(StrEnum):
    """The one word on a run."""

    KEPT = "kept"
    BROKEN = "broken"
    """A clause that counts is broken."""
    UNJUDGED = "unjudged"
    """None that counts is broken, but one could not be judged, or no must clause was: that is no pass."""


def counts(level: Level, fail_on: Level) -> bool:
    """Return whether a clause of ``level`` decides on the run, where all down to ``fail_on`` do."""
    return _ORDER.index(level) <= _ORDER.index(fail_on)


def judged_a_must(verdict: Verdict) -> bool:
    """Return whether at least one must clause was judged, whatever was found."""
    return any(one.clause.level is Level.MUST and one.result in _JUDGED for one in verdict.results)


def rule(verdict: Verdict, fail_on: Level) -> Ruling:
    """Return what the verdict amounts to."""
    deciding = {one.result for one in verdict.results if counts(one.clause.level, fail_on)}
    if Result.FAIL in deciding:
        return Ruling.BROKEN
    if Result.ERROR in deciding or not judged_a_must(verdict):
        return Ruling.UNJUDGED
    return Ruling.KEPT


TOOL = "tcop-mock"

LIBRARIES = ("aiohappyeyeballs", "click", "h11", "jsonpath-rfc9535", "jsonschema", "rich")

"""Those whose version can change what is sent, seen or told."""

_HASH_CHARS = 12

"""Of a hash, for people."""


class LeftOut(NamedTuple):
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


def left_out(results: Iterable[ClauseResult]) -> list[LeftOut]:
    """Return the clauses that were not run, those of one reason together."""
    codes: dict[str, list[str]] = {}
    for one in results:
        if one.result is Result.NOT_RUN:
            codes.setdefault(one.reason, []).append(one.clause.code)
    return [LeftOut(reason, tuple(same)) for reason, same in codes.items()]


def instant(moment: datetime) -> str:
    """Return a moment in UTC, to the second (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(verdict: Verdict) -> list[tuple[str, str]]:
    """Return what a person is told of a run: names and values, none of them escaped."""
    tool = tool_document()
    told = [
        ("Target", verdict.target),
        ("Profile", verdict.profile),
        ("Seed", str(verdict.seed)),
        ("Judged by", f"{TOOL} {__version__}, {tool['python']}, {tool['platform']}"),
        ("Libraries", ", ".join(f"{name} {number}" for name, number in tool["libraries"].items())),
    ]
    ran = verdict.ran
    if ran:
        shapes = f"{len(ran.shapes)} shapes, sha256 {catalogue_sha256(ran.shapes)[:_HASH_CHARS]}"
        told += [("Catalogue", shapes), ("Started", f"{instant(ran.started)}, took {ran.duration_s:.1f} s")]
    return told
