"""Tells the stories of one clause, looks at what becomes of them, and has them judged."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import answered
from tcop_mock.contract.clause_outcome import Hearing
from tcop_mock.contract.effect_assertions import STORY_JUDGES, Unclear, holds
from tcop_mock.contract.findings import Problem
from tcop_mock.domain.contract import Act, ActTold, Manner, Need, StoryTold
from tcop_mock.errors import ObserverError
from tcop_mock.server.downstream import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.domain.contract import Case, Clause, Play, Story
    from tcop_mock.domain.delivery import Attempt, Post, Push
    from tcop_mock.domain.effects import Observer, Sight
    from tcop_mock.server.downstream import Downstream


_ABOUT_ENDS = frozenset({Need.DOWNSTREAM, Need.PAGERDUTY, Need.WECOM})

_MOST_STORIES = 64

"""So many are told side by side; most of the time they wait for effects to settle."""

_HANG_UP_S = 0.05

_BETWEEN_TRIES_S = 0.25

_MOST_TRIES = 240


@dataclass(slots=True)
class Storyteller:
    """Tells stories to one receiver.

    Args:
        post: the port.
        watch: sees the effects.
        ends: sees what comes to the ends that the receiver forwards to; clauses about messages look there.
        sleep: pauses.
        deadline_s: of one attempt.
        in_flight: how many pushes may be under way at once.
        patience_until_s: on the clock, how long what is told late is waited for.
        downstream: the ends that the receiver forwards to.
        restart: restarts the receiver.
        said: all that the run sends, as text: what names something else, too, tells nothing.
        once: how many effects one push of a plain alarm has. More than one is TCM501's business, and no other clause's.
    """

    post: Post
    watch: Watch
    ends: Watch
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    in_flight: int
    patience_until_s: float
    downstream: Downstream | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    said: str = field(default="", repr=False)
    once: int = 1
    _gate: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.in_flight)

    async def play(self, clause: Clause, play: Play) -> Hearing:
        """Tell all stories of a clause and judge them."""
        watch = self.ends if clause.needs & _ABOUT_ENDS else self.watch
        gate = asyncio.Semaphore(_MOST_STORIES)

        async def one(story: Story) -> tuple[Story, StoryTold | str]:
            async with gate:
                try:
                    return story, await self.tell(story, watch)
                except ObserverError as problem:
                    return story, str(problem)

        return _heard(clause, await asyncio.gather(*map(one, play.stories)))

    async def tell(self, story: Story, watch: Watch) -> StoryTold | str:
        """Tell one story up to its end, or to the act that went wrong; return why it could not be told.

        Args:
            story: what is played.
            watch: sees what becomes of it.

        Raises:
            ObserverError: its effects cannot be seen.
        """
        told_apart = frozenset(name for name in story.names if self.said.count(name) == story.facts.sent.count(name))
        only = story.tokens
        story = replace(story, tokens=only | told_apart)
        before = await watch.now(story)
        if before.effects:
            story = replace(story, tokens=only)
            before = await watch.now(story)
        if before.effects:
            return "the receiver knows the alarms of this seed already; leave --seed out, or give it another one"
        told: list[ActTold] = []
        for act in map(self._counted, story.acts):
            troubled = self.downstream if act.trouble else None
            attempts = await (self._sent_in_trouble(story, act, troubled) if troubled else self._sent(act))
            refused = next((one for one in attempts if not one.accepted), None)
            if refused and not act.any_answer and act.manner not in {Manner.LOST, Manner.RESTARTED}:
                return f"{act.title}: {answered(refused)} (TCM101)"
            after = await self._seen(watch, story, act, before, attempts)
            told.append(ActTold(act, tuple(attempts), before, after))
            if not _as_wanted(act, before, after):
                break
            before = after
        return StoryTold(story, tuple(told))

    def _counted(self, act: Act) -> Act:
        return replace(act, effects=f"={self.once}") if act.effects == "once" else act

    async def _seen(self, watch: Watch, story: Story, act: Act, before: Sight, attempts: Sequence[Attempt]) -> Sight:
        until_s = None
        if act.trouble:
            if not any(attempt.accepted for attempt in attempts):
                return await watch.now(story)
            until_s = self.patience_until_s
        return await watch.settled(story, lambda after: _as_wanted(act, before, after), until_s=until_s)

    async def _sent_in_trouble(self, story: Story, act: Act, ends: Downstream) -> list[Attempt]:
        """Send while the ends fail, which they do until the receiver has met with it, be it after its answer."""
        with ends.trouble(story.tokens, TROUBLES[act.trouble]) as trouble:
            attempts = await self._sent(act)
            if any(attempt.accepted for attempt in attempts):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.watch.settle_s):
                        await trouble.met.wait()
        return attempts

    async def _sent(self, act: Act) -> list[Attempt]:
        if act.manner is Manner.AT_ONCE:
            together = (self.post(case.push, deadline_s=self.deadline_s) for case in act.cases)
            return list(await asyncio.gather(*together))
        if act.manner is Manner.LOST:
            return [await self._post(replace(case.push, hang_up_s=_HANG_UP_S)) for case in act.cases]
        if act.manner is Manner.RESTARTED and self.restart is not None:
            return await self._sent_while(asyncio.ensure_future(self.restart()), act.cases[0])
        return [await self._post(case.push) for case in act.cases]

    async def _sent_while(self, restarting: asyncio.Future[None], case: Case) -> list[Attempt]:
        """Push while the receiver is restarted until it takes the push, as TCOP's retries may."""
        attempts: list[Attempt] = []
        try:
            while not (restarting.done() and attempts and _is_taken(attempts[-1])) and len(attempts) < _MOST_TRIES:
                attempts.append(await self._post(case.push))
                await self.sleep(_BETWEEN_TRIES_S)
            await restarting
        finally:
            restarting.cancel()
        return attempts

    async def _post(self, push: Push) -> Attempt:
        async with self._gate:
            return await self.post(push, deadline_s=self.deadline_s)


def _is_taken(attempt: Attempt) -> bool:
    return attempt.accepted or attempt.status == HTTPStatus.CONFLICT  # it is known already


def _as_wanted(act: Act, before: Sight, after: Sight) -> bool:
    opened = after.open is None or holds(act.open, before.open_count, after.open_count)
    return opened and holds(act.effects, before.count, after.count)


def _heard(clause: Clause, ends: Sequence[tuple[Story, StoryTold | str]]) -> Hearing:
    problems: list[Problem] = []
    blind: dict[str, str] = {}
    left_out: dict[str, str] = {}
    absent: dict[str, str] = {}
    judged: set[str] = set()
    for story, end in ends:
        if isinstance(end, str):
            (left_out if end.endswith(")") else blind)[story.title] = end
            continue
        verdicts = [STORY_JUDGES[call.name](end, **call.params) for call in clause.expect]
        unclear = [verdict for verdict in verdicts if isinstance(verdict, Unclear)]
        texts = [verdict for verdict in verdicts if isinstance(verdict, str)]
        if texts:
            judged.add(story.title)
            last = next(act for act in reversed(end.acts) if act.attempts)
            problems += [Problem(last.act.cases[-1], last.attempts[-1], text, end) for text in texts]
        elif unclear:
            (absent if unclear[0].absent else left_out)[story.title] = unclear[0].reason
        else:
            judged.add(story.title)
    return Hearing(
        problems=tuple(problems),
        blind=tuple(blind.values()),
        left_out=tuple(left_out.values()),
        absent=tuple(absent.values()),
        judged=frozenset(judged),
        doubtful=frozenset(blind.keys() | {problem.title for problem in problems}),
    )


_BETWEEN_LOOKS_S = 0.1

_MOST_SETTLES = 10

"""So many times as long as an effect may take it is waited for while more and more come."""

_LEAST_QUIET_S = 0.4

_QUIET_LATENCIES = 3.0

"""So many times as long as a first effect took, nothing more must come."""


@dataclass(slots=True)
class Watch:
    """Polls an observer, bounded.

    Args:
        observer: that is asked.
        clock: seconds.
        sleep: pauses.
        settle_s: how long an effect may take to appear.
    """

    observer: Observer
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    settle_s: float
    latency_s: float = 0.0
    """How long a first effect took to appear."""
    _known: dict[frozenset[str], dict[str, bool]] = field(default_factory=dict, init=False)
    """Of the tokens of each story: which texts mention one."""
    _shown: dict[str, int] = field(default_factory=dict, init=False)
    """By what was asked for: how much was to be seen at the last look, of whatever story."""
    _moved_s: float = field(default=0.0, init=False)
    """When that last changed: until then the receiver was working off what it had been sent."""

    async def now(self, story: Story) -> Sight:
        """Return what is to be seen of a story now.

        Raises:
            ObserverError: nothing can be seen.
        """
        sight = await self.observer.look(story.token)
        if not getattr(self.observer, "shows_all", False):
            for token in story.others:
                if not any(token in effect.text for effect in sight.effects):
                    sight = sight.joined(await self.observer.look(token))
        shown = len(sight.effects) + len(sight.open or ())
        if self._shown.get(story.token, shown) != shown:
            self._moved_s = self.clock()
        self._shown[story.token] = shown
        return sight.of(story.tokens, self._known.setdefault(story.tokens, {}))

    async def settled(self, story: Story, wanted: Callable[[Sight], bool], *, until_s: float | None = None) -> Sight:
        """Return what is to be seen when it is as wanted, or has had its time, and nothing has changed for a while.

        What is missing is waited for while the receiver is still busy with other stories: it may have a queue, and the
        run has filled it.

        Args:
            story: whose alarms are looked for.
            wanted: whether a sight is what the clause wants; it is waited for.
            until_s: on the clock, in place of the time that an effect may take.

        Raises:
            ObserverError: nothing can be seen.
        """
        quiet_s = max(_LEAST_QUIET_S, min(_QUIET_LATENCIES * self.latency_s, self.settle_s))
        started_s = changed_s = self.clock()
        rest_s = 0.0 if until_s else self.settle_s
        until_s = until_s or started_s + self.settle_s
        seen = await self.now(story)
        while True:
            now_s = self.clock()
            is_quiet = now_s - changed_s >= quiet_s
            is_due = now_s >= until_s and now_s - self._moved_s >= rest_s
            if (is_quiet and (is_due or wanted(seen))) or now_s >= until_s + _MOST_SETTLES * self.settle_s:
                return seen
            await self.sleep(_BETWEEN_LOOKS_S)
            then = await self.now(story)
            if (then.count, then.open_count) != (seen.count, seen.open_count):
                changed_s = self.clock()
                if not seen.effects:
                    self.latency_s = max(self.latency_s, min(changed_s - started_s, self.settle_s))
            seen = then
