"""Assertions about one attempt."""

from __future__ import annotations

from typing import Any

import pytest

from tcop_mock.contract.assertions import ASSERTIONS, AssertionContext, inconclusive_reason
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.credentials import make_credentials
from tcop_mock.contract.findings import Failure, evidence, exchange_of, findings
from tcop_mock.contract.reproduce import ReproductionContext
from tcop_mock.domain.contract import CaseGroup, ClauseTest, CredentialVariant, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target

TARGET = Target.parse("http://alice:s3cr3t%40home@127.0.0.1:9/hook")
ACKED = {"outcome": Outcome.ACKED, "status": 200}
LATE_BODY = {"outcome": Outcome.TIMED_OUT, "status": 200}
SILENT = {"outcome": Outcome.TIMED_OUT}
CUT_OFF = {"outcome": Outcome.RESET_IN_ANSWER, "status": 200}
REFUSED = {"outcome": Outcome.REFUSED}
DROPPED = {"outcome": Outcome.RESET_BEFORE_ANSWER}
HTML = (("Content-Type", "Text/HTML; charset=utf-8"),)
CONTEXT = AssertionContext(unique_secrets=("sentinel-4711",), request_body=b'{"sessionId": "s-1"}')


def _attempt(**fields: Any) -> Attempt:
    return Attempt(**{"outcome": Outcome.REJECTED, "intended_s": 0.0, "started_s": 0.0, "ended_s": 0.25, **fields})


@pytest.mark.parametrize(
    "text", ['"a\\\\\\"b<c/d=e"', "a\\u005c\\u0022b\\u003cc\\/d=e", "a\\&quot;b&lt;c/d=e", "a%5C%22b%3Cc%2Fd%3De"]
)
def test_an_echo_is_found_however_it_is_escaped(text: str) -> None:
    """JSON, HTML and URLs escape different characters of a secret."""
    context = AssertionContext(unique_secrets=('a\\"b<c/d=e',))
    assert ASSERTIONS["no_credential_echo"].check(_attempt(status=401, body=f"no: {text}".encode()), context)


@pytest.mark.parametrize(
    "name, params, fields, failure",
    [
        ("status", {"allow": ["2xx"]}, ACKED, None),
        ("status", {"allow": ["2xx"]}, {"outcome": Outcome.ACKED, "status": 204}, None),
        ("status", {"allow": ["2xx"]}, {"status": 500}, "answered 500"),
        ("status", {"allow": ["2xx"]}, LATE_BODY, None),
        ("status", {"allow": ["2xx"]}, SILENT, "no answer inside the deadline"),
        ("status", {"allow": ["2xx"]}, DROPPED, "the connection was closed without an answer"),
        ("status", {"allow": ["2xx"]}, {"outcome": Outcome.BAD_ANSWER}, "the answer was not HTTP"),
        ("status", {"allow": ["2xx"]}, {"outcome": Outcome.CANCELLED}, "no answer (cancelled)"),
        ("status", {"allow": ["401", "403"]}, {"status": 403}, None),
        ("has_header", {"name": "content-type"}, ACKED | {"headers": HTML}, None),
        ("has_header", {"name": "Content-Type", "pattern": "(?i)text/html.*"}, ACKED | {"headers": HTML}, None),
        ("has_header", {"name": "X-Trace-Id"}, ACKED | {"headers": HTML}, "the answer has no header X-Trace-Id"),
        (
            "has_header",
            {"name": "Content-Type", "pattern": "text"},
            ACKED | {"headers": HTML},
            "no header Content-Type of the answer matches text",
        ),
        ("has_header", {"name": "X"}, SILENT, "no answer inside the deadline"),
        ("status", {"allow": ["401", "403"]}, {"status": 404}, "answered 404"),
        ("status", {"forbid": ["3xx"], "no_response_ok": True}, {"status": 500}, None),
        (
            "status",
            {"forbid": ["3xx"], "no_response_ok": True},
            {"outcome": Outcome.REDIRECTED, "status": 308},
            "answered 308",
        ),
        ("status", {"forbid": ["3xx"], "no_response_ok": True}, SILENT, None),
        ("status", {"forbid": ["2xx", "5xx"], "also_accept": ["501"]}, {"status": 501}, None),
        ("status", {"forbid": ["2xx", "5xx"], "also_accept": ["5xx"]}, {"status": 500}, None),
        ("status", {"forbid": ["2xx", "5xx"], "also_accept": ["501"]}, {"status": 405}, None),
        ("status", {"allow": ["2xx"], "connection_closed_ok": True}, DROPPED, None),
        ("status", {"allow": ["2xx"], "connection_closed_ok": True}, SILENT, "no answer inside the deadline"),
        ("is_alive", {"allow": ["2xx"]}, REFUSED, "the connection was refused"),
        ("answered_in_time", {}, ACKED, None),
        ("answered_in_time", {}, {"status": 500}, None),
        ("answered_in_time", {}, SILENT, "no answer inside the deadline"),
        ("answered_in_time", {}, LATE_BODY, "the head came in time, the body did not"),
        ("answered_in_time", {}, CUT_OFF, "the connection was closed inside the body of the answer"),
        ("answered_in_time", {}, {"outcome": Outcome.RESET_IN_ANSWER}, None),
        ("body_bounded", {}, ACKED, None),
        ("body_bounded", {}, ACKED | {"body_truncated": True}, "the body of the answer goes on past 64 KiB"),
        ("body_bounded", {}, LATE_BODY, "the body of the answer does not end"),
        ("body_bounded", {}, SILENT, None),
        ("is_acked", {}, ACKED, None),
        ("is_acked", {}, {"status": 503}, "answered 503"),
        ("is_acked", {}, LATE_BODY, "the head came in time, the body did not"),
        ("is_acked", {}, DROPPED, "the connection was closed without an answer"),
        ("no_stack_trace", {}, {"status": 400, "body": b"no JSON\n"}, None),
        ("within_share_of_deadline", {"share": 0.2}, ACKED, None),
        ("within_share_of_deadline", {"share": 0.2}, ACKED | {"ended_s": 1.1}, "answered after more than 1 s"),
        ("within_share_of_deadline", {"share": 0.2}, LATE_BODY | {"ended_s": 5.0}, None),
        ("within_share_of_deadline", {"share": 0.2}, DROPPED | {"ended_s": 3.0}, None),
        ("retcode_zero", {}, ACKED | {"body": b'{"sessionId": "s-1", "retCode": 0}'}, None),
        (
            "retcode_zero",
            {},
            ACKED | {"body": b'{"sessionId": "s-1", "retCode": false}'},
            "the answer's retCode is not 0",
        ),
        ("retcode_zero", {}, ACKED | {"body": b'{"sessionId": "s-1"}'}, "the answer's retCode is not 0"),
        ("retcode_zero", {}, ACKED | {"body": b'{"retCode": 0}'}, "the answer does not repeat the sessionId"),
        ("retcode_zero", {}, ACKED | {"body": b"[]"}, "the answer does not repeat the sessionId"),
        ("retcode_zero", {}, ACKED | {"body": b"ok"}, "answered 200 with a body that is not JSON"),
        ("retcode_zero", {}, SILENT, "no answer inside the deadline"),
        ("answers_separate", {}, ACKED | {"body": b"ok"}, None),
        (
            "answers_separate",
            {},
            ACKED | {"stale_bytes": 3},
            "bytes follow the end of the previous answer on the connection",
        ),
        ("retcode_zero", {"connection_closed_ok": True}, DROPPED, None),
        ("no_html_echo", {"text": "<b>"}, ACKED | {"body": b"<b>"}, "the answer repeats HTML of the body unescaped"),
        ("no_html_echo", {"text": "<b>"}, ACKED | {"body": b"&lt;b>", "headers": HTML}, None),
        ("no_html_echo", {"text": "<b>"}, ACKED | {"body": b'{"sessionId": "<b>"}'}, None),
        ("no_html_echo", {"text": "<b>"}, ACKED | {"body": b"<b>", "headers": (("content-type", "text/plain"),)}, None),
        (
            "no_html_echo",
            {"text": "<b>"},
            ACKED | {"body": b"<b>", "headers": (("X-Content-Type-Options", "nosniff"),)},
            None,
        ),
        (
            "no_html_echo",
            {"text": "<b>"},
            {"status": 400, "body": b"no: <b>", "headers": HTML},
            "the answer repeats HTML of the body unescaped",
        ),
        ("no_html_echo", {"text": "<b>"}, SILENT, None),
        ("no_credential_echo", {}, ACKED | {"body": b"hello"}, None),
        (
            "no_credential_echo",
            {},
            {"status": 401, "body": b"no: sentinel-4711"},
            "the body of the answer repeats the credentials",
        ),
        (
            "no_credential_echo",
            {},
            {"status": 401, "headers": (("X-Seen", "Basic sentinel-4711"),)},
            "the head of the answer repeats the credentials",
        ),
    ],
)
def test_assertions(name: str, params: dict[str, Any], fields: dict[str, Any], failure: str | None) -> None:
    """Each assertion reports its own failure and ignores those of others."""
    assert ASSERTIONS[name].check(_attempt(**fields), CONTEXT, **params) == failure


@pytest.mark.parametrize(
    "previous, body, is_mixed",
    [
        (b'{"sessionId": "s-0"}', b'{"sessionId": "s-0"}', True),
        (b'{"sessionId": "s-0"}', b'{"sessionId": "s-1"}', False),
        (b'{"sessionId": "s-0"}', b'{"sessionId": "s-1", "before": "s-0"}', False),
        (b'{"sessionId": "s-2"}', b'{"sessionId": "s-2"}', False),
        (b"{}", b'{"sessionId": "s-0"}', False),
        (b"[]", b"", False),
        (b"{", b"", False),
    ],
)
def test_an_answer_with_the_session_of_the_request_before_is_mixed_up(
    previous: bytes,
    body: bytes,
    is_mixed: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Only a receiver that repeats sessions can mix them up."""
    context = CONTEXT._replace(previous_request_body=previous, previous_response_body=b'{"sessionId": "s-0"}')
    failure = ASSERTIONS["answers_separate"].check(_attempt(**ACKED, body=body), context)
    assert failure == ("the answer carries the sessionId of the callback before it" if is_mixed else None)


@pytest.mark.parametrize(
    "trace",
    [
        'Traceback (most recent call last):\n  File "/srv/app.py", line 3, in hook\nKeyError',
        "<pre>SyntaxError: Unexpected token<br> &nbsp; &nbsp;at hook (/srv/app/hook.js:92:19)\n</pre>",
        "SyntaxError: Unexpected token\n    at hook (/srv/app/hook.js:92:19)\n",
        "java.lang.NullPointerException\n\tat com.example.Hook.receive(Hook.java:42)\n",
        "panic: nil\n\ngoroutine 18 [running]:\nmain.hook(0xc0000)\n\t/srv/main.go:31 +0x1d",
        "PHP Fatal error: Uncaught\n#0 /srv/hook.php(12): handle()\n#1 {main}",
        "/srv/hook.rb:7:in `call': undefined method (NoMethodError)\n\tfrom /srv/config.ru:3:in `block'",
        "System.NullReferenceException: x\n   at Hooks.Receive(String body) in /srv/Hook.cs:line 12",
    ],
    ids=["python", "express", "node", "java", "go", "php", "ruby", "csharp"],
)
def test_traces_of_many_languages_are_recognised(trace: str) -> None:
    """Sentences that mention files, lines or times are not traces."""
    assert ASSERTIONS["no_stack_trace"].check(_attempt(status=500, body=trace.encode()), CONTEXT)
    for sentence in (
        "unexpected token at line 3, column 7",
        "look at http://127.0.0.1:8000/docs",
        "at 2023-08-07 12:00:01 the body was empty",
        '{"detail":[{"type":"json_invalid","loc":["body",13],"msg":"JSON decode error"}]}',
        "File too large (line 2, in hook)",
    ):
        assert ASSERTIONS["no_stack_trace"].check(_attempt(status=400, body=sentence.encode()), CONTEXT) is None


@pytest.mark.parametrize(
    "name, context, fields, reason",
    [
        ("status", AssertionContext(), ACKED, None),
        ("status", AssertionContext(), SILENT, None),
        ("status", AssertionContext(slow=True), SILENT, "not even a plain callback"),
        ("status", AssertionContext(slow=True), LATE_BODY, None),
        ("answered_in_time", AssertionContext(slow=True), SILENT, None),
        ("status", AssertionContext(), REFUSED, "could not be reached (refused)"),
        ("status", AssertionContext(), {"outcome": Outcome.DNS}, "could not be reached (dns)"),
        ("is_alive", AssertionContext(), REFUSED, None),
        ("is_alive", AssertionContext(alive_before=False), ACKED, "no plain callback was accepted before"),
    ],
)
def test_inconclusive_attempts_have_a_reason(
    name: str, context: AssertionContext, fields: dict[str, Any], reason: str | None
) -> None:
    """An inconclusive attempt is an error with a reason, never a pass or a failure."""
    found = inconclusive_reason(ASSERTIONS[name], _attempt(**fields), context)
    assert (reason in found) if reason and found else found == reason


def test_findings_are_one_per_cause() -> None:
    """Failures with the same text are one finding that counts and names its cases."""
    source = ReproductionContext(find_clause(load_clauses(), "TCM101"), TARGET, 7, "2023")
    cases = [RequestCase(f"shape {number}", OutgoingRequest(b"{}"), shape_id=f"s/{number}") for number in range(20)]
    problems = [Failure(case, _attempt(status=500), "answered 500") for case in cases[:15]]
    problems.append(Failure(cases[15], _attempt(status=404), "answered 404"))
    [many, one] = findings(problems, 20, source)
    assert (many.title, many.shape) == ("shape 0 and 14 more: answered 500", "s/0")
    assert many.detail.startswith("15 of 20 cases: answered 500. shape 0; shape 1;")
    assert many.detail.endswith("shape 11, and 3 more")
    assert one.title == "shape 15: answered 404"
    assert one.detail == "1 of 20 cases: answered 404. shape 15"


def test_findings_are_grouped_over_shapes() -> None:
    """A finding about several shapes has their number, the first shape, and all case titles."""
    cases = [RequestCase(f"shape {number}", OutgoingRequest(b"{}"), shape_id=f"s/{number}") for number in range(20)]
    play = ClauseTest((CaseGroup(tuple(cases)),))
    source = ReproductionContext(find_clause(load_clauses(), "TCM101"), TARGET, 7, "2023", test=play)
    [many] = findings([Failure(case, _attempt(status=500), "answered 500") for case in cases[2:17]], 20, source)
    assert many.detail.startswith("15 of 20 shapes (15 of 20 cases), first s/2: answered 500. shape 2; ")
    assert (many.cause, many.cases) == ("answered 500", tuple(case.title for case in cases[2:17]))
    assert len(many.exchanges) == 12
    assert many.reproduction.replay.startswith("tcop-mock replay TCM101/3 ")
    [silent] = findings([Failure(case, _attempt(**SILENT), "no answer") for case in cases[:2]], 20, source)
    assert silent.cases == ()


@pytest.mark.parametrize("offer", [CredentialVariant.RIGHT, CredentialVariant.LONGER_PASSWORD])
def test_exchanges_hold_no_credentials(offer: CredentialVariant) -> None:
    """Request and response of a finding are complete, except for masked credentials, sent or valid, in any encoding."""
    assert TARGET.credentials is not None
    offered = make_credentials(TARGET.credentials, offer, "")
    assert offered is not None
    tokens = [TARGET.credentials.token().reveal(), offered.token().reveal()]
    answer = f"alice {offered.password.reveal()} {' '.join(tokens)} 云".encode() + b"\xff"
    attempt = _attempt(status=500, headers=(("X-Auth", tokens[1]),), body=answer, detail=tokens[0], traceback=tokens[1])
    push = OutgoingRequest(b'{"a":1}', credentials=offered, query="access_token=abc&b=1")
    kept = exchange_of(RequestCase("x", push, credential_variant=offer), attempt, TARGET)
    assert kept.case.request.credentials is None
    assert kept.case.request.body == b'{"a":1}'
    assert kept.url.endswith("access_token=***&b=1")
    assert kept.attempt.body.startswith(b"*** *** *** ***")
    assert kept.attempt.body.endswith(" 云".encode() + b"\xff")
    output = f"{kept.attempt} {kept.attempt.traceback} {kept.attempt.body!r}"
    assert not any(secret in output for secret in ("alice", "s3cr3t", *tokens))


def test_evidence_is_bounded_and_without_credentials() -> None:
    """Request and response are truncated, and credentials in any encoding are masked."""
    push = OutgoingRequest("名".encode() * 2000, credentials=TARGET.credentials)
    assert TARGET.credentials is not None
    token = TARGET.credentials.token().reveal()
    answer = f"alice s3cr3t@home {token} ".encode() + b"x" * 5000 + b"\xff"
    shown = evidence(
        RequestCase("x", push),
        _attempt(status=500, headers=(("X-Auth", token),), body=answer, detail="s3cr3t@home"),
        TARGET,
    )
    assert len(shown) < 4000
    for secret in ("alice", "s3cr3t", token):
        assert secret not in shown
    assert "> Authorization: Basic ***" in shown
    assert "(6000 bytes in all)" in shown
    assert "< HTTP/1.1 500" in shown
    assert "outcome: rejected after 0.250 s" in shown


def test_evidence_masks_secrets_in_the_query() -> None:
    """A token in the URL of the receiver is a credential, too."""
    target = Target.parse("http://127.0.0.1:9/hook?token=s3cret&a=1")
    first, *_ = evidence(RequestCase("x", OutgoingRequest(b"{}")), _attempt(**SILENT), target).splitlines()
    assert first == "> POST /hook?token=***&a=1 HTTP/1.1"


def test_evidence_without_an_answer_says_so() -> None:
    """Evidence states that there was no response; a target without credentials has nothing to mask."""
    shown = evidence(RequestCase("x", OutgoingRequest(b"{}")), _attempt(**SILENT), Target.parse("127.0.0.1:9"))
    assert "< (no answer)" in shown
    assert "Authorization" not in shown
