"""What a clause leaves out is somebody's finding, and faults that occur now and then are found."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING

import pytest
from incident_receiver import IncidentReceiver
from incident_receivers import check_with_observer
from run_check import check_directly, failed_codes

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.reasons import reason_text
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
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
    """Without the clause that its reason names, the clause that leaves a case out has no result."""
    [result] = check_directly(_refusing_unknown_resolves(500), clauses=["TCM302"]).results
    assert result.status is ClauseStatus.ERROR
    assert "answered 500 (TCM101)" in result.reason


@pytest.mark.proof
@pytest.mark.parametrize("profile", ["2019-ack", "2021-verify", "2023", "2025"])
def test_a_refused_resolve_is_sent_again_after_its_firing(profile: str) -> None:
    """A receiver that answers 404 to resolves that it does not know is judged by resolves that it knows."""
    clauses = ["TCM101", "TCM3*"]
    honest = check_directly(_refusing_unknown_resolves(404), clauses=clauses, profile=load_profile(profile))
    assert failed_codes(honest) == set()
    assert not [result for result in honest.results if result.status is ClauseStatus.ERROR]
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
    """Where the plain callback is late twice, TCM102 fails without another request, also in a short run."""
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
    """What a scenario was refused is sent again: TCM101 or TCM102 reports it, or the burst if it was only once."""
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
    """The clause about that change reports it; without that clause nobody does, and the scenario is no pass."""
    verdict = check_with_observer(_RejectingLongBodies(), clauses)
    results = _results(verdict)
    assert failed_codes(verdict) == failed
    assert results["TCM101"].status is ClauseStatus.PASS
    assert results["TCM526"].status is ClauseStatus.ERROR
