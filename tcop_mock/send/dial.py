"""Open a connection: resolve, connect, TLS. Each way to fail has an error of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohappyeyeballs

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohappyeyeballs import AddrInfoType

    from tcop_mock.model.target import Target

_NEXT_ADDRESS_S = 0.25
"""Head start of one address before the next is tried beside it (RFC 8305, section 8)."""


class ResolveError(OSError):
    """The host name did not resolve."""


class Line(NamedTuple):
    """Both ends of an open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def dial(target: Target, tls: ssl.SSLContext | None, resolve: Callable[..., Any] = socket.getaddrinfo) -> Line:
    """Open a connection of one's own to a target; no proxy is asked.

    Raises:
        ResolveError: the name did not resolve.
        ssl.SSLError: no TLS session.
        OSError: refused or unreachable.
    """
    addresses = await _resolved(target.host, target.port, resolve)
    sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = target.host if tls else None
        return Line(*await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name))
    except ssl.SSLError:
        sock.close()
        raise
    except OSError as problem:  # the connection stood, so it broke in the handshake
        sock.close()
        raise ssl.SSLError(f"the connection ended in the handshake: {problem}") from problem
    except asyncio.CancelledError:
        sock.close()
        raise


async def _resolved(host: str, port: int, resolve: Callable[..., Any]) -> list[AddrInfoType]:
    """Look a name up in a thread that nobody waits for: a resolver that hangs must not hang our exit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[AddrInfoType]] = loop.create_future()

    def settle(found: list[AddrInfoType] | None, problem: ResolveError | None) -> None:
        if answer.done():
            return
        if problem is not None:
            answer.set_exception(problem)
        else:
            answer.set_result(found or [])

    def look_up() -> None:
        found, problem = None, None
        try:
            found = resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as failure:
            problem = ResolveError(f"{host} does not resolve: {getattr(failure, 'strerror', None) or failure}")
        with contextlib.suppress(RuntimeError):  # the loop is closed: whoever asked has gone
            loop.call_soon_threadsafe(settle, found, problem)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    return await answer
