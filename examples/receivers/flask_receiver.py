"""A receiver of TCOP callbacks on Flask and its own server: ``python flask_receiver.py [PORT]``; 0: a free port."""

import json
import sys

from flask import Flask, abort, request
from werkzeug.serving import make_server

app = Flask(__name__)


@app.post("/")
def receive() -> dict[str, bool]:
    try:
        alarm = json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError):
        abort(400)
    if not isinstance(alarm, dict):
        abort(400)
    print(json.dumps(alarm), flush=True)  # your code goes here; respond within five seconds
    return {"ok": True}


if __name__ == "__main__":
    server = make_server("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
