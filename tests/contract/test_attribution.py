"""Each case that a clause leaves out is reported by another clause, and intermittent faults are found."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from incident_receiver import IncidentReceiver
from incident_receivers import check_with_observer
from run_check import check_directly, failed_codes
from timed_receivers import Timing, check_timed

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.attribution import SentRequest, find_breakdown, is_broken, is_suspect
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion
from tcop_mock.domain.contract import CaseGroup, ClauseTest, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Verdict
    from tcop_mock.server.messages import Handler


def _results(verdict: Verdict) -> dict[str, ClauseResult]:
    return {result.clause.code: result for result in verdict.results}


def _refusing_unknown_resolves(status: int, *, breaks_on_zero: bool = False) -> Handler:
    """Return a receiver that answers a resolve of an alarm that it does not know with a status."""
    known: set[str] = set()

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        alarm = json.loads(request.body) if reply.status == 200 else {}
        policy = str(alarm.get("alarmPolicyInfo", {}).get("policyId"))
        if str(alarm.get("alarmStatus")) != "0":
            known.add(policy)
        elif policy not in known:
            return Reply(status)
        elif breaks_on_zero and alarm.get("recoverTime") == "0":
            return Reply(500)
        return reply

    return handler


def test_what_is_left_out_is_a_finding_of_the_clause_that_its_reason_names() -> None:
    """A receiver that breaks on resolves that it does not know fails TCM101, whose own resolves follow their firing."""
    verdict = check_directly(_refusing_unknown_resolves(500), clauses=["TCM101", "TCM302"])
    results = _results(verdict)
    assert failed_codes(verdict) == {"TCM101"}
    [finding] = results["TCM101"].findings
    assert finding.title == "cvm/basic-monitoring resolved and 1 more: answered 500"
    assert " --clauses TCM101,TCM302 " in finding.reproduction.cli
    assert "answered 500 (TCM101)" in results["TCM302"].reason
    assert failed_codes(check_directly(correct_receiver, clauses=["TCM101", "TCM302"])) == set()


def test_what_is_left_out_is_no_pass_where_nobody_reports_it() -> None:
    """A clause that left a case out is inconclusive if the clause that its reason names did not run."""
    [result] = check_directly(_refusing_unknown_resolves(500), clauses=["TCM302"]).results
    assert result.status is ClauseStatus.ERROR
    assert "answered 500 (TCM101)" in result.reason


@pytest.mark.proof
@pytest.mark.parametrize("profile", ["2019-ack", "2021-verify", "2023", "2025"])
def test_a_refused_resolve_is_sent_again_after_its_firing(profile: str) -> None:
    """A receiver that answers 404 to resolves that it does not know is judged by resolves that it knows."""
    clauses = ["TCM101", "TCM3*"]
    conforming = check_directly(_refusing_unknown_resolves(404), clauses=clauses, profile=load_profile(profile))
    assert failed_codes(conforming) == set()
    assert not [result for result in conforming.results if result.status is ClauseStatus.ERROR]
    broken = _refusing_unknown_resolves(404, breaks_on_zero=True)
    assert failed_codes(check_directly(broken, clauses=clauses, profile=load_profile(profile))) == {"TCM302", "TCM317"}


@pytest.mark.parametrize("status", [409, 429, 503])
def test_honest_refusals_are_nobodys_finding(status: int) -> None:
    """A control that is answered 409, 429 or 503 leaves its cases out, and no clause fails for it."""
    verdict = check_directly(_refusing_unknown_resolves(status), clauses=["TCM101", "TCM302"])
    assert failed_codes(verdict) == set()


def _late(is_late: str, seconds: float = 6.0) -> Handler:
    async def handler(request: ReceivedRequest) -> Reply:
        if is_late.encode() in request.body:
            await asyncio.sleep(seconds)
        return correct_receiver(request)

    return handler


def test_a_late_response_is_a_finding_of_the_clause_about_the_deadline() -> None:
    """Wherever a response is late, TCM102 fails for it and no other clause."""
    verdict = check_directly(_late("qce/cmongo"), clauses=["TCM101", "TCM102", "TCM103"])
    assert failed_codes(verdict) == {"TCM102"}
    results = _results(verdict)
    [finding] = results["TCM102"].findings
    assert finding.title.startswith("mongodb/")
    assert finding.title.endswith(": no answer inside the deadline")
    assert "is not answered inside the deadline (TCM102)" in results["TCM101"].reason
    assert failed_codes(check_directly(_late("qce/cmongo", 0.9), clauses=["TCM101", "TCM102"])) == set()


def test_a_first_callback_that_is_late_has_failed_already() -> None:
    """If the plain callback is late twice, TCM102 fails without another request, also in a short run."""
    requests = itertools.count()

    async def handler(request: ReceivedRequest) -> Reply:
        next(requests)
        await asyncio.sleep(6.0)
        return correct_receiver(request)

    for max_time_s, sent in ((60.0, 2), (7.0, 2)):
        requests = itertools.count()
        verdict = check_directly(handler, clauses=["TCM101", "TCM102"], max_time_s=max_time_s)
        assert failed_codes(verdict) == {"TCM102"}
        assert next(requests) == sent
        assert verdict.run_info is not None
        assert verdict.run_info.duration_s <= max_time_s + 0.1


def _faulty(chance: random.Random, fault: str) -> Handler:
    """Return a receiver with a fault in one of eight responses."""

    async def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        if chance.random() >= 1 / 8:
            return reply
        if fault == "breaks":
            return Reply(500)
        await asyncio.sleep({"slow": 1.5, "late": 6.0}[fault])
        return reply

    return handler


@pytest.mark.parametrize(
    "fault, clauses, codes",
    [
        ("breaks", ["TCM302", "TCM515"], {"TCM302", "TCM515"}),
        ("late", ["TCM102", "TCM302", "TCM515"], {"TCM102", "TCM515"}),
        ("slow", ["TCM103"], {"TCM103"}),
    ],
)
def test_faults_now_and_then_are_found(fault: str, clauses: list[str], codes: set[str]) -> None:
    """A fault in one of eight responses is found in nine of ten runs at least."""
    found = sum(
        bool(failed_codes(check_directly(_faulty(random.Random(seed), fault), clauses=clauses)) & codes)  # noqa: S311 - a fault
        for seed in range(10)
    )
    assert found >= 9
    assert failed_codes(check_directly(correct_receiver, clauses=clauses)) == set()


class _FaultyAmongEffects(IncidentReceiver):
    """Has faults in its responses to resolves, from the twelfth look at its effects on."""

    faults: int = 0
    status: int = 500
    """Of the faulty responses; 0: they are late."""
    slow_s: float = 0.0
    """How long each resolve after the faulty ones takes."""
    looks: int = 0

    async def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer a request."""
        self.looks += request.method == "GET"
        is_resolve = request.method == "POST" and b'"alarmStatus":"0"' in request.body
        if is_resolve and self.looks > 12 and self.faults:
            self.faults -= 1
            if not self.status:
                await asyncio.sleep(6.0)
            return Reply(self.status or 200)
        if is_resolve and self.looks > 12:
            await asyncio.sleep(self.slow_s)
        return await super().__call__(request)


@pytest.mark.parametrize(
    "faulty, status, expected",
    [
        (1, 500, (ClauseStatus.PASS, ClauseStatus.PASS, ClauseStatus.FAIL)),  # the burst reports it
        (1, 502, (ClauseStatus.PASS, ClauseStatus.PASS, ClauseStatus.PASS)),  # busy
        (1, 0, (ClauseStatus.PASS, ClauseStatus.PASS, ClauseStatus.PASS)),  # the observer may have made it late
        (99, 500, (ClauseStatus.FAIL, ClauseStatus.PASS, ClauseStatus.PASS)),
        (99, 0, (ClauseStatus.PASS, ClauseStatus.FAIL, ClauseStatus.PASS)),
    ],
    ids=["once", "busy", "late once", "always", "late"],
)
def test_a_refusal_among_effects_is_repeated_alone_before_a_clause_reports_it(
    faulty: int, status: int, expected: tuple[ClauseStatus, ...]
) -> None:
    """A rejected request of a scenario is sent again: TCM101 or TCM102 reports it, or TCM515 if it passes then."""
    receiver = _FaultyAmongEffects()
    receiver.faults, receiver.status = faulty, status
    results = _results(check_with_observer(receiver, ["TCM101", "TCM102", "TCM505", "TCM515"]))
    assert tuple(results[code].status for code in ("TCM101", "TCM102", "TCM515")) == expected
    assert results["TCM505"].status is ClauseStatus.ERROR


def test_repetitions_of_a_slow_receiver_end_after_some_seconds() -> None:
    """A refusal that occurs once is sent again for at most some seconds, not 24 times."""
    receiver = _FaultyAmongEffects()
    receiver.faults, receiver.slow_s = 1, 4.0
    verdict = check_with_observer(receiver, ["TCM101", "TCM505"])
    assert failed_codes(verdict) == set()
    assert verdict.run_info is not None
    assert verdict.run_info.duration_s < 60


def test_one_slow_response_is_no_finding() -> None:
    """A single slow response beside others, never again in 24 repetitions alone, is only noted."""
    numbers = itertools.count()

    async def handler(request: ReceivedRequest) -> Reply:
        if next(numbers) == 5:
            await asyncio.sleep(1.5)
        return correct_receiver(request)

    [result] = check_directly(handler, clauses=["TCM103"]).results
    assert result.status is ClauseStatus.PASS
    assert "once, and not in 24 repetitions alone" in result.reason


@pytest.mark.parametrize("max_time_s", [6.0, 7.5, 9.0])
def test_a_run_that_ends_reports_what_it_has_seen(max_time_s: float) -> None:
    """Late responses that no time was left to repeat alone are a finding, and the run ends in time."""
    verdict = check_directly(_late('"alarmStatus":"0"'), clauses=["TCM101", "TCM102", "TCM30*"], max_time_s=max_time_s)
    assert failed_codes(verdict) == {"TCM102"}
    assert verdict.run_info is not None
    assert verdict.run_info.duration_s <= max_time_s + 0.1
    texts = {reason_text(result) for result in verdict.results if result.status is ClauseStatus.ERROR}
    assert "not finished within --max-time" in texts


def test_the_time_limit_holds_for_a_receiver_that_stops_answering() -> None:
    """Plain callbacks between the phases do not exceed the time limit of the run either."""
    numbers = itertools.count()

    async def handler(request: ReceivedRequest) -> Reply:
        if next(numbers) > 40:
            await asyncio.sleep(100.0)
        return correct_receiver(request)

    for max_time_s in (10.0, 31.0, 60.0):
        numbers = itertools.count()
        verdict = check_directly(handler, max_time_s=max_time_s)
        assert verdict.run_info is not None
        assert verdict.run_info.duration_s <= max_time_s + 0.1


class _RejectingLongBodies(IncidentReceiver):
    """Answers 500 to bodies of more than 1,024 bytes that no page prints."""

    async def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer a request."""
        is_long = len(request.body) > 1024 and "华南核心交易".encode() in request.body
        return Reply(500) if is_long else await super().__call__(request)


@pytest.mark.parametrize(
    "clauses, failed", [(["TCM101", "TCM115", "TCM526"], {"TCM115"}), (["TCM101", "TCM526"], set())]
)
def test_a_refused_change_is_no_finding_of_the_clause_about_plain_callbacks(
    clauses: list[str], failed: set[str]
) -> None:
    """The clause about that change reports it; without that clause nobody does, and the scenario is not a pass."""
    verdict = check_with_observer(_RejectingLongBodies(), clauses)
    results = _results(verdict)
    assert failed_codes(verdict) == failed
    assert results["TCM101"].status is ClauseStatus.PASS
    assert results["TCM526"].status is ClauseStatus.ERROR


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
    """TCM409 names the request; the clause of that request fails for its answer, and no other does."""
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
    """The clause of the request reports the same, in the same words."""
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
    """Refused connections after the end of a receiver do not fail other clauses."""
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
    """The least usual request in flight at the first broken answer is named as its cause."""
    breakdown = find_breakdown(requests, TESTS, PLAIN)
    assert (breakdown.case.title if breakdown else None) == title


def test_a_busy_receiver_is_not_broken() -> None:
    """A receiver that answers 503 or 429, rejects bad bodies, or answers well later is not broken."""
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
    """Only cases left out because of the breakdown name the clause that reports it."""
    breakdown = find_breakdown(sent(GOOD, ('{"b":1}', 500, 1.0, 1.1), BAD), TESTS, PLAIN)
    assert breakdown is not None
    outcome = ClauseOutcome(skipped=(Exclusion("x", "x: too slow (TCM101)"),))
    assert breakdown.without_consequences(outcome, "TCM409").skipped == outcome.skipped
