"""Messages that a stub service rejected, as findings of the clause about that service."""

from __future__ import annotations

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.refusals import refused_service, with_refusals
from tcop_mock.contract.reproduce import ReproductionContext
from tcop_mock.domain.contract import CaseGroup, ClauseTest, RequestCase
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus
from tcop_mock.server.downstream import ReceivedMessage

CLAUSES = {clause.code: clause for clause in load_clauses()}
CONTEXT = ReproductionContext(CLAUSES["TCM604"], Target.parse("http://u:secret-word@receiver/"), 7, "2023", (), None)
ERROR = ClauseResult(CLAUSES["TCM604"], ClauseStatus.ERROR, reason="no effect")


def refused(text: str, note: str = "errcode 44004: empty content") -> ReceivedMessage:
    """Return a message that WeCom refused."""
    return ReceivedMessage("wecom", text, None, is_accepted=False, note=note)


def test_only_clauses_about_a_service_count_its_refusals() -> None:
    """The clause names the service in its assertion."""
    services = {code: refused_service(clause) for code, clause in CLAUSES.items() if refused_service(clause)}
    assert services == {"TCM601": "pagerduty", "TCM604": "wecom"}


def test_each_reason_is_one_finding_without_credentials() -> None:
    """A message that names no alarm has no request; the password of the target is masked."""
    not_a_callback = ClauseTest((CaseGroup((RequestCase("broken JSON", OutgoingRequest(b"{")),)),))
    result = with_refusals(
        ERROR, [refused("secret-word"), refused("y"), refused("z", "errcode 40008")], [not_a_callback], CONTEXT
    )
    assert (result.status, result.reason) == (ClauseStatus.FAIL, "")
    first, second = result.findings
    assert first.title == (
        "2 messages of the whole run: /wecom rejects a request of the receiver: errcode 44004: empty content"
    )
    assert second.title.startswith("1 message of the whole run")
    assert "secret-word" not in first.evidence
    assert (first.shape, first.reproduction.curl) == (None, "")


def test_a_reason_that_the_clause_knows_is_reported_once() -> None:
    """Nothing is added for a reason that the clause's own requests have found."""
    result = with_refusals(ERROR, [refused("x")], [], CONTEXT)
    assert with_refusals(result, [refused("y")], [], CONTEXT) is result
    assert with_refusals(ERROR, [], [], CONTEXT) is ERROR
