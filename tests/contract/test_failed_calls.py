"""A rejection that follows from a call which failed because of the check is not the receiver's."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from run_check import check_directly, failed_codes

from tcop_mock.contract.assertions import FAILED_CALL
from tcop_mock.contract.failed_calls import CallAwareTransport
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.errors import TargetError
from tcop_mock.reports.summary import reason_text
from tcop_mock.server.catching_proxy import CallLog
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.server.messages import Handler

HOST = "cmdb.example.com"
ADVICE = f"1 call to {HOST} was refused: --catch-host {HOST}=json answers, and --no-catch leaves its calls alone"
REQUEST = OutgoingRequest(b"{}")


class Calling:
    """A transport to a receiver that calls a host, and answers with one status after the other; 0: not at all."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.log = CallLog()
        self.calls_meanwhile = True
        self.sender = CallAwareTransport(self._answer, (self.log,))

    def call(self) -> None:
        """Call the host."""
        self.log.count(self.log.refused, HOST)

    async def _answer(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        del request, deadline_s, intended_s
        status = self.statuses.pop(0)
        await asyncio.sleep(0)
        if self.calls_meanwhile:
            self.call()
        outcome = Outcome.from_status(status) if status else Outcome.TIMED_OUT
        return Attempt(outcome, 0.0, 0.0, 1.0, status=status or None)

    def send(self) -> Attempt:
        """Send one request alone."""
        return asyncio.run(self.send_soon())

    async def send_soon(self) -> Attempt:
        """Send one request."""
        return await self.sender(REQUEST, deadline_s=5.0)


@pytest.mark.parametrize("status, answer", [(502, "answered 502"), (424, "answered 424"), (0, "not answered")])
def test_a_rejection_after_a_refused_call_has_no_result(status: int, answer: str) -> None:
    """It keeps its status, and its detail names the host and the flags."""
    attempt = Calling(status).send()
    assert (attempt.outcome, attempt.status) == (Outcome.CANCELLED, status or None)
    assert attempt.detail == f"{answer}{FAILED_CALL}{ADVICE}"


def test_a_4xx_is_about_the_request() -> None:
    """A receiver that calls somebody before it reads the body still rejects the body."""
    assert Calling(400).send().outcome is Outcome.REJECTED


def test_without_a_call_a_rejection_counts() -> None:
    """Also where a rejection with a call had no result before."""
    receiver = Calling(500, 500)
    receiver.send()
    receiver.calls_meanwhile = False
    assert receiver.send().outcome is Outcome.REJECTED


def test_a_call_whose_callback_is_accepted_is_harmless() -> None:
    """A receiver that does not need the answer of a host rejects nothing for it."""
    receiver = Calling(200, 500)
    assert [receiver.send().outcome, receiver.send().outcome] == [Outcome.ACKED, Outcome.REJECTED]


def test_a_host_that_came_with_a_rejection_is_never_harmless() -> None:
    """The receiver may need its answer for some callbacks only."""
    receiver = Calling(502, 200, 502)
    assert [receiver.send().outcome for _ in range(3)] == [Outcome.CANCELLED, Outcome.ACKED, Outcome.CANCELLED]


@pytest.mark.parametrize("first, outcome", [(200, Outcome.REJECTED), (0, Outcome.CANCELLED)])
def test_a_call_of_an_idle_receiver_is_harmless(first: int, outcome: Outcome) -> None:
    """A queue forwards after the answer; a receiver that did not answer may still work on the request."""
    receiver = Calling(first, 500)
    receiver.calls_meanwhile = False
    receiver.send()
    receiver.call()
    receiver.calls_meanwhile = True
    assert receiver.send().outcome is outcome


def test_of_requests_in_flight_any_may_have_made_the_call() -> None:
    """The acceptance of another request in flight proves nothing."""
    receiver = Calling(200, 502)

    async def send_both() -> list[Attempt]:
        return list(await asyncio.gather(receiver.send_soon(), receiver.send_soon()))

    attempts = asyncio.run(send_both())
    assert [attempt.outcome for attempt in attempts] == [Outcome.ACKED, Outcome.CANCELLED]


def test_an_error_of_ours_stays_one() -> None:
    """An exception of the transport goes through, and the next request is sent alone."""
    receiver = Calling(502)
    with pytest.raises(IndexError):
        Calling().send()
    assert receiver.send().outcome is Outcome.CANCELLED


def test_each_kind_of_unanswered_call_has_its_advice() -> None:
    """A certificate that is not trusted, TLS without the extra, and a name without a certificate."""
    log = CallLog()
    counters = {"a": log.untrusted, "b": log.encrypted, "c": log.nameless, "d": log.broken_off, "e": log.broken_off}
    for host, counter in counters.items():
        log.count(counter, host)
    log.count(log.trusted, "e")
    assert log.failed_calls() == dict.fromkeys("abcd", 1)
    words = {"a": "does not trust", "b": "install tcop-mock[run]", "c": "use an ASCII name", "d": "does not trust"}
    for host, text in words.items():
        assert log.advice(host).startswith(f"1 call to {host} was ")
        assert text in log.advice(host)


def test_a_message_with_an_invalid_key_is_a_failed_call() -> None:
    """The stub rejects it as the service does; a message with invalid content is the receiver's."""
    recorder = DownstreamRecorder()
    event = {"event_action": "trigger", "payload": {"summary": "s", "source": "s", "severity": "info"}}

    def send(path: str, **keys: object) -> None:
        body = json.dumps({**event, **keys}).encode()
        asyncio.run(recorder.answer(ReceivedRequest("POST", path, (), body, 0.0)))

    send("/pagerduty", routing_key="a" * 32, payload={})
    assert not recorder.failed_calls()
    send("/pagerduty", routing_key="test")
    send("/pagerduty", routing_key="test")
    assert recorder.failed_calls() == {"/pagerduty": 2}
    assert recorder.advice("/pagerduty") == (
        "/pagerduty answered Length of 'routing_key' is incorrect (should be 32 characters), as the real service does; "
        "give the receiver a valid address and key"
    )


def _needing(log: CallLog, condition: Callable[[dict[str, object]], bool], status: int = 502) -> Handler:
    """Return a receiver that calls a host for some callbacks, and rejects these because nobody answers."""

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        if reply.status == 200 and condition(json.loads(request.body)):
            log.count(log.refused, HOST)
            return Reply(status)
        return reply

    return handler


def test_a_receiver_that_needs_a_host_for_each_callback_is_not_judged() -> None:
    """The error names its answer, the host and the flag; no clause fails."""
    log = CallLog()
    with pytest.raises(TargetError, match=rf"a plain callback is answered 500 after a call that failed: .*{HOST}=json"):
        check_directly(
            _needing(log, lambda _alarm: True, 500),
            clauses=["TCM101"],
            observation=ObservationConfig(uncaught=log),
        )


def test_a_receiver_that_needs_a_host_for_its_resolves_breaks_no_clause() -> None:
    """The clauses that send resolves have no result, and say why; the others pass."""
    log = CallLog()
    verdict = check_directly(
        _needing(log, lambda alarm: alarm["alarmStatus"] in {"0", 0}),
        clauses=["TCM101", "TCM302", "TCM309", "TCM401", "TCM409"],
        observation=ObservationConfig(uncaught=log),
    )
    assert failed_codes(verdict) == set()
    by_code = {result.clause.code: result for result in verdict.results}
    assert by_code["TCM101"].status is ClauseStatus.ERROR
    assert f"answered 502{FAILED_CALL}" in reason_text(by_code["TCM101"])
    assert {by_code[code].status for code in ("TCM309", "TCM401", "TCM409")} == {ClauseStatus.PASS}


def test_a_bug_beside_harmless_calls_is_found() -> None:
    """A receiver that reports each callback to a host, and breaks on resolves by itself, fails TCM101."""
    log = CallLog()

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        log.count(log.refused, HOST)
        is_resolved = reply.status == 200 and json.loads(request.body)["alarmStatus"] in {"0", 0}
        return Reply(500) if is_resolved else reply

    verdict = check_directly(handler, clauses=["TCM101"], observation=ObservationConfig(uncaught=log))
    assert failed_codes(verdict) == {"TCM101"}


def test_effects_of_a_rejected_push_are_not_judged() -> None:
    """A scenario whose resolve is rejected after a refused call has no result."""
    log, bodies = CallLog(), list[str]()
    handler = _needing(log, lambda alarm: alarm["alarmStatus"] in {"0", 0})

    def keeping(request: ReceivedRequest) -> Reply:
        reply = handler(request)
        assert isinstance(reply, Reply)
        if reply.status == 200:
            bodies.append(request.body.decode())
        return reply

    class Bodies:
        async def observe(self, token: str) -> EffectSnapshot:
            """Return what was kept."""
            kept = tuple(Effect(body) for body in bodies if token in body)
            return EffectSnapshot(kept, kept)

    verdict = check_directly(
        keeping, clauses=["TCM505"], observation=ObservationConfig(observer=Bodies(), uncaught=log)
    )
    [result] = verdict.results
    assert result.status is ClauseStatus.ERROR
    assert f"answered 502{FAILED_CALL}{ADVICE[:6]}" in reason_text(result)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_receiver_that_cannot_work_now_is_not_judged(status: int) -> None:
    """What it forwards to, or its database, may not be there; 503 is repeated for some seconds first."""
    answers: list[int] = []

    def handler(_request: ReceivedRequest) -> Reply:
        answers.append(status)
        return Reply(status)

    with pytest.raises(
        TargetError, match=rf"answers {status} to a plain callback: does all that it needs run, .*--wait"
    ):
        check_directly(handler, clauses=["TCM101"])
    assert len(answers) == (11 if status == 503 else 1)
    with pytest.raises(TargetError, match=r"forwards to\?$"):
        check_directly(handler, clauses=["TCM101"], wait_s=1.0)


def test_a_receiver_that_loads_its_data_first_is_waited_for() -> None:
    """Its Retry-After is kept, and it is judged as any other."""
    left = [Reply(503, headers=(("Retry-After", "3"),)), Reply(429)]
    verdict = check_directly(
        lambda request: left.pop(0) if left else correct_receiver(request), clauses=["TCM101", "TCM102"]
    )
    assert {result.status for result in verdict.results} == {ClauseStatus.PASS}
