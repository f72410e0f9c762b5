"""A receiver that one request breaks for good: the finding names the request, and no other clause is blamed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from run_check import check_directly, failed_codes
from timed_receivers import Timing, check_timed

from tcop_mock.contract.breakdown import SentRequest, find_breakdown, is_broken, is_suspect
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion
from tcop_mock.domain.contract import CaseGroup, ClauseTest, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.server.messages import Handler


def poisoned(is_poison: Callable[[ReceivedRequest], bool]) -> Handler:
    """Return the correct receiver, which answers 500 for good after such a request."""
    is_broken_now = False

    def receiver(request: ReceivedRequest) -> Reply:
        nonlocal is_broken_now
        if is_broken_now:
            return Reply(500)
        is_broken_now = is_poison(request)
        return Reply(500) if is_broken_now else correct_receiver(request)

    return receiver


def is_no_json(request: ReceivedRequest) -> bool:
    """Return whether a body cannot be parsed."""
    try:
        json.loads(request.body)
    except ValueError:
        return request.method == "POST"
    return False


POISONS: dict[str, tuple[Callable[[ReceivedRequest], bool], str]] = {
    "a body that is no JSON": (is_no_json, "TCM401"),
    "an array": (lambda request: request.body.startswith(b"["), "TCM403"),
    "an empty body": (lambda request: request.method == "POST" and not request.body, "TCM402"),
    "a huge body": (lambda request: len(request.body) > 60_000, "TCM315"),
    "an unknown key with null": (lambda request: b":null" in request.body, "TCM304"),
    "a recoverTime of 0": (lambda request: b'"recoverTime":0' in request.body, "TCM302"),
    "an emoji": (lambda request: "\N{POLICE CARS REVOLVING LIGHT}".encode() in request.body, "TCM309"),
    "a GET": (lambda request: request.method == "GET", "TCM106"),
}


@pytest.mark.parametrize("name", POISONS)
def test_the_request_that_broke_a_receiver_is_named(name: str) -> None:
    """By the clause about a receiver that answers; its own clause fails for its answer, and no other does."""
    is_poison, code = POISONS[name]
    verdict = check_directly(poisoned(is_poison), clauses=["TCM103", code, "TCM306", "TCM313", "TCM401", "TCM409"])
    assert failed_codes(verdict) == {code, "TCM409"}
    finding = next(item.findings[0] for item in verdict.results if item.clause.code == "TCM409")
    assert f" of {code}" in finding.title
    assert "answered 500, as all callbacks since" in finding.title
    assert f"--clauses TCM409,{code}" in finding.reproduction.cli
    others = [item for item in verdict.results if item.status is ClauseStatus.ERROR]
    assert all("(TCM409)" in item.reason for item in others)


def test_without_that_clause_its_own_one_reports_it() -> None:
    """In the same words."""
    verdict = check_directly(poisoned(POISONS["an emoji"][0]), clauses=["TCM302", "TCM309"])
    assert failed_codes(verdict) == {"TCM309"}
    titles = [finding.title for item in verdict.results for finding in item.findings]
    assert any(title.endswith("answered 500, and all callbacks after it are answered 500") for title in titles)


def test_a_receiver_that_breaks_among_malformed_bodies_is_not_checked_further() -> None:
    """Its answers to a burst or a slow sender say nothing."""
    verdict = check_directly(poisoned(POISONS["an array"][0]), clauses=["TCM403", "TCM409", "TCM515"])
    assert failed_codes(verdict) == {"TCM403", "TCM409"}


def exits_on_emoji(request: OutgoingRequest, _: int) -> Timing:
    """Return that the connection ends at an emoji, and is refused from then on."""
    if "\N{POLICE CARS REVOLVING LIGHT}".encode() in request.body:
        GONE.append(request)
        return Timing(failure=Outcome.RESET_BEFORE_ANSWER)
    return Timing(failure=Outcome.REFUSED) if GONE else Timing()


GONE: list[OutgoingRequest] = []


def test_a_receiver_that_a_request_ends_fails_one_clause() -> None:
    """What is refused afterwards says nothing of other clauses."""
    GONE.clear()
    verdict = check_timed(exits_on_emoji, ["TCM103", "TCM302", "TCM309", "TCM409"]).verdict
    assert failed_codes(verdict) == {"TCM409"}
    finding = next(item.findings[0] for item in verdict.results if item.clause.code == "TCM409")
    assert finding.title.endswith("the connection was refused, as all callbacks since 'emoji' of TCM309")


def sent(*attempts: tuple[str, int, float, float]) -> list[SentRequest]:
    """Return requests by body, status, start and end."""
    return [
        SentRequest(
            OutgoingRequest(body.encode()),
            Attempt(Outcome.from_status(status), intended_s=start, started_s=start, ended_s=end, status=status),
        )
        for body, status, start, end in attempts
    ]


def cases_of(**bodies: Sequence[str]) -> dict[tuple[str, int], ClauseTest]:
    """Return what clauses send."""
    return {
        (code, 0): ClauseTest((CaseGroup(tuple(RequestCase(one, OutgoingRequest(one.encode())) for one in several)),))
        for code, several in bodies.items()
    }


TESTS = cases_of(TCM101=['{"a":1}', '{"a":2}'], TCM302=['{"b":1}'], TCM401=["{"])
GOOD, BAD = ("{}", 200, 0.0, 0.1), ('{"a":2}', 500, 2.0, 2.1)
PLAIN = sent(("{}", 500, 9.0, 9.1))[0].attempt


@pytest.mark.parametrize(
    "requests, title",
    [
        (sent(GOOD, ('{"b":1}', 500, 1.0, 1.1), BAD), '{"b":1}'),
        (sent(GOOD, ('{"a":1}', 500, 1.0, 1.1), BAD), '{"a":1}'),
        (sent(GOOD, ('{"a":1}', 500, 1.0, 1.1), ('{"b":1}', 500, 1.0, 1.2), BAD), '{"b":1}'),
        (sent(GOOD, ('{"b":1}', 500, 1.0, 1.1), ("{", 500, 1.0, 1.2), BAD), "{"),
        (sent(GOOD, ('{"b":1}', 500, 1.0, 1.1), ("{", 500, 1.2, 1.3), BAD), '{"b":1}'),
        (sent(GOOD, ("{", 400, 0.5, 0.6), ('{"b":1}', 500, 1.0, 1.1), BAD), '{"b":1}'),
        (sent(("{", 400, 0.0, 0.1), BAD), None),
        (sent(GOOD, ("other", 500, 1.0, 1.1), BAD), None),
        (sent(BAD, GOOD), None),
    ],
    ids=["one", "of the catalogue", "two", "malformed", "a later one", "rejected", "never good", "no case", "good"],
)
def test_of_several_requests_in_flight_the_oddest_broke_it(requests: list[SentRequest], title: str | None) -> None:
    """Of those that overlap the first broken answer: malformed ones before others, the catalogue's last."""
    breakdown = find_breakdown(requests, TESTS, PLAIN)
    assert (breakdown.case.title if breakdown else None) == title


def test_a_busy_receiver_is_not_broken() -> None:
    """Nor is one that answered well since, or refuses what is malformed."""
    assert [is_broken(sent(("", status, 0.0, 0.1))[0].attempt) for status in (500, 503, 429, 400)] == [
        True,
        False,
        False,
        False,
    ]
    assert is_broken(replace(PLAIN, outcome=Outcome.REFUSED, status=None))
    assert [is_suspect(one) for one in (sent(), sent(BAD, GOOD), sent(GOOD, BAD), sent(("{", 400, 0.0, 0.1)))] == [
        False,
        False,
        True,
        False,
    ]


def test_what_was_left_out_for_another_reason_stays_so() -> None:
    """Only what a request of that time was left out for names the clause that reports the breakdown."""
    breakdown = find_breakdown(sent(GOOD, ('{"b":1}', 500, 1.0, 1.1), BAD), TESTS, PLAIN)
    assert breakdown is not None
    outcome = ClauseOutcome(skipped=(Exclusion("x", "x: undecided (TCM101)"),))
    assert breakdown.without_consequences(outcome, "TCM409").skipped == outcome.skipped
