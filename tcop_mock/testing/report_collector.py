"""What all contract tests of a run have found, told once: reports, and a few lines at the end.

With pytest-xdist the workers hand over to the process that started them, so there is one report of all.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Baseline, ClauseResult, Ran, Result, Verdict
from tcop_mock.errors import TcopMockError
from tcop_mock.reports.files import write_report
from tcop_mock.reports.formats import ReportFile, render, report_file
from tcop_mock.reports.summary import counts
from tcop_mock.reports.text import named
from tcop_mock.testing.options import seed_given, several

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = "tcop_mock.gathering"
_WORST = (Result.FAIL, Result.ERROR, Result.KNOWN, Result.PASS, Result.NOT_RUN)


class Found(NamedTuple):
    """What one contract test has found."""

    test: str
    number: int
    """Of the calls in this test."""
    verdict: Verdict
    fail_on: Level


class Gathering:
    """A plugin of its own, which is there once there is something to gather.

    Args:
        config: of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: list[Found] = []
        self._said: list[str] = []
        self._files: list[ReportFile] = [report_file(given.value, given.where) for given in several(config, "report")]

    def add(self, test: str, verdict: Verdict, fail_on: Level) -> None:
        """Keep what a test has found."""
        self._found.append(Found(test, sum(one.test == test for one in self._found), verdict, fail_on))

    def take_over(self, handed: bytes) -> None:
        """Keep what a worker has found."""
        self._found += pickle.loads(handed)  # noqa: S301 - written by a worker of ours, below

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports, or hand over to the process that does."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        self._found.sort()
        if output is not None:
            output["tcop_mock"] = pickle.dumps(self._found)
            return
        for one in self._found:
            self._said += _uncounted(one)
        for file in self._files:
            try:
                self._write(file)
            except TcopMockError as problem:
                self._said.append(f"no report: {problem}")
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written, and what is broken without counting."""
        for line in self._said:
            terminalreporter.write_line(f"tcop-mock: {line}")

    def _write(self, file: ReportFile) -> None:
        if not self._found:
            self._said.append(f"no report {file.path}: no test called tcop_contract.check()")
            return
        level = max((one.fail_on for one in self._found), key=tuple(Level).index)
        verdict = merged([one.verdict for one in self._found], seed_given(self._config))
        write_report(file.path, render(file.kind, verdict, fail_on=level))
        self._said.append(f"report {file.kind}={file.path} written")


def gathering(config: pytest.Config) -> Gathering:
    """Return what gathers in a run."""
    found = config.pluginmanager.get_plugin(_NAME)
    if found is None:
        found = Gathering(config)
        config.pluginmanager.register(found, _NAME)
    assert isinstance(found, Gathering)  # noqa: S101 - it is ours by its name
    return found


def merged(verdicts: list[Verdict], seed: int) -> Verdict:
    """Return several verdicts as one: of each clause the worst result, with the findings of all.

    Args:
        verdicts: in an order that does not depend on who was first.
        seed: of the run; each finding tells the one that it was found with.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    results: dict[str, list[ClauseResult]] = {}
    for verdict in verdicts:
        for result in verdict.results:
            results.setdefault(result.clause.code, []).append(result)
    return Verdict(
        target=_each_once(verdict.target for verdict in verdicts),
        profile=_each_once(verdict.profile for verdict in verdicts),
        seed=seed,
        assumptions=tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.assumptions)),
        results=tuple(_worst(results[code]) for code in sorted(results)),
        ran=_ran([verdict.ran for verdict in verdicts if verdict.ran]),
        baseline=_baseline(verdicts),
    )


def _ran(runs: list[Ran]) -> Ran | None:
    """Return one run that has begun with the first and lasted as long as all."""
    if not runs:
        return None
    first = min(runs, key=lambda ran: ran.started)
    return replace(first, duration_s=sum(ran.duration_s for ran in runs))


def _baseline(verdicts: list[Verdict]) -> Baseline | None:
    """Return what the baseline says of all: what one test has found is not stale because others have not."""
    asked = [verdict.baseline for verdict in verdicts if verdict.baseline]
    if not asked:
        return None
    found = {finding.fingerprint for verdict in verdicts for one in verdict.results for finding in one.findings}
    stale = {known.fingerprint: known for baseline in asked for known in baseline.stale}
    return replace(asked[0], stale=tuple(known for mark, known in stale.items() if mark not in found))


def _worst(results: list[ClauseResult]) -> ClauseResult:
    worst = min(results, key=lambda result: _WORST.index(result.result))
    return replace(
        worst,
        findings=tuple(finding for result in results for finding in result.findings),
        duration_s=sum(result.duration_s for result in results),
    )


def _each_once(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _uncounted(found: Found) -> list[str]:
    """Say which clauses a test broke without failing by them, and what it is known for and does no more."""
    codes = [
        named(one.clause)
        for one in found.verdict.results
        if one.result is Result.FAIL and not counts(one.clause.level, found.fail_on)
    ]
    said = [f"{found.test} breaks without counting: {', '.join(codes)}"] if codes else []
    baseline = found.verdict.baseline
    if baseline and baseline.stale:
        gone = ", ".join(dict.fromkeys(known.clause for known in baseline.stale))
        said.append(f"{found.test} finds no more what {baseline.path} lists of {gone}")
    return said
