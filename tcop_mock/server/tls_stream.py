"""The server side of TLS inside a connection whose first bytes have been read already."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.server.http_server import ByteReader, ByteWriter

_T = TypeVar("_T")
_READ_BYTES = 65_536


class TlsStream:
    """Reads and writes through TLS, in place of the streams of a connection.

    Args:
        reader: what the client sends, encrypted.
        writer: what it gets, encrypted.
        context: certificate and settings of the server.
        received: what has been read of the connection already.
    """

    def __init__(self, reader: ByteReader, writer: ByteWriter, context: ssl.SSLContext, received: bytes = b"") -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(received)

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: the client refuses the certificate, or speaks no TLS.
            OSError: the client is gone.
        """
        await self._until_done(self._tls.do_handshake)

    async def read(self, n: int = _READ_BYTES, /) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
        try:
            return await self._until_done(lambda: self._tls.read(n))
        except ssl.SSLError:  # also where the client ends the connection without a word
            return b""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""
        self._tls.write(data)
        self._writer.write(self._outgoing.read())

    async def drain(self) -> None:
        """Wait until they are sent."""
        await self._writer.drain()

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return what is known of the connection."""
        return self._writer.get_extra_info(name, default)

    async def _until_done(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                await self._flush()  # the alert says why
                raise
            else:
                await self._flush()
                return result
            data = await self._reader.read(_READ_BYTES)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()
