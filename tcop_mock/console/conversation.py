"""The conversation in memory: a bounded log of exchanges, and the events that pages get of it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.console.exchange import Direction, Exchange, Subject, answer_document, body_of, tree_of
from tcop_mock.domain.effects import Effect
from tcop_mock.reports.json import json_line, round_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.reports.recording import Record
    from tcop_mock.server.messages import ReceivedRequest, Reply

MAX_EXCHANGES = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Limit of all bodies together."""
_MAX_EVENTS = 4_000
_MAX_OBJECTS = 300
"""Objects of alarms that a message is searched for, the latest first."""
_MIN_ID_CHARS = 4
_KEEP_ALIVE_S = 15.0


class Event(NamedTuple):
    """One event for the pages."""

    number: int
    name: str
    data: str
    """A JSON document in one line."""

    def to_bytes(self) -> bytes:
        """Return it as a server-sent event (WHATWG HTML, 9.2)."""
        return f"id: {self.number}\nevent: {self.name}\ndata: {self.data}\n\n".encode()


class Conversation:
    """Exchanges by number, the oldest first, and their events.

    Args:
        clock: Unix time in seconds.
        max_exchanges: how many exchanges are kept.
        max_bytes: how many bytes their bodies may have together.
    """

    def __init__(
        self, clock: Callable[[], float], *, max_exchanges: int = MAX_EXCHANGES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._clock, self._max_exchanges, self._max_bytes = clock, max_exchanges, max_bytes
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._bytes = self._last_number = self._last_event = 0
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._objects: OrderedDict[str, str] = OrderedDict()
        self._batch: list[Exchange] = []
        self._faulty: dict[int, Exchange] = {}
        """Exchanges whose faulty answers are under way, by the identity of the request."""
        self._changed = asyncio.Event()
        self._is_closed = False

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._exchanges.values())

    def __len__(self) -> int:
        return len(self._exchanges)

    def get(self, number: int) -> Exchange | None:
        """Return an exchange that is still kept."""
        return self._exchanges.get(number)

    @property
    def last_event(self) -> int:
        """Number of the last event."""
        return self._last_event

    def now_s(self) -> float:
        """Return the Unix time."""
        return self._clock()

    def add(  # noqa: PLR0913 - what is known of a request
        self,
        direction: Direction,
        record: Mapping[str, Any],
        result: ValidationResult | None,
        *,
        origin: str = "",
        subject: Subject | None = None,
        is_pending: bool = False,
    ) -> Exchange:
        """Add an exchange, and drop the oldest ones if there are too many.

        Args:
            direction: ``out`` for requests to the receiver, ``in`` for requests to us.
            record: its line in a recording.
            result: its result of ``validate``.
            origin: command that prints the body.
            subject: subject of the body; ``None``: read from the body.
            is_pending: whether an attempt follows.
        """
        body = body_of(record)
        tree = tree_of(body)
        self._last_number += 1
        exchange = Exchange(
            self._last_number,
            direction,
            self._clock(),
            record,
            body,
            tree,
            subject or self._subject(record, body, tree),
            result,
            origin,
            is_pending=is_pending,
        )
        self._exchanges[exchange.number] = exchange
        self._bytes += len(body)
        while len(self._exchanges) > self._max_exchanges or (self._bytes > self._max_bytes and len(self) > 1):
            _, dropped = self._exchanges.popitem(last=False)
            self._bytes -= len(dropped.body)
            self.publish("dropped", {"before": dropped.number + 1})
        return exchange

    def changed(self, exchange: Exchange) -> None:
        """Publish a new or changed exchange to the pages."""
        self.publish("exchange", exchange.summary())

    def received(self, record: Record, reply: Reply | None) -> None:
        """Add a request that the receiver of the page received, before its answer."""
        exchange = self.add(Direction.IN, json.loads(record.to_json()), record.result)
        answer = answer_document(
            reply.status if reply else None,
            reply.headers if reply else (),
            reply.body if reply else b"",
            at_s=exchange.at_s,
        )
        exchange.attempts.append(answer)
        if record.fault is None:
            self._batch.append(exchange)
        elif reply is not None:
            self._faulty[id(record.request)] = exchange
        self.changed(exchange)

    def committed(self) -> None:
        """Add the time of the answers without a fault, which are sent now."""
        batch, self._batch = self._batch, []
        for exchange in batch:
            self._end(exchange)

    def answered(self, request: ReceivedRequest) -> None:
        """Add the time of an answer with a fault; if the fault sends none, there is nothing to add."""
        exchange = self._faulty.pop(id(request), None)
        if exchange is not None:
            self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        exchange.attempts[-1]["duration"] = round_seconds(self._clock() - exchange.at_s)
        self.changed(exchange)

    def publish(self, name: str, document: dict[str, Any]) -> None:
        """Send an event to all pages."""
        self._last_event += 1
        self._events.append(Event(self._last_event, name, json_line(document).strip()))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        self._changed.set()

    async def stream(self, after: int, keep_alive_s: float = _KEEP_ALIVE_S) -> AsyncGenerator[bytes]:
        """Yield the events after a number, until the conversation is closed.

        A page that missed events, because they are not kept any more, gets the event ``reset``.
        """
        yield b": tcop-mock\n\n"
        while True:
            oldest = self._events[0].number if self._events else self._last_event + 1
            if not oldest - 1 <= after <= self._last_event:
                after = self._last_event
                yield Event(after, "reset", "{}").to_bytes()
            changed = self._changed
            for event in [one for one in self._events if one.number > after]:
                after = event.number
                yield event.to_bytes()
            if changed is not self._changed:
                continue
            if self._is_closed:
                return
            try:
                await asyncio.wait_for(changed.wait(), keep_alive_s)
            except TimeoutError:
                yield b": still here\n\n"

    def _subject(self, record: Mapping[str, Any], body: bytes, tree: Any) -> Subject:  # noqa: ANN401 - JSON
        service = str(record["as"])
        text = body.decode("utf-8", "replace")
        if service != "webhook" or not isinstance(tree, dict):
            return Subject.of_message(
                service if service != "webhook" else f"{record['method']} {record['path']}", text, self._mentioned(text)
            )
        subject = Subject.of_callback(tree, body)
        if len(subject.object_id) >= _MIN_ID_CHARS:
            self._objects[subject.object_id] = subject.alarm
            self._objects.move_to_end(subject.object_id)
            if len(self._objects) > _MAX_OBJECTS:
                self._objects.popitem(last=False)
        return subject

    def _mentioned(self, text: str) -> str:
        """Return the key of the latest alarm whose object a text mentions, or an empty string."""
        effect = Effect(text)
        return next((alarm for name, alarm in reversed(self._objects.items()) if effect.mentions({name})), "")
