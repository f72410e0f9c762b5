"""Access control of the page: only the browser of the user that started it may use it.

Each request needs a known ``Host`` (against DNS rebinding), no foreign ``Origin`` (against other sites), the cookie of
the session, and for each change a token in a header, which no other site can send.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "X-Tcop-Mock-Token"  # noqa: S105 - the name of a header
_TOKEN_BYTES = 32
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_SAME_SITE = frozenset({"same-origin", "none"})
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class Session:
    """The secrets of one run of the page.

    Args:
        port: port of the page.
        key: in the address that the command prints; it gets the cookie.
        cookie: value of the cookie.
        token: in the header of each change.
    """

    port: int
    key: str = field(default_factory=_new_token, repr=False)
    cookie: str = field(default_factory=_new_token, repr=False)
    token: str = field(default_factory=_new_token, repr=False)

    @property
    def address(self) -> str:
        """The address that opens the page."""
        return f"http://127.0.0.1:{self.port}/?key={self.key}"

    @property
    def hosts(self) -> frozenset[str]:
        """Allowed values of ``Host``."""
        return frozenset(f"{name}:{self.port}" for name in _LOOPBACK_NAMES)

    @property
    def origins(self) -> frozenset[str]:
        """Allowed values of ``Origin``."""
        return frozenset(f"http://{host}" for host in self.hosts)

    @property
    def cookie_name(self) -> str:
        """Name of the cookie: browsers share cookies between the ports of a host."""
        return f"tcop_mock_{self.port}"

    def refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Return status and reason if a request is refused."""
        if headers.getlist("host") not in [[host] for host in self.hosts]:
            return HTTPStatus.MISDIRECTED_REQUEST, "this page answers on its loopback address only"
        if any(origin not in self.origins for origin in headers.getlist("origin")):
            return HTTPStatus.FORBIDDEN, "another site may not use this page"
        if any(site not in _SAME_SITE for site in headers.getlist("sec-fetch-site")):
            return HTTPStatus.FORBIDDEN, "another site may not use this page"
        if not self._has_cookie(headers):
            return (
                HTTPStatus.FORBIDDEN,
                "open the address that tcop-mock console printed: it has a key",
            )
        if method not in _SAFE_METHODS and not _equal(headers.get(TOKEN_HEADER, ""), self.token):
            return HTTPStatus.FORBIDDEN, f"{path} changes something: it needs the header {TOKEN_HEADER}"
        return None

    def opens(self, method: str, path: str, query: str, headers: Headers) -> bool:
        """Return whether a request has the key of the session, and comes from no other site."""
        keys = parse_qs(query).get("key", [])
        return (
            method == "GET"
            and path == "/"
            and headers.getlist("host") in [[host] for host in self.hosts]
            and not headers.getlist("origin")
            and len(keys) == 1
            and _equal(keys[0], self.key)
        )

    def set_cookie(self) -> str:
        """Return the value of ``Set-Cookie``."""
        return f"{self.cookie_name}={self.cookie}; Path=/; HttpOnly; SameSite=Strict"

    def _has_cookie(self, headers: Headers) -> bool:
        pairs = (pair.strip().partition("=") for text in headers.getlist("cookie") for pair in text.split(";"))
        return any(name == self.cookie_name and _equal(value, self.cookie) for name, _, value in pairs)


class AccessMiddleware:
    """ASGI middleware that refuses requests, and adds the security headers to each response."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        self._app, self._session = app, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on."""
        if scope["type"] != "http":  # there are no WebSockets, and the lifespan is off
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        app = self._app
        if self._session.opens(method, path, scope["query_string"].decode("latin-1"), headers):
            app = RedirectResponse("/", HTTPStatus.SEE_OTHER, headers={"Set-Cookie": self._session.set_cookie()})
        elif refusal := self._session.refusal(method, path, headers):
            app = PlainTextResponse(f"{refusal[1]}\n", refusal[0])
        await app(scope, receive, send_with_headers)


def _equal(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode("utf-8", "surrogateescape"), b.encode())
