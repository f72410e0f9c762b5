"""The way to a receiver, step by step: addresses, connections, TLS. Nothing is sent over any of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tcop_mock.model.examination import Certificate, Connected, TlsSeen
from tcop_mock.send.dial import dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.model.target import Target

_WHATEVER_THE_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the standard library has no name for."""


async def probe_connection(entry: tuple[Any, ...], deadline_s: float, clock: Callable[[], float]) -> Connected:
    """Connect to one address, as ``getaddrinfo`` gives it, and leave again."""
    family, kind, protocol, _, address = entry
    started_s, problem = clock(), ""
    try:
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(0)
            async with asyncio.timeout(deadline_s):
                await asyncio.get_running_loop().sock_connect(sock, address)
    except TimeoutError:
        problem = f"no connection inside {deadline_s:g} s"
    except OSError as refused:
        problem = refused.strerror or str(refused)
    return Connected(str(address[0]), family == socket.AF_INET6, clock() - started_s, problem)


async def shake_hands(target: Target, deadline_s: float, resolve: Callable[..., Any]) -> TlsSeen:
    """Say how a session comes about, and what the certificate says even where nobody should trust it."""
    try:
        async with asyncio.timeout(deadline_s):
            session = await _session(target, ssl.create_default_context(), resolve)
            return TlsSeen(str(session.version()), _certificate(session))
    except ssl.SSLCertVerificationError as refused:
        problem, code = refused.verify_message, refused.verify_code
    except TimeoutError:
        return TlsSeen(problem=f"no session inside {deadline_s:g} s")
    except OSError as broken:
        return TlsSeen(problem=getattr(broken, "reason", None) or broken.strerror or str(broken))
    with contextlib.suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(deadline_s):
            session = await _session(target, _trusting(None), resolve)
            seen = await _session(target, _trusting(session.getpeercert(binary_form=True)), resolve)
            return TlsSeen(str(seen.version()), _certificate(seen), problem, code)
    return TlsSeen("", None, problem, code)


async def _session(target: Target, context: ssl.SSLContext, resolve: Callable[..., Any]) -> ssl.SSLObject:
    line = await dial(target, context, resolve)
    try:
        session: ssl.SSLObject = line.writer.get_extra_info("ssl_object")
        return session
    finally:
        line.writer.transport.abort()


def _trusting(certificate: bytes | None) -> ssl.SSLContext:
    """Return a context that takes this certificate alone, out of date or not; or any, of which it then tells nothing.

    The standard library reads no certificate that was not verified, so one that is not to be trusted is asked for
    once more, and trusted for that.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if certificate is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=certificate)
        context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _WHATEVER_THE_TIME)
    return context


def _certificate(session: ssl.SSLObject) -> Certificate:
    told: Any = session.getpeercert()
    issuer = [f"{value}" for part in told["issuer"] for _, value in part]
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), UTC)
    return Certificate(tuple(value for _, value in told.get("subjectAltName", ())), ", ".join(issuer), ends)
