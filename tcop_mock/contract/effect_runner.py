"""Runs the effect scenarios of one clause, observes their effects, and checks its assertions."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.contract.assertions import FAILED_CALL, NO_FIRST_EFFECT, TOO_SLOW
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion, main_case, refusal
from tcop_mock.contract.effect_assertions import (
    ABOUT_EVERYTHING,
    EFFECT_ASSERTIONS,
    NOT_CLOSED,
    acked_without_effect,
    count_matches,
    has_expected_effects,
)
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.receiver_control import shut_down_during
from tcop_mock.domain.contract import (
    DOWNSTREAM_PREREQUISITES,
    ENDING_MODES,
    EffectScenarioResult,
    Inconclusive,
    SendMode,
    Step,
    StepResult,
)
from tcop_mock.errors import ObserverError, TargetError
from tcop_mock.server.downstream import DOWNSTREAM_FAULTS, LASTING_FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from tcop_mock.contract.effect_poller import EffectPoller
    from tcop_mock.contract.receiver_control import ReceiverControl
    from tcop_mock.domain.contract import Clause, ClauseTest, EffectScenario, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.domain.effects import EffectSnapshot
    from tcop_mock.server.downstream import DownstreamRecorder, InjectedFault


_MAX_CONCURRENT_SCENARIOS = 64

"""Scenarios that run concurrently; most of the time they wait for effects."""

_HANG_UP_AFTER_S = 0.05

_RETRY_INTERVAL_S = 0.25

_MAX_TRIES = 240

_SHUT_DOWN_S = 10.0
"""Maximum time in seconds until the receiver ends after SIGTERM; then it is killed."""

_AS_STEP = "as-step-"

_LATE_EFFECTS_S = 30.0
"""Seconds to wait for a message that a failing service has not accepted."""


_NAMED = re.compile(r" \(TCM[^()]*\)$")
"""The clause that a reason names at its end."""


class ScenarioProblem(NamedTuple):
    """Why a scenario has no result."""

    reason: str
    not_applicable: bool = False
    """Whether the scenario is inconclusive with the callbacks of this profile."""
    exclusion: Exclusion | None = None
    """Failure for another clause, if the reason breaks that clause. This clause then leaves the scenario out."""


_ScenarioEnd: TypeAlias = "tuple[EffectScenario, EffectScenarioResult | ScenarioProblem]"


@dataclass(slots=True)
class EffectRunner:
    """Runs effect scenarios against one receiver.

    Args:
        transport: sends a request.
        poller: polls the observer.
        downstream_poller: polls our stub services, for clauses about forwarded messages.
        combined_poller: polls both, for clauses about everything that a receiver does.
        sleep: pauses.
        deadline_s: deadline of one attempt.
        in_flight: maximum number of requests in flight.
        late_effects_until_s: time on the clock until which to wait for late effects.
        downstream: the stub services that the receiver forwards to.
        restart: restarts the receiver.
        receiver: the receiver, if the run has started it.
        all_sent_text: all bodies of the run: a name that several scenarios send identifies none of them.
        effects_per_push: number of effects of one plain callback; only TCM501 fails if there are several.
    """

    transport: Transport
    poller: EffectPoller
    downstream_poller: EffectPoller
    combined_poller: EffectPoller
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    in_flight: int
    late_effects_until_s: float
    downstream: DownstreamRecorder | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    receiver: ReceiverControl | None = None
    all_sent_text: str = field(default="", repr=False)
    effects_per_push: int = 1
    _semaphore: asyncio.Semaphore = field(init=False, repr=False)
    _lasting_fault: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    """Held by the scenario whose fault may stop the messages of all others."""
    _results: dict[str, list[_ScenarioEnd]] = field(default_factory=dict, init=False, repr=False)
    """The scenarios of each clause that have ended."""

    def __post_init__(self) -> None:
        self._semaphore = asyncio.Semaphore(self.in_flight)

    async def run(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Run all scenarios of a clause and check the assertions."""
        poller = self._poller_for(clause)
        semaphore = asyncio.Semaphore(_MAX_CONCURRENT_SCENARIOS)
        ended = self._results[clause.code] = []

        async def run_one(scenario: EffectScenario) -> None:
            is_lasting = any(step.downstream_fault in LASTING_FAULTS for step in scenario.steps)
            async with semaphore, self._lasting_fault if is_lasting else contextlib.nullcontext():
                try:
                    ended.append((scenario, await self.run_scenario(scenario, poller)))
                except (ObserverError, TargetError) as error:  # or the receiver did not start again
                    ended.append((scenario, ScenarioProblem(str(error))))

        await asyncio.gather(*map(run_one, test.effect_scenarios))
        return self.outcome_so_far(clause, test)

    def outcome_so_far(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Return the outcome of the scenarios that have ended, in their order."""
        order = {scenario.title: number for number, scenario in enumerate(test.effect_scenarios)}
        ended = sorted(self._results.get(clause.code, ()), key=lambda end: order[end[0].title])
        uses_other_view = self._poller_for(clause).observer is not self.poller.observer
        outcome = _to_outcome(clause, ended, names_other_clauses=not uses_other_view)
        return replace(outcome, main_title=main_case(test.effect_scenarios))

    async def run_scenario(
        self, scenario: EffectScenario, poller: EffectPoller
    ) -> EffectScenarioResult | ScenarioProblem:
        """Run one scenario to its end, or to the first step with unexpected effects; return why it has no result.

        Args:
            scenario: what to send and to expect.
            poller: polls the observer.

        Raises:
            ObserverError: the observer failed.
        """
        if scenario.left_out:
            return ScenarioProblem(scenario.left_out, not_applicable=True)
        scenario, before = await self._with_distinctive_names(scenario, poller)
        if before.effects and not scenario.names_no_alarm:
            return ScenarioProblem("the receiver knows the alarms of this seed already; use another seed, or none")
        step_results: list[StepResult] = []
        with contextlib.ExitStack() as fault_scope:
            fault_end = 0
            for number, step in enumerate(scenario.steps):
                if number >= fault_end:
                    fault_scope.close()
                if step.downstream_fault:
                    fault_end = number + step.fault_steps
                result = await self._run_step(
                    poller, scenario, step, before=before, earlier=step_results, fault_scope=fault_scope
                )
                if isinstance(result, ScenarioProblem):
                    return result
                step_results.append(result)
                if not _matches_expectation(result.step, before, result.after) or _is_lost_at_end(scenario, result):
                    break
                before = result.after
        return EffectScenarioResult(scenario, tuple(step_results))

    def _poller_for(self, clause: Clause) -> EffectPoller:
        """Return the poller for the effects of a clause."""
        if clause.prerequisites & DOWNSTREAM_PREREQUISITES:
            return self.downstream_poller
        is_about_everything = any(invocation.name in ABOUT_EVERYTHING for invocation in clause.assertions)
        return self.combined_poller if is_about_everything else self.poller

    async def _with_distinctive_names(
        self, scenario: EffectScenario, poller: EffectPoller
    ) -> tuple[EffectScenario, EffectSnapshot]:
        """Return the scenario with the names that no other scenario sends among its tokens, and its effects so far."""
        poller.sent_text = self.all_sent_text
        distinctive_names = frozenset(
            name
            for name in scenario.object_names
            if self.all_sent_text.count(name) == scenario.expected_content.sent_text.count(name)
        )
        unique_tokens = scenario.unique_tokens
        scenario = replace(scenario, unique_tokens=unique_tokens | distinctive_names)
        before = await poller.snapshot(scenario)
        if before.effects and not scenario.names_no_alarm:
            scenario = replace(scenario, unique_tokens=unique_tokens)
            before = await poller.snapshot(scenario)
        return scenario, before

    async def _run_step(  # noqa: PLR0913 - the state of a scenario
        self,
        poller: EffectPoller,
        scenario: EffectScenario,
        step: Step,
        *,
        before: EffectSnapshot,
        earlier: Sequence[StepResult],
        fault_scope: contextlib.ExitStack,
    ) -> StepResult | ScenarioProblem:
        """Send the requests of a step and observe their effects."""
        step = self._with_expected_counts(step, earlier)
        if step.pause_s:
            await self.sleep(step.pause_s)
        fault = None
        if step.downstream_fault and self.downstream:
            tokens = step.tokens & scenario.unique_tokens
            fault = fault_scope.enter_context(
                self.downstream.inject_fault(tokens, DOWNSTREAM_FAULTS[step.downstream_fault])
            )
        attempts = await self._send_step(step)
        without_result = next((one for one in attempts if one.detail == TOO_SLOW or FAILED_CALL in one.detail), None)
        if without_result:
            return ScenarioProblem(without_result.detail)
        if fault:
            await self._wait_until_met(fault, attempts, until_accepted=step.fault_steps == 1)
            if step.fault_steps == 1:
                fault_scope.close()
        rejected = next(((case, attempt) for case, attempt in _paired(step, attempts) if not attempt.accepted), None)
        if (
            rejected
            and not step.continue_on_error
            and step.send_mode not in {SendMode.ACK_LOST, SendMode.DURING_RESTART}
        ):
            exclusion = refusal(scenario.title, *rejected, label=step.title)._replace(is_repeated=False)
            return ScenarioProblem(exclusion.reason, exclusion=exclusion)
        until_s = self._effects_until_s(step)
        if not step.cases and not _is_any_accepted(step, earlier):  # TCOP sends it again, and this run does not
            until_s = self.poller.clock()
        after = await self._observe_step(poller, scenario, step, before=before, attempts=attempts, until_s=until_s)
        return StepResult(
            step,
            tuple(attempts),
            before,
            after,
            is_fault_met=fault is None or fault.triggered.is_set(),
            is_cut_short=until_s is not None and until_s >= self.late_effects_until_s,
        )

    def _with_expected_counts(self, step: Step, earlier: Sequence[StepResult]) -> Step:
        """Return the step with counts in place of references to a plain callback or to an earlier step."""
        effects, open_incidents = step.expected_effects, step.expected_open
        if effects == "per-push":
            effects = f"={self.effects_per_push}"
        if effects.startswith(_AS_STEP):
            like = earlier[int(effects.removeprefix(_AS_STEP)) - 1]
            effects = _relation(like.before.count, like.after.count)
        if open_incidents.startswith(_AS_STEP):
            like = earlier[int(open_incidents.removeprefix(_AS_STEP)) - 1]
            open_incidents = _relation(like.before.open_count, like.after.open_count)
        return replace(step, expected_effects=effects, expected_open=open_incidents)

    def _effects_until_s(self, step: Step) -> float | None:
        """Return the time on the clock until which to wait for late effects of a step; ``None``: the usual time."""
        wait_s = step.wait_s or (_LATE_EFFECTS_S if step.downstream_fault and step.fault_steps == 1 else 0.0)
        return min(self.late_effects_until_s, self.poller.clock() + wait_s) if wait_s else None

    async def _observe_step(  # noqa: PLR0913 - the state of a scenario
        self,
        poller: EffectPoller,
        scenario: EffectScenario,
        step: Step,
        *,
        before: EffectSnapshot,
        attempts: Sequence[Attempt],
        until_s: float | None,
    ) -> EffectSnapshot:
        if step.downstream_fault and not any(attempt.accepted for attempt in attempts):
            return await poller.snapshot(scenario)
        if step.send_mode in ENDING_MODES:
            return await poller.wait_until_settled(
                scenario, lambda after: not acked_without_effect(scenario, step, attempts, after), until_s=until_s
            )

        def is_awaited(after: EffectSnapshot) -> bool:
            return _is_awaited(step, before, after)

        after = await poller.wait_until_settled(scenario, is_awaited, until_s=until_s)
        if until_s or poller.backlog is None or is_awaited(after) or _is_exceeded(step, before, after):
            return after
        if await poller.backlog.wait() > poller.effect_timeout_s:
            return await poller.wait_until_settled(scenario, is_awaited)
        return await poller.snapshot(scenario)

    async def _wait_until_met(self, fault: InjectedFault, attempts: Sequence[Attempt], *, until_accepted: bool) -> None:
        """Wait until the receiver has called the failing service, also after its response.

        Args:
            fault: the fault of the service.
            attempts: the pushes that make the receiver call it.
            until_accepted: whether to wait only if a push was accepted.
        """
        if any(attempt.accepted for attempt in attempts) or not until_accepted:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.poller.effect_timeout_s):
                    await fault.triggered.wait()

    async def _send_step(self, step: Step) -> list[Attempt]:
        if step.send_mode is SendMode.CONCURRENT:
            sends = (self.transport(case.request, deadline_s=self.deadline_s) for case in step.cases)
            return list(await asyncio.gather(*sends))
        if step.send_mode is SendMode.ACK_LOST:
            return [
                await self._send_request(replace(case.request, hang_up_after_s=_HANG_UP_AFTER_S)) for case in step.cases
            ]
        if step.send_mode in ENDING_MODES and self.receiver is not None:
            return await self._send_and_end(step, self.receiver)
        if step.send_mode is SendMode.DURING_RESTART and self.restart is not None:
            return await self._send_during_restart(asyncio.ensure_future(self.restart()), step.cases[0])
        return [await self._send_request(case.request) for case in step.cases]

    async def _send_and_end(self, step: Step, receiver: ReceiverControl) -> list[Attempt]:
        """Send while the receiver ends, or just before that, and start it again."""
        sends = [partial(self._send_request, case.request) for case in step.cases]
        if step.send_mode is SendMode.THEN_KILLED:
            attempts = list(await asyncio.gather(*(send() for send in sends)))
            await receiver.crash()
            return attempts
        attempts, _ = await shut_down_during(receiver, sends, self.sleep, _SHUT_DOWN_S)
        await receiver.restart()
        return attempts

    async def _send_during_restart(self, restart: asyncio.Future[None], case: RequestCase) -> list[Attempt]:
        """Send repeatedly during a restart until the receiver accepts, as the retries of TCOP do."""
        attempts: list[Attempt] = []
        try:
            is_restarted = False
            while not (is_restarted and _is_accepted(attempts[-1])) and len(attempts) < _MAX_TRIES:
                is_restarted = restart.done()  # the new process has not answered earlier requests
                attempts.append(await self._send_request(case.request))
                await self.sleep(_RETRY_INTERVAL_S)
            await restart
        finally:
            restart.cancel()
        return attempts

    async def _send_request(self, request: OutgoingRequest) -> Attempt:
        async with self._semaphore:
            return await self.transport(request, deadline_s=self.deadline_s)


def _paired(step: Step, attempts: Sequence[Attempt]) -> Iterator[tuple[RequestCase, Attempt]]:
    """Yield the attempts with their cases; during a restart there is one case and many attempts."""
    last = len(step.cases) - 1
    return ((step.cases[min(number, last)], attempt) for number, attempt in enumerate(attempts))


def _is_any_accepted(step: Step, earlier: Sequence[StepResult]) -> bool:
    """Return whether a push about the alarms of a step was accepted in an earlier one."""
    about = (result for result in earlier if result.step.tokens & step.tokens)
    return any(attempt.accepted for result in about for attempt in result.attempts)


def _is_accepted(attempt: Attempt) -> bool:
    return attempt.accepted or attempt.status == HTTPStatus.CONFLICT  # the receiver has it already


def _relation(before: int, after: int) -> str:
    """Return how a count changed, as an expectation; no change: nothing is expected."""
    return "more" if after > before else "less" if after < before else ""


def _is_lost_at_end(scenario: EffectScenario, result: StepResult) -> bool:
    """Return whether the receiver has ended in a step, and has lost what it acknowledged."""
    step = result.step
    return step.send_mode in ENDING_MODES and bool(acked_without_effect(scenario, step, result.attempts, result.after))


def _is_awaited(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    """Return whether the wait may end. Optional effects are waited for, unless the incidents decide."""
    effects = step.expected_effects
    if effects.endswith("?"):
        effects = effects.removesuffix("?") if after.open_incidents is None else ""
    return _matches_expectation(replace(step, expected_effects=effects), before, after)


def _matches_expectation(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    open_matches = after.open_incidents is None or count_matches(
        step.expected_open, before.open_count, after.open_count
    )
    return open_matches and has_expected_effects(step, before, after)


def _is_exceeded(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    """Return whether there are more effects than expected: waiting does not change that."""
    expected = step.expected_effects
    if expected == "same":
        return after.count > before.count
    return expected.startswith("=") and after.count > int(expected.removeprefix("="))


def _to_outcome(clause: Clause, results: Sequence[_ScenarioEnd], *, names_other_clauses: bool) -> ClauseOutcome:
    failures: list[Failure] = []
    inconclusive: dict[str, str] = {}
    skipped: dict[str, Exclusion] = {}
    not_applicable: dict[str, str] = {}
    asserted: set[str] = set()
    for scenario, result in results:
        if isinstance(result, ScenarioProblem):
            if result.exclusion:
                skipped[scenario.title] = result.exclusion
            else:
                problems = not_applicable if result.not_applicable else inconclusive
                problems[scenario.title] = result.reason
            continue
        messages = [EFFECT_ASSERTIONS[invocation.name](result, **invocation.params) for invocation in clause.assertions]
        unclear_results = [message for message in messages if isinstance(message, Inconclusive)]
        failure_texts = [message for message in messages if isinstance(message, str)]
        if failure_texts:
            asserted.add(scenario.title)
            failures += [_failure(result, failure_text) for failure_text in failure_texts]
        elif unclear_results and unclear_results[0].not_applicable:
            not_applicable[scenario.title] = unclear_results[0].reason
        elif unclear_results:
            skipped[scenario.title] = _exclusion(result, unclear_results[0].reason, names_other_clauses)
        else:
            asserted.add(scenario.title)
    return ClauseOutcome(
        failures=tuple(failures),
        inconclusive=tuple(inconclusive.values()),
        skipped=tuple(skipped.values()),
        not_applicable=tuple(not_applicable.values()),
        asserted=frozenset(asserted),
        rerun=frozenset(inconclusive.keys() | {failure.title for failure in failures}),
    )


def _exclusion(result: EffectScenarioResult, reason: str, names_other_clauses: bool) -> Exclusion:  # noqa: FBT001 - one caller
    """Return why a scenario is left out.

    The clause that the reason names reports it if it looks at the same effects, and the scenario shows it without
    doubt: a first push without effect is a firing, a resolve that closes nothing is the last request.
    """
    text = _NAMED.sub("", reason)
    last = _failure(result, text)
    is_shown = {
        NO_FIRST_EFFECT: result.step_results[0].step.cases[0].title.endswith(" fires"),
        NOT_CLOSED: last.case.title.endswith(" resolves"),
    }.get(reason, last.attempt.status is None)
    if not names_other_clauses or not is_shown:
        return Exclusion(result.scenario.title, text)
    return Exclusion(result.scenario.title, reason, last, is_repeated=last.attempt.status is not None)


def _failure(result: EffectScenarioResult, text: str) -> Failure:
    """Return the failure of a scenario, shown by its last request."""
    last = next(step_result for step_result in reversed(result.step_results) if step_result.attempts)
    return Failure(last.step.cases[-1], last.attempts[-1], text, result)
