"""The receiver of ``benchmarks/load.py``: reads a request by its length, answers at once, and does nothing else.

usage: python benchmarks/peers/load_sink.py   (prints its URL)
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from typing import cast

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
"""ab asks by HTTP/1.0, and wants to be told that the connection is kept."""
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
BUFFER = bytearray(262_144)


class Answering(asyncio.BufferedProtocol):
    """One connection. A head always comes whole here, its body perhaps in pieces."""

    transport: asyncio.WriteTransport
    missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self.transport = cast("asyncio.WriteTransport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return the buffer that all share."""
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Answer when the body has come."""
        if not self.missing:
            end = BUFFER.find(b"\r\n\r\n", 0, nbytes) + 4
            length = LENGTH.search(BUFFER, 0, end)
            self.missing = end + (int(length[1]) if length else 0)
        self.missing -= nbytes
        if not self.missing:
            self.transport.write(ANSWER)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if importlib.util.find_spec("uvloop"):
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
