"""What is sent and what comes back. How an attempt ended is a value, never an exception."""

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
"""RFC 9110, 5.6.2: a method or the name of a header."""
AUTH_REJECTION_STATUSES = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""What says that it is the credentials that are refused."""
RETRY_LATER_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""What asks to come again, and says nothing of the request."""
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, 5.5: the value of a header, as Latin-1."""


class Outcome(StrEnum):
    """How one attempt ended."""

    ACKED = "acked"
    """Status 2xx and a complete answer (or one cut at the cap) inside the deadline."""
    REJECTED = "rejected"
    """A complete answer with a status that is neither 2xx nor 3xx."""
    REDIRECTED = "redirected"
    """Status 3xx; it is never followed."""
    TIMED_OUT = "timed_out"
    """The total deadline passed. ``status`` is set where the head had come before."""
    REFUSED = "refused"
    """No connection: refused or unreachable."""
    DNS = "dns"
    """The host name did not resolve."""
    TLS = "tls"
    """No TLS session: certificate or protocol."""
    RESET_BEFORE_ANSWER = "reset_before_answer"
    """The connection ended (RST or FIN) before any byte of an answer."""
    RESET_IN_ANSWER = "reset_in_answer"
    """The connection ended (RST or FIN) inside the head or the body of the answer."""
    BAD_ANSWER = "bad_answer"
    """What came is no HTTP/1 answer."""
    CANCELLED = "cancelled"
    """We stopped waiting: interrupted, or the run's time was up."""

    @classmethod
    def from_status(cls, status: int | None) -> Outcome:
        """Return the outcome of a whole answer."""
        if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return cls.ACKED
        if status is not None and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return cls.REDIRECTED
        return cls.REJECTED


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request as it is to be sent; the same bytes in each attempt.

    Raises:
        UsageError: a method, header or size of segments that no request can have.
    """

    body: bytes = field(repr=False)
    """May hold the key of the end that it is written for."""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    """Each overrides what the sender writes by itself: Host, Content-Length, Connection and Authorization."""
    credentials: Credentials | None = field(default=None, repr=False)
    segment_sizes: tuple[int, ...] = ()
    """Sizes in bytes of the body's TCP segments, the head being one of its own; empty: head and body in one write."""
    chunked: bool = False
    """Whether the body is framed in chunks (RFC 9112, 7.1), one a segment, all in one write; its length is not told."""
    query: str = ""
    """What is added to the query of the target, as ``key=value``."""
    segment_gap_s: float = 0.005
    """Time between segments: long enough that a receiver on the same machine sees them one by one."""
    truncate_at: int | None = None
    """So many bytes of the body are sent before our side is closed; fewer than are promised."""
    keep_alive: bool = False
    """The connection stays open for the next push."""
    reuse_connection: bool = False
    """It goes out on the connection that was left open, where there is one."""
    hang_up_after_s: float | None = None
    """So long after the request is out the connection is closed, whatever has come (in-process apps: is not waited)."""
    body_timeout_s: float | None = None
    """How long the body of the answer may take after its head; ``None``: as long as the deadline allows."""

    def body_segments(self) -> Iterator[bytes]:
        """Cut the body into its segments, the last size holding for the rest; one that is not cut is one part."""
        offset, sizes = (
            0,
            chain(self.segment_sizes, repeat(self.segment_sizes[-1] if self.segment_sizes else len(self.body))),
        )
        while offset < len(self.body):
            size = next(sizes)
            yield self.body[offset : offset + size]
            offset += size

    @property
    def framing_header(self) -> tuple[str, str]:
        """The header that says where the body ends."""
        return ("Transfer-Encoding", "chunked") if self.chunked else ("Content-Length", str(len(self.body)))

    def framed_body(self) -> bytes:
        """Return the body as it stands behind the head."""
        if not self.chunked:
            return self.body
        return b"".join(b"%x\r\n%s\r\n" % (len(segment), segment) for segment in self.body_segments()) + b"0\r\n\r\n"

    def __post_init__(self) -> None:
        if not _HTTP_TOKEN.fullmatch(self.method):
            raise UsageError(f"{self.method!r} is no HTTP method; write a token such as POST")
        for name, value in self.headers:
            if not _HTTP_TOKEN.fullmatch(name):
                raise UsageError(f"{name!r} is no name of an HTTP header; write letters, digits and hyphens")
            if not _HEADER_VALUE.fullmatch(value):  # it may be a credential, so it is not shown
                raise UsageError(f"the value of the header {name} has line breaks or characters outside Latin-1")
        if any(size < 1 for size in self.segment_sizes):
            raise UsageError(f"segments are of one byte or more, not {self.segment_sizes}")


class ParseError(NamedTuple):
    """One reason for which a parser in this process did not take a body."""

    message: str
    """One line, bounded: ``refused with KeyError: 'region'``."""
    cause: str
    """The same without the values of this very body: what the reasons of different bodies have in common."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST and what became of it. Times are seconds on the run's own clock."""

    outcome: Outcome
    intended_s: float
    """When it should have started."""
    started_s: float
    ended_s: float
    connected_s: float | None = None
    first_byte_s: float | None = None
    status: int | None = None
    """Set as soon as the head came, whatever became of the body."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """The answer's body up to the cap."""
    body_truncated: bool = False
    """The answer went on past the cap; the socket was closed there."""
    sent_bytes: int = 0
    """Handed to the connection, head and body; what the receiver took of it only the receiver knows."""
    received_bytes: int = 0
    request_sha256: str = ""
    detail: str = ""
    """One line on what went wrong; never holds credentials."""
    traceback: str = field(default="", repr=False)
    """Traceback of an app in this process that raised."""
    parse_errors: tuple[ParseError, ...] = ()
    """What a parser in this process has against the body; receivers give a status instead."""

    @property
    def duration_s(self) -> float:
        """Seconds from the start to the end of the attempt."""
        return self.ended_s - self.started_s

    @property
    def accepted(self) -> bool:
        """Whether the head said 2xx, whatever became of the body."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Delivery:
    """All pushes of one callback to one receiver."""

    attempts: tuple[Attempt, ...]

    @property
    def accepted(self) -> bool:
        """Whether the last attempt was acked."""
        return bool(self.attempts) and self.attempts[-1].outcome is Outcome.ACKED


class Transport(Protocol):
    """The one narrow port through which anything is sent."""

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once and say how it ended. Never raises for what the receiver does.

        ``deadline_s`` counts from the start of the attempt and covers everything; ``intended_s`` is when a schedule
        wanted it (the start, where nothing is given).
        """
        ...
