"""aiohttp: answers 200 to a JSON object, 400 to anything else."""

import sys

from aiohttp import web


async def receive(request: web.Request) -> web.Response:
    try:
        alarm = await request.json()
    except (ValueError, RecursionError):
        alarm = None
    return web.Response(status=200 if isinstance(alarm, dict) else 400)


app = web.Application()
app.add_routes([web.post("/", receive)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
