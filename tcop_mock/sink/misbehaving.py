"""What a fault makes of an answer: which bytes come, when, and how the connection ends. Sockets are others' work."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import replace
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING

from tcop_mock.sink.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcop_mock.sink.faults import Fault

NO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""With this option of a socket closing it sends RST in place of FIN."""
SILENT = {"reset-after-request": b"", "empty": b"", "garbage": b"\x15\x03\x03 this is no HTTP\r\n\r\n"}
"""Faults in place of which no answer comes, and the bytes that come."""
RESETS = frozenset({"reset", "reset-after-request"})
"""Faults that end in RST."""
HANGS_UP = frozenset({"empty", "garbage", "endless-body", "wrong-length"})
"""Faults behind which the connection is closed, whatever was said of it."""
_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"Content-Length: \d+", re.IGNORECASE)
_LONG_BYTES = 120
"""A body that is dripped or cut is made so long with blanks, which JSON and text bear at their end."""
_CHUNK = b"400\r\n" + b" " * 0x400 + b"\r\n"
_CHUNK_GAP_S = 0.01
_MOST_CHUNKS = 60_000
_COME_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def instead(fault: Fault) -> Reply | None:
    """Return the reply that a fault gives in place of the handler's."""
    if fault.name == "status":
        status = int(fault.arg)
        again = (("Retry-After", "1"),) if status in _COME_AGAIN else ()
        return Reply(status, b"" if status == HTTPStatus.NO_CONTENT else b"as asked for by --fault\n", again)
    if fault.name == "redirect":
        return Reply(HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", str(fault.arg)),))
    if fault.name == "401":
        return Reply(HTTPStatus.UNAUTHORIZED, headers=(("WWW-Authenticate", 'Basic realm="alarms"'),))
    return None


def played(fault: Fault, reply: Reply, wired: Callable[[Reply], bytes]) -> Iterator[tuple[bytes, float]]:
    """Yield what is written, and how long to wait before each part.

    Args:
        fault: what goes wrong.
        reply: what would be answered.
        wired: gives a reply's bytes; once.
    """
    if fault.name in SILENT:
        yield SILENT[fault.name], 0.0
        return
    if fault.name in {"drip-body", "wrong-length"}:
        reply = replace(reply, body=reply.body.ljust(_LONG_BYTES))
    if fault.name == "endless-body":
        reply = replace(reply, headers=(*reply.headers, ("Transfer-Encoding", "chunked")))
    head, _, body = wired(reply).partition(_HEAD_END)
    yield from _parts(fault, head + _HEAD_END, body)


def _parts(fault: Fault, head: bytes, body: bytes) -> Iterator[tuple[bytes, float]]:
    number = fault.arg if isinstance(fault.arg, float) else 0.0
    line, _, rest = head.partition(_LINE_END)
    parts: dict[str, Iterable[tuple[bytes, float]]] = {
        "delay": [(head + body, number)],
        "delay-headers": [(line + _LINE_END, 0.0), (rest + body, number)],
        "drip-headers": chain(((bytes((byte,)), number) for byte in head), [(body, 0.0)]),
        "drip-body": chain([(head, 0.0)], ((bytes((byte,)), number) for byte in body)),
        "endless-body": chain([(head, 0.0)], repeat((_CHUNK, _CHUNK_GAP_S), _MOST_CHUNKS)),
        "wrong-length": [(_LENGTH.sub(b"Content-Length: %d" % max(0, len(body) + int(number)), head) + body, 0.0)],
    }
    yield from parts.get(fault.name, [(head + body, 0.0)])
