"""The results of a run so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tcop_mock.contract.attribution import NAMED_CLAUSES, Breakdown, attributed_results
from tcop_mock.contract.clause_outcome import LATE_CLAUSE, ClauseOutcome
from tcop_mock.contract.plan import CheckPlan, is_about_timing
from tcop_mock.contract.refusals import refused_service, with_refusals
from tcop_mock.contract.request_runner import RequestRunner
from tcop_mock.domain.contract import Clause, MissingPrerequisite, Phase, Prerequisite
from tcop_mock.domain.verdict import ClauseFinished, ClauseResult, ClauseStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.contract.clause_tests import ClauseTests
    from tcop_mock.contract.observation import EffectObservation
    from tcop_mock.contract.phase_run import ClauseRunner
    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.server.downstream import ReceivedMessage

ALIVE_CLAUSE = "TCM409"
"""The clause that reports that a receiver no longer answers after malformed bodies."""
PHASES_AFTER_ABUSE = frozenset({Phase.SLOW_SENDER, Phase.BURST, Phase.AUTH})
"""Phases that follow the malformed bodies and need a receiver that still answers."""
OUT_OF_TIME = MissingPrerequisite(Prerequisite.TIME)
_PHASES_BEFORE_ABUSE = frozenset({Phase.MAIN, Phase.EFFECTS, Phase.SLOW_EFFECTS})


@dataclass(slots=True)
class RunResults:
    """The results of a run so far, and the outcomes that they come from."""

    plan: CheckPlan
    tests: ClauseTests
    """The requests of the clauses."""
    by_code: dict[str, ClauseResult] = field(default_factory=dict)
    """The results by clause code, before they are attributed to other clauses."""
    outcomes: dict[str, ClauseOutcome] = field(default_factory=dict, repr=False)
    """The outcomes of the clauses that sent requests, by code."""
    durations_s: dict[str, float] = field(default_factory=dict)
    """How long each clause took, by code."""
    observation: EffectObservation | None = field(default=None, repr=False)
    """How effects are observed."""
    breakdown: Breakdown | None = None
    """The request since which the receiver accepts nothing."""
    _published: set[str] = field(default_factory=set, repr=False)
    """Codes of the clauses whose event was returned."""

    def pending(self, *phases: Phase) -> list[Clause]:
        """Return the clauses of some phases that have no result yet."""
        return [clause for clause in self.plan.clauses if clause.phase in phases and clause.code not in self.by_code]

    def of(self, clause: Clause, outcome: ClauseOutcome) -> ClauseResult:
        """Return the result of a clause by its outcome, and keep the outcome."""
        if clause.phase is Phase.MAIN and self._is_late_clause_run and not is_about_timing(clause):
            outcome = outcome.without_late()
        if self.breakdown:
            outcome = self.breakdown.without_consequences(outcome, self.breakdown_reporter)
            if clause.code == self.breakdown_reporter:
                outcome = outcome.with_failures([self.breakdown.failure(None)])
        if clause.phase not in _PHASES_BEFORE_ABUSE:
            outcome = outcome.blaming("" if clause.phase in PHASES_AFTER_ABUSE else ALIVE_CLAUSE)
        blind_result = self.observation.blind_result(clause, outcome) if self.observation else None
        if blind_result:
            return blind_result
        self.outcomes[clause.code] = outcome
        return replace(outcome.to_result(self.context(clause)), duration_s=self.durations_s.get(clause.code, 0.0))

    def record(self, result: ClauseResult) -> list[ClauseFinished]:
        """Record a result; return its event if it is final: other clauses may still report something to this one."""
        code = result.clause.code
        self.by_code[code] = result
        outcome = self.outcomes.get(code, ClauseOutcome())
        is_open = code in NAMED_CLAUSES or any(exclusion.codes for exclusion in outcome.skipped)
        is_open |= self._refusals(result.clause) is not None
        if is_open and result.status is not ClauseStatus.NOT_RUN:
            return []
        self._published.add(code)
        return [ClauseFinished(result)]

    def record_unfinished(
        self, clauses: list[Clause], concurrent_outcomes: Mapping[str, ClauseOutcome], runner: ClauseRunner
    ) -> Iterator[ClauseFinished]:
        """Record the results of the clauses that the time limit of the run cut short: what is known is reported."""
        for clause in clauses:
            if clause.code in self.by_code:
                continue
            outcome = concurrent_outcomes.get(clause.code) or runner.outcome_so_far(clause, self.tests.of(clause))
            result = self.of(clause, outcome.cut_short(is_concurrent=isinstance(runner, RequestRunner)))
            if result.status is not ClauseStatus.FAIL:
                result = replace(result, status=ClauseStatus.ERROR, reason="", findings=(), missing=OUT_OF_TIME)
            yield from self.record(result)

    def record_breakdown(self, breakdown: Breakdown, alive_failure: ClauseOutcome) -> None:
        """Record the request that broke the receiver, and word all results by it.

        Args:
            breakdown: the request.
            alive_failure: the outcome of the clause about a receiver that still answers.
        """
        self.breakdown = breakdown
        clauses = {clause.code: clause for clause in self.plan.clauses}
        for code, outcome in self.outcomes.items():
            self.by_code[code] = self.of(clauses[code], outcome)
        for clause in self.pending(*Phase):
            if clause.code == ALIVE_CLAUSE:
                self.by_code[clause.code] = alive_failure.to_result(self.context(clause, (breakdown.code,)))

    @property
    def breakdown_reporter(self) -> str:
        """The code of the clause that reports a breakdown: the one about a receiver that answers, if it is run."""
        is_run = self._is_run(ALIVE_CLAUSE)
        return ALIVE_CLAUSE if is_run or self.breakdown is None else self.breakdown.code

    def final(self, unfinished_reason: str = "") -> tuple[ClauseResult, ...]:
        """Return the results of all clauses, in the order of the plan.

        Args:
            unfinished_reason: why inconclusive clauses have status ``error``; empty: the time limit of the run.
        """
        with_all_refusals = {code: self._with_refusals(result) for code, result in self.by_code.items()}
        results = attributed_results(with_all_refusals, self.outcomes, self.context)
        missing = None if unfinished_reason else OUT_OF_TIME
        return tuple(
            results.get(clause.code)
            or ClauseResult(clause, ClauseStatus.ERROR, reason=unfinished_reason, missing=missing)
            for clause in self.plan.clauses
        )

    def unpublished(self, results: Sequence[ClauseResult]) -> list[ClauseFinished]:
        """Return the events of the results that had to wait for those of other clauses."""
        return [ClauseFinished(result) for result in results if result.clause.code not in self._published]

    def context(self, clause: Clause, met_by: tuple[str, ...] = ()) -> ReproductionContext:
        """Return what names the run in the commands of a clause's findings.

        Args:
            clause: the clause of the findings.
            met_by: codes of the other clauses whose requests met them.
        """
        return self.plan.reproduction_context(clause, self.tests.of(clause), met_by)

    @property
    def _is_late_clause_run(self) -> bool:
        return self._is_run(LATE_CLAUSE)

    def _is_run(self, code: str) -> bool:
        """Return whether a clause is part of the run."""
        result = self.by_code.get(code)
        if result is not None and result.status is ClauseStatus.NOT_RUN:
            return False
        return any(clause.code == code for clause in self.plan.clauses)

    def _with_refusals(self, result: ClauseResult) -> ClauseResult:
        """Return the result of a clause about a service, with all messages that the service rejected in the run."""
        messages = self._refusals(result.clause)
        if messages is None:
            return result
        return with_refusals(result, messages, self.tests.built.values(), self.context(result.clause))

    def _refusals(self, clause: Clause) -> Sequence[ReceivedMessage] | None:
        """Return what the service of a clause refused so far; ``None`` for all other clauses."""
        service, downstream = refused_service(clause), self.plan.observation.downstream
        return downstream.refusals_by(service) if service and downstream else None
