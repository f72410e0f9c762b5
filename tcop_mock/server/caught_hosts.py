"""Caught hosts: the stub of each host, and the conversion of a request to a host into one to its stub.

Sources of hosts and paths: WeCom's pages on group robots (91770), access tokens (91039) and application messages
(90236); DingTalk's pages on custom robots and access tokens; Feishu's and Lark's pages on custom bots, tenant access
tokens and messages; Slack's pages on incoming webhooks and ``chat.postMessage``; PagerDuty's page on its service
regions; Telegram's page on making requests; Discord's page on webhooks; Microsoft's pages on incoming webhooks and
workflows of Teams.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.server.messages import Reply
from tcop_mock.server.stubs import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.server.messages import ReceivedRequest

ANY_JSON = "json"
CATCH_HOST = "--catch-host"
KNOWN_HOSTS: Mapping[str, str] = {
    "qyapi.weixin.qq.com": "wecom",
    "oapi.dingtalk.com": "dingtalk",
    "open.feishu.cn": "feishu",
    "open.larksuite.com": "feishu",
    "hooks.slack.com": "slack",
    "slack.com": "slack",
    "events.pagerduty.com": "pagerduty",
    "events.eu.pagerduty.com": "pagerduty",
    "api.telegram.org": "telegram",
    "discord.com": "discord",
    "discordapp.com": "discord",
    "outlook.office.com": "teams",
    "*.webhook.office.com": "teams",
    "*.logic.azure.com": "teams",
    "*.environment.api.powerplatform.com": "teams",
}
"""Service by host; ``*.`` matches any name below a domain."""
_TOKEN_S = 7200
_TOKEN_REPLIES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("wecom", "/cgi-bin/gettoken"): {
        "errcode": 0,
        "errmsg": "ok",
        "access_token": "tcop-mock",
        "expires_in": _TOKEN_S,
    },
    ("dingtalk", "/gettoken"): {"errcode": 0, "errmsg": "ok", "access_token": "tcop-mock", "expires_in": _TOKEN_S},
    ("feishu", "/open-apis/auth/v3/tenant_access_token/internal"): {
        "code": 0,
        "msg": "ok",
        "tenant_access_token": "tcop-mock",
        "expire": _TOKEN_S,
    },
}
"""Answers to requests for access tokens, which are not messages."""
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class CaughtHosts:
    """Which service answers for a host."""

    services: Mapping[str, str] = field(default_factory=lambda: KNOWN_HOSTS)

    @classmethod
    def parse(cls, texts: Iterable[str], flag: str = CATCH_HOST) -> CaughtHosts:
        """Add hosts in the form ``HOST=KIND``.

        Args:
            texts: the hosts.
            flag: the flag that names them, for messages.

        Raises:
            UsageError: the text has another form, or there is no such service.
        """
        services = dict(KNOWN_HOSTS)
        for text in texts:
            host, equals, service = (part.strip() for part in text.partition("="))
            name = host.lower().rstrip(".")
            if not equals or not name or set(name) & set("/:@ "):
                raise UsageError(f"{flag} {text!r}: write HOST=KIND, as in alerts.example.com={ANY_JSON}")
            if service not in SERVICES:
                raise UnknownNameError("service", service, SERVICES, where=f"{flag} {host}")
            services = {name: service, **{key: kind for key, kind in services.items() if key != name}}
        return cls(services)

    def service_of(self, host: str) -> str:
        """Return the service of a host; empty if it is not caught."""
        name = host.lower().rstrip(".")
        return next((kind for pattern, kind in self.services.items() if fnmatch.fnmatchcase(name, pattern)), "")


def token_reply(service: str, path: str) -> Reply | None:
    """Return the answer to a request for an access token; ``None`` for any other request."""
    document = _TOKEN_REPLIES.get((service, urlsplit(path).path.rstrip("/")))
    if document is None:
        return None
    return Reply(body=json.dumps(document).encode(), headers=(("Content-Type", "application/json"),))


def to_stub_request(request: ReceivedRequest, service: str, host: str) -> ReceivedRequest:
    """Return a request to a host as one to the stub of its service: the same, below ``/service``.

    Args:
        request: as it came; its path is the path at the host.
        service: the service that answers for the host.
        host: name of the host; it distinguishes the hosts that answer as plain JSON services.
    """
    target = urlsplit(request.path)
    path, query = target.path, target.query
    body = _form_as_json(request) if service == "slack" else request.body
    if service == "wecom" and path.startswith("/cgi-bin/message/send"):  # a robot has a key, an application a token
        query = urlencode([("key" if key == "access_token" else key, value) for key, value in parse_qsl(query)])
    if service == ANY_JSON:
        path = f"/{quote(host)}{path}"
    return replace(request, path=f"/{service}{path}{f'?{query}' if query else ''}", body=body)


def _form_as_json(request: ReceivedRequest) -> bytes:
    """Return the fields of a form as JSON; JSON in ``payload`` is the body."""
    if request.header("content-type").partition(";")[0].strip().lower() != _FORM:
        return request.body
    fields = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    return fields["payload"].encode() if "payload" in fields else json.dumps(fields, ensure_ascii=False).encode()
