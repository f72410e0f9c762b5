"""Access to the page."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from console_page import PORT, client_of, new_app, open_page

from tcop_mock.console.access import TOKEN_HEADER, AccessMiddleware, Session

HOME = f"http://127.0.0.1:{PORT}"


def _get(path: str, headers: dict[str, str] | None = None, cookie: str | None = None) -> httpx.Response:
    async def get() -> httpx.Response:
        app = new_app()
        async with client_of(app) as client:
            if cookie is not None:
                client.headers["cookie"] = cookie
            return await client.get(path, headers=headers or {})

    return asyncio.run(get())


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"])
def test_loopback_names_are_the_page(host: str) -> None:
    """The page answers under each name of the loopback address."""
    assert _get("/", {"host": host, "origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1.evil:{PORT}", ""]
)
@pytest.mark.parametrize("path", ["/", "/events?after=0", "/api/state", "/static/main.js", "/nothing"])
def test_another_host_is_refused(host: str, path: str) -> None:
    """A name that an attacker points at 127.0.0.1 (DNS rebinding) gets nothing, not even with the cookie."""
    assert _get(path, {"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:1"])
@pytest.mark.parametrize("path", ["/", "/events?after=0", "/api/state", "/export/recording.jsonl"])
def test_another_origin_is_refused(origin: str, path: str) -> None:
    """Another site, also one on another port of this machine, reads nothing."""
    assert _get(path, {"origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_site_is_refused(site: str) -> None:
    """A browser that says a request comes from another site is believed, even without an Origin."""
    assert _get("/api/state", {"sec-fetch-site": site}).status_code == 403
    assert _get("/api/state", {"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("cookie", ["", "a=b", f"tcop_mock_{PORT}=wrong", f"tcop_mock_{PORT}=", "a[]=\x01;", "€"])
@pytest.mark.parametrize("path", ["/", "/events?after=0", "/api/state", "/static/main.js"])
def test_nothing_without_the_cookie(cookie: str, path: str) -> None:
    """Every request without the cookie of the session is refused."""

    async def get() -> httpx.Response:
        async with client_of(new_app()) as client:
            client.headers = httpx.Headers([(b"cookie", cookie.encode())])
            return await client.get(path)

    response = asyncio.run(get())
    assert response.status_code == 403
    assert "printed" in response.text


def test_the_key_gets_the_cookie() -> None:
    """The printed address sets a cookie that no script and no other site can use, and leaves the address bar."""

    async def open_it() -> list[httpx.Response]:
        app = new_app()
        transport = httpx.ASGITransport(app.asgi())
        async with httpx.AsyncClient(transport=transport) as client:
            return [await client.get(app.session.address), await client.get(HOME)]

    opened, home = asyncio.run(open_it())
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    assert opened.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert home.status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/?key=wrong"},
        {"path": "/api/state?key={key}"},
        {"path": "/?key={key}&key={key}"},
        {"headers": {"origin": "http://evil.example"}},
        {"headers": {"host": "evil.example"}},
        {"method": "POST"},
    ],
)
def test_the_key_opens_only_the_page(change: dict[str, Any]) -> None:
    """A wrong key, or the right one with another path, method, host or origin, gets no cookie."""

    async def open_it() -> httpx.Response:
        app = new_app()
        path = change.get("path", "/?key={key}").format(key=app.session.key)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi()), base_url=HOME) as client:
            return await client.request(change.get("method", "GET"), path, headers=change.get("headers", {}))

    response = asyncio.run(open_it())
    assert response.status_code in {403, 421}
    assert "set-cookie" not in response.headers


CHANGES = [
    "target",
    "compose",
    "inspect",
    "edit",
    "send",
    "exchanges/1/send",
    "check",
    "check/again",
    "check/stop",
    "storm",
    "storm/stop",
]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("token", [None, "", "wrong", "€"])
def test_a_change_needs_the_token(name: str, token: str | None) -> None:
    """The cookie alone changes nothing, because another site could make a browser send it."""

    async def post() -> httpx.Response:
        async with open_page() as page:
            headers = [] if token is None else [(TOKEN_HEADER.encode(), token.encode())]
            response = await page.client.post(f"/api/{name}", content=b"{}", headers=headers)
            assert len(page.conversation) == 0
            return response

    assert asyncio.run(post()).status_code == 403


@pytest.mark.parametrize("name", CHANGES)
def test_reading_changes_nothing(name: str) -> None:
    """A link or an image cannot change anything: changes are no GET."""
    assert _get(f"/api/{name}").status_code in {404, 405}


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/state", "/nothing", "/?key=x"])
def test_each_response_has_the_security_headers(path: str) -> None:
    """Each response, refusals included, forbids everything that the page does not need."""
    headers = _get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_has_no_inline_script_or_style() -> None:
    """The page loads its scripts and styles as files, from its own server only."""
    html = _get("/").text
    assert "<style" not in html
    assert " style=" not in html
    assert html.count("<script") == html.count('<script type="module" src="/static/') == 1
    assert not re.search(r"<[^>]* on\w+=", html)
    assert "http" not in html.replace("http-equiv", "").replace("http://127.0.0.1:8080/", "")


def test_what_is_no_request_is_ignored() -> None:
    """A WebSocket or a lifespan message is not passed on."""

    async def call() -> None:
        async def fail(*_arguments: Any) -> None:
            raise AssertionError

        await AccessMiddleware(fail, Session(PORT))({"type": "websocket"}, fail, fail)  # type: ignore[arg-type]  # never called

    asyncio.run(call())


def test_no_secret_is_shown() -> None:
    """The representation of a session holds none of its secrets."""
    session = Session(PORT)
    assert not any(secret in repr(session) for secret in (session.key, session.cookie, session.token))
