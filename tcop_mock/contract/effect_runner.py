"""Runs the effect scenarios of one clause, observes their effects, and checks its assertions."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion, main_case, refusal
from tcop_mock.contract.effect_assertions import (
    EFFECT_ASSERTIONS,
    NO_FIRST_EFFECT,
    NOT_CLOSED,
    Inconclusive,
    count_matches,
)
from tcop_mock.contract.findings import Failure
from tcop_mock.domain.contract import DOWNSTREAM_PREREQUISITES, EffectScenarioResult, SendMode, Step, StepResult
from tcop_mock.errors import ObserverError
from tcop_mock.server.downstream import DOWNSTREAM_FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from tcop_mock.domain.contract import Clause, ClauseTest, EffectScenario, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.domain.effects import EffectSnapshot, Observer
    from tcop_mock.server.downstream import DownstreamRecorder


_MAX_PARALLEL_SCENARIOS = 64

"""Scenarios in parallel; most of the time they wait for effects."""

_HANG_UP_AFTER_S = 0.05

_RETRY_INTERVAL_S = 0.25

_MAX_TRIES = 240


_NAMED = re.compile(r" \(TCM[^()]*\)$")
"""The clause that a reason names at its end."""


class ScenarioProblem(NamedTuple):
    """Why a scenario has no result."""

    reason: str
    exclusion: Exclusion | None = None
    """What another clause reports, if the reason breaks that. This one then leaves the scenario out."""


_ScenarioEnd: TypeAlias = "tuple[EffectScenario, EffectScenarioResult | ScenarioProblem]"


@dataclass(slots=True)
class EffectRunner:
    """Runs effect scenarios against one receiver.

    Args:
        transport: sends a request.
        poller: polls the observer.
        downstream_poller: polls our stub services, for clauses about forwarded messages.
        sleep: pauses.
        deadline_s: of one attempt.
        in_flight: how many requests may be in flight.
        late_effects_until_s: on the clock, how long to wait for late effects.
        downstream: the stub services that the receiver forwards to.
        restart: restarts the receiver.
        all_sent_text: all bodies of the run: a name that several scenarios send identifies none of them.
        effects_per_push: how many effects one plain callback has; only TCM501 fails if there are several.
    """

    transport: Transport
    poller: EffectPoller
    downstream_poller: EffectPoller
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    in_flight: int
    late_effects_until_s: float
    downstream: DownstreamRecorder | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    all_sent_text: str = field(default="", repr=False)
    effects_per_push: int = 1
    _semaphore: asyncio.Semaphore = field(init=False, repr=False)
    _results: dict[str, list[_ScenarioEnd]] = field(default_factory=dict, init=False, repr=False)
    """The scenarios of each clause that have ended."""

    def __post_init__(self) -> None:
        self._semaphore = asyncio.Semaphore(self.in_flight)

    async def run(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Run all scenarios of a clause and check the assertions."""
        poller = self._poller_of(clause)
        semaphore = asyncio.Semaphore(_MAX_PARALLEL_SCENARIOS)
        ended = self._results[clause.code] = []

        async def run_one(scenario: EffectScenario) -> None:
            async with semaphore:
                try:
                    ended.append((scenario, await self.run_scenario(scenario, poller)))
                except ObserverError as error:
                    ended.append((scenario, ScenarioProblem(str(error))))

        await asyncio.gather(*map(run_one, test.effect_scenarios))
        return self.outcome_so_far(clause, test)

    def _poller_of(self, clause: Clause) -> EffectPoller:
        return self.downstream_poller if clause.prerequisites & DOWNSTREAM_PREREQUISITES else self.poller

    def outcome_so_far(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Return the outcome of the scenarios that have ended, in their order."""
        order = {scenario.title: number for number, scenario in enumerate(test.effect_scenarios)}
        ended = sorted(self._results.get(clause.code, ()), key=lambda end: order[end[0].title])
        uses_other_view = self._poller_of(clause).observer is not self.poller.observer
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
        distinctive_names = frozenset(
            name
            for name in scenario.object_names
            if self.all_sent_text.count(name) == scenario.expected_content.sent_text.count(name)
        )
        unique_tokens = scenario.unique_tokens
        scenario = replace(scenario, unique_tokens=unique_tokens | distinctive_names)
        before = await poller.snapshot(scenario)
        if before.effects:
            scenario = replace(scenario, unique_tokens=unique_tokens)
            before = await poller.snapshot(scenario)
        if before.effects:
            return ScenarioProblem("the receiver knows the alarms of this seed already; use another seed, or none")
        step_results: list[StepResult] = []
        for step in map(self._with_expected_count, scenario.steps):
            faulty_downstream = self.downstream if step.downstream_fault else None
            attempts = await (
                self._send_with_fault(scenario, step, faulty_downstream) if faulty_downstream else self._send_step(step)
            )
            rejected = next(
                ((case, attempt) for case, attempt in _paired(step, attempts) if not attempt.accepted), None
            )
            if (
                rejected
                and not step.continue_on_error
                and step.send_mode not in {SendMode.ACK_LOST, SendMode.DURING_RESTART}
            ):
                exclusion = refusal(scenario.title, *rejected, label=step.title)._replace(is_repeated=False)
                return ScenarioProblem(exclusion.reason, exclusion)
            after = await self._observe_step(poller, scenario, step, before, attempts)
            step_results.append(StepResult(step, tuple(attempts), before, after))
            if not _matches_expectation(step, before, after):
                break
            before = after
        return EffectScenarioResult(scenario, tuple(step_results))

    def _with_expected_count(self, step: Step) -> Step:
        return (
            replace(step, expected_effects=f"={self.effects_per_push}") if step.expected_effects == "per-push" else step
        )

    async def _observe_step(
        self,
        poller: EffectPoller,
        scenario: EffectScenario,
        step: Step,
        before: EffectSnapshot,
        attempts: Sequence[Attempt],
    ) -> EffectSnapshot:
        until_s = None
        if step.downstream_fault:
            if not any(attempt.accepted for attempt in attempts):
                return await poller.snapshot(scenario)
            until_s = self.late_effects_until_s
        return await poller.wait_until_settled(
            scenario, lambda after: _matches_expectation(step, before, after), until_s=until_s
        )

    async def _send_with_fault(
        self, scenario: EffectScenario, step: Step, downstream: DownstreamRecorder
    ) -> list[Attempt]:
        """Send while the stub services fail; they fail until the receiver has called one, also after its response."""
        with downstream.inject_fault(scenario.unique_tokens, DOWNSTREAM_FAULTS[step.downstream_fault]) as fault:
            attempts = await self._send_step(step)
            if any(attempt.accepted for attempt in attempts):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.poller.effect_timeout_s):
                        await fault.triggered.wait()
        return attempts

    async def _send_step(self, step: Step) -> list[Attempt]:
        if step.send_mode is SendMode.CONCURRENT:
            sends = (self.transport(case.request, deadline_s=self.deadline_s) for case in step.cases)
            return list(await asyncio.gather(*sends))
        if step.send_mode is SendMode.ACK_LOST:
            return [
                await self._send_request(replace(case.request, hang_up_after_s=_HANG_UP_AFTER_S)) for case in step.cases
            ]
        if step.send_mode is SendMode.DURING_RESTART and self.restart is not None:
            return await self._send_during_restart(asyncio.ensure_future(self.restart()), step.cases[0])
        return [await self._send_request(case.request) for case in step.cases]

    async def _send_during_restart(self, restart: asyncio.Future[None], case: RequestCase) -> list[Attempt]:
        """Send repeatedly during a restart until the receiver accepts, as the retries of TCOP do."""
        attempts: list[Attempt] = []
        try:
            while not (restart.done() and attempts and _is_accepted(attempts[-1])) and len(attempts) < _MAX_TRIES:
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


def _is_accepted(attempt: Attempt) -> bool:
    return attempt.accepted or attempt.status == HTTPStatus.CONFLICT  # the receiver has it already


def _matches_expectation(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    open_matches = after.open_incidents is None or count_matches(
        step.expected_open, before.open_count, after.open_count
    )
    return open_matches and count_matches(step.expected_effects, before.count, after.count)


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
                inconclusive[scenario.title] = result.reason
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
    """Return what is wrong with a scenario, shown by its last request."""
    last = next(step_result for step_result in reversed(result.step_results) if step_result.attempts)
    return Failure(last.step.cases[-1], last.attempts[-1], text, result)


_POLL_INTERVAL_S = 0.1

_MAX_TIMEOUTS = 10

"""Multiple of the effect timeout to wait at most while new effects appear."""

_MIN_QUIET_S = 0.4

_QUIET_LATENCIES = 3.0

"""Multiple of the latency of a first effect during which nothing may change."""


@dataclass(slots=True)
class EffectPoller:
    """Polls an observer, bounded.

    Args:
        observer: what is polled.
        clock: seconds.
        sleep: pauses.
        effect_timeout_s: how long an effect may take to appear.
    """

    observer: Observer
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    effect_timeout_s: float
    latency_s: float = 0.0
    """How long a first effect took to appear."""
    _mention_cache: dict[frozenset[str], dict[str, bool]] = field(default_factory=dict, init=False)
    """By the tokens of a scenario: whether a text mentions one of them."""
    _last_counts: dict[str, int] = field(default_factory=dict, init=False)
    """By object: how many effects the last snapshot had, of all scenarios."""
    _last_change_s: float = field(default=0.0, init=False)
    """When that number last changed: until then the receiver was busy."""

    async def snapshot(self, scenario: EffectScenario) -> EffectSnapshot:
        """Return the effects of a scenario that are visible now.

        Raises:
            ObserverError: the observer failed.
        """
        effects_now = await self.observer.observe(scenario.object_id)
        if not getattr(self.observer, "shows_all", False):
            for token in scenario.other_object_ids:
                if not any(token in effect.text for effect in effects_now.effects):
                    effects_now = effects_now.merge(await self.observer.observe(token))
        visible_count = len(effects_now.effects) + len(effects_now.open_incidents or ())
        if self._last_counts.get(scenario.object_id, visible_count) != visible_count:
            self._last_change_s = self.clock()
        self._last_counts[scenario.object_id] = visible_count
        return effects_now.filter_by_tokens(
            scenario.unique_tokens, self._mention_cache.setdefault(scenario.unique_tokens, {})
        )

    async def wait_until_settled(
        self, scenario: EffectScenario, is_expected: Callable[[EffectSnapshot], bool], *, until_s: float | None = None
    ) -> EffectSnapshot:
        """Return the effects when they are as expected, or the time is over, and nothing changed for a while.

        It waits longer while the receiver is busy with other scenarios: the run may have filled its queue.

        Args:
            scenario: whose effects to look for.
            is_expected: returns whether a snapshot is what the clause expects.
            until_s: on the clock, in place of the effect timeout.

        Raises:
            ObserverError: the observer failed.
        """
        quiet_s = max(_MIN_QUIET_S, min(_QUIET_LATENCIES * self.latency_s, self.effect_timeout_s))
        started_s = changed_s = self.clock()
        quiet_since_change_s = 0.0 if until_s else self.effect_timeout_s
        until_s = until_s or started_s + self.effect_timeout_s
        previous = await self.snapshot(scenario)
        while True:
            now_s = self.clock()
            is_quiet = now_s - changed_s >= quiet_s
            is_time_up = now_s >= until_s and now_s - self._last_change_s >= quiet_since_change_s
            if (
                is_quiet and (is_time_up or is_expected(previous))
            ) or now_s >= until_s + _MAX_TIMEOUTS * self.effect_timeout_s:
                return previous
            await self.sleep(_POLL_INTERVAL_S)
            current = await self.snapshot(scenario)
            if (current.count, current.open_count) != (previous.count, previous.open_count):
                changed_s = self.clock()
                if not previous.effects:
                    self.latency_s = max(self.latency_s, min(changed_s - started_s, self.effect_timeout_s))
            previous = current
