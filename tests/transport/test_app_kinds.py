"""Kinds of callable targets, and objects that are not apps."""

from __future__ import annotations

import functools
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from aiohttp import web

from tcop_mock.errors import UsageError
from tcop_mock.transport.app import AppKind, kind_of


def wsgi(_environ: Any, _start_response: Any) -> Any:
    """Do nothing."""


def wsgi_with_options(_environ: Any, _start_response: Any, _option: Any = None) -> Any:
    """Do nothing."""


async def asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    """Do nothing."""


def asgi_with_option(scope: Any, _receive: Any, _send: Any = None) -> Any:
    """Do nothing."""


def wraps_any(*_arguments: Any) -> Any:
    """Do nothing."""


def handler(_alarm: Any) -> None:
    """Do nothing."""


async def handler_async(_alarm: Any) -> None:
    """Do nothing."""


def asgi2(scope: Any) -> Any:
    """Do nothing."""


def create_app() -> Any:
    """Do nothing."""


def create_app_with_config(_config: Any = None) -> Any:
    """Do nothing."""


async def create_app_async() -> Any:
    """Do nothing."""


def four(_a: Any, _b: Any, _c: Any, _d: Any) -> Any:
    """Do nothing."""


async def pair(_a: Any, _b: Any) -> Any:
    """Do nothing."""


class WsgiClass:
    """A class as a WSGI app (PEP 3333)."""

    def __init__(self, _environ: Any, _start_response: Any) -> None: ...


class Instance:
    """An instance as an ASGI app."""

    async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    "app, kind",
    [
        (wsgi, AppKind.WSGI),
        (wsgi_with_options, AppKind.WSGI),
        (wraps_any, AppKind.WSGI),
        (WsgiClass, AppKind.WSGI),
        (dict.fromkeys, AppKind.WSGI),
        (type("", (), {"__call__": wsgi, "__signature__": 1})(), AppKind.WSGI),
        (asgi, AppKind.ASGI),
        (asgi_with_option, AppKind.ASGI),
        (Instance(), AppKind.ASGI),
        (functools.partial(asgi), AppKind.ASGI),
        (handler, AppKind.CALLABLE),
        (handler_async, AppKind.CALLABLE),
    ],
)
def test_arguments_tell_the_kind(app: Any, kind: AppKind) -> None:
    """The parameters of functions, classes and instances decide; if ambiguous, the first name does."""
    assert kind_of(app, "m:app") is kind


@pytest.mark.parametrize(
    "app, problem",
    [
        (create_app, "m:app is a callable without arguments, perhaps a factory of the app; write m:app()"),
        (create_app_with_config, "m:app is a callable without arguments, perhaps a factory of the app; write m:app()"),
        (create_app_async, "perhaps a factory of the app; await it in a module, and name the app that it returns"),
        (web.Application(), "m:app is an app of aiohttp, which is neither ASGI nor WSGI; start its server and give"),
        (asgi2, "m:app is an ASGI 2 app: it takes the scope alone; give an ASGI 3 app(scope, receive, send)"),
        (BaseHTTPRequestHandler, "m:app is a handler of http.server and no app; start its server and give the URL"),
        (four, "m:app takes other arguments than an app: ASGI is app(scope, receive, send)"),
        (pair, "m:app takes other arguments than an app"),
    ],
)
def test_what_cannot_be_called_names_the_likely_cause(app: Any, problem: str) -> None:
    """The error is one line with the likely cause."""
    with pytest.raises(UsageError) as caught:
        kind_of(app, "m:app")
    assert problem in str(caught.value)
