"""The receiver under test, as ``tcop_target`` gives it, made a port to send through."""

from __future__ import annotations

import inspect
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.target import Target
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import target_errors_as_failures, usage_error, usage_errors_as_failures
from tcop_mock.transport.app import load_app, transport_for
from tcop_mock.transport.inprocess import CallableTransport
from tcop_mock.transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tcop_mock.domain.delivery import Transport

_EXPECTED = "return a URL, an ASGI or WSGI app, 'module:app', or a callable that takes a callback"
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class TargetUnderTest:
    """A receiver that can be sent to.

    Args:
        target: its address; of an app that was handed in, what it is.
        transport: the port to it.
        has_address: whether a command line can name it, too.
        takes_parsed_body: whether it is a callable that gets callbacks as trees, and no HTTP.
    """

    target: Target
    transport: Transport
    has_address: bool = True
    takes_parsed_body: bool = False


@contextmanager
def open_target(value: object, node: pytest.Item) -> Iterator[TargetUnderTest]:
    """Open what ``tcop_target`` gave, for one test.

    Raises:
        Failed: it is no target, or one on another machine that nobody has allowed.
    """
    settings = settings_of(node)
    with usage_errors_as_failures("tcop_target"):
        target = Target.parse(value) if isinstance(value, str) else value
        app: Any = load_app(target.app) if isinstance(target, Target) and target.app else target
    has_address = isinstance(target, Target)
    if not isinstance(target, Target):
        target = _target_for_app(target)
    _require_allowed(target, settings.allowed_hosts)
    body_limit = settings.profile.delivery.answer_cap_bytes
    with ExitStack() as stack:
        if not target.app:
            transport: Transport = stack.enter_context(open_transport(target, body_limit))
        elif _accepts_arguments(app, 1) and not _accepts_arguments(app, 2):
            transport = CallableTransport(app, target, answer_cap_bytes=body_limit, clock=time.perf_counter)
        else:
            with target_errors_as_failures():
                app_transport = transport_for(app, target, max_body_bytes=body_limit, clock=time.perf_counter)
                transport = stack.enter_context(app_transport)
        yield TargetUnderTest(target, transport, has_address, isinstance(transport, CallableTransport))


def _target_for_app(app: object) -> Target:
    """Return the target that stands for an app, or a callable, that was handed in."""
    if not callable(app):
        usage_error(f"tcop_target is of type {type(app).__name__}; {_EXPECTED}")
    if _accepts_arguments(app, 0) and not _accepts_arguments(app, 1):
        usage_error(f"tcop_target is a callable without arguments; {_EXPECTED}")
    described = app if hasattr(app, "__qualname__") else type(app)
    return Target("http", "localhost", _HTTP_PORT, "/", app=f"{described.__module__}:{described.__qualname__}")


def _accepts_arguments(app: Any, count: int) -> bool:  # noqa: ANN401 - any callable
    """Say whether something can be called with so many arguments."""
    try:
        inspect.signature(app).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _require_allowed(target: Target, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse another machine, unless it is named: a test that is run by accident must not page anybody."""
    if not target.app and not _is_loopback(target.host) and target.host not in allowed_hosts:
        usage_error(
            f"tcop_target {target} is on another machine; --tcop-allow-host {target.host}, or tcop_allow_host in the "
            "ini file, allows it"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
