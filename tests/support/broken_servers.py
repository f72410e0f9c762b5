"""HTTP servers with bugs below the level of a handler."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from receiver_factories import CREDENTIALS

from tcop_mock.server.demo_receivers import correct_receiver, with_basic_auth
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import h11

    from tcop_mock.server.http_server import ByteReader, ByteWriter

_READ_BYTES = 65_536


class BrokenServer(HttpServer):
    """A server all of whose connections are served by the methods that its subclasses change."""

    reads_plain_requests = False


class HoldsLastByte(BrokenServer):
    """Responds at once, except for the last byte, which follows ``delay_s`` seconds later."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(correct_receiver)
        self._delay_s = delay_s

    async def _write(self, writer: ByteWriter, data: bytes) -> None:
        await super()._write(writer, data[:-1])
        await asyncio.sleep(self._delay_s)
        await super()._write(writer, data[-1:])


class AnswersWithoutEnd(BrokenServer):
    """Responds 200 with a body that ends only when the client closes."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _write(self, writer: ByteWriter, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200 "):
            return await super()._write(writer, data)
        await super()._write(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await super()._write(writer, b"400\r\n" + bytes(0x400) + b"\r\n")  # raises when the client has disconnected
            await asyncio.sleep(0)  # yield to other tasks


class ReadsOnce(BrokenServer):
    """Reads from the socket once and treats the data as the whole request."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        once = asyncio.StreamReader()
        once.feed_data(await reader.read(_READ_BYTES))
        once.feed_eof()
        await super()._serve(once, writer)


class DecodesEachChunk(BrokenServer):
    """Decodes each read of the socket separately, so that a split character breaks it."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relayed(super()._serve, lambda data: data.decode("utf-8", "replace").encode(), reader, writer)


async def _relayed(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    change: Callable[[bytes], bytes],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Serve a connection with each read of the socket changed."""
    changed = asyncio.StreamReader()

    async def relay() -> None:
        while data := await reader.read(_READ_BYTES):
            changed.feed_data(change(data))
        changed.feed_eof()

    relay_task = asyncio.create_task(relay())
    try:
        await serve(changed, writer)
    finally:
        relay_task.cancel()
        await asyncio.wait([relay_task])


class OneClientAtATime(BrokenServer):
    """Serves one connection to its end before the next."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)
        self._lock = asyncio.Lock()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._lock:
            await super()._serve(reader, writer)


class ExitsOnMalformed(BrokenServer):
    """Responds to its first malformed body with 400 and then stops listening, like a dead process."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _handle(self, request: ReceivedRequest, result: Reply | Awaitable[Reply] | None = None) -> Reply:
        reply = await super()._handle(request, result)
        if reply.status == 400 and self._server is not None:
            self._server.close()
        return reply


class LeavesTheRest(BrokenServer):
    """Rejects without reading the whole body, so that the next request on the connection starts with the rest."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)
        self._unread: set[ByteWriter] = set()

    async def _respond(self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: ByteWriter) -> None:
        def mark_and_serialize(reply: Reply) -> bytes:
            if reply.status == 400:
                self._unread.add(writer)
            return serialize(reply)

        await super()._respond(request, mark_and_serialize, writer)

    async def _receive(self, http: h11.Connection, reader: ByteReader, writer: ByteWriter) -> ReceivedRequest | None:
        received = await super()._receive(http, reader, writer)
        if received is not None and writer in self._unread:
            self._unread.discard(writer)
            return replace(received, body=b"rest" + received.body)
        return received


class TrustsTheConnection(BrokenServer):
    """Checks the credentials of the first request of a connection, and of later ones until they are right once."""

    def __init__(self) -> None:
        super().__init__(with_basic_auth(correct_receiver, CREDENTIALS))
        self._trusted: set[ByteWriter] = set()

    async def _receive(self, http: h11.Connection, reader: ByteReader, writer: ByteWriter) -> ReceivedRequest | None:
        received = await super()._receive(http, reader, writer)
        header = f"Basic {CREDENTIALS.token().reveal()}"
        if received is not None and received.header("authorization") == header:
            self._trusted.add(writer)
        if received is None or writer not in self._trusted:
            return received
        return replace(received, headers=(*received.headers, ("authorization", header)))


class CountsCharacters(BrokenServer):
    """Responds with the policy's name, and announces as many bytes as the text has characters."""

    def __init__(self) -> None:
        super().__init__(with_named_policy)

    async def _write(self, writer: ByteWriter, data: bytes) -> None:
        head, separator, body = data.partition(b"\r\n\r\n")
        announced = len(body.decode("utf-8", "replace"))
        head = re.sub(rb"(?i)(content-length: )\d+", lambda match: match[1] + b"%d" % announced, head)
        await super()._write(writer, head + separator + body)


def with_named_policy(request: ReceivedRequest) -> Reply:
    """Return the reply of the correct receiver, with the name of the policy behind its text."""
    reply = correct_receiver(request)
    if reply.status != HTTPStatus.OK:
        return reply
    policy = json.loads(request.body.removeprefix(codecs.BOM_UTF8)).get("alarmPolicyInfo") or {}
    receipt = json.loads(reply.body) | {"policy": policy.get("policyName")}
    return replace(reply, body=json.dumps(receipt, ensure_ascii=False).encode("utf-8", "replace"))


class SendsMoreThanItAnnounces(BrokenServer):
    """Sends bytes behind the end of each response."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _write(self, writer: ByteWriter, data: bytes) -> None:
        await super()._write(writer, data + "…".encode()[1:])


class ChangesLaterReplies(BrokenServer):
    """Changes the replies of a connection after its first one.

    Args:
        change: returns another body; called with the first body of the connection and the usual one.
    """

    def __init__(self, change: Callable[[bytes, bytes], bytes]) -> None:
        super().__init__(correct_receiver)
        self._change = change
        self._first_bodies: dict[ByteWriter, bytes] = {}

    async def _respond(self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: ByteWriter) -> None:
        def change_and_serialize(reply: Reply) -> bytes:
            if writer in self._first_bodies and reply.status == 200:
                reply = replace(reply, body=self._change(self._first_bodies[writer], reply.body))
            self._first_bodies.setdefault(writer, reply.body)
            return serialize(reply)

        await super()._respond(request, change_and_serialize, writer)


class ReadsNamesInOneCase(BrokenServer):
    """Finds the length of a body only under the name ``Content-Length``, written like this."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relayed(
            super()._serve, lambda data: data.replace(b"\r\ncontent-length:", b"\r\nx-length:"), reader, writer
        )


class TakesWhatComes(BrokenServer):
    """Treats the bytes read as the whole body when the client stops sending."""

    def __init__(self) -> None:
        super().__init__(correct_receiver)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = b""
            while len(body) < int(length[1] if length else 0) and (data := await reader.read(_READ_BYTES)):
                body += data
            method, path, _ = head.split(" ", 2)
            reply = correct_receiver(ReceivedRequest(method, path, (), body, 0.0))
            start = f"HTTP/1.1 {reply.status} -\r\nContent-Length: {len(reply.body)}\r\nConnection: close\r\n\r\n"
            await self._write(writer, start.encode() + reply.body)
        writer.close()
