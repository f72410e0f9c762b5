"""``tcop_run``: receivers in their own processes for a test session; their calls to other machines are caught."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from tcop_mock.contract.managed_receiver import receiver_to_run
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.process.receiver_process import DEFAULT_READY_S
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.testing.usage_errors import target_errors_as_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.contract.managed_receiver import ManagedReceiver
    from tcop_mock.domain.target import Target


_started: dict[tuple[str, int], ManagedReceiver] = {}
"""The receivers that run, by host and port."""


def started_receiver(target: Target) -> ManagedReceiver | None:
    """Return the receiver at a target, if ``tcop_run`` has started it."""
    return None if target.app else _started.get((target.host, target.port))


class ReceiverStarter:
    """Starts receivers; all end with the session.

    Args:
        stack: ends the receivers.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.observer = DownstreamRecorder()
        """Messages of the receivers to caught hosts; return it from ``tcop_observer``."""

    def __call__(
        self, command: str, path: str = "/", *, wait_s: float = DEFAULT_READY_S, catch_hosts: Iterable[str] = ()
    ) -> str:
        """Start a receiver and return its URL, for ``tcop_target``.

        Args:
            command: the command, without a shell; it listens at ``{port}`` in it, or at ``PORT`` in its environment.
            path: the path of its webhook, with ``USER:PASSWORD@`` before it if the receiver requires credentials.
            wait_s: how long it may take to listen.
            catch_hosts: further hosts to answer for, ``HOST=KIND``.
        """
        __tracebackhide__ = True
        with target_errors_as_failures():
            hosts = CaughtHosts.parse(catch_hosts)
            target, managed = receiver_to_run(command, path, hosts, wait_s=wait_s, source="tcop_run")
            managed.configure(ObservationConfig(downstream=self.observer))
            self._stack.enter_context(_running(managed))
            _started[target.host, target.port] = managed
            self._stack.callback(_started.pop, (target.host, target.port))
        if target.credentials is None:
            return target.url
        pair = (target.credentials.user.reveal(), target.credentials.password.reveal())
        return target.url.replace("://", f"://{':'.join(quote(part, safe='') for part in pair)}@", 1)


@contextmanager
def receiver_starter() -> Iterator[ReceiverStarter]:
    """Yield a starter, and end its receivers afterwards."""
    with ExitStack() as stack:
        yield ReceiverStarter(stack)


@contextmanager
def _running(managed: ManagedReceiver) -> Iterator[None]:
    """Run a receiver and its proxy on an event loop of their own."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def hold() -> None:
        stop = asyncio.Event()
        async with managed.running():
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(hold())
        except BaseException as problem:
            managed.process.stop()  # whatever it was, nothing is left
            if started.done():
                raise
            started.set_exception(problem)  # raised again in the thread of the test

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        loop, stop = started.result()
    except BaseException:  # also Ctrl-C while it waits
        managed.process.stop()
        raise
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)
        thread.join()
