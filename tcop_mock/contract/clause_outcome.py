"""What became of a clause's cases, in company and alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.contract.findings import Problem, findings
from tcop_mock.domain.contract import Manner, Pace
from tcop_mock.domain.verdict import ClauseResult, Result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tcop_mock.contract.reproduce import Source
    from tcop_mock.domain.contract import Play

_BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses that say "not now", as an honest receiver may to more requests a second than TCOP sends."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What became of a clause's cases, which are known by their titles."""

    problems: tuple[Problem, ...] = ()
    blind: tuple[str, ...] = ()
    """Why what was sent could not be judged."""
    left_out: tuple[str, ...] = ()
    """Why cases were not sent."""
    absent: tuple[str, ...] = ()
    """What the receiver does not do that cases are about."""
    judged: frozenset[str] = frozenset()
    unheard: frozenset[str] = frozenset()
    """Cases that were not sent because others had no answer."""
    doubtful: frozenset[str] = frozenset()
    """Cases that another hearing may find otherwise: broken, not to be judged, or not sent."""

    def settled_by(self, alone: Hearing) -> Hearing:
        """Put what was heard alone in place of what was doubtful in company.

        What was without an answer in company and is not heard alone, because others had no answer there either, stays.
        """
        kept = tuple(problem for problem in self.problems if problem.title in alone.unheard)
        judged = (self.judged - self.doubtful) | alone.judged | {problem.title for problem in kept}
        return replace(alone, problems=(*alone.problems, *kept), judged=judged)

    def crowding(self, alone: Hearing) -> tuple[Problem, ...]:
        """Return what was refused in company and taken alone: what a receiver gets wrong under load and not else."""
        found_alone = {problem.title for problem in alone.problems}
        return tuple(
            problem._replace(text=f"answered {problem.attempt.status} beside other callbacks, and not alone")
            for problem in self.problems
            if problem.title in alone.judged - found_alone
            and problem.attempt.status is not None
            and problem.attempt.status >= HTTPStatus.BAD_REQUEST
            and problem.attempt.status not in _BUSY
            and problem.case.push.method == "POST"
        )

    def with_problems(self, problems: Sequence[Problem]) -> Hearing:
        """Return the same with problems that others have found."""
        titles = {problem.title for problem in problems}
        return replace(self, problems=(*self.problems, *problems), judged=self.judged | titles)

    def result(self, source: Source) -> ClauseResult:
        """Return the clause's result."""
        clause, left_out = source.clause, [*self.left_out]
        if self.unheard:
            left_out.append(f"{_cases(len(self.unheard))}, after others had no answer")
        if self.absent and not (self.problems or self.blind or self.judged or left_out):
            return ClauseResult(clause, Result.NOT_RUN, reason=_each_once(self.absent))
        if not (self.doubtful or self.judged or self.blind or left_out):
            reason = f"callbacks of profile {source.profile} have nothing that it could change"
            return ClauseResult(clause, Result.NOT_RUN, reason=reason)
        if self.problems:
            return ClauseResult(clause, Result.FAIL, findings=findings(self.problems, len(self.judged), source))
        if self.blind or not self.judged:
            return ClauseResult(clause, Result.ERROR, reason=_each_once([*self.blind, *left_out]))
        return ClauseResult(clause, Result.PASS, reason=_each_once(f"left out: {reason}" for reason in left_out))


def narrowed(play: Play, titles: Collection[str]) -> Play:
    """Return a play with these cases only; cases that are judged together stay together."""
    scenes = []
    for scene in play.scenes:
        cases = tuple(case for case in scene.cases if case.title in titles)
        whole = scene.spellings or play.pace is not Pace.ANY
        if cases:
            scenes.append(scene if whole else replace(scene, cases=cases))
    stories = tuple(story for story in play.stories if story.title in titles)
    return replace(play, scenes=tuple(scenes), stories=stories)


def is_crowd(play: Play) -> bool:
    """Say whether a play is about requests that come at once."""
    return play.pace is Pace.BURST or any(act.manner is Manner.AT_ONCE for one in play.stories for act in one.acts)


def _each_once(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
