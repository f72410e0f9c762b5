"""The receivers of ``benchmarks/listen.py``, each in a process of its own. None but ``listen`` records anything.

usage: python benchmarks/peers/listen_servers.py NAME   (prints its URL)
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def fastapi() -> None:
    """Serve a FastAPI application on uvicorn with uvloop and httptools."""
    import fastapi  # noqa: PLC0415 - each receiver loads its own
    import uvicorn  # noqa: PLC0415 - each receiver loads its own

    app = fastapi.FastAPI()

    @app.post("/")
    async def take(alarm: dict[str, Any]) -> dict[str, Any]:
        return {"sessionId": alarm.get("sessionId"), "retCode": 0}

    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run([listening])


def aiohttp() -> None:
    """Serve an aiohttp application."""
    from aiohttp import web  # noqa: PLC0415 - each receiver loads its own

    async def take(request: web.Request) -> web.Response:
        alarm = json.loads(await request.read())
        return web.json_response({"sessionId": alarm.get("sessionId"), "retCode": 0})

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


def httpserver() -> None:
    """Serve by pytest-httpserver, which keeps each request in memory, as tests use it."""
    from pytest_httpserver import HTTPServer  # noqa: PLC0415 - each receiver loads its own

    server = HTTPServer(host="127.0.0.1", port=0, threaded=True)
    server.expect_request("/").respond_with_json({"retCode": 0})
    server.start()
    print(server.url_for("/"), flush=True)
    threading.Event().wait()


SERVERS: dict[str, Callable[[], None]] = {"fastapi": fastapi, "aiohttp": aiohttp, "pytest_httpserver": httpserver}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()
