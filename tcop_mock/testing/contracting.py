"""``tcop_contract``: judge the receiver under test by the contract, with a result of pytest's own for each clause."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

import pytest

from tcop_mock.contract.clauses import load_clauses, select
from tcop_mock.model.verdict import ClauseResult, Result
from tcop_mock.observe.observers import CallableObserver
from tcop_mock.run.contract import ContractRun
from tcop_mock.run.plan import CheckPlan
from tcop_mock.run.viewing import SETTLE_S, Observing
from tcop_mock.testing import telling
from tcop_mock.testing.gathering import gathering
from tcop_mock.testing.logs import few_logs
from tcop_mock.testing.loops import blocking, require_asyncio
from tcop_mock.testing.seeds import plain_id, seed_of
from tcop_mock.testing.settings import comparison, settings_of
from tcop_mock.testing.usage import misuse, misuse_told, unusable_told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.catalog import Catalog
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.effect import Observer
    from tcop_mock.model.verdict import Verdict
    from tcop_mock.testing.aiming import Aim

_OF_TREES = ("TCM101", "TCM102", "TCM3", "TCM5")
"""Beginnings of the codes that say something about a callable that gets no HTTP: bodies, and what becomes of them."""
_NO_HTTP = "needs http: tcop_target is a callable that gets callbacks as trees"
_MAX_TIME_S = 300.0


class _Plan(NamedTuple):
    """What is to be judged, and what is left out."""

    check: CheckPlan
    clauses: tuple[Clause, ...]
    """Those that are left out, too."""
    left_out: Mapping[str, str]
    """By code, why."""


@runtime_checkable
class Endless(Protocol):
    """An end whose limits by the minute can be lifted: a contract is played faster than in life."""

    def take_any_number(self) -> None:
        """Take any number of messages a minute."""
        ...


class Contract:
    """Judges the receiver under test.

    Args:
        request: of the test.
        aim: the receiver.
        catalog: the shapes that are sent.
        observer: what ``tcop_observer`` gave.
    """

    def __init__(self, request: pytest.FixtureRequest, aim: Aim, catalog: Catalog, observer: object) -> None:
        self._request, self._aim, self._catalog = request, aim, catalog
        self._observer = _observer_of(observer)
        self._node: pytest.Item = request.node
        self._settings = settings_of(self._node)

    def check(self, *, wait_s: float = 0.0, max_time_s: float = _MAX_TIME_S, settle_s: float = SETTLE_S) -> Verdict:
        """Play the clauses, and fail the test by each that is broken and counts; return what was found.

        A clause is a subtest where pytest has them (from 9), else all that is broken is one failure. A broken clause
        that does not count (``fail_on``) and one that could not be run are skipped, with the reason.

        Args:
            wait_s: how long a receiver that does not answer yet is given to start.
            max_time_s: limit of the run.
            settle_s: how long an effect may take to appear, where there is an observer.
        """
        __tracebackhide__ = True
        verdict = self._judged(self._plan(wait_s, max_time_s, settle_s))
        self._tell(verdict)
        return verdict

    async def check_async(
        self, *, wait_s: float = 0.0, max_time_s: float = _MAX_TIME_S, settle_s: float = SETTLE_S
    ) -> Verdict:
        """As :meth:`check`, for receivers that are served by the test's own event loop (asyncio)."""
        __tracebackhide__ = True
        require_asyncio("tcop_contract.check()")
        plan = self._plan(wait_s, max_time_s, settle_s)
        verdict = await asyncio.to_thread(self._judged, plan)
        self._tell(verdict)
        return verdict

    def _plan(self, wait_s: float, max_time_s: float, settle_s: float) -> _Plan:
        settings, node = self._settings, self._node
        with misuse_told(node.nodeid):
            every = load_clauses()
            clauses = select(every, settings.globs, settings.left_out)
            reasons = {one.code: skip.reason for skip in settings.skips for one in select(every, [skip.glob])}
        if not clauses:
            misuse(f"{node.nodeid}: --tcop-skip leaves no clause to judge")
        left_out = {code: f"left out by the test: {reason}" for code, reason in reasons.items()}
        if self._aim.takes_trees:
            left_out |= {one.code: _NO_HTTP for one in clauses if not one.code.startswith(_OF_TREES)}
        check = CheckPlan(
            self._aim.target,
            self._catalog,
            tuple(one for one in clauses if one.code not in left_out),
            settings.profile,
            seed_of(node, settings.seed),
            wait_s=wait_s,
            max_time_s=max_time_s,
            observing=Observing(self._observer, settle_s=settle_s),
        )
        return _Plan(check, clauses, left_out)

    def _judged(self, plan: _Plan) -> Verdict:
        """Play what is to be played, and keep what was found, also of a run that is cut short."""
        __tracebackhide__ = True
        run = ContractRun(plan.check, self._aim.post, time.perf_counter, asyncio.sleep)
        found = gathering(self._request.config)
        try:
            if plan.check.clauses:
                with unusable_told(), few_logs():
                    blocking(_play(run))
        except KeyboardInterrupt:
            found.add(plain_id(self._node), self._verdict(plan, run.verdict("interrupted")), self._settings.fail_on)
            raise
        verdict = self._verdict(plan, run.verdict("not run"))
        found.add(plain_id(self._node), verdict, self._settings.fail_on)
        return verdict

    def _verdict(self, plan: _Plan, verdict: Verdict) -> Verdict:
        """Return a verdict on all clauses, in the order of their codes."""
        by_code = {result.clause.code: result for result in verdict.results}
        results = (
            by_code.get(clause.code) or ClauseResult(clause, Result.NOT_RUN, reason=plan.left_out[clause.code])
            for clause in plan.clauses
        )
        told = replace(verdict, results=tuple(map(self._in_words_of_pytest, results)))
        with misuse_told():
            known = comparison(self._request.config)
        return known.verdict(told) if known else told

    def _in_words_of_pytest(self, result: ClauseResult) -> ClauseResult:
        """Say what to do in pytest's way where the command line has another."""
        reason = telling.in_fixtures(result.reason)
        if self._aim.named:
            return replace(result, reason=reason)
        again = telling.again(plain_id(self._node), result.clause, self._settings.seed)
        findings = tuple(
            replace(finding, reproduce=replace(finding.reproduce, cli=again, replay="")) for finding in result.findings
        )
        return replace(result, reason=reason, findings=findings)

    def _tell(self, verdict: Verdict) -> None:
        __tracebackhide__ = True
        level = self._settings.fail_on
        subtests = _subtests(self._request)
        if subtests is None:
            text = telling.whole_failure(verdict, level)
            if text:
                pytest.fail(text, pytrace=False)
            return
        for result in verdict.results:
            with subtests.test(msg=telling.name(result)):
                telling.fail_or_skip(result, level)
        undecided = telling.undecided(verdict, level)
        if undecided:
            pytest.fail(undecided, pytrace=False)


async def _play(run: ContractRun) -> None:
    async for _ in run.events():
        pass


def _subtests(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - pytest 8 has no type for it
    """Return what makes subtests, where this pytest has any."""
    if hasattr(pytest, "Subtests") and request.config.pluginmanager.hasplugin("subtests"):
        return request.getfixturevalue("subtests")
    return None


def _observer_of(given: object) -> Observer | None:
    if isinstance(given, Endless):
        given.take_any_number()
    if given is None or hasattr(given, "look"):
        return cast("Observer | None", given)
    if not callable(given):
        misuse(
            f"tcop_observer is of type {type(given).__name__}; return a callable that takes an object's id and returns "
            '{"effects": [...], "open": [...]}, an observer, or a stand-in such as tcop_pagerduty'
        )
    return CallableObserver("tcop_observer", given)
