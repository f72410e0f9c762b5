"""The stubs of third-party services: accepted and rejected messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import Secret
from tcop_mock.server.downstream import ReceivedMessage
from tcop_mock.server.messages import ReceivedRequest
from tcop_mock.server.stubs import RATE_LIMITS, SERVICES, StubResponse, StubServices
from tcop_mock.transport import service_messages

if TYPE_CHECKING:
    from tcop_mock.server.messages import Reply

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
CANNOT_PARSE = "Bad Request: can't parse entities: Unsupported start tag"
TELEGRAM = "/telegram/bot123456:ABC-DEF/sendMessage"
PAGERDUTY = "/pagerduty/v2/enqueue"
ACCEPTED = {
    PAGERDUTY: EVENT,
    WECOM: {"msgtype": "text", "text": {"content": "x"}},
    DINGTALK: {"msgtype": "markdown", "markdown": {"title": "t", "text": "x"}},
    FEISHU: {"msg_type": "text", "content": {"text": "x"}},
    SLACK: {"text": "x"},
    TELEGRAM: {"chat_id": -100, "text": "x"},
    "/discord/api/webhooks/1/t": {"content": "x"},
    "/teams/webhookb2/x": {"text": "x"},
    "/json/any/where": [1],
}


def _respond(path: str, body: Any, stubs: StubServices | None = None, method: str = "POST") -> StubResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (stubs or StubServices()).respond(ReceivedRequest(method, path, (), raw, 0.0))


def _document(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.mark.parametrize("path", ACCEPTED)
def test_each_stub_accepts_its_message(path: str) -> None:
    """The status is 2xx, and an error code in the body is 0."""
    reply = _respond(path, ACCEPTED[path]).reply
    assert 200 <= reply.status < 300
    if reply.body.startswith(b"{"):
        document = _document(reply)
        assert document.get("errcode", document.get("code", 0)) == 0


def test_each_stub_has_a_sample() -> None:
    """The samples above cover every stub."""
    assert {path.split("/")[1] for path in ACCEPTED} == SERVICES.keys()


@pytest.mark.parametrize("path", sorted(ACCEPTED.keys() - {TELEGRAM, "/json/any/where"}))
def test_each_stub_accepts_only_post(path: str) -> None:
    """A GET is not a message, except for Telegram and plain JSON; it is not rejected for what it says."""
    response = _respond(path, b"", method="GET")
    assert (response.reply.status, response.is_setup_error) == (405, True)


@pytest.mark.parametrize(
    "method, body, is_message, status",
    [
        ("GET", b"", False, 200),
        ("GET", b'{"query": "ins-1"}', False, 200),
        ("DELETE", b"", False, 200),
        ("POST", b"", False, 200),
        ("PUT", b'{"name": "ins-1"}', True, 200),
        ("PATCH", b"no JSON", True, 400),
    ],
)
def test_plain_json_takes_any_method(method: str, body: bytes, status: int, *, is_message: bool) -> None:
    """A look-up is answered and is not a message; a message is judged by its body."""
    response = _respond("/json/incidents?name=ins-1", body, method=method)
    assert (response.is_message, response.reply.status, response.is_accepted) == (is_message, status, status == 200)
    if status == 200:
        assert _document(response.reply) == {"ok": True}


@pytest.mark.parametrize(
    "change, error",
    [
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"event_action": "open"}, "'event_action' is missing or invalid"),
        ({"event_action": "resolve"}, "'dedup_key' is missing, but resolve requires it"),
        ({"dedup_key": "x" * 256}, "'dedup_key' is not a string of at most 255 characters"),
        ({"payload": "x"}, "'payload.summary' is missing or blank"),
        ({"payload": EVENT["payload"] | {"summary": "x" * 1025}}, "'payload.summary' is longer than 1024 characters"),
        ({"payload": EVENT["payload"] | {"severity": "bad"}}, "'payload.severity' is missing or invalid"),
        ({"payload": EVENT["payload"] | {"source": " "}}, "'payload.source' is missing or blank"),
    ],
)
def test_pagerduty_rejects_what_its_api_rejects(change: dict[str, Any], error: str) -> None:
    """The response is 400 with a list of all errors."""
    reply, note, accepted, is_setup_error, _ = _respond(PAGERDUTY, EVENT | change)
    assert not accepted
    assert is_setup_error is ("routing_key" in change)
    assert reply.status == 400
    document = _document(reply)
    assert document["status"] == "invalid event"
    assert any(text.startswith(error) for text in document["errors"])
    assert error in note


def test_pagerduty_names_the_incident() -> None:
    """The response is 202 with the given dedup key or a new one; an invalid or too large event is rejected."""
    assert _document(_respond(PAGERDUTY, EVENT | {"dedup_key": "k"}).reply)["dedup_key"] == "k"
    assert len(_document(_respond(PAGERDUTY, EVENT).reply)["dedup_key"]) == 32
    assert _respond(PAGERDUTY, b"[1]").reply.status == 400
    assert _respond(PAGERDUTY, EVENT | {"x": "x" * 600_000}).reply.status == 413


@pytest.mark.parametrize(
    "path, body, code",
    [
        ("/wecom/cgi-bin/webhook/send", ACCEPTED[WECOM], 93000),
        (WECOM, b"{", 47001),
        (WECOM, {"msgtype": "telegram"}, 40008),
        (WECOM, {"msgtype": "text", "text": {"content": ""}}, 44004),
        (WECOM, {"msgtype": "text", "text": "x"}, 44004),
        (WECOM, {"msgtype": "text", "text": {"content": "x" * 2049}}, 40058),
        (WECOM, {"msgtype": "markdown", "markdown": {"content": "告" * 1366}}, 40058),
        (WECOM, {"msgtype": "news", "news": {}}, 0),
        ("/dingtalk/robot/send", ACCEPTED[DINGTALK], 300001),
        (DINGTALK, b"", 40035),
        (DINGTALK, {"msgtype": "x"}, 400105),
        (DINGTALK, {"msgtype": "text", "text": {}}, 400106),
        (DINGTALK, {"msgtype": "markdown", "markdown": {"title": "x"}}, 400106),
        (FEISHU, {"text": "x"}, 9499),
        (FEISHU, {"msg_type": "text"}, 9499),
        (FEISHU, b"[]", 9499),
    ],
)
def test_robots_respond_200_with_a_code(path: str, body: Any, code: int) -> None:
    """A robot reports errors in the body, not in the status."""
    reply = _respond(path, body).reply
    document = _document(reply)
    assert (reply.status, document.get("errcode", document.get("code"))) == (200, code)


def test_slack_and_json_reject_with_a_status() -> None:
    """Slack's errors are words, those of plain JSON are JSON."""
    assert _respond(SLACK, b"x").reply.body == b"invalid_payload"
    assert _respond(SLACK, {"blocks": []}).reply.body == b"no_text"
    assert _respond("/json", b"x").reply.status == 400
    assert _respond("/json", b"null").reply.status == 200
    assert _respond("/json", b"text=cpu+%E5%91%8A&state=1").reply.status == 200


@pytest.mark.parametrize(
    "path, body, status, description",
    [
        (TELEGRAM, b"chat_id=-100&text=cpu+%3E+90", 200, "ok"),
        (TELEGRAM.replace("sendMessage", "sendmessage/"), {"chat_id": "@ops", "text": "x" * 4096}, 200, "ok"),
        (f"{TELEGRAM}?chat_id=1&text=x", b"", 200, "ok"),
        (TELEGRAM.replace("sendMessage", "getMe"), b"", 200, "getMe"),
        (TELEGRAM, {"text": "x"}, 400, "Bad Request: chat_id is empty"),
        (TELEGRAM, {"chat_id": 1, "text": " "}, 400, "Bad Request: message text is empty"),
        (TELEGRAM, {"chat_id": 1, "text": "x" * 4097}, 400, "Bad Request: message is too long"),
        (TELEGRAM, [1], 400, "Bad Request: chat_id is empty"),
        ("/telegram/sendMessage", {"chat_id": 1, "text": "x"}, 404, "Not Found"),
        (TELEGRAM, {"chat_id": 1, "text": "a < b", "parse_mode": "HTML"}, 400, CANNOT_PARSE),
    ],
)
def test_telegram_takes_forms_and_json(path: str, body: Any, status: int, description: str) -> None:
    """Parameters come in the query, as a form or as JSON; errors are in status and body."""
    response = _respond(path, body)
    assert (response.reply.status, response.note) == (status, description)
    document = _document(response.reply)
    assert document["ok"] is response.is_accepted is (status == 200)
    assert document.get("description", description) == description


def test_telegram_takes_get() -> None:
    """The Bot API is also called by GET, with everything in the query."""
    assert _respond(f"{TELEGRAM}?chat_id=1&text=x", b"", method="GET").is_accepted
    assert not _respond(TELEGRAM, {"chat_id": 1, "text": "x"}, method="PUT").is_accepted


@pytest.mark.parametrize("body", [b"chat_id=1&text=%E5%91%8A%E8%AD%A6", b'{"chat_id": 1, "text": "\\u544a\\u8b66"}'])
def test_a_message_is_read_from_a_form_and_from_json(body: bytes) -> None:
    """The text of a message has no escapes of forms or JSON."""
    message = ReceivedMessage.from_request("telegram", TELEGRAM, body, is_accepted=True, note="ok")
    assert "告警" in message.text


def test_a_message_is_read_from_a_query() -> None:
    """A request without a body says what its query says."""
    message = ReceivedMessage.from_request("telegram", f"{TELEGRAM}?text=a%20b", b"", is_accepted=True, note="ok")
    assert message.text == '{"text": "a b"}'
    assert ReceivedMessage.from_request("json", "/json", b"", is_accepted=False, note="").text == ""


@pytest.mark.parametrize("path", [path for path in ACCEPTED if path.split("/")[1] in RATE_LIMITS])
def test_rate_limits_are_per_minute_and_key(path: str) -> None:
    """One message above the limit is rejected like the real service does; another key, and the next minute, are not."""
    now_s = 0.0
    stubs = StubServices(clock=lambda: now_s)
    most = RATE_LIMITS[path.split("/")[1]]
    accepted = [_respond(path, ACCEPTED[path], stubs).reply for _ in range(most)]
    rejected = _respond(path, ACCEPTED[path], stubs).reply
    assert all(reply == accepted[0] for reply in accepted)
    assert rejected != accepted[0]
    if path == TELEGRAM:
        assert _document(rejected)["parameters"] == {"retry_after": 30}
    elif rejected.status == 429:
        assert dict(rejected.headers)["Retry-After"] == "30"
    else:
        assert b"freq" in rejected.body or b"too fast" in rejected.body
    other = {PAGERDUTY: EVENT | {"routing_key": KEY[::-1]}, TELEGRAM: {"chat_id": 2, "text": "x"}}
    assert _respond(f"{path}2", other.get(path, ACCEPTED[path]), stubs).reply.status == accepted[0].status
    now_s = 60.0
    assert _respond(path, ACCEPTED[path], stubs).reply == accepted[0]


def test_limits_need_bounded_memory() -> None:
    """At most a thousand keys are remembered."""
    stubs = StubServices()
    for number in range(1100):
        _respond(f"{SLACK}{number}", ACCEPTED[SLACK], stubs)
    assert len(stubs._recent_requests) == 1000


def test_other_paths_use_the_default_stub() -> None:
    """The default is a webhook or the requested service."""
    assert [StubServices().service_of(path) for path in ("/", "/wecomx", "/wecom", "/slack?x", "//json")] == [
        "webhook",
        "webhook",
        "wecom",
        "slack",
        "json",
    ]
    assert StubServices("slack").service_of("/") == "slack"
    assert _respond("/", {"a": 1}).reply.status == 200
    assert _respond("/", b"{").reply.status == 400


def test_the_stubs_accept_what_our_targets_send() -> None:
    """PagerDuty events and WeCom messages of every shape are accepted, in either language."""
    generator, stubs = Generator(7), StubServices(clock=iter(range(0, 10**9, 60)).__next__)
    for shape in Catalog.load():
        for state in (State.FIRING, *([State.RESOLVED] if shape.can_resolve else [])):
            tree = generator.callback(generator.alarm(shape, required_state=state), state).to_dict()
            assert (
                _respond(
                    PAGERDUTY, service_messages.pagerduty_event(CallbackView(tree), Secret(KEY)), stubs
                ).reply.status
                == 202
            )
            for lang in Lang:
                assert (
                    _respond(WECOM, service_messages.wecom_message(CallbackView(tree), lang), stubs).note == "errcode 0"
                )


def test_discord_and_teams_say_what_is_wrong() -> None:
    """A message without content, one that is too long, and the ways to accept one."""
    discord, teams = "/discord/api/webhooks/1/t", "/teams/webhookb2/x"
    answers = [
        _respond(discord, {}),
        _respond(discord, {"content": "x" * 2001}),
        _respond(f"{discord}?wait=true", {"content": "x"}),
        _respond(teams, []),
        _respond("/teams/workflows/x", {"attachments": [1]}),
    ]
    assert [answer.reply.status for answer in answers] == [400, 400, 200, 400, 202]
    assert [answer.is_accepted for answer in answers] == [False, False, True, False, True]


def test_slack_has_a_method_for_messages() -> None:
    """It answers 200 whatever comes, and says in the body whether it took it."""
    path = "/slack/api/chat.postMessage"
    bodies: list[Any] = [{"channel": "c", "text": "x"}, {"text": "x"}, {"channel": "c"}, []]
    answers = [_respond(path, body) for body in bodies]
    assert {answer.reply.status for answer in answers} == {200}
    assert [answer.note for answer in answers] == ["ok", "channel_not_found", "no_text", "channel_not_found"]
    assert [answer.is_accepted for answer in answers] == [True, False, False, False]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["auth.test", "conversations.list?types=private_channel", "chat.getPermalink/"])
def test_other_methods_of_slack_are_no_messages(name: str, method: str) -> None:
    """They are answered without a look at what they say."""
    response = _respond(f"/slack/api/{name}", b"", method=method)
    assert (_document(response.reply), response.is_accepted, response.is_message) == ({"ok": True}, True, False)


@pytest.mark.parametrize("path", ["/slack/services/T0/api/X", "/slack/services/T0/B0/X?x=/api/auth.test"])
def test_a_webhook_of_slack_is_no_method(path: str) -> None:
    """Only a path that begins with /api/ is one."""
    assert _respond(path, {"text": "x"}).reply.body == b"ok"


def test_a_change_of_a_message_is_a_message() -> None:
    """Receivers write what ended an alarm into the message about it."""
    response = _respond("/slack/api/chat.update", {"channel": "c", "ts": "1.1", "text": "x"})
    assert (response.is_message, response.is_accepted) == (True, True)
