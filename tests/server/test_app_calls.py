"""Calls of this process: those of any client are caught during a check, and only then."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import os
import socket
import ssl
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest

from tcop_mock.errors import UsageError
from tcop_mock.server import app_calls
from tcop_mock.server.app_calls import AppCalls, CaughtConnections
from tcop_mock.server.catching_proxy import CatchingProxy
from tcop_mock.server.caught_hosts import CaughtHosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

requests = pytest.importorskip("requests")  # Locust brings it
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"
MESSAGE = {"msgtype": "text", "text": {"content": "ins-1 is down"}}
PATCHED = [
    (socket, "getaddrinfo"),
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
    (ssl.SSLContext, "wrap_socket"),
    (ssl.SSLContext, "wrap_bio"),
]

ORIGINALS = [getattr(owner, name) for owner, name in PATCHED]


def state() -> list[Any]:
    """Return all that catching may change."""
    return [
        *((vars(owner).get(name), getattr(owner, name)) for owner, name in PATCHED),
        {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
    ]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Assert that modules, environment and threads are restored after each test."""
    before = state()
    yield
    assert state() == before
    assert [thread.name for thread in threading.enumerate() if thread.name == "tcop-mock-proxy"] == []


def with_requests(url: str) -> Any:
    """Send by requests."""
    with requests.Session() as session:
        return session.post(url, json=MESSAGE, timeout=5).json()


def with_httpx(url: str) -> Any:
    """Send by a client of httpx."""
    with httpx.Client(timeout=5) as client:
        return client.post(url, json=MESSAGE).json()


def with_httpx_async(url: str) -> Any:
    """Send by an asynchronous client of httpx."""

    async def send() -> Any:
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.post(url, json=MESSAGE)).json()

    return asyncio.run(send())


def with_aiohttp(url: str) -> Any:
    """Send by aiohttp, which reads no proxy from the environment."""

    async def send() -> Any:
        async with aiohttp.ClientSession() as session, session.post(url, json=MESSAGE) as answer:
            return await answer.json(content_type=None)

    return asyncio.run(send())


def with_urllib(url: str) -> Any:
    """Send by urllib."""
    body = httpx.Request("POST", url, json=MESSAGE).content
    with urllib.request.urlopen(url, body, timeout=5) as answer:  # noqa: S310 - the URL is ours
        return httpx.Response(200, content=answer.read()).json()


CLIENTS = [with_requests, with_httpx, with_httpx_async, with_aiohttp, with_urllib]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_is_caught(client: Callable[[str], Any]) -> None:
    """Over TLS and without it; the messages are recorded."""
    with AppCalls() as calls:
        answers = [client(url) for url in (WECOM, WECOM.replace("https", "http"))]
    assert answers == [{"errcode": 0, "errmsg": "ok"}] * 2
    assert [message.service for message in calls.recorder.messages] == ["wecom"] * 2
    assert calls.log.hints() == []
    gc.collect()


def test_a_client_that_was_made_before_is_caught() -> None:
    """A client with fixed proxies and certificates is caught, as one of a module imported earlier."""
    with httpx.Client(timeout=5) as client, requests.Session() as session:
        with AppCalls() as calls:
            assert client.post(WECOM, json=MESSAGE).json()["errcode"] == 0
            assert session.post(WECOM, json=MESSAGE, timeout=5).json()["errcode"] == 0
        assert len(calls.recorder.messages) == 2


def test_a_proxy_of_the_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the user is used, not even on this machine, because it would forward the calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com")
        with AppCalls() as calls:
            assert with_requests(WECOM)["errcode"] == 0
            assert with_httpx(WECOM.replace("https", "http"))["errcode"] == 0
        assert len(calls.recorder.messages) == 2


@pytest.mark.parametrize("url", ["https://api.example.com/x", "http://api.example.com/x", "http://192.0.2.1/x"])
def test_any_other_host_is_refused_and_named(url: str) -> None:
    """Calls to other hosts are refused and named with the flag; nothing reaches the network."""
    with AppCalls() as calls:
        answer = requests.post(url, json={}, timeout=5)
    host = httpx.URL(url).host
    assert (answer.status_code, f"--catch-host {host}=json" in answer.text) == (403, True)
    assert calls.log.hints() == [f"1 call to {host} was refused: --catch-host {host}=json answers"]
    assert not calls.log.is_any_taken


def test_a_host_of_the_users_is_caught_at_any_port() -> None:
    """Its name says enough; one that is exempt is left alone."""
    hosts = CaughtHosts.parse(["alerts.example.com=json"])
    with AppCalls(hosts, exempt=["Other.invalid."]) as calls:
        assert with_httpx("https://alerts.example.com:8443/x") == {"ok": True}
        assert with_aiohttp("http://alerts.example.com:9000/x") == {"ok": True}
        with pytest.raises(OSError, match=r"Name or service|resolution|nodename|known"):
            urllib.request.urlopen("http://other.invalid/", timeout=5)
    assert [message.service for message in calls.recorder.messages] == ["json"] * 2


def test_this_machine_is_left_alone() -> None:
    """Connections to this machine, other ports of other machines (databases) and datagrams are untouched."""
    with socket.create_server(("127.0.0.1", 0)) as server, AppCalls() as calls:
        port = server.getsockname()[1]
        with contextlib.closing(socket.create_connection(("localhost", port), 5)) as client:
            assert client.getpeername()[1] == port
        assert socket.getaddrinfo("127.0.0.1", 443)[0][4] == ("127.0.0.1", 443)
        assert socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM)[0][4][1] == 80
        assert socket.getaddrinfo("192.0.2.1", 5432)[0][4][0] == "192.0.2.1"
        assert socket.getaddrinfo("192.0.2.1", 443, type=socket.SOCK_DGRAM)[0][4][0] == "192.0.2.1"
    assert calls.log.connections == 0


@pytest.mark.parametrize("family, host", [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_an_address_leads_to_the_proxy(family: socket.AddressFamily, host: str, method: str) -> None:
    """Connections by address go to the proxy; datagrams and file sockets do not."""
    with AppCalls() as calls, socket.socket(family) as sock:
        assert not getattr(sock, method)((host, 443))
        assert sock.getpeername()[1] == int(calls._proxy.port)


def test_sockets_of_other_kinds_are_left_alone(tmp_path: Any) -> None:
    """A datagram goes where it goes, and a path is not a host."""
    with AppCalls(), socket.socket(socket.AF_UNIX) as sock, pytest.raises(FileNotFoundError):
        sock.connect(str(tmp_path / "none"))


def test_tls_of_others_is_left_alone() -> None:
    """A server's own, and that with a host at another port, whose certificate is to be verified."""
    context = ssl.create_default_context()
    with AppCalls():
        found = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="db.example.com")
        assert found.context is context
        caught = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="slack.com")
        assert caught.context is not context
        with socket.socket() as plain:
            later = context.wrap_socket(plain, server_hostname="db.example.com")
            assert later.context is context
            later.close()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert server.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).context is server


def test_who_kept_a_replacement_gets_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was imported meanwhile may hold it; what another tool has put on top stays."""

    def on_top(*arguments: Any) -> Any:
        return resolve(*arguments)

    with AppCalls(CaughtHosts.parse(["192.0.2.1=json"])):
        resolve, wrap = socket.getaddrinfo, ssl.SSLContext.wrap_bio
        assert resolve("192.0.2.1", 80)[0][4][0] == "127.84.67.79"
        monkeypatch.setattr(socket, "getaddrinfo", on_top)
    assert socket.getaddrinfo is on_top
    assert socket.getaddrinfo("192.0.2.1", 80)[0][4] == ("192.0.2.1", 80)
    context = ssl.create_default_context()
    assert wrap(context, ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="slack.com").context is context
    vars(socket)["getaddrinfo"] = ORIGINALS[0]
    monkeypatch.undo()
    vars(socket)["getaddrinfo"] = ORIGINALS[0]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError])
def test_nothing_is_left_after_an_error(problem: type[BaseException]) -> None:
    """Everything is restored after an error and after Ctrl-C."""
    with pytest.raises(problem), AppCalls():
        raise problem


def test_calls_are_caught_once() -> None:
    """A second block inside of one is a mistake, and ends without harm to the first."""
    with AppCalls() as calls:
        with pytest.raises(UsageError, match="the calls of this process are caught already"), AppCalls():
            pass
        assert with_httpx(WECOM)["errcode"] == 0
    assert len(calls.recorder.messages) == 1


def test_a_proxy_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised in the thread that waits for the proxy."""

    class Broken(CatchingProxy):
        async def __aenter__(self) -> Any:
            raise UsageError("no sockets")

    monkeypatch.setattr(app_calls, "CatchingProxy", Broken)
    with pytest.raises(UsageError, match="no sockets"), AppCalls():
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_proxy_that_ends_early_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the block finds its loop closed."""

    class Short(CatchingProxy):
        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            await super().__aexit__(kind, error, trace)
            raise ValueError

    monkeypatch.setattr(app_calls, "CatchingProxy", Short)
    with AppCalls():
        pass


def test_a_call_that_hangs_ends_with_the_block() -> None:
    """The proxy hangs up."""
    ended = threading.Event()

    def call() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(WECOM.replace("https", "http"), b"{}")  # noqa: S310 - ours
        ended.set()

    async def hang(_request: Any) -> Any:
        await asyncio.sleep(3600)

    calls = AppCalls()
    calls._proxy._answer = hang
    with calls:
        thread = threading.Thread(target=call)
        thread.start()
        while not calls.log.connections:
            ended.wait(0.005)
    assert ended.wait(5)
    thread.join()


def test_proxies_are_read_from_the_environment() -> None:
    """Variables in any case, with and without a scheme, are read; others are ignored."""
    environ = {
        "http_proxy": "http://u:p@Proxy.example.com:3128",
        "HTTPS_PROXY": "https://p2",
        "all_proxy": "socks5://p3",
        "ALL_PROXY": "http://[",
        "no_proxy": "x",
    }
    found = CaughtConnections(1, CaughtHosts(), environ=environ)._proxies
    assert found == {("proxy.example.com", "3128"), ("p2", "443"), ("p3", "")}


@pytest.mark.parametrize(
    "name, is_local",
    [
        ("", True),
        ("localhost", True),
        ("app.localhost", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - a name
        ("10.0.0.1", False),
        ("localhost.example", False),
    ],
)
def test_names_of_this_machine(name: str, *, is_local: bool) -> None:
    """Only names of this machine are local."""
    assert app_calls._is_local(name) is is_local
