"""The standard library's threading server: answers 200 to a JSON object, 400 to anything else."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._read_chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else self._read_length()
        try:
            alarm = json.loads(body)
        except (ValueError, RecursionError):
            alarm = None
        self.send_response(200 if isinstance(alarm, dict) else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _read_length(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return b""
        return body

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


Server(("127.0.0.1", int(sys.argv[1])), Receive).serve_forever()
