"""A sink that misbehaves on request, on the wire."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from dataclasses import replace
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tcop_mock.sink.faults import Fault, FaultPlan
from tcop_mock.sink.server import Received, Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from tcop_mock.sink.server import Handler

_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST in place of FIN
_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"Content-Length: \d+", re.IGNORECASE)
_LONG_BYTES = 120
"""A body that is dripped or cut is made so long with blanks, which JSON and text bear at their end."""
_CHUNK = b"400\r\n" + b" " * 0x400 + b"\r\n"
_CHUNK_GAP_S = 0.01
_MOST_CHUNKS = 60_000
_SILENT = {"reset-after-request": b"", "empty": b"", "garbage": b"\x15\x03\x03 this is no HTTP\r\n\r\n"}
"""Faults in place of which no answer comes, and the bytes that come."""
_COME_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class HungUpError(ConnectionError):
    """We have hung up: whoever serves the connection closes it."""


class FaultySink(Sink):
    """Answers as its handler says, but for what a plan makes go wrong.

    Args:
        handler: as for :class:`Sink`; not called for a request that is reset.
        plan: what goes wrong.
        tell: called for every request with what went wrong and what is answered (``None``: nothing), before it is.
        over: called for every request when its answer has been written, or we have hung up.
        options: of :class:`Sink`.
    """

    def __init__(
        self,
        handler: Handler,
        plan: FaultPlan,
        tell: Callable[[Received, Fault | None, Reply | None], None],
        over: Callable[[], None] = lambda: None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(handler, **options)
        self._plan, self._tell, self._over, self._sleep = plan, tell, over, sleep
        self._number = 0
        self._started_s = self._clock()

    def _decide(self, head: Received, writer: asyncio.StreamWriter) -> Fault | None:
        self._number += 1
        fault = self._plan.choose(self._number, head.received_s - self._started_s)
        if fault is not None and fault.name == "reset":
            self._tell(head, fault, None)
            self._over()
            raise _reset(writer)
        return fault

    async def _respond(self, received: Received, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter) -> None:
        fault = received.decided if isinstance(received.decided, Fault) else None
        reply = _instead(fault) if fault else None
        if reply is None:
            reply = await self._answer(received)
        silent = fault is not None and fault.name in _SILENT
        self._tell(received, fault, None if silent else reply)
        try:
            if fault is not None:
                await self._play(fault, reply, wired, writer)
                return
            async with asyncio.timeout(self._timeout_s):
                await self._write(writer, wired(reply))
        finally:
            self._over()

    async def _play(
        self, fault: Fault, reply: Reply, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter
    ) -> None:
        if fault.name in _SILENT:
            await self._write(writer, _SILENT[fault.name])
            raise _reset(writer) if fault.name == "reset-after-request" else HungUpError
        if fault.name in {"drip-body", "wrong-length"}:
            reply = replace(reply, body=reply.body.ljust(_LONG_BYTES))
        if fault.name == "endless-body":
            reply = replace(reply, headers=(*reply.headers, ("Transfer-Encoding", "chunked")))
        head, _, body = wired(reply).partition(_HEAD_END)
        parts = self._parts(fault, head + _HEAD_END, body)
        for part, pause_s in parts:
            await self._sleep(pause_s)
            await self._write(writer, part)
        if fault.name in {"endless-body", "wrong-length"}:
            raise HungUpError

    @staticmethod
    def _parts(fault: Fault, head: bytes, body: bytes) -> Iterator[tuple[bytes, float]]:
        """Yield what is written, and how long to wait before each part."""
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


def _instead(fault: Fault) -> Reply | None:
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


def _reset(writer: asyncio.StreamWriter) -> HungUpError:
    """Have the connection reset when it is closed, which the error that is returned does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    return HungUpError()
