"""Whether and how the effects of a receiver can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.contract.builders_effects import control_scenario
from tcop_mock.contract.effect_runner import EffectPoller, EffectRunner
from tcop_mock.domain.contract import EFFECT_PREREQUISITES, Prerequisite
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus
from tcop_mock.errors import ObserverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.effects import Observer
    from tcop_mock.server.downstream import DownstreamRecorder

DEFAULT_EFFECT_TIMEOUT_S = 5.0
_NO_OBSERVER = "needs observer: give --observe-url, --observe-cmd or --downstream"
_NO_DOWNSTREAM = "needs downstream: give --downstream HOST:PORT and have the receiver forward there"
_NO_OPEN = "needs to see what is open: give --observe-open, or have the receiver forward to /pagerduty of --downstream"
_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class ObservationConfig:
    """By what effects are seen, and what can be done to the receiver and its ends.

    Args:
        observer: sees what the receiver did; the ends, where it is not given.
        downstream: the ends that the receiver forwards to.
        restart: restarts the receiver.
        effect_timeout_s: how long an effect may take to appear.
    """

    observer: Observer | None = None
    downstream: DownstreamRecorder | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    effect_timeout_s: float = DEFAULT_EFFECT_TIMEOUT_S

    def missing_prerequisite(self, clause: Clause) -> str:
        """Say what a clause needs that is not there; empty: nothing."""
        prerequisites = clause.prerequisites & EFFECT_PREREQUISITES
        if prerequisites and self.observer is None and self.downstream is None:
            return _NO_OBSERVER
        if (
            prerequisites & {Prerequisite.DOWNSTREAM, Prerequisite.PAGERDUTY, Prerequisite.WECOM}
            and self.downstream is None
        ):
            return _NO_DOWNSTREAM
        if Prerequisite.RESTART in prerequisites and self.restart is None:
            return "needs restart: give --restart-cmd, a command that restarts the receiver"
        return ""


@dataclass(slots=True)
class EffectObservation:
    """What is to be seen of one receiver.

    Args:
        config: what there is.
        observer: by whom it is seen.
        transport: the port to the receiver.
        clock: seconds.
        sleep: pauses.
        preflight: what a first callback found.
        until_s: on the clock: the end of the run.
    """

    config: ObservationConfig
    observer: Observer
    transport: Transport
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    preflight: Preflight
    until_s: float
    runner: EffectRunner = field(init=False)
    _inconclusive: str = field(default="", init=False)
    _any_rejected: bool = field(default=False, init=False)
    _open_count: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        downstream_observer = self.config.downstream or self.observer
        self.runner = EffectRunner(
            transport=self.transport,
            poller=self._poller(self.observer),
            downstream_poller=self._poller(downstream_observer),
            sleep=self.sleep,
            deadline_s=self.preflight.deadline_s,
            in_flight=min(_IN_FLIGHT, self.preflight.in_flight),
            late_effects_until_s=self.until_s - self.config.effect_timeout_s,
            downstream=self.config.downstream,
            restart=self.config.restart,
        )

    def _poller(self, observer: Observer) -> EffectPoller:
        return EffectPoller(observer, self.clock, self.sleep, self.config.effect_timeout_s)

    async def calibrate(self, factory: CaseFactory) -> None:
        """Look whether anything is to be seen of a plain alarm."""
        scenario = control_scenario(factory)
        try:
            result = await self.runner.run_scenario(scenario, self.runner.poller)
        except ObserverError as error:
            self._inconclusive = str(error)
            return
        if isinstance(result, str):
            self._inconclusive = f"no effect can be judged: {result}"
            return
        [step_result] = result.step_results
        self._any_rejected = bool(step_result.after.rejected)
        self._open_count = None if step_result.after.open_incidents is None else step_result.after.open_count
        self.runner.effects_per_push = step_result.after.count
        if not step_result.after.count:
            self._inconclusive = self._explain_no_effect()

    def precheck(self, clause: Clause) -> ClauseResult | None:
        """Return the result of a clause that cannot be played on what is to be seen."""
        is_about_refusals = any(invocation.name == "nothing_refused" for invocation in clause.assertions)
        inconclusive_reason = (
            self._not_visible(clause)
            if is_about_refusals and self._any_rejected
            else self._inconclusive or self._not_visible(clause)
        )
        if inconclusive_reason:
            return ClauseResult(clause, ClauseStatus.ERROR, reason=inconclusive_reason)
        missing = self._missing_prerequisite(clause)
        return ClauseResult(clause, ClauseStatus.NOT_RUN, reason=missing) if missing else None

    def _not_visible(self, clause: Clause) -> str:
        """Say what should be seen and is not."""
        downstream = self.config.downstream
        if Prerequisite.OPEN_INCIDENTS in clause.prerequisites and self._open_count == 0:
            return "a plain alarm that fires shows no open incident; is --observe-open right?"
        if (
            Prerequisite.DOWNSTREAM in clause.prerequisites
            and downstream is not None
            and not downstream.reached_services
        ):
            return f"nothing came to --downstream; {_refusal_hint(downstream)}"
        return ""

    def _missing_prerequisite(self, clause: Clause) -> str:
        """Say what the receiver does not do that a clause is about."""
        if Prerequisite.OPEN_INCIDENTS in clause.prerequisites and self._open_count is None:
            return _NO_OPEN
        reached = self.config.downstream.reached_services if self.config.downstream else frozenset()
        for prerequisite, service in ((Prerequisite.PAGERDUTY, "pagerduty"), (Prerequisite.WECOM, "wecom")):
            if prerequisite in clause.prerequisites and service not in reached:
                return f"the receiver forwards nothing to /{service}"
        return ""

    def _explain_no_effect(self) -> str:
        message = "a plain alarm that was answered 2xx has no effect that is to be seen"
        time_limit = f"within --effect-timeout {self.config.effect_timeout_s:g}s"
        if self.config.observer is None and self.config.downstream is not None:
            return f"{message} at --downstream {time_limit}; {_refusal_hint(self.config.downstream)}"
        return f"{message} {time_limit}; does --observe-all choose what the receiver did, and does it name the alarm's object?"


def _refusal_hint(downstream: DownstreamRecorder) -> str:
    rejected = downstream.describe_refusals()
    return f"the ends refused what came: {rejected}" if rejected else "does the receiver forward there?"
