"""Loads an app by its name, ``module:app``, finds out its kind, and opens a transport to it."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import threading
from contextlib import contextmanager
from enum import Enum, auto
from functools import reduce
from pathlib import Path
from socketserver import BaseRequestHandler
from typing import TYPE_CHECKING, Any, TextIO

from tcop_mock.errors import UsageError
from tcop_mock.transport.asgi import AsgiTransport
from tcop_mock.transport.caller import current_caller, runs_user_code
from tcop_mock.transport.inprocess import CallableTransport, WsgiTransport, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.target import Target


@contextmanager
def transport_by_name(target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> Iterator[Transport]:
    """Yield a transport to the app that a target names. The working directory is searched first.

    Raises:
        UsageError: the app does not exist, or cannot be called as one.
    """
    with contextlib.redirect_stdout(sys.stderr):
        app = load_app(target.app)
    if kind_of(app, target.app) is AppKind.CALLABLE:
        raise UsageError(
            f"{target.app} takes one argument, so it is no ASGI or WSGI app; --model {target.app} checks a callable "
            "that takes a callback"
        )
    transport_context = transport_for(app, target, max_body_bytes=max_body_bytes, clock=clock)
    with redirect_app_output(), transport_context as transport:
        yield transport


@contextmanager
def transport_for(app: Any, target: Target, *, max_body_bytes: int, clock: Callable[[], float]) -> Iterator[Transport]:  # noqa: ANN401 - any ASGI or WSGI app
    """Yield a transport to an app or a callable at hand.

    Raises:
        UsageError: the object is none of these.
    """
    kind = kind_of(app, target.app)
    if kind is AppKind.ASGI:
        with AsgiTransport(app, target, max_body_bytes=max_body_bytes, clock=clock) as transport:
            yield transport
    else:
        transport_class = WsgiTransport if kind is AppKind.WSGI else CallableTransport
        yield transport_class(app, target, max_body_bytes=max_body_bytes, clock=clock)


def redirect_app_output() -> AbstractContextManager[Any]:
    """Redirect the standard output of the app's code, in any thread, to standard error."""
    return contextlib.redirect_stdout(_AppStdout(sys.stdout))


class _AppStdout:
    """Standard output for our own code, standard error for the app's."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout, self._owner_thread = stdout, threading.current_thread()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a stream
        is_owner = threading.current_thread() is self._owner_thread and not runs_user_code()
        return getattr(self._stdout if is_owner or current_caller() is not None else sys.stderr, name)


def load_app(reference: str) -> Any:  # noqa: ANN401 - any ASGI or WSGI app
    """Return the app of ``module:app``, ``module:factory()`` or ``module:holder.app``.

    Raises:
        UsageError: it does not exist, or cannot be called.
    """
    app = load_object(reference, "an app", "write module:app, or a URL with a number as its port")
    if not callable(app):
        raise UsageError(f"{reference} is not an app: it is of type {type(app).__name__}, which cannot be called")
    return app


def load_object(reference: str, kind: str, advice: str) -> Any:  # noqa: ANN401 - any object
    """Return the object at ``module:name``, ``module:factory()`` or ``module:holder.name``.

    Args:
        reference: the name.
        kind: expected kind of the object with its article, for messages: ``an app``.
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
    except SystemExit as problem:
        raise UsageError(f"{reference} is not {kind}: it ends the process when it is imported; {advice}") from problem
    except Exception as problem:
        raise UsageError(f"{reference} is not {kind}: {error_line(problem)}; {advice}") from problem


class AppKind(Enum):
    """Kind of a callable target."""

    ASGI = auto()
    WSGI = auto()
    CALLABLE = auto()
    """It takes the JSON value of a callback."""


def kind_of(app: Any, name: str) -> AppKind:  # noqa: ANN401 - any callable
    """Return the kind of a callable target, by the arguments that it takes.

    Args:
        app: the app, or a callable.
        name: its name, for messages.

    Raises:
        UsageError: it cannot be called as any of them; names the likely cause.
    """
    if problem := _known_problem(app, name):
        raise UsageError(problem)
    is_async = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)
    if not _has_signature(app):
        return AppKind.ASGI if is_async else AppKind.WSGI
    counts = [count for count in range(4) if _accepts_arguments(app, count)]
    is_wsgi = 2 in counts and not is_async and _first_parameter(app) != "scope"  # noqa: PLR2004 - environ, start_response
    if is_wsgi or 3 in counts:  # noqa: PLR2004 - scope, receive, send
        return AppKind.WSGI if is_wsgi else AppKind.ASGI
    if 0 in counts:
        raise UsageError(
            f"{name} is a callable without arguments, perhaps a factory of the app; {_factory_advice(app, name)}"
        )
    if counts == [1] and _first_parameter(app) == "scope":
        raise UsageError(
            f"{name} is an ASGI 2 app: it takes the scope alone; give an ASGI 3 app(scope, receive, send), as "
            "asgiref.compatibility.guarantee_single_callable makes one"
        )
    if counts == [1]:
        return AppKind.CALLABLE
    raise UsageError(
        f"{name} takes other arguments than an app: ASGI is app(scope, receive, send), WSGI is "
        "app(environ, start_response), a callable takes one callback"
    )


def _known_problem(app: Any, name: str) -> str:  # noqa: ANN401 - any object
    """Return why a target of a well-known type is not an app, or an empty string."""
    kind = app if isinstance(app, type) else type(app)
    if isinstance(app, type) and issubclass(app, BaseRequestHandler):
        return f"{name} is a handler of http.server and no app; start its server and give the URL"
    for base in kind.__mro__:
        framework = _SERVER_FRAMEWORKS.get(f"{base.__module__.partition('.')[0]}.{base.__name__}")
        if framework:
            return f"{name} is an app of {framework}, which is neither ASGI nor WSGI; start its server and give the URL"
    return ""


_SERVER_FRAMEWORKS = {"aiohttp.Application": "aiohttp", "tornado.Application": "Tornado"}
"""Frameworks whose apps only their own servers can call, by package and class."""


def _factory_advice(app: Any, name: str) -> str:  # noqa: ANN401 - any callable
    if inspect.iscoroutinefunction(app):
        return "await it in a module, and name the app that it returns"
    return f"write {name}()" if ":" in name else "give what it returns, as in create_app()"


def _first_parameter(function: Any) -> str:  # noqa: ANN401 - any callable
    return next(iter(inspect.signature(function).parameters), "")


def _has_signature(function: Any) -> bool:  # noqa: ANN401 - any callable
    """Return whether Python can inspect the arguments. Some built-in callables have no signature."""
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _accepts_arguments(function: Any, count: int) -> bool:  # noqa: ANN401 - any callable
    """Return whether something can be called with ``count`` positional arguments."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    return True
