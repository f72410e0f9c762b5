"""Transports to HTTP clients of the user: of httpx, Starlette and FastAPI, Flask and Django.

Such a client calls the app as the user's suite has set it up: with its lifespan, its overrides, its cookies and its
headers. A client is recognized by what it can do, so no library is imported here.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import inspect
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from tcop_mock.domain.target import Credentials, Secret, Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.app_loop import AppLoops, start_in, sync_executor, thread_sensitive_code
from tcop_mock.transport.caller import current_caller
from tcop_mock.transport.inprocess import CallTransport, InProcessExchange, resolve_future

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest

_FRAMING_HEADERS = frozenset({"host", "content-length", "connection", "transfer-encoding"})
"""Header fields that a client writes itself."""
_HTTP_PORT = 80
_SPARE_TIME_S = 1.0
"""Seconds by which the timeout of a client exceeds our deadline, so that the deadline applies first."""
_WSGI_AUTHORIZATION = "HTTP_AUTHORIZATION"
_NETWORK_TRANSPORTS = frozenset({"HTTPTransport", "AsyncHTTPTransport"})


class ClientKind(Enum):
    """How a client sends a request."""

    HTTPX = auto()
    """``httpx.Client``, and the test clients of Starlette and FastAPI."""
    HTTPX_ASYNC = auto()
    WERKZEUG = auto()
    """Flask's test client."""
    DJANGO = auto()
    DJANGO_ASYNC = auto()

    @property
    def is_async(self) -> bool:
        """Whether its requests are coroutines."""
        return self in {ClientKind.HTTPX_ASYNC, ClientKind.DJANGO_ASYNC}


def kind_of_client(value: object) -> ClientKind | None:
    """Return the kind of a client; ``None`` for everything else."""
    if isinstance(value, type):
        return None
    if _has_methods(value, "build_request", "send") and hasattr(value, "base_url"):
        return ClientKind.HTTPX_ASYNC if inspect.iscoroutinefunction(type(value).send) else ClientKind.HTTPX  # type: ignore[attr-defined]  # it has this method
    if _has_methods(value, "open") and hasattr(value, "application") and hasattr(value, "response_wrapper"):
        return ClientKind.WERKZEUG
    if _has_methods(value, "generic", "request") and hasattr(value, "handler") and hasattr(value, "defaults"):
        return ClientKind.DJANGO_ASYNC if inspect.iscoroutinefunction(type(value).request) else ClientKind.DJANGO  # type: ignore[attr-defined]  # it has this method
    return None


def _has_methods(value: object, *names: str) -> bool:
    return all(callable(getattr(type(value), name, None)) for name in names)


class Client(NamedTuple):
    """A client of the user, and where it sends to."""

    client: Any
    kind: ClientKind
    target: Target
    owns_credentials: bool
    """Whether the target's credentials are those of the client. Then each request sets its own credentials."""


def resolve_client(client: Any, kind: ClientKind, path: str) -> Client:  # noqa: ANN401 - of a library that is not imported
    """Return a client with its target.

    Args:
        client: the client.
        kind: its kind.
        path: the path of the callbacks; empty: that of the client's base URL, or ``/``.

    Raises:
        UsageError: a client of httpx has no base URL, and no app.
    """
    if kind in {ClientKind.HTTPX, ClientKind.HTTPX_ASYNC}:
        target = _httpx_target(client, path)
        credentials = _httpx_credentials(client, _origin(target))
    else:
        target = Target("http", "localhost", _HTTP_PORT, path or "/", app=_name(client))
        credentials = _basic_credentials(str(_defaults(client, kind).get(_WSGI_AUTHORIZATION, "")))
    return Client(client, kind, replace(target, credentials=credentials), credentials is not None)


def _defaults(client: Any, kind: ClientKind) -> MutableMapping[str, Any]:  # noqa: ANN401 - of a library that is not imported
    """Return the environment that a client adds to each request; Django's asynchronous client adds no headers."""
    name = {ClientKind.WERKZEUG: "environ_base", ClientKind.DJANGO: "defaults"}.get(kind, "")
    defaults: MutableMapping[str, Any] = getattr(client, name, {}) if name else {}
    return defaults


def _name(client: object) -> str:
    return f"{type(client).__module__}:{type(client).__qualname__}"


def _httpx_target(client: Any, path: str) -> Target:  # noqa: ANN401 - of a library that is not imported
    base = urlsplit(str(client.base_url))
    prefix = base.path.rstrip("/")
    full_path = prefix + path if path else prefix or "/"
    default_port = {"http": _HTTP_PORT, "https": 443}
    target = Target(
        base.scheme or "http",
        base.hostname or "localhost",
        base.port or default_port.get(base.scheme, _HTTP_PORT),
        full_path + (f"?{base.query}" if base.query else ""),
        app=_name(client),
    )
    if not _has_network(client, _origin(target)):
        return target
    if not base.hostname:
        raise UsageError(f"the client ({_name(client)}) has neither an app nor a base_url; give it a base_url")
    return replace(target, app="")


def _has_network(client: Any, url: str) -> bool:  # noqa: ANN401 - of a library that is not imported
    """Return whether a client of httpx sends to a URL over the network, by its transports."""
    choose = getattr(client, "_transport_for_url", None)
    if choose is None:
        return True
    transport = choose(client.build_request("POST", url).url)
    return any(kind.__name__ in _NETWORK_TRANSPORTS for kind in type(transport).__mro__)


def _httpx_credentials(client: Any, url: str) -> Credentials | None:  # noqa: ANN401 - of a library that is not imported
    """Return the Basic credentials of a client of httpx: from ``auth``, its base URL or a header."""
    request = client.build_request("POST", url)
    if type(client.auth).__name__ == "BasicAuth":
        request = next(client.auth.auth_flow(request))
    elif client.auth is not None:
        return None
    elif client.base_url.userinfo:
        user, _, password = client.base_url.userinfo.decode("ascii").partition(":")
        return Credentials(Secret(unquote(user)), Secret(unquote(password)))
    return _basic_credentials(request.headers.get("Authorization", ""))


def _basic_credentials(header: str) -> Credentials | None:
    """Return the credentials of an Authorization header; ``None`` for other schemes."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credentials(Secret(user), Secret(password))


@contextlib.contextmanager
def client_transport(
    client: Client, *, max_body_bytes: int, clock: Callable[[], float]
) -> Iterator[ClientTransport | AsyncClientTransport]:
    """Yield a transport to a client.

    Args:
        client: the client.
        max_body_bytes: how many bytes of a response body are kept.
        clock: monotonic clock in seconds.
    """
    if not client.kind.is_async:
        yield ClientTransport(client, client.target, max_body_bytes=max_body_bytes, clock=clock)
        return
    with AsyncClientTransport(client, max_body_bytes=max_body_bytes, clock=clock) as transport:
        yield transport


class ClientTransport(CallTransport):
    """A transport to a client without coroutines: one request after the other, in the caller's thread if it waits."""

    is_one_by_one = True

    def call(self, exchange: InProcessExchange, loop: asyncio.AbstractEventLoop | None) -> None:
        """Send the request of an exchange by the client."""
        del loop
        client: Client = self._app
        send = {
            ClientKind.HTTPX: _send_by_httpx,
            ClientKind.WERKZEUG: _send_by_werkzeug,
            ClientKind.DJANGO: _send_by_django,
        }[client.kind]
        try:
            send(client, exchange)
        except Exception as problem:
            if not _is_network_error(problem):
                raise
            exchange.break_off(problem)


class AsyncClientTransport:
    """A transport to a client whose requests are coroutines. They run where an ASGI app would.

    Args:
        client: the client.
        max_body_bytes: how many bytes of a response body are kept.
        clock: monotonic clock in seconds.
    """

    def __init__(self, client: Client, *, max_body_bytes: int, clock: Callable[[], float]) -> None:
        self._client, self._max_body_bytes, self._clock = client, max_body_bytes, clock
        self._loops = AppLoops()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loops.close()

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        loop = self._loops.for_caller()
        started_s = self._clock()
        exchange = InProcessExchange(self._client.target, request, self._max_body_bytes, self._clock)
        exchange.deadline_s = deadline_s
        task = start_in(loop, self._run(exchange, sync_executor()))
        caller = current_caller()
        if caller is not None:
            caller.expect(exchange.has_returned)
        outcome = await exchange.outcome(deadline_s)
        if not self._client.target.app:  # nothing waits for the rest of a response that comes over the network
            loop.call_soon_threadsafe(lambda: task.result().cancel())
        return exchange.to_attempt(outcome, started_s, intended_s)

    async def _run(self, exchange: InProcessExchange, executor: Any) -> None:  # noqa: ANN401 - see sync_executor()
        send = _send_by_httpx_async if self._client.kind is ClientKind.HTTPX_ASYNC else _send_by_django_async
        try:
            async with thread_sensitive_code(executor):
                await send(self._client, exchange)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - any error of the app becomes part of the attempt
            if _is_network_error(problem):
                exchange.break_off(problem)
            else:
                exchange.fail(problem)
        finally:
            resolve_future(exchange.has_returned)


def _is_network_error(problem: BaseException) -> bool:
    """Return whether an error is one of httpx about the connection, and no error of the app."""
    return any(
        kind.__name__ == "TransportError" and kind.__module__.partition(".")[0].startswith("httpx")
        for kind in type(problem).__mro__
    )


def _headers(exchange: InProcessExchange) -> list[tuple[str, str]]:
    return [pair for pair in exchange.request_headers() if pair[0].lower() not in _FRAMING_HEADERS]


def _request_target(exchange: InProcessExchange) -> str:
    return exchange.raw_path + (f"?{exchange.query}" if exchange.query else "")


def _origin(target: Target) -> str:
    return f"{target.scheme}://{target.authority}"


def _httpx_request(client: Client, exchange: InProcessExchange) -> tuple[Any, dict[str, Any]]:
    """Return a request of httpx, and the arguments of its ``send``."""
    url = _origin(exchange.target) + _request_target(exchange)
    request = client.client.build_request(
        exchange.request.method,
        url,
        content=exchange.request.body,
        headers=[(name, value.encode("latin-1")) for name, value in _headers(exchange)],
        timeout=exchange.deadline_s + _SPARE_TIME_S,
    )
    names = {name.lower() for name, _ in _headers(exchange)}
    if "accept-encoding" not in names:
        request.headers.pop("accept-encoding", None)  # TCOP's requests have none, and the response is read as it comes
    arguments: dict[str, Any] = {"stream": True, "follow_redirects": False}
    if client.owns_credentials:
        arguments["auth"] = None
        if "authorization" not in names:
            request.headers.pop("authorization", None)
    return request, arguments


def _start_httpx_response(exchange: InProcessExchange, response: Any) -> None:  # noqa: ANN401 - of httpx
    raw_headers = response.headers.raw
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw_headers]
    exchange.start_response(response.status_code, headers)


def _send_by_httpx(client: Client, exchange: InProcessExchange) -> None:
    request, arguments = _httpx_request(client, exchange)
    response = client.client.send(request, **arguments)
    try:
        _start_httpx_response(exchange, response)
        for part in (response.content,) if response.is_stream_consumed else response.iter_raw():
            exchange.write(part)
            if exchange.is_truncated:
                break
    finally:
        response.close()
    exchange.finish()


async def _send_by_httpx_async(client: Client, exchange: InProcessExchange) -> None:
    request, arguments = _httpx_request(client, exchange)
    response = await client.client.send(request, **arguments)
    try:
        _start_httpx_response(exchange, response)
        if response.is_stream_consumed:  # a transport of the user returned it so
            exchange.write(response.content)
        else:
            async for part in response.aiter_raw():
                exchange.write(part)
                if exchange.is_truncated:
                    break
    finally:
        await response.aclose()
    exchange.finish()


def _send_by_werkzeug(client: Client, exchange: InProcessExchange) -> None:
    with _without_own_credentials(client):
        response = client.client.open(
            _request_target(exchange),
            method=exchange.request.method,
            data=exchange.request.body,
            headers=_headers(exchange),
            follow_redirects=False,
        )
    try:
        exchange.start_response(response.status_code, response.headers.items())
        _write_all(exchange, response.iter_encoded())
    finally:
        response.close()
    exchange.finish()


def _django_arguments(exchange: InProcessExchange) -> tuple[tuple[Any, ...], dict[str, Any]]:
    headers = dict(_headers(exchange))
    content_type = next((headers.pop(name) for name in list(headers) if name.lower() == "content-type"), "")
    positional = exchange.request.method, _request_target(exchange), exchange.request.body, content_type
    return positional, {"headers": headers}


def _send_by_django(client: Client, exchange: InProcessExchange) -> None:
    positional, keywords = _django_arguments(exchange)
    with _without_own_credentials(client):
        response = client.client.generic(*positional, **keywords)
    exchange.start_response(response.status_code, response.items())
    _write_all(exchange, response)
    exchange.finish()


async def _send_by_django_async(client: Client, exchange: InProcessExchange) -> None:
    positional, keywords = _django_arguments(exchange)
    sent: Awaitable[Any] = client.client.generic(*positional, **keywords)
    response = await sent
    exchange.start_response(response.status_code, response.items())
    if getattr(response, "is_async", False):
        async for part in response:
            exchange.write(bytes(part))
            if exchange.is_truncated:
                break
    else:
        _write_all(exchange, response)
    exchange.finish()


def _write_all(exchange: InProcessExchange, parts: Iterable[bytes]) -> None:
    for part in parts:
        exchange.write(bytes(part))
        if exchange.is_truncated:
            break


@contextlib.contextmanager
def _without_own_credentials(client: Client) -> Iterator[None]:
    """Remove the client's credentials from its defaults during one request, which sets its own."""
    defaults = _defaults(client.client, client.kind)
    own = defaults.pop(_WSGI_AUTHORIZATION, None) if client.owns_credentials else None
    try:
        yield
    finally:
        if own is not None:
            defaults[_WSGI_AUTHORIZATION] = own
