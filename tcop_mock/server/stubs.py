"""Ends that receivers forward alarms to, and those that TCOP pushes to: each answers like the real one.

Sources: PagerDuty's developer documentation, Events API v2 (202, 400 with ``errors``, 429; a routing key of 32
characters, a summary of 1,024, a dedup key of 255); WeCom's page on group robots (91770: text of 2,048 and markdown of
4,096 bytes, 20 messages a minute) and its global error codes; DingTalk's page on custom robots (20 messages a minute);
Feishu's page on custom bots (100 messages a minute, 20 KB); Slack's changelog of 2016-05-17 (errors of incoming
webhooks) and its page on rate limits. The texts beside error codes are assumed where no page prints them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tcop_mock.server.demo_receivers import careful
from tcop_mock.server.http_server import Received, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MINUTE_S = 60.0
_INBOXES = ("key", "access_token")
"""Of WeCom and DingTalk, in the query."""
_ADDRESSES = ("routing_key", "channel")
"""Of PagerDuty and Slack, in the body."""
_MOST_KEYS = 1000
_ROUTING_KEY_CHARS = 32
_MOST_SUMMARY_CHARS = 1024
_MOST_DEDUP_CHARS = 255
_MOST_EVENT_BYTES = 512 * 1024
_SEVERITIES = ("critical", "warning", "error", "info")
_ACTIONS = ("trigger", "acknowledge", "resolve")
_WECOM_LIMITS = {"text": 2048, "markdown": 4096}
_WECOM_TYPES = frozenset({"text", "markdown", "markdown_v2", "image", "news", "file", "voice", "template_card"})
_DINGTALK_TYPES = frozenset({"text", "markdown", "link", "actionCard", "feedCard"})
_FEISHU_TYPES = frozenset({"text", "post", "image", "share_chat", "interactive"})
_MOST_FEISHU_BYTES = 20 * 1024
PER_MINUTE: Mapping[str, int] = {"wecom": 20, "dingtalk": 20, "feishu": 100, "slack": 60, "pagerduty": 120}
"""Messages that the real ends take; PagerDuty's and Slack's (one a second) are assumed to be counted by the minute."""


class Answered(NamedTuple):
    """What an end answers, and in a few words what it makes of the request."""

    reply: Reply
    said: str = ""
    taken: bool = True
    """Whether the real end would have shown it."""


@dataclass(slots=True)
class Standins:
    """All ends behind one port: by the first part of the path, or else the one that is asked for.

    Args:
        usual: the end of all other paths.
        clock: seconds; for limits by the minute.
        per_minute: how many messages each end takes in one; ends that are not named take any number.
    """

    usual: str = "webhook"
    clock: Callable[[], float] = time.monotonic
    per_minute: Mapping[str, int] = field(default_factory=lambda: PER_MINUTE)
    _turns: OrderedDict[tuple[str, str], deque[float]] = field(default_factory=OrderedDict)

    def end_of(self, path: str) -> str:
        """Return which end a path leads to."""
        first = path.partition("?")[0].strip("/").split("/")[0]
        return first if first in ENDS else self.usual

    def answer(self, received: Received) -> Answered:
        """Answer as the end of the request's path."""
        end = self.end_of(received.path)
        if end == "webhook":
            return Answered(careful(received))
        if received.method != "POST":
            return Answered(
                Reply(HTTPStatus.METHOD_NOT_ALLOWED, b"POST only\n", (("Allow", "POST"),)), "no POST", taken=False
            )
        try:
            body = json.loads(received.body)
        except (ValueError, RecursionError):
            body = None
        answered = ENDS[end](received, body)
        if answered.reply.status < HTTPStatus.BAD_REQUEST and self._too_many(end, received, body):
            return _TOO_MANY[end]
        return answered

    def _too_many(self, end: str, received: Received, body: Any) -> bool:  # noqa: ANN401 - any JSON value
        if end not in self.per_minute:
            return False
        key = (end, inbox_of(received.path, body))
        turns = self._turns.setdefault(key, deque())
        self._turns.move_to_end(key)
        if len(self._turns) > _MOST_KEYS:
            self._turns.popitem(last=False)
        now_s = self.clock()
        while turns and now_s - turns[0] >= _MINUTE_S:
            turns.popleft()
        if len(turns) >= self.per_minute[end]:
            return True
        turns.append(now_s)
        return False


def _json(status: int, document: Mapping[str, Any], said: str = "", *headers: tuple[str, str]) -> Answered:
    body = json.dumps(document, ensure_ascii=False).encode()
    taken = status < HTTPStatus.BAD_REQUEST and not (document.get("errcode") or document.get("code"))
    return Answered(Reply(status, body, (("Content-Type", "application/json"), *headers)), said, taken)


def _pagerduty(received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if len(received.body) > _MOST_EVENT_BYTES:
        return Answered(Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), "an event of more than 512 KiB", taken=False)
    errors = list(_event_errors(body)) if isinstance(body, dict) else ["JSON object expected"]
    if errors:
        refusal = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        return _json(HTTPStatus.BAD_REQUEST, refusal, "; ".join(errors))
    key = body.get("dedup_key") or hashlib.sha256(received.body).hexdigest()[:32]
    taken = {"status": "success", "message": "Event processed", "dedup_key": key}
    return _json(HTTPStatus.ACCEPTED, taken, f"{body['event_action']} {key}")


def _event_errors(event: Mapping[str, Any]) -> Iterator[str]:
    key, action, dedup = (event.get(name) for name in ("routing_key", "event_action", "dedup_key"))
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != _ROUTING_KEY_CHARS:
        yield f"Length of 'routing_key' is incorrect (should be {_ROUTING_KEY_CHARS} characters)"
    if action not in _ACTIONS:
        yield "'event_action' is missing or invalid (must be 'trigger', 'acknowledge' or 'resolve')"
    elif action != "trigger" and not dedup:
        yield f"'dedup_key' is missing: {action} needs it"
    if dedup is not None and (not isinstance(dedup, str) or len(dedup) > _MOST_DEDUP_CHARS):
        yield f"'dedup_key' is no text of at most {_MOST_DEDUP_CHARS} characters"
    if action == "trigger":
        payload = event.get("payload")
        yield from _payload_errors(payload if isinstance(payload, dict) else {})


def _payload_errors(payload: Mapping[str, Any]) -> Iterator[str]:
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name].strip():
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary"))) > _MOST_SUMMARY_CHARS:
        yield f"'payload.summary' is longer than {_MOST_SUMMARY_CHARS} characters"
    if payload.get("severity") not in _SEVERITIES:
        yield f"'payload.severity' is missing or invalid (must be one of {', '.join(_SEVERITIES)})"


def _wecom(received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if not _query(received, "key"):
        return _errcode(93000, "invalid webhook url")
    if not isinstance(body, dict):
        return _errcode(47001, "data format error")
    kind = body.get("msgtype")
    if kind not in _WECOM_TYPES:
        return _errcode(40008, "invalid message type")
    content = _content(body, kind)
    if kind in _WECOM_LIMITS and not content:
        return _errcode(44004, "empty content")
    if len(content.encode("utf-8", "replace")) > _WECOM_LIMITS.get(kind, len(received.body) * 4):
        return _errcode(40058, f"{kind}.content exceed max length {_WECOM_LIMITS[kind]}")
    return _errcode(0, "ok")


def _dingtalk(received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if not _query(received, "access_token"):
        return _errcode(300001, "token is not exist")
    if not isinstance(body, dict):
        return _errcode(40035, "the parameter json is missing")
    kind = body.get("msgtype")
    if kind not in _DINGTALK_TYPES:
        return _errcode(400105, "unsupported msgtype")
    if (kind == "text" and not _content(body, kind)) or (kind == "markdown" and not _content(body, kind, "text")):
        return _errcode(400106, "empty content")
    return _errcode(0, "ok")


def _feishu(received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if not isinstance(body, dict) or body.get("msg_type") not in _FEISHU_TYPES:
        return _json(HTTPStatus.OK, {"code": 9499, "msg": "Bad Request", "data": {}}, "code 9499")
    if len(received.body) > _MOST_FEISHU_BYTES or not (body.get("content") or body.get("card")):
        return _json(HTTPStatus.OK, {"code": 9499, "msg": "Bad Request", "data": {}}, "code 9499")
    taken = {"StatusCode": 0, "StatusMessage": "success", "code": 0, "msg": "success", "data": {}}
    return _json(HTTPStatus.OK, taken, "code 0")


def _slack(_received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if not isinstance(body, dict):
        return Answered(Reply(HTTPStatus.BAD_REQUEST, b"invalid_payload"), "invalid_payload", taken=False)
    if not any(body.get(key) for key in ("text", "blocks", "attachments")):
        return Answered(Reply(HTTPStatus.BAD_REQUEST, b"no_text"), "no_text", taken=False)
    return Answered(Reply(HTTPStatus.OK, b"ok"), "ok")


def _any_json(received: Received, body: Any) -> Answered:  # noqa: ANN401 - any JSON value
    if body is None and received.body.strip() != b"null":
        return _json(HTTPStatus.BAD_REQUEST, {"error": "the body is no JSON"}, "no JSON")
    return _json(HTTPStatus.OK, {"ok": True})


def _errcode(code: int, text: str) -> Answered:
    return _json(HTTPStatus.OK, {"errcode": code, "errmsg": text}, f"errcode {code}{f': {text}' if code else ''}")


def _content(body: Mapping[str, Any], kind: str, key: str = "content") -> str:
    """Return the text of a message; empty where it has none."""
    part = body.get(kind)
    content = part.get(key) if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""


def inbox_of(path: str, body: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return whose end it is: a group's robot, a service, a channel. Digested, because most of these are secrets.

    What changes from message to message, as DingTalk's signature does, is left out.

    Args:
        path: request target, with the query.
        body: as JSON; ``None`` where it is none.
    """
    target = urlsplit(path)
    query, fields = parse_qs(target.query), body if isinstance(body, dict) else {}
    named = [*(query.get(name) for name in _INBOXES), *(fields.get(name) for name in _ADDRESSES)]
    whose = [name for name in named if name] or target.path
    return hashlib.sha256(json.dumps(whose).encode()).hexdigest()[:16]


def _query(received: Received, name: str) -> str:
    return parse_qs(urlsplit(received.path).query).get(name, [""])[0]


_AGAIN = ("Retry-After", "30")
_TOO_MANY = {
    "pagerduty": _json(
        HTTPStatus.TOO_MANY_REQUESTS, {"status": "throttle exceeded", "message": "too many events"}, "429", _AGAIN
    ),
    "wecom": _errcode(45009, "api freq out of limit"),
    "dingtalk": _errcode(130101, "send too fast, exceed 20 times per minute"),
    "feishu": _json(HTTPStatus.OK, {"code": 11232, "msg": "frequency limited", "data": {}}, "code 11232"),
    "slack": Answered(Reply(HTTPStatus.TOO_MANY_REQUESTS, b"rate_limited", (_AGAIN,)), "rate_limited", taken=False),
}
ENDS: dict[str, Callable[[Received, Any], Answered]] = {
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "feishu": _feishu,
    "slack": _slack,
    "pagerduty": _pagerduty,
    "json": _any_json,
}
"""The ends beside a webhook, by the first part of their paths."""
