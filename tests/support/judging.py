"""Judge a receiver by its URL, as ``tcop-mock check`` does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from direct import DirectPost
from receivers import with_userinfo
from virtual_time import run_virtually

from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.contract import Need
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import Result
from tcop_mock.transport.http1 import HttpPost

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tcop_mock.domain.contract import Clause, Play
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.target import Credentials
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.server.http_server import Handler

CATALOG = Catalog.load()
CONNECTIONS = tuple(clause.code for clause in load_clauses() if Need.HTTP in clause.needs)
"""Clauses about connections, which only sockets have."""
DEADLINE_S = 1.0
"""A fifth of the real one, for receivers that are late on purpose."""
HURRIED = replace(load_profile(), delivery=replace(load_profile().delivery, timeout_s=DEADLINE_S))
"""The usual profile with that deadline."""


_PLAYS: dict[tuple[object, ...], Play] = {}
"""What has been written for a clause: the same for every receiver that is judged in the same way."""


class Rehearsed(ContractRun):
    """A run that does not write a play twice: most of the time of a short run is spent on that."""

    __slots__ = ()

    def _written(self, clause: Clause, take: int = 0) -> Play:
        plan = self.plan
        key = (clause.code, take, plan.seed, plan.profile.name, plan.target.credentials, plan.template)
        if key not in _PLAYS:
            _PLAYS[key] = super()._written(clause, take)
        return _PLAYS[key]


def judged(
    url: str,
    clauses: Sequence[str] = (),
    *,
    skip: Sequence[str] = (),
    seed: int = 7,
    profile: Profile | None = None,
    **more: Any,
) -> Verdict:
    """Return the verdict on the receiver at ``url``."""
    target = Target.parse(url)
    chosen = select(load_clauses(), clauses, skip)
    plan = CheckPlan(target, CATALOG, chosen, profile or load_profile(), seed, **more)
    return asyncio.run(verdict_of(Rehearsed(plan, HttpPost(target), time.perf_counter, asyncio.sleep)))


def judged_directly(
    handler: Handler, credentials: Credentials | None = None, *, profile: Profile | None = None
) -> Verdict:
    """Return the verdict on a handler by all clauses but those about connections.

    It is called without sockets, in virtual time, where nothing is late.
    """
    target = Target.parse(with_userinfo("http://receiver", credentials))
    plan = CheckPlan(target, CATALOG, select(load_clauses(), (), CONNECTIONS), profile or load_profile(), 7)

    def work(clock: Callable[[], float]) -> Coroutine[Any, Any, Verdict]:
        return verdict_of(Rehearsed(plan, DirectPost(handler, target, clock), clock, asyncio.sleep))

    return run_virtually(work)


async def verdict_of(run: ContractRun) -> Verdict:
    """Play a run to its end and return the verdict."""
    async for _ in run.events():
        pass
    return run.verdict("not finished")


def broken(verdict: Verdict) -> set[str]:
    """Return the codes of the clauses that failed."""
    return {item.clause.code for item in verdict.results if item.result is Result.FAIL}
