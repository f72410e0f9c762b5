"""TLS: verification, and every way in which a session fails."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripted_server import Peer, ScriptedServer

    Serve = Callable[[Callable[[Peer], object]], ScriptedServer]
    PostOnce = Callable[..., Attempt]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system trust the authority."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def tls_url(server: ScriptedServer, host: str = "127.0.0.1") -> str:
    """Return the server's address as https."""
    return f"https://{host}:{server.port}/hook"


def answering(context: ssl.SSLContext) -> Callable[[Peer], object]:
    """Return the script of a receiver that answers 200 over TLS."""
    return lambda peer: peer.start_tls(context).answer(OK)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost."])
def test_a_valid_certificate_is_accepted(serve: Serve, post: PostOnce, authority: trustme.CA, host: str) -> None:
    """A name or an address that a trusted certificate holds is acked, and a large body arrives."""
    server = serve(answering(context_of(authority.issue_cert("localhost", "127.0.0.1"))))

    def resolve(_: str, port: int, **options: Any) -> Any:
        return socket.getaddrinfo("127.0.0.1", port, **options)

    attempt = post(tls_url(server, host), OutgoingRequest(b"x" * 1_000_000), resolve=resolve)
    assert (attempt.outcome, attempt.body) == (Outcome.ACKED, b"ok")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "kind, why",
    [
        ("unknown", "unable to get local issuer certificate"),
        ("self-signed", "self-signed certificate"),
        ("other-name", "IP address mismatch"),
        ("expired", "certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_unless_insecure(  # noqa: PLR0913, PLR0917 - fixtures
    serve: Serve, post: PostOnce, authority: trustme.CA, tmp_path: Path, kind: str, why: str
) -> None:
    """No byte of the callback is sent, and the detail says why; with insecure the same receiver is acked."""
    if kind == "self-signed":
        own = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
        own.private_key_pem.write_to_path(str(tmp_path / "own.pem"), append=True)
        context.load_cert_chain(tmp_path / "own.pem")
    else:
        name = "elsewhere.test" if kind == "other-name" else "127.0.0.1"
        issuer = trustme.CA() if kind == "unknown" else authority
        context = context_of(issuer.issue_cert(name, not_after=LONG_AGO if kind == "expired" else None))
    server = serve(answering(context))
    refused = post(tls_url(server))
    assert (refused.outcome, refused.connected_s, refused.sent_bytes) == (Outcome.TLS, None, 0)
    assert why in refused.detail
    assert post(tls_url(server), insecure=True).outcome is Outcome.ACKED


@pytest.mark.parametrize(
    "script",
    [
        lambda peer: (peer.read_some(), peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), peer.hold()),
        lambda _: None,
        lambda peer: peer.read_some(),
        lambda peer: (peer.read_some(), peer.reset()),
        lambda peer: (peer.read_some(), peer.send(b"\x15\x03\x03\x00\x02\x02\x28"), peer.hold()),
    ],
    ids=["plain-answer", "closes-at-once", "closes-in-handshake", "resets-in-handshake", "alert"],
)
def test_a_handshake_that_fails_is_tls(serve: Serve, post: PostOnce, script: Callable[[Peer], object]) -> None:
    """A https URL of a port that speaks no TLS or breaks off: no session, nothing sent, one line on why."""
    attempt = post(tls_url(serve(script)))
    assert (attempt.outcome, attempt.connected_s, attempt.sent_bytes) == (Outcome.TLS, None, 0)
    assert attempt.detail
    assert "\n" not in attempt.detail


def test_a_handshake_that_hangs_times_out(serve: Serve, post: PostOnce) -> None:
    """The deadline covers the handshake."""
    attempt = post(tls_url(serve(lambda peer: peer.hold())), deadline_s=0.3)
    assert (attempt.outcome, attempt.connected_s) == (Outcome.TIMED_OUT, None)


def test_http_to_a_tls_port_is_no_http_answer(serve: Serve, post: PostOnce, authority: trustme.CA) -> None:
    """Plain HTTP to a TLS port gets an alert or nothing, and is never acknowledged."""
    server = serve(answering(context_of(authority.issue_cert("127.0.0.1"))))
    assert post(server.url).outcome in {Outcome.BAD_ANSWER, Outcome.RESET_BEFORE_ANSWER}


@pytest.mark.parametrize("sent, outcome", [(b"", Outcome.RESET_BEFORE_ANSWER), (OK[:-1], Outcome.RESET_IN_ANSWER)])
def test_a_session_that_breaks_off_later_is_a_reset(
    serve: Serve, post: PostOnce, authority: trustme.CA, sent: bytes, outcome: Outcome
) -> None:
    """After the handshake the end of the connection counts as it does without TLS."""
    context = context_of(authority.issue_cert("127.0.0.1"))
    server = serve(lambda peer: peer.start_tls(context).answer(sent))
    attempt = post(tls_url(server), insecure=True)
    assert attempt.outcome is outcome
    assert attempt.connected_s is not None


def test_a_receiver_that_wants_a_certificate_of_ours_is_tls(
    serve: Serve, post: PostOnce, authority: trustme.CA
) -> None:
    """TLS 1.3 refuses a missing client certificate after the handshake; it is still no TLS session."""
    context = context_of(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)

    def script(peer: Peer) -> None:
        try:
            peer.start_tls(context)
        finally:
            peer.hold()

    attempt = post(tls_url(serve(script)), insecure=True)
    assert (attempt.outcome, attempt.status) == (Outcome.TLS, None)
