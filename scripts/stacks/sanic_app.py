"""Sanic: answers 200 to a JSON object, 400 to anything else."""

import sys

from sanic import Request, Sanic, empty
from sanic.exceptions import BadRequest
from sanic.response import HTTPResponse

app = Sanic("receiver")


@app.post("/")
async def receive(request: Request) -> HTTPResponse:
    try:
        alarm = request.json
    except (BadRequest, RecursionError):
        alarm = None
    return empty(200 if isinstance(alarm, dict) else 400)


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), single_process=True, access_log=False)
