"""Requests, attempts, deliveries and the transport protocol. The end of an attempt is a value, never an exception."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.target import Credentials

_HTTP_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method or header name (RFC 9110, 5.6.2)."""
AUTH_REJECTION_STATUSES = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Statuses that reject the credentials."""
RETRY_LATER_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses that ask for a later retry, and say nothing about the request itself."""
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""A header value as Latin-1 (RFC 9110, 5.5)."""


_MAX_EXCERPT_BYTES = 80


class Outcome(StrEnum):
    """How one attempt ended."""

    ACKED = "acked"
    """Status 2xx and a complete response (or one cut at the limit) within the deadline."""
    REJECTED = "rejected"
    """A complete response with a status that is neither 2xx nor 3xx."""
    REDIRECTED = "redirected"
    """Status 3xx; redirects are never followed."""
    TIMED_OUT = "timed_out"
    """The total deadline passed. ``status`` is set if the head had arrived."""
    REFUSED = "refused"
    """No connection: refused or unreachable."""
    DNS = "dns"
    """The host name did not resolve."""
    TLS = "tls"
    """No TLS session: certificate or protocol."""
    RESET_BEFORE_ANSWER = "reset_before_answer"
    """The connection ended (RST or FIN) before any byte of a response."""
    RESET_IN_ANSWER = "reset_in_answer"
    """The connection ended (RST or FIN) within the head or the body of the response."""
    BAD_ANSWER = "bad_answer"
    """The received bytes are not an HTTP/1 response."""
    CANCELLED = "cancelled"
    """We stopped waiting: the run was interrupted or its time was up."""

    @classmethod
    def from_status(cls, status: int | None) -> Outcome:
        """Return the outcome of a complete response."""
        if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return cls.ACKED
        if status is not None and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return cls.REDIRECTED
        return cls.REJECTED


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request; the same bytes in each attempt.

    Raises:
        UsageError: the method, a header or a segment size is invalid.
    """

    body: bytes = field(repr=False)
    """May contain a secret, such as the integration key of PagerDuty."""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    """Override the fields that are sent by default: Host, Content-Length, Connection and Authorization."""
    credentials: Credentials | None = field(default=None, repr=False)
    auth_scheme: str = "Basic"
    """Scheme before the token of the credentials."""
    lower_case_names: bool = False
    """Whether the names of all header fields are sent in lower case (RFC 9110, 5.1: their case has no meaning)."""
    segment_sizes: tuple[int, ...] = ()
    """Sizes of the TCP segments of the body in bytes, after one for the head; empty: head and body in one write."""
    chunked: bool = False
    """Whether the body is sent in chunks (RFC 9112, 7.1), one per segment size, all in one write, without a length."""
    query: str = ""
    """Added to the query of the target, in the form ``key=value``."""
    segment_gap_s: float = 0.005
    """Time between segments: long enough for a receiver on the same machine to read them one by one."""
    truncate_at: int | None = None
    """Number of body bytes that are sent before our side is closed; fewer than the Content-Length."""
    keep_alive: bool = False
    """Keep the connection open for the next request."""
    reuse_connection: bool = False
    """Send the request on the connection that was kept open, if there is one."""
    connection_name: str = ""
    """Name of the connection that is kept open or reused."""
    hang_up_after_s: float | None = None
    """Close the connection this long after sending, without waiting for the response."""
    body_timeout_s: float | None = None
    """Time limit for the response body after its head; ``None``: only the deadline applies."""

    def body_segments(self) -> Iterator[bytes]:
        """Yield the segments of the body; the last size repeats, and without sizes the body is one segment."""
        offset, sizes = (
            0,
            chain(self.segment_sizes, repeat(self.segment_sizes[-1] if self.segment_sizes else len(self.body))),
        )
        while offset < len(self.body):
            size = next(sizes)
            yield self.body[offset : offset + size]
            offset += size

    @property
    def needs_socket(self) -> bool:
        """Whether only a sender that writes to the socket itself can send it, and no HTTP client."""
        return bool(
            self.segment_sizes
            or self.chunked
            or self.keep_alive
            or self.reuse_connection
            or self.lower_case_names
            or self.truncate_at is not None
        )

    @property
    def framing_header(self) -> tuple[str, str]:
        """The header field that determines where the body ends."""
        return ("Transfer-Encoding", "chunked") if self.chunked else ("Content-Length", str(len(self.body)))

    def header_fields(self, authority: str, *, keep_alive: bool) -> list[tuple[str, str]]:
        """Return the names and values of all header fields in the order in which they are sent.

        Nothing here raises, so that no traceback shows the credentials in the clear.

        Args:
            authority: the value of ``Host``.
            keep_alive: whether the connection stays open; otherwise ``Connection: close`` announces its end (RFC 9112,
                9.6).
        """
        fields = {
            "host": ("Host", authority),
            "content-length": self.framing_header,
            "connection": ("Connection", "keep-alive" if keep_alive else "close"),
        }
        if self.credentials is not None:
            fields["authorization"] = ("Authorization", f"{self.auth_scheme} {self.credentials.token().reveal()}")
        fields |= {name.lower(): (name, value) for name, value in self.headers}
        return [(name.lower() if self.lower_case_names else name, value) for name, value in fields.values()]

    def framed_body(self) -> bytes:
        """Return the body as it is sent after the head."""
        if not self.chunked:
            return self.body
        return b"".join(b"%x\r\n%s\r\n" % (len(segment), segment) for segment in self.body_segments()) + b"0\r\n\r\n"

    def __post_init__(self) -> None:
        if not _HTTP_TOKEN.fullmatch(self.method):
            raise UsageError(f"{self.method!r} is not an HTTP method; write a token such as POST")
        for name, value in self.headers:
            if not _HTTP_TOKEN.fullmatch(name):
                raise UsageError(f"{name!r} is not a name of an HTTP header; write letters, digits and hyphens")
            if not _HEADER_VALUE.fullmatch(value):  # may be a credential, so it is not shown
                raise UsageError(f"the value of the header {name} has line breaks or characters outside Latin-1")
        if any(size < 1 for size in self.segment_sizes):
            raise UsageError(f"segments are of one byte or more, not {self.segment_sizes}")


class ParseError(NamedTuple):
    """One reason why a parser in this process did not accept a body."""

    message: str
    """One line, bounded: ``refused with KeyError: 'region'``."""
    cause: str
    """The message without the values of this body, so that equal reasons of different bodies match."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST and its result. Times are seconds on the clock of the run."""

    outcome: Outcome
    intended_s: float
    """When it should have started."""
    started_s: float
    ended_s: float
    resolved_s: float | None = None
    """When the host name was resolved; ``None`` for an address and for a connection in use, which need no look-up."""
    connected_s: float | None = None
    first_byte_s: float | None = None
    status: int | None = None
    """Set when the head has arrived, even if the body is incomplete."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """The response body up to the limit."""
    body_truncated: bool = False
    """Whether the body was longer than the limit; the socket was closed there."""
    sent_bytes: int = 0
    """Bytes of head and body that were written to the connection; the receiver may have read fewer."""
    received_bytes: int = 0
    stale_bytes: int = 0
    """Bytes on a reused connection behind the end of the previous response, before this request was sent."""
    request_sha256: str = ""
    detail: str = ""
    """One line that describes the failure; never contains credentials."""
    traceback: str = field(default="", repr=False)
    """Traceback of an app in this process that raised an exception."""
    parse_errors: tuple[ParseError, ...] = ()
    """The reasons of a parser in this process; other receivers return a status instead."""

    @property
    def duration_s(self) -> float:
        """Seconds from the start to the end of the attempt."""
        return self.ended_s - self.started_s

    @property
    def summary(self) -> str:
        """The end of the attempt in a few words: ``rejected 500 'Internal Server Error' (KeyError: 'region')``."""
        status = "" if self.status is None else f" {self.status}"
        body = self.body[:_MAX_EXCERPT_BYTES].decode("utf-8", "backslashreplace")
        excerpt = f" {body!r}" if body and self.outcome is not Outcome.ACKED else ""
        return f"{self.outcome}{status}{excerpt}{f' ({self.detail})' if self.detail else ''}"

    @property
    def accepted(self) -> bool:
        """Whether the status is 2xx, even if the body is incomplete."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Delivery:
    """All attempts to deliver one callback to one receiver."""

    attempts: tuple[Attempt, ...]
    name: str = ""
    """Name of the callback: ``cvm/basic-monitoring resolved``."""

    def __repr__(self) -> str:
        """Return the end of the delivery in a line, as failures of tests show it."""
        count = "1 attempt" if len(self.attempts) == 1 else f"{len(self.attempts)} attempts"
        name = f" {self.name}:" if self.name else ""
        last = f"{self.attempts[-1].summary}, " if self.attempts else ""
        return f"<Delivery{name} {last}{count}>"

    @property
    def accepted(self) -> bool:
        """Whether the last attempt was acknowledged."""
        return bool(self.attempts) and self.attempts[-1].outcome is Outcome.ACKED


class Transport(Protocol):
    """The only interface for sending a request."""

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once and return the attempt. Nothing that the receiver does raises an exception.

        ``deadline_s`` counts from the start of the attempt and covers everything. ``intended_s`` is the scheduled
        start, by default the actual start.
        """
        ...
