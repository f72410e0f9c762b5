"""``tcop_contract``: check the receiver under test, with a pytest result for each clause."""

from __future__ import annotations

import asyncio
import logging
import shlex
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import pytest

from tcop_mock.api import to_observer
from tcop_mock.contract.check import run_check
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.observation import DEFAULT_EFFECT_TIMEOUT_S, ObservationConfig
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.verdict import INTERRUPTED, ClauseResult, ClauseStatus
from tcop_mock.reports.findings import clause_details, summary_line
from tcop_mock.reports.summary import OverallResult, is_gating, overall_result, reason_text
from tcop_mock.reports.text import MAX_REASON_CHARS, clause_label, count_summary, one_line, overall_sentence, pluralize
from tcop_mock.testing.catch import in_pytest
from tcop_mock.testing.options import test_id, test_seed
from tcop_mock.testing.report_collector import report_collector
from tcop_mock.testing.run import started_receiver
from tcop_mock.testing.senders import require_asyncio
from tcop_mock.testing.settings import baseline_filter, settings_of
from tcop_mock.testing.usage_errors import target_errors_as_failures, usage_error, usage_errors_as_failures
from tcop_mock.transport.caller import run_beside, run_beside_async
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import Clause, Level
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.server.downstream import DownstreamRecorder
    from tcop_mock.testing.catch import CaughtCalls
    from tcop_mock.transport.open import OpenTarget


_WIDTH = 100

_MAX_CHARS = 60_000

"""Maximum size of the text about all broken clauses; of further clauses only the names are printed."""

_PYTEST_TEXTS = {
    Prerequisite.OBSERVER: "needs observer: override the fixture tcop_observer to show what the receiver did",
    Prerequisite.DOWNSTREAM: "needs downstream: use the fixture tcop_catch, or start the receiver with tcop_run",
    Prerequisite.OPEN_INCIDENTS: "needs to see what is open: return it as `open` from the fixture tcop_observer",
    Prerequisite.RESTART: "needs restart: start the receiver with the fixture tcop_run",
    Prerequisite.RUN: "needs run: start the receiver with the fixture tcop_run",
    Prerequisite.TEMPLATE: "needs template: `tcop-mock check --template FILE` sends it",
    Prerequisite.HTTP_REQUESTS: "needs http: tcop_target is a callable that gets callbacks as trees",
    Prerequisite.CONCURRENT_CALLS: (
        "needs many requests at once, and the test's thread calls the app; serve it and return its URL from tcop_target"
    ),
    Prerequisite.VISIBLE_EFFECT: (
        "a plain alarm that was answered 2xx has no effect that tcop_observer shows within effect_timeout_s {}; "
        "does it show what the receiver did, and does that name the alarm's object?"
    ),
    Prerequisite.VISIBLE_INCIDENT: (
        "a plain alarm that fires shows no open incident; does tcop_observer return it as `open`?"
    ),
    Prerequisite.CAUGHT_CALL: (
        "needs a call of the receiver to a host that is caught: {}; override tcop_observer to show what it keeps"
    ),
    Prerequisite.TIME: "not finished within max_time_s of tcop_contract.check()",
}
"""Missing preconditions whose words on the command line name a flag."""


def reason_in_pytest(result: ClauseResult) -> str:
    """Return the reason of a result in the words of pytest: fixtures and arguments in place of flags."""
    if result.missing and result.missing.kind in _PYTEST_TEXTS:
        return in_pytest(_PYTEST_TEXTS[result.missing.kind].format(*result.missing.details))
    return reason_text(result)


def rerun_command(test: str, clause: Clause, seed: int) -> str:
    """Return the command that runs a clause again in its test."""
    seed_option = f" --tcop-seed {seed}" if seed else ""
    return f"pytest {shlex.quote(test)} --tcop-clauses {clause.code}{seed_option}"


def subtest_name(result: ClauseResult) -> str:
    """Return the name of a clause's subtest."""
    return clause_label(result.clause)


def raise_outcome(result: ClauseResult, fail_on: Level) -> None:
    """Fail or skip the running test or subtest by the result of a clause; do nothing if the clause passed."""
    if result.status is ClauseStatus.PASS:
        return
    if result.status in {ClauseStatus.NOT_RUN, ClauseStatus.KNOWN} or not is_gating(result.clause.level, fail_on):
        pytest.skip(_reason(result))
    pytest.fail(_full_text(result), pytrace=False)


def failure_text(verdict: Verdict, fail_on: Level) -> str:
    """Return the failures that count in one text, bounded; empty if there are none."""
    if overall_result(verdict, fail_on) is OverallResult.KEPT:
        return ""
    failing = [
        result
        for result in verdict.results
        if result.status in {ClauseStatus.FAIL, ClauseStatus.ERROR} and is_gating(result.clause.level, fail_on)
    ]
    text = f"{count_summary(verdict)}. {overall_sentence(verdict, fail_on)}"
    for number, result in enumerate(failing):
        clause_text = _full_text(result)
        if len(text) + len(clause_text) > _MAX_CHARS:
            remaining = failing[number:]
            one_liners = "\n".join(_clause_summary(one) for one in remaining)
            return f"{text}\n\n… and {pluralize(len(remaining), 'more clause')}:\n{one_liners}"
        text += f"\n\n{clause_text}"
    return text


def inconclusive_text(verdict: Verdict, fail_on: Level) -> str:
    """Return why a verdict is inconclusive although no clause failed: no must clause was checked."""
    is_inconclusive = overall_result(verdict, fail_on) is OverallResult.INCONCLUSIVE
    is_reported = any(
        one.status is ClauseStatus.ERROR and is_gating(one.clause.level, fail_on) for one in verdict.results
    )
    return overall_sentence(verdict, fail_on) if is_inconclusive and not is_reported else ""


def _full_text(result: ClauseResult) -> str:
    if result.status is ClauseStatus.ERROR:
        return _clause_summary(result)
    return "\n".join([_clause_summary(result), "", *map(str, clause_details(result, _WIDTH))]).rstrip()


def _clause_summary(result: ClauseResult) -> str:
    return f"{clause_label(result.clause)} [{result.clause.level}] {_reason(result)}"


def _reason(result: ClauseResult) -> str:
    reason = one_line(result.reason, MAX_REASON_CHARS)
    match result.status:
        case ClauseStatus.FAIL:
            return f"is broken: {summary_line(result)}"
        case ClauseStatus.KNOWN:
            return f"is known to be broken: {summary_line(result)}"
        case ClauseStatus.ERROR:
            return f"is inconclusive: {reason}"
        case _:
            return reason


_MAX_RECORDS = 10

_PYTEST_LOGGING_MODULE = "_pytest.logging"

_log = logging.getLogger(__name__)


class _FirstRecords(logging.Filter):
    """Passes the first records, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = self.suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        """Return whether a record is shown."""
        if self.passed < _MAX_RECORDS:
            self.passed += 1
            return True
        self.suppressed += 1
        return False


@contextmanager
def limit_logs() -> Iterator[None]:
    """Limit the log records that pytest shows to the first ones, and log the number of the others."""
    filters = [(handler, _FirstRecords()) for handler in logging.getLogger().handlers if _is_pytest_handler(handler)]
    for handler, few in filters:
        handler.addFilter(few)
    try:
        yield
    finally:
        for handler, few in filters:
            handler.removeFilter(few)
        suppressed = max((few.suppressed for _, few in filters), default=0)
        if suppressed:
            _log.warning("%d more records were logged during the check", suppressed)


def _is_pytest_handler(handler: logging.Handler) -> bool:
    return any(kind.__module__ == _PYTEST_LOGGING_MODULE for kind in type(handler).__mro__)


class _ContractPlan(NamedTuple):
    """The clauses to check, and those to leave out."""

    check: CheckPlan
    clauses: tuple[Clause, ...]
    """All clauses, including those that are left out."""
    skipped: Mapping[str, str]
    """Reasons of the clauses that are left out, by code."""


@runtime_checkable
class SupportsUnlimitedRate(Protocol):
    """An observer with limits by the minute that can be disabled, because a check sends faster than TCOP."""

    def disable_rate_limit(self) -> None:
        """Accept any number of messages a minute."""
        ...


class Contract:
    """Checks the receiver under test against the contract.

    Args:
        request: request of the fixture.
        target: the receiver.
        catalog: the shapes to send.
        observer: value of ``tcop_observer``.
        calls: value of ``tcop_catch``, if the test uses it.
    """

    def __init__(
        self,
        request: pytest.FixtureRequest,
        target: OpenTarget,
        catalog: Catalog,
        observer: object,
        calls: CaughtCalls | None = None,
    ) -> None:
        self._request, self._target, self._catalog, self._calls = request, target, catalog, calls
        self._receiver = started_receiver(target.target)
        is_caught = observer is not None and (observer is calls or observer is self._downstream)
        self._observer = None if is_caught else _observer(observer)
        self._node: pytest.Item = request.node
        self._settings = settings_of(self._node)

    def __repr__(self) -> str:
        return f"<Contract of {self._target.target}>"

    @property
    def _downstream(self) -> DownstreamRecorder | None:
        """Records the messages to caught hosts; ``None`` if none are caught."""
        if self._calls is not None:
            return self._calls.observer
        return self._receiver.downstream if self._receiver else None

    def _observation(self, effect_timeout_s: float) -> ObservationConfig:
        receiver, calls = self._receiver, self._calls.log if self._calls else None
        return ObservationConfig(
            self._observer,
            self._downstream,
            receiver.restart if receiver else None,
            effect_timeout_s,
            calls=receiver.calls if receiver and calls is None else calls,
            receiver=receiver,
        )

    def check(
        self,
        *,
        wait_s: float = 0.0,
        max_time_s: float | None = None,
        effect_timeout_s: float = DEFAULT_EFFECT_TIMEOUT_S,
    ) -> Verdict:
        """Run the clauses, fail the test by each broken clause that counts, and return the verdict.

        A clause is a subtest if pytest has subtests (from 9); otherwise all broken clauses are one failure. A broken
        clause that does not count (``fail_on``) and a clause that was not run are skipped, with the reason.

        Args:
            wait_s: maximum time in seconds to wait for a receiver that does not answer yet.
            max_time_s: time limit of the run in seconds; ``None``: 30 for a URL, 300 for an app and with an observer.
            effect_timeout_s: maximum time in seconds until an effect appears, if there is an observer.
        """
        __tracebackhide__ = True
        verdict = self._run_check(self._plan(wait_s, max_time_s, effect_timeout_s))
        self._report_results(verdict)
        return verdict

    async def check_async(
        self,
        *,
        wait_s: float = 0.0,
        max_time_s: float | None = None,
        effect_timeout_s: float = DEFAULT_EFFECT_TIMEOUT_S,
    ) -> Verdict:
        """As :meth:`check`, for asyncio: an ASGI app runs in the test's own event loop, which may also serve a URL."""
        __tracebackhide__ = True
        require_asyncio("tcop_contract.check()")
        plan = self._plan(wait_s, max_time_s, effect_timeout_s)
        run = ContractRun(plan.check, self._target.transport, monotonic_s, asyncio.sleep)
        try:
            with target_errors_as_failures(), limit_logs():
                await run_beside_async(run.run())
        except asyncio.CancelledError:
            self._record_verdict(plan, run.verdict(INTERRUPTED))
            raise
        verdict = self._record_verdict(plan, run.verdict())
        self._report_results(verdict)
        return verdict

    def _plan(self, wait_s: float, max_time_s: float | None, effect_timeout_s: float) -> _ContractPlan:
        settings, node = self._settings, self._node
        with usage_errors_as_failures(node.nodeid):
            all_clauses = load_clauses()
            clauses = select_clauses(all_clauses, settings.globs, settings.skipped)
            reasons = {
                one.code: skip.reason for skip in settings.skips for one in select_clauses(all_clauses, [skip.glob])
            }
        if not clauses:
            usage_error(f"{node.nodeid}: --tcop-skip leaves no clause to check")
        skipped = {code: f"left out by the test: {reason}" for code, reason in reasons.items()}
        check = CheckPlan(
            self._target.target,
            self._catalog,
            tuple(one for one in clauses if one.code not in skipped),
            settings.profile,
            test_seed(node, settings.seed),
            wait_s=wait_s,
            max_time_s=max_time_s,
            observation=self._observation(effect_timeout_s),
            takes_parsed_body=self._target.takes_parsed_body,
            uses_client=self._target.uses_client,
            fail_on=settings.fail_on,
        )
        return _ContractPlan(check, clauses, skipped)

    def _run_check(self, plan: _ContractPlan) -> Verdict:
        """Run the contract and give the verdict to the report collector, also if Ctrl-C cuts the run short."""
        __tracebackhide__ = True
        with target_errors_as_failures(), limit_logs():
            run = run_check(plan.check, self._target.transport, run_coroutine=run_beside)
        verdict = self._record_verdict(plan, run.verdict)
        if run.interrupted:
            raise KeyboardInterrupt
        return verdict

    def _record_verdict(self, plan: _ContractPlan, verdict: Verdict) -> Verdict:
        """Give the verdict on all clauses to the report collector, and return it."""
        whole_verdict = self._verdict(plan, verdict)
        report_collector(self._request.config).add(test_id(self._node), whole_verdict, self._settings.fail_on)
        return whole_verdict

    def _verdict(self, plan: _ContractPlan, verdict: Verdict) -> Verdict:
        """Return a verdict on all clauses, in the order of their codes."""
        by_code = {result.clause.code: result for result in verdict.results}
        results = (
            by_code.get(clause.code) or ClauseResult(clause, ClauseStatus.NOT_RUN, reason=plan.skipped[clause.code])
            for clause in plan.clauses
        )
        pytest_verdict = replace(verdict, results=tuple(map(self._with_pytest_advice, results)))
        with usage_errors_as_failures():
            baseline = baseline_filter(self._request.config)
        return baseline.filter_verdict(pytest_verdict) if baseline else pytest_verdict

    def _with_pytest_advice(self, result: ClauseResult) -> ClauseResult:
        """Return the advice for pytest, where it differs from that of the command line."""
        reason = reason_in_pytest(result)
        if self._target.has_address:
            return replace(result, reason=reason)
        command = rerun_command(test_id(self._node), result.clause, self._settings.seed)
        findings = tuple(
            replace(finding, reproduction=replace(finding.reproduction, cli=command, replay=""))
            for finding in result.findings
        )
        return replace(result, reason=reason, findings=findings)

    def _report_results(self, verdict: Verdict) -> None:
        __tracebackhide__ = True
        fail_on = self._settings.fail_on
        subtests = _subtests(self._request)
        if subtests is None:
            text = failure_text(verdict, fail_on)
            if text:
                pytest.fail(text, pytrace=False)
            return
        for result in verdict.results:
            with subtests.test(msg=subtest_name(result)):
                raise_outcome(result, fail_on)
        text = inconclusive_text(verdict, fail_on)
        if text:
            pytest.fail(text, pytrace=False)


def _subtests(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - pytest 8 has no type for it
    """Return what makes subtests, where this pytest has any."""
    if hasattr(pytest, "Subtests") and request.config.pluginmanager.hasplugin("subtests"):
        return request.getfixturevalue("subtests")
    return None


def _observer(value: Any) -> Observer | None:  # noqa: ANN401 - whatever a user's own fixture returns
    if isinstance(value, SupportsUnlimitedRate):
        value.disable_rate_limit()
    with usage_errors_as_failures():
        return to_observer(value, "tcop_observer")
