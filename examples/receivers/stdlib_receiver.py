"""A receiver of TCOP callbacks on the standard library alone: ``python stdlib_receiver.py [PORT]``; 0: a free port.

It handles one request at a time, which is enough to look at callbacks. Use ``ThreadingHTTPServer`` if a slow client
must not delay the others.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # disconnect clients that send nothing for 10 s

    def do_POST(self) -> None:
        length = self.headers["Content-Length"] or ""
        if not length.isdecimal():
            return self.answer(411)
        body = self.rfile.read(int(length))
        try:
            alarm = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError):
            return self.answer(400)
        if len(body) < int(length) or not isinstance(alarm, dict):
            return self.answer(400)
        print(json.dumps(alarm), flush=True)  # your code goes here; respond within five seconds
        return self.answer(200)

    def refuse(self) -> None:
        self.answer(405)

    do_GET = do_PUT = do_DELETE = refuse

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Allow", "POST")
        self.end_headers()


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Receiver) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
