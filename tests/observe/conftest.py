"""What observers meet."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest


@pytest.fixture
def closed_port() -> int:
    """Give a port at which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
