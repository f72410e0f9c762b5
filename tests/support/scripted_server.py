"""A receiver on raw sockets that a test scripts byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Self

_SOCKET_TIMEOUT_S = 30
"""Limit for each socket call; only a broken test reaches it."""
_DRIP_S = 0.005


class Peer:
    """The receiver's side of one connection; calls can be chained."""

    def __init__(self, connection: socket.socket, stopped: threading.Event) -> None:
        connection.settimeout(_SOCKET_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection, self._stopped = connection, stopped

    def read_some(self) -> bytes:
        """Return received bytes, at most 64 KiB; empty after the client has closed the connection."""
        return self.connection.recv(65_536)

    def read_request(self) -> bytes:
        """Return one whole request, framed by its Content-Length."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < int(length.partition(b":")[2]):
            body += self._receive()
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> Self:
        """Send all bytes; small ones in a separate segment."""
        self.connection.sendall(data)
        return self

    def answer(self, data: bytes) -> Self:
        """Read the request, then send bytes unchanged."""
        self.read_request()
        return self.send(data)

    def drip(self, data: bytes) -> Self:
        """Send byte by byte, slowly, until the client disconnects."""
        for number in range(len(data)):
            self.send(data[number : number + 1])
            if self._stopped.wait(_DRIP_S):
                break
        return self

    def flood(self, data: bytes) -> Self:
        """Send the same bytes repeatedly until the client disconnects."""
        while not self._stopped.is_set():
            self.send(data)
        return self

    def hold(self) -> Self:
        """Send nothing more and wait until the client closes the connection."""
        while self.read_some():
            pass
        return self

    def ignore(self) -> Self:
        """Neither read nor write until the test is over."""
        self._stopped.wait(_SOCKET_TIMEOUT_S)
        return self

    def reset(self) -> Self:
        """End the connection with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        return self

    def start_tls(self, context: ssl.SSLContext) -> Self:
        """Shake hands as the server. If that fails the connection stays open: closing it could overtake the alert."""
        plain, self.connection = self.connection, self.connection.dup()
        wrapped = context.wrap_socket(plain, server_side=True)
        self.connection.close()
        self.connection = wrapped
        return self

    def _receive(self) -> bytes:
        data = self.read_some()
        if not data:
            raise ConnectionError("the client left in the middle of its request")
        return data


class ScriptedServer:
    """Runs a script on each connection in a separate thread, and closes the connection afterwards.

    A script ends quietly when its client leaves; whatever else it raises is raised again on leaving the context.
    """

    def __init__(self, script: Callable[[Peer], object]) -> None:
        self.connections = 0
        self._script = script
        self._stopped = threading.Event()
        self._errors: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The URL at which it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.stop_accepting()
        for thread in self._threads:
            thread.join(_SOCKET_TIMEOUT_S)
        self._listener.close()
        assert not [thread for thread in self._threads if thread.is_alive()], "the client has not left"
        if self._errors:
            raise self._errors[0]

    def stop_accepting(self) -> None:
        """Refuse further connections. Wakes accept()."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._run(self._serve, Peer(connection, self._stopped))

    def _serve(self, peer: Peer) -> None:
        try:
            self._script(peer)
        except OSError:
            pass  # the client has disconnected, as many scripts expect
        except Exception as problem:  # noqa: BLE001 - raised again in the test's own thread
            self._errors.append(problem)
        finally:
            peer.connection.close()
