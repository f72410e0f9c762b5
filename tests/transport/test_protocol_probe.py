"""A port without HTTP is reported by the protocol that it speaks."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from scripted_server import Peer, ScriptedServer

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.target import Target
from tcop_mock.transport import protocol_probe
from tcop_mock.transport.outcomes import NO_HTTP_ANSWER
from tcop_mock.transport.protocol_probe import describe_greeting, identify_protocol

if TYPE_CHECKING:
    from collections.abc import Callable

TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
COMPLAINTS = {
    "Go": (400, b"Client sent an HTTP request to an HTTPS server.\n"),
    "nginx": (400, b"<center>The plain HTTP request was sent to HTTPS port</center>"),
    "Apache": (400, b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"),
    "Tomcat": (400, b"Bad Request\nThis combination of host and port requires TLS.\n"),
}


def failed(outcome: Outcome, status: int | None = None, body: bytes = b"", detail: str = "") -> Attempt:
    """Return an attempt."""
    return Attempt(outcome, 0.0, 0.0, 0.0, status=status, body=body, detail=detail)


def identified(script: Callable[[Peer], object], outcome: Outcome, scheme: str = "http", detail: str = "") -> str:
    """Return what is said of a port."""
    with ScriptedServer(script) as server:
        target = Target.parse(f"{scheme}://u:s3cret@127.0.0.1:{server.port}/hook")
        return asyncio.run(identify_protocol(target, failed(outcome, detail=detail)))


@pytest.mark.parametrize(
    "greeting, cause",
    [
        (TLS_ALERT, "it speaks TLS (first bytes b'\\x15\\x03\\x01\\x00\\x02\\x02F'): write https://"),
        (b"SSH-2.0-OpenSSH_9.2\r\nmore", "it speaks SSH (first bytes b'SSH-2.0-OpenSSH_9.2'): is the port right?"),
        (
            b"\x00  \x04 \x00\x00\x00\x00",
            (
                "it speaks HTTP/2 (first bytes b'\\x00  \\x04 \\x00\\x00\\x00\\x00'), and callbacks are sent over "
                "HTTP/1.1: is the port right?"
            ),
        ),
        (b"220 mail ready\r\n", "it speaks SMTP or FTP (first bytes b'220 mail ready'): is the port right?"),
        (b"ok\n", "it speaks another protocol (first bytes b'ok\\n'): is the port right?"),
    ],
)
def test_the_first_bytes_tell_a_protocol(greeting: bytes, cause: str) -> None:
    """They are shown, and what to do follows."""
    assert describe_greeting(greeting) == cause
    assert identified(lambda peer: peer.send(greeting).read_some(), Outcome.BAD_ANSWER) == cause


def test_a_port_that_closes_on_http_is_asked_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many TLS servers close the connection without an alert."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def close_on_http(peer: Peer) -> None:
        if peer.connection.recv(1, 2) == b"\x16":  # MSG_PEEK
            peer.start_tls(context)

    cause = identified(close_on_http, Outcome.RESET_BEFORE_ANSWER)
    assert cause.startswith("it speaks TLS (first bytes b'\\x16\\x03")
    assert cause.endswith(": write https://")
    monkeypatch.setattr(protocol_probe, "_TIMEOUT_S", 0.05)
    assert identified(lambda peer: peer.read_some(), Outcome.RESET_BEFORE_ANSWER) == (
        "it closes each connection without an answer: is it an HTTP server?"
    )
    assert identified(lambda peer: peer.reset(), Outcome.RESET_BEFORE_ANSWER).startswith("it closes each connection")
    assert identified(lambda peer: peer.read_some(), Outcome.BAD_ANSWER) == ""


@pytest.mark.parametrize("status, body", COMPLAINTS.values(), ids=COMPLAINTS)
def test_the_complaint_of_a_tls_server_is_understood(status: int, body: bytes) -> None:
    """The answer of a TLS server to plain HTTP names the protocol."""
    target = Target.parse("http://h/")
    expected = f"it answers {status} because it speaks TLS: write https://"
    assert asyncio.run(identify_protocol(target, failed(Outcome.REJECTED, status, body))) == expected
    assert asyncio.run(identify_protocol(Target.parse("https://h/"), failed(Outcome.REJECTED, status, body))) == ""
    response = b"HTTP/1.0 400 Bad Request\r\n\r\n" + body
    cause = identified(lambda peer: peer.send(response), Outcome.RESET_BEFORE_ANSWER)
    assert cause == "it speaks TLS (first bytes b'HTTP/1.0 400 Bad Request'): write https://"
    assert identified(lambda peer: peer.send(response), Outcome.TLS, "https") == ""


@pytest.mark.parametrize("status, body", [(200, COMPLAINTS["Go"][1]), (400, b"no JSON"), (500, b"https")])
def test_another_answer_is_an_answer(status: int, body: bytes) -> None:
    """A receiver that rejects a callback is checked."""
    assert asyncio.run(identify_protocol(Target.parse("http://h/"), failed(Outcome.REJECTED, status, body))) == ""


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.DNS, Outcome.TIMED_OUT, Outcome.RESET_IN_ANSWER])
def test_other_outcomes_are_not_asked_after(outcome: Outcome) -> None:
    """They have causes of their own."""
    assert asyncio.run(identify_protocol(Target.parse("http://127.0.0.1:9/"), failed(outcome))) == ""


def test_a_receiver_that_closes_for_a_callback_alone_is_an_http_receiver() -> None:
    """It answers another request, so its answer to the callback is judged."""
    answer = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n"
    assert identified(lambda peer: peer.answer(answer), Outcome.RESET_BEFORE_ANSWER) == ""


@pytest.mark.parametrize("outcome", [Outcome.TLS, Outcome.TIMED_OUT])
def test_plain_http_behind_https_is_reported(outcome: Outcome) -> None:
    """Plain HTTP on the port is recognised, and no secret is sent without TLS."""
    seen: list[bytes] = []

    def answer(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    cause = "it speaks HTTP without TLS (first bytes b'HTTP/1.1 400 Bad Request'): write http://"
    assert identified(answer, outcome, "https") == cause
    assert b"uthorization" not in seen[0]


@pytest.mark.parametrize(
    "outcome, detail, greeting, cause",
    [
        (Outcome.TLS, "", b"SSH-2.0-x\r\n", "it speaks SSH (first bytes b'SSH-2.0-x'): is the port right?"),
        (Outcome.TLS, "certificate has expired", TLS_ALERT, ""),
        (Outcome.BAD_ANSWER, NO_HTTP_ANSWER, TLS_ALERT, f"{NO_HTTP_ANSWER}; is the port right?"),
        (Outcome.BAD_ANSWER, "no HTTP answer: illegal header line", TLS_ALERT, ""),
    ],
)
def test_what_is_behind_https_is_reported(outcome: Outcome, detail: str, greeting: bytes, cause: str) -> None:
    """Broken HTTP inside TLS is an answer of the receiver; other protocols are named."""
    assert identified(lambda peer: peer.send(greeting).read_some(), outcome, "https", detail) == cause


def test_a_port_that_is_gone_is_not_named() -> None:
    """The first error stays."""
    with ScriptedServer(lambda peer: peer.hold()) as server:
        port = server.port
    target = Target.parse(f"http://127.0.0.1:{port}/")
    assert asyncio.run(identify_protocol(target, failed(Outcome.BAD_ANSWER))) == ""
