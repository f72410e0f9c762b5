"""Downstream recorder: stub services that record what a receiver forwards, and fail on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.stubs import StubServices, parse_message, recipient_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_MESSAGES = 50_000


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One received request."""

    service: str
    text: str
    """The body without JSON escapes."""
    document: Any
    """The body as JSON, or the fields of a form; ``None`` for any other body."""
    is_accepted: bool
    """Whether the stub accepted it."""
    note: str
    """Result of the stub, for people."""
    recipient: str = ""
    """Recipient within the service, such as a chat group."""
    is_setup_error: bool = False
    """Whether it was rejected for its address, its rate or a size that only tests cause, not for its content."""

    effect: Effect = field(init=False, repr=False, compare=False)
    """Effect for an observer. PagerDuty shows events with the same key and action only once."""

    @classmethod
    def from_request(cls, service: str, path: str, body: bytes, *, is_accepted: bool, note: str) -> ReceivedMessage:
        """Create the message of a request."""
        document = parse_message(body)
        return cls(
            service, _readable_text(path, body, document), document, is_accepted, note, recipient_of(path, document)
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "effect", self._to_effect())

    def _to_effect(self) -> Effect:
        event = self.document if self.service == "pagerduty" and isinstance(self.document, dict) else {}
        action, alarm_key = event.get("event_action"), str(event.get("dedup_key") or "")
        dedup_key = f"{action} {alarm_key}" if alarm_key else ""
        is_follow_up = bool(alarm_key) and action != "trigger"
        return Effect(self.text, f"/{self.service}", dedup_key, self.recipient, alarm_key, is_follow_up)


FaultHandler: TypeAlias = Callable[[str, Callable[[], Reply]], Awaitable[Reply]]
"""Replaces the response of a stub; called with the service and a function that returns the usual reply."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@dataclass(eq=False, slots=True)
class InjectedFault:
    """A fault for messages that contain any of some strings."""

    tokens: frozenset[str]
    handler: FaultHandler
    triggered: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether any message had the fault."""
    loop: asyncio.AbstractEventLoop | None = field(default_factory=_running_loop)
    """The loop that waits for that; the stubs may be called in that of another thread."""

    def trigger(self) -> None:
        """Record that a message had the fault."""
        if self.loop is None or self.loop is _running_loop():
            self.triggered.set()
        else:
            self.loop.call_soon_threadsafe(self.triggered.set)


@dataclass(slots=True)
class DownstreamRecorder:
    """Stub services behind one port, by path, without rate limits; observes what a receiver forwards to them."""

    messages: list[ReceivedMessage] = field(default_factory=list)
    _services: StubServices = field(default_factory=lambda: StubServices("json", rate_limits={}))
    _injected_faults: list[InjectedFault] = field(default_factory=list)
    _setup_errors: dict[str, tuple[int, str]] = field(default_factory=dict, init=False, repr=False)
    """The number of messages that a service rejected for their address or key, and the last reason."""
    _snapshot: tuple[int, EffectSnapshot] = field(default=(0, EffectSnapshot()), init=False, repr=False)
    """The last snapshot, and of how many messages it was."""

    def server(self, host: str, port: int) -> HttpServer:
        """Return the server of the stubs; use it as a context manager."""
        return HttpServer(self.answer, host=host, port=port)

    @property
    def shows_all(self) -> bool:
        """True: it returns all effects, whatever the token is."""
        return True

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return accepted messages as effects; open are PagerDuty incidents that were not resolved."""
        count = len(self.messages)
        if self._snapshot[0] != count:
            self._snapshot = count, snapshot_of(self.messages)
        return self._snapshot[1]

    def failed_calls(self) -> Mapping[str, int]:
        """Return the number of messages that each service rejected for their address or key, not for their content."""
        return {f"/{service}": count for service, (count, _) in self._setup_errors.items()}

    def advice(self, called: str) -> str:
        """Return why a service rejected messages for their address or key."""
        _, note = self._setup_errors[called.removeprefix("/")]
        return f"{called} answered {note}, as the real service does; give the receiver a valid address and key"

    def describe_refusals(self) -> str:
        """Return the rejected messages in words if nothing was accepted, else an empty string."""
        refusals = [
            f"/{message.service} answered {message.note}" for message in self.messages if not message.is_accepted
        ]
        return "; ".join(dict.fromkeys(refusals))

    def refusals_by(self, service: str) -> list[ReceivedMessage]:
        """Return the messages that a service rejected for their content."""
        return [
            message
            for message in self.messages
            if message.service == service and not (message.is_accepted or message.is_setup_error)
        ]

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
        """Record a message and respond like the service of its path, unless a fault is injected.

        A look-up is answered, but neither recorded nor failed.
        """
        response = self._services.respond(request)
        if not response.is_message:
            return response.reply
        service = self._services.service_of(request.path)
        document = parse_message(request.body)
        text = _readable_text(request.path, request.body, document)
        recipient = recipient_of(request.path, document)
        message = ReceivedMessage(
            service, text, document, response.is_accepted, response.note, recipient, response.is_setup_error
        )
        if response.is_setup_error:
            count, _ = self._setup_errors.get(service, (0, ""))
            self._setup_errors[service] = count + 1, response.note
        for fault in tuple(self._injected_faults):  # another thread may end one
            if message.effect.mentions(fault.tokens):
                fault.trigger()
                return await fault.handler(service, lambda: self._record(message, response.reply))
        return self._record(message, response.reply)

    def _record(self, message: ReceivedMessage, reply: Reply) -> Reply:
        if len(self.messages) < _MAX_MESSAGES:
            self.messages.append(message)
        return reply


async def refuse(service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Fail like a service that is down."""
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{service} is down\n".encode())


async def fail_with_200(service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Fail like WeCom, DingTalk and Feishu: with 200 and the code for too many messages in the body."""
    if service == "feishu":
        return _json_reply({"code": 11232, "msg": "frequency limited", "data": {}})
    if service == "dingtalk":
        return _json_reply({"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})
    return _json_reply({"errcode": 45009, "errmsg": "api freq out of limit"})


async def reject_content(service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Reject a message for its content: its retries are rejected, too."""
    if service == "feishu":
        return _json_reply({"code": 9499, "msg": "Bad Request", "data": {}})
    if service == "dingtalk":
        return _json_reply({"errcode": 400106, "errmsg": "empty content"})
    if service == "wecom":
        return _json_reply({"errcode": 40058, "errmsg": "content exceed max length"})
    error_body = {"status": "invalid event", "message": "Event object is invalid", "errors": ["rejected for good"]}
    return _json_reply(error_body, HTTPStatus.BAD_REQUEST)


async def hang(_service: str, _usual_reply: Callable[[], Reply]) -> Reply:
    """Read the request and never answer it, until the client or the server closes the connection."""
    never: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    return await never


def _json_reply(document: Any, status: int = HTTPStatus.OK) -> Reply:  # noqa: ANN401 - a JSON value
    return Reply(status, json.dumps(document).encode(), (("Content-Type", "application/json"),))


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
    rejected = [
        replace(message.effect, dedup_key=message.note)
        for message in messages
        if not (message.is_accepted or message.is_setup_error)
    ]
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


def _readable_text(path: str, body: bytes, document: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the text of a message: its body, or the query of a request without one."""
    if not body:
        query = dict(parse_qsl(urlsplit(path).query))
        return _to_text(query) if query else ""
    return body.decode("utf-8", "replace") if document is None else _to_text(document)


def _to_text(document: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(document, ensure_ascii=False)


_DELAY_S = 7.0
DOWNSTREAM_FAULTS: dict[str, FaultHandler] = {
    "refuses": refuse,
    "fails-with-200": fail_with_200,
    "late": delay(_DELAY_S),
    "rejects": reject_content,
    "hangs": hang,
}
"""Faults by their names in clauses."""
LASTING_FAULTS = frozenset({"rejects", "hangs"})
"""Faults that may stop the messages of all alarms, if a receiver sends one after the other."""
