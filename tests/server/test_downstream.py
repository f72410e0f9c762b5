"""The downstream recorder of forwarded messages."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.domain.delivery import Attempt, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.server.downstream import (
    DOWNSTREAM_FAULTS,
    DownstreamRecorder,
    ReceivedMessage,
    delay,
    fail_with_200,
    hang,
    refuse,
    reject_content,
)
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.effects import EffectSnapshot

WECOM = {"msgtype": "text", "text": {"content": "名 is down"}}
EVENT = {
    "routing_key": "R" * 32,
    "event_action": "trigger",
    "dedup_key": "k-1",
    "payload": {"summary": "名 is down", "source": "名", "severity": "critical"},
}


def sent(
    *requests: tuple[str, Any], recorder: DownstreamRecorder, fault: Any = None
) -> tuple[list[Attempt], EffectSnapshot]:
    """Send messages to the stubs, in turn; return the responses and the snapshot afterwards."""

    async def send() -> tuple[list[Attempt], EffectSnapshot]:
        async with recorder.server("127.0.0.1", 0) as server:
            attempts = []
            for path, message in requests:
                body = message if isinstance(message, bytes) else json.dumps(message).encode()
                post = HttpTransport(Target.parse(server.url + path))
                if fault is None:
                    attempts.append(await post(OutgoingRequest(body), deadline_s=5.0))
                else:
                    with recorder.inject_fault(["名"], fault) as fault_state:
                        attempts.append(await post(OutgoingRequest(body), deadline_s=0.5))
                        assert fault_state.triggered.is_set() is ("名" in json.dumps(message, ensure_ascii=False))
            return attempts, await recorder.observe("t")

    return asyncio.run(send())


def test_messages_are_effects_without_rate_limits() -> None:
    """Each accepted message is one effect, in order, with its text unescaped."""
    _, snapshot = sent(*[("/wecom/send?key=k", WECOM)] * 25, ("/slack/x", {"text": "x"}), recorder=DownstreamRecorder())
    assert snapshot.count == 25
    assert {effect.location for effect in snapshot.effects} == {"/wecom", "/slack"}
    assert "名 is down" in snapshot.effects[0].text
    assert snapshot.open_incidents is None


def test_pagerduty_shows_events_of_one_key_once_and_what_is_open() -> None:
    """A second trigger of a key is not a second effect; a resolve closes; an acknowledge does neither."""
    recorder = DownstreamRecorder()
    acknowledge, resolve = {**EVENT, "event_action": "acknowledge"}, {**EVENT, "event_action": "resolve"}
    _, snapshot = sent(("/pagerduty/v2/enqueue", EVENT), ("/pagerduty/v2/enqueue", EVENT), recorder=recorder)
    assert (snapshot.count, snapshot.open_count) == (1, 1)
    keyless = {key: value for key, value in EVENT.items() if key != "dedup_key"}
    _, snapshot = sent(*(("/pagerduty", event) for event in (acknowledge, resolve, keyless)), recorder=recorder)
    assert (snapshot.count, snapshot.open_count) == (4, 1)


def test_groups_and_services_are_counted_apart() -> None:
    """One message to each of two groups is not a duplicate; a changing signature does not make another group."""
    there = "/dingtalk?access_token=t&timestamp={}&sign=s{}"
    ding = {"msgtype": "text", "text": {"content": "名 is down"}}
    both = [("/wecom/send?key=one", WECOM), ("/wecom/send?key=two", WECOM)]
    _, snapshot = sent(*both, recorder=DownstreamRecorder())
    assert snapshot.count == 1
    _, snapshot = sent(*((there.format(number, number), ding) for number in range(2)), recorder=DownstreamRecorder())
    assert snapshot.count == 2
    recorder = DownstreamRecorder()
    other = {**EVENT, "routing_key": "S" * 32}
    _, snapshot = sent(*(("/pagerduty/v2/enqueue", event) for event in (EVENT, other)), recorder=recorder)
    assert (snapshot.count, snapshot.open_count) == (1, 1)
    _, snapshot = sent(("/pagerduty/v2/enqueue", {**EVENT, "event_action": "resolve"}), recorder=recorder)
    assert snapshot.open_count == 1
    assert "SSSS" not in repr(snapshot.open_incidents[0].recipient if snapshot.open_incidents else "")


def test_a_rejected_message_has_a_reason() -> None:
    """It is not an effect; a body that is not JSON is recorded as text; a wrong address is not about the message."""
    recorder = DownstreamRecorder()
    _, snapshot = sent(("/wecom/send", WECOM), ("/slack", b"\xff no JSON"), recorder=recorder)
    assert (snapshot.count, [effect.location for effect in snapshot.rejected]) == (0, ["/slack"])
    assert not recorder.refusals_by("wecom")
    assert len(recorder.refusals_by("slack")) == 1
    assert (
        recorder.describe_refusals()
        == "/wecom answered errcode 93000: invalid webhook url; /slack answered invalid_payload"
    )
    assert recorder.reached_services == {"wecom", "slack"}


@pytest.mark.parametrize(
    "fault, path, status, body",
    [
        (refuse, "/wecom?key=k", 503, b"wecom is down\n"),
        (fail_with_200, "/wecom?key=k", 200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}'),
        (fail_with_200, "/feishu", 200, b'{"code": 11232, "msg": "frequency limited", "data": {}}'),
        (
            fail_with_200,
            "/dingtalk?access_token=t",
            200,
            b'{"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}',
        ),
        (reject_content, "/wecom?key=k", 200, b'{"errcode": 40058, "errmsg": "content exceed max length"}'),
        (reject_content, "/dingtalk?access_token=t", 200, b'{"errcode": 400106, "errmsg": "empty content"}'),
        (reject_content, "/feishu", 200, b'{"code": 9499, "msg": "Bad Request", "data": {}}'),
        (
            reject_content,
            "/pagerduty/v2/enqueue",
            400,
            b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["rejected for good"]}',
        ),
        (hang, "/wecom?key=k", None, b""),
        (delay(9.0), "/wecom?key=k", None, b""),
    ],
)
def test_a_fault_applies_to_messages_with_a_token(fault: Any, path: str, status: int | None, body: bytes) -> None:
    """Other messages are accepted."""
    recorder = DownstreamRecorder()
    [fault_state, fine], snapshot = sent((path, WECOM), ("/json", {"other": 1}), recorder=recorder, fault=fault)
    assert (fault_state.status, fault_state.body) == (status, body)
    assert fine.status == 200
    assert snapshot.count == 1


@pytest.mark.parametrize("path, body", [("/json/incidents?name=名", b""), ("/slack/api/auth.test", {"name": "名"})])
def test_a_look_up_is_no_message(path: str, body: Any) -> None:
    """It is not recorded, and a fault of messages leaves it alone."""
    recorder = DownstreamRecorder()

    async def ask() -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with recorder.inject_fault(["名"], refuse) as fault:
            reply = await recorder.answer(ReceivedRequest("POST", path, (), data, 0.0))
        assert not fault.triggered.is_set()
        return reply

    assert asyncio.run(ask()).body == b'{"ok": true}'
    assert recorder.messages == []


def test_a_delayed_message_is_accepted() -> None:
    """A delayed stub sends its usual response."""
    [attempt], snapshot = sent(("/json", {"name": "名"}), recorder=DownstreamRecorder(), fault=delay(0.01))
    assert (attempt.status, snapshot.count) == (200, 1)


def test_the_number_of_messages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that forwards endlessly does not fill the memory."""
    monkeypatch.setattr("tcop_mock.server.downstream._MAX_MESSAGES", 3)
    _, snapshot = sent(*[("/json", {})] * 5, recorder=DownstreamRecorder())
    assert snapshot.count == 3


def test_a_message_that_is_not_an_event_has_no_key() -> None:
    """PagerDuty's stub may receive anything."""
    assert ReceivedMessage("pagerduty", "[]", [], is_accepted=False, note="x").effect.dedup_key == ""


def test_a_fault_that_is_met_in_another_thread_wakes_who_waits() -> None:
    """The stubs of an app in this process have a loop of their own; outside of a loop there is nobody to wake."""
    recorder = DownstreamRecorder()
    message = ReceivedRequest("POST", "/json/x", (), b'{"text": "ins-1"}', 0.0)

    async def wait() -> None:
        with recorder.inject_fault({"ins-1"}, DOWNSTREAM_FAULTS["refuses"]) as fault:
            await asyncio.gather(asyncio.to_thread(asyncio.run, recorder.answer(message)), fault.triggered.wait())

    asyncio.run(wait())
    with recorder.inject_fault({"ins-1"}, DOWNSTREAM_FAULTS["refuses"]) as fault:
        reply = asyncio.run(recorder.answer(message))
    assert (reply.status, fault.triggered.is_set()) == (503, True)
