"""The ends that a receiver forwards to, while it is judged: they keep what comes, and fail on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from tcop_mock.domain.effects import Effect, Sight
from tcop_mock.server.http_server import Received, Reply, Sink
from tcop_mock.server.stubs import Standins, inbox_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_MESSAGES = 50_000


@dataclass(frozen=True, slots=True)
class Message:
    """One request that came."""

    end: str
    text: str
    """The body without JSON's escapes."""
    document: Any
    """The body as JSON; ``None`` where it is none."""
    taken: bool
    """Whether the end took it."""
    said: str
    """What the end made of it."""
    inbox: str = ""
    """Whose end it is, where there are several of a kind."""

    @classmethod
    def of(cls, end: str, path: str, body: bytes, *, taken: bool, said: str) -> Message:
        """Return the message of a request."""
        document = _document(body)
        return cls(end, _readable(body, document), document, taken, said, inbox_of(path, document))

    @property
    def effect(self) -> Effect:
        """What it is to whoever reads it: PagerDuty shows events of one key and action once."""
        event = self.document if self.end == "pagerduty" and isinstance(self.document, dict) else {}
        key = f"{event.get('event_action')} {event['dedup_key']}" if event.get("dedup_key") else ""
        return Effect(self.text, f"/{self.end}", key, self.inbox)


Trouble: TypeAlias = Callable[[str, Callable[[], Reply]], Awaitable[Reply]]
"""What an end does in place of answering: it is told which end, and how the end would answer."""


@dataclass(eq=False, slots=True)
class Troubled:
    """What goes wrong with messages that name one of some texts."""

    tokens: frozenset[str]
    trouble: Trouble
    met: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether a message has met with it."""


@dataclass(slots=True)
class Downstream:
    """Ends behind one port, by path, without limits by the minute. An observer of whoever forwards to them."""

    messages: list[Message] = field(default_factory=list)
    _ends: Standins = field(default_factory=lambda: Standins("json", per_minute={}))
    _troubles: list[Troubled] = field(default_factory=list)

    def sink(self, host: str, port: int) -> Sink:
        """Return the server of the ends, to be entered."""
        return Sink(self._answer, host=host, port=port)

    @property
    def shows_all(self) -> bool:
        """That it need not be asked for each object."""
        return True

    async def look(self, token: str) -> Sight:  # noqa: ARG002 - an observer's signature
        """Return what came and was taken; open is what PagerDuty was told of and not told to close."""
        return sight_of(self.messages)

    def refused(self) -> str:
        """Say what came and was refused, where nothing was taken."""
        refusals = [f"/{message.end} answered {message.said}" for message in self.messages if not message.taken]
        return "; ".join(dict.fromkeys(refusals))

    @property
    def reached(self) -> frozenset[str]:
        """The ends to which messages have come, taken or not."""
        return frozenset(message.end for message in self.messages)

    @contextlib.contextmanager
    def trouble(self, tokens: Collection[str], trouble: Trouble) -> Iterator[Troubled]:
        """Have something go wrong with each message that names one of these."""
        entry = Troubled(frozenset(tokens), trouble)
        self._troubles.append(entry)
        try:
            yield entry
        finally:
            self._troubles.remove(entry)

    async def _answer(self, received: Received) -> Reply:
        end = self._ends.end_of(received.path)
        document = _document(received.body)
        text = _readable(received.body, document)
        named = Effect(text)
        for troubled in self._troubles:
            if named.mentions(troubled.tokens):
                troubled.met.set()
                return await troubled.trouble(end, lambda: self._taken(received, end, text, document))
        return self._taken(received, end, text, document)

    def _taken(self, received: Received, end: str, text: str, document: Any) -> Reply:  # noqa: ANN401 - JSON
        answered = self._ends.answer(received)
        if len(self.messages) < _MOST_MESSAGES:
            inbox = inbox_of(received.path, document)
            self.messages.append(Message(end, text, document, answered.taken, answered.said, inbox))
        return answered.reply


async def refuses(end: str, _answer: Callable[[], Reply]) -> Reply:
    """Fail as an end does that is down."""
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{end} is down\n".encode())


async def fails_with_200(end: str, _answer: Callable[[], Reply]) -> Reply:
    """Fail as WeCom, DingTalk and Feishu do: with 200 and an error code in the body."""
    if end == "feishu":
        document = {"code": 11232, "msg": "frequency limited", "data": {}}
    else:
        document = {"errcode": 45009, "errmsg": "api freq out of limit"}
    return Reply(HTTPStatus.OK, json.dumps(document).encode(), (("Content-Type", "application/json"),))


def is_late(seconds: float) -> Trouble:
    """Return a trouble: the answer comes some seconds late."""

    async def late(_end: str, answer: Callable[[], Reply]) -> Reply:
        await asyncio.sleep(seconds)
        return answer()

    return late


def sight_of(messages: Collection[Message]) -> Sight:
    """Return what came and was taken; open is what PagerDuty was told of and not told to close."""
    taken = [message for message in messages if message.taken]
    tells = any(message.end == "pagerduty" for message in taken)
    open_now: dict[tuple[str, str], Effect] = {}
    for message in taken:
        if message.end == "pagerduty":
            _follow(message, open_now)
    refused = [Effect(one.text, f"/{one.end}", one.said) for one in messages if not one.taken]
    effects = tuple(message.effect for message in taken)
    return Sight(effects, tuple(open_now.values()) if tells else None, tuple(refused))


def _follow(message: Message, open_now: dict[tuple[str, str], Effect]) -> None:
    event = message.document
    key = str(event.get("dedup_key") or "")
    if event.get("event_action") == "resolve":
        open_now.pop((message.inbox, key), None)
    elif event.get("event_action") == "trigger":
        effect = message.effect
        open_now[message.inbox, key or effect.text] = replace(effect, key=key)


def _document(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _readable(body: bytes, document: Any) -> str:  # noqa: ANN401 - any JSON value
    return body.decode("utf-8", "replace") if document is None else _text(document)


def _text(document: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(document, ensure_ascii=False)


_LATE_S = 7.0
TROUBLES: dict[str, Trouble] = {"refuses": refuses, "fails-with-200": fails_with_200, "late": is_late(_LATE_S)}
"""By the names that clauses have for them."""
