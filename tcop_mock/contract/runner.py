"""Plays a contract against a target and yields events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.callbacks.generator import Generator
from tcop_mock.contract.assertions import NOT_EVEN_PLAIN, Context
from tcop_mock.contract.builders_effects import texts
from tcop_mock.contract.case_factory import Workshop
from tcop_mock.contract.clause_outcome import Hearing, is_crowd, narrowed
from tcop_mock.contract.clauses import STORIES, judge_of, player_of
from tcop_mock.contract.observation import Observing, View
from tcop_mock.contract.preflight import find_footing
from tcop_mock.contract.reproduce import Source
from tcop_mock.contract.request_runner import Stagehand
from tcop_mock.domain.contract import Clause, Need, Stage
from tcop_mock.domain.verdict import (
    ClauseFinished,
    ClauseResult,
    ClauseStarted,
    Ran,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    Verdict,
)
from tcop_mock.errors import TargetError
from tcop_mock.transport.delivery import Paced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tcop_mock.callbacks.notification_template import Template
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.effect_runner import Storyteller
    from tcop_mock.contract.findings import Problem
    from tcop_mock.contract.preflight import Footing
    from tcop_mock.contract.reproduce import Flag
    from tcop_mock.domain.contract import Play
    from tcop_mock.domain.delivery import Post, Push
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.target import Credentials, Target

    Player: TypeAlias = Stagehand | Storyteller


_SPARE_REQUESTS = 12

_PLAIN_CODE = "TCM000"

_CONTROL_CODE = "TCM001"

_WITH_EFFECTS = frozenset({Stage.EFFECTS, Stage.PATIENCE})

_REQUESTS_AN_ACT = 10

_ALONE_ANYWAY = frozenset({Stage.EFFECTS, Stage.LAST, Stage.DEPTH, Stage.DRIP, Stage.BURST, Stage.PATIENCE})

"""Stages whose clauses are not heard a second time."""

_STANDING_BEFORE = frozenset({Stage.ABUSE, Stage.DEPTH})

_AFTER_ABUSE = frozenset({Stage.DRIP, Stage.BURST, Stage.AUTH})

_LOOKS = 2

_DEAD = "the receiver no longer answers a plain callback (TCM409, TCM515)"

_OUT_OF_TIME = "not finished within --max-time"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ContractRun:
    """One run of a contract: an iterator of events, and a verdict at any time, also of a run that was cut short."""

    plan: CheckPlan
    post: Post
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime] = _now
    """When it is, for those who read the report."""
    _started: tuple[datetime, float] | None = None
    _results: dict[str, ClauseResult] = field(default_factory=dict)
    _spent_s: dict[str, float] = field(default_factory=dict)
    _crowding: list[Problem] = field(default_factory=list)
    """What was refused beside other requests, and taken alone."""

    def __post_init__(self) -> None:
        if self.plan.gap_s:
            self.post = Paced(self.post, 1, in_s=self.plan.gap_s, clock=self.clock, sleep=self.sleep)

    def verdict(self, missing: str) -> Verdict:
        """Return what has been found so far; clauses that have no result yet are errors for the reason given."""
        plan = self.plan
        started, started_s = self._started or (self.now(), self.clock())
        ran = Ran(
            started, started_s, self.clock() - started_s, plan.profile.delivery.timeout_s, shapes=tuple(plan.catalog)
        )
        return Verdict(
            target=str(plan.target),
            profile=plan.profile.name,
            seed=plan.seed,
            assumptions=plan.profile.assumptions,
            results=tuple(
                self._results.get(clause.code, ClauseResult(clause, Result.ERROR, reason=missing))
                for clause in plan.clauses
            ),
            ran=ran,
        )

    async def events(self) -> AsyncIterator[RunEvent]:
        """Play all clauses and yield what happens.

        Raises:
            TargetError: the target cannot be used, so nothing could be judged.
        """
        self._started = self.now(), self.clock()
        plan, until = self.plan, self.clock() + self.plan.max_time_s
        shop = self._shop(_PLAIN_CODE)
        footing = await self._footing(shop.plain().push)
        yield RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses)
        hand = Stagehand(self.post, self.sleep, footing.deadline_s, Context(slow=footing.slow), footing.in_flight)
        alone = hand.alone() if footing.attempt.accepted else None
        for clause in plan.clauses:
            settled = self._settled_already(clause, footing)
            if settled is not None:
                yield self._finish(settled)
        looked = False
        view = await self._view(footing, until)
        for stage in Stage:
            for result in await self._unplayable(stage, view, shop, footing):
                yield self._finish(result)
            clauses = self._open_clauses(stage)
            if clauses and (stage in _STANDING_BEFORE or (stage is Stage.LAST and not looked)):
                standing = (await self.post(shop.plain().push, deadline_s=footing.deadline_s)).accepted
                hand.context, looked = hand.context._replace(standing=standing), True
            async for event in self._stage(
                clauses,
                view.teller if view and stage in _WITH_EFFECTS else hand,
                None if stage in _ALONE_ANYWAY else alone,
                until,
            ):
                yield event
        yield RunFinished(self.verdict(_OUT_OF_TIME))

    def _open_clauses(self, *stages: Stage) -> list[Clause]:
        """Return the clauses of some stages that have no result yet."""
        return [clause for clause in self.plan.clauses if clause.stage in stages and clause.code not in self._results]

    async def _unplayable(
        self, stage: Stage, view: View | None, shop: Workshop, footing: Footing
    ) -> list[ClauseResult]:
        """Return the results of clauses that cannot be played now: nothing is to be seen, or the receiver is dead."""
        clauses = self._open_clauses(stage)
        if view and stage in _WITH_EFFECTS:
            return list(filter(None, map(view.settled, clauses)))
        if clauses and stage in _AFTER_ABUSE and not await self._alive(shop, footing):
            return [ClauseResult(clause, Result.ERROR, reason=_DEAD) for clause in clauses]
        return []

    async def _view(self, footing: Footing, until: float) -> View | None:
        """Look what is to be seen of the receiver's effects, where a clause needs it and somebody can see."""
        observing = self.plan.observing
        observer = observing.observer or observing.downstream
        if observer is None or not self._open_clauses(*_WITH_EFFECTS):
            return None
        view = View(observing, observer, self.post, self.clock, self.sleep, footing, until)
        view.teller.said = "\n".join(text for clause in self.plan.clauses for text in texts(self._written(clause)))
        await view.open(self._shop(_CONTROL_CODE))
        return view

    async def _alive(self, shop: Workshop, footing: Footing) -> bool:
        """Look whether a receiver that has answered before still does, with time to work off what it has been sent."""
        for _ in range(_LOOKS):
            attempt = await self.post(shop.plain().push, deadline_s=footing.deadline_s)
            if attempt.status is not None or footing.slow:
                return True
        return False

    async def _footing(self, plain: Push) -> Footing:
        plan = self.plan
        try:
            async with asyncio.timeout(plan.max_time_s):
                return await find_footing(
                    plain,
                    plan.target,
                    post=self.post,
                    deadline_s=plan.profile.delivery.timeout_s,
                    wait_s=plan.wait_s,
                    clock=self.clock,
                    sleep=self.sleep,
                )
        except TimeoutError:
            raise TargetError(
                f"{plan.target} did not answer a plain callback inside --max-time {plan.max_time_s:g}s; give it more"
            ) from None

    async def _stage(
        self, clauses: list[Clause], hand: Player, alone: Player | None, until: float
    ) -> AsyncIterator[RunEvent]:
        """Play clauses side by side; what went wrong in company is heard again alone, where there is who can."""
        told: asyncio.Queue[RunEvent] = asyncio.Queue()
        plays = {clause.code: self._written(clause) for clause in clauses}
        requests = _SPARE_REQUESTS + sum(map(_requests, plays.values()))
        doubtful: list[tuple[Clause, Hearing, Player]] = []

        async def one(clause: Clause) -> None:
            told.put_nowait(ClauseStarted(clause))
            hearing = await self._play(clause, plays[clause.code], hand, requests)
            if hearing.doubtful and alone:
                doubtful.append((clause, hearing, alone))
            else:
                told.put_nowait(self._finish(self._result(clause, hearing)))

        async def all_of_them() -> None:
            await asyncio.gather(*map(one, clauses))
            for clause, in_company, other in doubtful:
                # what went wrong in company proves nothing about the clause: the receiver may serve one by one, lose a
                # race, limit the rate, or have died of another's body
                again = narrowed(self._written(clause, take=1), in_company.doubtful)
                hearing = await self._play(clause, again, other, requests)
                self._crowding += in_company.crowding(hearing)
                told.put_nowait(self._finish(self._result(clause, in_company.settled_by(hearing))))

        work = asyncio.create_task(all_of_them())
        try:
            async for event in _until_done(work, told, until - self.clock()):
                yield event
        finally:
            work.cancel()
            await asyncio.wait({work})
        for clause in clauses:
            if clause.code not in self._results:
                yield self._finish(ClauseResult(clause, Result.ERROR, reason=_OUT_OF_TIME))

    async def _play(self, clause: Clause, play: Play, hand: Player, requests: int) -> Hearing:
        """Play one clause inside a limit of its own: as if all requests beside it had to be waited for in full."""
        limit_s = hand.deadline_s * play.deadline_factor * requests
        started_s = self.clock()
        try:
            async with asyncio.timeout(limit_s):
                return await hand.play(clause, play)
        except TimeoutError:
            return Hearing(blind=(f"not finished within its own limit of {limit_s:g} s",))
        finally:
            self._spent_s[clause.code] = self._spent_s.get(clause.code, 0.0) + self.clock() - started_s

    def _result(self, clause: Clause, hearing: Hearing) -> ClauseResult:
        plan = self.plan
        if clause.stage is Stage.BURST:
            hearing = hearing.with_problems(self._crowding)
        play = self._written(clause) if hearing.problems else None
        folders, files = plan.catalog_folders, plan.clause_files
        written_by = plan.template.where if plan.template else ""
        seed, profile = plan.seed, plan.profile.name
        source = Source(clause, plan.target, seed, profile, folders, play, files, written_by, plan.flags)
        return replace(hearing.result(source), duration_s=self._spent_s[clause.code])

    def _written(self, clause: Clause, take: int = 0) -> Play:
        return player_of(clause)(self._shop(clause.code, take), **clause.play.params)

    def _shop(self, code: str, take: int = 0) -> Workshop:
        plan = self.plan
        return Workshop(
            plan.catalog,
            Generator(plan.seed, wire=plan.profile.wire),
            code,
            credentials=plan.target.credentials,
            headers=plan.profile.delivery.headers,
            thorough=plan.target.parser is not None,
            template=plan.template,
            take=take,
        )

    def _settled_already(self, clause: Clause, footing: Footing) -> ClauseResult | None:
        """Return the result of a clause that need not be played."""
        missing = self.plan.missing(clause)
        if not missing and self.plan.gap_s and is_crowd(self._written(clause)):
            missing = "needs many requests at once, and --pace sends one after the other"
        if missing:
            return ClauseResult(clause, Result.NOT_RUN, reason=missing)
        about_time = clause.play.name != STORIES and any(judge_of(call).about_time for call in clause.expect)
        if footing.mute and not about_time:
            return ClauseResult(clause, Result.ERROR, reason=NOT_EVEN_PLAIN)
        return None

    def _finish(self, result: ClauseResult) -> ClauseFinished:
        self._results[result.clause.code] = result
        return ClauseFinished(result)


def _requests(play: Play) -> int:
    """Return of how many requests a play takes the time, at the most."""
    scenes = sum(len(scene.cases) + 2 for scene in play.scenes)
    return scenes + sum(len(act.cases) + _REQUESTS_AN_ACT for story in play.stories for act in story.acts)


async def _until_done(
    work: asyncio.Task[None], told: asyncio.Queue[RunEvent], limit_s: float
) -> AsyncIterator[RunEvent]:
    """Yield what is told until the work is done or its time is up; what the work raises is raised."""
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s
    while not (work.done() and told.empty()):
        heard = asyncio.create_task(told.get())
        done, _ = await asyncio.wait({heard, work}, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        if heard in done:
            yield heard.result()
        else:
            heard.cancel()
        if not done:
            return
    work.result()


_ABOUT_OUR_OWN = frozenset({"bodies", "spellings", "stories", "truncated", "variants"})

"""Players that change what TCOP's own callbacks hold."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is to be judged, and by what."""

    target: Target
    catalog: Catalog
    clauses: tuple[Clause, ...]
    profile: Profile
    seed: int
    judge_auth: bool = True
    """Whether the target's userinfo says which credentials the receiver wants."""
    wait_s: float = 0.0
    max_time_s: float = 300.0
    observing: Observing = field(default_factory=Observing)
    catalog_folders: tuple[str, ...] = ()
    """The user's own, to be named again by whoever wants to see a finding again."""
    clause_files: tuple[str, ...] = ()
    """Globs of the user's own clauses, for the same reason."""
    template: Template | None = None
    """Of the user's own notices, in place of TCOP's own callbacks."""
    flags: tuple[Flag, ...] = ()
    """Further ones of the command line, to be named again likewise."""
    gap_s: float | None = None
    """Time between the starts of two requests at the least, for receivers that limit the rate."""

    def missing(self, clause: Clause) -> str:
        """Say why a clause is not played, whatever the receiver is like; empty: it is."""
        if clause.profiles and self.profile.name not in clause.profiles:
            return f"holds in profile {', '.join(clause.profiles)} only"
        if self.target.parser and self.target.parser not in clause.parsers:
            return f"needs a receiver: a {self.target.parser} is asked about bodies that have been parsed, nothing else"
        if Need.AUTH in clause.needs and not (self.target.credentials and self.judge_auth):
            return "needs auth: put the receiver's USER:PASSWORD@ into the target"
        if Need.ODD_CREDENTIALS in clause.needs and not _are_odd(self.target.credentials):
            return "needs a user or password with @ : / % or signs beyond ASCII, which are the ones that get lost"
        if Need.HTTP in clause.needs and self.target.app:
            return "needs http: an app in this process has no connections"
        return self._written_otherwise(clause) or self.observing.unmet(clause)

    def _written_otherwise(self, clause: Clause) -> str:
        if Need.TEMPLATE in clause.needs and self.template is None:
            return "needs template: give --template FILE, the text that is in the console"
        if self.template and clause.play.name in _ABOUT_OUR_OWN:
            return "is about TCOP's own callbacks, and --template writes others"
        return ""


def _are_odd(credentials: Credentials | None) -> bool:
    """Say whether credentials need to be percent-encoded in a URL, or told in an encoding."""
    text = "".join(part.reveal() for part in (credentials.user, credentials.password)) if credentials else ""
    return not text.isascii() or not set(text).isdisjoint("@:/%")
