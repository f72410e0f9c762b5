"""A scripted receiver."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from scripted_server import Peer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Peer], object]], ScriptedServer]]:
    """Start scripted servers; at the end every client must have disconnected."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script))
