"""Observation of the effects of a receiver: which effects are visible, and how."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from tcop_mock.callbacks.pieces import FIRST_DAY
from tcop_mock.contract.builders_effects import control_scenario, lifecycle_scenario
from tcop_mock.contract.effect_assertions import ABOUT_EVERYTHING
from tcop_mock.contract.effect_poller import Backlog, EffectPoller
from tcop_mock.contract.effect_runner import EffectRunner, ScenarioProblem
from tcop_mock.contract.observers import CombinedObserver
from tcop_mock.domain.contract import (
    DOWNSTREAM_PREREQUISITES,
    EFFECT_PREREQUISITES,
    MissingPrerequisite,
    Prerequisite,
)
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus
from tcop_mock.errors import ObserverError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.clause_outcome import ClauseOutcome
    from tcop_mock.contract.failed_calls import FailedCalls
    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.contract.receiver_control import ReceiverControl
    from tcop_mock.domain.contract import Clause, EffectScenario, Step, StepResult
    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.effects import Observer
    from tcop_mock.server.app_calls import AppCalls
    from tcop_mock.server.downstream import DownstreamRecorder

DEFAULT_EFFECT_TIMEOUT_S = 5.0
_FIRST_CALL_S = 0.5
"""An app in this process is as fast as its code, and most that forward do so before they answer."""
_IN_FLIGHT = 16
_SERVICES = {
    Prerequisite.PAGERDUTY: ("pagerduty",),
    Prerequisite.WECOM: ("wecom",),
    Prerequisite.DINGTALK_OR_FEISHU: ("dingtalk", "feishu"),
}
"""Stub services by the prerequisite that the receiver forwards to one of them."""
_LEARN_INTERVAL_S = 0.1
_COMPARISON = "effects_match"
_NO_CALL = (
    "it called none; does it keep its alarms itself, does its client ignore the proxy, or does it drop old alarms? "
    f"Those of this run began in {FIRST_DAY.year}"
)


@runtime_checkable
class LearnsOpen(Protocol):
    """An observer that finds out which incidents are open from an alarm that fires and is resolved."""

    @property
    def has_to_learn(self) -> bool:
        """Whether it has not been decided yet."""
        ...

    async def rows(self, token: str) -> Sequence[Any]:
        """Return all effects that mention the object of an alarm."""
        ...

    def learn(self, fired: Sequence[Any], resolved: Sequence[Any]) -> None:
        """Decide by the effects while the alarm fired, and after it was resolved."""
        ...


@runtime_checkable
class Closable(Protocol):
    """An observer that holds connections."""

    def close(self) -> None:
        """Close them."""
        ...


class MissingCalls(Protocol):
    """Gives the reasons why the downstream services received nothing."""

    @property
    def is_any_taken(self) -> bool:
        """Whether there was a call that was not refused; its message may still come."""
        ...

    def hints(self) -> Sequence[str]:
        """Return the known reasons, with advice for each."""
        ...


class DownstreamAddress(NamedTuple):
    """Address at which our stub services listen for a receiver that forwards to them."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, source: str) -> DownstreamAddress:
        """Parse ``HOST:PORT``; an empty host is 127.0.0.1.

        Raises:
            UsageError: the text has another form; the message begins with ``source``.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal():
            raise UsageError(f"{source} {text!r}: write HOST:PORT, as in 127.0.0.1:9100")
        return cls(host.strip("[]") or "127.0.0.1", int(port))


@dataclass(frozen=True, slots=True)
class ObservationConfig:
    """How a run observes the effects of a receiver, and acts on the receiver and its downstream services.

    Args:
        observer: returns the effects; without it the downstream services do.
        downstream: records the messages of the receiver to our stub services.
        restart: restarts the receiver.
        effect_timeout_s: maximum time in seconds until an effect appears.
        downstream_address: where :meth:`listening` opens the stub services.
        calls: returns the reasons why the downstream services received nothing, such as the log of a proxy. With it,
            clauses about messages are then not run; without it they are errors.
        first_call_s: maximum time in seconds until the first of these calls, if the user has not announced any;
            ``None``: the effect timeout.
        lifetime: returns a context manager that is active during the check, such as the running receiver.
        receiver: the receiver, if the run has started it.
        uncaught: counts the calls that the check did not answer, if it catches calls.
    """

    observer: Observer | None = None
    downstream: DownstreamRecorder | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    effect_timeout_s: float = DEFAULT_EFFECT_TIMEOUT_S
    downstream_address: DownstreamAddress | None = None
    calls: MissingCalls | None = None
    first_call_s: float | None = None
    lifetime: Callable[[], AbstractAsyncContextManager[None]] | None = None
    receiver: ReceiverControl | None = None
    uncaught: FailedCalls | None = None

    @property
    def failed_calls(self) -> tuple[FailedCalls, ...]:
        """The counts of the receiver's calls that fail because of the check."""
        return tuple(source for source in (self.uncaught, self.downstream) if source is not None)

    def with_app_calls(self, app_calls: AppCalls) -> ObservationConfig:
        """Return an observation that sees the messages that an app in this process sends."""
        first_call_s = _FIRST_CALL_S if self.effect_timeout_s == DEFAULT_EFFECT_TIMEOUT_S else None
        calls = app_calls.log if self.downstream is None else None
        return replace(
            self,
            downstream=app_calls.recorder,
            calls=calls,
            first_call_s=first_call_s,
            uncaught=app_calls.log,
        )

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Have the downstream services listen, if there are any, and the receiver run, if it is ours to start.

        At the end the connections of the observer are closed.

        Raises:
            UsageError: nothing can listen at the address, or the receiver cannot be started.
            TargetError: the receiver does not listen.
        """
        async with contextlib.AsyncExitStack() as stack:
            observer: object = self.observer
            if isinstance(observer, Closable):
                stack.callback(observer.close)
            if self.downstream is not None and self.downstream_address is not None:
                await stack.enter_async_context(self.downstream.server(*self.downstream_address))
            if self.lifetime is not None:
                await stack.enter_async_context(self.lifetime())
            yield

    def missing_prerequisite(self, clause: Clause) -> MissingPrerequisite | None:
        """Return the precondition of a clause that this observation does not meet, if there is one."""
        if Prerequisite.RUN in clause.prerequisites and self.receiver is None:
            return MissingPrerequisite(Prerequisite.RUN)
        prerequisites = clause.prerequisites & EFFECT_PREREQUISITES
        if prerequisites and self.observer is None and self.downstream is None:
            return MissingPrerequisite(Prerequisite.OBSERVER)
        if prerequisites & DOWNSTREAM_PREREQUISITES and self.downstream is None:
            return MissingPrerequisite(Prerequisite.DOWNSTREAM)
        if Prerequisite.RESTART in prerequisites and self.restart is None:
            return MissingPrerequisite(Prerequisite.RESTART)
        return None


@dataclass(slots=True)
class EffectObservation:
    """The observation of one receiver during a run.

    Args:
        config: observer, downstream services, times.
        observer: returns the effects.
        transport: sends requests to the receiver.
        clock: clock in seconds.
        sleep: coroutine that pauses.
        preflight: the result of the first callback.
        until_s: the end of the run on the clock.
        plain_factory: returns a factory of another plain alarm for each number; ``None``: missing effects are lost.
    """

    config: ObservationConfig
    observer: Observer
    transport: Transport
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    preflight: Preflight
    until_s: float
    plain_factory: Callable[[int], CaseFactory] | None = None
    runner: EffectRunner = field(init=False)
    _error: str = field(default="", init=False)
    """Why the plain alarm shows nothing of the receiver's effects, where an error is the reason."""
    _no_effect: MissingPrerequisite | None = field(default=None, init=False)
    _any_rejected: bool = field(default=False, init=False)
    _open_count: int | None = field(default=None, init=False)
    _backlog_numbers: Iterator[int] = field(default_factory=itertools.count, init=False)
    """Numbers of the plain alarms that the backlogs of all pollers send: a second one would find the first's effect."""
    _plain_latency_s: float = field(default=0.0, init=False)
    """How long the effect of the plain alarm took to appear."""

    def __post_init__(self) -> None:
        downstream_observer = self.config.downstream or self.observer
        combined_observer: Observer = downstream_observer
        if self.config.observer is not None:
            combined_observer = self.observer
            if self.config.downstream is not None:
                combined_observer = CombinedObserver(self.observer, self.config.downstream)
        self.runner = EffectRunner(
            transport=self.transport,
            poller=self._poller(self.observer),
            downstream_poller=self._poller(downstream_observer),
            combined_poller=self._poller(combined_observer),
            sleep=self.sleep,
            deadline_s=self.preflight.deadline_s,
            in_flight=min(_IN_FLIGHT, self.preflight.in_flight),
            late_effects_until_s=self.until_s - self.config.effect_timeout_s,
            downstream=self.config.downstream,
            restart=self.config.restart,
            receiver=self.config.receiver,
        )

    @property
    def _pollers(self) -> tuple[EffectPoller, ...]:
        return self.runner.poller, self.runner.downstream_poller, self.runner.combined_poller

    def _poller(self, observer: Observer) -> EffectPoller:
        return EffectPoller(observer, self.clock, self.sleep, self.config.effect_timeout_s)

    async def _send_plain(self, factory: CaseFactory) -> EffectScenario | None:
        """Send a plain alarm; return its scenario if it was accepted."""
        scenario = control_scenario(factory)
        self.runner.all_sent_text += f"\n{scenario.expected_content.sent_text}"
        return scenario if await self._send_all(scenario.steps[0]) else None

    async def wait_for_backlog(self) -> None:
        """Wait until the receiver has processed all earlier requests; otherwise no effect can be asserted.

        After that, the effect of an alarm is expected as soon as that of the plain alarm, which was sent alone.
        """
        if self._error or self._no_effect:
            return
        pollers = {id(poller.observer): poller for poller in (self.runner.downstream_poller, self.runner.poller)}
        try:
            for poller in pollers.values():
                is_unused = poller.observer is self.config.downstream and not self.config.downstream.messages
                if poller.backlog and not is_unused:
                    await poller.backlog.wait()
        except ObserverError as error:
            self._error = str(error)
        for poller in self._pollers:
            poller.latency_s = self._plain_latency_s

    async def calibrate(self, factory: CaseFactory) -> None:
        """Send a plain alarm and record which of its effects are visible."""
        self._error, self._no_effect = "", None
        scenario = control_scenario(factory)
        try:
            await self._learn_open(factory)
            with self._waiting_for_first_call():
                result = await self._run_control(scenario)
        except ObserverError as error:
            self._error = str(error)
            return
        if isinstance(result, ScenarioProblem):
            self._error = f"no effect can be checked: {result.reason}"
            return
        self._plain_latency_s = self.runner.poller.latency_s
        for poller in self._pollers:
            poller.latency_s = self._plain_latency_s
        self._any_rejected = bool(result.after.rejected)
        self._open_count = None if result.after.open_incidents is None else result.after.open_count
        self.runner.effects_per_push = result.after.count
        if not result.after.count:
            self._no_effect = self._missing_effect()
        elif self.plain_factory:
            for poller in self._pollers:
                poller.backlog = Backlog(
                    self.plain_factory, self._send_plain, poller, self.until_s, self._backlog_numbers
                )

    @property
    def is_plain_dropped(self) -> bool:
        """Whether the plain alarm is accepted and has no effect, and no end refused its message."""
        return self._no_effect is not None and not self._any_rejected

    async def find_effective(self, factories: Sequence[CaseFactory]) -> list[bool]:
        """Return for each factory whether its plain alarm has an effect that is visible."""
        scenarios = list(map(control_scenario, factories))
        self.runner.all_sent_text += "".join(f"\n{scenario.expected_content.sent_text}" for scenario in scenarios)

        async def has_effect(scenario: EffectScenario) -> bool:
            try:
                result = await self._run_control(scenario)
            except ObserverError:
                return False
            return not isinstance(result, ScenarioProblem) and result.after.count > 0

        with self._waiting_for_first_call():
            return list(await asyncio.gather(*map(has_effect, scenarios)))

    async def _run_control(self, scenario: EffectScenario) -> StepResult | ScenarioProblem:
        """Send a plain alarm and return its effects."""
        result = await self.runner.run_scenario(scenario, self.runner.poller)
        if isinstance(result, ScenarioProblem):
            return result
        [step_result] = result.step_results
        if step_result.after.count or step_result.after.rejected or not self._is_called:
            return step_result
        until_s = self.clock() + self.config.effect_timeout_s
        after = await self.runner.poller.wait_until_settled(scenario, lambda seen: seen.count > 0, until_s=until_s)
        return step_result._replace(after=after)

    @property
    def _is_called(self) -> bool:
        """Whether a first call has come that was not refused: its effect may take longer."""
        config = self.config
        return config.first_call_s is not None and config.calls is not None and config.calls.is_any_taken

    @contextlib.contextmanager
    def _waiting_for_first_call(self) -> Iterator[None]:
        """Limit the wait for effects inside the block to the time for a first call, if there was no call yet."""
        poller, effect_timeout_s = self.runner.poller, self.config.effect_timeout_s
        if self.config.observer is None and not self._is_called and self.config.first_call_s is not None:
            poller.effect_timeout_s = self.config.first_call_s
        try:
            yield
        finally:
            poller.effect_timeout_s = effect_timeout_s

    async def _learn_open(self, factory: CaseFactory) -> None:
        """Send an alarm that fires and is resolved, for an observer that detects open incidents by it.

        Raises:
            ObserverError: the observer failed.
        """
        observer = self.observer
        if not isinstance(observer, LearnsOpen) or not observer.has_to_learn:
            return
        scenario = lifecycle_scenario(factory)
        [fires, resolves], token = scenario.steps, scenario.object_id
        await observer.rows(token)  # the effects before
        if not await self._send_all(fires):
            return
        fired = await self._rows_until(observer, token, bool)
        if fired and await self._send_all(resolves):
            observer.learn(fired, await self._rows_until(observer, token, lambda rows: rows != fired))

    async def _send_all(self, step: Step) -> bool:
        requests = [case.request for case in step.cases]
        return all(
            [(await self.transport(request, deadline_s=self.preflight.deadline_s)).accepted for request in requests]
        )

    async def _rows_until(
        self, observer: LearnsOpen, token: str, is_expected: Callable[[Sequence[object]], bool]
    ) -> Sequence[object]:
        """Return the effects of an alarm when they are as expected, or the time is over."""
        until_s = self.clock() + self.config.effect_timeout_s
        rows = await observer.rows(token)
        while not is_expected(rows) and self.clock() < until_s:
            await self.sleep(_LEARN_INTERVAL_S)
            rows = await observer.rows(token)
        return rows

    def precheck(self, clause: Clause) -> ClauseResult | None:
        """Return the result of a clause that cannot be checked with the effects that are visible."""
        is_about_refusals = any(invocation.name == "downstream_accepts" for invocation in clause.assertions)
        not_visible = self._not_visible(clause)
        is_about_dropped = _is_about_drops(clause) or _begins_unlike_the_plain_alarm(clause)
        if not ((is_about_refusals and self._any_rejected) or is_about_dropped):
            if self._error:
                return ClauseResult(clause, ClauseStatus.ERROR, reason=self._error)
            not_visible = self._no_effect or not_visible
        if self._no_effect and self._no_effect.kind is Prerequisite.CAUGHT_CALL:
            is_called_now = self.config.downstream is not None and bool(self.config.downstream.reached_services)
            if is_called_now and _begins_unlike_the_plain_alarm(clause):
                return None  # other callbacks than the plain one have caused calls since
            not_visible = self._no_effect
        if not_visible:
            return _unmet(clause, not_visible)
        unused = self._unused_service(clause)
        return ClauseResult(clause, ClauseStatus.NOT_RUN, missing=unused) if unused else None

    def blind_result(self, clause: Clause, outcome: ClauseOutcome) -> ClauseResult | None:
        """Return the error of a clause about drops if no alarm had an effect: perhaps the observer does not work."""
        failed = {failure.title for failure in outcome.failures}
        if _begins_unlike_the_plain_alarm(clause) and failed:  # its first alarm had one
            return None
        is_about_dropped = _is_about_drops(clause) or _begins_unlike_the_plain_alarm(clause)
        if not is_about_dropped or not (self._error or self._no_effect) or outcome.asserted - failed:
            return None
        return _unmet(clause, self._no_effect, self._error)

    def _not_visible(self, clause: Clause) -> MissingPrerequisite | None:
        """Return what should be visible of a plain alarm and is not."""
        downstream = self.config.downstream
        if Prerequisite.OPEN_INCIDENTS in clause.prerequisites and self._open_count == 0:
            return MissingPrerequisite(Prerequisite.VISIBLE_INCIDENT)
        if (
            Prerequisite.DOWNSTREAM in clause.prerequisites
            and downstream is not None
            and not downstream.reached_services
        ):
            return self._no_caught_call() or MissingPrerequisite(Prerequisite.FORWARDING, (_refusal_hint(downstream),))
        return None

    def _no_caught_call(self) -> MissingPrerequisite | None:
        """Return the missing prerequisite if the stub services received nothing; ``None`` if that is an error."""
        if self.config.calls is None or (self.config.downstream and self.config.downstream.reached_services):
            return None
        return MissingPrerequisite(Prerequisite.CAUGHT_CALL, ("; ".join(self.config.calls.hints()) or _NO_CALL,))

    def _unused_service(self, clause: Clause) -> MissingPrerequisite | None:
        """Return the behaviour that the receiver lacks, although the clause is about it."""
        if Prerequisite.OPEN_INCIDENTS in clause.prerequisites and self._open_count is None:
            return MissingPrerequisite(Prerequisite.OPEN_INCIDENTS)
        is_about_openings = any(invocation.name in ABOUT_EVERYTHING for invocation in clause.assertions)
        if is_about_openings and self._open_count is None and self.config.downstream is None:
            return MissingPrerequisite(Prerequisite.OPEN_INCIDENTS)
        reached = self.config.downstream.reached_services if self.config.downstream else frozenset()
        for prerequisite, services in _SERVICES.items():
            if prerequisite in clause.prerequisites and reached.isdisjoint(services):
                return MissingPrerequisite(prerequisite)
        return None

    def _missing_effect(self) -> MissingPrerequisite:
        timeout = f"{self.config.effect_timeout_s:g}s"
        if self.config.observer is None and self.config.downstream is not None:
            return self._no_caught_call() or MissingPrerequisite(
                Prerequisite.FORWARDED_EFFECT, (timeout, _refusal_hint(self.config.downstream))
            )
        return MissingPrerequisite(Prerequisite.VISIBLE_EFFECT, (timeout,))


def _unmet(clause: Clause, missing: MissingPrerequisite | None, error: str = "") -> ClauseResult:
    """Return the result of a clause whose effects cannot be seen: not run where perhaps there are none."""
    is_silent = missing is not None and missing.kind is Prerequisite.CAUGHT_CALL
    return ClauseResult(
        clause, ClauseStatus.NOT_RUN if is_silent else ClauseStatus.ERROR, reason=error, missing=missing
    )


def _is_about_drops(clause: Clause) -> bool:
    """Return whether a clause looks for alarms without an effect, in all shapes: the plain alarm may be one."""
    has_all_shapes = any("*" in scenario.get("shapes", ()) for scenario in clause.builder.params.get("scenarios", ()))
    return has_all_shapes and any(invocation.params.get("fail_if_no_effect", False) for invocation in clause.assertions)


def _begins_unlike_the_plain_alarm(clause: Clause) -> bool:
    """Return whether a clause compares the plain alarm with one that comes before it and is written in another way."""
    if clause.assertions[0].name != _COMPARISON:
        return False
    scenarios = (
        one for one in clause.builder.params.get("scenarios", ()) if one.get("alarms") and one["steps"][0]["send"]
    )
    firsts = ((one, one["steps"][0]["send"][0].partition(" ")[::2]) for one in scenarios)
    return any(action in one["alarms"][name].get("changes", {}) for one, (name, action) in firsts)


def _refusal_hint(downstream: DownstreamRecorder) -> str:
    rejected = downstream.describe_refusals()
    return f"the ends refused what came: {rejected}" if rejected else "does the receiver forward there?"
