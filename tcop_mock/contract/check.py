"""A whole check: the run of a contract to its end, and the requests that it will send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.contract.clause_tests import ClauseTests
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.verdict import INTERRUPTED, RunFinished, Verdict
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tcop_mock.contract.plan import CheckPlan
    from tcop_mock.domain.contract import ClauseTest
    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.verdict import RunEvent


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


def planned_requests(plan: CheckPlan) -> dict[str, int]:
    """Return the number of requests of each clause for a receiver that keeps the contract, by code; 0: it is not run.

    A run also sends a plain callback first, and a few between the phases.
    """
    tests = ClauseTests(plan)
    return {
        clause.code: 0 if plan.missing_prerequisite(clause) else _sent_count(tests.of(clause))
        for clause in plan.clauses
    }


def _sent_count(test: ClauseTest) -> int:
    groups = sum(
        len(group.cases) + sum(other is not None for other in (group.control, group.negative_control, group.background))
        for group in test.groups
    )
    return groups + sum(len(step.cases) for scenario in test.effect_scenarios for step in scenario.steps)
