"""The receivers that prove the clauses, over sockets: conforming ones and mutants."""

from __future__ import annotations

import socket
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, NamedTuple

import pytest
from conforming_receivers import PROCESSES, SERVERS
from mutant_receivers import MUTANTS, PAYLOAD_MUTANTS, acks_after, holds_last_byte, serialises
from receiver_factories import CREDENTIALS, server_factory

from tcop_mock.domain.target import Credentials, Secret, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from receiver_factories import ReceiverFactory

    from tcop_mock.server.messages import Reply

    Opened = Callable[[ReceiverFactory], str]

GOOD, BROKEN, DEEP = b'{"alarmStatus": "1"}', b'{"alarmStatus":', b"[" * 5000 + b"]" * 5000
LONG = b'{"a": "%s"}' % (b"x" * 40_000)
USER, PASSWORD = CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal()
WAIT_S = 5.0


class Answer(NamedTuple):
    """One response."""

    status: int
    body: bytes
    location: str | None


def ask(
    url: str,
    body: bytes = GOOD,
    method: str = "POST",
    *,
    credentials: Credentials | None = None,
    content_type: str = "application/json",
) -> Answer:
    """Send one request; by default with the credentials of the URL."""
    target = Target.parse(url)
    sent = {"Content-Type": content_type}
    if shown := credentials or target.credentials:
        sent["Authorization"] = f"Basic {shown.token().reveal()}"
    connection = HTTPConnection(target.host, target.port, timeout=WAIT_S)
    try:
        connection.request(method, target.path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(100_000), answer.headers["Location"])
    finally:
        connection.close()


def pair(user: str, password: str) -> Credentials:
    """Return credentials."""
    return Credentials(Secret(user), Secret(password))


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_takes_callbacks_and_refuses_the_rest(name: str, process_url: Callable[[str], str]) -> None:
    """An example receiver responds 2xx to a callback, 400 to other bodies, and 405 to other methods."""
    url = process_url(name)
    assert 200 <= ask(url).status < 300
    assert [ask(url, body).status for body in (BROKEN, b"", b"[]", b'{"a":"\xff"}', DEEP)] == [400] * 5
    assert [ask(url, b"", method).status for method in ("GET", "PUT", "DELETE")] == [405] * 3


@pytest.mark.parametrize("name", SERVERS)
def test_an_honest_sink_takes_callbacks_and_refuses_the_rest(name: str, opened: Opened) -> None:
    """Its responses are 2xx for a callback and 4xx for anything else."""
    url = opened(SERVERS[name])
    assert 200 <= ask(url).status < 300
    assert ask(url, BROKEN).status in {400, 422}
    assert ask(url, b"", "GET").status == 405
    if Target.parse(url).credentials:
        assert ask(url, credentials=pair(USER, "other")).status in {401, 403}


LATE = {"TCM102-delays-the-last-byte", "TCM102-answers-late", "TCM103-answers-after-1.5-s"}
OTHERWISE = {
    "TCM104-redirects-to-a-slash": 308,
    "TCM107-answers-202": 202,
    "TCM203-splits-at-every-colon": 500,
    "TCM203-decodes-Latin-1": 401,
    "TCM203-compares-the-percent-encoded-text": 401,
    "TCM203-cuts-the-password-at-its-last-colon": 401,
    "TCM301-status-must-be-a-number": 422,
}


@pytest.mark.parametrize(
    "name", sorted(MUTANTS.keys() - LATE - PAYLOAD_MUTANTS.keys() - {"TCM114-reads-the-socket-once"})
)
def test_a_mistake_on_the_wire_does_not_touch_a_plain_callback(name: str, opened: Opened) -> None:
    """A small callback with valid credentials is accepted, unless the bug prevents it.

    Not asked: who reads once, because http.client writes head and body apart.
    """
    assert ask(opened(MUTANTS[name])).status == OTHERWISE.get(name, 200)


@pytest.mark.parametrize(
    "name, method, body, content_type, status",
    [
        ("TCM106-accepts-GET", "GET", b"", "", 200),
        ("TCM106-answers-500-to-PUT", "PUT", b"", "", 500),
        ("TCM111-rejects-Content-Type-with-a-charset", "POST", GOOD, "application/json; charset=utf-8", 415),
        ("TCM115-reads-1-KiB-only", "POST", LONG, "application/json", 400),
        ("TCM315-rejects-bodies-over-32-KiB", "POST", LONG, "application/json", 413),
    ],
)
def test_a_mistake_shows_in_the_status(  # noqa: PLR0913, PLR0917 - a row of the table
    name: str, method: str, body: bytes, content_type: str, status: int, opened: Opened
) -> None:
    """The request of its clause gets the wrong status."""
    assert ask(opened(MUTANTS[name]), body, method, content_type=content_type).status == status


def test_a_mistake_with_chunks_shows(opened: Opened) -> None:
    """A receiver without support for chunked bodies fails on one."""
    target = Target.parse(opened(MUTANTS["TCM112-answers-500-to-chunked-bodies"]))
    connection = HTTPConnection(target.host, target.port, timeout=WAIT_S)
    connection.request("POST", "/", iter([GOOD]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 500
    connection.close()


def test_a_mistake_with_paths_shows(opened: Opened) -> None:
    """One receiver rejects a query; another redirects to its path with a slash, which it serves."""
    assert ask(f"{opened(MUTANTS['TCM113-rejects-a-query-string'])}/?team=sre").status == 404
    url = opened(MUTANTS["TCM104-redirects-to-a-slash"])
    assert ask(url) == Answer(308, b"", "/alarms/")
    assert ask(f"{url}/").status == 200


@pytest.mark.parametrize("name", ["TCM105-answers-without-end", "TCM105-answers-with-100-KiB"])
def test_a_mistake_with_the_length_of_answers_shows(name: str, opened: Opened) -> None:
    """More than 64 KiB arrive, only for accepted callbacks."""
    url = opened(MUTANTS[name])
    assert len(ask(url).body) > 65_536
    assert len(ask(url, BROKEN).body) < 100


def test_reading_once_loses_what_comes_later(opened: Opened) -> None:
    """A head and a body in two segments get 400, in one segment 200."""
    target = Target.parse(opened(MUTANTS["TCM114-reads-the-socket-once"]))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
    with socket.create_connection((target.host, target.port), WAIT_S) as wire:
        wire.sendall(head)
        assert wire.recv(1000).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection((target.host, target.port), WAIT_S) as wire:
        wire.sendall(head + GOOD)
        assert wire.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "name, user, password, body, status",
    [
        ("TCM202-accepts-an-empty-password", USER, "", GOOD, 200),
        ("TCM202-accepts-an-empty-password", USER, "other", GOOD, 401),
        ("TCM202-checks-the-user-only", USER, "other", GOOD, 200),
        ("TCM202-checks-the-user-only", "other", PASSWORD, GOOD, 401),
        ("TCM202-accepts-any-credentials", "other", "other", GOOD, 200),
        ("TCM202-accepts-any-credentials", "other", "other", BROKEN, 401),
        ("TCM201-accepts-missing-credentials", "other", "other", GOOD, 401),
        ("TCM204-parses-before-it-authenticates", "other", "other", BROKEN, 400),
        ("TCM204-parses-before-it-authenticates", "other", "other", GOOD, 401),
        ("TCM203-splits-at-every-colon", USER, "plain", GOOD, 401),
    ],
)
def test_a_mistake_with_credentials_shows(  # noqa: PLR0913, PLR0917 - a row of the table
    name: str, user: str, password: str, body: bytes, status: int, opened: Opened
) -> None:
    """Each receiver accepts its wrong credentials, and no others."""
    assert ask(opened(MUTANTS[name]), body, credentials=pair(user, password)).status == status


@pytest.mark.parametrize(
    "name, status", [("TCM201-accepts-missing-credentials", 200), ("TCM203-splits-at-every-colon", 401)]
)
def test_who_shows_no_credentials_is_let_in_by_one_receiver_only(name: str, status: int, opened: Opened) -> None:
    """A receiver without authentication accepts the callback."""
    url = opened(MUTANTS[name])
    assert ask(f"http://{url.rpartition('@')[2]}").status == status


@pytest.mark.parametrize("name", ["TCM205-echoes-the-header", "TCM205-echoes-the-password"])
def test_a_refusal_repeats_what_it_was_shown(name: str, opened: Opened) -> None:
    """The response contains the wrong password, or the header with it."""
    wrong = pair(USER, "sentinel-4711")
    answer = ask(opened(MUTANTS[name]), credentials=wrong)
    assert answer.status == 401
    assert any(trace.encode() in answer.body for trace in (wrong.token().reveal(), wrong.password.reveal()))


@pytest.mark.parametrize(
    "name, body",
    [
        ("TCM405-dies-after-a-deeply-nested-body", DEEP),
        ("TCM409-dies-after-a-malformed-body", BROKEN),
        ("TCM409-exits-on-a-malformed-body", BROKEN),
    ],
)
def test_a_receiver_dies_of_what_it_refuses(name: str, body: bytes, opened: Opened) -> None:
    """The fatal body gets 400, and later requests get no response."""
    url = opened(MUTANTS[name])
    assert ask(url, body).status == 400
    with pytest.raises((ConnectionError, TimeoutError)):
        first_byte(Target.parse(url))


def first_byte(target: Target) -> bytes:
    """Send a request and return the first byte of the response."""
    with socket.create_connection((target.host, target.port), 0.1) as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        return wire.recv(1)


def test_one_client_holds_up_the_next(opened: Opened) -> None:
    """A second client gets no response until the first has disconnected."""
    target = Target.parse(opened(MUTANTS["TCM407-serves-one-client-at-a-time"]))
    with socket.create_connection((target.host, target.port), WAIT_S) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\n")
        with socket.create_connection((target.host, target.port), 0.1) as wire:
            wire.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                wire.recv(1)
            slow.close()
            wire.settimeout(WAIT_S)
            assert wire.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_late_answer_is_late(opened: Opened) -> None:
    """Receivers delay the last byte, the whole response, or all other requests."""
    target = Target.parse(opened(holds_last_byte(0.2)))
    started = time.monotonic()
    with socket.create_connection((target.host, target.port), WAIT_S) as wire:
        wire.sendall(b"POST / HTTP/1.0\r\n\r\n")
        came = [wire.recv(1000)]
        while came[-1]:
            came.append(wire.recv(1000))
    assert (len(came), len(came[1]), time.monotonic() - started >= 0.2) == (3, 1, True)
    for opening in (acks_after(0.1), serialises(0.1)):
        started = time.monotonic()
        assert ask(opened(opening)).status == 200
        assert time.monotonic() - started >= 0.1


def test_a_receiver_that_does_not_open_is_the_tests_error(opened: Opened) -> None:
    """An error in the receiver's thread before its start is raised in the test."""

    def make() -> Callable[..., Reply]:
        raise LookupError

    with pytest.raises(LookupError):
        opened(server_factory(make))
