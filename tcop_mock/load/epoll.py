"""Plain TCP connections without asyncio's transports: one turn of the event loop serves all that are ready.

The loop waits for one descriptor, a set of epoll(7) that holds all connections. It then has to find, queue and call one
callback for all of them, where asyncio does so for each, and uvloop crosses into C for each. What those that were ready
write is sent when all have been read: a receiver on another core that is woken for each request, and sleeps before the
next, costs both sides more than one that finds a few of them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 8
"""So often a turn asks what else is ready; then the loop's other callbacks have theirs."""
_AT_ONCE = 16
"""What one of them writes waits at the most for so many to be read: a tenth of a millisecond."""
READ_BYTES = 4096
Serve: TypeAlias = "Callable[[list[tuple[int, int]], list[tuple[Channel, bytes]]], None]"
READABLE = getattr(select, "EPOLLIN", 1)
_WRITABLE = getattr(select, "EPOLLOUT", 4)


class Reader(Protocol):
    """What is told of a connection, as a protocol of asyncio's is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        ...

    def receive(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def eof_received(self) -> None:
        """Take the end of what the other side says."""
        ...

    def pause_writing(self) -> None:
        """Take note that the other side does not read as fast as we write."""
        ...

    def resume_writing(self) -> None:
        """Take note that all is written."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        ...


class Channels:
    """The connections of one event loop that are served together.

    Args:
        loop: that waits for them.

    Raises:
        OSError: this machine has no descriptor left.
        AttributeError: this system has no epoll(7).
        NotImplementedError: the loop waits for no descriptors.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ready = select.epoll()
        self.open: dict[int, Channel | Dialling] = {}
        """By descriptor."""
        self.serve_all: Serve = self.serve_each
        """What serves connections that are ready, told by descriptor and event, and adds to what is to be sent."""
        self.written: list[tuple[Channel, bytes]] | None = None
        """What is to be sent when all that are ready have been read; ``None`` where it is to be sent at once."""
        try:
            loop.add_reader(self.ready.fileno(), self._serve)
        except NotImplementedError:
            self.ready.close()
            raise

    def add(self, sock: socket.socket, reader: Reader) -> None:
        """Serve one more connection: a socket that is connected and does not block."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader.connection_made(Channel(self, sock, reader))

    def dial(self, family: int, address: Any, reader: Reader, ended: Callable[[OSError | None], None]) -> Dialling:  # noqa: ANN401 - the socket module's
        """Connect to one address: a sixth of what it costs with tasks, which counts where no connection is kept.

        Args:
            family: of the address.
            address: as the socket module has it.
            reader: of the connection.
            ended: is told that there is a connection, or why there is none; not before this has returned.

        Raises:
            OSError: not even begun.
        """
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)  # noqa: FBT003 - the socket module's
        problem = sock.connect_ex(address)
        if problem not in {0, errno.EINPROGRESS}:
            sock.close()
            raise OSError(problem, os.strerror(problem))
        return Dialling(self, sock, address, reader, ended)

    def close(self) -> None:
        """Serve nothing more."""
        self.loop.remove_reader(self.ready.fileno())
        self.ready.close()

    def _serve(self) -> None:
        poll, serve_all = self.ready.poll, self.serve_all
        for _ in range(_ROUNDS):
            ready = poll(0, _AT_ONCE)
            if not ready:
                return
            written: list[tuple[Channel, bytes]] = []
            self.written = written
            try:
                serve_all(ready, written)
            finally:
                self.written = None
            for channel, data in written:
                channel.send(data)

    def serve_each(self, ready: list[tuple[int, int]], _written: list[tuple[Channel, bytes]]) -> None:
        """Serve connections that are ready one by one; what they write they add to what is written."""
        channels = self.open.get
        for descriptor, event in ready:
            channel = channels(descriptor)
            if channel is not None:  # else one that was served before it in this round has closed it
                channel.serve(event)


class Dialling:
    """A connection that is being made."""

    def __init__(
        self,
        channels: Channels,
        sock: socket.socket,
        address: Any,  # noqa: ANN401 - the socket module's
        reader: Reader,
        ended: Callable[[OSError | None], None],
    ) -> None:
        self._channels, self._sock, self._address, self._reader, self._ended = channels, sock, address, reader, ended
        self._descriptor = sock.fileno()
        channels.open[self._descriptor] = self
        channels.ready.register(self._descriptor, _WRITABLE)

    def cancel(self) -> None:
        """Give it up."""
        self._leave()
        self._fail(errno.ECANCELED)

    def serve(self, _event: int) -> None:
        """See what has become of it."""
        self._leave()
        problem = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not problem and self._sock.getsockname() == self._address:
            problem = errno.ECONNREFUSED  # nobody listens: it was given that very port, and has met itself
        if problem:
            self._fail(problem)
        else:
            self._channels.add(self._sock, self._reader)
            self._ended(None)

    def _fail(self, problem: int) -> None:
        self._sock.close()
        self._ended(OSError(problem, os.strerror(problem)))

    def _leave(self) -> None:
        del self._channels.open[self._descriptor]
        self._channels.ready.unregister(self._descriptor)


class Channel(asyncio.Transport):
    """One connection, with what of a transport is asked for here."""

    __slots__ = ("_channels", "_descriptor", "_rest", "reader", "sock")

    def __init__(self, channels: Channels, sock: socket.socket, reader: Reader) -> None:
        self._channels, self.sock, self.reader = channels, sock, reader
        self._descriptor = sock.fileno()
        self._rest = b""
        """What the socket has not taken yet."""
        channels.open[self._descriptor] = self
        channels.ready.register(self._descriptor, READABLE)

    def write(self, data: Any) -> None:  # noqa: ANN401 - the transport's signature
        """Send it as soon as it is time to."""
        written = self._channels.written
        if written is None:
            self.send(data)
        else:
            written.append((self, data))

    def send(self, data: bytes) -> None:
        """Send what the socket takes, and the rest when it can."""
        if self._rest:
            self._rest += data
            return
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as problem:
            self._end(problem)
            return
        if sent < len(data):
            self._rest = data[sent:]
            self._channels.ready.modify(self._descriptor, READABLE | _WRITABLE)
            self.reader.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Leave it: the reader is always told of the first byte that is not written at once."""

    def abort(self) -> None:
        """Close the connection, whatever is left to write; its reader is told soon."""
        self._end(None)

    def serve(self, event: int) -> None:
        """Read what has come, or write what is left, as epoll(7) says."""
        if event & _WRITABLE:
            if event != _WRITABLE:
                self.serve(READABLE)  # first: who breaks the connection may have said why
            self._write_rest()
            return
        try:
            data = self.sock.recv(READ_BYTES)
        except OSError as problem:
            self.failed(problem)
        else:
            self.received(data)

    def failed(self, problem: OSError) -> None:
        """Take why nothing was read."""
        if not isinstance(problem, BlockingIOError | InterruptedError):
            self._leave()
            self.reader.connection_lost(problem)  # at once: those served behind it may want to write on it

    def received(self, data: bytes) -> None:
        """Take what was read; nothing is the end of it."""
        if data:
            self.reader.receive(data)
        else:
            self.reader.eof_received()
            self._end(None)

    def _write_rest(self) -> None:
        rest, self._rest = self._rest, b""
        self.send(rest)
        if not self._rest and self.sock.fileno() >= 0:
            self._channels.ready.modify(self._descriptor, READABLE)
            self.reader.resume_writing()

    def _end(self, problem: OSError | None) -> None:
        if self.sock.fileno() >= 0:
            self._leave()
            self._channels.loop.call_soon(self.reader.connection_lost, problem)

    def _leave(self) -> None:
        del self._channels.open[self._descriptor]
        self._channels.ready.unregister(self._descriptor)  # closing does not, where a child was forked that has it too
        self.sock.close()


def channels() -> Channels | None:
    """Return what serves the connections of the running loop; nothing, where the system or the loop has no such way.

    Raises:
        OSError: this machine has no descriptor left.
    """
    try:
        return Channels(asyncio.get_running_loop())
    except (AttributeError, NotImplementedError):  # no Linux, a loop that waits for sockets only
        return None
