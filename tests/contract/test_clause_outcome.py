"""What became of a clause's cases, in company and alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcop_mock.contract.clause_outcome import Hearing, narrowed
from tcop_mock.contract.clauses import find, load_clauses
from tcop_mock.contract.findings import Problem
from tcop_mock.contract.reproduce import Source
from tcop_mock.domain.contract import Case, Pace, Play, Scene
from tcop_mock.domain.delivery import Attempt, Outcome, Push
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import Result

SOURCE = Source(find(load_clauses(), "TCM302"), Target.parse("http://127.0.0.1:9/"), 7, "2023")


def _problem(title: str, status: int | None = 500, method: str = "POST") -> Problem:
    outcome = Outcome.TIMED_OUT if status is None else Outcome.REJECTED
    case = Case(title, replace(Push(b"{}"), method=method))
    return Problem(case, Attempt(outcome, 0.0, 0.0, 0.1, status=status), f"answered {status}")


IN_COMPANY = Hearing(
    problems=(_problem("a"), _problem("b"), _problem("c", None)),
    judged=frozenset("abcd"),
    doubtful=frozenset("abc"),
)


def test_what_is_taken_alone_is_kept() -> None:
    """A clause whose cases are all taken alone has no problem left, and all of them judged."""
    settled = IN_COMPANY.settled_by(Hearing(judged=frozenset("abc")))
    assert (settled.problems, settled.judged) == ((), frozenset("abcd"))
    assert settled.result(SOURCE).result is Result.PASS


def test_what_is_broken_alone_too_is_broken() -> None:
    """The attempts that were made alone are shown."""
    alone = Hearing(problems=(_problem("b", 502),), judged=frozenset("abc"))
    [finding] = IN_COMPANY.settled_by(alone).result(SOURCE).findings
    assert (finding.title, finding.detail) == ("b: answered 502", "1 of 4 cases: answered 502. b")


def test_what_is_not_heard_alone_stays() -> None:
    """After silences the rest is not waited for again: what was silent in company counts."""
    alone = Hearing(problems=(_problem("a"),), judged=frozenset("a"), unheard=frozenset("c"))
    settled = IN_COMPANY.settled_by(alone)
    assert [problem.case.title for problem in settled.problems] == ["a", "c"]
    assert settled.judged == frozenset("acd")


def test_what_cannot_be_judged_alone_is_an_error() -> None:
    """A receiver that was gone by then is not blamed for what it did in company."""
    settled = IN_COMPANY.settled_by(Hearing(blind=("the receiver could not be reached (refused)",)))
    result = settled.result(SOURCE)
    assert (result.result, result.reason) == (Result.ERROR, "the receiver could not be reached (refused)")


def test_what_was_left_out_is_told() -> None:
    """Each reason once, and how many cases were not sent."""
    hearing = Hearing(left_out=("x", "x"), judged=frozenset("a"), unheard=frozenset("bc"))
    assert hearing.result(SOURCE).reason == "left out: x; left out: 2 cases, after others had no answer"
    assert replace(hearing, judged=frozenset()).result(SOURCE).result is Result.ERROR


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_who_is_busy_or_silent_in_company_is_not_blamed_for_it(status: int | None) -> None:
    """Only a refusal that is no honest "not now" counts for the storm."""
    hearing = Hearing(problems=(_problem("a", status),))
    assert hearing.crowding(Hearing(judged=frozenset("a"))) == ()


def test_who_refuses_in_company_and_not_alone_is_told_so() -> None:
    """Callbacks only: what happens to a GET in company is no alarm."""
    hearing = Hearing(problems=(_problem("a"), _problem("b"), _problem("c", 302), _problem("d", method="PUT")))
    alone = Hearing(problems=(_problem("b"),), judged=frozenset("abcd"))
    [problem] = hearing.crowding(alone)
    assert (problem.case.title, problem.text) == ("a", "answered 500 beside other callbacks, and not alone")
    [finding] = Hearing(judged=frozenset("x")).with_problems([problem]).result(SOURCE).findings
    assert finding.detail == "1 of 2 cases: answered 500 beside other callbacks, and not alone. a"


def test_a_play_is_narrowed_to_cases() -> None:
    """Scenes without any of them are left out; spellings and turns stay whole."""
    one, two, three = (Case(title, Push(b"{}")) for title in "abc")
    play = Play((Scene((one, two)), Scene((three,)), Scene((two, three), spellings=True)))
    assert narrowed(play, {"b"}).scenes == (Scene((two,)), Scene((two, three), spellings=True))
    assert narrowed(replace(play, pace=Pace.IN_TURN), {"b"}).scenes == (play.scenes[0], play.scenes[2])


def test_what_a_profile_leaves_nothing_of_is_not_run() -> None:
    """Older callbacks lack fields; a clause about these alone sends nothing there."""
    result = Hearing().result(SOURCE)
    assert (result.result, result.reason) == (
        Result.NOT_RUN,
        "callbacks of profile 2023 have nothing that it could change",
    )
