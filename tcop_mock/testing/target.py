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
from tcop_mock.testing.usage_errors import misuse, misuse_told, unusable_told
from tcop_mock.transport.app import load_app, object_post
from tcop_mock.transport.inprocess import HandlerPost
from tcop_mock.transport.open import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tcop_mock.domain.delivery import Post

_WANTED = "return a URL, an ASGI or WSGI app, 'module:app', or a callable that takes a callback"
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Aim:
    """A receiver that can be sent to.

    Args:
        target: its address; of an app that was handed in, what it is.
        post: the port to it.
        named: whether a command line can name it, too.
        takes_trees: whether it is a callable that gets callbacks as trees, and no HTTP.
    """

    target: Target
    post: Post
    named: bool = True
    takes_trees: bool = False


@contextmanager
def aimed(given: object, node: pytest.Item) -> Iterator[Aim]:
    """Open what ``tcop_target`` gave, for one test.

    Raises:
        Failed: it is no target, or one on another machine that nobody has allowed.
    """
    settings = settings_of(node)
    with misuse_told("tcop_target"):
        target = Target.parse(given) if isinstance(given, str) else given
        app: Any = load_app(target.app) if isinstance(target, Target) and target.app else target
    named = isinstance(target, Target)
    if not isinstance(target, Target):
        target = _handed_in(target)
    _require_allowed(target, settings.hosts)
    cap = settings.profile.delivery.answer_cap_bytes
    with ExitStack() as stack:
        if not target.app:
            post: Post = stack.enter_context(opened(target, cap))
        elif _takes(app, 1) and not _takes(app, 2):
            post = HandlerPost(app, target, answer_cap_bytes=cap, clock=time.perf_counter)
        else:
            with unusable_told():
                port = object_post(app, target, answer_cap_bytes=cap, clock=time.perf_counter)
                post = stack.enter_context(port)
        yield Aim(target, post, named, isinstance(post, HandlerPost))


def _handed_in(app: object) -> Target:
    """Return the target that stands for an app, or a callable, that was handed in."""
    if not callable(app):
        misuse(f"tcop_target is of type {type(app).__name__}; {_WANTED}")
    if _takes(app, 0) and not _takes(app, 1):
        misuse(f"tcop_target is a callable without arguments; {_WANTED}")
    named = app if hasattr(app, "__qualname__") else type(app)
    return Target("http", "localhost", _HTTP_PORT, "/", app=f"{named.__module__}:{named.__qualname__}")


def _takes(app: Any, count: int) -> bool:  # noqa: ANN401 - any callable
    """Say whether something can be called with so many arguments."""
    try:
        inspect.signature(app).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _require_allowed(target: Target, hosts: tuple[str, ...]) -> None:
    """Refuse another machine, unless it is named: a test that is run by accident must not page anybody."""
    if not target.app and not _is_loopback(target.host) and target.host not in hosts:
        misuse(
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
