"""Findings of all contract tests of a run: reports, and a few lines at the end.

With pytest-xdist the workers hand over to the process that started them, so there is one report of all.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import BaselineSummary, ClauseResult, ClauseStatus, RunInfo, Verdict
from tcop_mock.errors import TcopMockError
from tcop_mock.reports.files import write_report
from tcop_mock.reports.formats import ReportFile, parse_report_file, render
from tcop_mock.reports.summary import is_gating
from tcop_mock.reports.text import clause_label
from tcop_mock.testing.options import get_list_option, run_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLUGIN_NAME = "tcop_mock.report_collector"
_WORST_FIRST = (ClauseStatus.FAIL, ClauseStatus.ERROR, ClauseStatus.KNOWN, ClauseStatus.PASS, ClauseStatus.NOT_RUN)


class ContractTestResult(NamedTuple):
    """Result of one contract test."""

    test: str
    call_number: int
    """Number of the call of ``tcop_contract.check`` in this test."""
    verdict: Verdict
    fail_on: Level


class ReportCollector:
    """Plugin that collects the results of contract tests; it is registered with the first result.

    Args:
        config: configuration of the pytest run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: list[ContractTestResult] = []
        self._messages: list[str] = []
        self._report_files: list[ReportFile] = [
            parse_report_file(given.value, given.where) for given in get_list_option(config, "report")
        ]

    def add(self, test: str, verdict: Verdict, fail_on: Level) -> None:
        """Add the result of a test."""
        self._results.append(ContractTestResult(test, sum(one.test == test for one in self._results), verdict, fail_on))

    def receive(self, pickled: bytes) -> None:
        """Add the results of a worker."""
        self._results += pickle.loads(pickled)  # noqa: S301 - written by a worker of ours, below

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports, or hand over to the process that does."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        self._results.sort()
        if output is not None:
            output["tcop_mock"] = pickle.dumps(self._results)
            return
        for one in self._results:
            self._messages += _non_gating_messages(one)
        for file in self._report_files:
            try:
                self._write(file)
            except TcopMockError as problem:
                self._messages.append(f"no report: {problem}")
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the paths of the reports, and the broken clauses that do not count."""
        for line in self._messages:
            terminalreporter.write_line(f"tcop-mock: {line}")

    def _write(self, file: ReportFile) -> None:
        if not self._results:
            self._messages.append(f"no report {file.path}: no test called tcop_contract.check()")
            return
        fail_on = max((one.fail_on for one in self._results), key=tuple(Level).index)
        verdict = merge_verdicts([one.verdict for one in self._results], run_seed(self._config))
        write_report(file.path, render(file.format_name, verdict, fail_on=fail_on))
        self._messages.append(f"report {file.format_name}={file.path} written")


def report_collector(config: pytest.Config) -> ReportCollector:
    """Return what gathers in a run."""
    collector = config.pluginmanager.get_plugin(_PLUGIN_NAME)
    if collector is None:
        collector = ReportCollector(config)
        config.pluginmanager.register(collector, _PLUGIN_NAME)
    assert isinstance(collector, ReportCollector)  # noqa: S101 - it is ours by its name
    return collector


def merge_verdicts(verdicts: list[Verdict], seed: int) -> Verdict:
    """Return several verdicts as one: of each clause the worst result, with the findings of all.

    Args:
        verdicts: in an order that does not depend on which came first.
        seed: of the run; each finding shows the one that it was found with.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    results: dict[str, list[ClauseResult]] = {}
    for verdict in verdicts:
        for result in verdict.results:
            results.setdefault(result.clause.code, []).append(result)
    return Verdict(
        target=_join_unique(verdict.target for verdict in verdicts),
        profile=_join_unique(verdict.profile for verdict in verdicts),
        seed=seed,
        notes=tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.notes)),
        assumptions=tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.assumptions)),
        results=tuple(_worst_result(results[code]) for code in sorted(results)),
        run_info=_merge_run_infos([verdict.run_info for verdict in verdicts if verdict.run_info]),
        baseline=_merge_baselines(verdicts),
    )


def _merge_run_infos(run_infos: list[RunInfo]) -> RunInfo | None:
    """Return one run that has begun with the first and lasted as long as all."""
    if not run_infos:
        return None
    first = min(run_infos, key=lambda ran: ran.started_at)
    return replace(first, duration_s=sum(ran.duration_s for ran in run_infos))


def _merge_baselines(verdicts: list[Verdict]) -> BaselineSummary | None:
    """Return the baseline summary of all tests: an entry is stale only if no test has found it."""
    baselines = [verdict.baseline for verdict in verdicts if verdict.baseline]
    if not baselines:
        return None
    fingerprints = {finding.fingerprint for verdict in verdicts for one in verdict.results for finding in one.findings}
    stale = {known.fingerprint: known for baseline in baselines for known in baseline.stale_entries}
    return replace(
        baselines[0], stale_entries=tuple(known for mark, known in stale.items() if mark not in fingerprints)
    )


def _worst_result(results: list[ClauseResult]) -> ClauseResult:
    worst = min(results, key=lambda result: _WORST_FIRST.index(result.status))
    return replace(
        worst,
        findings=tuple(finding for result in results for finding in result.findings),
        duration_s=sum(result.duration_s for result in results),
    )


def _join_unique(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _non_gating_messages(result: ContractTestResult) -> list[str]:
    """Print the broken clauses of a test that do not fail it, and its stale baseline entries."""
    codes = [
        clause_label(one.clause)
        for one in result.verdict.results
        if one.status is ClauseStatus.FAIL and not is_gating(one.clause.level, result.fail_on)
    ]
    messages = [f"{result.test} breaks without counting: {', '.join(codes)}"] if codes else []
    baseline = result.verdict.baseline
    if baseline and baseline.stale_entries:
        stale_codes = ", ".join(dict.fromkeys(known.clause for known in baseline.stale_entries))
        messages.append(f"{result.test} finds no more what {baseline.path} lists of {stale_codes}")
    return messages
