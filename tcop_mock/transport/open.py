"""Transports to targets: a URL, an app or a parser by name, an app, a client or a callable at hand."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.target import DEFAULTS, ConnectionOptions, Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.caller import run_beside
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.transport.client import Client

_EXPECTED = "a URL, an ASGI or WSGI app, a test client, 'module:app', or a callable that takes a callback"
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A receiver that can be sent to.

    Args:
        target: its address; for an app or a callable at hand, its name.
        transport: sends requests to it.
        has_address: whether a command line can name it, too.
        takes_parsed_body: whether it is a callable that gets the JSON value of each body and no HTTP request.
        uses_client: whether a client of the user sends the requests.
    """

    target: Target
    transport: Transport
    has_address: bool = True
    takes_parsed_body: bool = False
    uses_client: bool = False

    async def shut_down(self) -> None:
        """Shut down an app that was started in the running event loop."""
        shut_down = getattr(self.transport, "shut_down", None)
        if shut_down is not None:
            await shut_down()


@contextmanager
def open_transport(
    target: Target,
    max_body_bytes: int,
    *,
    insecure: bool = False,
    connection: ConnectionOptions = DEFAULTS,
    headers: tuple[tuple[str, str], ...] = (),
) -> Iterator[Transport]:
    """Yield a transport to a URL, or to an app or a parser in this process, on the clock of :func:`monotonic_s`.

    Args:
        target: the target.
        max_body_bytes: how many bytes of a response body are read.
        insecure: do not verify the certificate of an https URL.
        connection: authorities, client certificate, addresses of host names; for a URL.
        headers: are added to each request that has no header of that name; for a receiver.

    Raises:
        UsageError: the app or parser does not exist, or a file of ``connection`` cannot be used.
    """
    if not target.app:
        own = HttpTransport(
            target, max_body_bytes=max_body_bytes, insecure=insecure, connection=connection, clock=monotonic_s
        )
        yield HeaderTransport(own, headers) if headers else own
        return
    if target.parser:
        from tcop_mock.transport.parser import parser_transport  # noqa: PLC0415 - not needed for URLs

        with parser_transport(target, clock=monotonic_s) as parser:
            yield parser
        return
    from tcop_mock.transport.app import transport_by_name  # noqa: PLC0415 - not needed for URLs

    with transport_by_name(target, max_body_bytes=max_body_bytes, clock=monotonic_s) as transport:
        yield HeaderTransport(transport, headers) if headers else transport


@dataclass(frozen=True, slots=True)
class HeaderTransport:
    """A transport that adds headers, such as a token of a gateway, which no report and no evidence then holds."""

    transport: Transport
    headers: tuple[tuple[str, str], ...]

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        own = {name.lower() for name, _ in request.headers}
        added = tuple(pair for pair in self.headers if pair[0].lower() not in own)
        request = replace(request, headers=(*request.headers, *added))
        return await self.transport(request, deadline_s=deadline_s, intended_s=intended_s)


def runner_for(target: Target) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return the function that runs coroutines to completion, for code without an event loop.

    An app in this process is called in the thread of the caller; see :mod:`tcop_mock.transport.caller`.
    """
    return run_beside if target.app and not target.parser else asyncio.run


def resolve_target(value: object) -> Target:
    """Return the target that a value names.

    Args:
        value: a URL, ``module:app``, a :class:`Target`, an ASGI or WSGI app, a client, a callable that takes a
            callback, or a pair of an app or a client and a path.

    Raises:
        UsageError: the value is none of these.
    """
    if isinstance(value, Target):
        return value
    if isinstance(value, str):
        return Target.parse(value)
    receiver, path = _with_path(value)
    client = _client_of(receiver, path)
    if client is not None:
        return client.target
    if not callable(receiver):
        raise UsageError(f"the target is of type {type(receiver).__name__}; give {_EXPECTED}")
    described: Any = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    app = f"{described.__module__}:{described.__qualname__}"
    return Target("http", "localhost", _HTTP_PORT, path or "/", app=app)


def _with_path(value: object) -> tuple[Any, str]:
    """Return an app or a client, and the path of the callbacks if a pair names one.

    Raises:
        UsageError: the second item of the pair is not a path.
    """
    match value:
        case (receiver, str() as path):
            if not path.startswith("/"):
                raise UsageError(f"the path of the target is {path!r}; write one that starts with /, such as /alarm")
            return receiver, Target.parse(f"localhost{path}").path
        case _:
            return value, ""


def _client_of(value: object, path: str) -> Client | None:
    from tcop_mock.transport.client import kind_of_client, resolve_client  # noqa: PLC0415 - a URL needs no client

    kind = kind_of_client(value)
    return None if kind is None else resolve_client(value, kind, path)


@contextmanager
def open_target(value: object, max_body_bytes: int, *, insecure: bool = False) -> Iterator[OpenTarget]:
    """Open a target of any kind that :func:`resolve_target` accepts.

    Args:
        value: the target.
        max_body_bytes: number of bytes of a response body to read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: the value is not a target, or the named app does not exist.
    """
    target = resolve_target(value)
    if isinstance(value, str | Target):
        with _open_named(target, max_body_bytes, insecure=insecure) as opened:
            yield opened
        return
    receiver, path = _with_path(value)
    client = _client_of(receiver, path)
    if client is not None:
        from tcop_mock.transport.client import client_transport  # noqa: PLC0415 - a URL needs no client

        with client_transport(client, max_body_bytes=max_body_bytes, clock=monotonic_s) as client_sends:
            yield OpenTarget(client.target, client_sends, has_address=False, uses_client=True)
        return
    with _open_app(receiver, target, max_body_bytes, "the target") as opened:
        yield replace(opened, has_address=False)


@contextmanager
def _open_named(target: Target, max_body_bytes: int, *, insecure: bool) -> Iterator[OpenTarget]:
    if not target.app or target.parser:
        with open_transport(target, max_body_bytes, insecure=insecure) as transport:
            yield OpenTarget(target, transport)
        return
    from tcop_mock.transport.app import load_app  # noqa: PLC0415 - a URL needs no app

    with _open_app(load_app(target.app), target, max_body_bytes, target.app) as opened:
        yield opened


@contextmanager
def _open_app(app: object, target: Target, max_body_bytes: int, name: str) -> Iterator[OpenTarget]:
    from tcop_mock.transport.app import AppKind, kind_of, transport_for  # noqa: PLC0415 - a URL needs no app

    is_callable = kind_of(app, name) is AppKind.CALLABLE
    with transport_for(app, target, max_body_bytes=max_body_bytes, clock=monotonic_s) as transport:
        yield OpenTarget(target, transport, takes_parsed_body=is_callable)
