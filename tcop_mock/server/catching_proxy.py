"""A proxy on loopback that forwards nothing: it answers the calls of a receiver to caught hosts.

It accepts requests as a proxy gets them (an absolute URL, or CONNECT). It also accepts them as the host itself would
(TLS with the name of the host, or its ``Host`` header), for clients whose connections are routed here. A receiver in
its own process finds the proxy by its environment, with files for the certificates.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tcop_mock.server.caught_hosts import CaughtHosts, to_stub_request, token_reply
from tcop_mock.server.certificates import TRUST_STORE_PASSWORD
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from tcop_mock.server.certificates import CertificateAuthority
    from tcop_mock.server.http_server import ByteReader, ByteWriter
    from tcop_mock.server.messages import ReceivedRequest

_READ_BYTES = 65_536
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it: tcp(7)."""
_T = TypeVar("_T")
_MAX_CONNECT_BYTES = 16_384
_MAX_HOSTS = 200
_MAX_HOST_CHARS = 253  # RFC 1035, 2.3.4
_HANDSHAKE = b"\x16"  # RFC 8446, 5.1: the type of a record
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK = "localhost,127.0.0.1,::1"
_OWN_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Read by clients that the proxy always gets, so they need no other certificates, which take long to read."""
_NODE_HOOK, _PYTHON_HOOK, _RUBY_HOOK = "catch.cjs", "sitecustomize.py", "catch.rb"
_RUBY_SCRIPT = """\
# Written by tcop-mock for one test run: Ruby asks no name server about a host that it calls through a proxy.
require "socket"

module TcopMockNames
  def getaddress(host)
    return super unless caller_locations(1, 1).first.path.end_with?("uri/generic.rb") # looks for addresses of loopback
    require "resolv"
    Resolv::Hosts.new.getaddress(host)
  rescue Resolv::ResolvError => error
    raise SocketError, error.message
  end
end
IPSocket.singleton_class.prepend(TcopMockNames)
"""
"""Net::HTTP looks up the host before it goes to the proxy, which takes seconds where no name server answers."""
_NODE_SCRIPT = """\
// Written by tcop-mock for one test run: what Node sends to other machines goes to a proxy, which passes nothing on.
const net = require('net')
const loopback = /^(localhost|127\\..*|::1|\\[::1\\]|0\\.0\\.0\\.0|::)$/i
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const list = Array.isArray(args[0]) ? args[0] : args
  const options = list[0]
  if (options && typeof options === 'object' && !options.path && [80, 443].includes(Number(options.port))) {
    const host = String(options.host || 'localhost')
    if (!loopback.test(host)) {
      list[0] = { ...options, host: '127.0.0.1', port: PROXY_PORT, lookup: undefined }
    }
  }
  return connect.apply(this, args)
}
"""
_PYTHON_SCRIPT = """\
# Written by tcop-mock for one test run: other machines' ports of HTTP lead to its proxy, which passes nothing on.
import os
import socket
import sys

_resolve = socket.getaddrinfo
_LOOPBACK = {"", "localhost", "::1", "0.0.0.0", "::"}
_LED = "127.84.67.79"  # the address of each name that is led; some clients keep the port of their URL


def _is_led(host, port):
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    is_local = name.lower() in _LOOPBACK or name.startswith(("127.", "::ffff:127."))
    return name == _LED or not is_local and str(port) in {"80", "443", "http", "https"}


def getaddrinfo(host, port, *arguments, **keywords):
    if _is_led(host, port):
        return _resolve(_LED, port, type=socket.SOCK_STREAM)
    return _resolve(host, port, *arguments, **keywords)


def _leading(call):
    def connect(sock, address, /):
        loopback = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::ffff:127.0.0.1"}.get(sock.family)
        is_tcp = loopback and sock.type == socket.SOCK_STREAM and isinstance(address, tuple)
        return call(sock, (loopback, PROXY_PORT) if is_tcp and _is_led(*address[:2]) else address)

    return connect


socket.getaddrinfo = getaddrinfo
socket.socket.connect = _leading(socket.socket.connect)  # loops that resolve names by themselves end up here
socket.socket.connect_ex = _leading(socket.socket.connect_ex)
_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
_own = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # the one that this file stands before
except ImportError:
    sys.modules["sitecustomize"] = _own  # site looks for it there
"""


class QuickReader:
    """Reads from a connection, and acknowledges what has arrived before it waits for more.

    Clients send the head and the body of a request apart. urllib3 turns Nagle's algorithm on for proxies, so it sends
    the body when the head is acknowledged, which Linux delays by 40 ms.

    Args:
        reader: bytes from the client.
        writer: has the socket.
    """

    def __init__(self, reader: ByteReader, writer: ByteWriter) -> None:
        self._reader, self._socket = reader, writer.get_extra_info("socket")

    async def read(self, n: int = _READ_BYTES, /) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
        if _QUICKACK is not None and self._socket is not None:
            with contextlib.suppress(OSError):  # the client is gone
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return await self._reader.read(n)


class TlsStream:
    """Reads and writes through TLS on the streams of a connection.

    Args:
        reader: encrypted bytes from the client.
        writer: encrypted bytes to the client.
        context: certificate and settings of the server.
        received: bytes that have been read from the connection already.
    """

    def __init__(self, reader: ByteReader, writer: ByteWriter, context: ssl.SSLContext, received: bytes = b"") -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(received)

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: the client refuses the certificate, or speaks no TLS.
            OSError: the client is gone.
        """
        await self._until_done(self._tls.do_handshake)

    async def read(self, n: int = _READ_BYTES, /) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
        try:
            return await self._until_done(lambda: self._tls.read(n))
        except ssl.SSLError:  # also where the client ends the connection without a word
            return b""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""
        self._tls.write(data)
        self._writer.write(self._outgoing.read())

    async def drain(self) -> None:
        """Wait until they are sent."""
        await self._writer.drain()

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return a property of the connection."""
        return self._writer.get_extra_info(name, default)

    async def _until_done(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                await self._flush()  # the TLS alert gives the reason
                raise
            else:
                await self._flush()
                return result
            data = await self._reader.read(_READ_BYTES)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()


@dataclass(slots=True)
class CallLog:
    """Calls that were not answered by a stub, by host."""

    refused: Counter[str] = field(default_factory=Counter)
    """Hosts that are not caught."""
    untrusted: Counter[str] = field(default_factory=Counter)
    """Caught hosts whose certificate, made by the run, the receiver's client rejected."""
    broken_off: Counter[str] = field(default_factory=Counter)
    """Caught hosts to which a TLS handshake ended without a word: the client refused the certificate, or was ended."""
    trusted: Counter[str] = field(default_factory=Counter)
    """Hosts to which a TLS handshake was completed."""
    encrypted: Counter[str] = field(default_factory=Counter)
    """Caught hosts that were called with TLS without an authority for their certificates."""
    nameless: Counter[str] = field(default_factory=Counter)
    """Caught hosts that were called with TLS and whose name no certificate can hold."""
    connections: int = 0
    """Number of connections to the proxy, failed ones included."""

    @property
    def is_any_taken(self) -> bool:
        """Whether there was a connection that was not refused."""
        return self.connections > self.refused.total()

    def failed_calls(self) -> Mapping[str, int]:
        """Return the number of calls to each host that were not answered."""
        return self.refused + self._distrusted + self.encrypted + self.nameless

    def advice(self, called: str) -> str:
        """Return what happened to the calls to a host that were not answered, and what to do."""
        line = next(line for line in self.hints() if f" to {called} w" in line)
        return f"{line}, and --no-catch leaves its calls alone"

    @property
    def _distrusted(self) -> Counter[str]:
        broken_off = Counter({host: count for host, count in self.broken_off.items() if host not in self.trusted})
        return self.untrusted + broken_off

    def hints(self) -> list[str]:
        """Return one line for each host whose calls were not answered: what happened, and what to do."""
        return [
            *(
                f"{_calls(host, count)} refused: --catch-host {host}=json answers"
                for host, count in self.refused.items()
            ),
            *(
                f"{_calls(host, count)} ended by a client that does not trust the certificate of this run"
                for host, count in self._distrusted.items()
            ),
            *(
                f"{_calls(host, count)} not answered, because they use TLS: install tcop-mock[run]"
                for host, count in self.encrypted.items()
            ),
            *(
                f"{_calls(host, count)} not answered, because no certificate can hold this name: use an ASCII name"
                for host, count in self.nameless.items()
            ),
        ]

    @staticmethod
    def count(counter: Counter[str], host: str) -> None:
        """Count one call; a receiver that calls endlessly many hosts does not fill the memory."""
        if host in counter or len(counter) < _MAX_HOSTS:
            counter[host] += 1


def _calls(host: str, count: int) -> str:
    return f"{count} {'call' if count == 1 else 'calls'} to {host} {'was' if count == 1 else 'were'}"


class CatchingProxy(HttpServer):
    """The proxy. Its environment for a receiver is in ``proxy_environment``.

    Args:
        answer: answers a request whose path begins with ``/service``, as the downstream recorder does.
        hosts: which hosts are caught.
        authority: issues certificates; without one, calls with TLS are refused.
        host: address to listen on.
        port: port to listen on; 0 chooses a free one.
    """

    reads_plain_requests = False  # a connection may begin with TLS

    def __init__(
        self,
        answer: Callable[[ReceivedRequest], Awaitable[Reply]],
        hosts: CaughtHosts | None = None,
        authority: CertificateAuthority | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(self._answer_absolute, host=host, port=port)
        self._answer, self._hosts, self._authority = answer, hosts or CaughtHosts(), authority
        self.log = CallLog()

    async def serve_requests(self, reader: ByteReader, writer: ByteWriter, received: bytes = b"") -> None:
        """Serve the requests of one connection: in a tunnel, inside TLS, or plain."""
        self.log.connections += 1
        reader = QuickReader(reader, writer)
        async with asyncio.timeout(self.timeout_s):
            received = received or await reader.read(_READ_BYTES)
        if received.startswith(b"CONNECT "):
            await self._serve_tunnel(reader, writer, received)
        elif received.startswith(_HANDSHAKE):
            await self._serve_tls(reader, writer, received, "")
        elif received:
            await super().serve_requests(reader, writer, received)

    async def _serve_tunnel(self, reader: ByteReader, writer: ByteWriter, received: bytes) -> None:
        async with asyncio.timeout(self.timeout_s):
            while b"\r\n\r\n" not in received and len(received) < _MAX_CONNECT_BYTES:
                more = await reader.read(_READ_BYTES)
                if not more:
                    return
                received += more
        head, _, rest = received.partition(b"\r\n\r\n")
        host = _host_of_authority(head.split(b" ", 2)[1].decode("latin-1"))
        if not self._hosts.service_of(host):
            self.log.count(self.log.refused, host)
            await self._write(writer, _refused_tunnel(host))
            return
        await self._write(writer, _ESTABLISHED)
        if not rest:
            async with asyncio.timeout(self.timeout_s):
                rest = await reader.read(_READ_BYTES)
        if rest.startswith(_HANDSHAKE):
            await self._serve_tls(reader, writer, rest, host)
        elif rest:
            await self._serve_host(reader, writer, rest, host)

    async def _serve_tls(self, reader: ByteReader, writer: ByteWriter, received: bytes, host: str) -> None:
        """Serve requests inside TLS; an empty host is the one that the client names in its first message."""
        if self._authority is None:
            self.log.count(self.log.encrypted, host or "?")
            return
        try:
            context, names = self._context(host)
        except ValueError:
            self.log.count(self.log.nameless, host)
            return
        stream = TlsStream(reader, writer, context, received)
        try:
            async with asyncio.timeout(self.timeout_s):
                await stream.handshake()
            self.log.count(self.log.trusted, host or names[-1])
            await self._serve_host(stream, stream, b"", host or names[-1])
        except ssl.SSLError as problem:
            name = host or (names or ["?"])[-1]
            counter = self.log.broken_off if isinstance(problem, ssl.SSLEOFError) else self.log.untrusted
            self.log.count(counter if self._hosts.service_of(name) else self.log.refused, name)

    def _context(self, host: str) -> tuple[ssl.SSLContext, list[str]]:
        """Return the TLS settings for a host, and a list to which the name in the client's first message is added.

        Raises:
            ValueError: no certificate can hold the name; one can hold any name in a first message, which is ASCII.
        """
        assert self._authority is not None  # noqa: S101 - _serve_tls has looked
        if host:
            return self._authority.server_context(host), []
        authority, names = self._authority, []

        def choose(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
            names.append((name or "unknown").lower())
            tls.context = authority.server_context(names[-1])

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        return context, names

    async def _serve_host(self, reader: ByteReader, writer: ByteWriter, received: bytes, host: str) -> None:
        """Serve the requests of a connection to one host."""

        async def answer(request: ReceivedRequest) -> Reply:
            return await self._answer_host(request, host)

        with contextlib.suppress(ssl.SSLError):  # the client left without a word
            await HttpServer(answer).serve_requests(reader, writer, received)

    async def _answer_absolute(self, request: ReceivedRequest) -> Reply:
        """Answer a request that names its host in its URL, or in its header."""
        target = urlsplit(request.path)
        path = f"{target.path or '/'}{f'?{target.query}' if target.query else ''}"
        host = target.hostname or _host_of_authority(request.header("host"))
        return await self._answer_host(replace(request, path=path), host)

    async def _answer_host(self, request: ReceivedRequest, host: str) -> Reply:
        service = self._hosts.service_of(host)
        if not service:
            self.log.count(self.log.refused, host)
            return Reply(HTTPStatus.FORBIDDEN, f"{_refusal(host)}\n".encode())
        return token_reply(service, request.path) or await self._answer(to_stub_request(request, service, host))


def _host_of_authority(authority: str) -> str:
    """Return the name in ``HOST[:PORT]``, in lower case and printable."""
    with contextlib.suppress(ValueError):
        authority = urlsplit(f"//{authority}").hostname or authority
    return "".join(char for char in authority.lower() if char.isprintable())[:_MAX_HOST_CHARS] or "?"


def _refusal(host: str) -> str:
    return f"tcop-mock passes nothing on: {host} is not caught; --catch-host {host}=json answers in its place"


def _refused_tunnel(host: str) -> bytes:
    body = f"{_refusal(host)}\n".encode()
    reason = f"not caught by tcop-mock (--catch-host {host}=json)"
    head = f"HTTP/1.1 403 {reason}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def proxy_environment(
    port: int, folder: Path, authority: CertificateAuthority | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a receiver whose calls the proxy at a port of 127.0.0.1 is to get.

    Args:
        port: where the proxy listens.
        folder: where files are written.
        authority: its certificates are to be trusted; without one, only calls without TLS can be answered.
        environ: the variables that the receiver has anyway; options of Node, Java, Ruby and Python are kept.
    """
    url = f"http://127.0.0.1:{port}"
    variables = {name: url for variable in _PROXY_VARIABLES for name in (variable, variable.lower())}
    variables |= {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK, "NODE_USE_ENV_PROXY": "1"}
    java = [
        f"-Dhttp{s}.proxy{key}={value}" for s in ("", "s") for key, value in (("Host", "127.0.0.1"), ("Port", port))
    ]
    if authority is not None:
        files = authority.write_files(folder)
        variables |= {"SSL_CERT_FILE": str(files.bundle), **dict.fromkeys(_OWN_VARIABLES, str(files.certificate))}
        java += [
            f"-Djavax.net.ssl.trustStore={files.trust_store}",
            f"-Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}",
            "-Djavax.net.ssl.trustStoreType=PKCS12",
        ]
    node, python, ruby = folder / _NODE_HOOK, folder / "python", folder / _RUBY_HOOK
    ruby.write_text(_RUBY_SCRIPT, encoding="utf-8")
    node.write_text(_NODE_SCRIPT.replace("PROXY_PORT", str(port)), encoding="utf-8")
    python.mkdir(exist_ok=True)
    (python / _PYTHON_HOOK).write_text(_PYTHON_SCRIPT.replace("PROXY_PORT", str(port)), encoding="utf-8")
    variables["JAVA_TOOL_OPTIONS"] = _joined(environ.get("JAVA_TOOL_OPTIONS"), " ", " ".join(java))
    variables["NODE_OPTIONS"] = _joined(environ.get("NODE_OPTIONS"), " ", f"--require={node}")
    variables["RUBYOPT"] = _joined(environ.get("RUBYOPT"), " ", f"-r{ruby}")
    variables["PYTHONPATH"] = _joined(str(python), ":", environ.get("PYTHONPATH"))
    return variables


def _joined(first: str | None, separator: str, second: str | None) -> str:
    return separator.join(filter(None, (first, second)))
