"""Argument and result of a handler: a request and its reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One complete request."""

    method: str
    path: str
    """Request target as sent, with the query."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order and number in which they were sent."""
    body: bytes
    """Body without chunk framing."""
    received_s: float
    """Time at which the last byte was read, on the server's clock."""
    head_decision: object = None
    """Result of ``HttpServer._on_request_head`` for this request."""

    def header(self, name: str) -> str:
        """Return the first header with this name (in lower case), or an empty string."""
        for key, value in self.headers:
            if key == name:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One response. The server adds ``Content-Length`` unless ``headers`` contain ``Transfer-Encoding: chunked``."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Handler: TypeAlias = Callable[[ReceivedRequest], Reply | Awaitable[Reply]]
