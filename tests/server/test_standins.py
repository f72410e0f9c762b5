"""The ends that alarms are forwarded to: what they take, what they refuse, and how."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.alarm import State
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import Secret
from tcop_mock.server.http_server import ReceivedRequest
from tcop_mock.server.stubs import RATE_LIMITS, SERVICES, StubResponse, StubServices
from tcop_mock.transport import pagerduty, wecom

if TYPE_CHECKING:
    from tcop_mock.server.http_server import Reply

KEY = "0123456789abcdef0123456789abcdef"
EVENT: dict[str, Any] = {
    "routing_key": KEY,
    "event_action": "trigger",
    "payload": {"summary": "s", "source": "h", "severity": "error"},
}
WECOM = "/wecom/cgi-bin/webhook/send?key=693a91f6"
DINGTALK = "/dingtalk/robot/send?access_token=66ab"
FEISHU = "/feishu/open-apis/bot/v2/hook/f19"
SLACK = "/slack/services/T0/B0/X"
PAGERDUTY = "/pagerduty/v2/enqueue"
TAKEN = {
    PAGERDUTY: EVENT,
    WECOM: {"msgtype": "text", "text": {"content": "x"}},
    DINGTALK: {"msgtype": "markdown", "markdown": {"title": "t", "text": "x"}},
    FEISHU: {"msg_type": "text", "content": {"text": "x"}},
    SLACK: {"text": "x"},
    "/json/any/where": [1],
}


def _asked(path: str, body: Any, ends: StubServices | None = None, method: str = "POST") -> StubResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (ends or StubServices()).respond(ReceivedRequest(method, path, (), raw, 0.0))


def _document(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.mark.parametrize("path", TAKEN)
def test_each_end_takes_what_it_is_for(path: str) -> None:
    """2xx, and where the end counts errors in the body, none."""
    reply = _asked(path, TAKEN[path]).reply
    assert 200 <= reply.status < 300
    if reply.body.startswith(b"{"):
        document = _document(reply)
        assert document.get("errcode", document.get("code", 0)) == 0


def test_each_end_has_its_sample() -> None:
    """None is left out above."""
    assert {path.split("/")[1] for path in TAKEN} == SERVICES.keys()


@pytest.mark.parametrize("path", TAKEN)
def test_each_end_takes_posts_only(path: str) -> None:
    """A GET is no message."""
    assert _asked(path, b"", method="GET").reply.status == 405


@pytest.mark.parametrize(
    "change, error",
    [
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"event_action": "open"}, "'event_action' is missing or invalid"),
        ({"event_action": "resolve"}, "'dedup_key' is missing: resolve needs it"),
        ({"dedup_key": "x" * 256}, "'dedup_key' is no text of at most 255 characters"),
        ({"payload": "x"}, "'payload.summary' is missing or blank"),
        ({"payload": EVENT["payload"] | {"summary": "x" * 1025}}, "'payload.summary' is longer than 1024 characters"),
        ({"payload": EVENT["payload"] | {"severity": "bad"}}, "'payload.severity' is missing or invalid"),
        ({"payload": EVENT["payload"] | {"source": " "}}, "'payload.source' is missing or blank"),
    ],
)
def test_pagerduty_refuses_what_its_api_refuses(change: dict[str, Any], error: str) -> None:
    """400 with all errors in a list."""
    reply, said, taken = _asked(PAGERDUTY, EVENT | change)
    assert not taken
    assert reply.status == 400
    document = _document(reply)
    assert document["status"] == "invalid event"
    assert any(text.startswith(error) for text in document["errors"])
    assert error in said


def test_pagerduty_names_the_incident() -> None:
    """202 with the dedup key that was given, or one of its own; what is no event, or too large, is refused."""
    assert _document(_asked(PAGERDUTY, EVENT | {"dedup_key": "k"}).reply)["dedup_key"] == "k"
    assert len(_document(_asked(PAGERDUTY, EVENT).reply)["dedup_key"]) == 32
    assert _asked(PAGERDUTY, b"[1]").reply.status == 400
    assert _asked(PAGERDUTY, EVENT | {"x": "x" * 600_000}).reply.status == 413


@pytest.mark.parametrize(
    "path, body, code",
    [
        ("/wecom/cgi-bin/webhook/send", TAKEN[WECOM], 93000),
        (WECOM, b"{", 47001),
        (WECOM, {"msgtype": "telegram"}, 40008),
        (WECOM, {"msgtype": "text", "text": {"content": ""}}, 44004),
        (WECOM, {"msgtype": "text", "text": "x"}, 44004),
        (WECOM, {"msgtype": "text", "text": {"content": "x" * 2049}}, 40058),
        (WECOM, {"msgtype": "markdown", "markdown": {"content": "告" * 1366}}, 40058),
        (WECOM, {"msgtype": "news", "news": {}}, 0),
        ("/dingtalk/robot/send", TAKEN[DINGTALK], 300001),
        (DINGTALK, b"", 40035),
        (DINGTALK, {"msgtype": "x"}, 400105),
        (DINGTALK, {"msgtype": "text", "text": {}}, 400106),
        (DINGTALK, {"msgtype": "markdown", "markdown": {"title": "x"}}, 400106),
        (FEISHU, {"text": "x"}, 9499),
        (FEISHU, {"msg_type": "text"}, 9499),
        (FEISHU, b"[]", 9499),
    ],
)
def test_robots_answer_200_with_a_code(path: str, body: Any, code: int) -> None:
    """What a robot refuses is told in the body, not in the status."""
    reply = _asked(path, body).reply
    document = _document(reply)
    assert (reply.status, document.get("errcode", document.get("code"))) == (200, code)


def test_slack_and_json_refuse_with_a_status() -> None:
    """Slack in words, plain JSON in JSON."""
    assert _asked(SLACK, b"x").reply.body == b"invalid_payload"
    assert _asked(SLACK, {"blocks": []}).reply.body == b"no_text"
    assert _asked("/json", b"x").reply.status == 400
    assert _asked("/json", b"null").reply.status == 200


@pytest.mark.parametrize("path", [path for path in TAKEN if path.split("/")[1] in RATE_LIMITS])
def test_limits_count_by_the_minute_and_by_key(path: str) -> None:
    """One more than the limit is refused as the end does it; another key, and the next minute, are not."""
    now_s = 0.0
    ends = StubServices(clock=lambda: now_s)
    most = RATE_LIMITS[path.split("/")[1]]
    taken = [_asked(path, TAKEN[path], ends).reply for _ in range(most)]
    refused = _asked(path, TAKEN[path], ends).reply
    assert all(reply == taken[0] for reply in taken)
    assert refused != taken[0]
    if refused.status == 429:
        assert dict(refused.headers)["Retry-After"] == "30"
    else:
        assert b"freq" in refused.body or b"too fast" in refused.body
    other = EVENT | {"routing_key": KEY[::-1]} if path == PAGERDUTY else TAKEN[path]
    assert _asked(f"{path}2", other, ends).reply.status == taken[0].status
    now_s = 60.0
    assert _asked(path, TAKEN[path], ends).reply == taken[0]


def test_limits_need_bounded_memory() -> None:
    """A thousand keys are remembered."""
    ends = StubServices()
    for number in range(1100):
        _asked(f"{SLACK}{number}", TAKEN[SLACK], ends)
    assert len(ends._recent_requests) == 1000


def test_other_paths_lead_to_the_usual_end() -> None:
    """A webhook, or the one that is asked for."""
    assert [StubServices().service_of(path) for path in ("/", "/wecomx", "/wecom", "/slack?x", "//json")] == [
        "webhook",
        "webhook",
        "wecom",
        "slack",
        "json",
    ]
    assert StubServices("slack").service_of("/") == "slack"
    assert _asked("/", {"a": 1}).reply.status == 200
    assert _asked("/", b"{").reply.status == 400


def test_the_ends_take_what_our_targets_send() -> None:
    """PagerDuty's events and WeCom's messages of every shape, in either language."""
    generator, ends = Generator(7), StubServices(clock=iter(range(0, 10**9, 60)).__next__)
    for shape in Catalog.load():
        for state in (State.FIRING, *([State.RESOLVED] if shape.can_resolve else [])):
            tree = generator.callback(generator.alarm(shape, required_state=state), state).to_dict()
            assert (
                _asked(PAGERDUTY, pagerduty.pagerduty_event(CallbackView(tree), Secret(KEY)), ends).reply.status == 202
            )
            for lang in Lang:
                assert _asked(WECOM, wecom.wecom_message(CallbackView(tree), lang), ends).note == "errcode 0"
