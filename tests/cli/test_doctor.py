"""``doctor``: the diagnosis of good and faulty receivers on loopback."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from jsonschema import Draft202012Validator
from receiver_factories import CREDENTIALS, server_factory, with_userinfo
from scripted_server import ScriptedServer

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.server.demo_receivers import with_basic_auth
from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory
    from scripted_server import Peer

    from tcop_mock.server.messages import Handler

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


def grades(done: CommandResult) -> dict[str, str]:
    """Return the grade of each topic in a document, which keeps its schema."""
    document = done.document
    schema = read_schema("doctor-report")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    return {remark["topic"]: remark["grade"] for remark in document["remarks"]}


def saw(done: CommandResult, topic: str) -> str:
    """Return what a document says of a topic."""
    [found] = [remark for remark in done.document["remarks"] if remark["topic"] == topic]
    return f"{found['saw']}. {found['fix']}"


def test_a_receiver_that_is_well(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """No check has a problem, and each line has a meaning; the same harmless callback is sent twice."""
    came: list[bytes] = []

    def takes(request: Any) -> Reply:
        came.append(request.body)
        return Reply(200)

    url = opened(server_factory(lambda: with_basic_auth(takes, CREDENTIALS), CREDENTIALS))
    done = tcop("doctor", url, "--json", "--seed", "1")
    assert (done.exit_code, done.stderr) == (0, "")
    noted = {"dns": "note", "port": "note"}
    well = ["dns", "tcp", "port", "proxy", "callback", "latency", "auth", "clock", "keep-alive", "answer"]
    assert grades(done) == dict.fromkeys(well, "fine") | noted | {"clock": grades(done)["clock"]}
    [body] = [json.loads(one) for one in came]
    assert (body["alarmStatus"], body["alarmPolicyInfo"]["policyName"]) == (
        "0",
        "tcop-mock doctor: a test, nothing to do",
    )
    words = tcop("doctor", url, "--seed", "1")
    assert (words.exit_code, words.stdout.splitlines()[-1]) == (
        0,
        f"0 problems, {done.document['summary']['notes']} notes",
    )
    assert tcop("doctor", url, "-q").stdout == ""


@pytest.mark.parametrize(
    "answer, topic, grade",
    [
        (b"HTTP/1.1 308 Permanent Redirect\r\nLocation: /hook/\r\nContent-Length: 0\r\n\r\n", "redirect", "problem"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "auth", "problem"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "callback", "problem"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "callback", "problem"),
    ],
)
def test_a_receiver_that_answers_wrongly(tcop: RunCommand, answer: bytes, topic: str, grade: str) -> None:
    """The receiver is reached, each problem of its answer has a line, and the code is 1."""
    with ScriptedServer(lambda peer: peer.answer(answer)) as server:
        done = tcop("doctor", server.url, "--json")
    assert (done.exit_code, grades(done)[topic], done.document["reachable"]) == (1, grade, True)


@pytest.mark.parametrize(
    "answer, meaning",
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it speaks SSH (first bytes b'SSH-2.0-OpenSSH_9.6')"),
        (b"", "it closes each connection without an answer"),
    ],
)
def test_a_port_without_http(tcop: RunCommand, answer: bytes, meaning: str) -> None:
    """No receiver was reached: code 3, and the likely cause."""
    with ScriptedServer(lambda peer: (peer.read_some(), peer.send(answer))) as server:
        done = tcop("doctor", server.url, "--json")
    assert (done.exit_code, grades(done)["callback"], done.document["reachable"]) == (3, "problem", False)
    assert meaning in {remark["means"] for remark in done.document["remarks"]}


def test_a_receiver_that_says_nothing(tcop: RunCommand) -> None:
    """The receiver is reached, and has no answer within the given time."""
    with ScriptedServer(lambda peer: peer.hold()) as server:
        done = tcop("doctor", server.url, "--json", "--timeout", "2s")
    assert (done.exit_code, grades(done)["latency"]) == (1, "problem")


def test_nobody_listens(tcop: RunCommand, closed_url: str) -> None:
    """No address takes a connection: code 3, and nothing is said of answers."""
    done = tcop("doctor", closed_url, "--json")
    assert (done.exit_code, done.document["reachable"], grades(done)["tcp"]) == (3, False, "problem")
    assert "callback" not in grades(done)
    assert tcop("doctor", closed_url).stdout.endswith("; the receiver cannot be reached\n")


def test_no_connection_in_time(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer at all is given up after the limit."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the kernel answers no more once the backlog is full
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        monkeypatch.setenv("TCOP_MOCK_TARGET", f"127.0.0.1:{full.getsockname()[1]}")
        done = tcop("doctor", "--json", "--timeout", "300ms")
        for filler in fillers:
            filler.close()
    assert (done.exit_code, "no connection inside 0.3 s" in saw(done, "tcp")) == (3, True)


@pytest.mark.parametrize("hangs", [False, True])
def test_a_name_that_does_not_resolve(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, *, hangs: bool) -> None:
    """A name without address, and a resolver that does not answer, are reported under dns; code 3."""

    def resolve(*_: object, **options: Any) -> None:
        if hangs and not options.get("flags"):
            released.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    done = tcop("doctor", "http://nosuch/", "--json", "--timeout", "300ms")
    released.set()
    assert (done.exit_code, list(grades(done))) == (3, ["dns", "port", "proxy"])
    why = "no answer about nosuch inside 0.3 s" if hangs else "nosuch does not resolve: Name or service not known"
    assert saw(done, "dns").startswith(why)


def test_an_app_is_not_visited(tcop: RunCommand) -> None:
    """An app in this process has no connection to diagnose."""
    assert tcop("doctor", "module:app").exit_code == 2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority."""
    return trustme.CA()


@pytest.fixture
def visit(
    tcop: RunCommand, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[CommandResult, int]]:
    """Visit a receiver with a certificate, where the system trusts the authority; give the number of connections."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    def call(certificate: trustme.LeafCert | None, *flags: str) -> tuple[CommandResult, int]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if certificate:
            certificate.configure_cert(context)

        def script(peer: Peer) -> None:
            peer.start_tls(context).answer(OK)

        with ScriptedServer(script) as server:
            done = tcop("doctor", f"https://127.0.0.1:{server.port}/hook", "--json", *flags)
            return done, server.connections

    return call


def test_a_certificate_that_is_well(visit: Callable[..., tuple[CommandResult, int]], authority: trustme.CA) -> None:
    """Protocol, names, issuer and end are reported."""
    done, _ = visit(authority.issue_cert("127.0.0.1", "receiver.test"))
    assert (done.exit_code, grades(done)["tls"], grades(done)["callback"]) == (0, "fine", "fine")
    assert saw(done, "tls").startswith("TLSv1.3; for ")
    assert "receiver.test" in saw(done, "tls")


def test_connection_flags_are_those_of_check(visit: Callable[..., tuple[CommandResult, int]], tmp_path: Path) -> None:
    """--cacert is trusted in the probe and in the callback; without it the same receiver is a problem."""
    own = trustme.CA()
    own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    certificate = own.issue_cert("127.0.0.1")
    done, _ = visit(certificate, "--cacert", str(tmp_path / "own.pem"))
    assert (done.exit_code, grades(done)["tls"], grades(done)["callback"]) == (0, "fine", "fine")
    done, _ = visit(certificate)
    assert (done.exit_code, grades(done)["tls"]) == (3, "problem")
    done, _ = visit(certificate, "--cacert", str(tmp_path / "none.pem"))
    assert (done.exit_code, "none.pem" in done.error_message) == (2, True)


@pytest.mark.parametrize("names", [("cert", "key"), ("both", "")])
def test_a_client_certificate_is_shown(
    names: tuple[str, str], tcop: RunCommand, authority: trustme.CA, tmp_path: Path
) -> None:
    """--cert and --key go with the probe and the callback; without them the same receiver is a problem."""
    client = authority.issue_cert("client@example.com")
    files = {name: str(tmp_path / f"{name}.pem") for name in ("authority", "both", "cert", "key")}
    authority.cert_pem.write_to_path(files["authority"])
    client.private_key_and_cert_chain_pem.write_to_path(files["both"])
    client.cert_chain_pems[0].write_to_path(files["cert"])
    client.private_key_pem.write_to_path(files["key"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def script(peer: Peer) -> None:
        with contextlib.suppress(OSError):
            peer.start_tls(context).answer(OK)

    flags = ["--cert", files[names[0]], *(["--key", files[names[1]]] if names[1] else [])]
    with ScriptedServer(script) as server:
        call = ("doctor", f"https://127.0.0.1:{server.port}/hook", "--json", "--cacert", files["authority"])
        done, without = tcop(*call, *flags), tcop(*call)
    assert (done.exit_code, grades(done)["tls"], grades(done)["callback"]) == (0, "fine", "fine")
    assert (without.exit_code, "problem" in grades(without).values()) == (3, True)


def test_addresses_and_headers_are_those_of_check(tcop: RunCommand) -> None:
    """--resolve replaces the lookup of the name, and --header goes with the callback."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.read_request())
        peer.send(OK)

    with ScriptedServer(script) as server:
        flags = ["--resolve", f"receiver.invalid:{server.port}:127.0.0.1", "--header", "X-Gate: open"]
        done = tcop("doctor", f"http://receiver.invalid:{server.port}/hook", "--json", *flags)
    assert (done.exit_code, grades(done)["callback"]) == (0, "fine")
    assert any(b"X-Gate: open" in head for head in heads)


@pytest.mark.parametrize(
    "kind, reported, cure",
    [
        ("unknown", "unable to get local issuer certificate; TLSv1.3; for 127.0.0.1; issued by ", "is missing"),
        ("other-name", "IP address mismatch, certificate is not valid for '127.0.0.1'", "get one for 127.0.0.1"),
        ("expired", "certificate has expired; TLSv1.3; for 127.0.0.1; ", "renew the certificate"),
    ],
)
def test_a_certificate_that_does_not_verify(
    visit: Callable[..., tuple[CommandResult, int]], authority: trustme.CA, kind: str, reported: str, cure: str
) -> None:
    """The problem is reported and no callback is sent; --insecure continues."""
    issuer = trustme.CA() if kind == "unknown" else authority
    name = "elsewhere.test" if kind == "other-name" else "127.0.0.1"
    certificate = issuer.issue_cert(name, not_after=LONG_AGO if kind == "expired" else None)
    done, _ = visit(certificate)
    assert (done.exit_code, grades(done)["tls"], "callback" in grades(done)) == (3, "problem", False)
    assert reported in saw(done, "tls")
    assert cure in saw(done, "tls")
    further, _ = visit(certificate, "--insecure")
    assert (further.exit_code, grades(further)["tls"], grades(further)["callback"]) == (1, "problem", "fine")


def test_a_port_that_speaks_no_tls(tcop: RunCommand) -> None:
    """A https URL of a plain port, and one that hangs in the handshake: no session, code 3."""
    with ScriptedServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").hold()) as server:
        done = tcop("doctor", server.url.replace("http:", "https:"), "--json", "--insecure")
    assert (done.exit_code, grades(done)["tls"]) == (3, "problem")
    with ScriptedServer(lambda peer: peer.hold()) as server:
        done = tcop("doctor", server.url.replace("http:", "https:"), "--json", "--timeout", "2s")
    assert (done.exit_code, "no session inside 2 s" in saw(done, "tls")) == (3, True)


def test_a_certificate_that_is_shown_once_only(tcop: RunCommand, authority: trustme.CA) -> None:
    """A receiver that breaks off the second look is reported by what the first one said."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    seen: list[Peer] = []

    def script(peer: Peer) -> None:
        seen.append(peer)
        if len(seen) <= 2:  # connecting, and the first look
            peer.start_tls(context)

    with ScriptedServer(script) as server:
        done = tcop("doctor", f"https://127.0.0.1:{server.port}/", "--json")
    assert (done.exit_code, grades(done)["tls"]) == (3, "problem")
    assert saw(done, "tls").startswith("unable to get local issuer certificate. the certificate of its issuer")


def _always(reply: Reply) -> Handler:
    return lambda _: reply


@pytest.mark.parametrize("flags", [(), ("--json",), ("-q", "--debug")])
def test_no_visit_shows_a_password(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], flags: tuple[str, ...]
) -> None:
    """Neither one that is refused, nor one that is repeated by the receiver where a redirect leads."""
    reported = with_userinfo("http://h/", CREDENTIALS)
    for status in (401, 302, 500):
        reply = Reply(status, repr(CREDENTIALS.leak_patterns()).encode(), (("Location", reported),))
        url = opened(server_factory(partial(_always, reply), CREDENTIALS))
        done = tcop("doctor", url, *flags)
        assert done.exit_code == 1
        assert [
            trace
            for trace in CREDENTIALS.leak_patterns()
            if trace in done.stdout + done.stderr and trace != "alarms@example"
        ] == []
