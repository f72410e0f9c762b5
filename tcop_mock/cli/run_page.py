"""The page of a run of check or load: it shows the events of the run, and is served while a browser shows it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.console import build_app, require_extra, target_setting
from tcop_mock.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from tcop_mock.cli.options import CommonOptions, ReachOptions
    from tcop_mock.console.app import ConsoleApp
    from tcop_mock.domain.load_summary import LoadEvent, LoadResult
    from tcop_mock.domain.target import Target
    from tcop_mock.domain.verdict import RunEvent
    from tcop_mock.reports.console import EventListener

_OPENING_S, _RELOAD_S, _POLL_S = 30.0, 3.0, 0.1
"""Seconds to serve the page after the run: until a browser opens it, and after the last browser has closed it."""


class RunPage:
    """A page that is served in a separate thread, and shows the run of this thread.

    Args:
        app: the page.
        loop: the event loop of the page.
    """

    def __init__(self, app: ConsoleApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app, self._loop = app, loop
        self._is_stopped = False

    def follow_check(self) -> None:
        """Show that a check begins."""
        self._loop.call_soon_threadsafe(self._app.check.follow, self._interrupt)

    def follow_load(self) -> None:
        """Show that a load begins."""
        self._loop.call_soon_threadsafe(self._app.storm.follow, self._interrupt)

    def beside_check(self, listen: EventListener) -> EventListener:
        """Return a listener that also shows each event of a check on the page."""

        def listen_both(event: RunEvent) -> None:
            listen(event)
            self._loop.call_soon_threadsafe(self._app.check.take, event)

        return listen_both

    def beside_load(self, listen: Callable[[LoadEvent], None]) -> Callable[[LoadEvent], None]:
        """Return a listener that also shows each event of a load on the page."""

        def listen_both(event: LoadEvent) -> None:
            listen(event)
            self._loop.call_soon_threadsafe(self._app.storm.take, event)

        return listen_both

    def finish_load(self, result: LoadResult) -> None:
        """Show the result of a load."""
        self._loop.call_soon_threadsafe(self._app.storm.finish, result)

    def wait(self, code: int, common: CommonOptions) -> None:
        """Wait until no browser shows the page, or until Ctrl-C; after a run that Ctrl-C ended, do not wait.

        Args:
            code: exit code of the run.
            common: whether to print that the page stays.
        """
        if code == INTERRUPTED and not self._is_stopped:
            return
        common.info(f"the page stays {_OPENING_S:g} s, and longer while a browser shows it; Ctrl-C ends")
        used_s = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):
            while time.monotonic() - used_s < (_RELOAD_S if self._app.was_opened else _OPENING_S):
                time.sleep(_POLL_S)
                used_s = time.monotonic() if self._app.is_open else used_s

    def _interrupt(self) -> None:
        """End the run as Ctrl-C does, for the button of the page."""
        self._is_stopped = True
        interrupt_main_thread()


def interrupt_main_thread() -> None:
    """Interrupt the run like Ctrl-C. A thread that waits for its event loop only wakes up for a signal to itself."""
    number, ident = signal.SIGINT, threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, number)
    else:  # Windows
        signal.raise_signal(number)


@contextlib.contextmanager
def run_page(target: Target, common: CommonOptions, *, reach: ReachOptions, view: str) -> Iterator[RunPage]:
    """Serve a page inside ``with``, and print its address to standard error.

    Args:
        target: the receiver; the page sends to it, unless it is an app or a parser in this process.
        common: common options.
        reach: options of the connections of the page.
        view: view that the address opens.

    Raises:
        UsageError: the extra is not installed, or a file or an address of ``reach`` cannot be used.
    """
    require_extra()
    from tcop_mock.console.server import bind  # noqa: PLC0415 - an extra

    with contextlib.closing(bind(0)) as listening:
        setting = target_setting(None if target.app else target, reach)
        app = build_app(listening, setting, common, reach)
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(_serve(app, listening, started)), name="page", daemon=True)
        thread.start()
        loop, stop = started.result()
        click.echo(f"page {app.session.address}#{view}", err=True)
        try:
            yield RunPage(app, loop)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


async def _serve(
    app: ConsoleApp, listening: socket.socket, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
) -> None:
    from tcop_mock.console.server import serving  # noqa: PLC0415 - an extra

    stop = asyncio.Event()
    async with serving(app.asgi(), listening):
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        await app.close()
