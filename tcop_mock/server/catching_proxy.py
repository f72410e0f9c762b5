"""A proxy on loopback that passes nothing on: it answers the calls of a receiver to hosts that are caught.

It takes requests as a proxy gets them (an absolute URL, or CONNECT), and as the host itself would (TLS with the name of
the host, or its ``Host`` header), for clients that are led here without knowing of a proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tcop_mock.server.caught_hosts import CaughtHosts, to_stub_request, token_reply
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import Reply
from tcop_mock.server.tls_stream import TlsStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.server.certificates import CertificateAuthority
    from tcop_mock.server.http_server import ByteReader, ByteWriter
    from tcop_mock.server.messages import ReceivedRequest

_READ_BYTES = 65_536
_MAX_CONNECT_BYTES = 16_384
_MAX_HOSTS = 200
_MAX_HOST_CHARS = 253  # RFC 1035, 2.3.4
_HANDSHAKE = b"\x16"  # RFC 8446, 5.1: the type of a record
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(slots=True)
class CallLog:
    """Calls that were not answered by a stub, by host."""

    refused: Counter[str] = field(default_factory=Counter)
    """Hosts that are not caught."""
    untrusted: Counter[str] = field(default_factory=Counter)
    """Caught hosts whose certificate of ours the receiver's client did not accept."""
    broken_off: Counter[str] = field(default_factory=Counter)
    """Caught hosts to which a TLS handshake ended without a word: the client refused the certificate, or was ended."""
    trusted: Counter[str] = field(default_factory=Counter)
    """Hosts to which a TLS handshake was completed."""
    encrypted: Counter[str] = field(default_factory=Counter)
    """Caught hosts that were called with TLS while there is no authority to answer with a certificate."""
    nameless: Counter[str] = field(default_factory=Counter)
    """Caught hosts that were called with TLS and whose name no certificate can hold."""
    connections: int = 0
    """Connections to the proxy, whatever came of them."""

    @property
    def is_any_taken(self) -> bool:
        """Whether there was a connection that was not refused."""
        return self.connections > self.refused.total()

    def hints(self) -> list[str]:
        """Return one line for each host whose calls were not answered: what happened, and what to do."""
        broken_off = Counter({host: count for host, count in self.broken_off.items() if host not in self.trusted})
        return [
            *(
                f"{_calls(host, count)} refused: --catch-host {host}=json answers"
                for host, count in self.refused.items()
            ),
            *(
                f"{_calls(host, count)} ended by a client that does not trust the certificate of this run"
                for host, count in (self.untrusted + broken_off).items()
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
