"""Connections that are served together: what a transport of asyncio's does, these do."""

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


class Reader:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.told: list[str] = []
        self.lost: Exception | None = None
        self.on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def receive(self, data: bytes) -> None:
        """Keep what comes."""
        self.data += data
        self.on_data()

    def eof_received(self) -> None:
        """Note it."""
        self.told.append("eof")

    def pause_writing(self) -> None:
        """Note it."""
        self.told.append("paused")

    def resume_writing(self) -> None:
        """Note it."""
        self.told.append("resumed")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it, and why."""
        self.told.append("lost")
        self.lost = exc


class Ends(NamedTuple):
    """Both ends of a connection."""

    reader: Reader
    peer: socket.socket


class Several:
    """Some channels, and how to have more of them."""

    def __init__(self, listener: socket.socket, stack: contextlib.ExitStack) -> None:
        self.selector = EpollSelector(asyncio.get_running_loop())
        self._listener, self._stack = listener, stack

    def opened(self) -> Ends:
        """Return both ends of one more connection."""
        sock = socket.create_connection(self._listener.getsockname())
        sock.settimeout(0)
        peer = self.accepted()
        reader = Reader()
        self.selector.add(sock, reader)
        return Ends(reader, peer)

    def accepted(self) -> socket.socket:
        """Return the other end of a connection that was made."""
        return self._stack.enter_context(self._listener.accept()[0])


@contextlib.contextmanager
def several() -> Iterator[Several]:
    """Open channels for a while; at the end, none is left."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        made = Several(listener, stack)
        try:
            yield made
        finally:
            for one in list(made.selector.connections.values()):
                one.abort()  # type: ignore[union-attr]  # what was dialled has ended by now
            made.selector.close()


def ran(test: Callable[[Several], Coroutine[None, None, None]]) -> None:
    """Run a test in an event loop."""

    async def run() -> None:
        with several() as made:
            await test(made)

    asyncio.run(run())


async def until(told: Callable[[], bool]) -> None:
    """Wait for something, for some seconds at the most."""
    async with asyncio.timeout(20):
        while not told():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def test_what_is_written_comes_and_what_comes_is_read() -> None:
    """Both ways, and the end of it: the reader hears of it, and that the connection is lost without a fault."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        reader.transport.write(b"ping")
        assert peer.recv(9) == b"ping"
        peer.sendall(b"pong")
        await until(lambda: reader.data == b"pong")
        peer.close()
        await until(lambda: reader.told == ["eof", "lost"])
        assert reader.lost is None
        assert not made.selector.connections

    ran(test)


def test_what_does_not_fit_is_written_when_there_is_room() -> None:
    """Of more than the system takes at once nothing is lost, nor of what is written behind it; the reader hears so."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        reader.transport.write(MUCH)
        reader.transport.write(b"more")
        assert reader.told == ["paused"]
        peer.settimeout(0)
        got = bytearray()
        async with asyncio.timeout(20):
            while len(got) < len(MUCH) + 4:
                got += await asyncio.get_running_loop().sock_recv(peer, 1 << 20)
        assert bytes(got) == MUCH + b"more"
        await until(lambda: reader.told[-1] == "resumed")
        reader.transport.write(MUCH)  # a second time, from the beginning: nothing fits any more
        reader.transport.abort()
        await until(lambda: reader.told[-1] == "lost")

    ran(test)


def test_a_socket_that_takes_nothing_keeps_what_is_written() -> None:
    """All of it waits, and is sent when the other side has read."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        reader.transport.write(MUCH)
        channel = next(iter(made.selector.connections.values()))
        channel.handle_event(select.EPOLLOUT)  # nothing more fits yet
        peer.settimeout(0)
        got = 0
        async with asyncio.timeout(20):
            while got < len(MUCH):
                got += len(await asyncio.get_running_loop().sock_recv(peer, 1 << 20))
        await until(lambda: reader.told[-1] == "resumed")

    ran(test)


def test_a_call_for_nothing_is_no_end() -> None:
    """Where nothing has come after all, nothing is read."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        channel = next(iter(made.selector.connections.values()))
        channel.handle_event(select.EPOLLIN)
        assert (reader.data, reader.told) == (b"", [])
        peer.sendall(b"now")
        await until(lambda: reader.data == b"now")

    ran(test)


@pytest.mark.parametrize("writes", [False, True])
def test_a_connection_that_breaks_is_lost_with_its_fault(writes: bool) -> None:  # noqa: FBT001 - a parameter
    """Found while reading, or while writing: told once."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # so that closing resets
        peer.close()
        if writes:
            reader.transport.write(b"x")
            reader.transport.write(b"y")
        await until(lambda: reader.told == ["lost"])
        assert isinstance(reader.lost, ConnectionResetError | BrokenPipeError)

    ran(test)


def test_one_that_another_has_closed_in_the_same_turn_is_not_served() -> None:
    """Both are ready, and the first aborts the second: that reads nothing any more."""

    async def test(made: Several) -> None:
        one, other = made.opened(), made.opened()
        one.reader.on_data = other.reader.transport.abort
        other.reader.on_data = one.reader.transport.abort
        one.peer.sendall(b"a")
        other.peer.sendall(b"b")
        await until(lambda: "lost" in one.reader.told + other.reader.told)
        assert sorted([one.reader.data, other.reader.data]) in ([b"", b"a"], [b"", b"b"])

    ran(test)


def test_one_that_breaks_is_told_before_those_behind_it_are_read() -> None:
    """Who writes when another is read knows by then that this one is lost."""

    async def test(made: Several) -> None:
        broken, other = made.opened(), made.opened()
        seen: list[list[str]] = []
        other.reader.on_data = lambda: seen.append(broken.reader.told.copy())
        broken.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # so that closing resets
        broken.peer.close()
        other.peer.sendall(b"x")
        await until(lambda: bool(seen))
        assert seen == [["lost"]]

    ran(test)


def test_one_that_somebody_else_holds_too_is_over_when_it_ends() -> None:
    """As a child that was forked meanwhile: the set does not go on to tell of it, which would be without end."""

    async def test(made: Several) -> None:
        reader, peer = made.opened()
        [descriptor] = made.selector.connections
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM):
            peer.close()
            await until(lambda: "lost" in reader.told)
            assert made.selector.epoll.poll(0) == []

    ran(test)


def test_what_is_written_in_a_turn_is_sent_when_all_are_read() -> None:
    """Two that answer what they read: both have read before either is sent."""

    async def test(made: Several) -> None:
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

    ran(test)


def test_a_turn_ends_also_where_more_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop has other callbacks; what is left is served in its next turn."""
    monkeypatch.setattr("tcop_mock.load.epoll._MAX_POLLS", 1)
    monkeypatch.setattr("tcop_mock.load.epoll._MAX_EVENTS", 1)

    async def test(made: Several) -> None:
        pairs = [made.opened(), made.opened(), made.opened()]
        for pair in pairs:
            pair.peer.sendall(b"x")
        made.selector._handle_ready()
        assert sorted(pair.reader.data for pair in pairs) == [b"", b"", b"x"]
        await until(lambda: all(pair.reader.data for pair in pairs))

    ran(test)


def test_a_fault_in_one_leaves_the_others_as_they_were() -> None:
    """It is told to the loop; what is written afterwards is sent."""

    async def test(made: Several) -> None:
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

    ran(test)


def test_dialling_ends_with_a_connection() -> None:
    """Whoever dials is told when it is there, and not before."""

    async def test(made: Several) -> None:
        reader, ended = Reader(), list[OSError | None]()
        address = made._listener.getsockname()
        made.selector.connect(socket.AF_INET, address, reader, ended.append)
        assert ended == []
        await until(lambda: bool(ended))
        assert ended == [None]
        reader.transport.write(b"hello")
        assert made.accepted().recv(9) == b"hello"

    ran(test)


def test_dialling_ends_with_what_the_system_says() -> None:
    """Nobody listens; or it is given up."""

    async def test(made: Several) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        ended: list[OSError | None] = []
        made.selector.connect(socket.AF_INET, address, Reader(), ended.append)
        await until(lambda: bool(ended))
        made.selector.connect(socket.AF_INET, made._listener.getsockname(), Reader(), ended.append).cancel()
        assert [one and one.errno for one in ended] == [errno.ECONNREFUSED, errno.ECANCELED]
        assert not made.selector.connections

    ran(test)


def test_a_connection_to_itself_is_none() -> None:
    """Where nobody listens at a port of those that are given to who dials, the system may give out that very one."""

    async def test(made: Several) -> None:
        ended: list[OSError | None] = []
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        PendingConnection(made.selector, sock, sock.getpeername(), Reader(), ended.append)
        await until(lambda: bool(ended))
        assert [one and one.errno for one in ended] == [errno.ECONNREFUSED]

    ran(test)


def test_what_cannot_be_dialled_is_said_at_once() -> None:
    """An address that the system does not even try."""

    async def test(made: Several) -> None:
        with pytest.raises(OSError, match=r"unreachable|denied|not permitted|Invalid"):
            made.selector.connect(socket.AF_INET, ("255.255.255.255", 9), Reader(), lambda _: None)
        assert not made.selector.connections

    ran(test)


def test_a_loop_that_waits_for_no_descriptors_has_none() -> None:
    """As that of Windows: the connections are asyncio's there."""

    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    async def run() -> bool:
        return open_selector() is None

    with asyncio.Runner(loop_factory=Proactor) as runner:
        assert runner.run(run())


def test_a_system_without_epoll_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS: the same."""
    monkeypatch.delattr(select, "epoll")

    async def run() -> bool:
        return open_selector() is None

    assert asyncio.run(run())
