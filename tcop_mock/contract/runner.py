"""Runs a contract against a target and yields events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tcop_mock.callbacks.generator import Generator
from tcop_mock.contract.assertions import PLAIN_TIMED_OUT, AssertionContext
from tcop_mock.contract.builders_effects import sent_strings
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clause_outcome import ClauseOutcome, is_concurrent, select_cases
from tcop_mock.contract.clauses import EFFECT_SCENARIOS, assertion_of, builder_of
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.misreadings import find_misreading
from tcop_mock.contract.observation import EffectObservation, ObservationConfig
from tcop_mock.contract.preflight import CredentialsRejectedError, run_preflight
from tcop_mock.contract.refusals import refused_service, with_refusals
from tcop_mock.contract.reproduce import ReproductionContext
from tcop_mock.contract.request_runner import RequestRunner
from tcop_mock.domain.contract import Clause, MissingPrerequisite, Phase, Prerequisite
from tcop_mock.domain.verdict import (
    INTERRUPTED,
    ClauseFinished,
    ClauseResult,
    ClauseStarted,
    ClauseStatus,
    RunEvent,
    RunFinished,
    RunInfo,
    RunStarted,
    Verdict,
)
from tcop_mock.errors import TargetError
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.delivery import RateLimitedTransport
from tcop_mock.transport.inprocess import calls_one_by_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

    from tcop_mock.callbacks.notification_template import NotificationTemplate
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.effect_runner import EffectRunner
    from tcop_mock.contract.preflight import Preflight
    from tcop_mock.contract.reproduce import Flag
    from tcop_mock.domain.contract import ClauseTest, RequestCase
    from tcop_mock.domain.delivery import OutgoingRequest, Transport
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.target import Credentials, Target
    from tcop_mock.server.downstream import ReceivedMessage

    ClauseRunner: TypeAlias = RequestRunner | EffectRunner


_SPARE_REQUESTS = 12

_PREFLIGHT_CODE = "TCM000"

_CONTROL_CODE = "TCM001"

_EFFECT_PHASES = frozenset({Phase.EFFECTS, Phase.SLOW_EFFECTS, Phase.LASTING_FAULTS})

_REQUESTS_PER_STEP = 10

_NEVER_RERUN_PHASES = _EFFECT_PHASES | {Phase.FINAL, Phase.DEEP_NESTING, Phase.SLOW_SENDER, Phase.BURST}

"""Phases whose clauses are not run a second time."""

_LIVENESS_CHECK_PHASES = frozenset({Phase.MALFORMED_INPUT, Phase.DEEP_NESTING})

_PHASES_AFTER_ABUSE = frozenset({Phase.SLOW_SENDER, Phase.BURST, Phase.AUTH})

_LIVENESS_ATTEMPTS = 2

_RECEIVER_DEAD = "the receiver no longer answers a plain callback (TCM409, TCM515)"

_MISREADING_CODE = "TCM203"

_MISREAD = "the receiver rejects the right credentials (TCM203)"

_OUT_OF_TIME = MissingPrerequisite(Prerequisite.TIME)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ContractRun:
    """One run of a contract: an iterator of events, and a verdict at any time, also of an incomplete run."""

    plan: CheckPlan
    transport: Transport
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime] = _now
    """Returns the date and time for reports."""
    _started: tuple[datetime, float] | None = None
    _results: dict[str, ClauseResult] = field(default_factory=dict)
    _durations_s: dict[str, float] = field(default_factory=dict)
    _tests: dict[tuple[str, int], ClauseTest] = field(default_factory=dict, repr=False)
    """What each clause sends, by its code and the number of the rerun."""
    _load_failures: list[Failure] = field(default_factory=list)
    """Requests that failed in parallel and were accepted sequentially."""
    _observation: EffectObservation | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.plan.min_interval_s:
            self.transport = RateLimitedTransport(
                self.transport, 1, period_s=self.plan.min_interval_s, clock=self.clock, sleep=self.sleep
            )

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
            results=tuple(
                self._results.get(clause.code)
                or ClauseResult(
                    clause,
                    ClauseStatus.ERROR,
                    reason=unfinished_reason,
                    missing=None if unfinished_reason else _OUT_OF_TIME,
                )
                for clause in plan.clauses
            ),
            run_info=run_info,
        )

    async def events(self) -> AsyncIterator[RunEvent]:
        """Run all clauses and yield the events.

        A clause about a stub service ends last: messages of every other clause may be refused there.

        Raises:
            TargetError: the target cannot be used, so no clause has a result.
        """
        held_results: list[ClauseResult] = []
        async for event in self._clause_events():
            if isinstance(event, ClauseFinished) and self._refusals(event.result.clause) is not None:
                held_results.append(event.result)
            else:
                yield event
        for result in held_results:
            yield self._record_result(self._with_refusals(result))
        yield RunFinished(self.verdict())

    async def _clause_events(self) -> AsyncIterator[RunEvent]:
        """Run all clauses and yield the events up to the last clause's."""
        self._started = self.now(), self.clock()
        plan, deadline = self.plan, self.clock() + self.plan.max_time_s
        factory = self._factory(_PREFLIGHT_CODE)
        plain_case = factory.plain_case()
        try:
            preflight = await self._preflight(plain_case.request)
        except CredentialsRejectedError as rejection:
            for event in await self._misread_credentials(plain_case, rejection):
                yield event
            return
        yield RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses)
        parallel_runner = RequestRunner(
            self.transport, self.sleep, preflight.deadline_s, AssertionContext(slow=preflight.slow), preflight.in_flight
        )
        sequential_runner = parallel_runner.sequential() if preflight.attempt.accepted else None
        for clause in plan.clauses:
            skipped_result = self._skip_result(clause, preflight)
            if skipped_result is not None:
                yield self._record_result(skipped_result)
        checked_alive = False
        observation = self._observation = await self._open_observation(preflight, deadline)
        for phase in Phase:
            for result in await self._unrunnable(phase, observation, factory, preflight):
                yield self._record_result(result)
            clauses = self._pending_clauses(phase)
            if clauses and (phase in _LIVENESS_CHECK_PHASES or (phase is Phase.FINAL and not checked_alive)):
                is_alive = (
                    await self.transport(factory.plain_case().request, deadline_s=preflight.deadline_s)
                ).accepted
                parallel_runner.context, checked_alive = parallel_runner.context._replace(alive_before=is_alive), True
            async for event in self._run_phase(
                clauses,
                observation.runner if observation and phase in _EFFECT_PHASES else parallel_runner,
                None if phase in _NEVER_RERUN_PHASES else sequential_runner,
                deadline,
            ):
                yield event

    def _with_refusals(self, result: ClauseResult) -> ClauseResult:
        """Return the result of a clause about a service with all that the service refused in the whole run."""
        messages = self._refusals(result.clause) or ()
        return with_refusals(result, messages, self._tests.values(), self._context(result.clause, None))

    def _refusals(self, clause: Clause) -> Sequence[ReceivedMessage] | None:
        """Return what the service of a clause refused so far; ``None`` for all other clauses."""
        service, downstream = refused_service(clause), self.plan.observation.downstream
        return downstream.refusals_by(service) if service and downstream else None

    async def _misread_credentials(
        self, plain_case: RequestCase, rejection: CredentialsRejectedError
    ) -> list[RunEvent]:
        """Return the events of a run against a receiver that misreads the right credentials: only TCM203 has a result.

        Raises:
            CredentialsRejectedError: the receiver accepts no known misreading, or TCM203 is not selected.
        """
        plan, credentials = self.plan, self.plan.target.credentials
        clause = next((clause for clause in plan.clauses if clause.code == _MISREADING_CODE), None)
        if credentials is None or clause is None or plan.missing_prerequisite(clause):
            raise rejection
        title = await find_misreading(
            plain_case.request,
            credentials,
            transport=self.transport,
            deadline_s=plan.profile.delivery.timeout_s,
        )
        if title is None and ":" in credentials.password.reveal():
            hint = "; a receiver that cuts them at another colon than the first rejects the right ones, too (TCM203)"
            raise CredentialsRejectedError(f"{rejection}{hint}", rejection.attempt)
        if title is None:
            raise rejection
        text = f"answered {rejection.attempt.status}, and takes {title}"
        outcome = ClauseOutcome(
            failures=(Failure(plain_case, rejection.attempt, text),), asserted=frozenset({plain_case.title})
        )
        self._durations_s[clause.code] = rejection.attempt.duration_s
        events: list[RunEvent] = [RunStarted(str(plan.target), plan.profile.name, plan.seed, plan.clauses)]
        for other in plan.clauses:
            missing = plan.missing_prerequisite(other)
            status = ClauseStatus.NOT_RUN if missing else ClauseStatus.ERROR
            result = ClauseResult(other, status, reason="" if missing else _MISREAD, missing=missing)
            events.append(self._record_result(self._result(clause, outcome) if other is clause else result))
        return [*events, RunFinished(self.verdict())]

    def _pending_clauses(self, *phases: Phase) -> list[Clause]:
        """Return the clauses of some phases that have no result yet."""
        return [clause for clause in self.plan.clauses if clause.phase in phases and clause.code not in self._results]

    async def _unrunnable(
        self, phase: Phase, observation: EffectObservation | None, factory: CaseFactory, preflight: Preflight
    ) -> list[ClauseResult]:
        """Return the results of clauses that cannot run now: no effect is visible, or the receiver is dead."""
        clauses = self._pending_clauses(phase)
        if observation and phase in _EFFECT_PHASES:
            return list(filter(None, map(observation.precheck, clauses)))
        if clauses and phase in _PHASES_AFTER_ABUSE and not await self._is_alive(factory, preflight):
            return [ClauseResult(clause, ClauseStatus.ERROR, reason=_RECEIVER_DEAD) for clause in clauses]
        return []

    async def _open_observation(self, preflight: Preflight, deadline: float) -> EffectObservation | None:
        """Calibrate the observation of effects, if a clause needs it and there is an observer."""
        config = self.plan.observation
        observer = config.observer or config.downstream
        if observer is None or not self._pending_clauses(*_EFFECT_PHASES):
            return None
        observation = EffectObservation(config, observer, self.transport, self.clock, self.sleep, preflight, deadline)
        observation.runner.all_sent_text = "\n".join(
            text for clause in self.plan.clauses for text in sent_strings(self._test(clause))
        )
        await observation.calibrate(self._factory(_CONTROL_CODE))
        return observation

    async def _is_alive(self, factory: CaseFactory, preflight: Preflight) -> bool:
        """Return whether a receiver still answers, with time to finish the requests that it has."""
        for _ in range(_LIVENESS_ATTEMPTS):
            attempt = await self.transport(factory.plain_case().request, deadline_s=preflight.deadline_s)
            if attempt.status is not None or preflight.slow:
                return True
        return False

    async def _preflight(self, plain_request: OutgoingRequest) -> Preflight:
        plan = self.plan
        try:
            async with asyncio.timeout(plan.max_time_s):
                return await run_preflight(
                    plain_request,
                    plan.target,
                    transport=self.transport,
                    deadline_s=plan.profile.delivery.timeout_s,
                    wait_s=plan.wait_s,
                    clock=self.clock,
                    sleep=self.sleep,
                )
        except TimeoutError:
            raise TargetError(
                f"{plan.target} did not answer a plain callback inside --max-time {plan.max_time_s:g}s; give it more"
            ) from None

    async def _run_phase(
        self, clauses: list[Clause], runner: ClauseRunner, sequential_runner: ClauseRunner | None, deadline: float
    ) -> AsyncIterator[RunEvent]:
        """Run clauses in parallel; rerun sequentially the cases that failed, if there is a sequential runner."""
        events: asyncio.Queue[RunEvent] = asyncio.Queue()
        tests = {clause.code: self._test(clause) for clause in clauses}
        requests = _SPARE_REQUESTS + sum(map(_request_count, tests.values()))
        reruns: list[tuple[Clause, ClauseOutcome, ClauseRunner]] = []

        async def run_one(clause: Clause) -> None:
            events.put_nowait(ClauseStarted(clause))
            outcome = await self._run_clause(clause, tests[clause.code], runner, requests)
            if outcome.rerun and sequential_runner:
                reruns.append((clause, outcome, sequential_runner))
            else:
                events.put_nowait(self._record_result(self._result(clause, outcome)))

        async def run_all() -> None:
            await asyncio.gather(*map(run_one, clauses))
            for clause, parallel_outcome, rerun_runner in reruns:
                # a failure in parallel proves nothing about the clause: the receiver may serve one request at a time,
                # have a race, limit the rate, or have died of another clause's body
                rerun_test = select_cases(self._test(clause, rerun=1), parallel_outcome.rerun)
                rerun_outcome = await self._run_clause(clause, rerun_test, rerun_runner, requests)
                self._load_failures += parallel_outcome.load_only_failures(rerun_outcome)
                events.put_nowait(
                    self._record_result(self._result(clause, parallel_outcome.merge_rerun(rerun_outcome)))
                )

        task = asyncio.create_task(run_all())
        try:
            async for event in _until_done(task, events, deadline - self.clock()):
                yield event
        finally:
            task.cancel()
            await asyncio.wait({task})
        for clause in clauses:
            if clause.code not in self._results:
                yield self._record_result(ClauseResult(clause, ClauseStatus.ERROR, missing=_OUT_OF_TIME))

    async def _run_clause(self, clause: Clause, test: ClauseTest, runner: ClauseRunner, requests: int) -> ClauseOutcome:
        """Run one clause within a time limit of its own, which allows for a timeout of each request in the phase."""
        limit_s = runner.deadline_s * test.deadline_factor * requests
        started_s = self.clock()
        try:
            async with asyncio.timeout(limit_s):
                return await runner.run(clause, test)
        except TimeoutError:
            return ClauseOutcome(inconclusive=(f"not finished within its own limit of {limit_s:g} s",))
        finally:
            self._durations_s[clause.code] = self._durations_s.get(clause.code, 0.0) + self.clock() - started_s

    def _result(self, clause: Clause, outcome: ClauseOutcome) -> ClauseResult:
        if clause.phase is Phase.BURST:
            outcome = outcome.with_failures(self._load_failures)
        blind_result = self._observation.blind_result(clause, outcome) if self._observation else None
        if blind_result:
            return blind_result
        context = self._context(clause, self._test(clause) if outcome.failures else None)
        return replace(outcome.to_result(context), duration_s=self._durations_s[clause.code])

    def _context(self, clause: Clause, test: ClauseTest | None) -> ReproductionContext:
        """Return what the findings of a clause say about seeing them again."""
        plan = self.plan
        folders, files = plan.catalog_folders, plan.clause_files
        template_file = plan.template.name if plan.template else ""
        return ReproductionContext(
            clause, plan.target, plan.seed, plan.profile.name, folders, test, files, template_file, plan.flags
        )

    def _test(self, clause: Clause, rerun: int = 0) -> ClauseTest:
        """Return what a clause sends; it is built once for each rerun number."""
        key = (clause.code, rerun)
        if key not in self._tests:
            self._tests[key] = self._build_test(clause, rerun)
        return self._tests[key]

    def _build_test(self, clause: Clause, rerun: int = 0) -> ClauseTest:
        return builder_of(clause)(self._factory(clause.code, rerun), **clause.builder.params)

    def _factory(self, code: str, rerun: int = 0) -> CaseFactory:
        plan = self.plan
        return CaseFactory(
            plan.catalog,
            Generator(plan.seed, wire_format=plan.profile.wire_format),
            code,
            credentials=plan.target.credentials,
            headers=plan.profile.delivery.headers,
            exhaustive=plan.target.parser is not None,
            template=plan.template,
            rerun=rerun,
        )

    def _skip_result(self, clause: Clause, preflight: Preflight) -> ClauseResult | None:
        """Return the result of a clause that is not run."""
        missing = self.plan.missing_prerequisite(clause)
        if missing is None and is_concurrent(self._test(clause)):
            missing = self._missing_concurrency()
        if missing:
            return ClauseResult(clause, ClauseStatus.NOT_RUN, missing=missing)
        if preflight.unresponsive and not _is_about_timing(clause):
            return ClauseResult(clause, ClauseStatus.ERROR, reason=PLAIN_TIMED_OUT)
        return None

    def _missing_concurrency(self) -> MissingPrerequisite | None:
        if self.plan.min_interval_s:
            return MissingPrerequisite(Prerequisite.PARALLEL_REQUESTS)
        return MissingPrerequisite(Prerequisite.PARALLEL_CALLS) if calls_one_by_one(self.transport) else None

    def _record_result(self, result: ClauseResult) -> ClauseFinished:
        self._results[result.clause.code] = result
        return ClauseFinished(result)


def _request_count(test: ClauseTest) -> int:
    """Return how many requests a test waits for at most."""
    group_requests = sum(len(group.cases) + 2 for group in test.groups)
    return group_requests + sum(
        len(step.cases) + _REQUESTS_PER_STEP for scenario in test.effect_scenarios for step in scenario.steps
    )


class CheckRun(NamedTuple):
    """A run that ended."""

    verdict: Verdict
    interrupted: bool = False
    """Whether Ctrl-C cut it short: the verdict holds the results so far, all other clauses have status ``error``."""


def run_check(
    plan: CheckPlan,
    transport: Transport,
    on_event: Callable[[RunEvent], object] | None = None,
    *,
    run_coroutine: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> CheckRun:
    """Run a contract to its end, or until Ctrl-C.

    Args:
        plan: what to check. Its downstream services listen while the contract runs.
        transport: sends the requests.
        on_event: is called with each event of the run; the last one is ``RunFinished``, also after Ctrl-C.
        run_coroutine: runs a coroutine to its end; the default needs a thread without a running event loop.

    Raises:
        TargetError: the target cannot be used, so no clause has a result.
        UsageError: the downstream services cannot listen at their address.
    """
    run = ContractRun(plan, transport, monotonic_s, asyncio.sleep)
    try:
        run_coroutine(run.run(on_event))
    except KeyboardInterrupt:
        verdict = run.verdict(INTERRUPTED)
        if on_event is not None:
            on_event(RunFinished(verdict))
        return CheckRun(verdict, interrupted=True)
    return CheckRun(run.verdict())


async def _until_done(
    task: asyncio.Task[None], events: asyncio.Queue[RunEvent], limit_s: float
) -> AsyncIterator[RunEvent]:
    """Yield events until the task is done or its time is up; raise the error of the task."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not (task.done() and events.empty()):
        next_event = asyncio.create_task(events.get())
        done, _ = await asyncio.wait(
            {next_event, task}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
        )
        if next_event in done:
            yield next_event.result()
        else:
            next_event.cancel()
        if not done:
            return
    task.result()


_TCOP_BODY_BUILDERS = frozenset({"raw_bodies", "scalar_types", EFFECT_SCENARIOS, "truncated_body", "mutations"})
"""Builders that change values of TCOP's own bodies."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What to check, and with which options."""

    target: Target
    catalog: Catalog
    clauses: tuple[Clause, ...]
    profile: Profile
    seed: int
    check_auth: bool = True
    """Whether the target's userinfo says which credentials the receiver wants."""
    wait_s: float = 0.0
    max_time_s: float = 300.0
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    catalog_folders: tuple[str, ...] = ()
    """The user's own, to be named again by whoever wants to see a finding again."""
    clause_files: tuple[str, ...] = ()
    """Globs of the user's own clauses, for the same reason."""
    template: NotificationTemplate | None = None
    """Of the user's own notices, in place of TCOP's own callbacks."""
    flags: tuple[Flag, ...] = ()
    """Further ones of the command line, to be named again likewise."""
    min_interval_s: float | None = None
    """Time between the starts of two requests at the least, for receivers that limit the rate."""
    takes_parsed_body: bool = False
    """Whether the target is a callable that gets the JSON value of each body and no HTTP request."""

    def missing_prerequisite(self, clause: Clause) -> MissingPrerequisite | None:
        """Return the precondition of a clause that this plan does not meet, whatever the receiver does."""
        return (
            self._target_mismatch(clause)
            or self._missing_credentials(clause)
            or self._template_mismatch(clause)
            or self.observation.missing_prerequisite(clause)
        )

    def _target_mismatch(self, clause: Clause) -> MissingPrerequisite | None:
        if clause.profiles and self.profile.name not in clause.profiles:
            return MissingPrerequisite(Prerequisite.PROFILE, (", ".join(clause.profiles),))
        if self.target.parser and self.target.parser not in clause.parsers:
            return MissingPrerequisite(Prerequisite.HTTP_REQUESTS, (self.target.parser.value,))
        if self.takes_parsed_body and not _is_about_parsed_bodies(clause):
            return MissingPrerequisite(Prerequisite.HTTP_REQUESTS, ("callable",))
        if Prerequisite.HTTP in clause.prerequisites and self.target.app:
            return MissingPrerequisite(Prerequisite.HTTP)
        return None

    def _missing_credentials(self, clause: Clause) -> MissingPrerequisite | None:
        credentials = self.target.credentials
        if Prerequisite.AUTH in clause.prerequisites and not (credentials and self.check_auth):
            return MissingPrerequisite(Prerequisite.AUTH)
        if Prerequisite.SPECIAL_CHARACTER_CREDENTIALS in clause.prerequisites and not _need_encoding(credentials):
            return MissingPrerequisite(Prerequisite.SPECIAL_CHARACTER_CREDENTIALS)
        return None

    def _template_mismatch(self, clause: Clause) -> MissingPrerequisite | None:
        if Prerequisite.TEMPLATE in clause.prerequisites and self.template is None:
            return MissingPrerequisite(Prerequisite.TEMPLATE)
        if self.template and clause.builder.name in _TCOP_BODY_BUILDERS:
            return MissingPrerequisite(Prerequisite.TCOP_BODIES)
        return None


def _is_about_parsed_bodies(clause: Clause) -> bool:
    """Return whether a clause applies to a callable: it is about bodies, response times or effects, not about HTTP."""
    if clause.phase is not Phase.MAIN:
        return clause.phase in {*_EFFECT_PHASES, Phase.BURST}
    return bool(clause.parsers) or Prerequisite.TEMPLATE in clause.prerequisites or _is_about_timing(clause)


def _is_about_timing(clause: Clause) -> bool:
    return clause.builder.name != EFFECT_SCENARIOS and any(
        assertion_of(invocation).is_about_timing for invocation in clause.assertions
    )


def _need_encoding(credentials: Credentials | None) -> bool:
    """Return whether credentials need percent-encoding in a URL, or hold characters beyond ASCII."""
    text = "".join(part.reveal() for part in (credentials.user, credentials.password)) if credentials else ""
    return not text.isascii() or not set(text).isdisjoint("@:/% +?#")
