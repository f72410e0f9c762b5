"""Runs a contract against a target and yields events."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import (
    PLAIN_TIMED_OUT,
    TOO_SLOW,
    AssertionContext,
    describe_response,
)
from tcop_mock.contract.attribution import (
    NAMED_CLAUSES,
    Breakdown,
    RequestLog,
    attributed_results,
    find_breakdown,
    is_broken,
    is_suspect,
)
from tcop_mock.contract.clause_outcome import (
    LATE_CLAUSE,
    ClauseOutcome,
)
from tcop_mock.contract.clause_tests import ClauseTests
from tcop_mock.contract.clauses import assertion_of
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.limits import BoundedWaitTransport, RequestSlots
from tcop_mock.contract.misreadings import misread_failure
from tcop_mock.contract.observation import EffectObservation
from tcop_mock.contract.phase_run import PhaseRun, Repeater
from tcop_mock.contract.plan import EFFECT_PHASES, CheckPlan, is_about_answer_time, is_about_timing
from tcop_mock.contract.preflight import (
    MAX_SIDE_BY_SIDE,
    CredentialsRejectedError,
    PlainCallback,
    Preflight,
    Trial,
    is_refused,
    run_preflight,
    try_candidates,
)
from tcop_mock.contract.process_runner import ProcessRunner
from tcop_mock.contract.refusals import refused_service, with_refusals
from tcop_mock.contract.request_runner import (
    BODY_TIMEOUT_S,
    LATE_BODY_TIMEOUT_S,
    RequestRunner,
    needs_full_response,
)
from tcop_mock.domain.contract import Clause, MissingPrerequisite, Phase, Prerequisite
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import (
    ClauseFinished,
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
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.phase_run import ClauseRunner
    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.server.downstream import ReceivedMessage


_PREFLIGHT_CODE, _CONTROL_CODE, _BACKLOG_CODE = "TCM000", "TCM001", "TCM003"
_NEVER_RERUN_PHASES = EFFECT_PHASES | {
    Phase.FINAL,
    Phase.DEEP_NESTING,
    Phase.SLOW_SENDER,
    Phase.BURST,
    Phase.PROCESS,
}
"""Phases whose clauses are not run a second time."""
_LIVENESS_CHECK_PHASES = frozenset({Phase.MALFORMED_INPUT, Phase.DEEP_NESTING})
_PHASES_AFTER_ABUSE = frozenset({Phase.SLOW_SENDER, Phase.BURST, Phase.AUTH})
_PHASES_BEFORE_ABUSE = frozenset({Phase.MAIN, Phase.EFFECTS, Phase.SLOW_EFFECTS})
_PHASES_OF_LATE_ANSWERS = EFFECT_PHASES | {Phase.BURST}
"""Phases in which correct receivers may answer late: they call a service that hangs, or have too much to do."""
_PHASES_OF_REQUESTS = frozenset(Phase) - EFFECT_PHASES - {Phase.MAIN}
_AFTER_MAIN_DEADLINES, _AFTER_MAIN_ANSWERS = 3.0, 200
"""So much time is left for the phases after the first one, as the burst: that of some deadlines, or of some answers."""
_ALIVE_CODE = "TCM409"
"""The clause that reports that a receiver no longer answers after malformed bodies."""
_LIVENESS_ATTEMPTS = 2
_RECEIVER_DEAD = "the receiver no longer answers a plain callback (TCM409, TCM515)"
_MISREADING_CODE = "TCM203"
_MISREAD = "the receiver rejects the right credentials (TCM203)"
_LATE_BODY = "too slow: the answer to a plain callback does not end inside the deadline (TCM102)"
_OUT_OF_TIME = MissingPrerequisite(Prerequisite.TIME)


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
    _results: dict[str, ClauseResult] = field(default_factory=dict)
    _durations_s: dict[str, float] = field(default_factory=dict)
    _tests: ClauseTests = field(init=False, repr=False)
    _observation: EffectObservation | None = field(default=None, init=False, repr=False)
    _outcomes: dict[str, ClauseOutcome] = field(default_factory=dict, repr=False)
    """The outcomes of the clauses that sent requests, by code."""
    _is_alive_checked: bool = False
    """Whether a plain callback was sent just before the malformed bodies."""
    _was_alive: bool = True
    """Whether that one was accepted."""
    _notes: list[str] = field(default_factory=list)
    """Notes of the verdict."""
    _final_verdict: Verdict | None = None
    """The verdict of a run that has ended."""
    _published: set[str] = field(default_factory=set, repr=False)
    """Codes of the clauses whose event was yielded."""
    _bounded: BoundedWaitTransport = field(init=False, repr=False)
    """Sends a request of a clause, as long as the run does not wait too long for late answers."""
    _repeater: Repeater = field(init=False, repr=False)
    _log: RequestLog = field(init=False, repr=False)
    _breakdown: Breakdown | None = None
    """The request since which the receiver accepts nothing."""

    def __post_init__(self) -> None:
        self._tests = ClauseTests(self.plan)
        if self.plan.min_interval_s:
            self.transport = RateLimitedTransport(
                self.transport, 1, period_s=self.plan.min_interval_s, clock=self.clock, sleep=self.sleep
            )
        self._log = RequestLog(self.transport)
        self._bounded = BoundedWaitTransport(self._log, self.clock, self.plan.profile.delivery.timeout_s)
        self._repeater = Repeater(self._bounded, self.plan.profile.delivery.timeout_s)

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
        with_refusals_of_services = {code: self._with_refusals(result) for code, result in self._results.items()}
        results = attributed_results(with_refusals_of_services, self._outcomes, self._context)
        return Verdict(
            target=str(plan.target),
            profile=plan.profile.name,
            seed=plan.seed,
            assumptions=plan.profile.assumptions,
            results=tuple(
                results.get(clause.code)
                or ClauseResult(
                    clause,
                    ClauseStatus.ERROR,
                    reason=unfinished_reason,
                    missing=None if unfinished_reason else _OUT_OF_TIME,
                )
                for clause in plan.clauses
            ),
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
                for event in self._record_result(result):
                    yield event
        async for run_event in self._run_phases(factory, preflight, deadline):
            yield run_event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - self.clock()):
                await self._repeater.repeat_exclusions(self._outcomes)
        for event in self._final_events():
            yield event

    def _final_events(self) -> list[RunEvent]:
        """Return the results that had to wait for those of other clauses, and the verdict."""
        verdict = self._final_verdict = self.verdict()
        held_results = [result for result in verdict.results if result.clause.code not in self._published]
        return [*map(ClauseFinished, held_results), RunFinished(verdict)]

    async def _run_phases(self, factory: CaseFactory, preflight: Preflight, deadline: float) -> AsyncIterator[RunEvent]:
        """Run the clauses of all phases. What is not finished in time is an error, or fails by what is known."""
        parallel_runner = RequestRunner(
            self._bounded,
            self.sleep,
            preflight.deadline_s,
            AssertionContext(slow=preflight.slow),
            preflight.in_flight,
            slots=self._slots(factory, preflight),
            body_timeout_s=LATE_BODY_TIMEOUT_S if preflight.slow else BODY_TIMEOUT_S,
        )
        if is_refused(preflight.attempt):
            reasons = preflight.attempt.parse_errors
            answer = reasons[0].message if reasons else describe_response(preflight.attempt)
            parallel_runner.all_refused = f"no callback of the catalogue is accepted, a plain one is {answer} (TCM101)"
        sequential_runner = parallel_runner.sequential() if preflight.attempt.accepted else None
        observation: EffectObservation | None = None
        for phase in Phase:
            unrunnable: list[ClauseResult] = []
            phase_deadline = deadline
            if phase is Phase.MAIN and self._pending_clauses(*_PHASES_OF_REQUESTS):
                phase_deadline -= min(
                    _AFTER_MAIN_DEADLINES * preflight.deadline_s,
                    _AFTER_MAIN_ANSWERS * preflight.attempt.duration_s,
                    (deadline - self.clock()) / 2,
                )
            self._bounded.is_counting = phase not in _PHASES_OF_LATE_ANSWERS
            try:
                async with asyncio.timeout(deadline - self.clock()):
                    if phase is Phase.MAIN:
                        observation = self._observation = await self._open_observation(preflight, deadline)
                    elif observation and phase in EFFECT_PHASES and self._pending_clauses(phase):
                        await observation.wait_for_backlog()
                    unrunnable = await self._unrunnable(phase, observation, factory, preflight)
                    checked_codes = {result.clause.code for result in unrunnable}
                    is_alive = await self._check_alive(phase, checked_codes, factory, preflight)
                    parallel_runner.context = parallel_runner.context._replace(alive_before=is_alive)
            except TimeoutError:
                unrunnable = [
                    ClauseResult(clause, ClauseStatus.ERROR, missing=_OUT_OF_TIME)
                    for clause in self._pending_clauses(phase)
                ]
            for result in unrunnable:
                for event in self._record_result(result):
                    yield event
            async for run_event in self._run_phase(
                self._pending_clauses(phase),
                self._runner(phase, parallel_runner, observation),
                None if phase in _NEVER_RERUN_PHASES else sequential_runner,
                phase_deadline,
            ):
                yield run_event

    def _slots(self, factory: CaseFactory, preflight: Preflight) -> RequestSlots:
        """Return where requests wait for their turn; late ones give way unless the user bounds what is in flight."""

        async def is_answered() -> bool:
            return (await self.transport(_head_only(factory), deadline_s=self._bounded.late_s)).status is not None

        is_bounded = bool(self.plan.jobs or self.plan.min_interval_s) or preflight.slow
        return RequestSlots(
            preflight.in_flight, MAX_SIDE_BY_SIDE, self._bounded.late_s, None if is_bounded else is_answered
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

    def _with_refusals(self, result: ClauseResult) -> ClauseResult:
        """Return the result of a clause about a service with all that the service refused in the whole run."""
        messages = self._refusals(result.clause)
        if messages is None:
            return result
        return with_refusals(result, messages, self._tests.built.values(), self._context(result.clause))

    def _refusals(self, clause: Clause) -> Sequence[ReceivedMessage] | None:
        """Return what the service of a clause refused so far; ``None`` for all other clauses."""
        service, downstream = refused_service(clause), self.plan.observation.downstream
        return downstream.refusals_by(service) if service and downstream else None

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
        self._durations_s[clause.code] = rejection.attempt.duration_s
        for other in plan.clauses:
            missing = plan.missing_prerequisite(other)
            status = ClauseStatus.NOT_RUN if missing else ClauseStatus.ERROR
            self._results[other.code] = ClauseResult(other, status, reason="" if missing else _MISREAD, missing=missing)
        self._results[clause.code] = self._result(clause, outcome)
        return [RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses), *self._final_events()]

    async def _check_alive(
        self, phase: Phase, unrunnable_codes: Collection[str], factory: CaseFactory, preflight: Preflight
    ) -> bool:
        """Return whether a plain callback was accepted before the malformed bodies; send it if a phase needs it."""
        is_needed = phase in _LIVENESS_CHECK_PHASES or (phase is Phase.FINAL and not self._is_alive_checked)
        if is_needed and any(clause.code not in unrunnable_codes for clause in self._pending_clauses(phase)):
            attempt = await self.transport(_head_only(factory), deadline_s=preflight.deadline_s)
            self._is_alive_checked, self._was_alive = True, attempt.accepted
        return self._was_alive

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
                results[clause.code] = self._result(clause, ClauseOutcome().with_failures(failures))
        return results

    def _pending_clauses(self, *phases: Phase) -> list[Clause]:
        """Return the clauses of some phases that have no result yet."""
        return [clause for clause in self.plan.clauses if clause.phase in phases and clause.code not in self._results]

    async def _unrunnable(
        self, phase: Phase, observation: EffectObservation | None, factory: CaseFactory, preflight: Preflight
    ) -> list[ClauseResult]:
        """Return the results of clauses that cannot run now: no effect is visible, or the receiver is dead."""
        clauses = self._pending_clauses(phase)
        if self._breakdown:
            reason = f"the receiver accepts nothing since {self._breakdown.case.title!r} ({self._breakdown_reporter})"
            return [ClauseResult(clause, ClauseStatus.ERROR, reason=reason) for clause in clauses]
        if self._bounded.is_over:
            dead = await self._dead_results(clauses, factory, preflight) if phase is Phase.FINAL else {}
            return [
                dead.get(clause.code) or ClauseResult(clause, ClauseStatus.ERROR, reason=TOO_SLOW) for clause in clauses
            ]
        if observation and phase in EFFECT_PHASES:
            return list(filter(None, map(observation.precheck, clauses)))
        if clauses and phase in _PHASES_AFTER_ABUSE and not await self._is_alive(factory, preflight):
            return [ClauseResult(clause, ClauseStatus.ERROR, reason=_RECEIVER_DEAD) for clause in clauses]
        return []

    async def _dead_results(
        self, clauses: Sequence[Clause], factory: CaseFactory, preflight: Preflight
    ) -> dict[str, ClauseResult]:
        """Return the failures of the clauses about a receiver that answers, if it answers no more after the abuse."""
        about = [clause for clause in clauses if any(assertion_of(one).is_about_liveness for one in clause.assertions)]
        if not (about and self._is_alive_checked and self._was_alive):
            return {}
        case = factory.plain_case()
        attempt = await self.transport(case.request, deadline_s=preflight.deadline_s)
        if attempt.status is not None:
            return {}
        outcome = ClauseOutcome().with_failures([Failure(case, attempt, describe_response(attempt))])
        return {clause.code: self._result(clause, outcome) for clause in about}

    async def _open_observation(self, preflight: Preflight, deadline: float) -> EffectObservation | None:
        """Calibrate the observation of effects, if a clause needs it and there is an observer."""
        config = self.plan.observation
        observer = config.observer or config.downstream
        if observer is None or not self._pending_clauses(*EFFECT_PHASES):
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

    async def _is_alive(self, factory: CaseFactory, preflight: Preflight) -> bool:
        """Return whether a receiver still answers, with time to finish the requests that it has."""
        for _ in range(_LIVENESS_ATTEMPTS):
            attempt = await self._bounded(_head_only(factory), deadline_s=preflight.deadline_s)
            is_answered = attempt.status is not None and not (is_broken(attempt) and preflight.attempt.accepted)
            if is_answered or attempt.outcome is Outcome.CANCELLED or preflight.slow:
                return True
        return False

    async def _preflight(self, plain_request: OutgoingRequest, deadline: float) -> Preflight:
        plan = self.plan
        attempts: list[Attempt] = []

        async def transport(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
            attempts.append(await self.transport(request, deadline_s=deadline_s, intended_s=intended_s))
            return attempts[-1]

        try:
            async with asyncio.timeout(deadline - self.clock()):
                return await run_preflight(
                    plain_request,
                    plan.target,
                    transport=transport,
                    deadline_s=plan.profile.delivery.timeout_s,
                    wait_s=plan.wait_s,
                    clock=self.clock,
                    sleep=self.sleep,
                    max_in_flight=plan.jobs,
                )
        except TimeoutError:
            if attempts and attempts[-1].outcome is Outcome.TIMED_OUT:
                return Preflight(attempts[-1], plan.profile.delivery.timeout_s)
            raise TargetError(
                f"{plan.target} did not answer a plain callback inside --max-time {plan.time_limit_s:g}s; give it more"
            ) from None

    async def _run_phase(
        self, clauses: list[Clause], runner: ClauseRunner, sequential_runner: RequestRunner | None, deadline: float
    ) -> AsyncIterator[RunEvent]:
        """Run the clauses of a phase, and record what the time limit cuts short."""
        phase_run = PhaseRun(
            clauses,
            runner,
            sequential_runner,
            self._repeater,
            self._tests.of,
            lambda clause, outcome: self._record_result(self._result(clause, outcome)),
            self.clock,
            self._durations_s,
            self._has_broken_down,
        )
        async for event in phase_run.events(deadline - self.clock()):
            yield event
        for event in self._record_unfinished(clauses, phase_run.parallel_outcomes, runner):
            yield event

    async def _has_broken_down(self) -> bool:
        """Return whether one request broke the receiver; send a plain callback to find out, where it may have."""
        if self._breakdown or not is_suspect(self._log.sent):
            return self._breakdown is not None
        plain_case = self._tests.factory(_PREFLIGHT_CODE).plain_case()
        attempt = await self.transport(plain_case.request, deadline_s=self.plan.profile.delivery.timeout_s)
        self._breakdown = find_breakdown(self._log.sent, self._tests.built, attempt) if is_broken(attempt) else None
        if self._breakdown is None:
            return False
        clauses = {clause.code: clause for clause in self.plan.clauses}
        for code, outcome in self._outcomes.items():
            self._results[code] = self._result(clauses[code], outcome)
        for clause in self._pending_clauses(*Phase):
            if clause.code == _ALIVE_CODE:
                failing = ClauseOutcome().with_failures([self._breakdown.failure(plain_case)])
                self._results[clause.code] = failing.to_result(self._context(clause, (self._breakdown.code,)))
        return True

    def _record_unfinished(
        self, clauses: list[Clause], parallel_outcomes: Mapping[str, ClauseOutcome], runner: ClauseRunner
    ) -> Iterator[ClauseFinished]:
        """Record the results of the clauses that the time limit of the run cut short: what is known is reported."""
        for clause in clauses:
            if clause.code in self._results:
                continue
            outcome = parallel_outcomes.get(clause.code) or runner.outcome_so_far(clause, self._tests.of(clause))
            result = self._result(clause, outcome.cut_short(is_concurrent=isinstance(runner, RequestRunner)))
            if result.status is not ClauseStatus.FAIL:
                result = replace(result, status=ClauseStatus.ERROR, reason="", findings=(), missing=_OUT_OF_TIME)
            yield from self._record_result(result)

    def _result(self, clause: Clause, outcome: ClauseOutcome) -> ClauseResult:
        if clause.phase is Phase.MAIN and self._is_late_clause_run and not is_about_timing(clause):
            outcome = outcome.without_late()
        if self._breakdown:
            outcome = self._breakdown.without_consequences(outcome, self._breakdown_reporter)
            if clause.code == self._breakdown_reporter:
                outcome = outcome.with_failures([self._breakdown.failure(None)])
        if clause.phase not in _PHASES_BEFORE_ABUSE:
            outcome = outcome.blaming("" if clause.phase in _PHASES_AFTER_ABUSE else _ALIVE_CODE)
        blind_result = self._observation.blind_result(clause, outcome) if self._observation else None
        if blind_result:
            return blind_result
        self._outcomes[clause.code] = outcome
        return replace(outcome.to_result(self._context(clause)), duration_s=self._durations_s.get(clause.code, 0.0))

    @property
    def _breakdown_reporter(self) -> str:
        """The code of the clause that reports a breakdown: the one about a receiver that answers, if it is run."""
        result = self._results.get(_ALIVE_CODE)
        is_run = any(clause.code == _ALIVE_CODE for clause in self.plan.clauses)
        is_run &= result is None or result.status is not ClauseStatus.NOT_RUN
        return _ALIVE_CODE if is_run or self._breakdown is None else self._breakdown.code

    @property
    def _is_late_clause_run(self) -> bool:
        """Whether the clause about the deadline is part of the run."""
        result = self._results.get(LATE_CLAUSE)
        if result is not None:
            return result.status is not ClauseStatus.NOT_RUN
        return any(clause.code == LATE_CLAUSE for clause in self.plan.clauses)

    def _context(self, clause: Clause, met_by: tuple[str, ...] = ()) -> ReproductionContext:
        return self.plan.reproduction_context(clause, self._tests.of(clause), met_by)

    def _skip_result(self, clause: Clause, preflight: Preflight, *, is_too_slow: bool) -> ClauseResult | None:
        """Return the result of a clause that is not run."""
        missing = self.plan.missing_prerequisite(clause)
        if missing is None:
            missing = self.plan.missing_for_test(self._tests.of(clause), is_sequential=calls_one_by_one(self.transport))
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

    def _record_result(self, result: ClauseResult) -> list[ClauseFinished]:
        """Record a result; return its event if it is final: other clauses may still report something to this one."""
        code = result.clause.code
        self._results[code] = result
        outcome = self._outcomes.get(code, ClauseOutcome())
        is_open = code in NAMED_CLAUSES or any(exclusion.codes for exclusion in outcome.skipped)
        is_open |= self._refusals(result.clause) is not None
        if is_open and result.status is not ClauseStatus.NOT_RUN:
            return []
        self._published.add(code)
        return [ClauseFinished(result)]


def _head_only(factory: CaseFactory) -> OutgoingRequest:
    """Return a plain callback of whose answer only the head is waited for."""
    return replace(factory.plain_case().request, body_timeout_s=LATE_BODY_TIMEOUT_S)
