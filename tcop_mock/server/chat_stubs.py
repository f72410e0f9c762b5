"""Stubs of Discord and Microsoft Teams.

Sources: Discord's page on webhooks (``wait``; ``content`` of 2,000 characters, or ``embeds``). Assumed: the texts of
its errors, 204 without ``wait``, and all answers of Teams (200 with ``1`` of an incoming webhook, 202 of a workflow).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tcop_mock.server.messages import ReceivedRequest

_MAX_DISCORD_CHARS = 2000
_DISCORD_CONTENT = ("content", "embeds", "components", "poll")
_TEAMS_CONTENT = ("text", "summary", "attachments", "sections", "body")


class ChatAnswer(NamedTuple):
    """What a chat answers."""

    status: int
    body: str
    note: str
    """What is wrong with the message; empty if the chat shows it."""
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
