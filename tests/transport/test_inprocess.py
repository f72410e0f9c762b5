"""Apps in this process: the same deadline, attempts and records as over a network."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.target import Credentials, Secret, Target
from tcop_mock.errors import TargetError, UsageError
from tcop_mock.transport.asgi import AsgiTransport
from tcop_mock.transport.caller import run_beside
from tcop_mock.transport.inprocess import WsgiTransport
from tcop_mock.transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tcop_mock.domain.delivery import Attempt

TARGET = Target.parse("app:app/h%C3%B6ok/x?a=1&b=%20")
PUSH = OutgoingRequest(b'{"a":"\xc3\xa9"}', headers=(("Content-Type", "application/json"), ("X-Team", "sre")))
Start = Any
Scope = dict[str, Any]


def _wsgi(app: Any, push: OutgoingRequest = PUSH, *, deadline_s: float = 5.0, cap: int = 1000) -> Attempt:
    post = WsgiTransport(app, TARGET, max_body_bytes=cap, clock=time.perf_counter)
    return run_beside(post(push, deadline_s=deadline_s))


def _asgi(app: Any, push: OutgoingRequest = PUSH, *, deadline_s: float = 5.0, cap: int = 1000) -> Attempt:
    with AsgiTransport(app, TARGET, max_body_bytes=cap, clock=time.perf_counter, lifespan_timeout_s=5.0) as post:
        return run_beside(post(push, deadline_s=deadline_s))


async def _answer(send: Any, status: int = 200, *parts: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"1")]})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


def test_a_wsgi_app_gets_the_request_as_pep_3333_has_it() -> None:
    """Method, path, query, headers and body; the answer is recorded with its times and sizes."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        seen.append(environ | {"body": environ["wsgi.input"].read()})
        start_response("202 Accepted", [("X-A", "1")])
        return [b"o", b"k"]

    attempt = _wsgi(
        app, OutgoingRequest(PUSH.body, headers=PUSH.headers, credentials=Credentials(Secret("u"), Secret("p")))
    )
    [environ] = seen
    assert environ["body"] == PUSH.body
    assert {key: environ[key] for key in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE")} == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hÃ¶ok/x",
        "QUERY_STRING": "a=1&b=%20",
        "CONTENT_TYPE": "application/json",
    }
    assert (environ["CONTENT_LENGTH"], environ["HTTP_X_TEAM"], environ["HTTP_AUTHORIZATION"]) == (
        "10",
        "sre",
        "Basic dTpw",
    )
    assert (attempt.outcome, attempt.status, attempt.headers, attempt.body) == (
        Outcome.ACKED,
        202,
        (("X-A", "1"),),
        b"ok",
    )
    assert attempt.started_s <= (attempt.first_byte_s or 0) <= attempt.ended_s
    assert (attempt.sent_bytes, attempt.received_bytes, attempt.detail, attempt.traceback) == (10, 2, "", "")


def test_an_asgi_app_gets_the_request_as_its_specification_has_it() -> None:
    """Scope, body in its segments, a disconnect when all is over; the state of its lifespan."""
    seen: list[Any] = []
    gone = threading.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["database"] = "open"
            await send({"type": "lifespan.startup.complete"})
            seen.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(scope)
        seen.append([await receive() for _ in range(2)])
        await _answer(send, 201, b"o", b"k")
        seen.append(await receive())
        gone.set()

    push = OutgoingRequest(PUSH.body, headers=PUSH.headers, segment_sizes=(4, 10))
    with AsgiTransport(app, TARGET, max_body_bytes=10, clock=time.perf_counter) as post:
        attempt = run_beside(post(push, deadline_s=5.0))
        assert gone.wait(5.0)
    scope, parts, disconnect, shutdown = seen
    assert (scope["method"], scope["path"], scope["raw_path"], scope["query_string"]) == (
        "POST",
        "/höok/x",
        b"/h%C3%B6ok/x",
        b"a=1&b=%20",
    )
    assert (b"x-team", b"sre") in scope["headers"]
    assert scope["state"] == {"database": "open"}
    assert parts == [
        {"type": "http.request", "body": PUSH.body[:4], "more_body": True},
        {"type": "http.request", "body": PUSH.body[4:], "more_body": False},
    ]
    assert (disconnect, shutdown) == ({"type": "http.disconnect"}, "lifespan.shutdown")
    assert (attempt.outcome, attempt.status, attempt.body) == (Outcome.ACKED, 201, b"ok")


def test_an_empty_body_is_one_empty_part() -> None:
    """An app that waits for the body's end gets it."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            message = await receive()
            await _answer(send, 200 if message == {"type": "http.request", "body": b"", "more_body": False} else 500)

    assert _asgi(app, OutgoingRequest(b"")).status == 200


def test_an_app_that_raises_answers_500_with_its_traceback() -> None:
    """An exception counts as 500, and the attempt has its traceback."""

    def wsgi(environ: dict[str, Any], _start: Start) -> Iterable[bytes]:
        raise KeyError(environ["REQUEST_METHOD"])

    async def asgi(scope: Scope, _receive: Any, _send: Any) -> None:
        raise KeyError(scope.get("method"))

    for attempt in (_wsgi(wsgi), _asgi(asgi)):
        assert (attempt.outcome, attempt.status) == (Outcome.REJECTED, 500)
        assert re.fullmatch(r"KeyError: 'POST' \([aw]sgi, line \d+ of test_inprocess\.py\)", attempt.detail)
        assert "test_inprocess.py" in attempt.traceback
        assert "Traceback" not in repr(attempt)


def test_an_app_that_raises_inside_its_answer_cuts_it() -> None:
    """The head had come, and the rest will not."""

    def wsgi(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"o"
        raise ValueError

    async def asgi(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "nonsense"})

    for attempt in (_wsgi(wsgi), _asgi(asgi)):
        assert (attempt.outcome, attempt.status) == (Outcome.RESET_IN_ANSWER, 200)
        assert "Error" in attempt.traceback


def test_an_app_without_an_answer_answers_500() -> None:
    """An app that returns without a response counts as 500."""

    async def asgi(_scope: Scope, _receive: Any, _send: Any) -> None:
        return

    for attempt in (_wsgi(lambda _environ, _start: []), _asgi(asgi)):
        assert (attempt.status, attempt.detail) == (500, "the app ended without an answer")


@pytest.mark.parametrize("status, outcome", [(302, Outcome.REDIRECTED), (404, Outcome.REJECTED), (204, Outcome.ACKED)])
def test_the_status_says_how_an_answer_counts(status: int, outcome: Outcome) -> None:
    """A status counts as it does over a network."""

    def wsgi(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response(f"{status} X", [])
        return []

    assert _wsgi(wsgi).outcome is outcome


def test_an_app_that_is_late_is_late() -> None:
    """One that waits, one that blocks its loop, one whose body does not come: each inside the deadline and a little."""
    free, others = threading.Event(), set(threading.enumerate())

    def wsgi(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        free.wait(10.0)
        return []

    async def blocks(scope: Scope, _receive: Any, _send: Any) -> None:
        if scope["type"] == "http":
            free.wait(10.0)

    async def waits(scope: Scope, _receive: Any, _send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.Event().wait()

    late = _wsgi(wsgi, deadline_s=0.1)
    assert (late.outcome, late.status, late.detail) == (
        Outcome.TIMED_OUT,
        200,
        "the head of the answer came in time, its body did not end",
    )
    for app in (waits, blocks):
        late = _asgi(app, deadline_s=0.1)
        assert (late.outcome, late.status, late.detail) == (Outcome.TIMED_OUT, None, "no answer inside 0.1 s")
        assert late.duration_s < 5.0
    free.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(10.0)


def test_an_answer_is_read_up_to_the_cap() -> None:
    """An app that goes on without end is not waited for; a head is enough where its body is nobody's business."""

    async def asgi(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 30, "more_body": True})
                await asyncio.sleep(0)

    attempt = _asgi(asgi, cap=100)
    assert (attempt.outcome, len(attempt.body), attempt.body_truncated) == (Outcome.ACKED, 100, True)


def test_start_response_twice_is_the_app_s_mistake() -> None:
    """A second call is an error without exc_info; written data is part of the body."""

    def twice(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    def again(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("503 X", [], (None, None, None))(b"sorry")
        return []

    assert "called twice" in _wsgi(twice).traceback
    attempt = _wsgi(again)
    assert (attempt.status, attempt.body) == (503, b"sorry")


def test_an_iterable_is_closed() -> None:
    """The response iterable is closed, as PEP 3333 requires."""
    closed: list[bool] = []

    class Parts:
        def __iter__(self) -> Any:
            return iter([b"x"])

        def close(self) -> None:
            closed.append(True)

    def wsgi(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Parts()

    _wsgi(wsgi)
    assert closed == [True]


@pytest.mark.parametrize(
    "message, reported",
    [({"message": "no database"}, "no database"), ({}, "it gives no reason"), (None, "not done in 0.1 s")],
)
def test_an_app_that_does_not_start_up_is_no_target(message: dict[str, str] | None, reported: str) -> None:
    """The error has the app's reason, or the time limit."""

    async def app(_scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        if message is None:
            await asyncio.Event().wait()
        await send({"type": "lifespan.startup.failed", **(message or {})})

    post = AsgiTransport(app, TARGET, max_body_bytes=10, clock=time.perf_counter, lifespan_timeout_s=0.1)
    with pytest.raises(TargetError, match=f"the app did not start up: {reported}$"), post:
        run_beside(post(PUSH, deadline_s=5.0))


def test_an_app_that_does_not_shut_down_is_left() -> None:
    """After its time is over."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await asyncio.Event().wait()

    with AsgiTransport(app, TARGET, max_body_bytes=10, clock=time.perf_counter, lifespan_timeout_s=0.1) as post:
        run_beside(post(PUSH, deadline_s=0.1))


MODULE = """
import contextlib

def wsgi(environ, start_response):
    print("told by the app")
    start_response("200 OK", [])
    return [b"wsgi"]

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi"})

class Held:
    wsgi = staticmethod(wsgi)
    def __init__(self, path=""): self.path = path
    def __call__(self, scope, receive, send): return asgi(scope, receive, send)

def make(): return asgi

held = Held()
number = 7
builtin = dict.fromkeys
print("told while it is imported")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a module in the working directory."""
    name = f"app_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return name


@pytest.mark.parametrize(
    "attribute, body",
    [("wsgi", b"wsgi"), ("asgi", b"asgi"), ("make()", b"asgi"), ("held", b"asgi"), ("held.wsgi", b"wsgi")],
)
def test_an_app_is_found_and_recognised(
    module: str, attribute: str, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """An app is found by name, by factory or in an object; its output goes to standard error."""
    with open_transport(Target.parse(f"{module}:{attribute}"), 100) as post:
        assert run_beside(post(PUSH, deadline_s=5.0)).body == body
        print("ours")  # noqa: T201 - that is what is tried
    reported = capsys.readouterr()
    assert reported.out == "ours\n"
    assert ("told by the app\n" in reported.err) == (body == b"wsgi")


@pytest.mark.parametrize(
    "reference, problem",
    [
        ("nosuch_module:app", "ModuleNotFoundError: No module named 'nosuch_module'"),
        ("{}:nosuch", "AttributeError: module '{}' has no attribute 'nosuch'"),
        ("{}:number()", "TypeError: 'int' object is not callable"),
        ("{}:number", "it is of type int, which cannot be called"),
    ],
)
def test_what_is_no_app_is_reported(module: str, reference: str, problem: str) -> None:
    """The error has the reason, and how to name an app."""
    with pytest.raises(UsageError) as caught, open_transport(Target.parse(reference.format(module)), 100):
        pass
    assert str(caught.value).startswith(f"{reference.format(module)} is not an app: {problem.format(module)}")


def test_what_has_no_signature_is_taken_for_wsgi(module: str) -> None:
    """Built-in callables tell nothing of their arguments."""
    with open_transport(Target.parse(f"{module}:builtin"), 100) as post:
        assert isinstance(post, WsgiTransport)


def test_urls_are_dialled() -> None:
    """A scheme, or a number as port, makes it a URL."""
    assert Target.parse("http://localhost:80").app == Target.parse("localhost:80").app == ""
    target = Target.parse("u:p@pkg.mod:factory()/x?y")
    assert (target.app, target.path, str(target), target.url) == (
        "pkg.mod:factory()",
        "/x?y",
        "***@pkg.mod:factory()/x?y",
        "pkg.mod:factory()/x?y",
    )
    assert target.credentials is not None
    assert Target.parse("a:b").url == "a:b"


def test_two_hundred_at_once_are_all_answered() -> None:
    """All of 200 concurrent requests are answered."""

    def wsgi(_environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return []

    async def storm(post: Callable[..., Any]) -> list[Attempt]:
        return list(await asyncio.gather(*(post(PUSH, deadline_s=5.0) for _ in range(200))))

    post = WsgiTransport(wsgi, TARGET, max_body_bytes=10, clock=time.perf_counter)
    assert {attempt.outcome for attempt in asyncio.run(storm(post))} == {Outcome.ACKED}


def test_who_hangs_up_waits_for_no_answer() -> None:
    """The app goes on; the attempt is over."""
    ended = threading.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError
        await receive()
        await asyncio.sleep(0.05)
        ended.set()
        await _answer(send, 204)

    with AsgiTransport(app, TARGET, max_body_bytes=10, clock=time.perf_counter) as post:
        attempt = run_beside(post(OutgoingRequest(b"{}", hang_up_after_s=0.01), deadline_s=5.0))
        assert ended.wait(5.0)
    assert (attempt.outcome, attempt.status) == (Outcome.CANCELLED, None)
