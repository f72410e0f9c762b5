"""Downstream recorder: stub services that record what a receiver forwards, and fail on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.server.http_server import HttpServer, ReceivedRequest, Reply
from tcop_mock.server.stubs import StubServices, recipient_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_MESSAGES = 50_000


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One received request."""

    service: str
    text: str
    """The body without JSON escapes."""
    document: Any
    """The body as JSON; ``None`` if it is not JSON."""
    is_accepted: bool
    """Whether the stub accepted it."""
    note: str
    """Result of the stub, for people."""
    recipient: str = ""
    """Recipient within the service, such as a chat group."""

    @classmethod
    def from_request(cls, service: str, path: str, body: bytes, *, is_accepted: bool, note: str) -> ReceivedMessage:
        """Create the message of a request."""
        document = _parse_json(body)
        return cls(service, _readable_text(body, document), document, is_accepted, note, recipient_of(path, document))

    @property
    def effect(self) -> Effect:
        """Effect for an observer. PagerDuty shows events with the same key and action only once."""
        event = self.document if self.service == "pagerduty" and isinstance(self.document, dict) else {}
        key = f"{event.get('event_action')} {event['dedup_key']}" if event.get("dedup_key") else ""
        return Effect(self.text, f"/{self.service}", key, self.recipient)


FaultHandler: TypeAlias = Callable[[str, Callable[[], Reply]], Awaitable[Reply]]
"""Replaces the response of a stub; called with the service and a function that returns the usual reply."""


@dataclass(eq=False, slots=True)
class InjectedFault:
    """A fault for messages that contain any of some strings."""

    tokens: frozenset[str]
    handler: FaultHandler
    triggered: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether any message had the fault."""


@dataclass(slots=True)
class DownstreamRecorder:
    """Stub services behind one port, by path, without rate limits; observes what a receiver forwards to them."""

    messages: list[ReceivedMessage] = field(default_factory=list)
    _services: StubServices = field(default_factory=lambda: StubServices("json", rate_limits={}))
    _injected_faults: list[InjectedFault] = field(default_factory=list)

    def server(self, host: str, port: int) -> HttpServer:
        """Return the server of the stubs; use it as a context manager."""
        return HttpServer(self.answer, host=host, port=port)

    @property
    def shows_all(self) -> bool:
        """True: it shows all effects without being asked for each object."""
        return True

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return accepted messages as effects; open are PagerDuty incidents that were not resolved."""
        return snapshot_of(self.messages)

    def describe_refusals(self) -> str:
        """Return the rejected messages in words if nothing was accepted, else an empty string."""
        refusals = [
            f"/{message.service} answered {message.note}" for message in self.messages if not message.is_accepted
        ]
        return "; ".join(dict.fromkeys(refusals))

    @property
    def reached_services(self) -> frozenset[str]:
        """Services that received messages, accepted or not."""
        return frozenset(message.service for message in self.messages)

    @contextlib.contextmanager
    def inject_fault(self, tokens: Collection[str], handler: FaultHandler) -> Iterator[InjectedFault]:
        """Inject a fault into each message that contains any of these strings."""
        fault = InjectedFault(frozenset(tokens), handler)
        self._injected_faults.append(fault)
        try:
            yield fault
        finally:
            self._injected_faults.remove(fault)

    async def answer(self, request: ReceivedRequest) -> Reply:
        """Record a request and respond like the service of its path, unless a fault is injected."""
        service = self._services.service_of(request.path)
        document = _parse_json(request.body)
        text = _readable_text(request.body, document)
        effect = Effect(text)
        for fault in self._injected_faults:
            if effect.mentions(fault.tokens):
                fault.triggered.set()
                return await fault.handler(service, lambda: self._record(request, service, text, document))
        return self._record(request, service, text, document)

    def _record(self, request: ReceivedRequest, service: str, text: str, document: Any) -> Reply:  # noqa: ANN401 - JSON
        response = self._services.respond(request)
        if len(self.messages) < _MAX_MESSAGES:
            recipient = recipient_of(request.path, document)
            self.messages.append(
                ReceivedMessage(service, text, document, response.is_accepted, response.note, recipient)
            )
        return response.reply


async def refuse(service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Fail like a service that is down."""
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{service} is down\n".encode())


async def fail_with_200(service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Fail like WeCom, DingTalk and Feishu: with 200 and an error code in the body."""
    if service == "feishu":
        document = {"code": 11232, "msg": "frequency limited", "data": {}}
    else:
        document = {"errcode": 45009, "errmsg": "api freq out of limit"}
    return Reply(HTTPStatus.OK, json.dumps(document).encode(), (("Content-Type", "application/json"),))


def delay(seconds: float) -> FaultHandler:
    """Return a fault that delays the response by some seconds."""

    async def delayed(_service: str, usual_reply: Callable[[], Reply]) -> Reply:
        await asyncio.sleep(seconds)
        return usual_reply()

    return delayed


def snapshot_of(messages: Collection[ReceivedMessage]) -> EffectSnapshot:
    """Return accepted messages as effects; open are PagerDuty incidents that were not resolved."""
    accepted = [message for message in messages if message.is_accepted]
    has_pagerduty = any(message.service == "pagerduty" for message in accepted)
    open_events: dict[tuple[str, str], Effect] = {}
    for message in accepted:
        if message.service == "pagerduty":
            _track_open_event(message, open_events)
    rejected = [Effect(one.text, f"/{one.service}", one.note) for one in messages if not one.is_accepted]
    effects = tuple(message.effect for message in accepted)
    return EffectSnapshot(effects, tuple(open_events.values()) if has_pagerduty else None, tuple(rejected))


def _track_open_event(message: ReceivedMessage, open_events: dict[tuple[str, str], Effect]) -> None:
    event = message.document
    key = str(event.get("dedup_key") or "")
    if event.get("event_action") == "resolve":
        open_events.pop((message.recipient, key), None)
    elif event.get("event_action") == "trigger":
        effect = message.effect
        open_events[message.recipient, key or effect.text] = replace(effect, dedup_key=key)


def _parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _readable_text(body: bytes, document: Any) -> str:  # noqa: ANN401 - any JSON value
    return body.decode("utf-8", "replace") if document is None else _to_text(document)


def _to_text(document: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(document, ensure_ascii=False)


_DELAY_S = 7.0
DOWNSTREAM_FAULTS: dict[str, FaultHandler] = {
    "refuses": refuse,
    "fails-with-200": fail_with_200,
    "late": delay(_DELAY_S),
}
"""Faults by their names in clauses."""
