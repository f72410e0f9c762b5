"""Sends the cases of one clause and has them judged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.findings import Problem, findings
from tcop_mock.contract.judges import JUDGES, Context, no_answer, unjudgeable
from tcop_mock.model.case import Pace
from tcop_mock.model.delivery import Attempt, Outcome
from tcop_mock.model.verdict import ClauseResult, Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tcop_mock.contract.reproduce import Source
    from tcop_mock.model.case import Case, Play, Scene
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.delivery import Post

_PATIENCE_S = 0.25
"""How long a body may take after its head where only the head is judged."""


_UNJUDGED_S = 1.0
"""How long an answer that nobody judges is waited for."""


_UNANSWERED = frozenset({Outcome.TIMED_OUT, Outcome.RESET_BEFORE_ANSWER})


class Played(NamedTuple):
    """One case and what became of it."""

    case: Case
    attempt: Attempt


class Ruling(NamedTuple):
    """What became of a clause, and whether it was for want of an answer."""

    result: ClauseResult
    unanswered: bool


@dataclass(slots=True)
class Stagehand:
    """Plays clauses against one receiver, with so many requests in flight."""

    post: Post
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    context: Context
    in_flight: int
    _gate: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.in_flight)

    def alone(self) -> Stagehand:
        """Return one that has a single request in flight."""
        return replace(self, in_flight=1)

    async def play(self, clause: Clause, play: Play, source: Source) -> Ruling:
        """Send all scenes of a clause and judge them."""
        judges = [(JUDGES[call.name], call.params) for call in clause.expect]
        context = self.context._replace(sentinels=play.sentinels)
        whole = any(judge.whole_answer for judge, _ in judges)
        played: list[Played] = []
        left_out: list[str] = []
        for scene in play.scenes:
            reason = await self._control_refused(scene, whole=whole) or await self._gate_open(scene)
            if reason:
                left_out.append(reason)
                continue
            sent = await self._send_all(scene, play, whole=whole)
            if scene.spellings and not any(attempt.accepted for _, attempt in sent):
                left_out.append(f"{scene.cases[0].title}: {_answered(sent[0].attempt)} (TCM101)")
            else:
                played += sent
        problems: list[Problem] = []
        blind: list[str] = []
        judged = [one for one in played if one.case.judged]
        for case, attempt in judged:
            for judge, params in judges:
                unknown = unjudgeable(judge, attempt, context)
                text = None if unknown else judge.check(attempt, context, **params)
                if unknown:
                    blind.append(unknown)
                elif text:
                    problems.append(Problem(case, attempt, text))
        result = _result(source, problems, blind, left_out, len(judged))
        return Ruling(result, any(problem.attempt.outcome in _UNANSWERED for problem in problems))

    async def _control_refused(self, scene: Scene, *, whole: bool) -> str | None:
        """Send a scene's control; say why its cases would tell nothing, where it is not taken."""
        if scene.control is None:
            return None
        attempt = await self._send(scene.control, self.deadline_s, whole=whole)
        if attempt.outcome is Outcome.ACKED if whole else attempt.accepted:
            return None
        if attempt.outcome is Outcome.TIMED_OUT:
            return f"{scene.control.title} is not answered inside the deadline (TCM102)"
        return f"{scene.control.title}: {_answered(attempt)} (TCM101)"

    async def _gate_open(self, scene: Scene) -> str | None:
        """Send a scene's gate; say why its cases would tell nothing, where it is let in."""
        if scene.gate is None or not (await self._send(scene.gate, self.deadline_s, whole=False)).accepted:
            return None
        return f"{scene.gate.title} is let in (TCM201, TCM202)"

    async def _send_all(self, scene: Scene, play: Play, *, whole: bool) -> list[Played]:
        deadline_s = self.deadline_s * play.deadline_factor
        if play.pace is Pace.IN_TURN:
            return [Played(case, await self._send(case, deadline_s, whole=whole)) for case in scene.cases]
        if play.pace is Pace.BURST:
            step_s = play.over_s / len(scene.cases)
            sent = [self._send_after(at * step_s, case, deadline_s) for at, case in enumerate(scene.cases)]
        else:
            sent = [self._send(case, deadline_s, whole=whole) for case in scene.cases]
        return [Played(*pair) for pair in zip(scene.cases, await asyncio.gather(*sent), strict=True)]

    async def _send(self, case: Case, deadline_s: float, *, whole: bool) -> Attempt:
        if not case.judged:
            deadline_s = min(deadline_s, _UNJUDGED_S)
        push = case.push if whole else replace(case.push, patience_s=_PATIENCE_S)
        async with self._gate:
            return await self.post(push, deadline_s=deadline_s)

    async def _send_after(self, pause_s: float, case: Case, deadline_s: float) -> Attempt:
        await self.sleep(pause_s)
        return await self.post(case.push, deadline_s=deadline_s)


def _result(
    source: Source, problems: list[Problem], blind: list[str], left_out: list[str], judged: int
) -> ClauseResult:
    clause = source.clause
    if problems:
        return ClauseResult(clause, Result.FAIL, findings=findings(problems, judged, source))
    if blind or not judged:
        return ClauseResult(clause, Result.ERROR, reason=_each_once([*blind, *left_out]))
    return ClauseResult(clause, Result.PASS, reason=_each_once(f"left out: {reason}" for reason in left_out))


def _answered(attempt: Attempt) -> str:
    return no_answer(attempt) if attempt.status is None else f"answered {attempt.status}"


def _each_once(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
