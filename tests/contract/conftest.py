"""Receivers for the tests of the contract."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import PROCESSES, run_process
from receiver_factories import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receiver_factories import ReceiverFactory


@pytest.fixture
def opened() -> Iterator[Callable[[ReceiverFactory], str]]:
    """Return a function that runs a receiver on its own event loop during the test and returns its URL."""
    with ExitStack() as stack:
        yield lambda opening: stack.enter_context(in_thread(opening))


@pytest.fixture(scope="session")
def process_url() -> Iterator[Callable[[str], str]]:
    """Yield a function that returns the URL of a receiver of ``PROCESSES``; each is started once, on first use."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:

        def url(name: str) -> str:
            if name not in urls:
                urls[name] = stack.enter_context(run_process(PROCESSES[name]))
            return urls[name]

        yield url


@pytest.fixture
def closed_port() -> int:
    """Return a port on which nothing listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
