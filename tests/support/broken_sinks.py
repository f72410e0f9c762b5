"""Sinks that are broken on the wire, below what a handler can do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tcop_mock.sink.demo import careful
from tcop_mock.sink.server import Sink

if TYPE_CHECKING:
    from tcop_mock.sink.server import Received, Reply

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
