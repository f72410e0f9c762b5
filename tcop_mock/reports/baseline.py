"""Baseline: compares the findings of a run with the known ones.

The runner does not use a baseline. All reports, the command line and the pytest plugin need the same comparison, so it
is done on verdicts, here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.domain.verdict import (
    BaselineEntry,
    BaselineSummary,
    ClauseFinished,
    ClauseResult,
    ClauseStatus,
    Finding,
    RunFinished,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from tcop_mock.domain.verdict import RunEvent

_FINGERPRINT_DIGITS = 16
_NUMBERS = re.compile(r"(?<!answered )(?<![\w./-])\d+(?:[.,]\d+)*(?![\w./-])")
"""Counts and times, which differ between runs. Statuses and digits inside names are not replaced."""
_CALLBACK_NUMBER = re.compile(r"\bcallback \d+\b")
_FAILED_RESULTS = frozenset({ClauseStatus.FAIL, ClauseStatus.KNOWN})


def fingerprint(clause: str, cause: str) -> str:
    """Return the fingerprint of a finding, in hexadecimal: its clause and its cause, without counts and times."""
    return hashlib.sha256(f"{clause}\n{_NUMBERS.sub('#', cause)}".encode("utf-8", "surrogatepass")).hexdigest()[
        :_FINGERPRINT_DIGITS
    ]


def finding_fingerprint(result: ClauseResult, finding: Finding) -> str:
    """Return the fingerprint of a finding. A finding without a cause is identified by its title."""
    return fingerprint(result.clause.code, finding.cause or finding.title)


class BaselineFilter:
    """Marks the known findings of a run.

    Args:
        entries: entries of the baseline.
        today: date that decides which entries have expired.
        path: path of the baseline as the user wrote it.
        add_new: whether new findings become known. Expired entries stay expired.
    """

    def __init__(self, entries: Iterable[BaselineEntry], today: date, *, path: str = "", add_new: bool = False) -> None:
        self._entries = {one.fingerprint: one for one in entries}
        self._today, self._path, self._add_new = today, path, add_new

    def wrap_listener(self, listener: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
        """Return a listener that filters each event and passes it on to ``listener``."""
        return lambda event: listener(self.filter_event(event))

    def filter_event(self, event: RunEvent) -> RunEvent:
        """Return an event with its results filtered."""
        match event:
            case ClauseFinished(result):
                return ClauseFinished(self.filter_result(result))
            case RunFinished(verdict):
                return RunFinished(self.filter_verdict(verdict))
            case _:
                return event

    def filter_verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict with all its results filtered, and with the stale entries of the baseline."""
        filtered = replace(verdict, results=tuple(map(self.filter_result, verdict.results)))
        stale_entries = tuple(self._stale_entries(filtered))
        return replace(filtered, baseline=BaselineSummary(self._path, len(self._entries), stale_entries))

    def filter_result(self, result: ClauseResult) -> ClauseResult:
        """Return the result of a clause with its known findings marked, and new findings first.

        The status becomes ``known`` if no finding counts. A filtered result stays the same.
        """
        if result.status is not ClauseStatus.FAIL:
            return result
        findings = sorted(
            (self._filter_finding(result, one) for one in result.findings), key=lambda one: not one.is_gating
        )
        is_new = any(one.is_gating for one in findings)
        return replace(result, status=ClauseStatus.FAIL if is_new else ClauseStatus.KNOWN, findings=tuple(findings))

    def entries_to_write(self, verdict: Verdict, *, update: bool, prune: bool) -> list[BaselineEntry]:
        """Return the new entries of the baseline after a run, sorted by clause.

        Args:
            verdict: filtered verdict of the run.
            update: whether new findings are added.
            prune: whether stale entries of fully checked clauses are removed.
        """
        entries = dict(self._entries)
        for stale_entry in self._stale_entries(verdict) if prune else ():
            del entries[stale_entry.fingerprint]
        if update:
            entries |= {
                finding.fingerprint: finding.baseline_entry
                for finding in _all_findings(verdict)
                if finding.baseline_entry
            }
        return sorted(entries.values(), key=lambda one: (one.clause, one.fingerprint))

    def _filter_finding(self, result: ClauseResult, finding: Finding) -> Finding:
        digest, code = finding_fingerprint(result, finding), result.clause.code
        cases = tuple(dict.fromkeys(_CALLBACK_NUMBER.sub("callback #", case) for case in finding.cases))
        entry = self._entries.get(digest)
        if entry is None:
            if self._add_new:
                entry = BaselineEntry(digest, code, self._today, finding.cause, finding.title, cases)
            return replace(finding, fingerprint=digest, baseline_entry=entry)
        is_expired = entry.expires is not None and entry.expires <= self._today
        covers_all_cases = not (entry.cases and cases)
        new_cases = () if covers_all_cases else tuple(case for case in cases if case not in entry.cases)
        if new_cases and self._add_new:
            entry, new_cases = replace(entry, cases=(*entry.cases, *new_cases)), ()
        return replace(finding, fingerprint=digest, baseline_entry=entry, is_expired=is_expired, new_cases=new_cases)

    def _stale_entries(self, verdict: Verdict) -> Iterator[BaselineEntry]:
        fingerprints = {finding.fingerprint for finding in _all_findings(verdict)}
        checked_codes = {one.clause.code for one in verdict.results if _is_fully_checked(one)}
        return (
            one for one in self._entries.values() if one.clause in checked_codes and one.fingerprint not in fingerprints
        )


def _is_fully_checked(result: ClauseResult) -> bool:
    """Return whether all requests of a clause were checked. A clause that passed with skipped cases has a reason."""
    return result.status in _FAILED_RESULTS or (result.status is ClauseStatus.PASS and not result.reason)


def _all_findings(verdict: Verdict) -> Iterator[Finding]:
    return (finding for result in verdict.results for finding in result.findings)
