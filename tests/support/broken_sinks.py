"""Sinks that are broken on the wire, below what a handler can do."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.server.demo_receivers import careful
from tcop_mock.server.http_server import Received, Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    import h11

    from tcop_mock.server.http_server import Reply

_READ_BYTES = 65_536


class HoldsLastByte(Sink):
    """Answers at once but for the last byte, which comes ``hold_s`` seconds later."""

    def __init__(self, hold_s: float) -> None:
        super().__init__(careful)
        self._hold_s = hold_s

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        await super()._write(writer, answer[:-1])
        await asyncio.sleep(self._hold_s)
        await super()._write(writer, answer[-1:])


class AnswersWithoutEnd(Sink):
    """Answers 200 with a body that ends only when the client closes."""

    def __init__(self) -> None:
        super().__init__(careful)

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if not answer.startswith(b"HTTP/1.1 200 "):
            return await super()._write(writer, answer)
        await super()._write(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await super()._write(writer, b"400\r\n" + bytes(0x400) + b"\r\n")  # raises when the client has gone
            await asyncio.sleep(0)  # let the others have their turn


class ReadsOnce(Sink):
    """Reads from the socket once and takes what came for the whole request."""

    def __init__(self) -> None:
        super().__init__(careful)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        once = asyncio.StreamReader()
        once.feed_data(await reader.read(_READ_BYTES))
        once.feed_eof()
        await super()._serve(once, writer)


class DecodesEachChunk(Sink):
    """Decodes what each read of the socket gives by itself, so that a character that is cut breaks it."""

    def __init__(self) -> None:
        super().__init__(careful)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = asyncio.StreamReader()

        async def relay() -> None:
            while data := await reader.read(_READ_BYTES):
                whole.feed_data(data.decode("utf-8", "replace").encode())
            whole.feed_eof()

        relaying = asyncio.create_task(relay())
        try:
            await super()._serve(whole, writer)
        finally:
            relaying.cancel()
            await asyncio.wait([relaying])


class OneClientAtATime(Sink):
    """Serves a connection to its end before it looks at the next."""

    def __init__(self) -> None:
        super().__init__(careful)
        self._turn = asyncio.Lock()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._turn:
            await super()._serve(reader, writer)


class ExitsOnMalformed(Sink):
    """Answers its first malformed body with 400 and listens no more, as a process that has died."""

    def __init__(self) -> None:
        super().__init__(careful)

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        if reply.status == 400 and self._server is not None:
            self._server.close()
        return reply


class LeavesTheRest(Sink):
    """Refuses without reading the body to its end, so that the next request on the connection begins with its rest."""

    def __init__(self) -> None:
        super().__init__(careful)
        self._with_a_rest: set[asyncio.StreamWriter] = set()

    async def _respond(self, received: Received, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter) -> None:
        def told(reply: Reply) -> bytes:
            if reply.status == 400:
                self._with_a_rest.add(writer)
            return wired(reply)

        await super()._respond(received, told, writer)

    async def _receive(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Received | None:
        received = await super()._receive(http, reader, writer)
        if received is not None and writer in self._with_a_rest:
            self._with_a_rest.discard(writer)
            return replace(received, body=b"rest" + received.body)
        return received


class TakesWhatComes(Sink):
    """Takes what it has read for the whole body when the client says no more."""

    def __init__(self) -> None:
        super().__init__(careful)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = b""
            while len(body) < int(length[1] if length else 0) and (data := await reader.read(_READ_BYTES)):
                body += data
            method, path, _ = head.split(" ", 2)
            reply = careful(Received(method, path, (), body, 0.0))
            start = f"HTTP/1.1 {reply.status} -\r\nContent-Length: {len(reply.body)}\r\nConnection: close\r\n\r\n"
            await self._write(writer, start.encode() + reply.body)
        writer.close()
