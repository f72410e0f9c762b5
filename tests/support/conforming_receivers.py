"""Receivers that keep the contract in different ways: no must clause may fail for any of them.

``PROCESSES`` run in a separate process, like a user's receiver: ``with run_process(PROCESSES[name]) as url``.
``SERVERS`` differ in their responses: ``async with SERVERS[name]() as url``, or ``in_thread(SERVERS[name])``.
"""

from __future__ import annotations

import contextlib
import html
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from correct_receiver_variants import html_reply, slow, with_changed_reply
from receiver_factories import CREDENTIALS, server_factory

from tcop_mock.server.demo_receivers import correct_receiver, with_basic_auth
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receiver_factories import ReceiverFactory

    from tcop_mock.server.messages import Handler

EXAMPLES = Path(__file__).parents[2] / "examples" / "receivers"
_START_S = 60.0
_THREADED = """
import runpy, sys
from http.server import ThreadingHTTPServer
with ThreadingHTTPServer(("127.0.0.1", 0), runpy.run_path(sys.argv[1])["Receiver"]) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
"""

PROCESSES: dict[str, list[str]] = {
    "http-server": [str(EXAMPLES / "stdlib_receiver.py"), "0"],
    "http-server-threading": ["-c", _THREADED, str(EXAMPLES / "stdlib_receiver.py")],
    "flask": [str(EXAMPLES / "flask_receiver.py"), "0"],
    "fastapi": [str(EXAMPLES / "fastapi_receiver.py"), "0"],
    "aiohttp": [str(EXAMPLES / "aiohttp_receiver.py"), "0"],
    "django": [str(EXAMPLES / "django_receiver.py"), "0"],
    "node-http": ["node", str(EXAMPLES / "node_receiver.js"), "0"],
}
"""Arguments of Python, or of node; the process prints its URL first.

``http-server`` serves one client at a time, so it fails TCM407 (should).
"""


@contextlib.contextmanager
def run_process(arguments: list[str]) -> Iterator[str]:
    """Run a receiver in a separate process, yield its URL, and stop it afterwards."""
    command = [sys.executable, "-u", *arguments]
    if arguments[0] == "node":
        if shutil.which("node") is None:
            pytest.skip("needs node, which is not installed")
        command = arguments
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,  # noqa: S603 - ours
        contextlib.ExitStack() as stack,
    ):
        assert process.stdout is not None
        stack.callback(process.kill)
        watchdog = threading.Timer(_START_S, process.kill)
        watchdog.start()
        url = process.stdout.readline().strip()
        watchdog.cancel()
        assert url.startswith("http://"), f"{arguments[0]} did not start"
        drain = threading.Thread(target=process.stdout.read)  # it would block on a full pipe
        drain.start()
        stack.callback(drain.join)
        stack.callback(process.kill)
        yield url


def answering_ok(reply: Reply) -> ReceiverFactory:
    """Return a receiver that accepts callbacks with this reply."""
    return _factory(with_changed_reply(lambda _, usual: reply if usual.status == 200 else None))


def _factory(handler: Handler) -> ReceiverFactory:
    return server_factory(lambda: handler)


def _rejecting_with(status: int) -> Handler:
    return with_changed_reply(lambda _, usual: replace(usual, status=status) if usual.status == 400 else None)


def _with_headers(*headers: tuple[str, str]) -> Handler:
    return with_changed_reply(lambda _, usual: replace(usual, headers=(*usual.headers, *headers)))


def _rejecting_credentials_with(status: int) -> Callable[[], Handler]:
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply:
        reply = guard(request)
        assert isinstance(reply, Reply)
        return replace(reply, status=status) if reply.status == 401 else reply

    return lambda: handler


def _echoing(reply_of: Callable[[str], Reply]) -> Handler:
    """Return a receiver that answers with the body of the request."""
    return with_changed_reply(
        lambda request, usual: (
            replace(reply_of(request.body.decode("utf-8", "replace")[:4000]), status=usual.status)
            if usual.status in {200, 400}
            else None
        )
    )


def _rejecting_known_sessions() -> Handler:
    seen: set[object] = set()

    def change(request: ReceivedRequest, usual: Reply) -> Reply | None:
        session = json.loads(request.body).get("sessionId") if usual.status == 200 else None
        if session is None or session not in seen:
            seen.add(session)
            return None
        return Reply(409)

    return with_changed_reply(change)


SERVERS: dict[str, ReceiverFactory] = {
    "answers-200": _factory(correct_receiver),
    "answers-200-without-body": answering_ok(Reply(200)),
    "answers-201-with-body": answering_ok(Reply(201, b'{"id": 1}')),
    "answers-202-without-body": answering_ok(Reply(202)),
    "answers-202-with-text": answering_ok(Reply(202, b"queued\n")),
    "answers-204": answering_ok(Reply(204)),
    "answers-chunked": _factory(_with_headers(("Transfer-Encoding", "chunked"))),
    "answers-and-closes": _factory(_with_headers(("Connection", "close"))),
    "answers-409-to-a-session-it-has-seen": server_factory(_rejecting_known_sessions),
    "answers-with-the-body-as-JSON": _factory(
        _echoing(lambda text: Reply(200, json.dumps(text).encode(), (("Content-Type", "application/json"),)))
    ),
    "answers-with-the-body-as-escaped-HTML": _factory(_echoing(lambda text: html_reply(f"<p>{html.escape(text)}</p>"))),
    "answers-with-the-body-as-plain-text": _factory(
        _echoing(lambda text: Reply(200, text.encode(), (("Content-Type", "text/plain"),)))
    ),
    "answers-in-100-ms": server_factory(partial(slow, 0.1)),
    "rejects-with-422": _factory(_rejecting_with(422)),
    "answers-401-without-credentials": server_factory(_rejecting_credentials_with(401), CREDENTIALS),
    "answers-403-without-credentials": server_factory(_rejecting_credentials_with(403), CREDENTIALS),
}
"""Conforming responses of every kind. The last two require ``CREDENTIALS``, which their URLs contain."""
