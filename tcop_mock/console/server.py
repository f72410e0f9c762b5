"""The server of the page: uvicorn on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from typing import Any

_HOST = "127.0.0.1"
_MAX_CONNECTIONS = 64
_MAX_HEAD_BYTES = 16_384
_GRACE_S = 1


class _Server(uvicorn.Server):
    """A server that leaves signals to the command."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and print the address."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signal: the command does."""
        yield


def bind(port: int) -> socket.socket:
    """Return a socket that is bound to a loopback port; 0 takes a free one.

    Raises:
        UsageError: the port is in use.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_HOST, port))
    except OSError as problem:
        listening.close()
        raise UsageError(f"cannot listen on {_HOST}:{port}: {problem.strerror}; port 0 chooses a free one") from None
    return listening


@contextlib.asynccontextmanager
async def serving(app: Callable[..., Any], listening: socket.socket) -> AsyncGenerator[None]:
    """Serve an app on a socket inside ``async with``."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # requests of other programs to the port are not printed
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        await task
