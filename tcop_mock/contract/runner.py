"""Runs a contract against a target and yields events."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import PLAIN_TIMED_OUT, TOO_SLOW, AssertionContext, describe_response
from tcop_mock.contract.attribution import RequestLog
from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.clause_tests import ClauseTests
from tcop_mock.contract.clauses import assertion_of
from tcop_mock.contract.failed_calls import CallAwareTransport
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.limits import BoundedWaitTransport, RequestSlots
from tcop_mock.contract.liveness import Liveness, head_only
from tcop_mock.contract.machine_load import MachineLoad
from tcop_mock.contract.misreadings import misread_failure
from tcop_mock.contract.observation import EffectObservation
from tcop_mock.contract.phase_run import PhaseRun, Repeater
from tcop_mock.contract.plan import EFFECT_PHASES, CheckPlan, is_about_answer_time, is_about_timing
from tcop_mock.contract.preflight import (
    MAX_CONCURRENT,
    CredentialsRejectedError,
    PlainCallback,
    Preflight,
    TargetProbe,
    Trial,
    is_refused,
    raise_if_unusable,
    try_candidates,
)
from tcop_mock.contract.process_runner import ProcessRunner
from tcop_mock.contract.request_runner import (
    BODY_TIMEOUT_S,
    LATE_BODY_TIMEOUT_S,
    RequestRunner,
    needs_full_response,
)
from tcop_mock.contract.run_results import OUT_OF_TIME, PHASES_AFTER_ABUSE, RunResults
from tcop_mock.domain.contract import Clause, Phase
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import (
    ClauseResult,
    ClauseStatus,
    RunEvent,
    RunFinished,
    RunInfo,
    RunStarted,
    Verdict,
)
from tcop_mock.errors import TargetError
from tcop_mock.transport.delivery import RateLimitedTransport
from tcop_mock.transport.inprocess import calls_one_by_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.phase_run import ClauseRunner
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport


_PREFLIGHT_CODE, _CONTROL_CODE, _BACKLOG_CODE = "TCM000", "TCM001", "TCM003"
_NEVER_RERUN_PHASES = EFFECT_PHASES | {
    Phase.FINAL,
    Phase.DEEP_NESTING,
    Phase.SLOW_SENDER,
    Phase.BURST,
    Phase.PROCESS,
}
"""Phases whose clauses are not run a second time."""
_PHASES_OF_LATE_ANSWERS = EFFECT_PHASES | {Phase.BURST}
"""Phases in which correct receivers may answer late: they call a service that hangs, or have too much to do."""
_PHASES_OF_REQUESTS = frozenset(Phase) - EFFECT_PHASES - {Phase.MAIN}
_PHASES_WITH_RESERVE = frozenset({Phase.MAIN, Phase.EFFECTS})
_AFTER_MAIN_DEADLINES, _AFTER_MAIN_ANSWERS, _AFTER_MAIN_SHARE = 3.0, 200, 0.1
"""So much time is left for the phases after the first one, as the burst: that of some deadlines, of some answers, and a
share of the time of a run that looks at effects."""
_RECEIVER_DEAD = "the receiver no longer answers a plain callback (TCM409, TCM515)"
_MISREADING_CODE = "TCM203"
_MISREAD = "the receiver rejects the right credentials (TCM203)"
_LATE_BODY = "too slow: the answer to a plain callback does not end inside the deadline (TCM102)"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ContractRun:
    """One run of a contract: an iterator of events, and a verdict at any time, also of an incomplete run."""

    plan: CheckPlan
    transport: Transport
    """Sends a request, however long it takes."""
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime] = _now
    """Returns the date and time for reports."""
    _started: tuple[datetime, float] | None = None
    _notes: list[str] = field(default_factory=list)
    """Notes of the verdict."""
    _final_verdict: Verdict | None = None
    """The verdict of a run that has ended."""
    _target_transport: Transport = field(init=False, repr=False)
    """The transport as it was given."""
    _tests: ClauseTests = field(init=False, repr=False)
    _results: RunResults = field(init=False, repr=False)
    _bounded: BoundedWaitTransport = field(init=False, repr=False)
    """Sends a request of a clause, as long as the run does not wait too long for late answers."""
    _repeater: Repeater = field(init=False, repr=False)
    _liveness: Liveness = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tests = ClauseTests(self.plan)
        self._results = RunResults(self.plan, self._tests)
        self._target_transport = self.transport
        if self.plan.observation.failed_calls:
            self.transport = CallAwareTransport(self.transport, self.plan.observation.failed_calls)
        if self.plan.min_interval_s:
            self.transport = RateLimitedTransport(
                self.transport, 1, period_s=self.plan.min_interval_s, clock=self.clock, sleep=self.sleep
            )
        log = RequestLog(self.transport)
        self._bounded = BoundedWaitTransport(log, self.clock, self.plan.profile.delivery.timeout_s)
        self._repeater = Repeater(self._bounded, self.plan.profile.delivery.timeout_s)
        self._liveness = Liveness(self.transport, self._bounded, log, self._results)

    async def run(self, on_event: Callable[[RunEvent], object] | None = None) -> None:
        """Run the contract to its end while the downstream services listen.

        Args:
            on_event: is called with each event.

        Raises:
            TargetError: the target cannot be used, so no clause has a result.
            UsageError: the downstream services cannot listen at their address.
        """
        async with self.plan.observation.listening():
            async for event in self.events():
                if on_event is not None:
                    on_event(event)

    def verdict(self, unfinished_reason: str = "") -> Verdict:
        """Return the results so far.

        Args:
            unfinished_reason: why the other clauses have status ``error``; empty: the time limit of the run.
        """
        if self._final_verdict is not None:
            return self._final_verdict
        plan = self.plan
        started, started_s = self._started or (self.now(), self.clock())
        run_info = RunInfo(
            started, started_s, self.clock() - started_s, plan.profile.delivery.timeout_s, shapes=tuple(plan.catalog)
        )
        return Verdict(
            target=str(plan.target),
            profile=plan.profile.name,
            seed=plan.seed,
            assumptions=plan.profile.assumptions,
            results=self._results.final(unfinished_reason),
            run_info=run_info,
            notes=tuple(self._notes),
            fail_on=plan.fail_on,
        )

    async def events(self) -> AsyncIterator[RunEvent]:
        """Run all clauses and yield the events.

        Raises:
            TargetError: the target cannot be used, so no clause has a result.
        """
        self._started = self.now(), self.clock()
        plan, deadline = self.plan, self.clock() + self.plan.time_limit_s
        factory = self._tests.factory(_PREFLIGHT_CODE)
        plain_case = factory.plain_case()
        try:
            preflight = await self._preflight(plain_case.request, deadline)
        except CredentialsRejectedError as rejection:
            for event in await self._misread_credentials(plain_case, rejection, deadline):
                yield event
            return
        if is_refused(preflight.attempt):
            preflight = await self._find_plain(preflight, deadline)
            factory = self._tests.factory(_PREFLIGHT_CODE)
        if plan.max_time_s is None:
            deadline += preflight.extra_time_s
        self._bounded.begin(preflight)
        yield RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses)
        is_too_slow = preflight.is_too_slow(deadline - self.clock())
        results = self._preflight_results(plain_case, preflight) if preflight.slow or is_too_slow else {}
        for clause in plan.clauses:
            result = results.get(clause.code) or self._skip_result(clause, preflight, is_too_slow=is_too_slow)
            if result is not None:
                for event in self._results.record(result):
                    yield event
        async for run_event in self._run_phases(factory, preflight, deadline):
            yield run_event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - self.clock()):
                await self._repeater.repeat_exclusions(self._results.outcomes)
        for event in self._final_events():
            yield event

    def _final_events(self) -> list[RunEvent]:
        """Return the results that had to wait for those of other clauses, and the verdict."""
        verdict = self._final_verdict = self.verdict()
        return [*self._results.unpublished(verdict.results), RunFinished(verdict)]

    async def _run_phases(self, factory: CaseFactory, preflight: Preflight, deadline: float) -> AsyncIterator[RunEvent]:
        """Run the clauses of all phases. What is not finished in time is an error, or fails by what is known."""
        concurrent_runner = self._concurrent_runner(factory, preflight)
        sequential_runner = concurrent_runner.sequential() if preflight.attempt.accepted else None
        observation: EffectObservation | None = None
        for phase in Phase:
            unrunnable: list[ClauseResult] = []
            phase_deadline = deadline - self._reserved_s(phase, preflight, deadline)
            self._bounded.is_counting = phase not in _PHASES_OF_LATE_ANSWERS
            if phase is Phase.SLOW_SENDER:
                self._bounded.forgive_cut_requests()
            try:
                async with asyncio.timeout(deadline - self.clock()):
                    if phase is Phase.MAIN:
                        observation = self._results.observation = await self._open_observation(preflight, deadline)
                    elif observation and phase in EFFECT_PHASES and self._results.pending(phase):
                        await observation.wait_for_backlog()
                    unrunnable = await self._unrunnable(phase, observation, factory, preflight)
                    checked_codes = {result.clause.code for result in unrunnable}
                    is_alive = await self._liveness.check_before(phase, checked_codes, factory, preflight)
                    concurrent_runner.context = concurrent_runner.context._replace(alive_before=is_alive)
            except TimeoutError:
                unrunnable = [
                    ClauseResult(clause, ClauseStatus.ERROR, missing=OUT_OF_TIME)
                    for clause in self._results.pending(phase)
                ]
            for result in unrunnable:
                for event in self._results.record(result):
                    yield event
            async for run_event in self._run_phase(
                self._results.pending(phase),
                self._runner(phase, concurrent_runner, observation),
                None if phase in _NEVER_RERUN_PHASES else sequential_runner,
                phase_deadline,
            ):
                yield run_event

    def _concurrent_runner(self, factory: CaseFactory, preflight: Preflight) -> RequestRunner:
        """Return the runner that sends requests of clauses concurrently."""
        receiver = self.plan.observation.receiver
        runner = RequestRunner(
            self._bounded,
            self.sleep,
            preflight.deadline_s,
            AssertionContext(slow=preflight.slow),
            preflight.in_flight,
            slots=self._slots(factory, preflight),
            body_timeout_s=LATE_BODY_TIMEOUT_S if preflight.slow else BODY_TIMEOUT_S,
            machine_load=MachineLoad(receiver, self.clock) if receiver else None,
        )
        if is_refused(preflight.attempt):
            reasons = preflight.attempt.parse_errors
            answer = reasons[0].message if reasons else describe_response(preflight.attempt)
            runner.all_refused = f"no callback of the catalogue is accepted, a plain one is {answer} (TCM101)"
        return runner

    def _reserved_s(self, phase: Phase, preflight: Preflight, deadline: float) -> float:
        """Return how much of the time the first phases leave to later ones that send requests."""
        if phase not in _PHASES_WITH_RESERVE or not self._results.pending(*_PHASES_OF_REQUESTS):
            return 0.0
        answers_s = _AFTER_MAIN_ANSWERS * preflight.attempt.duration_s
        if phase is Phase.EFFECTS:
            answers_s = max(answers_s, _AFTER_MAIN_SHARE * self.plan.time_limit_s)
        return min(_AFTER_MAIN_DEADLINES * preflight.deadline_s, answers_s, (deadline - self.clock()) / 2)

    def _slots(self, factory: CaseFactory, preflight: Preflight) -> RequestSlots:
        """Return where requests wait for their turn; late ones give way unless the user bounds what is in flight."""

        async def is_answered() -> bool:
            return (await self.transport(head_only(factory), deadline_s=self._bounded.late_s)).status is not None

        is_bounded = bool(self.plan.jobs or self.plan.min_interval_s) or preflight.slow
        return RequestSlots(
            preflight.in_flight, MAX_CONCURRENT, self._bounded.late_s, None if is_bounded else is_answered
        )

    def _runner(
        self, phase: Phase, request_runner: RequestRunner, observation: EffectObservation | None
    ) -> ClauseRunner:
        """Return what runs the clauses of a phase."""
        receiver = self.plan.observation.receiver
        if observation and phase in EFFECT_PHASES:
            return observation.runner
        if receiver and phase is Phase.PROCESS:
            return ProcessRunner(
                receiver, self.transport, self.clock, self.sleep, request_runner.deadline_s, request_runner.in_flight
            )
        return request_runner

    async def _misread_credentials(
        self, plain_case: RequestCase, rejection: CredentialsRejectedError, deadline: float
    ) -> list[RunEvent]:
        """Return the events of a run against a receiver that misreads the right credentials: only TCM203 has a result.

        Raises:
            CredentialsRejectedError: the receiver accepts no known misreading, or TCM203 is not selected.
        """
        plan, credentials = self.plan, self.plan.target.credentials
        clause = next((clause for clause in plan.clauses if clause.code == _MISREADING_CODE), None)
        if credentials is None or clause is None or plan.missing_prerequisite(clause):
            raise rejection
        failure = await misread_failure(
            plain_case,
            rejection,
            transport=self.transport,
            deadline_s=plan.profile.delivery.timeout_s,
            limit_s=deadline - self.clock(),
        )
        outcome = ClauseOutcome(failures=(failure,), asserted=frozenset({plain_case.title}))
        self._results.durations_s[clause.code] = rejection.attempt.duration_s
        for other in plan.clauses:
            missing = plan.missing_prerequisite(other)
            status = ClauseStatus.NOT_RUN if missing else ClauseStatus.ERROR
            reason = "" if missing else _MISREAD
            self._results.by_code[other.code] = ClauseResult(other, status, reason=reason, missing=missing)
        self._results.by_code[clause.code] = self._results.of(clause, outcome)
        return [RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses), *self._final_events()]

    async def _find_plain(self, preflight: Preflight, deadline: float) -> Preflight:
        """Find a callback that the receiver accepts, for the clauses that need a plain one."""

        async def find_accepted(factories: Sequence[CaseFactory]) -> list[bool]:
            semaphore = asyncio.Semaphore(preflight.in_flight)

            async def is_accepted(factory: CaseFactory) -> bool:
                async with semaphore:
                    request = factory.plain_case().request
                    return (await self._bounded(request, deadline_s=preflight.deadline_s)).accepted

            return list(await asyncio.gather(*map(is_accepted, factories)))

        trial = Trial(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - self.clock()):
                trial = await try_candidates(self.plan.catalog, self._tests.trial_factory, find_accepted)
        if trial.plain is None:
            return preflight
        self._use_plain(trial.plain, f"{self._tests.plain} is {describe_response(preflight.attempt)}", trial.pattern)
        return await self._preflight(self._tests.factory(_PREFLIGHT_CODE).plain_case().request, deadline)

    def _use_plain(self, plain: PlainCallback, reason: str, pattern: str) -> None:
        """Use another plain callback, and note why."""
        self._notes.append(f"The plain callback of this run is {plain}, because {reason}. {pattern}".strip())
        self._tests.use_plain(plain)

    def _backlog_factory(self, number: int) -> CaseFactory:
        return self._tests.factory(_BACKLOG_CODE, rerun=number)

    def _preflight_results(self, plain_case: RequestCase, preflight: Preflight) -> dict[str, ClauseResult]:
        """Return the results of the clauses about the time of answers that the plain callback has broken already."""
        results = {}
        context = AssertionContext(deadline_s=preflight.deadline_s)
        for clause in self.plan.clauses:
            if not is_about_answer_time(clause) or self.plan.missing_prerequisite(clause):
                continue
            checks = ((assertion_of(invocation).check, invocation.params) for invocation in clause.assertions)
            texts = [check(preflight.attempt, context, **params) for check, params in checks]
            failures = [Failure(plain_case, preflight.attempt, text) for text in texts if text]
            if failures:
                results[clause.code] = self._results.of(clause, ClauseOutcome().with_failures(failures))
        return results

    async def _unrunnable(
        self, phase: Phase, observation: EffectObservation | None, factory: CaseFactory, preflight: Preflight
    ) -> list[ClauseResult]:
        """Return the results of clauses that cannot run now: no effect is visible, or the receiver is dead."""
        clauses = self._results.pending(phase)
        breakdown = self._results.breakdown
        if breakdown:
            reason = f"the receiver accepts nothing since {breakdown.case.title!r} ({self._results.breakdown_reporter})"
            return [ClauseResult(clause, ClauseStatus.ERROR, reason=reason) for clause in clauses]
        if self._bounded.is_over:
            dead = await self._liveness.dead_results(clauses, factory, preflight) if phase is Phase.FINAL else {}
            return [
                dead.get(clause.code) or ClauseResult(clause, ClauseStatus.ERROR, reason=TOO_SLOW) for clause in clauses
            ]
        if observation and phase in EFFECT_PHASES:
            return list(filter(None, map(observation.precheck, clauses)))
        if clauses and phase in PHASES_AFTER_ABUSE and not await self._liveness.is_alive(factory, preflight):
            return [ClauseResult(clause, ClauseStatus.ERROR, reason=_RECEIVER_DEAD) for clause in clauses]
        return []

    async def _open_observation(self, preflight: Preflight, deadline: float) -> EffectObservation | None:
        """Calibrate the observation of effects, if a clause needs it and there is an observer."""
        config = self.plan.observation
        observer = config.observer or config.downstream
        if observer is None or not self._results.pending(*EFFECT_PHASES):
            return None
        observation = EffectObservation(
            config, observer, self._bounded, self.clock, self.sleep, preflight, deadline, self._backlog_factory
        )
        observation.runner.all_sent_text = self._tests.all_sent_text()
        await observation.calibrate(self._tests.factory(_CONTROL_CODE))
        if observation.is_plain_dropped:
            trial = Trial(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((deadline - self.clock()) / 2):
                    trial = await try_candidates(
                        self.plan.catalog, self._tests.trial_factory, observation.find_effective
                    )
            if trial.plain is not None:
                self._use_plain(trial.plain, f"{self._tests.plain} is accepted and has no effect", trial.pattern)
                observation.runner.all_sent_text = self._tests.all_sent_text()
                await observation.calibrate(self._tests.factory(_CONTROL_CODE, rerun=1))
        return observation

    async def _preflight(self, plain_request: OutgoingRequest, deadline: float) -> Preflight:
        plan = self.plan
        attempts: list[Attempt] = []

        async def transport(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
            attempts.append(await self.transport(request, deadline_s=deadline_s, intended_s=intended_s))
            return attempts[-1]

        try:
            async with asyncio.timeout(deadline - self.clock()):
                probe = TargetProbe(
                    plain_request=plain_request,
                    target=plan.target,
                    transport=transport,
                    deadline_s=plan.profile.delivery.timeout_s,
                    wait_s=plan.wait_s,
                    clock=self.clock,
                    sleep=self.sleep,
                    max_in_flight=plan.jobs,
                )
                return await probe.run()
        except TimeoutError:
            if attempts and attempts[-1].outcome is Outcome.TIMED_OUT:
                return Preflight(attempts[-1], plan.profile.delivery.timeout_s)
            if attempts:
                raise_if_unusable(attempts[-1], plan.target)
            raise TargetError(
                f"{plan.target} did not answer a plain callback inside --max-time {plan.time_limit_s:g}s; give it more"
            ) from None

    async def _run_phase(
        self, clauses: list[Clause], runner: ClauseRunner, sequential_runner: RequestRunner | None, deadline: float
    ) -> AsyncIterator[RunEvent]:
        """Run the clauses of a phase, and record what the time limit cuts short."""

        async def has_broken_down() -> bool:
            factory = self._tests.factory(_PREFLIGHT_CODE)
            return await self._liveness.has_broken_down(factory, self.plan.profile.delivery.timeout_s)

        phase_run = PhaseRun(
            clauses,
            runner,
            sequential_runner,
            self._repeater,
            self._tests.of,
            lambda clause, outcome: self._results.record(self._results.of(clause, outcome)),
            self.clock,
            self._results.durations_s,
            has_broken_down,
        )
        async for event in phase_run.events(deadline - self.clock()):
            yield event
        for event in self._results.record_unfinished(clauses, phase_run.concurrent_outcomes, runner):
            yield event

    def _skip_result(self, clause: Clause, preflight: Preflight, *, is_too_slow: bool) -> ClauseResult | None:
        """Return the result of a clause that is not run."""
        missing = self.plan.missing_prerequisite(clause)
        if missing is None:
            is_sequential = calls_one_by_one(self._target_transport)
            missing = self.plan.missing_for_test(self._tests.of(clause), is_sequential=is_sequential)
        if missing:
            return ClauseResult(clause, ClauseStatus.NOT_RUN, missing=missing)
        if preflight.unresponsive and not is_about_timing(clause):
            return ClauseResult(clause, ClauseStatus.ERROR, reason=PLAIN_TIMED_OUT)
        if preflight.slow and needs_full_response(clause) and not is_about_timing(clause):
            return ClauseResult(clause, ClauseStatus.ERROR, reason=_LATE_BODY)
        if is_too_slow and not is_about_timing(clause):
            reason = f"too slow: a plain callback is answered after {preflight.attempt.duration_s:.2g} s (TCM103)"
            return ClauseResult(clause, ClauseStatus.ERROR, reason=reason)
        return None
