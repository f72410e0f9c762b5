"""A receiver of TCOP callbacks on aiohttp: ``python aiohttp_receiver.py [PORT]``; 0: a free port."""

import asyncio
import json
import sys

from aiohttp import web


async def receive(request: web.Request) -> web.Response:
    try:
        alarm = json.loads((await request.read()).decode("utf-8"))
    except (ValueError, RecursionError):
        return web.Response(status=400)
    if not isinstance(alarm, dict):
        return web.Response(status=400)
    print(json.dumps(alarm), flush=True)  # your code goes here; respond within five seconds
    return web.json_response({"ok": True})


async def serve(port: int) -> None:
    app = web.Application(client_max_size=4 << 20)
    app.router.add_post("/", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
