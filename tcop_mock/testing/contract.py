"""``tcop_contract``: judge the receiver under test by the contract, with a result of pytest's own for each clause."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

import pytest

from tcop_mock.contract.clauses import load_clauses, select
from tcop_mock.contract.observation import SETTLE_S, Observing
from tcop_mock.contract.observers import CallableObserver
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.verdict import ClauseResult, Result
from tcop_mock.reports.findings import broken, headline
from tcop_mock.reports.summary import Ruling, counts, rule
from tcop_mock.reports.text import MOST_REASON_CHARS, counted, named, one_line, sentence, tally
from tcop_mock.testing.options import plain_id, seed_of
from tcop_mock.testing.report_collector import gathering
from tcop_mock.testing.senders import blocking, require_asyncio
from tcop_mock.testing.settings import comparison, settings_of
from tcop_mock.testing.usage_errors import misuse, misuse_told, unusable_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import Clause, Level
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.testing.target import Aim


_WIDTH = 100

_MOST_CHARS = 60_000

"""So much is said of all broken clauses together; of the rest only what they are called."""

_IN_FIXTURES = {
    "needs observer:": "needs observer: override the fixture tcop_observer to show what the receiver did",
    "needs downstream:": "needs downstream: `tcop-mock check --downstream` plays it",
    "needs to see what is open:": "needs to see what is open: return it as `open` from the fixture tcop_observer",
    "needs restart:": "needs restart: `tcop-mock check --restart-cmd` plays it",
}


def in_fixtures(reason: str) -> str:
    """Return a reason with what to do in a test, where it says what to do on the command line."""
    return next((told for start, told in _IN_FIXTURES.items() if reason.startswith(start)), reason)


def again(test: str, clause: Clause, seed: int) -> str:
    """Return the command that plays a clause again in its test."""
    with_seed = f" --tcop-seed {seed}" if seed else ""
    return f"pytest {shlex.quote(test)} --tcop-clauses {clause.code}{with_seed}"


def name(result: ClauseResult) -> str:
    """Return what a clause's subtest is called."""
    return named(result.clause)


def fail_or_skip(result: ClauseResult, level: Level) -> None:
    """End the running test, or subtest, as a clause's result wants it: not at all where it is kept."""
    if result.result is Result.PASS:
        return
    if result.result in {Result.NOT_RUN, Result.KNOWN} or not counts(result.clause.level, level):
        pytest.skip(_reason(result))
    pytest.fail(_whole(result), pytrace=False)


def whole_failure(verdict: Verdict, level: Level) -> str:
    """Return all that is wrong in one text, bounded; empty where nothing that counts is."""
    if rule(verdict, level) is Ruling.KEPT:
        return ""
    wrong = [
        result
        for result in verdict.results
        if result.result in {Result.FAIL, Result.ERROR} and counts(result.clause.level, level)
    ]
    text = f"{tally(verdict)}. {sentence(verdict, level)}"
    for number, result in enumerate(wrong):
        more = _whole(result)
        if len(text) + len(more) > _MOST_CHARS:
            rest = wrong[number:]
            short = "\n".join(_one_line(one) for one in rest)
            return f"{text}\n\n… and {counted(len(rest), 'more clause')}:\n{short}"
        text += f"\n\n{more}"
    return text


def undecided(verdict: Verdict, level: Level) -> str:
    """Return why a verdict is none, where no clause says it by itself: no must clause was judged."""
    wrong = rule(verdict, level) is Ruling.UNJUDGED
    told = any(one.result is Result.ERROR and counts(one.clause.level, level) for one in verdict.results)
    return sentence(verdict, level) if wrong and not told else ""


def _whole(result: ClauseResult) -> str:
    if result.result is Result.ERROR:
        return _one_line(result)
    return "\n".join([_one_line(result), "", *map(str, broken(result, _WIDTH))]).rstrip()


def _one_line(result: ClauseResult) -> str:
    return f"{named(result.clause)} [{result.clause.level}] {_reason(result)}"


def _reason(result: ClauseResult) -> str:
    reason = one_line(result.reason, MOST_REASON_CHARS)
    match result.result:
        case Result.FAIL:
            return f"is broken: {headline(result)}"
        case Result.KNOWN:
            return f"is known to be broken: {headline(result)}"
        case Result.ERROR:
            return f"could not be judged: {reason}"
        case _:
            return reason


_MOST_RECORDS = 10

_PYTESTS_OWN = "_pytest.logging"

_log = logging.getLogger(__name__)


class _Few(logging.Filter):
    """Passes the first records, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = self.held_back = 0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        """Say whether a record is shown."""
        if self.passed < _MOST_RECORDS:
            self.passed += 1
            return True
        self.held_back += 1
        return False


@contextmanager
def few_logs() -> Iterator[None]:
    """Have pytest show only the first records that are logged inside, and how many others there were."""
    filters = [(handler, _Few()) for handler in logging.getLogger().handlers if _is_pytests(handler)]
    for handler, few in filters:
        handler.addFilter(few)
    try:
        yield
    finally:
        for handler, few in filters:
            handler.removeFilter(few)
        held_back = max((few.held_back for _, few in filters), default=0)
        if held_back:
            _log.warning("%d more records were logged while the contract was played", held_back)


def _is_pytests(handler: logging.Handler) -> bool:
    return any(kind.__module__ == _PYTESTS_OWN for kind in type(handler).__mro__)


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
        reason = in_fixtures(result.reason)
        if self._aim.named:
            return replace(result, reason=reason)
        rerun = again(plain_id(self._node), result.clause, self._settings.seed)
        findings = tuple(
            replace(finding, reproduce=replace(finding.reproduce, cli=rerun, replay="")) for finding in result.findings
        )
        return replace(result, reason=reason, findings=findings)

    def _tell(self, verdict: Verdict) -> None:
        __tracebackhide__ = True
        level = self._settings.fail_on
        subtests = _subtests(self._request)
        if subtests is None:
            text = whole_failure(verdict, level)
            if text:
                pytest.fail(text, pytrace=False)
            return
        for result in verdict.results:
            with subtests.test(msg=name(result)):
                fail_or_skip(result, level)
        text = undecided(verdict, level)
        if text:
            pytest.fail(text, pytrace=False)


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
