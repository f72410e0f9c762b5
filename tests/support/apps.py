"""In-process receivers for tests of the pytest plugin: ASGI, WSGI, plain callables; conforming or with a bug."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    StartResponse = Callable[[str, list[tuple[str, str]]], object]
    Message = dict[str, Any]

_log = logging.getLogger(__name__)
received_bodies: list[bytes] = []
"""Bodies that ``wsgi`` has received."""


def _received(method: str, body: bytes) -> ReceivedRequest:
    return ReceivedRequest(method, "/", (), body, 0.0)


def _send_reply(start_response: StartResponse, reply: Reply) -> Iterable[bytes]:
    start_response(f"{reply.status} said", list(reply.headers))
    return [reply.body]


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Keep the contract."""
    body = environ["wsgi.input"].read()
    received_bodies.append(body)
    return _send_reply(start_response, correct_receiver(_received(environ["REQUEST_METHOD"], body)))


def hasty_wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Respond 500 to a resolved alarm without a recoverTime, and log it."""
    body = environ["wsgi.input"].read()
    reply = correct_receiver(_received(environ["REQUEST_METHOD"], body))
    if reply.status == 200 and _is_timeless(json.loads(body)):
        for _ in range(5):
            _log.error("a resolved alarm")
        reply = Reply(500, b"\x1b[31mno\x1b[0m")
    return _send_reply(start_response, reply)


def talkative_wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Keep all must clauses, and respond with a body that is too long (TCM105, a should clause)."""
    reply = correct_receiver(_received(environ["REQUEST_METHOD"], environ["wsgi.input"].read()))
    return _send_reply(start_response, Reply(reply.status, b"x" * 200_000) if reply.status == 200 else reply)


async def asgi(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Any]) -> None:
    """Keep the contract."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
    reply = correct_receiver(_received(scope["method"], body))
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def sick_asgi(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Any]) -> None:
    """Fail at startup."""
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


def takes(alarm: dict[str, Any]) -> str:
    """Accept each callback, with or without times."""
    return str(alarm["alarmStatus"])


async def takes_later(alarm: dict[str, Any]) -> str:
    """Accept each callback."""
    return takes(alarm)


def refuses_timeless(alarm: dict[str, Any]) -> None:
    """Raise for a resolved alarm without a recoverTime: a rejection for metrics, a crash for events."""
    if _is_timeless(alarm):
        _ = alarm["alarmPolicyInfo"]["conditions"]["metricName"]
        raise ValueError("when, please?")


def _is_timeless(alarm: Any) -> bool:
    return isinstance(alarm, dict) and alarm.get("alarmStatus") == "0" and alarm.get("recoverTime") in ("0", 0, "")
