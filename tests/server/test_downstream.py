"""The ends that a receiver forwards to while it is judged."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.domain.delivery import Attempt, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.server.downstream import DownstreamRecorder, ReceivedMessage, delay, fail_with_200, refuse
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
    *requests: tuple[str, Any], ends: DownstreamRecorder, trouble: Any = None
) -> tuple[list[Attempt], EffectSnapshot]:
    """Send messages to the ends, in turn; return the answers and what is to be seen then."""

    async def send() -> tuple[list[Attempt], EffectSnapshot]:
        async with ends.server("127.0.0.1", 0) as sink:
            attempts = []
            for path, message in requests:
                body = message if isinstance(message, bytes) else json.dumps(message).encode()
                post = HttpTransport(Target.parse(sink.url + path))
                if trouble is None:
                    attempts.append(await post(OutgoingRequest(body), deadline_s=5.0))
                else:
                    with ends.inject_fault(["名"], trouble) as troubled:
                        attempts.append(await post(OutgoingRequest(body), deadline_s=0.5))
                        assert troubled.triggered.is_set() is ("名" in json.dumps(message, ensure_ascii=False))
            return attempts, await ends.observe("t")

    return asyncio.run(send())


def test_messages_are_effects_without_limits_by_the_minute() -> None:
    """Each message that was taken is one, at its place, with its text unescaped."""
    _, sight = sent(*[("/wecom/send?key=k", WECOM)] * 25, ("/slack/x", {"text": "x"}), ends=DownstreamRecorder())
    assert sight.count == 25
    assert {effect.location for effect in sight.effects} == {"/wecom", "/slack"}
    assert "名 is down" in sight.effects[0].text
    assert sight.open_incidents is None


def test_pagerduty_shows_events_of_one_key_once_and_what_is_open() -> None:
    """A second trigger of a key is no second effect; a resolve closes; acknowledging does neither."""
    ends = DownstreamRecorder()
    acknowledge, resolve = {**EVENT, "event_action": "acknowledge"}, {**EVENT, "event_action": "resolve"}
    _, sight = sent(("/pagerduty/v2/enqueue", EVENT), ("/pagerduty/v2/enqueue", EVENT), ends=ends)
    assert (sight.count, sight.open_count) == (1, 1)
    keyless = {key: value for key, value in EVENT.items() if key != "dedup_key"}
    _, sight = sent(*(("/pagerduty", event) for event in (acknowledge, resolve, keyless)), ends=ends)
    assert (sight.count, sight.open_count) == (4, 1)


def test_groups_and_services_are_counted_apart() -> None:
    """Who tells two groups of each alarm has told each of them once; a signature that changes makes no other group."""
    there = "/dingtalk?access_token=t&timestamp={}&sign=s{}"
    ding = {"msgtype": "text", "text": {"content": "名 is down"}}
    both = [("/wecom/send?key=one", WECOM), ("/wecom/send?key=two", WECOM)]
    _, sight = sent(*both, ends=DownstreamRecorder())
    assert sight.count == 1
    _, sight = sent(*((there.format(number, number), ding) for number in range(2)), ends=DownstreamRecorder())
    assert sight.count == 2
    ends = DownstreamRecorder()
    other = {**EVENT, "routing_key": "S" * 32}
    _, sight = sent(*(("/pagerduty/v2/enqueue", event) for event in (EVENT, other)), ends=ends)
    assert (sight.count, sight.open_count) == (1, 1)
    _, sight = sent(("/pagerduty/v2/enqueue", {**EVENT, "event_action": "resolve"}), ends=ends)
    assert sight.open_count == 1
    assert "SSSS" not in repr(sight.open_incidents[0].recipient if sight.open_incidents else "")


def test_what_is_refused_is_told_with_the_reason() -> None:
    """It is no effect; what is no JSON is kept as text."""
    ends = DownstreamRecorder()
    _, sight = sent(("/wecom/send", WECOM), ("/slack", b"\xff no JSON"), ends=ends)
    assert (sight.count, len(sight.rejected)) == (0, 2)
    assert (
        ends.describe_refusals()
        == "/wecom answered errcode 93000: invalid webhook url; /slack answered invalid_payload"
    )
    assert ends.reached_services == {"wecom", "slack"}


@pytest.mark.parametrize(
    "trouble, path, status, body",
    [
        (refuse, "/wecom?key=k", 503, b"wecom is down\n"),
        (fail_with_200, "/wecom?key=k", 200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}'),
        (fail_with_200, "/feishu", 200, b'{"code": 11232, "msg": "frequency limited", "data": {}}'),
        (delay(9.0), "/wecom?key=k", None, b""),
    ],
)
def test_an_end_fails_for_what_names_a_token(trouble: Any, path: str, status: int | None, body: bytes) -> None:
    """And takes the rest."""
    ends = DownstreamRecorder()
    [troubled, fine], sight = sent((path, WECOM), ("/json", {"other": 1}), ends=ends, trouble=trouble)
    assert (troubled.status, troubled.body) == (status, body)
    assert fine.status == 200
    assert sight.count == 1


def test_what_is_late_is_taken_in_the_end() -> None:
    """An end that is late answers as it would have."""
    [attempt], sight = sent(("/json", {"name": "名"}), ends=DownstreamRecorder(), trouble=delay(0.01))
    assert (attempt.status, sight.count) == (200, 1)


def test_the_number_of_messages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that forwards without end fills no memory."""
    monkeypatch.setattr("tcop_mock.server.downstream._MOST_MESSAGES", 3)
    _, sight = sent(*[("/json", {})] * 5, ends=DownstreamRecorder())
    assert sight.count == 3


def test_a_message_that_is_no_event_has_no_key() -> None:
    """PagerDuty's own end may be sent anything."""
    assert ReceivedMessage("pagerduty", "[]", [], is_accepted=False, note="x").effect.dedup_key == ""
