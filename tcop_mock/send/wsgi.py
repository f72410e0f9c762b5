"""A WSGI app (PEP 3333) in this process, called as a server with a thread for each request calls it."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, Any

from tcop_mock.send.inprocess import CLIENT, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.model.delivery import Attempt, Push
    from tcop_mock.model.target import Target

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiPost:
    """A ``Post`` port to an app.

    Args:
        app: the app.
        target: whose path is asked for.
        answer_cap_bytes: of an answer's body.
        clock: seconds.
    """

    def __init__(self, app: WsgiApp, target: Target, *, answer_cap_bytes: int, clock: Callable[[], float]) -> None:
        self._app, self._target, self._cap, self._clock = app, target, answer_cap_bytes, clock

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Send once; see :class:`tcop_mock.model.delivery.Post`."""
        started_s = self._clock()
        exchange = Exchange(self._target, push, self._cap, self._clock)
        threading.Thread(target=self._call, args=(exchange,), name="wsgi-request", daemon=True).start()
        return exchange.attempt(await exchange.outcome(deadline_s), started_s, intended_s)

    def _call(self, exchange: Exchange) -> None:
        def start_response(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: Any = None,  # noqa: ANN401 - sys.exc_info()
        ) -> Callable[[bytes], None]:
            if exchange.status is not None and exc_info is None:
                raise AssertionError("start_response was called twice without exc_info")
            exchange.begin(int(status.split(" ", 1)[0]), headers)
            return exchange.go_on

        try:
            parts = self._app(_environ(exchange), start_response)
            try:
                for part in parts:
                    exchange.go_on(part)
            finally:
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
            exchange.end()
        except Exception as problem:  # noqa: BLE001 - whatever an app raises is the attempt's to tell
            exchange.fail(problem)


def _environ(exchange: Exchange) -> dict[str, Any]:
    host, _, port = exchange.host.partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": exchange.push.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": exchange.path.encode().decode("latin-1"),  # as PEP 3333 has bytes in texts
        "QUERY_STRING": exchange.query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": CLIENT[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(exchange.push.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in exchange.request_headers():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ
