"""The epoll transport behaves like an asyncio transport."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tcop_mock.load.epoll import EpollSelector, PendingConnection, open_selector

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="only Linux has epoll(7)")
MUCH = b"x" * 8_000_000


class RecordingHandler:
    """A handler that records its events."""

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []
        self.lost: Exception | None = None
        self.on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def receive(self, data: bytes) -> None:
        """Record the data."""
        self.data += data
        self.on_data()

    def eof_received(self) -> None:
        """Record the event."""
        self.events.append("eof")

    def pause_writing(self) -> None:
        """Record the event."""
        self.events.append("paused")

    def resume_writing(self) -> None:
        """Record the event."""
        self.events.append("resumed")

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the event and the error."""
        self.events.append("lost")
        self.lost = exc


class Ends(NamedTuple):
    """Both ends of a connection."""

    reader: RecordingHandler
    peer: socket.socket


class Connections:
    """A selector and a way to open connections on it."""

    def __init__(self, listener: socket.socket, stack: contextlib.ExitStack) -> None:
        self.selector = EpollSelector(asyncio.get_running_loop())
        self._listener, self._stack = listener, stack

    def opened(self) -> Ends:
        """Return both ends of a new connection."""
        sock = socket.create_connection(self._listener.getsockname())
        sock.settimeout(0)
        peer = self.accepted()
        reader = RecordingHandler()
        self.selector.add(sock, reader)
        return Ends(reader, peer)

    def accepted(self) -> socket.socket:
        """Return the other end of a new connection."""
        return self._stack.enter_context(self._listener.accept()[0])


@contextlib.contextmanager
def open_connections() -> Iterator[Connections]:
    """Open a selector; close it and all its connections at the end."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        made = Connections(listener, stack)
        try:
            yield made
        finally:
            for one in list(made.selector.connections.values()):
                one.abort()  # type: ignore[union-attr]  # pending connections have ended by now
            made.selector.close()


def run_test(test: Callable[[Connections], Coroutine[None, None, None]]) -> None:
    """Run a test in an event loop."""

    async def run() -> None:
        with open_connections() as made:
            await test(made)

    asyncio.run(run())


async def until(is_done: Callable[[], bool]) -> None:
    """Wait until a condition holds, for at most 20 seconds."""
    async with asyncio.timeout(20):
        while not is_done():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.001)


def test_data_is_written_and_read() -> None:
    """Data passes in both directions; the end of the connection is reported without an error."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        reader.transport.write(b"ping")
        assert peer.recv(9) == b"ping"
        peer.sendall(b"pong")
        await until(lambda: reader.data == b"pong")
        peer.close()
        await until(lambda: reader.events == ["eof", "lost"])
        assert reader.lost is None
        assert not made.selector.connections

    run_test(test)


def test_unsent_data_is_written_when_the_socket_is_writable() -> None:
    """No data is lost if the socket accepts only a part; writing is paused and resumed."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        reader.transport.write(MUCH)
        reader.transport.write(b"more")
        assert reader.events == ["paused"]
        peer.settimeout(0)
        got = bytearray()
        async with asyncio.timeout(20):
            while len(got) < len(MUCH) + 4:
                got += await asyncio.get_running_loop().sock_recv(peer, 1 << 20)
        assert bytes(got) == MUCH + b"more"
        await until(lambda: reader.events[-1] == "resumed")
        reader.transport.write(MUCH)  # again: nothing fits any more
        reader.transport.abort()
        await until(lambda: reader.events[-1] == "lost")

    run_test(test)


def test_a_full_socket_keeps_the_data() -> None:
    """All data waits and is sent when the other side has read."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        reader.transport.write(MUCH)
        channel = next(iter(made.selector.connections.values()))
        channel.handle_event(select.EPOLLOUT)  # nothing more fits yet
        peer.settimeout(0)
        got = 0
        async with asyncio.timeout(20):
            while got < len(MUCH):
                got += len(await asyncio.get_running_loop().sock_recv(peer, 1 << 20))
        await until(lambda: reader.events[-1] == "resumed")

    run_test(test)


def test_an_event_without_data_is_ignored() -> None:
    """A readable event without data neither reads nor ends the connection."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        channel = next(iter(made.selector.connections.values()))
        channel.handle_event(select.EPOLLIN)
        assert (reader.data, reader.events) == (b"", [])
        peer.sendall(b"now")
        await until(lambda: reader.data == b"now")

    run_test(test)


@pytest.mark.parametrize("writes", [False, True])
def test_a_broken_connection_is_lost_with_its_error(writes: bool) -> None:  # noqa: FBT001 - a parameter
    """The error of reading or writing is reported once."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # so that closing resets
        peer.close()
        if writes:
            reader.transport.write(b"x")
            reader.transport.write(b"y")
        await until(lambda: reader.events == ["lost"])
        assert isinstance(reader.lost, ConnectionResetError | BrokenPipeError)

    run_test(test)


def test_a_connection_closed_in_the_same_turn_is_not_read() -> None:
    """Two connections are ready, and the first aborts the second; the second is not read."""

    async def test(made: Connections) -> None:
        one, other = made.opened(), made.opened()
        one.reader.on_data = other.reader.transport.abort
        other.reader.on_data = one.reader.transport.abort
        one.peer.sendall(b"a")
        other.peer.sendall(b"b")
        await until(lambda: "lost" in one.reader.events + other.reader.events)
        assert sorted([one.reader.data, other.reader.data]) in ([b"", b"a"], [b"", b"b"])

    run_test(test)


def test_a_broken_connection_is_reported_before_the_next_one_is_read() -> None:
    """A handler that runs later in the turn knows that the connection is lost."""

    async def test(made: Connections) -> None:
        broken, other = made.opened(), made.opened()
        seen: list[list[str]] = []
        other.reader.on_data = lambda: seen.append(broken.reader.events.copy())
        broken.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # so that closing resets
        broken.peer.close()
        other.peer.sendall(b"x")
        await until(lambda: bool(seen))
        assert seen == [["lost"]]

    run_test(test)


def test_a_closed_socket_that_a_child_still_holds_is_unregistered() -> None:
    """After a fork another process may hold the socket; epoll must not report it endlessly."""

    async def test(made: Connections) -> None:
        reader, peer = made.opened()
        [descriptor] = made.selector.connections
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM):
            peer.close()
            await until(lambda: "lost" in reader.events)
            assert made.selector.epoll.poll(0) == []

    run_test(test)


def test_data_written_in_a_turn_is_sent_after_all_reads() -> None:
    """Two handlers respond to data; both have read before either response is sent."""

    async def test(made: Connections) -> None:
        pairs = [made.opened(), made.opened()]
        seen: list[int] = []
        for pair in pairs:

            def answer(pair: Ends = pair) -> None:
                pair.reader.transport.write(b"answer")
                with contextlib.suppress(BlockingIOError):
                    seen.append(len(pair.peer.recv(9, socket.MSG_DONTWAIT)))

            pair.reader.on_data = answer
            pair.peer.sendall(b"x")
        await until(lambda: all(pair.reader.data for pair in pairs))
        assert [pair.peer.recv(9) for pair in pairs] == [b"answer", b"answer"]
        assert seen == []

    run_test(test)


def test_a_turn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other callbacks of the loop run between turns; the remaining events are handled in the next turn."""
    monkeypatch.setattr("tcop_mock.load.epoll._MAX_POLLS", 1)
    monkeypatch.setattr("tcop_mock.load.epoll._MAX_EVENTS", 1)

    async def test(made: Connections) -> None:
        pairs = [made.opened(), made.opened(), made.opened()]
        for pair in pairs:
            pair.peer.sendall(b"x")
        made.selector._handle_ready()
        assert sorted(pair.reader.data for pair in pairs) == [b"", b"", b"x"]
        await until(lambda: all(pair.reader.data for pair in pairs))

    run_test(test)


def test_an_error_of_a_handler_does_not_stop_the_selector() -> None:
    """The error is reported to the event loop; data written later is sent."""

    async def test(made: Connections) -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context["exception"]))
        reader, peer = made.opened()

        def fail() -> None:
            raise LookupError("ours")

        reader.on_data = fail
        peer.sendall(b"x")
        await until(lambda: bool(problems))
        assert isinstance(problems[0], LookupError)
        reader.transport.write(b"still")
        assert peer.recv(9) == b"still"

    run_test(test)


def test_connecting_reports_success() -> None:
    """The callback is called when the connection is open, and not before."""

    async def test(made: Connections) -> None:
        reader, ended = RecordingHandler(), list[OSError | None]()
        address = made._listener.getsockname()
        made.selector.connect(socket.AF_INET, address, reader, ended.append)
        assert ended == []
        await until(lambda: bool(ended))
        assert ended == [None]
        reader.transport.write(b"hello")
        assert made.accepted().recv(9) == b"hello"

    run_test(test)


def test_connecting_reports_the_error() -> None:
    """The error is the one of the system, or a cancellation."""

    async def test(made: Connections) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        ended: list[OSError | None] = []
        made.selector.connect(socket.AF_INET, address, RecordingHandler(), ended.append)
        await until(lambda: bool(ended))
        made.selector.connect(socket.AF_INET, made._listener.getsockname(), RecordingHandler(), ended.append).cancel()
        assert [one and one.errno for one in ended] == [errno.ECONNREFUSED, errno.ECANCELED]
        assert not made.selector.connections

    run_test(test)


def test_a_connection_to_itself_is_refused() -> None:
    """If nothing listens on an ephemeral port, the system may connect the socket to itself."""

    async def test(made: Connections) -> None:
        ended: list[OSError | None] = []
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        PendingConnection(made.selector, sock, sock.getpeername(), RecordingHandler(), ended.append)
        await until(lambda: bool(ended))
        assert [one and one.errno for one in ended] == [errno.ECONNREFUSED]

    run_test(test)


def test_an_impossible_address_raises_immediately() -> None:
    """The system rejects the address without trying to connect."""

    async def test(made: Connections) -> None:
        with pytest.raises(OSError, match=r"unreachable|denied|not permitted|Invalid"):
            made.selector.connect(socket.AF_INET, ("255.255.255.255", 9), RecordingHandler(), lambda _: None)
        assert not made.selector.connections

    run_test(test)


def test_a_loop_without_descriptors_has_no_selector() -> None:
    """The proactor loop of Windows uses asyncio transports."""

    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    async def run() -> bool:
        return open_selector() is None

    with asyncio.Runner(loop_factory=Proactor) as runner:
        assert runner.run(run())


def test_a_system_without_epoll_has_no_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS uses asyncio transports."""
    monkeypatch.delattr(select, "epoll")

    async def run() -> bool:
        return open_selector() is None

    assert asyncio.run(run())
