"""The calls of an app in this process to other machines, answered by our stubs as those of a receiver of ``--run``.

requests, httpx, aiohttp and urllib all resolve names by ``socket.getaddrinfo``, connect by ``socket.socket.connect``,
and begin TLS by ``ssl.SSLContext``. While calls are caught, these are replaced, and connections to other machines go to
the catching proxy. No environment variable is set: clients read those when they are created, and would keep them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tcop_mock.errors import UsageError
from tcop_mock.server.catching_proxy import CatchingProxy
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.server.certificates import CertificateAuthority
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from types import TracebackType

    from tcop_mock.server.catching_proxy import CallLog

_LOOPBACK, _MAPPED_LOOPBACK = "127.0.0.1", "::ffff:127.0.0.1"
_LED = "127.84.67.79"
"""The address of each name that is led to the proxy; some clients keep the port of their URL. It is this machine's own,
so nothing leaves it where a client connects by other means."""
_PORTS = {80, 443, "80", "443", "http", "https"}
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
_PROXY_PORTS = {"http": 80, "https": 443}
_STREAM_TYPES = {0, socket.SOCK_STREAM}


class CaughtConnections:
    """Routes connections of this process to the proxy: those to ports of HTTP, to caught hosts, and to other proxies.

    Args:
        port: port of the proxy at 127.0.0.1.
        hosts: the caught hosts, on any port.
        exempt: hosts whose connections are not routed.
        environ: variables that name other proxies, which clients may have read already.
    """

    _are_any_caught = False

    def __init__(
        self, port: int, hosts: CaughtHosts, exempt: Collection[str] = (), environ: Mapping[str, str] = os.environ
    ) -> None:
        self._port, self._hosts, self._exempt = port, hosts, frozenset(map(_plain_name, exempt))
        self._proxies = set(_proxies(environ))
        self._led: set[str] = set()
        self._is_active = False
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE  # it is our proxy, on this machine

    @contextmanager
    def active(self) -> Iterator[None]:
        """Lead connections to the proxy until the block ends.

        Raises:
            UsageError: connections of this process are led to another proxy already.
        """
        if CaughtConnections._are_any_caught:
            raise UsageError("the calls of this process are caught already; leave out one of both")
        with ExitStack() as stack:
            for owner, name, replacement in (
                (socket, "getaddrinfo", self._getaddrinfo()),
                (socket.socket, "connect", self._connect("connect")),
                (socket.socket, "connect_ex", self._connect("connect_ex")),
                (ssl.SSLContext, "wrap_socket", self._wrap_socket()),
                (ssl.SSLContext, "wrap_bio", self._wrap_bio()),
            ):
                stack.enter_context(_replaced(owner, name, replacement))
            stack.callback(self._set_active, is_active=False)  # first: kept replacements call the original
            self._set_active(is_active=True)
            yield

    def _set_active(self, *, is_active: bool) -> None:
        CaughtConnections._are_any_caught = self._is_active = is_active

    def _leads(self, host: object, port: object) -> bool:
        """Return whether a connection leads to the proxy; remember its host."""
        name = _plain_name(host)
        if not self._is_active or name in self._exempt:
            return False
        if name == _LED:
            return True
        is_led = (name, str(port)) in self._proxies
        is_led |= not _is_local(name) and (port in _PORTS or bool(self._hosts.service_of(name)))
        if is_led:
            self._led.add(name)
        return is_led

    def _is_our_tls(self, context: ssl.SSLContext, server_hostname: str | bytes | None) -> bool:
        """Return whether a client begins TLS with the proxy, whose certificate it need not trust."""
        if not self._is_active or context is self._tls or not server_hostname:
            return False
        name = _plain_name(server_hostname)
        return name not in self._exempt and (name in self._led or bool(self._hosts.service_of(name)))

    def _getaddrinfo(self) -> Any:  # noqa: ANN401 - the function of the module
        resolve: Any = socket.getaddrinfo

        def getaddrinfo(  # noqa: PLR0913, PLR0917 - the signature of the module
            host: Any,  # noqa: ANN401 - as above
            port: Any,  # noqa: ANN401 - as above
            family: int = 0,
            type: int = 0,  # noqa: A002 - as above
            proto: int = 0,
            flags: int = 0,
        ) -> Any:  # noqa: ANN401 - as above
            if type in _STREAM_TYPES and self._leads(host, port):
                return resolve(_LED, port, type=socket.SOCK_STREAM)
            return resolve(host, port, family, type, proto, flags)

        return getaddrinfo

    def _connect(self, name: str) -> Any:  # noqa: ANN401 - a method of sockets
        call: Any = getattr(socket.socket, name)

        def connect(sock: socket.socket, address: Any, /) -> Any:  # noqa: ANN401 - the signature of sockets
            is_stream = sock.family in {socket.AF_INET, socket.AF_INET6} and sock.type == socket.SOCK_STREAM
            if is_stream and isinstance(address, tuple) and self._leads(*address[:2]):
                loopback = _LOOPBACK if sock.family == socket.AF_INET else _MAPPED_LOOPBACK
                return call(sock, (loopback, self._port))
            return call(sock, address)

        return connect

    def _wrap_socket(self) -> Any:  # noqa: ANN401 - a method of TLS contexts
        wrap: Any = ssl.SSLContext.wrap_socket

        def wrap_socket(  # noqa: PLR0913, PLR0917 - the signature of TLS contexts
            context: ssl.SSLContext,
            sock: socket.socket,
            server_side: bool = False,  # noqa: FBT001, FBT002 - as above
            do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002 - as above
            suppress_ragged_eofs: bool = True,  # noqa: FBT001, FBT002 - as above
            server_hostname: str | bytes | None = None,
            session: ssl.SSLSession | None = None,
        ) -> Any:  # noqa: ANN401 - as above
            if not server_side and self._is_our_tls(context, server_hostname):
                context, session = self._tls, None
            return wrap(
                context, sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
            )

        return wrap_socket

    def _wrap_bio(self) -> Any:  # noqa: ANN401 - a method of TLS contexts
        wrap: Any = ssl.SSLContext.wrap_bio

        def wrap_bio(  # noqa: PLR0913, PLR0917 - the signature of TLS contexts
            context: ssl.SSLContext,
            incoming: ssl.MemoryBIO,
            outgoing: ssl.MemoryBIO,
            server_side: bool = False,  # noqa: FBT001, FBT002 - as above
            server_hostname: str | bytes | None = None,
            session: ssl.SSLSession | None = None,
        ) -> Any:  # noqa: ANN401 - as above
            if not server_side and self._is_our_tls(context, server_hostname):
                context, session = self._tls, None
            return wrap(context, incoming, outgoing, server_side, server_hostname, session)

        return wrap_bio


@contextmanager
def _replaced(owner: Any, name: str, replacement: object) -> Iterator[None]:  # noqa: ANN401 - a module or a class
    """Replace an attribute for the time, unless somebody else has replaced it by then."""
    attributes: Any = vars(owner)
    is_own, original = name in attributes, getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if attributes.get(name) is replacement:
            if is_own:
                setattr(owner, name, original)
            else:  # it is inherited
                delattr(owner, name)


def _plain_name(host: object) -> str:
    """Return a host in lower case, without a last dot and the zone of an address."""
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else str(host or "")
    return text.lower().partition("%")[0].rstrip(".")


def _is_local(name: str) -> bool:
    with suppress(ValueError):
        address = ip_address(name)
        mapped = getattr(address, "ipv4_mapped", None) or address
        return bool(mapped.is_loopback or mapped.is_unspecified)
    return name in {"", "localhost"} or name.endswith(".localhost")  # RFC 6761, 6.3


def _proxies(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield host and port of each proxy that the environment names."""
    for variable, text in environ.items():
        if variable.lower() in _PROXY_VARIABLES and text:
            with suppress(ValueError):
                url = urlsplit(text if "://" in text else f"http://{text}")
                port = str(url.port or _PROXY_PORTS.get(url.scheme) or "")
                yield _plain_name(url.hostname or ""), port


class AppCalls:
    """Catches the calls of this process inside a ``with`` block.

    Args:
        hosts: the caught hosts; by default those of the known services.
        recorder: records the messages to these hosts.
        exempt: hosts whose connections are not routed.
    """

    def __init__(
        self,
        hosts: CaughtHosts | None = None,
        recorder: DownstreamRecorder | None = None,
        exempt: Collection[str] = (),
    ) -> None:
        self._hosts, self._exempt = hosts or CaughtHosts(), exempt
        self.recorder = recorder or DownstreamRecorder()
        authority = CertificateAuthority.create()
        self.catches_tls = authority is not None
        """Whether calls with TLS are answered, too."""
        self._proxy = CatchingProxy(self.recorder.answer, self._hosts, authority)
        self._stack = ExitStack()

    @property
    def log(self) -> CallLog:
        """The calls that were not answered."""
        return self._proxy.log

    def __enter__(self) -> Self:
        """Catch calls from now on.

        Raises:
            UsageError: the calls of this process are caught already.
        """
        with ExitStack() as stack:
            port = stack.enter_context(_serving(self._proxy))
            stack.enter_context(CaughtConnections(port, self._hosts, self._exempt).active())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


@contextmanager
def _serving(proxy: CatchingProxy) -> Iterator[int]:
    """Run a proxy in a separate thread, because the app may call it while it blocks ours; yield its port."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with proxy:
            started.set_result((asyncio.get_running_loop(), stop, proxy.port))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as problem:
            if started.done():
                raise
            started.set_exception(problem)  # raised again in the caller's thread

    def stop_serving(_: object) -> None:
        if started.exception() is None:
            loop, stop, _port = started.result()
            with suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(stop.set)

    thread = threading.Thread(target=run, name="tcop-mock-proxy", daemon=True)
    thread.start()
    try:
        yield started.result()[2]
    finally:  # also after Ctrl-C while it starts
        started.add_done_callback(stop_serving)
        thread.join()
