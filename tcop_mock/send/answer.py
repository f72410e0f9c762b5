"""An answer as it comes in, byte by byte, read up to a cap."""

from __future__ import annotations

import h11

_HEAD_CAP_BYTES = 100 * 1024
_START = b"HTTP/"


class BadAnswerError(Exception):
    """What came is no HTTP/1 answer."""


class Answer:
    """Collects status, headers and body; ``complete`` when there is no more to come or to read."""

    def __init__(self, method: str, cap_bytes: int) -> None:
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.truncated = False
        self.complete = False
        self.received_bytes = 0
        self._cap = cap_bytes
        self._start = b""
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_CAP_BYTES)
        # the parser has to know the method (an answer to HEAD has no body); the real request is written elsewhere
        self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "-")]))
        self._parser.send(h11.EndOfMessage())

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the same connection: not behind bytes that nobody asked for."""
        return self.complete and self._parser.their_state is h11.DONE and not self._parser.trailing_data[0]

    def feed(self, data: bytes) -> None:
        """Take the next bytes; none mean that the receiver closed.

        Raises:
            BadAnswerError: they are no HTTP/1.
            EOFError: the answer ends too early.
        """
        self.received_bytes += len(data)
        self._start = (self._start + data)[: len(_START)]
        if not _START.startswith(self._start):
            raise BadAnswerError("no HTTP answer: it does not start with HTTP/")  # the parser waits for a blank line
        try:
            self._parser.receive_data(data)
            while not self.complete and (event := self._parser.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError as problem:
            if not data:
                raise EOFError from None  # it closed before the end of its answer
            # what stands after the colon is the receiver's own text, which may echo credentials
            raise BadAnswerError(f"no HTTP answer: {str(problem).partition(':')[0]}") from None

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self.status = event.status_code
            self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        elif isinstance(event, h11.Data):
            room = self._cap - len(self.body)
            self.body += bytes(event.data)[:room]
            self.truncated = self.complete = len(event.data) > room
        elif isinstance(event, h11.EndOfMessage):
            self.complete = True
