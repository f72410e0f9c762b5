"""What a test that fails says of the contract: each finding, its source, and how to see it again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tcop_mock.model.verdict import Result
from tcop_mock.report.findings import broken, headline
from tcop_mock.report.ruling import Ruling, counts, rule
from tcop_mock.report.safe import counted, one_line
from tcop_mock.report.words import MOST_REASON_CHARS, named, sentence, tally

if TYPE_CHECKING:
    from tcop_mock.model.clause import Clause, Level
    from tcop_mock.model.verdict import ClauseResult, Verdict

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
