"""Sends the cases of one clause and has them judged."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import RATE_LIMITED, Context, answered, is_one_of, unjudgeable
from tcop_mock.contract.clause_outcome import Hearing
from tcop_mock.contract.clauses import judge_of
from tcop_mock.contract.findings import problems_of
from tcop_mock.domain.contract import Offer, Pace
from tcop_mock.domain.delivery import NOT_NOW, UNAUTHORIZED, Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tcop_mock.contract.findings import Problem
    from tcop_mock.domain.contract import Case, Clause, Play, Scene
    from tcop_mock.domain.delivery import Post

_PATIENCE_S = 0.25
"""How long a body may take after its head where only the head is judged."""
_A_LONG_TIME_S = 3600.0
_HEAD_START_S = 0.2
"""So long what is sent meanwhile is alone."""
_UNJUDGED_S = 1.0
"""How long an answer that nobody judges is waited for."""
_SILENCES = 12
"""So many cases of a clause may have no answer; the others would have to be waited for in full, too."""
_SILENCES_ALONE = 2
_PAUSES = 10
"""So often in a run a receiver that says "not now" is given time."""
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0
_UNANSWERED = frozenset({Outcome.TIMED_OUT, Outcome.RESET_BEFORE_ANSWER})


class Played(NamedTuple):
    """One case and what became of it."""

    case: Case
    attempt: Attempt


@dataclass(slots=True)
class Stagehand:
    """Plays clauses against one receiver, with so many requests in flight.

    Args:
        post: the port.
        sleep: pauses.
        deadline_s: of one attempt.
        context: what judges may know.
        in_flight: how many requests may be under way at once.
        silences: after so many cases without an answer the rest of a clause is left out.
        pauses: how often a receiver that answers 429 or 503 is given time and asked again.
    """

    post: Post
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    context: Context
    in_flight: int
    silences: int = _SILENCES
    pauses: int = 0
    _gate: asyncio.Semaphore = field(init=False, repr=False)
    _silent: Counter[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.in_flight)
        self._silent = Counter()

    def alone(self) -> Stagehand:
        """Return one that has a single request in flight, and patience with a receiver that wants fewer."""
        return replace(self, in_flight=1, silences=_SILENCES_ALONE, pauses=_PAUSES)

    async def play(self, clause: Clause, play: Play) -> Hearing:
        """Send all scenes of a clause and judge them."""
        whole = any(judge_of(call).whole_answer for call in clause.expect)
        self._silent[clause.code] = 0
        played: list[Played] = []
        left_out: dict[str, str] = {}
        for scene in play.scenes:
            if self._silent[clause.code] >= self.silences:
                break
            reason = await self._control_refused(clause, scene, play, whole=whole) or await self._gate_open(scene)
            sent = [] if reason else await self._send_meanwhile(clause, scene, play, whole=whole)
            if scene.spellings and sent and not any(attempt.accepted for _, attempt in sent):
                reason = f"{scene.cases[0].title}: {_answered(sent[0].attempt)} (TCM101)"
            reason = reason or await self._asks(scene, sent)
            if reason:
                left_out |= {case.title: reason for case in scene.cases}
            else:
                played += sent
        return self._judged(clause, play, played, left_out)

    def _judged(self, clause: Clause, play: Play, played: Sequence[Played], left_out: Mapping[str, str]) -> Hearing:
        judges = [(judge_of(call), call.params) for call in clause.expect]
        context = self.context._replace(sentinels=play.sentinels, deadline_s=self.deadline_s)
        problems: list[Problem] = []
        blind: dict[str, str] = {}
        for case, attempt in (one for one in played if one.case.judged):
            context = context._replace(sent=case.push.body)
            for judge, params in () if is_one_of(attempt.status, case.besides) else judges:
                unknown = unjudgeable(judge, attempt, context)
                text = None if unknown else judge.check(attempt, context, **params)
                if text and attempt.status == HTTPStatus.TOO_MANY_REQUESTS and play.pace is not Pace.BURST:
                    unknown = RATE_LIMITED
                if unknown:
                    blind[case.title] = unknown
                elif text:
                    problems += problems_of(case, attempt, text)
        heard = frozenset(case.title for case, _ in played if case.judged)
        all_of_them = frozenset(case.title for scene in play.scenes for case in scene.cases if case.judged)
        return Hearing(
            problems=tuple(problems),
            blind=tuple(blind.values()),
            left_out=tuple(left_out.values()),
            judged=heard - blind.keys(),
            unheard=all_of_them - heard - left_out.keys(),
            doubtful=all_of_them - heard | blind.keys() | {problem.title for problem in problems},
        )

    async def _control_refused(self, clause: Clause, scene: Scene, play: Play, *, whole: bool) -> str | None:
        """Send a scene's control; say why its cases would tell nothing, where it is not taken."""
        if scene.control is None:
            return None
        attempt = await self._send(scene.control, self.deadline_s, whole=whole)
        self._silent[clause.code] += attempt.outcome in _UNANSWERED and attempt.status is None
        if attempt.outcome is Outcome.ACKED if whole else attempt.accepted:
            return None
        if play.pace is Pace.BURST and attempt.status == HTTPStatus.TOO_MANY_REQUESTS:
            return None  # that one is too many is what a burst is played for
        if attempt.outcome is Outcome.TIMED_OUT:
            return f"{scene.control.title} is not answered inside the deadline (TCM102)"
        return f"{scene.control.title}: {_answered(attempt)} (TCM101)"

    async def _gate_open(self, scene: Scene) -> str | None:
        """Send a scene's gate; say why its cases would tell nothing, where it is let in."""
        if scene.gate is None or not (await self._send(scene.gate, self.deadline_s, whole=False)).accepted:
            return None
        return f"{scene.gate.title} is let in (TCM201, TCM202)"

    async def _asks(self, scene: Scene, sent: Sequence[Played]) -> str | None:
        """Say why a scene's cases would tell nothing, where they are refused and not for their credentials."""
        refused = next((attempt for _, attempt in sent if not attempt.accepted), None)
        if scene.asker is None or refused is None or refused.status in UNAUTHORIZED:
            return None
        asked = await self._send(scene.asker, self.deadline_s, whole=False)
        return f"{scene.cases[0].title}: {_answered(refused)} (TCM101)" if asked.status in UNAUTHORIZED else None

    async def _send_meanwhile(self, clause: Clause, scene: Scene, play: Play, *, whole: bool) -> list[Played]:
        if scene.meanwhile is None:
            return await self._send_all(clause, scene, play, whole=whole)
        beside = asyncio.ensure_future(self.post(scene.meanwhile.push, deadline_s=_A_LONG_TIME_S))
        try:
            await self.sleep(_HEAD_START_S)
            return await self._send_all(clause, scene, play, whole=whole)
        finally:
            beside.cancel()
            await asyncio.wait({beside})

    async def _send_all(self, clause: Clause, scene: Scene, play: Play, *, whole: bool) -> list[Played]:
        deadline_s = self.deadline_s * play.deadline_factor
        if play.pace is Pace.IN_TURN:
            return [Played(case, await self._send(case, deadline_s, whole=whole)) for case in scene.cases]
        if play.pace is Pace.BURST:
            step_s = play.over_s / len(scene.cases)
            burst = [self._send_after(at * step_s, case, deadline_s) for at, case in enumerate(scene.cases)]
            return [Played(*pair) for pair in zip(scene.cases, await asyncio.gather(*burst), strict=True)]

        async def send(case: Case) -> Played | None:
            async with self._gate:
                if self._silent[clause.code] >= self.silences:
                    return None
                attempt = await self._post(case, deadline_s, whole=whole)
                self._silent[clause.code] += attempt.outcome in _UNANSWERED and attempt.status is None
                return Played(case, attempt)

        return [one for one in await asyncio.gather(*map(send, scene.cases)) if one]

    async def _send(self, case: Case, deadline_s: float, *, whole: bool) -> Attempt:
        async with self._gate:
            return await self._post(case, deadline_s, whole=whole)

    async def _post(self, case: Case, deadline_s: float, *, whole: bool) -> Attempt:
        if not case.judged:
            deadline_s = min(deadline_s, _UNJUDGED_S)
        push = case.push if whole else replace(case.push, patience_s=_PATIENCE_S)
        attempt = await self.post(push, deadline_s=deadline_s)
        if attempt.status in NOT_NOW and self.pauses and case.offer is Offer.RIGHT:
            self.pauses -= 1
            await self.sleep(_pause_s(attempt))
            attempt = await self.post(push, deadline_s=deadline_s)
        return attempt

    async def _send_after(self, pause_s: float, case: Case, deadline_s: float) -> Attempt:
        await self.sleep(pause_s)
        return await self.post(case.push, deadline_s=deadline_s)


def _pause_s(attempt: Attempt) -> float:
    """Return how long the receiver wants to be left alone, as far as that is bearable."""
    wanted = next((value for name, value in attempt.headers if name.lower() == "retry-after"), "")
    return min(float(wanted), _LONGEST_PAUSE_S) if wanted.isdecimal() else _PAUSE_S


def _answered(attempt: Attempt) -> str:
    if attempt.refusals:
        return attempt.refusals[0].text
    return answered(attempt)
