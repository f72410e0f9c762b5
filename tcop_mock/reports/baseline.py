"""Known findings: which of a run's are listed, which are new, and which are not found any more.

All of it is a comparison of values: a run knows nothing of it, and every report and both shells (command line, pytest)
want the same answer. So it stands beside the reports, where a verdict becomes what is told of it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.domain.verdict import (
    Baseline,
    ClauseFinished,
    ClauseResult,
    Finding,
    Known,
    Result,
    RunFinished,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from tcop_mock.domain.verdict import RunEvent

_DIGITS = 16
_NUMBERS = re.compile(r"(?<!answered )(?<![\w./-])\d+(?:[.,]\d+)*(?![\w./-])")
"""Counts and times, which chance has a hand in; a status and the digits of a name are not."""
_ONE_OF_MANY = re.compile(r"\bcallback \d+\b")
_JUDGED = frozenset({Result.FAIL, Result.KNOWN})


def fingerprint(clause: str, cause: str) -> str:
    """Return what a finding is known by, in hexadecimal: its clause and its cause, without counts and times."""
    return hashlib.sha256(f"{clause}\n{_NUMBERS.sub('#', cause)}".encode("utf-8", "surrogatepass")).hexdigest()[
        :_DIGITS
    ]


def finding_fingerprint(result: ClauseResult, finding: Finding) -> str:
    """Return what a finding of a clause is known by; one that has no cause of its own, by its title."""
    return fingerprint(result.clause.code, finding.cause or finding.title)


class Comparison:
    """Tells known findings from new ones.

    Args:
        known: what the baseline lists.
        today: decides what has expired.
        path: of the baseline, as it was given.
        adopting: whether what is new is known from now on. What has expired stays so: it was to be mended by now.
    """

    def __init__(self, known: Iterable[Known], today: date, *, path: str = "", adopting: bool = False) -> None:
        self._known = {one.fingerprint: one for one in known}
        self._today, self._path, self._adopting = today, path, adopting

    def heard_by(self, listen: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
        """Return a listener that passes events on with their results compared."""
        return lambda event: listen(self.event(event))

    def event(self, event: RunEvent) -> RunEvent:
        """Return an event with the results that it tells compared."""
        match event:
            case ClauseFinished(result):
                return ClauseFinished(self.result(result))
            case RunFinished(verdict):
                return RunFinished(self.verdict(verdict))
            case _:
                return event

    def verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict with all its results compared, and what of the baseline was not found any more."""
        compared = replace(verdict, results=tuple(map(self.result, verdict.results)))
        stale = tuple(self._stale(compared))
        return replace(compared, baseline=Baseline(self._path, len(self._known), stale))

    def result(self, result: ClauseResult) -> ClauseResult:
        """Return a clause's result with its findings compared, new ones first.

        It is ``known`` where none of them counts. A result that was compared before stays as it is.
        """
        if result.result is not Result.FAIL:
            return result
        found = sorted((self._finding(result, one) for one in result.findings), key=lambda one: not one.counts)
        is_new = any(one.counts for one in found)
        return replace(result, result=Result.FAIL if is_new else Result.KNOWN, findings=tuple(found))

    def listed(self, verdict: Verdict, *, update: bool, prune: bool) -> list[Known]:
        """Return what the baseline is to list after a run, by clause.

        Args:
            verdict: of the run, compared.
            update: whether what was found is added.
            prune: whether what was not found any more is left out, of clauses that were judged.
        """
        listed = dict(self._known)
        for gone in self._stale(verdict) if prune else ():
            del listed[gone.fingerprint]
        if update:
            listed |= {finding.fingerprint: finding.known for finding in _found(verdict) if finding.known}
        return sorted(listed.values(), key=lambda one: (one.clause, one.fingerprint))

    def _finding(self, result: ClauseResult, finding: Finding) -> Finding:
        mark, code = finding_fingerprint(result, finding), result.clause.code
        cases = tuple(dict.fromkeys(_ONE_OF_MANY.sub("callback #", case) for case in finding.cases))
        known = self._known.get(mark)
        if known is None:
            if self._adopting:
                known = Known(mark, code, self._today, finding.cause, finding.title, cases)
            return replace(finding, fingerprint=mark, known=known)
        expired = known.expires is not None and known.expires <= self._today
        everywhere = not (known.cases and cases)
        beyond = () if everywhere else tuple(case for case in cases if case not in known.cases)
        if beyond and self._adopting:
            known, beyond = replace(known, cases=(*known.cases, *beyond)), ()
        return replace(finding, fingerprint=mark, known=known, expired=expired, beyond=beyond)

    def _stale(self, verdict: Verdict) -> Iterator[Known]:
        found = {finding.fingerprint for finding in _found(verdict)}
        judged = {one.clause.code for one in verdict.results if _was_judged(one)}
        return (one for one in self._known.values() if one.clause in judged and one.fingerprint not in found)


def _was_judged(result: ClauseResult) -> bool:
    """Say whether all that a clause sends was judged; one that passed with cases left out has its reason."""
    return result.result in _JUDGED or (result.result is Result.PASS and not result.reason)


def _found(verdict: Verdict) -> Iterator[Finding]:
    return (finding for result in verdict.results for finding in result.findings)
