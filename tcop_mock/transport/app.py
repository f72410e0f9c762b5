"""An app by its name, ``module:app``: found, recognised, and made a port."""

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
from tcop_mock.transport.asgi import AsgiPost
from tcop_mock.transport.inprocess import WsgiPost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tcop_mock.domain.delivery import Post
    from tcop_mock.domain.target import Target


@contextmanager
def app_post(target: Target, *, answer_cap_bytes: int, clock: Callable[[], float]) -> Iterator[Post]:
    """Give the port to the app that a target names, which is looked for in the working directory first.

    Raises:
        UsageError: there is no such app.
        TargetError: it does not start up.
    """
    with contextlib.redirect_stdout(sys.stderr):
        app = load_app(target.app)
    port = object_post(app, target, answer_cap_bytes=answer_cap_bytes, clock=clock)
    with divided(), port as post:
        yield post


@contextmanager
def object_post(app: Any, target: Target, *, answer_cap_bytes: int, clock: Callable[[], float]) -> Iterator[Post]:  # noqa: ANN401 - any ASGI or WSGI app
    """Give the port to an app that is at hand.

    Raises:
        TargetError: it does not start up.
    """
    if _is_asgi(app):
        with AsgiPost(app, target, answer_cap_bytes=answer_cap_bytes, clock=clock) as post:
            yield post
    else:
        yield WsgiPost(app, target, answer_cap_bytes=answer_cap_bytes, clock=clock)


def divided() -> AbstractContextManager[Any]:
    """Keep standard output for this thread: what others print, a receiver's code among them, goes to standard error."""
    return contextlib.redirect_stdout(_Divided(sys.stdout))


class _Divided:
    """Standard output for us, and standard error for what an app prints, which runs in other threads."""

    def __init__(self, ours: TextIO) -> None:
        self._ours, self._we = ours, threading.current_thread()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self._ours if threading.current_thread() is self._we else sys.stderr, name)


def load_app(reference: str) -> Any:  # noqa: ANN401 - any ASGI or WSGI app
    """Return the app of ``module:app``, ``module:factory()`` or ``module:holder.app``.

    Raises:
        UsageError: there is none, or what is there cannot be called.
    """
    app = load_named(reference, "app", "write module:app, or a URL with a number as its port")
    if not callable(app):
        raise UsageError(f"{reference} is no app: it is of type {type(app).__name__}, which cannot be called")
    return app


def load_named(reference: str, what: str, advice: str) -> Any:  # noqa: ANN401 - whatever has that name
    """Return what ``module:name``, ``module:factory()`` or ``module:holder.name`` names.

    Args:
        reference: the name.
        what: it should be, for messages.
        advice: how it should be written.

    Raises:
        UsageError: there is none.
    """
    name, _, attribute = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module: Any = importlib.import_module(name)
        found = reduce(getattr, attribute.removesuffix("()").split("."), module)
        return found() if attribute.endswith("()") else found
    except Exception as problem:
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise UsageError(f"{reference} is no {what}: {told}; {advice}") from problem


def _is_asgi(app: Any) -> bool:  # noqa: ANN401 - any callable
    """Whether calling it gives an awaitable, or takes scope, receive and send; a WSGI app takes two arguments."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return True
    try:
        inspect.signature(app).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
