"""The conversation in memory: bounded, grouped by alarm, and sent to the pages."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from console_page import CVM, _catalog, _validator

from tcop_mock.callbacks.generator import Generator
from tcop_mock.console.conversation import Conversation
from tcop_mock.console.exchange import Direction
from tcop_mock.domain.callback import State
from tcop_mock.reports.recording import Record
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tcop_mock.console.exchange import Exchange

AT_S = 1_796_000_000.0


def _request(body: bytes) -> ReceivedRequest:
    return ReceivedRequest("POST", "/hook", (("authorization", "Basic c2VjcmV0"),), body, 0.0)


def _record(request: ReceivedRequest, service: str = "webhook", fault: str | None = None) -> Record:
    return Record(
        request=request,
        received_at="2026-11-30T10:00:00.000",
        auth="none",
        service=service,
        status=200,
        fault=fault,
        note="",
        result=_validator.validate(request.body) if service == "webhook" else None,
    )


def _add(conversation: Conversation, body: bytes, service: str = "webhook") -> Exchange:
    record = _record(_request(body), service)
    return conversation.add(Direction.IN, json.loads(record.to_json()), record.result)


def _lifecycle(seed: int = 1) -> list[bytes]:
    generator = Generator(seed)
    alarm = generator.alarm(_catalog.get(CVM), required_state=State.REPEATED)
    return [callback.to_bytes() for callback in generator.lifecycle(alarm, 1)]


def test_the_life_of_an_alarm_is_one_row() -> None:
    """Firing, repeat and resolve have one key; another alarm of the same shape has another."""
    conversation = Conversation(lambda: AT_S)
    summaries = [_add(conversation, body).summary() for body in (*_lifecycle(), *_lifecycle(2))]
    assert [one["state"] for one in summaries] == ["firing", "repeated", "resolved"] * 2
    assert len({one["alarm"] for one in summaries[:3]}) == len({one["alarm"] for one in summaries[3:]}) == 1
    assert summaries[0]["alarm"] != summaries[3]["alarm"]
    assert summaries[0]["shape"] == CVM
    assert summaries[0]["at"] == AT_S


def test_a_message_belongs_to_the_alarm_that_it_mentions() -> None:
    """A message is grouped with the alarm whose object it names; any other message stands alone."""
    conversation = Conversation(lambda: AT_S)
    body = _lifecycle()[0]
    fired = _add(conversation, body)
    object_id = fired.subject.object_id
    reported = _add(conversation, json.dumps({"text": f"{object_id} is down"}).encode(), "wecom")
    alone = _add(conversation, b'{"text": "hello"}', "wecom")
    assert reported.subject.alarm == fired.subject.alarm
    assert reported.subject.state == alone.subject.state == "message"
    assert alone.subject.alarm != fired.subject.alarm
    assert _add(conversation, b"not JSON").subject.title == "POST /hook"


def test_memory_is_bounded_by_count_and_by_size() -> None:
    """The oldest exchanges go first, and the pages are reported; one body that is too great alone stays."""
    conversation = Conversation(lambda: AT_S, max_exchanges=3, max_bytes=100)
    for _ in range(5):
        _add(conversation, b'{"a": 1}')
    assert [one.number for one in conversation] == [3, 4, 5]
    _add(conversation, b'"' + b"x" * 200 + b'"')
    assert [one.number for one in conversation] == [6]
    assert conversation.get(5) is None
    assert len(conversation) == 1


def test_only_the_latest_objects_are_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation with very many objects does not search each message for all of them."""
    monkeypatch.setattr("tcop_mock.console.conversation._MAX_OBJECTS", 2)
    conversation = Conversation(lambda: AT_S)
    for number in range(4):
        _add(conversation, json.dumps({"alarmObjInfo": {"dimensions": {"objId": f"ins-{number:06}"}}}).encode())
    assert _add(conversation, b'"ins-000001"', "slack").subject.alarm != conversation.get(2).subject.alarm  # type: ignore[union-attr]  # it is kept
    assert _add(conversation, b'"ins-000003"', "slack").subject.alarm == conversation.get(4).subject.alarm  # type: ignore[union-attr]  # it is kept


def test_a_short_id_is_no_mention() -> None:
    """An object called "a" is in every text, so it is not a sign of a mention."""
    conversation = Conversation(lambda: AT_S)
    fired = _add(conversation, b'{"alarmStatus": "1", "alarmObjInfo": {"dimensions": {"objId": "a"}}}')
    assert _add(conversation, b'"a"', "slack").subject.alarm != fired.subject.alarm


def test_a_received_request_is_shown_before_and_after_its_answer() -> None:
    """The answer has a status at once, and its time when it is sent; a fault without an answer says so."""
    now = [AT_S]
    conversation = Conversation(lambda: now[0])
    plain, late, silent = _request(b"{}"), _request(b"{}"), _request(b"{}")
    conversation.received(_record(plain), Reply(500, b"no", (("Set-Cookie", "secret"),)))
    conversation.received(_record(late, fault="delay:1s"), Reply())
    conversation.received(_record(silent, fault="empty"), None)
    now[0] += 0.25
    conversation.committed()
    conversation.answered(silent)
    now[0] += 1
    conversation.answered(late)
    conversation.committed()
    summaries = [one.summary() for one in conversation]
    assert [one["outcome"] for one in summaries] == ["rejected", "acked", "no_answer"]
    assert [one["duration"] for one in summaries] == [0.25, 1.25, None]
    assert [one["fault"] for one in summaries] == [None, "delay:1s", "empty"]
    first = next(iter(conversation)).attempts[0]
    assert (first["body"], first["headers"]) == (["no"], [["Set-Cookie", "***"]])


async def _take(stream: AsyncGenerator[bytes], count: int) -> list[str]:
    return [(await anext(stream)).decode() for _ in range(count)]


def test_a_stream_catches_up_and_goes_on() -> None:
    """A page gets the events after the number it names, then each new one, and a comment while nothing happens."""

    async def listen() -> None:
        conversation = Conversation(lambda: AT_S)
        conversation.publish("target", {"target": "a"})
        conversation.publish("target", {"target": "b\u2028</script>"})
        stream = conversation.stream(1, keep_alive_s=0.001)
        comment, event = await _take(stream, 2)
        assert comment.startswith(":")
        assert event == 'id: 2\nevent: target\ndata: {"target": "b\\u2028</script>"}\n\n'
        assert (await _take(stream, 1))[0].startswith(": still")
        conversation.publish("target", {"target": "c"})
        assert (await _take(stream, 1))[0].startswith("id: 3")
        conversation.close()
        assert [part async for part in stream] == []

    asyncio.run(listen())


def test_events_during_a_send_are_not_lost() -> None:
    """An event that comes while a slow page takes another one follows it."""

    async def listen() -> None:
        conversation = Conversation(lambda: AT_S)
        conversation.publish("target", {})
        stream = conversation.stream(0)
        await _take(stream, 2)
        conversation.publish("target", {})
        assert (await _take(stream, 1))[0].startswith("id: 2")

    asyncio.run(listen())


@pytest.mark.parametrize("after", [-1, 99])
def test_a_page_that_missed_events_is_reported(after: int) -> None:
    """A page that asks for events that are not kept, or of another run, reads the whole state again."""

    async def listen() -> None:
        conversation = Conversation(lambda: AT_S)
        conversation.publish("target", {})
        _, reset = await _take(conversation.stream(after), 2)
        assert reset == "id: 1\nevent: reset\ndata: {}\n\n"

    asyncio.run(listen())


def test_an_empty_conversation_waits() -> None:
    """A page that opens first gets no event."""

    async def listen() -> None:
        conversation = Conversation(lambda: AT_S)
        assert (await _take(conversation.stream(0, keep_alive_s=0.001), 2))[1].startswith(": still")

    asyncio.run(listen())
