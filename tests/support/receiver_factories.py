"""Receiver factories: a ``ReceiverFactory`` returns a context manager that yields the receiver's target URL."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.server.http_server import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tcop_mock.server.messages import Handler

ReceiverFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[str]]
CREDENTIALS = Credentials(Secret("alarms@example"), Secret("pä:ss/w%rd-7Kq2"))
"""Credentials of receivers with authentication: they need percent-encoding, and the password contains a colon."""
_STOP_S = 5.0


def server_factory(
    make_handler: Callable[[], Handler | HttpServer], credentials: Credentials | None = None, path: str = ""
) -> ReceiverFactory:
    """Return a factory that serves a new handler of ``make_handler`` each time.

    With ``credentials`` the URL contains them as userinfo, as a customer types it into the console.
    """

    @contextlib.asynccontextmanager
    async def open_receiver() -> AsyncIterator[str]:
        handler = make_handler()
        async with handler if isinstance(handler, HttpServer) else HttpServer(handler) as server:
            yield with_userinfo(server.url + path, credentials)

    return open_receiver


def with_userinfo(url: str, credentials: Credentials | None) -> str:
    """Return the URL with percent-encoded userinfo, or unchanged without credentials."""
    if credentials is None:
        return url
    user, password = (quote(part.reveal(), safe="") for part in (credentials.user, credentials.password))
    return url.replace("://", f"://{user}:{password}@", 1)


@contextlib.contextmanager
def in_thread(factory: ReceiverFactory) -> Iterator[str]:
    """Run a receiver on an event loop in a separate thread, for synchronous tests."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with factory() as url:
            started.set_result((url, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as problem:
            if started.done():
                raise
            started.set_exception(problem)

    thread = threading.Thread(target=run, name="receiver", daemon=True)
    thread.start()
    url, loop, stop = started.result(_STOP_S)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_S)
        assert not thread.is_alive(), "the receiver did not stop"
