"""A receiver of TCOP callbacks on the standard library alone: ``python stdlib_receiver.py [PORT]``, 0 takes a free one.

It serves one request at a time: enough to see what arrives. Take ``ThreadingHTTPServer`` where a slow client must not
hold up the others.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds of silence after which a client is let go

    def do_POST(self) -> None:
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            return self.send_error(411)
        body = self.rfile.read(length)
        try:
            alarm = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError):
            return self.send_error(400)
        if len(body) < length or not isinstance(alarm, dict):
            return self.send_error(400)
        print(alarm.get("alarmStatus"), alarm.get("alarmPolicyInfo"), flush=True)
        self.send_response(200)
        self.end_headers()
        return None

    def refuse(self) -> None:
        self.send_error(405)

    do_GET = do_PUT = do_DELETE = refuse


with HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Receiver) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
