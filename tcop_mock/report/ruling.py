"""What a verdict amounts to, given which clauses count."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result

if TYPE_CHECKING:
    from tcop_mock.model.verdict import Verdict

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
