"""Loads an app by its name, ``module:app``, and opens a transport to it."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import threading
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tcop_mock.errors import UsageError
from tcop_mock.transport.asgi import AsgiTransport
from tcop_mock.transport.inprocess import WsgiTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.target import Target


@contextmanager
def transport_by_name(target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> Iterator[Transport]:
    """Yield a transport to the app that a target names. The working directory is searched first.

    Raises:
        UsageError: the app does not exist.
        TargetError: the app does not start.
    """
    with contextlib.redirect_stdout(sys.stderr):
        app = load_app(target.app)
    transport_context = transport_for(app, target, max_body_bytes=max_body_bytes, clock=clock)
    with redirect_app_output(), transport_context as transport:
        yield transport


@contextmanager
def transport_for(app: Any, target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> Iterator[Transport]:  # noqa: ANN401 - any ASGI or WSGI app
    """Yield a transport to an app object.

    Raises:
        TargetError: the app does not start.
    """
    if _is_asgi(app):
        with AsgiTransport(app, target, max_body_bytes=max_body_bytes, clock=clock) as transport:
            yield transport
    else:
        yield WsgiTransport(app, target, max_body_bytes=max_body_bytes, clock=clock)


def redirect_app_output() -> AbstractContextManager[Any]:
    """Redirect the standard output of all other threads, which run the app's code, to standard error."""
    return contextlib.redirect_stdout(_ThreadStdout(sys.stdout))


class _ThreadStdout:
    """Standard output for the creating thread, standard error for all others."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout, self._owner_thread = stdout, threading.current_thread()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a stream
        return getattr(self._stdout if threading.current_thread() is self._owner_thread else sys.stderr, name)


def load_app(reference: str) -> Any:  # noqa: ANN401 - any ASGI or WSGI app
    """Return the app of ``module:app``, ``module:factory()`` or ``module:holder.app``.

    Raises:
        UsageError: it does not exist, or cannot be called.
    """
    app = load_object(reference, "app", "write module:app, or a URL with a number as its port")
    if not callable(app):
        raise UsageError(f"{reference} is no app: it is of type {type(app).__name__}, which cannot be called")
    return app


def load_object(reference: str, kind: str, advice: str) -> Any:  # noqa: ANN401 - any object
    """Return what ``module:name``, ``module:factory()`` or ``module:holder.name`` names.

    Args:
        reference: the name.
        kind: what the object should be, for messages.
        advice: how to write the name, for messages.

    Raises:
        UsageError: the object cannot be loaded.
    """
    name, _, attribute = reference.partition(":")
    working_directory = str(Path.cwd())
    if working_directory not in sys.path:
        sys.path.insert(0, working_directory)
    try:
        module: Any = importlib.import_module(name)
        loaded = reduce(getattr, attribute.removesuffix("()").split("."), module)
        return loaded() if attribute.endswith("()") else loaded
    except Exception as problem:
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise UsageError(f"{reference} is no {kind}: {reason}; {advice}") from problem


def _is_asgi(app: Any) -> bool:  # noqa: ANN401 - any callable
    """Return whether an app is a coroutine function or takes three arguments; a WSGI app takes two."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return True
    try:
        inspect.signature(app).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
