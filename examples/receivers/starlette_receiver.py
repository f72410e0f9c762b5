"""A receiver of TCOP callbacks on Starlette and uvicorn: ``python starlette_receiver.py [PORT]``."""

import json
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def receive(request: Request) -> Response:
    try:
        alarm = json.loads((await request.body()).decode("utf-8"))
    except (ValueError, RecursionError):
        return Response(status_code=400)
    if not isinstance(alarm, dict):
        return Response(status_code=400)
    print(json.dumps(alarm), flush=True)  # your own work goes here; keep it under five seconds
    return Response(status_code=204)


app = Starlette(routes=[Route("/", receive, methods=["POST"])])

if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), backlog=1024)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
