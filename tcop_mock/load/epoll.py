"""The TCP transport of the load engine on Linux: one epoll(7) set for all connections of an event loop.

asyncio finds, queues and calls one callback for each connection that is ready. Here the event loop waits for one
descriptor, the epoll set, and calls one callback for all of them. The requests of a turn are sent after all responses
of that turn have been read, so that the receiver wakes up less often.

:class:`EpollSelector` is the only interface: the connection pool opens connections with it, and a closed load lets it
run the :class:`_HotLoop`. Without epoll the pool uses asyncio's transports. docs/load.md has the measured difference.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.load.connection import PoolCallbacks
    from tcop_mock.load.stats import StatsRecorder

_MAX_POLLS = 8
"""Polls in one turn of the event loop; afterwards its other callbacks run."""
_MAX_EVENTS = 16
"""Events that are handled before the requests written meanwhile are sent, which takes a tenth of a millisecond."""
_READ_BYTES = 4096
_READABLE = getattr(select, "EPOLLIN", 1)
_WRITABLE = getattr(select, "EPOLLOUT", 4)
_Outbox: TypeAlias = "list[tuple[EpollTransport, bytes]]"


class ConnectionHandler(Protocol):
    """Receives the events of a connection, like an asyncio protocol."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start using the connection."""
        ...

    def receive(self, data: bytes) -> None:
        """Handle the next bytes."""
        ...

    def eof_received(self) -> None:
        """Handle the end of the data that the other side sends."""
        ...

    def pause_writing(self) -> None:
        """Note that the other side reads more slowly than we write."""
        ...

    def resume_writing(self) -> None:
        """Note that all data has been written."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        ...


class ClosedLoad(Protocol):
    """The state of a closed load that the hot loop reads and updates."""

    bodies: Iterator[bytes]
    end_s: float
    """No request starts at or after this time."""
    remaining: float
    """The number of requests that may still start."""


class EpollSelector:
    """The connections of one event loop.

    Args:
        loop: the event loop.

    Raises:
        OSError: this machine has no file descriptor left.
        AttributeError: this system has no epoll(7).
        NotImplementedError: the event loop cannot wait for descriptors.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.epoll = select.epoll()
        self.connections: dict[int, EpollTransport | PendingConnection] = {}
        """Connections by file descriptor."""
        self.outbox: _Outbox | None = None
        """Data to send after all ready connections have been read; ``None`` means that data is sent immediately."""
        self._dispatch: Callable[[list[tuple[int, int]], _Outbox], None] = self._dispatch_each
        try:
            loop.add_reader(self.epoll.fileno(), self._handle_ready)
        except NotImplementedError:
            self.epoll.close()
            raise

    def add(self, sock: socket.socket, handler: ConnectionHandler) -> None:
        """Add a connected, non-blocking socket."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handler.connection_made(EpollTransport(self, sock, handler))

    def connect(
        self,
        family: int,
        address: Any,  # noqa: ANN401 - the socket module's
        handler: ConnectionHandler,
        on_end: Callable[[OSError | None], None],
    ) -> PendingConnection:
        """Connect to one address without a task, which costs a sixth of asyncio's way.

        Args:
            family: the address family.
            address: the address in the form of the socket module.
            handler: receives the events of the connection.
            on_end: called with ``None`` or the error when the connection is open or has failed; never before this
                function returns.

        Raises:
            OSError: the connection cannot be started.
        """
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)  # noqa: FBT003 - the socket module's
        code = sock.connect_ex(address)
        if code not in {0, errno.EINPROGRESS}:
            sock.close()
            raise OSError(code, os.strerror(code))
        return PendingConnection(self, sock, address, handler, on_end)

    def use_hot_loop(
        self, load: ClosedLoad, pool: PoolCallbacks, recorder: StatsRecorder, warm_up_ends_s: float
    ) -> None:
        """Handle the usual turn of a closed load in one function.

        Args:
            load: the load, which has started.
            pool: the pool of all connections here.
            recorder: counts the attempts that started after the warm-up.
            warm_up_ends_s: the end of the warm-up on the clock of the pool.
        """
        self._dispatch = _HotLoop(self, load, pool, recorder, warm_up_ends_s).dispatch

    def close(self) -> None:
        """Stop handling events."""
        self.loop.remove_reader(self.epoll.fileno())
        self.epoll.close()

    def _handle_ready(self) -> None:
        poll, dispatch = self.epoll.poll, self._dispatch
        for _ in range(_MAX_POLLS):
            ready = poll(0, _MAX_EVENTS)
            if not ready:
                return
            outbox: _Outbox = []
            self.outbox = outbox
            try:
                dispatch(ready, outbox)
            finally:
                self.outbox = None
            for transport, data in outbox:
                transport.send(data)

    def _dispatch_each(self, ready: list[tuple[int, int]], _outbox: _Outbox) -> None:
        connection_for = self.connections.get
        for descriptor, event in ready:
            connection = connection_for(descriptor)
            if connection is not None:  # otherwise the handler of an earlier event closed it
                connection.handle_event(event)


class PendingConnection:
    """A connection that is being opened."""

    def __init__(
        self,
        selector: EpollSelector,
        sock: socket.socket,
        address: Any,  # noqa: ANN401 - the socket module's
        handler: ConnectionHandler,
        on_end: Callable[[OSError | None], None],
    ) -> None:
        self._selector, self._sock, self._address, self._handler, self._on_end = (
            selector,
            sock,
            address,
            handler,
            on_end,
        )
        self._descriptor = sock.fileno()
        selector.connections[self._descriptor] = self
        selector.epoll.register(self._descriptor, _WRITABLE)

    def cancel(self) -> None:
        """Stop connecting."""
        self._unregister()
        self._fail(errno.ECANCELED)

    def handle_event(self, _event: int) -> None:
        """Check whether the connection is open or has failed."""
        self._unregister()
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code and self._sock.getsockname() == self._address:
            code = errno.ECONNREFUSED  # no listener: the system assigned that port to this socket, connected to itself
        if code:
            self._fail(code)
        else:
            self._selector.add(self._sock, self._handler)
            self._on_end(None)

    def _fail(self, code: int) -> None:
        self._sock.close()
        self._on_end(OSError(code, os.strerror(code)))

    def _unregister(self) -> None:
        del self._selector.connections[self._descriptor]
        self._selector.epoll.unregister(self._descriptor)


class EpollTransport(asyncio.Transport):
    """One open connection, with the transport methods that the pool uses."""

    __slots__ = ("_descriptor", "_selector", "_unsent", "handler", "sock")

    def __init__(self, selector: EpollSelector, sock: socket.socket, handler: ConnectionHandler) -> None:
        self._selector, self.sock, self.handler = selector, sock, handler
        self._descriptor = sock.fileno()
        self._unsent = b""
        """Data that the socket has not accepted yet."""
        selector.connections[self._descriptor] = self
        selector.epoll.register(self._descriptor, _READABLE)

    def write(self, data: Any) -> None:  # noqa: ANN401 - the transport's signature
        """Send the data at the end of the turn, or immediately outside of one."""
        outbox = self._selector.outbox
        if outbox is None:
            self.send(data)
        else:
            outbox.append((self, data))

    def send(self, data: bytes) -> None:
        """Send as much as the socket accepts, and the rest when the socket is writable."""
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._close(error)
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._selector.epoll.modify(self._descriptor, _READABLE | _WRITABLE)
            self.handler.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: ``pause_writing`` is called for the first byte that is not sent immediately."""

    def abort(self) -> None:
        """Close the connection and discard unsent data; ``connection_lost`` is called soon."""
        self._close(None)

    def handle_event(self, event: int) -> None:
        """Read or write, depending on the event."""
        if event & _WRITABLE:
            if event != _WRITABLE:
                self.handle_event(_READABLE)  # first: a response may have arrived before the connection broke
            self._send_unsent()
            return
        try:
            data = self.sock.recv(_READ_BYTES)
        except OSError as error:
            self.read_failed(error)
        else:
            self.data_read(data)

    def read_failed(self, error: OSError) -> None:
        """Handle an error of reading."""
        if not isinstance(error, BlockingIOError | InterruptedError):
            self._unregister()
            self.handler.connection_lost(error)  # immediately: a handler that runs next may want to write to it

    def data_read(self, data: bytes) -> None:
        """Handle received data; an empty value is the end."""
        if data:
            self.handler.receive(data)
        else:
            self.handler.eof_received()
            self._close(None)

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, b""
        self.send(unsent)
        if not self._unsent and self.sock.fileno() >= 0:
            self._selector.epoll.modify(self._descriptor, _READABLE)
            self.handler.resume_writing()

    def _close(self, error: OSError | None) -> None:
        if self.sock.fileno() >= 0:
            self._unregister()
            self._selector.loop.call_soon(self.handler.connection_lost, error)

    def _unregister(self) -> None:
        del self._selector.connections[self._descriptor]
        self._selector.epoll.unregister(self._descriptor)  # closing does not, if a forked child has the socket too
        self.sock.close()


class _HotLoop:
    """Handles the usual turn of a closed load: read an acknowledgement, count it, prepare the next request.

    Every other event goes to the transport.
    """

    def __init__(
        self,
        selector: EpollSelector,
        load: ClosedLoad,
        pool: PoolCallbacks,
        recorder: StatsRecorder,
        warm_up_ends_s: float,
    ) -> None:
        self._load, self._pool, self._recorder, self._warm_up_ends_s = load, pool, recorder, warm_up_ends_s
        self._connection_for, self._ack_status = selector.connections.get, pool.response_cache.ack_statuses.get

    def dispatch(self, ready: list[tuple[int, int]], outbox: _Outbox) -> None:
        """Read from the ready connections, count the acknowledgements and add the next requests to the outbox."""
        connection_for, ack_status, load, pool = self._connection_for, self._ack_status, self._load, self._pool
        clock, in_flight, request_heads, warm_up_ends_s = (
            pool.clock,
            pool.in_flight,
            pool.request_heads,
            self._warm_up_ends_s,
        )
        ack_times_s: list[float] = []
        statuses: list[int] = []
        for descriptor, event in ready:
            transport = connection_for(descriptor)
            if event != _READABLE or not isinstance(transport, EpollTransport):
                if transport is not None:  # otherwise the handler of an earlier event closed it
                    transport.handle_event(event)
                continue
            try:
                data = transport.sock.recv(_READ_BYTES)
            except OSError as error:
                transport.read_failed(error)
                continue
            connection: Any = transport.handler
            status, started_s, now_s = ack_status(data, 0), connection.started_s, clock()
            is_usual = status and connection.is_busy and not (connection.has_response_bytes or connection.is_blocked)
            if not is_usual or started_s < warm_up_ends_s or now_s >= load.end_s or load.remaining <= 0:
                transport.data_read(data)
                continue
            ack_times_s.append(now_s - started_s)
            statuses.append(status)
            load.remaining -= 1
            connection.body = body = next(load.bodies)
            connection.response_count += 1
            connection.is_replayed = False
            connection.intended_s = connection.started_s = now_s
            del in_flight[connection]
            in_flight[connection] = None
            outbox.append((transport, request_heads[len(body)] + body))
        self._recorder.record_acks(statuses, ack_times_s)


def open_selector() -> EpollSelector | None:
    """Return a selector for the running event loop, or ``None`` if the system or the loop does not support it.

    Raises:
        OSError: this machine has no file descriptor left.
    """
    try:
        return EpollSelector(asyncio.get_running_loop())
    except (AttributeError, NotImplementedError):  # not Linux, or a loop that waits only for sockets
        return None
