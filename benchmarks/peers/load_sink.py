"""The receiver of ``benchmarks/load.py``: reads each request by its length and answers at once.

usage: python benchmarks/peers/load_sink.py   (prints its URL)
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from typing import cast

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
"""With ``Connection: keep-alive``, because ab sends HTTP/1.0."""
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
BUFFER = bytearray(262_144)


class AckProtocol(asyncio.BufferedProtocol):
    """One connection. A head arrives in one piece here; its body may arrive in several."""

    transport: asyncio.WriteTransport
    remaining_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self.transport = cast("asyncio.WriteTransport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return the buffer that all connections share."""
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Answer when the body is complete."""
        if not self.remaining_bytes:
            end = BUFFER.find(b"\r\n\r\n", 0, nbytes) + 4
            length = LENGTH.search(BUFFER, 0, end)
            self.remaining_bytes = end + (int(length[1]) if length else 0)
        self.remaining_bytes -= nbytes
        if not self.remaining_bytes:
            self.transport.write(ANSWER)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(AckProtocol, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if importlib.util.find_spec("uvloop"):
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
