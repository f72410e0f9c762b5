"""Opens connections: resolve, connect, TLS. Each kind of failure raises its own error."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import aiohappyeyeballs

from tcop_mock.domain.diagnosis import Certificate, ConnectionProbe, TlsProbe
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions
from tcop_mock.errors import UsageError
from tcop_mock.transport.outcomes import ResolveError, error_text, missing_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohappyeyeballs import AddrInfoType

    from tcop_mock.domain.target import Target


T = TypeVar("T")

Addresses: TypeAlias = "Sequence[AddrInfoType]"

"""The addresses of a host name."""

_HAPPY_EYEBALLS_DELAY_S = 0.25

"""Delay before the next address is tried in parallel (RFC 8305, section 8)."""


class Connection(NamedTuple):
    """Both ends of an open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def connect_streams(
    target: Target,
    tls: ssl.SSLContext | None,
    resolve: Callable[..., Any] = socket.getaddrinfo,
    on_resolved: Callable[[], object] = int,
) -> Connection:
    """Open a new connection to a target, without a proxy.

    Args:
        target: the target.
        tls: for a TLS session.
        resolve: function that resolves a host name; may block.
        on_resolved: called when a host name has been resolved; not for an address.

    Raises:
        ResolveError: the name did not resolve.
        ssl.SSLError: no TLS session.
        OSError: refused or unreachable.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    addresses = await resolve_host(target.host, target.port, resolve, on_resolved)
    transport = await probe_tcp(lambda: protocol, target, tls, addresses)
    return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def probe_tcp(
    protocol: Callable[[], asyncio.BaseProtocol],
    target: Target,
    tls: ssl.SSLContext | None,
    addresses: Addresses,
) -> asyncio.Transport:
    """Connect to the first address that accepts the connection.

    Raises:
        ssl.SSLError: no TLS session.
        OSError: refused or unreachable.
    """
    sock = await connect_socket(addresses)
    server_hostname = target.host.partition("%")[0].rstrip(".") if tls else None  # without the last dot (RFC 6066, 3)
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(protocol, sock=sock, ssl=tls, server_hostname=server_hostname)
    except BaseException as problem:
        sock.close()
        if isinstance(problem, OSError) and not isinstance(problem, ssl.SSLError):  # the TCP connection was open
            raise ssl.SSLError(f"the connection ended in the handshake: {problem}") from problem
        raise
    return transport


async def connect_socket(addresses: Addresses) -> socket.socket:
    """Return a non-blocking socket, connected to the first address that accepts the connection.

    Raises:
        OSError: refused or unreachable.
    """
    sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY_S)
    peer = None
    with contextlib.suppress(OSError):  # it was reset already; the caller gets that error when it uses the socket
        peer = sock.getpeername()
    if sock.getsockname() == peer:  # no listener: the system assigned that port to this socket, connected to itself
        sock.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return sock


def tls_context(*, insecure: bool, options: ConnectionOptions = DEFAULTS) -> ssl.SSLContext:
    """Return a TLS context that verifies certificates, or not; creating it takes some 20 ms.

    Raises:
        UsageError: a file of the options cannot be used; names the file and the reason.
    """
    context = ssl.create_default_context()
    if options.cacert:
        context = _with_files("--cacert", options.cacert, lambda: ssl.create_default_context(cafile=options.cacert))
    if options.cert:
        load = partial(context.load_cert_chain, options.cert, options.key or None, password=_no_password)
        _with_files("--cert", options.cert, load)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _with_files(flag: str, file: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except FileNotFoundError as problem:
        raise UsageError(f"{flag} {file!r}: {problem.filename or 'it, or the file of --key,'} is not there") from None
    except ssl.SSLError as problem:
        reason = (problem.reason or "no PEM").lower().replace("_", " ")
        advice = "write PEM, and a key without a password"
        raise UsageError(f"{flag} {file!r} cannot be used: {reason}; {advice}") from None
    except OSError as problem:
        raise UsageError(f"{flag} {file!r} cannot be read: {problem.strerror}") from None


def _no_password() -> str:
    """Return no password: OpenSSL would ask for one on the terminal."""
    return ""


def resolver_of(options: ConnectionOptions) -> Callable[..., Any]:
    """Return a replacement of ``socket.getaddrinfo`` that uses the addresses of ``--resolve``."""

    def resolve(host: str, port: int, **keywords: Any) -> Any:  # noqa: ANN401 - of getaddrinfo
        return socket.getaddrinfo(options.address_of(host, port), port, **keywords)

    return resolve if options.addresses else socket.getaddrinfo


async def resolve_host(
    host: str, port: int, resolve: Callable[..., Any], on_resolved: Callable[[], object] = int
) -> Addresses:
    """Resolve a name in a daemon thread, so that a hanging resolver does not block the exit.

    IP addresses need no lookup and no thread, and ``on_resolved`` is not called.

    Raises:
        ResolveError: the name did not resolve.
    """
    with contextlib.suppress(OSError, UnicodeError):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    future: Future[Addresses] = Future()
    future.set_running_or_notify_cancel()  # the result can be set even after the caller was cancelled

    def look_up() -> None:
        try:
            future.set_result(resolve(host, port, type=socket.SOCK_STREAM))
        except BaseException as problem:  # noqa: BLE001 - raised again in the awaiting task
            future.set_exception(problem)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    try:
        addresses = await asyncio.wrap_future(future)
    except (OSError, UnicodeError) as problem:
        raise ResolveError(f"{host} does not resolve: {getattr(problem, 'strerror', None) or problem}") from problem
    on_resolved()
    return addresses


_NO_CHECK_TIME = 0x200000

"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the standard library has no name for it."""


async def probe_connection(entry: tuple[Any, ...], deadline_s: float, clock: Callable[[], float]) -> ConnectionProbe:
    """Connect to one address in the form of ``getaddrinfo``, and disconnect."""
    family, kind, protocol, _, address = entry
    started_s, problem = clock(), ""
    try:
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(0)
            async with asyncio.timeout(deadline_s):
                await asyncio.get_running_loop().sock_connect(sock, address)
    except TimeoutError:
        problem = missing_detail("connection", deadline_s)
    except OSError as refused:
        problem = error_text(refused)
    return ConnectionProbe(str(address[0]), family == socket.AF_INET6, clock() - started_s, problem)


async def probe_tls(
    target: Target, deadline_s: float, resolve: Callable[..., Any], options: ConnectionOptions = DEFAULTS
) -> TlsProbe:
    """Return the TLS version and certificate of a target, even if the certificate is not trusted."""
    try:
        async with asyncio.timeout(deadline_s):
            session = await _open_tls_session(target, tls_context(insecure=False, options=options), resolve)
            return TlsProbe(str(session.version()), _read_certificate(session))
    except ssl.SSLCertVerificationError as verify_error:
        problem, code = verify_error.verify_message, verify_error.verify_code
    except TimeoutError:
        return TlsProbe(error=missing_detail("session", deadline_s))
    except OSError as connection_error:
        return TlsProbe(
            error=getattr(connection_error, "reason", None) or connection_error.strerror or str(connection_error)
        )
    with contextlib.suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(deadline_s):
            session = await _open_tls_session(target, _context_trusting(None), resolve)
            trusted_session = await _open_tls_session(
                target, _context_trusting(session.getpeercert(binary_form=True)), resolve
            )
            return TlsProbe(str(trusted_session.version()), _read_certificate(trusted_session), problem, code)
    return TlsProbe("", None, problem, code)


async def _open_tls_session(target: Target, context: ssl.SSLContext, resolve: Callable[..., Any]) -> ssl.SSLObject:
    connection = await connect_streams(target, context, resolve)
    try:
        session: ssl.SSLObject = connection.writer.get_extra_info("ssl_object")
        return session
    finally:
        connection.writer.transport.abort()


def _context_trusting(certificate: bytes | None) -> ssl.SSLContext:
    """Return a context that trusts only this certificate, even if it has expired; ``None`` trusts every certificate.

    The standard library parses only verified certificates. So an untrusted certificate is fetched first, and then
    trusted for a second connection that parses it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if certificate is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=certificate)
        context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    return context


def _read_certificate(session: ssl.SSLObject) -> Certificate:
    fields: Any = session.getpeercert()
    issuer = [f"{value}" for part in fields["issuer"] for _, value in part]
    expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(fields["notAfter"]), UTC)
    return Certificate(tuple(value for _, value in fields.get("subjectAltName", ())), ", ".join(issuer), expires_at)
