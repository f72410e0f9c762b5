"""HTTP clients of the user as targets: each sends TCOP's requests, and is checked like a URL."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import warnings
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import flask
import httpx
import pytest
from apps import asgi as asgi_app
from apps import wsgi
from scripted_server import Peer, ScriptedServer
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from werkzeug.test import Client as WerkzeugClient

import tcop_mock
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.caller import run_beside, run_beside_async
from tcop_mock.transport.client import kind_of_client
from tcop_mock.transport.http1 import HttpTransport
from tcop_mock.transport.inprocess import calls_one_by_one
from tcop_mock.transport.open import open_target, resolve_target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette prefers httpx2 to httpx
    from starlette.testclient import TestClient

CALLBACK = {"alarmStatus": "1"}
CAP = 65_536
asgi: Any = asgi_app


def attempt_of(target: object, body: object = None, **options: Any) -> Attempt:
    """Return the only attempt to deliver to a target."""
    delivery = tcop_mock.send(CALLBACK if body is None else body, target, attempts=1, **options)  # type: ignore[arg-type]  # any body
    return delivery.attempts[0]


class Recorder:
    """An app that records requests, in the shapes that the clients call."""

    def __init__(self) -> None:
        self.requests: list[SimpleNamespace] = []

    def mock(self, request: httpx.Request) -> httpx.Response:
        """Take a request of httpx."""
        self._add(request.method, request.url.raw_path.decode(), dict(request.headers), request.content)
        return httpx.Response(201, content=b"taken", headers={"X-By": "mock"})

    def flask(self) -> flask.Flask:
        """Return a Flask app."""
        app = flask.Flask("recorder")

        @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
        @app.route("/<path:path>", methods=["GET", "POST"])
        def receive(path: str) -> tuple[str, int, dict[str, str]]:
            headers = {name.lower(): value for name, value in flask.request.headers.items()}
            target = f"/{path}" + (f"?{flask.request.query_string.decode()}" if flask.request.query_string else "")
            self._add(flask.request.method, target, headers, flask.request.get_data())
            return "taken", 201, {"X-By": "flask"}

        return app

    def starlette(self) -> Starlette:
        """Return a Starlette app."""

        async def receive(request: Request) -> Response:
            self._add(request.method, request.url.path, dict(request.headers), await request.body())
            return PlainTextResponse("taken", 201, {"X-By": "starlette"})

        return Starlette(routes=[Route("/{path:path}", receive, methods=["GET", "POST"])])

    def _add(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.requests.append(SimpleNamespace(method=method, path=path, headers=headers, body=body))


def clients_of(recorder: Recorder) -> dict[str, object]:
    """Return one client of each kind, by name."""
    mock = httpx.MockTransport(recorder.mock)
    return {
        "httpx": httpx.Client(transport=mock),
        "httpx-async": httpx.AsyncClient(transport=mock, base_url="http://test/"),
        "asgi": httpx.AsyncClient(transport=httpx.ASGITransport(recorder.starlette()), base_url="http://test"),
        "wsgi": httpx.Client(transport=httpx.WSGITransport(recorder.flask()), base_url="http://test"),
        "starlette": TestClient(recorder.starlette()),
        "flask": recorder.flask().test_client(),
        "werkzeug": WerkzeugClient(recorder.flask()),
    }


CLIENTS = list(clients_of(Recorder()))


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_sends_the_request_of_tcop(name: str) -> None:
    """Body and Content-Type arrive as a URL would get them; status, headers and body of the answer come back."""
    recorder = Recorder()
    attempt = attempt_of((clients_of(recorder)[name], "/alarm"), b'{"a": "\xe4\xb8\xad"}')
    (request,) = recorder.requests
    assert (request.method, request.path) == ("POST", "/alarm")
    assert (request.body, request.headers["content-type"]) == (b'{"a": "\xe4\xb8\xad"}', "application/json")
    assert "accept-encoding" not in request.headers
    assert (attempt.outcome, attempt.status, attempt.body) == (Outcome.ACKED, 201, b"taken")
    assert "x-by" in {header.lower() for header, _ in attempt.headers}


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_works_beside_a_running_loop(name: str) -> None:
    """Coroutines of a client run in the loop of the test; other clients send one request after the other."""
    recorder = Recorder()

    async def scene() -> list[bool]:
        deliveries = await tcop_mock.send_all_async([CALLBACK] * 3, clients_of(recorder)[name])
        return [delivery.accepted for delivery in deliveries]

    assert asyncio.run(scene()) == [True] * 3
    assert len(recorder.requests) == 3


@pytest.mark.parametrize("base, path, expected", [
    ("", "", "/"),
    ("http://test", "", "/"),
    ("http://test/api", "", "/api"),
    ("http://test/api/", "/alarm?a=1", "/api/alarm?a=1"),
    ("http://test:8080", "/告警", "/%E5%91%8A%E8%AD%A6"),
])  # fmt: skip
def test_the_path_is_that_of_the_base_url_and_of_the_pair(base: str, path: str, expected: str) -> None:
    """Callbacks are posted to the base URL itself where no path is named."""
    recorder = Recorder()
    client = httpx.Client(transport=httpx.MockTransport(recorder.mock), base_url=base)
    assert attempt_of((client, path) if path else client).accepted
    assert recorder.requests[0].path == expected


def test_an_app_may_have_a_path_too() -> None:
    """A pair names the path of an app at hand."""
    recorder = Recorder()
    assert attempt_of((recorder.flask(), "/alarm?x=1")).status == 201
    assert recorder.requests[0].path == "/alarm?x=1"


@pytest.mark.parametrize("value, problem", [
    ((wsgi, "alarm"), "the path of the target is 'alarm'; write one that starts with /, such as /alarm"),
    (httpx.Client(), r"the client \(httpx:Client\) has neither an app nor a base_url; give it a base_url"),
    (5, "the target is of type int; give a URL, an ASGI or WSGI app, a test client"),
    (httpx.Client, "httpx:Client"),
])  # fmt: skip
def test_what_is_no_target_is_refused(value: object, problem: str) -> None:
    """The message says what to give."""
    if value is httpx.Client:
        assert kind_of_client(value) is None
        return
    with pytest.raises(UsageError, match=problem):
        resolve_target(value)


def test_a_client_with_a_network_has_the_address_of_its_base_url() -> None:
    """A client with a network counts as its URL, one with an app as this machine."""
    with httpx.Client(base_url="https://alarms.example.com/hook") as client:
        assert not resolve_target(client).is_on_this_machine
        assert str(resolve_target((client, "/a"))) == "https://alarms.example.com/hook/a"
    mounted = httpx.Client(base_url="http://alarms.example.com", mounts={"http://": httpx.WSGITransport(wsgi)})
    assert resolve_target(mounted).is_on_this_machine


class _OtherClient:
    """A client that looks like one of httpx, of another library."""

    base_url = "http://127.0.0.1:1/"
    auth = None
    headers: dict[str, str]

    def build_request(self, method: str, url: str, **_: object) -> httpx.Request:
        return httpx.Request(method, url)

    def send(self, request: object, **_: object) -> object:
        raise NotImplementedError


def test_a_client_that_does_not_show_its_transport_may_have_a_network() -> None:
    """The address then counts as the one that is sent to."""
    client = _OtherClient()
    client.base_url = httpx.URL("http://other.example.com/")  # type: ignore[assignment]  # as httpx has it
    assert not resolve_target(client).is_on_this_machine


# --- the app as the suite has it


def test_lifespan_and_overrides_are_those_of_the_suite() -> None:
    """An app that TestClient has started answers; one that it has not started has no state."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, int]]:
        yield {"status": 202}

    async def receive(request: Request) -> Response:
        return Response(status_code=request.state.status)

    app = Starlette(routes=[Route("/", receive, methods=["POST"])], lifespan=lifespan)
    with TestClient(app) as client:
        assert attempt_of(client).status == 202
    assert attempt_of(TestClient(app)).status == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("make", [
    lambda app: app.test_client(),
    lambda app: httpx.Client(transport=httpx.WSGITransport(app)),
])  # fmt: skip
def test_an_app_that_raises_is_a_500_with_its_traceback(make: Callable[[flask.Flask], object]) -> None:
    """The exception counts as 500, also if the client raises it in the test."""
    app = flask.Flask("raises")
    app.testing = True

    @app.post("/")
    def receive() -> str:
        raise KeyError("region")

    attempt = attempt_of(make(app))
    assert (attempt.outcome, attempt.status) == (Outcome.REJECTED, 500)
    assert "KeyError: 'region'" in attempt.traceback


def test_an_async_app_that_raises_is_a_500_with_its_traceback() -> None:
    """The same holds for an asynchronous app and client."""

    async def receive(_: Request) -> Response:
        raise KeyError("region")

    app = Starlette(routes=[Route("/", receive, methods=["POST"])])
    attempt = attempt_of(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test"))
    assert attempt.status == 500
    assert "KeyError: 'region'" in attempt.traceback


@pytest.mark.parametrize("raises", [True, False])
def test_an_exception_behind_a_whole_500_is_no_broken_response(*, raises: bool) -> None:
    """TestClient hands over the response of Starlette and raises then; the traceback is kept where it raises."""

    async def receive(_: Request) -> Response:
        raise KeyError("region")

    app = Starlette(routes=[Route("/", receive, methods=["POST"])])
    with TestClient(app, raise_server_exceptions=raises) as client:
        attempt = attempt_of(client)
    assert (attempt.outcome, attempt.status) == (Outcome.REJECTED, 500)
    assert ("KeyError: 'region'" in attempt.traceback) == raises


def test_no_client_follows_a_redirect() -> None:
    """Although TestClient follows them by default."""

    async def receive(_: Request) -> Response:
        return RedirectResponse("/elsewhere")

    attempt = attempt_of(TestClient(Starlette(routes=[Route("/", receive, methods=["POST"])])))
    assert (attempt.outcome, attempt.status) == (Outcome.REDIRECTED, 307)


def test_a_long_body_is_cut_at_the_limit() -> None:
    """Both kinds of clients of httpx stop reading a stream at the limit."""
    parts = [b"x" * 40_000] * 3

    async def receive(_: httpx.Request) -> httpx.Response:
        async def stream() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        return httpx.Response(200, content=stream())

    targets = [
        httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=iter(parts)))),
        httpx.AsyncClient(transport=httpx.MockTransport(receive)),
    ]
    for target in targets:
        attempt = attempt_of(target)
        assert (len(attempt.body), attempt.body_truncated, attempt.outcome) == (CAP, True, Outcome.ACKED)


@pytest.mark.parametrize("make", [lambda app: app.test_client(), lambda app: app])
def test_an_endless_body_is_left_at_the_limit(make: Callable[[flask.Flask], object]) -> None:
    """The app is not asked for more, and its generator is closed."""
    app, ends = flask.Flask("endless"), []

    @app.post("/")
    def receive() -> flask.Response:
        def stream() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x" * 40_000
            finally:
                ends.append(True)

        return flask.Response(stream())

    attempt = attempt_of(make(app))
    assert (len(attempt.body), attempt.body_truncated, ends) == (CAP, True, [True])


def test_one_client_serves_several_runs() -> None:
    """Requests of each run have their turns, each in a loop of its own."""
    recorder = Recorder()

    async def scene() -> list[Outcome]:
        with open_target(recorder.flask().test_client(), CAP) as opened:

            async def send_three() -> list[Attempt]:
                send = opened.transport
                return list(await asyncio.gather(*(send(OutgoingRequest(b"{}"), deadline_s=20) for _ in range(3))))

            return [one.outcome for _ in range(2) for one in await run_beside_async(send_three())]

    assert asyncio.run(scene()) == [Outcome.ACKED] * 6


# --- credentials


def _guarded() -> flask.Flask:
    app = flask.Flask("guarded")

    @app.post("/")
    def receive() -> tuple[str, int]:
        given = flask.request.authorization
        is_right = given is not None and (given.username, given.password) == ("tcop", "pä:ss")
        return ("", 204) if is_right else ("", 401)

    return app


def _flask_client(app: flask.Flask) -> object:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic dGNvcDpww6Q6c3M="
    return client


CREDENTIALS: dict[str, Callable[[flask.Flask], object]] = {
    "auth": lambda app: httpx.Client(transport=httpx.WSGITransport(app), auth=("tcop", "pä:ss")),
    "header": lambda app: httpx.Client(
        transport=httpx.WSGITransport(app), headers={"Authorization": "Basic dGNvcDpww6Q6c3M="}
    ),
    "base_url": lambda app: httpx.Client(transport=httpx.WSGITransport(app), base_url="http://tcop:p%C3%A4%3Ass@test"),
    "flask": _flask_client,
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials_of_a_client_are_those_that_the_receiver_wants(name: str) -> None:
    """The clauses about authentication are run, with right, wrong and no credentials; no report shows the password."""
    client = CREDENTIALS[name](_guarded())
    verdict = tcop_mock.check(client, clauses=["TCM201", "TCM202"], seed=1)
    assert [result.status.value for result in verdict.results] == ["pass"] * 2
    assert "pä" not in repr(verdict)
    assert attempt_of(client).accepted


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_receiver_that_lets_everybody_in_is_found_by_a_client(name: str) -> None:
    """A request without credentials is sent without them."""
    verdict = tcop_mock.check(CREDENTIALS[name](Recorder().flask()), clauses=["TCM201"], seed=1)
    assert [result.status.value for result in verdict.results] == ["fail"]


@pytest.mark.parametrize("options", [
    {"headers": {"Authorization": "Bearer token"}},
    {"headers": {"Authorization": "Basic !"}},
    {"auth": httpx.DigestAuth("tcop", "secret")},
])  # fmt: skip
def test_other_credentials_stay_with_the_client(options: dict[str, Any]) -> None:
    """A token, or Digest, is sent as the suite has it; the clauses about Basic are not run."""
    client = httpx.Client(transport=httpx.MockTransport(Recorder().mock), **options)
    assert resolve_target(client).credentials is None
    assert attempt_of(client).accepted


def test_headers_of_the_client_are_sent() -> None:
    """A token that the suite has set arrives."""
    recorder = Recorder()
    client = httpx.Client(transport=httpx.MockTransport(recorder.mock), headers={"X-Token": "abc"})
    assert attempt_of(client).accepted
    assert recorder.requests[0].headers["x-token"] == "abc"


def test_a_request_outside_of_a_run_is_sent_in_the_running_loop() -> None:
    """A header of the request replaces one of the client, also Accept-Encoding."""
    recorder = Recorder()
    request = OutgoingRequest(b"{}", headers=(("Accept-Encoding", "br"),), query="a=1")

    async def send() -> Attempt:
        with open_target(httpx.AsyncClient(transport=httpx.MockTransport(recorder.mock)), CAP) as opened:
            return await opened.transport(request, deadline_s=5.0)

    assert asyncio.run(send()).accepted
    assert (recorder.requests[0].headers["accept-encoding"], recorder.requests[0].path) == ("br", "/?a=1")


# --- what a client cannot send


def test_clauses_that_need_a_socket_are_not_run() -> None:
    """They have the reason as a value, and the others are judged."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://test")
    verdict = tcop_mock.check(client, clauses=["TCM102", "TCM110", "TCM112", "TCM114", "TCM406", "TCM407"], seed=1)
    missing = {result.clause.code: result.missing and result.missing.kind for result in verdict.results}
    assert missing.pop("TCM102") is None
    assert set(missing.values()) == {Prerequisite.SOCKET}


@pytest.mark.parametrize("loop", [False, True])
def test_a_client_without_coroutines_has_one_request_in_flight(*, loop: bool) -> None:
    """Clauses that need many at once are not run, in an asynchronous test neither; with coroutines they are run."""

    async def is_sequential(target: object) -> bool:
        with open_target(target, CAP) as opened:
            return calls_one_by_one(opened.transport)

    results = []
    for target in (WerkzeugClient(wsgi), httpx.AsyncClient(transport=httpx.ASGITransport(asgi))):
        if loop:
            results.append(asyncio.run(run_beside_async(is_sequential(target))))
        else:
            results.append(run_beside(is_sequential(target)))
    assert results == [True, False]


def test_the_plan_knows_of_the_client() -> None:
    """A plan without one asks for nothing."""
    assert CheckPlan.__dataclass_fields__["uses_client"].default is False
    with open_target(TestClient(asgi), CAP) as opened:
        assert opened.uses_client
        assert not opened.has_address


# --- Django, whose clients are recognized by what they can do


class _DjangoClient:
    """The parts of ``django.test.Client`` that are used."""

    handler = None

    def __init__(self, **defaults: str) -> None:
        self.defaults = defaults
        self.sent: list[tuple[Any, ...]] = []

    def request(self, **_: object) -> None:
        """Exist."""

    def generic(self, method: str, path: str, data: bytes, content_type: str, *, headers: dict[str, str]) -> Any:
        """Record a request."""
        self.sent.append((method, path, data, content_type, headers, dict(self.defaults)))
        return _DjangoResponse()


class _DjangoResponse:
    status_code = 200
    is_async = False

    def items(self) -> list[tuple[str, str]]:
        return [("X-By", "django")]

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"o", b"k"])


class _AsyncDjangoClient(_DjangoClient):
    """The parts of ``django.test.AsyncClient`` that are used."""

    response: Any = _DjangoResponse()

    async def request(self, **_: object) -> None:  # type: ignore[override]  # as Django's
        """Exist."""

    async def generic(self, *arguments: Any, **keywords: Any) -> Any:
        """Record a request."""
        super().generic(*arguments, **keywords)
        return self.response


class _AsyncParts(_DjangoResponse):
    is_async = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"o"
        yield b"k"


class _EndlessParts(_DjangoResponse):
    is_async = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 40_000


def _async_django_with_stream() -> _AsyncDjangoClient:
    client = _AsyncDjangoClient()
    client.response = _AsyncParts()
    return client


@pytest.mark.parametrize("make", [_DjangoClient, _AsyncDjangoClient, _async_django_with_stream])
def test_django_s_clients_send(make: Callable[[], _DjangoClient]) -> None:
    """The client sends by ``generic`` with Django's argument for the Content-Type."""
    client = make()
    attempt = attempt_of((client, "/alarm"), b"{}")
    method, path, data, content_type, headers, _ = client.sent[0]
    assert (method, path, data, content_type) == ("POST", "/alarm", b"{}", "application/json")
    assert "Content-Type" not in headers
    assert (attempt.outcome, attempt.body, attempt.headers) == (Outcome.ACKED, b"ok", (("X-By", "django"),))


def test_an_endless_body_of_django_is_left_at_the_limit() -> None:
    """An endless body is read up to the limit."""
    client = _AsyncDjangoClient()
    client.response = _EndlessParts()
    assert attempt_of(client).body_truncated


def test_credentials_of_django_s_client_are_its_defaults() -> None:
    """They leave the defaults while a request without credentials is sent, and come back."""
    client = _DjangoClient(HTTP_AUTHORIZATION="Basic dGNvcDpww6Q6c3M=")
    tcop_mock.check(client, clauses=["TCM201"], seed=1)
    assert any("Authorization" not in sent[4] and not sent[5] for sent in client.sent)
    assert client.defaults


DJANGO = """
import django, sys
from django.conf import settings
settings.configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES={})
django.setup()
from django.http import HttpResponse
from django.urls import path
from django.test import AsyncClient, Client
import json
def receive(request):
    json.loads(request.body)
    return HttpResponse(status=200 if request.method == "POST" and request.content_type == "application/json" else 405)
urlpatterns = [path("alarm", receive)]
import tcop_mock
for client in (Client(), AsyncClient()):
    verdict = tcop_mock.check((client, "/alarm"), clauses=["TCM101", "TCM401"], seed=1)
    print(*(result.status.value for result in verdict.results))
"""


@pytest.mark.proof
def test_django_s_own_clients_are_targets() -> None:
    """The receiver accepts every shape, and answers 500 to broken JSON: the exception of the view is a 500."""
    import subprocess  # noqa: PLC0415 - Django's settings are for a process

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", DJANGO], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "pass fail\n" * 2


# --- two senders, one outcome

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

SCRIPTS: dict[str, Callable[[Peer], object]] = {
    "acked": lambda peer: peer.answer(OK),
    "rejected": lambda peer: peer.answer(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"),
    "redirected": lambda peer: peer.answer(b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "no answer": lambda peer: peer.answer(b""),
    "reset before the answer": lambda peer: peer.answer(b"").reset(),
    "half a body": lambda peer: peer.answer(HEAD + b"fo"),
    "reset in the body": lambda peer: peer.answer(HEAD + b"fo").reset(),
    "half a chunk": lambda peer: peer.answer(CHUNKED + b"9\r\nok"),
    "no HTTP": lambda peer: peer.answer(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").hold(),
    "no status": lambda peer: peer.answer(b"HTTP/1.1 two hundred\r\n\r\n").hold(),
    "no chunk": lambda peer: peer.answer(CHUNKED + b"zz\r\n").hold(),
    "silent": lambda peer: peer.answer(b"").hold(),
    "head, then silent": lambda peer: peer.answer(HEAD).hold(),
    "drips beyond the deadline": lambda peer: (peer.read_request(), peer.send(HEAD[:-2]), peer.drip(b"x" * 100)),
}
LATE = {"silent", "head, then silent", "drips beyond the deadline"}


def _outcomes(url: str, deadline_s: float) -> list[tuple[Outcome, int | None]]:
    """Return how an attempt ends with our sender, and with both clients of httpx."""
    ours = asyncio.run(HttpTransport(Target.parse(url))(OutgoingRequest(b"{}"), deadline_s=deadline_s))
    attempts = [ours]
    with httpx.Client(base_url=url, verify=False) as client:  # noqa: S501 - plain HTTP; its TLS context costs time
        attempts.append(attempt_of(client, b"{}", timeout_s=deadline_s))

    async def send() -> Attempt:
        async with httpx.AsyncClient(base_url=url, verify=False) as client:  # noqa: S501 - as above
            return (await tcop_mock.send_async(b"{}", client, attempts=1, timeout_s=deadline_s)).attempts[0]

    attempts.append(asyncio.run(send()))
    return [(attempt.outcome, attempt.status) for attempt in attempts]


@pytest.mark.parametrize("name", SCRIPTS)
def test_two_senders_see_the_same_outcome(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our transport and httpx see the same outcome, as far as httpx can tell."""
    monkeypatch.setattr("tcop_mock.transport.client._SPARE_TIME_S", 0.05)
    with ScriptedServer(SCRIPTS[name]) as server:
        outcomes = _outcomes(server.url, 0.05 if name in LATE else 20.0)
    if name in LATE:  # a busy machine may not have read the head in this time
        outcomes = [(outcome, None) for outcome, _ in outcomes]
    assert len(set(outcomes)) == 1, outcomes


def test_two_senders_see_the_same_outcome_where_nobody_listens() -> None:
    """Refused, and not reset."""
    with ScriptedServer(lambda peer: peer.hold()) as server:
        port = server.port
    assert set(_outcomes(f"http://127.0.0.1:{port}/", 20.0)) == {(Outcome.REFUSED, None)}
