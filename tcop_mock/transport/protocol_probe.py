"""Probes of a port that does not answer a callback with HTTP: they find out its protocol.

The probes contain neither credentials nor a callback, so the replies can be shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.transport.connect import connect_streams
from tcop_mock.transport.outcomes import NO_HTTP_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.target import Target

_TIMEOUT_S = 1.0
_REST_TIMEOUT_S = 0.2
"""Seconds to wait for further bytes after the first."""
_MAX_BYTES = 4096
_SHOWN_BYTES, _SHOWN_BINARY_BYTES = 24, 9
_SPACE, _DELETE = 0x20, 0x7F
_HTTP_PREFIX = b"HTTP/"
_HTTPS_ADVICE, _HTTP_ADVICE, _PORT_ADVICE = "write https://", "write http://", "is the port right?"
_NO_HTTP_OUTCOMES = frozenset({Outcome.BAD_ANSWER, Outcome.RESET_BEFORE_ANSWER, Outcome.TLS})
_TLS_COMPLAINT_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UPGRADE_REQUIRED, 497})
"""Statuses of servers that get HTTP where they expect TLS; 497 is nginx's own."""
_TLS_COMPLAINT = re.compile(
    rb"(?:plain|http request|speaking|requires?|use).{0,80}(?:https|tls|ssl)", re.IGNORECASE | re.DOTALL
)
"""Texts of Go, nginx, Apache and Tomcat."""
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""An alert and a handshake (RFC 8446, 5.1)."""
_GREETINGS = {
    b"SSH-": "SSH",
    b"220": "SMTP or FTP",
    b"-ERR": "Redis",
    b"+OK": "POP3",
    b"* OK": "IMAP",
    b"RFB ": "VNC",
    b"AMQP": "AMQP",
}
_FRAME_HEADER = re.compile(rb"\x00..[\x04\x07].\x00\x00\x00\x00", re.DOTALL)
"""A frame SETTINGS or GOAWAY of the connection (RFC 9113, 4.1)."""


async def identify_protocol(target: Target, attempt: Attempt, resolve: Callable[..., Any] = socket.getaddrinfo) -> str:
    """Return why a target is not an HTTP receiver, with the likely cause; empty if it is one or the cause is unknown.

    Args:
        target: a target with a network address.
        attempt: the attempt to send a callback to it.
        resolve: function that resolves a host name; may block.
    """
    if attempt.status is not None:
        return _describe_complaint(target, attempt)
    hangs_in_handshake = (
        target.scheme == "https" and attempt.outcome is Outcome.TIMED_OUT and attempt.connected_s is None
    )
    if attempt.outcome not in _NO_HTTP_OUTCOMES and not hangs_in_handshake:
        return ""
    request = f"OPTIONS * HTTP/1.1\r\nHost: {target.authority}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    response = await _exchange(target, request.encode("latin-1", "replace"), resolve)
    hello_response = (
        None if response or target.scheme == "https" else await _exchange(target, _client_hello(target.host), resolve)
    )
    return _describe(target, attempt, response, hello_response)


def _describe(target: Target, attempt: Attempt, response: bytes | None, hello_response: bytes | None) -> str:
    """Return the protocol of a port by its replies to a request and to the first bytes of a TLS client."""
    if response is None:
        return ""
    if target.scheme == "https":
        return _describe_behind_https(response, attempt)
    return _describe_response(response) if response else _describe_silence(hello_response or b"", attempt)


def _describe_response(response: bytes) -> str:
    """Return the description of a port's reply to a request without TLS; empty if it replies as an HTTP server."""
    if not response.startswith(_HTTP_PREFIX):
        return describe_greeting(response)
    return f"it speaks TLS ({_show(response)}): {_HTTPS_ADVICE}" if _TLS_COMPLAINT.search(response) else ""


def _describe_silence(response: bytes, attempt: Attempt) -> str:
    """Return why a port closes the connection: a TLS server closes it without a word, too."""
    if response.startswith(TLS_RECORDS):
        return f"it speaks TLS ({_show(response)}): {_HTTPS_ADVICE}"
    if attempt.outcome is Outcome.RESET_BEFORE_ANSWER:
        return "it closes each connection without an answer: is it an HTTP server?"
    return ""


def describe_greeting(data: bytes) -> str:
    """Return which protocol has such first bytes, and what to do."""
    if data.startswith(TLS_RECORDS):
        return f"it speaks TLS ({_show(data)}): {_HTTPS_ADVICE}"
    if _FRAME_HEADER.match(data):
        return f"it speaks HTTP/2 ({_show(data)}), and callbacks are sent over HTTP/1.1: {_PORT_ADVICE}"
    name = next((name for prefix, name in _GREETINGS.items() if data.startswith(prefix)), "")
    return f"it speaks {name or 'another protocol'} ({_show(data)}): {_PORT_ADVICE}"


def _describe_complaint(target: Target, attempt: Attempt) -> str:
    is_complaint = attempt.status in _TLS_COMPLAINT_STATUSES and _TLS_COMPLAINT.search(attempt.body)
    if target.scheme == "http" and is_complaint:
        return f"it answers {attempt.status} because it speaks TLS: {_HTTPS_ADVICE}"
    return ""


def _describe_behind_https(response: bytes, attempt: Attempt) -> str:
    """Return the description of a port's reply without TLS, for a port that should use TLS."""
    if response.startswith(_HTTP_PREFIX) and not _TLS_COMPLAINT.search(response):
        return f"it speaks HTTP without TLS ({_show(response)}): {_HTTP_ADVICE}"
    if response and not response.startswith((_HTTP_PREFIX, *TLS_RECORDS)):
        return describe_greeting(response)
    return f"{attempt.detail}; {_PORT_ADVICE}" if attempt.detail == NO_HTTP_ANSWER else ""


async def _exchange(target: Target, data: bytes, resolve: Callable[..., Any]) -> bytes | None:
    """Return the reply of a port to some bytes without TLS; ``None`` if there is no connection."""
    received = b""
    try:
        async with asyncio.timeout(_TIMEOUT_S) as limit:
            connection = await connect_streams(target, None, resolve)
            try:
                connection.writer.write(data)
                while len(received) < _MAX_BYTES and (chunk := await connection.reader.read(_MAX_BYTES)):
                    received += chunk
                    limit.reschedule(asyncio.get_running_loop().time() + _REST_TIMEOUT_S)
            finally:
                connection.writer.transport.abort()
    except TimeoutError:
        return received
    except ConnectionRefusedError:
        return None
    except OSError:  # a reset, perhaps after an answer
        return received
    return received


def _client_hello(host: str) -> bytes:
    """Return the first bytes of a TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host.partition("%")[0].rstrip("."))
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def _show(data: bytes) -> str:
    """Return the first bytes as one line of printable characters."""
    first_line = data.partition(b"\r\n")[0]
    is_text = all(_SPACE <= byte < _DELETE for byte in first_line)
    return f"first bytes {first_line[: _SHOWN_BYTES if is_text else _SHOWN_BINARY_BYTES]!r}"
