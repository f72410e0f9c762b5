"""Whether and how the effects of a receiver can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.contract.builders_effects import control
from tcop_mock.contract.effect_runner import Storyteller, Watch
from tcop_mock.domain.contract import EFFECT_NEEDS, Need
from tcop_mock.domain.verdict import ClauseResult, Result
from tcop_mock.errors import ObserverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.contract.case_factory import Workshop
    from tcop_mock.contract.preflight import Footing
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.delivery import Post
    from tcop_mock.domain.effects import Observer
    from tcop_mock.server.downstream import Downstream

SETTLE_S = 5.0
_NO_OBSERVER = "needs observer: give --observe-url, --observe-cmd or --downstream"
_NO_DOWNSTREAM = "needs downstream: give --downstream HOST:PORT and have the receiver forward there"
_NO_OPEN = "needs to see what is open: give --observe-open, or have the receiver forward to /pagerduty of --downstream"
_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Observing:
    """By what effects are seen, and what can be done to the receiver and its ends.

    Args:
        observer: sees what the receiver did; the ends, where it is not given.
        downstream: the ends that the receiver forwards to.
        restart: restarts the receiver.
        settle_s: how long an effect may take to appear.
    """

    observer: Observer | None = None
    downstream: Downstream | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    settle_s: float = SETTLE_S

    def unmet(self, clause: Clause) -> str:
        """Say what a clause needs that is not there; empty: nothing."""
        needs = clause.needs & EFFECT_NEEDS
        if needs and self.observer is None and self.downstream is None:
            return _NO_OBSERVER
        if needs & {Need.DOWNSTREAM, Need.PAGERDUTY, Need.WECOM} and self.downstream is None:
            return _NO_DOWNSTREAM
        if Need.RESTART in needs and self.restart is None:
            return "needs restart: give --restart-cmd, a command that restarts the receiver"
        return ""


@dataclass(slots=True)
class View:
    """What is to be seen of one receiver.

    Args:
        observing: what there is.
        observer: by whom it is seen.
        post: the port to the receiver.
        clock: seconds.
        sleep: pauses.
        footing: what a first callback found.
        until_s: on the clock: the end of the run.
    """

    observing: Observing
    observer: Observer
    post: Post
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    footing: Footing
    until_s: float
    teller: Storyteller = field(init=False)
    _blind: str = field(default="", init=False)
    _refused: bool = field(default=False, init=False)
    _opens: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        ends = self.observing.downstream or self.observer
        self.teller = Storyteller(
            post=self.post,
            watch=self._watch(self.observer),
            ends=self._watch(ends),
            sleep=self.sleep,
            deadline_s=self.footing.deadline_s,
            in_flight=min(_IN_FLIGHT, self.footing.in_flight),
            patience_until_s=self.until_s - self.observing.settle_s,
            downstream=self.observing.downstream,
            restart=self.observing.restart,
        )

    def _watch(self, observer: Observer) -> Watch:
        return Watch(observer, self.clock, self.sleep, self.observing.settle_s)

    async def open(self, shop: Workshop) -> None:
        """Look whether anything is to be seen of a plain alarm."""
        story = control(shop)
        try:
            told = await self.teller.tell(story, self.teller.watch)
        except ObserverError as problem:
            self._blind = str(problem)
            return
        if isinstance(told, str):
            self._blind = f"no effect can be judged: {told}"
            return
        [act] = told.acts
        self._refused = bool(act.after.refused)
        self._opens = None if act.after.open is None else act.after.open_count
        self.teller.once = act.after.count
        if not act.after.count:
            self._blind = self._why_nothing()

    def settled(self, clause: Clause) -> ClauseResult | None:
        """Return the result of a clause that cannot be played on what is to be seen."""
        refusals = any(call.name == "nothing_refused" for call in clause.expect)
        unknown = self._hidden(clause) if refusals and self._refused else self._blind or self._hidden(clause)
        if unknown:
            return ClauseResult(clause, Result.ERROR, reason=unknown)
        unmet = self._unmet(clause)
        return ClauseResult(clause, Result.NOT_RUN, reason=unmet) if unmet else None

    def _hidden(self, clause: Clause) -> str:
        """Say what should be seen and is not."""
        downstream = self.observing.downstream
        if Need.OPEN in clause.needs and self._opens == 0:
            return "a plain alarm that fires shows no open incident; is --observe-open right?"
        if Need.DOWNSTREAM in clause.needs and downstream is not None and not downstream.reached:
            return f"nothing came to --downstream; {_refused(downstream)}"
        return ""

    def _unmet(self, clause: Clause) -> str:
        """Say what the receiver does not do that a clause is about."""
        if Need.OPEN in clause.needs and self._opens is None:
            return _NO_OPEN
        reached = self.observing.downstream.reached if self.observing.downstream else frozenset()
        for need, end in ((Need.PAGERDUTY, "pagerduty"), (Need.WECOM, "wecom")):
            if need in clause.needs and end not in reached:
                return f"the receiver forwards nothing to /{end}"
        return ""

    def _why_nothing(self) -> str:
        shown = "a plain alarm that was answered 2xx has no effect that is to be seen"
        within = f"within --effect-timeout {self.observing.settle_s:g}s"
        if self.observing.observer is None and self.observing.downstream is not None:
            return f"{shown} at --downstream {within}; {_refused(self.observing.downstream)}"
        return (
            f"{shown} {within}; does --observe-all choose what the receiver did, and does it name the alarm's object?"
        )


def _refused(downstream: Downstream) -> str:
    refused = downstream.refused()
    return f"the ends refused what came: {refused}" if refused else "does the receiver forward there?"
