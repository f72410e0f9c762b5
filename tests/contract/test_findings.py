"""A finding has the fix of its cause, which may be that of another clause."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from receiver_factories import CREDENTIALS
from run_check import check_directly
from timed_receivers import NEVER_S, Timing, check_timed

from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.findings import fix_code, fix_code_of_pattern
from tcop_mock.domain.contract import CaseGroup, ClauseTest, CredentialVariant, RequestCase, SendOrder
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.reports.findings import fix_pairs
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.verdict import ClauseResult, Verdict

CLAUSES = load_clauses()
LATE = Attempt(Outcome.TIMED_OUT, intended_s=0.0, started_s=0.0, ended_s=5.0)
PLAIN = RequestCase("x", OutgoingRequest(b"{}"))
GUARDED = replace(PLAIN, request=replace(PLAIN.request, credentials=CREDENTIALS))
BURST = ClauseTest((CaseGroup((PLAIN,)),), send_order=SendOrder.BURST)


def answered(status: int) -> Attempt:
    """Return an attempt with this status."""
    return Attempt(Outcome.from_status(status), intended_s=0.0, started_s=0.0, ended_s=0.1, status=status)


@pytest.mark.parametrize(
    "code, case, attempt, test, fix",
    [
        ("TCM302", PLAIN, LATE, None, "TCM102"),
        ("TCM401", PLAIN, LATE, ClauseTest((CaseGroup((PLAIN,)),)), "TCM102"),
        ("TCM105", PLAIN, LATE, None, "TCM105"),
        ("TCM409", PLAIN, LATE, None, "TCM409"),
        ("TCM521", PLAIN, LATE, None, "TCM521"),
        ("TCM515", PLAIN, LATE, BURST, "TCM515"),
        ("TCM302", PLAIN, LATE, ClauseTest((CaseGroup((PLAIN,), background=PLAIN),)), "TCM302"),
        ("TCM106", RequestCase("x", OutgoingRequest(b"", method="GET")), LATE, None, "TCM106"),
        ("TCM302", GUARDED, answered(401), None, "TCM203"),
        ("TCM302", replace(GUARDED, credential_variant=CredentialVariant.NONE), answered(401), None, "TCM302"),
        ("TCM204", GUARDED, answered(401), None, "TCM204"),
        ("TCM302", PLAIN, answered(401), None, "TCM302"),
        ("TCM302", PLAIN, answered(308), None, "TCM104"),
        ("TCM309", PLAIN, answered(413), None, "TCM315"),
        ("TCM316", PLAIN, answered(415), None, "TCM111"),
        ("TCM302", PLAIN, answered(500), None, "TCM302"),
        ("TCM106", RequestCase("x", OutgoingRequest(b"", method="GET")), answered(301), None, "TCM106"),
    ],
)
def test_an_answer_shows_the_cause(
    code: str, case: RequestCase, attempt: Attempt, test: ClauseTest | None, fix: str
) -> None:
    """Late answers, refused credentials, redirects, and refused sizes and types are fixed alike wherever they are."""
    assert fix_code(find_clause(CLAUSES, code), case, attempt, test) == fix


def callback(status: str, kind: str = "metric", namespace: str = "qce/cvm") -> RequestCase:
    """Return a callback."""
    body = {"alarmStatus": status, "alarmType": kind, "alarmObjInfo": {"namespace": namespace}}
    return RequestCase("x", OutgoingRequest(json.dumps(body).encode()))


@pytest.mark.parametrize(
    "code, failed, passed, fix",
    [
        ("TCM101", [callback("0")], [callback("1")], "TCM302"),
        ("TCM101", [callback("1", "event")], [callback("1")], "TCM307"),
        ("TCM101", [callback("1", namespace="qce/new")], [callback("1")], "TCM306"),
        ("TCM101", [callback("1")], [callback("0")], "TCM101"),
        ("TCM101", [callback("1")], [callback("1")], "TCM101"),
        ("TCM101", [callback("1")], [], "TCM101"),
        ("TCM304", [callback("0")], [callback("1")], "TCM304"),
    ],
)
def test_what_failed_callbacks_of_the_catalogue_share_is_the_cause(
    code: str, failed: list[RequestCase], passed: list[RequestCase], fix: str
) -> None:
    """All resolved, all events, or all of one product: other clauses say how to read these."""
    assert fix_code_of_pattern(find_clause(CLAUSES, code), failed, passed) == fix


def failed(verdict: Verdict, code: str) -> ClauseResult:
    """Return the result of a clause that failed."""
    result = next(item for item in verdict.results if item.clause.code == code)
    assert result.findings
    return result


def rejecting(is_rejected: Callable[[dict[str, object]], bool]) -> Callable[[ReceivedRequest], Reply]:
    """Return the correct receiver, which answers such callbacks with 500."""

    def receiver(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        return Reply(500) if reply.status == 200 and is_rejected(json.loads(request.body)) else reply

    return receiver


def test_a_receiver_that_breaks_on_each_resolve_has_the_fix_of_times() -> None:
    """The fix is about times, not about dimensions."""
    verdict = check_directly(rejecting(lambda alarm: alarm.get("alarmStatus") == "0"), clauses=["TCM101"])
    [(label, text)] = fix_pairs(failed(verdict, "TCM101"))
    assert label == "Fix of TCM302 recover-time-zero"
    assert text == find_clause(CLAUSES, "TCM302").fix


def test_a_late_answer_to_a_broken_body_has_the_fix_to_answer_first() -> None:
    """A finding has the fix of its cause, not of its clause."""

    def timing(request: OutgoingRequest, _: int) -> Timing:
        return Timing() if request.body.startswith(b"{") and request.body.endswith(b"}") else Timing(NEVER_S)

    verdict = check_timed(timing, ["TCM401"]).verdict
    assert fix_pairs(failed(verdict, "TCM401"))[0][0] == "Fix of TCM102 ack-within-deadline"
