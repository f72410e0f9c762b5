"""Transports to targets: a URL, an app or a parser by name, an app or a callable at hand."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.caller import run_beside
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tcop_mock.domain.delivery import Transport

_EXPECTED = "a URL, an ASGI or WSGI app, 'module:app', or a callable that takes a callback"
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A receiver that can be sent to.

    Args:
        target: its address; for an app or a callable at hand, its name.
        transport: sends requests to it.
        has_address: whether a command line can name it, too.
        takes_parsed_body: whether it is a callable that gets the JSON value of each body and no HTTP request.
    """

    target: Target
    transport: Transport
    has_address: bool = True
    takes_parsed_body: bool = False

    async def shut_down(self) -> None:
        """Shut down an app that was started in the running event loop."""
        shut_down = getattr(self.transport, "shut_down", None)
        if shut_down is not None:
            await shut_down()


@contextmanager
def open_transport(target: Target, max_body_bytes: int, *, insecure: bool = False) -> Iterator[Transport]:
    """Yield a transport to a URL, or to an app or a parser in this process, on the clock of :func:`monotonic_s`.

    Args:
        target: the target.
        max_body_bytes: how many bytes of a response body are read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: the app or parser does not exist.
    """
    if not target.app:
        yield HttpTransport(target, max_body_bytes=max_body_bytes, insecure=insecure, clock=monotonic_s)
        return
    if target.parser:
        from tcop_mock.transport.parser import parser_transport  # noqa: PLC0415 - not needed for URLs

        with parser_transport(target, clock=monotonic_s) as parser:
            yield parser
        return
    from tcop_mock.transport.app import transport_by_name  # noqa: PLC0415 - not needed for URLs

    with transport_by_name(target, max_body_bytes=max_body_bytes, clock=monotonic_s) as transport:
        yield transport


def runner_for(target: Target) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return what runs the requests to a target to their end, for code without an event loop.

    An app in this process is called in the thread of the caller; see :mod:`tcop_mock.transport.caller`.
    """
    return run_beside if target.app and not target.parser else asyncio.run


def resolve_target(value: object) -> Target:
    """Return the target that a value stands for.

    Args:
        value: a URL, ``module:app``, a :class:`Target`, an ASGI or WSGI app, or a callable that takes a callback.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(value, Target):
        return value
    if isinstance(value, str):
        return Target.parse(value)
    if not callable(value):
        raise UsageError(f"the target is of type {type(value).__name__}; give {_EXPECTED}")
    described: Any = value if hasattr(value, "__qualname__") else type(value)
    return Target("http", "localhost", _HTTP_PORT, "/", app=f"{described.__module__}:{described.__qualname__}")


@contextmanager
def open_target(value: object, max_body_bytes: int, *, insecure: bool = False) -> Iterator[OpenTarget]:
    """Open what :func:`resolve_target` takes.

    Args:
        value: the target.
        max_body_bytes: how much of a response body is read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: the value is no target, or the app it names is not there.
    """
    target = resolve_target(value)
    has_address = isinstance(value, str | Target)
    if not target.app or target.parser:
        with open_transport(target, max_body_bytes, insecure=insecure) as transport:
            yield OpenTarget(target, transport)
        return
    from tcop_mock.transport.app import AppKind, kind_of, load_app, transport_for  # noqa: PLC0415 - a URL needs no app

    app: Any = load_app(target.app) if has_address else value
    is_callable = kind_of(app, target.app if has_address else "the target") is AppKind.CALLABLE
    with transport_for(app, target, max_body_bytes=max_body_bytes, clock=monotonic_s) as transport:
        yield OpenTarget(target, transport, has_address, takes_parsed_body=is_callable)
