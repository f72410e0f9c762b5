"""Bottle: answers 200 to a JSON object, 400 to anything else."""

import json

from bottle import Bottle, HTTPResponse, request

app = Bottle()


@app.post("/")
def receive() -> HTTPResponse:
    try:
        alarm = json.loads(request.body.read())
    except (ValueError, RecursionError):
        alarm = None
    return HTTPResponse(status=200 if isinstance(alarm, dict) else 400)
