"""The calls of an app in this process to other machines, answered by our stubs as those of a receiver of ``--run``."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Self

from tcop_mock.server.catching_proxy import CatchingProxy
from tcop_mock.server.caught_connections import CaughtConnections
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.server.certificates import CertificateAuthority
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import TracebackType

    from tcop_mock.server.catching_proxy import CallLog


class AppCalls:
    """Catches the calls of this process inside a ``with`` block.

    Args:
        hosts: which hosts are caught; the default: those that are known.
        recorder: records the messages to these hosts.
        exempt: hosts that are left alone.
    """

    def __init__(
        self,
        hosts: CaughtHosts | None = None,
        recorder: DownstreamRecorder | None = None,
        exempt: Collection[str] = (),
    ) -> None:
        self._hosts, self._exempt = hosts or CaughtHosts(), exempt
        self.recorder = recorder or DownstreamRecorder()
        authority = CertificateAuthority.create()
        self.catches_tls = authority is not None
        """Whether calls with TLS are answered, too."""
        self._proxy = CatchingProxy(self.recorder.answer, self._hosts, authority)
        self._stack = ExitStack()

    @property
    def log(self) -> CallLog:
        """The calls that were not answered."""
        return self._proxy.log

    def __enter__(self) -> Self:
        """Catch calls from now on.

        Raises:
            UsageError: the calls of this process are caught already.
        """
        with ExitStack() as stack:
            port = stack.enter_context(_serving(self._proxy))
            stack.enter_context(CaughtConnections(port, self._hosts, self._exempt).active())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


@contextmanager
def _serving(proxy: CatchingProxy) -> Iterator[int]:
    """Run a proxy in a thread of its own, because the app may call while it blocks ours; give its port."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with proxy:
            started.set_result((asyncio.get_running_loop(), stop, proxy.port))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as problem:
            if started.done():
                raise
            started.set_exception(problem)  # raised again in the caller's thread

    def stop_serving(_: object) -> None:
        if started.exception() is None:
            loop, stop, _port = started.result()
            with suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(stop.set)

    thread = threading.Thread(target=run, name="tcop-mock-proxy", daemon=True)
    thread.start()
    try:
        yield started.result()[2]
    finally:  # also after Ctrl-C while it starts
        started.add_done_callback(stop_serving)
        thread.join()
