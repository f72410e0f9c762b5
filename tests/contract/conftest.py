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
    """Give the URL of a receiver that is open, on a loop of its own, for as long as the test runs."""
    with ExitStack() as stack:
        yield lambda opening: stack.enter_context(in_thread(opening))


@pytest.fixture(scope="session")
def process_url() -> Iterator[Callable[[str], str]]:
    """Give the URL of a receiver of ``PROCESSES`` by name; each is started once, when first asked for."""
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
