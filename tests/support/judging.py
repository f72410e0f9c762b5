"""Judge a receiver by its URL, as ``tcop-mock check`` does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.verdict import Verdict

DEADLINE_S = 1.0
"""A fifth of the real one, for receivers that are late on purpose."""
SHORT_DEADLINE_PROFILE = replace(load_profile(), delivery=replace(load_profile().delivery, timeout_s=DEADLINE_S))
"""The usual profile with that deadline."""


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
    plan = CheckPlan(target, Catalog.load(), selected, profile or load_profile(), seed, **options)
    run = ContractRun(plan, HttpTransport(target), time.perf_counter, asyncio.sleep)

    async def run_all() -> None:
        async for _ in run.events():
            pass

    asyncio.run(run_all())
    return run.verdict("not finished")


def failed_codes(verdict: Verdict) -> set[str]:
    """Return the codes of the clauses that failed."""
    return {item.clause.code for item in verdict.results if item.status is ClauseStatus.FAIL}
