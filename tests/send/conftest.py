"""A receiver that follows a script, and one attempt at it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from scripted_server import Peer, ScriptedServer

from tcop_mock.model.delivery import Attempt, Push
from tcop_mock.model.target import Target
from tcop_mock.send.http import HttpPost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PUSH = Push(b'{"a":1}')


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Peer], object]], ScriptedServer]]:
    """Start servers, each with its script; at the end every client must have left."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script))


@pytest.fixture
def post() -> Callable[..., Attempt]:
    """Push once to a URL. The deadline is beyond every test's duration unless the test is about it."""

    def send(url: str, push: Push = _PUSH, *, deadline_s: float = 25, **options: Any) -> Attempt:  # noqa: ANN401 - HttpPost's
        return asyncio.run(HttpPost(Target.parse(url), **options)(push, deadline_s=deadline_s))

    return send
