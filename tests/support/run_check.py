"""Checks a receiver by its URL, as ``tcop-mock check`` does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from direct_transport import DirectTransport
from receiver_factories import with_userinfo
from virtual_time import run_in_virtual_time

from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clause_tests import ClauseTests
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.target import Credentials
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.server.messages import Handler

CATALOG = Catalog.load()
CONNECTION_CODES = tuple(clause.code for clause in load_clauses() if Prerequisite.HTTP in clause.prerequisites)
"""Clauses about connections, which only sockets have."""
DEADLINE_S = 1.0
"""A fifth of the real deadline, for receivers that respond late on purpose."""
SHORT_DEADLINE_PROFILE = replace(load_profile(), delivery=replace(load_profile().delivery, timeout_s=DEADLINE_S))
"""The default profile with that deadline."""


_TESTS: dict[tuple[object, ...], ClauseTest] = {}
"""What was built for a clause: the same for every receiver that is checked in the same way."""


class CachedClauseTests(ClauseTests):
    """Requests of clauses, built once for all runs of this process: building takes most of a short run."""

    __slots__ = ()

    def of(self, clause: Clause, rerun: int = 0) -> ClauseTest:
        """Return what a clause sends, built once in this process."""
        plan = self.plan
        key = (clause.code, rerun, plan.seed, plan.profile.name, plan.target.credentials, plan.template, self.plain)
        if key not in _TESTS:
            _TESTS[key] = super().of(clause, rerun)
        self.built[clause.code, rerun] = _TESTS[key]
        return _TESTS[key]


class CachedContractRun(ContractRun):
    """A run that builds no test of a clause twice."""

    __slots__ = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tests = self._results.tests = CachedClauseTests(self.plan)


def check(
    url: str,
    clauses: Sequence[str] = (),
    *,
    skip: Sequence[str] = (),
    seed: int = 7,
    profile: Profile | None = None,
    **options: Any,
) -> Verdict:
    """Return the verdict on the receiver at ``url``."""
    target = Target.parse(url)
    selected = select_clauses(load_clauses(), clauses, skip)
    plan = CheckPlan(target, CATALOG, selected, profile or load_profile(), seed, **options)
    return asyncio.run(verdict_of(CachedContractRun(plan, HttpTransport(target), time.perf_counter, asyncio.sleep)))


def check_directly(
    handler: Handler,
    credentials: Credentials | None = None,
    clauses: Sequence[str] = (),
    *,
    profile: Profile | None = None,
    **options: Any,
) -> Verdict:
    """Return the verdict on a handler by the clauses, but those about connections.

    It is called without sockets, in virtual time, where nothing is late.
    """
    target = Target.parse(with_userinfo("http://receiver", credentials))
    selected = select_clauses(load_clauses(), clauses, CONNECTION_CODES)
    plan = CheckPlan(target, CATALOG, selected, profile or load_profile(), 7, **options)

    def run_contract(clock: Callable[[], float]) -> Coroutine[Any, Any, Verdict]:
        return verdict_of(CachedContractRun(plan, DirectTransport(handler, target, clock), clock, asyncio.sleep))

    return run_in_virtual_time(run_contract)


async def verdict_of(run: ContractRun) -> Verdict:
    """Play a run to its end and return the verdict."""
    async for _ in run.events():
        pass
    return run.verdict("not finished")


def failed_codes(verdict: Verdict) -> set[str]:
    """Return the codes of the clauses that failed."""
    return {item.clause.code for item in verdict.results if item.status is ClauseStatus.FAIL}
