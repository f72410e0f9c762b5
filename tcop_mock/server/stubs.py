"""Stubs of the services that receivers forward to and that TCOP sends to: they respond like the real ones.

Sources: PagerDuty's developer documentation, Events API v2 (202, 400 with ``errors``, 429; a routing key of 32
characters, a summary of 1,024, a dedup key of 255); WeCom's page on group robots (91770: text of 2,048 and markdown of
4,096 bytes, 20 messages a minute) and its global error codes; DingTalk's page on custom robots (20 messages a minute);
Feishu's page on custom bots (100 messages a minute, 20 KB); Telegram's Bot API (GET and POST, parameters as query, form
or JSON; a text of 1 to 4,096 characters; ``ok``, ``error_code`` and ``description``) and its FAQ for bots (20 messages
a minute in a group); Slack's changelog of 2016-05-17 (errors of incoming webhooks) and its page on rate limits;
Discord's page on webhooks (``wait``; ``content`` of 2,000 characters, or ``embeds``); RFC 9110, 9.2.1 (GET, HEAD and
OPTIONS change nothing). Assumed: messages of undocumented errors, the texts of Discord's errors, its 204 without
``wait``, and all answers of Microsoft Teams (200 with ``1`` of an incoming webhook, 202 of a workflow).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.telegram_entities import parse_error
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAX_DISCORD_CHARS = 2000
_DISCORD_CONTENT = ("content", "embeds", "components", "poll")
_TEAMS_CONTENT = ("text", "summary", "attachments", "sections", "body")


class ChatAnswer(NamedTuple):
    """Answer of a chat service."""

    status: int
    body: str
    note: str
    """Problem with the message; empty if the chat shows it."""
    is_json: bool = True


def discord(request: ReceivedRequest, body: Any) -> ChatAnswer:  # noqa: ANN401 - any JSON value
    """Answer as a webhook of Discord does."""
    message = body if isinstance(body, dict) else {}
    if not any(message.get(key) for key in _DISCORD_CONTENT):
        return _discord_error(50006, "Cannot send an empty message")
    if len(str(message.get("content") or "")) > _MAX_DISCORD_CHARS:
        return _discord_error(50035, "Invalid Form Body: content must be 2000 or fewer in length")
    wants_message = parse_qs(urlsplit(request.path).query).get("wait") == ["true"]
    if wants_message:
        return ChatAnswer(HTTPStatus.OK, json.dumps({"id": "1", "content": message.get("content", "")}), "")
    return ChatAnswer(HTTPStatus.NO_CONTENT, "", "")


def teams(request: ReceivedRequest, body: Any) -> ChatAnswer:  # noqa: ANN401 - any JSON value
    """Answer as an incoming webhook of Teams does, or as a workflow."""
    message = body if isinstance(body, dict) else {}
    if not any(message.get(key) for key in _TEAMS_CONTENT):
        error = "Summary or Text is required."
        return ChatAnswer(HTTPStatus.BAD_REQUEST, error, error, is_json=False)
    if "/workflows/" in request.path:
        return ChatAnswer(HTTPStatus.ACCEPTED, "", "")
    return ChatAnswer(HTTPStatus.OK, "1", "", is_json=False)


def _discord_error(code: int, text: str) -> ChatAnswer:
    return ChatAnswer(HTTPStatus.BAD_REQUEST, json.dumps({"message": text, "code": code}), text)


_MINUTE_S = 60.0
_QUERY_RECIPIENT_KEYS = ("key", "access_token")
"""Query parameters that identify a recipient of WeCom or DingTalk."""
_BODY_RECIPIENT_KEYS = ("routing_key", "channel", "chat_id", "receive_id")
"""Body keys that identify a recipient of PagerDuty, Slack, Telegram or Feishu."""
_MAX_RECIPIENTS = 1000
_ROUTING_KEY_CHARS = 32
_MAX_SUMMARY_CHARS = 1024
_MAX_DEDUP_KEY_CHARS = 255
_MAX_EVENT_BYTES = 512 * 1024
_SEVERITIES = ("critical", "warning", "error", "info")
_ACTIONS = ("trigger", "acknowledge", "resolve")
_WECOM_LIMITS = {"text": 2048, "markdown": 4096}
_WECOM_TYPES = frozenset({"text", "markdown", "markdown_v2", "image", "news", "file", "voice", "template_card"})
_DINGTALK_TYPES = frozenset({"text", "markdown", "link", "actionCard", "feedCard"})
_FEISHU_TYPES = frozenset({"text", "post", "image", "share_chat", "interactive"})
_SLACK_CONTENT = ("text", "blocks", "attachments")
_SLACK_METHOD = re.compile(r"(?:/slack)?/api/(?P<method>[\w.]+)/?")
_SLACK_MESSAGES = frozenset({"chat.postMessage", "chat.postEphemeral", "chat.scheduleMessage", "chat.update"})
"""Methods of Slack's Web API that write a message; others, such as ``auth.test``, look something up."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_FEISHU_BYTES = 20 * 1024
_TELEGRAM_PATH = re.compile(r"(?:/telegram)?/bot(?P<token>\d+:[\w-]+)/(?P<method>\w+)/?")
_MAX_TELEGRAM_CHARS = 4096
_FORM_SERVICES = frozenset({"telegram", "json"})
"""Services that take forms as well as JSON."""
_FORM = re.compile(rb"[\w.%+*\[\]-]+=[^\s{}&]*(?:&[\w.%+*\[\]-]+=[^\s{}&]*)*")
"""A body of the type ``application/x-www-form-urlencoded``."""
RATE_LIMITS: Mapping[str, int] = {
    "wecom": 20,
    "dingtalk": 20,
    "feishu": 100,
    "slack": 60,
    "telegram": 20,
    "pagerduty": 120,
}
"""Messages per minute that the real services accept; for PagerDuty and Slack the one-minute window is assumed."""


class StubResponse(NamedTuple):
    """Response of a stub, and a short description of the result."""

    reply: Reply
    note: str = ""
    is_accepted: bool = True
    """Whether the real service would show the message."""
    is_setup_error: bool = False
    """Whether it is rejected for its address, its rate or a size that only tests cause, not for its content."""
    is_message: bool = True
    """Whether people see it; false for a look-up."""


@dataclass(slots=True)
class StubServices:
    """All stubs behind one port, chosen by the first part of the path.

    Args:
        default_service: stub for all other paths.
        clock: seconds; for the rate limits.
        rate_limits: messages per minute for each service; others are unlimited.
    """

    default_service: str = "webhook"
    clock: Callable[[], float] = monotonic_s
    rate_limits: Mapping[str, int] = field(default_factory=lambda: RATE_LIMITS)
    _recent_requests: OrderedDict[tuple[str, str], deque[float]] = field(default_factory=OrderedDict)

    def service_of(self, path: str) -> str:
        """Return the service that a path belongs to."""
        first_segment = path.partition("?")[0].strip("/").split("/")[0]
        return first_segment if first_segment in SERVICES else self.default_service

    def respond(self, request: ReceivedRequest) -> StubResponse:
        """Respond like the service of the request's path."""
        service = self.service_of(request.path)
        if service == "webhook":
            return StubResponse(correct_receiver(request))
        if _is_look_up(service, request):
            return _LOOKED_UP
        if request.method != "POST" and service != "json" and (service, request.method) != ("telegram", "GET"):
            reply = Reply(HTTPStatus.METHOD_NOT_ALLOWED, b"POST only\n", (("Allow", "POST"),))
            return StubResponse(reply, "no POST", is_accepted=False, is_setup_error=True)
        body = parse_message(request.body) if service in _FORM_SERVICES else _parse_json(request.body)
        response = SERVICES[service](request, body)
        if response.reply.status < HTTPStatus.BAD_REQUEST and self._exceeds_rate_limit(service, request, body):
            return _RATE_LIMITED[service]
        return response

    def _exceeds_rate_limit(self, service: str, request: ReceivedRequest, body: Any) -> bool:  # noqa: ANN401 - any JSON value
        if service not in self.rate_limits:
            return False
        key = (service, recipient_of(request.path, body))
        times_s = self._recent_requests.setdefault(key, deque())
        self._recent_requests.move_to_end(key)
        if len(self._recent_requests) > _MAX_RECIPIENTS:
            self._recent_requests.popitem(last=False)
        now_s = self.clock()
        while times_s and now_s - times_s[0] >= _MINUTE_S:
            times_s.popleft()
        if len(times_s) >= self.rate_limits[service]:
            return True
        times_s.append(now_s)
        return False


def _is_look_up(service: str, request: ReceivedRequest) -> bool:
    """Return whether a request is not a message, but has an answer."""
    if service == "json":
        return request.method in _SAFE_METHODS or not request.body
    called = _SLACK_METHOD.fullmatch(urlsplit(request.path).path)
    return service == "slack" and called is not None and called["method"] not in _SLACK_MESSAGES


def parse_message(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return a body as JSON; a form becomes an object of its fields, anything else ``None``."""
    if _FORM.fullmatch(body):
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return _parse_json(body)


def _parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _json_response(status: int, document: Mapping[str, Any], note: str = "", *headers: tuple[str, str]) -> StubResponse:
    body = json.dumps(document, ensure_ascii=False).encode()
    code = document.get("errcode") or document.get("code")
    is_accepted = status < HTTPStatus.BAD_REQUEST and not code
    is_setup_error = code in _SETUP_CODES or status == HTTPStatus.TOO_MANY_REQUESTS
    reply = Reply(status, body, (("Content-Type", "application/json"), *headers))
    return StubResponse(reply, note, is_accepted, is_setup_error)


def _pagerduty(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    if len(request.body) > _MAX_EVENT_BYTES:
        too_large = Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return StubResponse(too_large, "an event of more than 512 KiB", is_accepted=False, is_setup_error=True)
    errors = list(_event_errors(body)) if isinstance(body, dict) else ["JSON object expected"]
    if errors:
        error_body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        response = _json_response(HTTPStatus.BAD_REQUEST, error_body, "; ".join(errors))
        return response._replace(is_setup_error=all("'routing_key'" in error for error in errors))
    key = body.get("dedup_key") or hashlib.sha256(request.body).hexdigest()[:32]
    success_body = {"status": "success", "message": "Event processed", "dedup_key": key}
    return _json_response(HTTPStatus.ACCEPTED, success_body, f"{body['event_action']} {key}")


def _event_errors(event: Mapping[str, Any]) -> Iterator[str]:
    key, action, dedup_key = (event.get(name) for name in ("routing_key", "event_action", "dedup_key"))
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != _ROUTING_KEY_CHARS:
        yield f"Length of 'routing_key' is incorrect (should be {_ROUTING_KEY_CHARS} characters)"
    if action not in _ACTIONS:
        yield "'event_action' is missing or invalid (must be 'trigger', 'acknowledge' or 'resolve')"
    elif action != "trigger" and not dedup_key:
        yield f"'dedup_key' is missing, but {action} requires it"
    if dedup_key is not None and (not isinstance(dedup_key, str) or len(dedup_key) > _MAX_DEDUP_KEY_CHARS):
        yield f"'dedup_key' is not a string of at most {_MAX_DEDUP_KEY_CHARS} characters"
    if action == "trigger":
        payload = event.get("payload")
        yield from _payload_errors(payload if isinstance(payload, dict) else {})


def _payload_errors(payload: Mapping[str, Any]) -> Iterator[str]:
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name].strip():
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary"))) > _MAX_SUMMARY_CHARS:
        yield f"'payload.summary' is longer than {_MAX_SUMMARY_CHARS} characters"
    if payload.get("severity") not in _SEVERITIES:
        yield f"'payload.severity' is missing or invalid (must be one of {', '.join(_SEVERITIES)})"


def _wecom(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    if not _query_value(request, "key"):
        return _errcode_response(93000, "invalid webhook url")
    if not isinstance(body, dict):
        return _errcode_response(47001, "data format error")
    message_type = body.get("msgtype")
    if message_type not in _WECOM_TYPES:
        return _errcode_response(40008, "invalid message type")
    content = _message_text(body, message_type)
    if message_type in _WECOM_LIMITS and not content:
        return _errcode_response(44004, "empty content")
    if len(content.encode("utf-8", "replace")) > _WECOM_LIMITS.get(message_type, len(request.body) * 4):
        return _errcode_response(40058, f"{message_type}.content exceed max length {_WECOM_LIMITS[message_type]}")
    return _errcode_response(0, "ok")


def _dingtalk(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    if not _query_value(request, "access_token"):
        return _errcode_response(300001, "token is not exist")
    if not isinstance(body, dict):
        return _errcode_response(40035, "the parameter json is missing")
    message_type = body.get("msgtype")
    if message_type not in _DINGTALK_TYPES:
        return _errcode_response(400105, "unsupported msgtype")
    if (message_type == "text" and not _message_text(body, message_type)) or (
        message_type == "markdown" and not _message_text(body, message_type, "text")
    ):
        return _errcode_response(400106, "empty content")
    return _errcode_response(0, "ok")


def _feishu(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    is_message = isinstance(body, dict) and body.get("msg_type") in _FEISHU_TYPES
    if not is_message or len(request.body) > _MAX_FEISHU_BYTES or not (body.get("content") or body.get("card")):
        return _json_response(HTTPStatus.OK, {"code": 9499, "msg": "Bad Request", "data": {}}, "code 9499")
    success_body = {"StatusCode": 0, "StatusMessage": "success", "code": 0, "msg": "success", "data": {}}
    return _json_response(HTTPStatus.OK, success_body, "code 0")


def _slack(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    if _SLACK_METHOD.fullmatch(urlsplit(request.path).path):
        return _slack_method(body)
    if not isinstance(body, dict):
        return StubResponse(Reply(HTTPStatus.BAD_REQUEST, b"invalid_payload"), "invalid_payload", is_accepted=False)
    if not any(body.get(key) for key in _SLACK_CONTENT):
        return StubResponse(Reply(HTTPStatus.BAD_REQUEST, b"no_text"), "no_text", is_accepted=False)
    return StubResponse(Reply(HTTPStatus.OK, b"ok"), "ok")


def _slack_method(body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    """Respond like ``chat.postMessage``: 200, and ``ok`` in the body."""
    message = body if isinstance(body, dict) else {}
    error = "" if any(message.get(key) for key in _SLACK_CONTENT) else "no_text"
    error = error if message.get("channel") else "channel_not_found"
    if error:
        return _json_response(HTTPStatus.OK, {"ok": False, "error": error}, error)._replace(is_accepted=False)
    return _json_response(HTTPStatus.OK, {"ok": True, "channel": message["channel"], "ts": "1.1"}, "ok")


def _chat(answer: Callable[[ReceivedRequest, Any], ChatAnswer]) -> Callable[[ReceivedRequest, Any], StubResponse]:
    def respond(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
        status, text, note, is_json = answer(request, body)
        headers = (("Content-Type", "application/json" if is_json else "text/plain"),) if text else ()
        return StubResponse(Reply(status, text.encode(), headers), note or "ok", is_accepted=not note)

    return respond


def _telegram(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    called = _TELEGRAM_PATH.fullmatch(urlsplit(request.path).path)
    if called is None:
        return _telegram_error(HTTPStatus.NOT_FOUND, "Not Found")
    fields = dict(parse_qsl(urlsplit(request.path).query)) | (body if isinstance(body, dict) else {})
    if called["method"].lower() != "sendmessage":
        return _json_response(HTTPStatus.OK, {"ok": True, "result": True}, called["method"])
    problem = _telegram_problem(fields)
    if problem:
        return _telegram_error(HTTPStatus.BAD_REQUEST, f"Bad Request: {problem}")
    text = fields["text"]
    return _json_response(HTTPStatus.OK, {"ok": True, "result": {"message_id": 1, "text": text}}, "ok")


def _telegram_problem(fields: Mapping[str, Any]) -> str:
    """Return why Telegram rejects the parameters of a message; empty if it does not."""
    text = fields.get("text")
    if not fields.get("chat_id"):
        return "chat_id is empty"
    if not isinstance(text, str) or not text.strip():
        return "message text is empty"
    return (
        "message is too long" if len(text) > _MAX_TELEGRAM_CHARS else parse_error(text, str(fields.get("parse_mode")))
    )


def _telegram_error(status: int, description: str, **parameters: int) -> StubResponse:
    document: dict[str, Any] = {"ok": False, "error_code": int(status), "description": description}
    if parameters:
        document["parameters"] = parameters
    return _json_response(status, document, description)


def _any_json(request: ReceivedRequest, body: Any) -> StubResponse:  # noqa: ANN401 - any JSON value
    if body is None and request.body.strip() != b"null":
        return _json_response(
            HTTPStatus.BAD_REQUEST, {"error": "the body is neither JSON nor a form"}, "neither JSON nor a form"
        )
    return _json_response(HTTPStatus.OK, {"ok": True})


def _errcode_response(code: int, text: str) -> StubResponse:
    return _json_response(
        HTTPStatus.OK, {"errcode": code, "errmsg": text}, f"errcode {code}{f': {text}' if code else ''}"
    )


def _message_text(body: Mapping[str, Any], message_type: str, key: str = "content") -> str:
    """Return the text of a message, or an empty string."""
    part = body.get(message_type)
    content = part.get(key) if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""


def recipient_of(path: str, body: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the recipient in a service: a group's robot, a routing key, a channel. Hashed, because most are secrets.

    Values that change with each message, such as DingTalk's signature, are ignored.

    Args:
        path: request target with the query.
        body: the body as JSON; ``None`` if it is not JSON.
    """
    target = urlsplit(path)
    query, body_fields = parse_qs(target.query), body if isinstance(body, dict) else {}
    values = [
        *(query.get(name) for name in _QUERY_RECIPIENT_KEYS),
        *(body_fields.get(name) for name in _BODY_RECIPIENT_KEYS),
    ]
    identity = [name for name in values if name] or target.path
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def _query_value(request: ReceivedRequest, name: str) -> str:
    return parse_qs(urlsplit(request.path).query).get(name, [""])[0]


_LOOKED_UP = StubResponse(
    Reply(HTTPStatus.OK, b'{"ok": true}', (("Content-Type", "application/json"),)), "no message", is_message=False
)
_SETUP_CODES = frozenset({93000, 300001, 45009, 130101, 11232})
"""Codes of WeCom, DingTalk and Feishu for a wrong address and for too many messages."""
_RETRY_AFTER = ("Retry-After", "30")
_RATE_LIMITED = {
    "pagerduty": _json_response(
        HTTPStatus.TOO_MANY_REQUESTS, {"status": "throttle exceeded", "message": "too many events"}, "429", _RETRY_AFTER
    ),
    "wecom": _errcode_response(45009, "api freq out of limit"),
    "dingtalk": _errcode_response(130101, "send too fast, exceed 20 times per minute"),
    "feishu": _json_response(HTTPStatus.OK, {"code": 11232, "msg": "frequency limited", "data": {}}, "code 11232"),
    "telegram": _telegram_error(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests: retry after 30", retry_after=30),
    "slack": StubResponse(
        Reply(HTTPStatus.TOO_MANY_REQUESTS, b"rate_limited", (_RETRY_AFTER,)), "rate_limited", is_accepted=False
    ),
}
SERVICES: dict[str, Callable[[ReceivedRequest, Any], StubResponse]] = {
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "feishu": _feishu,
    "slack": _slack,
    "telegram": _telegram,
    "pagerduty": _pagerduty,
    "discord": _chat(discord),
    "teams": _chat(teams),
    "json": _any_json,
}
"""Services other than a webhook, by the first part of their paths."""
