"""A receiver of TCOP callbacks on FastAPI and uvicorn: ``python fastapi_receiver.py [PORT]``; 0: a free port."""

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, HTTPException, Request

app = FastAPI()


@app.post("/", status_code=204)
async def receive(request: Request) -> None:
    try:
        alarm = json.loads((await request.body()).decode("utf-8"))
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if not isinstance(alarm, dict):
        raise HTTPException(400)
    print(json.dumps(alarm), flush=True)  # your code goes here; respond within five seconds


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), backlog=1024)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
