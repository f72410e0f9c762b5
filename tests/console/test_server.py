"""The server of the page: hostile input at its port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console_page import new_app

from tcop_mock.console.access import Session
from tcop_mock.console.server import bind, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


async def _answers(requests: Sequence[bytes]) -> list[bytes]:
    """Send bytes to a page, each on a connection of its own, and return the status lines."""
    app = new_app()
    listening = bind(0)
    port = listening.getsockname()[1]
    app.session = Session(port)
    answers = []
    async with serving(app.asgi(), listening):
        for request in requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.replace(b"PORT", b"%d" % port))
            answers.append((await reader.readline()).strip())
            writer.transport.abort()
        await app.close()
    return answers


def test_strangers_get_refusals_and_print_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """No request, two hosts, an endless head and a WebSocket are refused, without a line in the terminal."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    requests = [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000,
        b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n" + upgrade + b"\r\n",
        b"GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ]
    statuses = [line.split(b" ")[1] for line in asyncio.run(_answers(requests))]
    assert statuses == [b"400", b"400", b"400", b"403", b"421"]
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
