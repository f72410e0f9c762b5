"""Outcomes of a clause's cases, concurrently and alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcop_mock.contract.clause_outcome import (
    ClauseOutcome,
    Exclusion,
    load_failure,
    main_case,
    refusal,
    select_cases,
)
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.reproduce import ReproductionContext
from tcop_mock.domain.contract import CaseGroup, ClauseTest, RequestCase, SendOrder
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus

SOURCE = ReproductionContext(find_clause(load_clauses(), "TCM302"), Target.parse("http://127.0.0.1:9/"), 7, "2023")


def _problem(title: str, status: int | None = 500, method: str = "POST") -> Failure:
    outcome = Outcome.TIMED_OUT if status is None else Outcome.REJECTED
    case = RequestCase(title, replace(OutgoingRequest(b"{}"), method=method))
    return Failure(case, Attempt(outcome, 0.0, 0.0, 0.1, status=status), f"answered {status}")


IN_COMPANY = ClauseOutcome(
    failures=(_problem("a"), _problem("b"), _problem("c", None)),
    asserted=frozenset("abcd"),
    rerun=frozenset("abc"),
)


def test_what_is_taken_alone_is_kept() -> None:
    """A clause whose cases are all taken alone has no problem left, and all of them judged."""
    settled = IN_COMPANY.merge_rerun(ClauseOutcome(asserted=frozenset("abc")))
    assert (settled.failures, settled.asserted) == ((), frozenset("abcd"))
    assert settled.to_result(SOURCE).status is ClauseStatus.PASS


def test_what_is_broken_alone_too_is_broken() -> None:
    """The attempts that were made alone are shown."""
    alone = ClauseOutcome(failures=(_problem("b", 502),), asserted=frozenset("abc"))
    [finding] = IN_COMPANY.merge_rerun(alone).to_result(SOURCE).findings
    assert (finding.title, finding.detail) == ("b: answered 502", "1 of 4 cases: answered 502. b")


def test_what_is_not_heard_alone_stays() -> None:
    """After silences the rest is not waited for again: what was silent in company counts."""
    alone = ClauseOutcome(failures=(_problem("a"),), asserted=frozenset("a"), not_sent=frozenset("c"))
    settled = IN_COMPANY.merge_rerun(alone)
    assert [problem.case.title for problem in settled.failures] == ["a", "c"]
    assert settled.asserted == frozenset("acd")


def _late(title: str, text: str = "no answer inside the deadline", took_s: float = 5.0) -> Failure:
    attempt = Attempt(Outcome.TIMED_OUT, 0.0, 0.0, took_s)
    return Failure(RequestCase(title, OutgoingRequest(b"{}")), attempt, text)


@pytest.mark.parametrize("keeps_late", [True, False])
def test_a_late_answer_stays_if_no_time_was_left_for_another_one(keeps_late: bool) -> None:  # noqa: FBT001 - one of two
    """The late answer fails the clause about the deadline; wrong answers are inconclusive."""
    late_control = refusal("c", RequestCase("plain", OutgoingRequest(b"{}")), _late("plain").attempt)
    outcome = ClauseOutcome(
        failures=(_late("a"), _problem("b")), skipped=(late_control,), asserted=frozenset("ab"), rerun=frozenset("abc")
    )
    alone = ClauseOutcome(inconclusive=("too slow",), too_slow=frozenset("abc"))
    settled = outcome.merge_rerun(alone, keeps_late=keeps_late)
    assert [failure.title for failure in settled.failures] == ["a"] * keeps_late
    assert settled.skipped == (late_control,) * keeps_late


def test_what_is_late_for_no_other_reason_is_not_rerun() -> None:
    """Then the result of the rerun leaves it as it is."""
    late_control = refusal("c", RequestCase("plain", OutgoingRequest(b"{}")), _late("plain").attempt)
    outcome = ClauseOutcome(
        failures=(_late("a"), _problem("b")), skipped=(late_control,), asserted=frozenset("ab"), rerun=frozenset("b")
    )
    settled = outcome.merge_rerun(ClauseOutcome(asserted=frozenset("b")))
    assert [failure.title for failure in settled.failures] == ["a"]
    assert settled.skipped == (late_control,)


def test_two_slow_failures_show_what_the_rest_do() -> None:
    """Two of several equal slow failures are rerun; fast failures are all rerun."""
    slow = [_late(title, "answered after more than 1 s", 1.1) for title in "abcd"]
    outcome = ClauseOutcome(failures=(*slow, _late("e"), _problem("f")), rerun=frozenset("acdef"))
    assert outcome.alike_slow_failures(0.5) == {"d": "answered after more than 1 s"}
    assert outcome.alike_slow_failures(2.0) == {}


def test_what_cannot_be_checked_alone_is_an_error() -> None:
    """A receiver that was gone by then is not blamed for what it did in company."""
    settled = IN_COMPANY.merge_rerun(ClauseOutcome(inconclusive=("the receiver could not be reached (refused)",)))
    result = settled.to_result(SOURCE)
    assert (result.status, result.reason) == (ClauseStatus.ERROR, "the receiver could not be reached (refused)")


def test_what_was_left_out_is_reported() -> None:
    """Each reason once, and how many cases were not sent."""
    left_out = (Exclusion("x", "x"), Exclusion("y", "x"))
    hearing = ClauseOutcome(skipped=left_out, asserted=frozenset("a"), not_sent=frozenset("bc"))
    assert hearing.to_result(SOURCE).reason == "left out: x; left out: 2 cases, after others had no answer"
    assert replace(hearing, asserted=frozenset()).to_result(SOURCE).status is ClauseStatus.ERROR


@pytest.mark.parametrize(
    "asserted, status",
    [("bcde", ClauseStatus.ERROR), ("acde", ClauseStatus.PASS), ("a", ClauseStatus.ERROR)],
    ids=["without-the-first", "without-one", "without-most"],
)
def test_a_pass_has_its_main_case(asserted: str, status: ClauseStatus) -> None:
    """A clause whose first case, or most cases, were left out for a refusal has no result."""
    problem = _problem("control")
    left_out = [refusal(title, problem.case, problem.attempt) for title in "abcde" if title not in asserted]
    outcome = ClauseOutcome(skipped=tuple(left_out), asserted=frozenset(asserted), main_title="a")
    assert outcome.to_result(SOURCE).status is status


@pytest.mark.parametrize(
    "status, codes",
    [(404, ("TCM101",)), (500, ("TCM101",)), (409, ()), (429, ()), (503, ()), (None, ("TCM102",))],
)
def test_a_refusal_names_who_reports_it(status: int | None, codes: tuple[str, ...]) -> None:
    """TCM101 reports a rejected request, TCM102 a late response; 409, 429 and 503 are allowed."""
    problem = _problem("control", status)
    assert refusal("x", problem.case, problem.attempt).codes == codes


@pytest.mark.parametrize("status", [200, 302, 429, 502, 503, 504])
def test_a_receiver_that_is_busy_under_concurrency_does_not_fail_for_it(status: int) -> None:
    """A rejection other than 429 and 503 counts as a failure of the burst."""
    assert load_failure(_problem("a", status), 3) is None
    assert load_failure(_problem("a", 500, "PUT"), 3) is None


def test_a_receiver_that_rejects_concurrently_and_not_alone_is_reported() -> None:
    """The failure says how often the same callback was accepted alone; equal causes are one finding."""
    hearing = ClauseOutcome(failures=(_problem("a"), _problem("b")))
    alone = ClauseOutcome(failures=(_problem("b"),), asserted=frozenset("ab"))
    [vanished] = hearing.vanished_failures(alone)
    problem = load_failure(vanished, 24)
    assert problem is not None
    text = "answered 500 only under concurrency: beside other callbacks, and not alone in 24 repetitions"
    assert (problem.title, problem.text) == ("a", text)
    outcome = ClauseOutcome(asserted=frozenset("x")).with_failures([problem, problem._replace(text="other")])
    [finding] = outcome.to_result(SOURCE).findings
    assert finding.detail.startswith(f"2 of 2 cases: {text}. a")


def test_a_play_is_narrowed_to_cases() -> None:
    """Scenes without any of them are left out; spellings and turns stay whole."""
    one, two, three = (RequestCase(title, OutgoingRequest(b"{}")) for title in "abc")
    play = ClauseTest((CaseGroup((one, two)), CaseGroup((three,)), CaseGroup((two, three), any_accepted=True)))
    assert select_cases(play, {"b"}).groups == (CaseGroup((two,)), CaseGroup((two, three), any_accepted=True))
    assert select_cases(replace(play, send_order=SendOrder.SEQUENTIAL), {"b"}).groups == (
        play.groups[0],
        play.groups[2],
    )


def test_what_a_profile_leaves_nothing_of_is_not_run() -> None:
    """Older callbacks lack fields; a clause about these alone sends nothing there."""
    result = ClauseOutcome().to_result(SOURCE)
    assert (result.status, result.reason) == (
        ClauseStatus.NOT_RUN,
        "callbacks of profile 2023 have nothing that it could change",
    )


def test_what_the_time_limit_cuts_is_reported_as_seen_beside_others() -> None:
    """Failures say that nothing repeated them; a busy receiver is not blamed; alone they stay as they are."""
    outcome = ClauseOutcome(failures=(_problem("a"), _problem("b", 503)), asserted=frozenset("ab"))
    cut = outcome.cut_short(is_concurrent=True)
    text = "answered 500, beside other callbacks; no time was left to repeat it alone"
    assert [(failure.title, failure.text) for failure in cut.failures] == [("a", text)]
    assert cut.inconclusive == ("b: answered 503, beside other callbacks; no time was left to repeat it alone",)
    assert outcome.cut_short(is_concurrent=False) == outcome


def test_silence_after_abuse_is_another_clause_s() -> None:
    """A control without a response is TCM409's after malformed bodies, and nobody's after a burst."""
    silent = refusal("x", _problem("c", None).case, _problem("c", None).attempt)
    answered = refusal("y", _problem("c").case, _problem("c").attempt)
    outcome = ClauseOutcome(skipped=(silent, answered, Exclusion("z", "z")))
    assert [exclusion.codes for exclusion in outcome.blaming("TCM409").skipped] == [("TCM409",), ("TCM101",), ()]
    assert [exclusion.codes for exclusion in outcome.blaming("").skipped] == [(), ("TCM101",), ()]


def test_the_main_case_is_the_first_of_a_few_products() -> None:
    """A clause about the whole catalogue has none, nor has one without cases."""
    cases = [RequestCase(str(number), OutgoingRequest(b""), f"x/{number}") for number in range(12)]
    assert main_case(cases[:3]) == "0"
    assert main_case(cases) == ""
    assert main_case([]) == ""
