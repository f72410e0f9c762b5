"""Summary of a check: overall result, skipped clauses, reasons, and metadata of the run.

Reasons of results are worded for the command line: the missing precondition, and the flag that provides it.
"""

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
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.verdict import ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tcop_mock.domain.contract import Level, MissingPrerequisite
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.verdict import ClauseResult, Verdict

_TEXTS = {
    Prerequisite.AUTH: "needs auth: put the receiver's USER:PASSWORD@ into the target",
    Prerequisite.SPECIAL_CHARACTER_CREDENTIALS: (
        "needs a user or password with @ : / %, blanks or signs beyond ASCII, which are the ones that get lost"
    ),
    Prerequisite.HTTP: "needs http: an app in this process has no connections",
    Prerequisite.OBSERVER: "needs observer: give --run CMD, --observe-url, --observe-cmd or --downstream",
    Prerequisite.OPEN_INCIDENTS: (
        "needs to see what is open: give --observe-open, or have the receiver forward to /pagerduty of --downstream"
    ),
    Prerequisite.DOWNSTREAM: (
        "needs downstream: give --run CMD, or --downstream HOST:PORT and have the receiver forward there"
    ),
    Prerequisite.PAGERDUTY: "the receiver forwards nothing to /pagerduty",
    Prerequisite.WECOM: "the receiver forwards nothing to /wecom",
    Prerequisite.DINGTALK_OR_FEISHU: "the receiver forwards nothing to /dingtalk or /feishu",
    Prerequisite.RESTART: "needs restart: give --run CMD, or --restart-cmd, a command that restarts the receiver",
    Prerequisite.RUN: "needs run: give --run CMD, which starts the receiver",
    Prerequisite.TEMPLATE: "needs template: give --template FILE, the text that is in the console",
    Prerequisite.PROFILE: "holds in profile {} only",
    Prerequisite.HTTP_REQUESTS: ("needs a receiver: a {} is asked about bodies that have been parsed, nothing else"),
    Prerequisite.TCOP_BODIES: "is about TCOP's own callbacks, and --template writes others",
    Prerequisite.SOCKET: (
        "needs a socket: the target is an HTTP client, which writes its requests itself; serve the app and give its URL"
    ),
    Prerequisite.CONCURRENT_REQUESTS: "needs many requests at once, and --pace sends one after the other",
    Prerequisite.ENOUGH_JOBS: "sends {} requests at once, and --jobs allows {}",
    Prerequisite.CONCURRENT_CALLS: (
        "needs many requests at once, and one thread calls an app in this process; serve it and give its URL"
    ),
    Prerequisite.VISIBLE_EFFECT: (
        "a plain alarm that was answered 2xx has no effect that is to be seen within --effect-timeout {}; "
        "does --observe-all choose what the receiver did, and does it name the alarm's object?"
    ),
    Prerequisite.FORWARDED_EFFECT: (
        "a plain alarm that was answered 2xx has no effect that is to be seen at --downstream "
        "within --effect-timeout {}; {}"
    ),
    Prerequisite.VISIBLE_INCIDENT: "a plain alarm that fires shows no open incident; is --observe-open right?",
    Prerequisite.CAUGHT_CALL: (
        "needs a call of the receiver to our services: {}; --observe-sql, --observe-log and --observe-url "
        "show what it keeps"
    ),
    Prerequisite.FORWARDING: "nothing came to --downstream; {}",
    Prerequisite.TIME: "not finished within --max-time",
}
_UNSEEN = (
    (Prerequisite.OBSERVER, "what happens behind the 200", "as far as answers show"),
    (Prerequisite.CAUGHT_CALL, "what happens behind the 200", "as far as answers show"),
    (Prerequisite.DOWNSTREAM, "what is forwarded", "as far as answers and effects show"),
)
"""Missing ways to observe effects: their clauses, and the limits of a verdict without them."""
TOOL = "tcop-mock"
LIBRARIES = ("aiohappyeyeballs", "click", "h11", "jsonpath-rfc9535", "jsonschema", "rich", "tomli")
"""Libraries whose version can change requests, observations or reports."""
_HASH_CHARS = 12
"""Characters of a hash in texts for people."""


def reason_text(result: ClauseResult) -> str:
    """Return the reason of a result: its own, or the text about its missing precondition."""
    return result.reason or (missing_text(result.missing) if result.missing else "")


def missing_text(missing: MissingPrerequisite) -> str:
    """Return a missing precondition in words."""
    return _TEXTS[missing.kind].format(*missing.details)


class OverallResult(StrEnum):
    """Overall result of a run."""

    KEPT = "kept"
    BROKEN = "broken"
    """A clause that decides the result is broken."""
    INCONCLUSIVE = "inconclusive"
    """No deciding clause is broken, but one is inconclusive, or no must clause was checked."""


def is_gating(level: Level, fail_on: Level) -> bool:
    """Return whether a clause of ``level`` decides the result when all levels down to ``fail_on`` do."""
    return fail_on.includes(level)


def any_must_checked(verdict: Verdict) -> bool:
    """Return whether at least one must clause was checked, whatever its result."""
    return verdict.any_must_checked


def overall_result(verdict: Verdict, fail_on: Level) -> OverallResult:
    """Return the overall result of a verdict."""
    verdict = dataclasses.replace(verdict, fail_on=fail_on)
    if verdict.failed:
        return OverallResult.BROKEN
    return OverallResult.KEPT if verdict.passed else OverallResult.INCONCLUSIVE


def coverage_text(verdict: Verdict) -> str:
    """Return how far a verdict reaches, for its sentence: which clauses about effects were not run, and what runs them.

    Empty if no clause lacks a way to observe effects.
    """
    for kind, subject, extent in _UNSEEN:
        unseen = [
            one
            for one in verdict.results
            if one.status is ClauseStatus.NOT_RUN and one.missing and one.missing.kind is kind and _lacks_view(one)
        ]
        if unseen:
            count = "1 clause" if len(unseen) == 1 else f"{len(unseen)} clauses"
            were = "was" if len(unseen) == 1 else "were"
            remedy = reason_text(unseen[0]).partition(": ")[2].rpartition("; ")[2]
            return f"{extent}; {count} about {subject} {were} not run: {remedy}"
    return ""


def _lacks_view(result: ClauseResult) -> bool:
    """Return whether a clause that was not run could be; one about forwarding is not for a receiver without calls."""
    is_caught_call = result.missing is not None and result.missing.kind is Prerequisite.CAUGHT_CALL
    return not is_caught_call or Prerequisite.OBSERVER in result.clause.prerequisites


class SkippedClauses(NamedTuple):
    """Inconclusive clauses with one reason."""

    reason: str
    codes: tuple[str, ...]


def catalogue_sha256(shapes: Iterable[Shape]) -> str:
    """Return a hash of the content of shapes, in hexadecimal. The paths of their files do not matter."""
    return hashlib.sha256(json.dumps(list(shapes), ensure_ascii=False, default=_content).encode()).hexdigest()


def _content(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass of the shape
    """Return the fields of a dataclass; ``dataclasses.asdict`` takes five times as long."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.name != "file"}


def creator_document() -> dict[str, str]:
    """Return name and version of tcop-mock, as files name their creator."""
    return {"name": TOOL, "version": __version__}


@cache
def tool_document() -> dict[str, Any]:
    """Return the versions of tcop-mock, Python, the system and the installed libraries."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        **creator_document(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libraries": libraries,
    }


def skipped_clauses(
    results: Iterable[ClauseResult], status: ClauseStatus = ClauseStatus.NOT_RUN
) -> list[SkippedClauses]:
    """Return the clauses that were not run, or those with another status, grouped by reason."""
    codes_by_reason: dict[str, list[str]] = {}
    for one in results:
        if one.status is status:
            codes_by_reason.setdefault(reason_text(one), []).append(one.clause.code)
    return [SkippedClauses(reason, tuple(same)) for reason, same in codes_by_reason.items()]


def format_utc(time: datetime) -> str:
    """Return a time in UTC, to the second (RFC 3339)."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_metadata(verdict: Verdict) -> list[tuple[str, str]]:
    """Return unescaped names and values that describe a run."""
    tool = tool_document()
    metadata = [
        ("Target", verdict.target),
        ("Profile", verdict.profile),
        ("Seed", str(verdict.seed)),
        ("Checked by", f"{TOOL} {__version__}, {tool['python']}, {tool['platform']}"),
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
