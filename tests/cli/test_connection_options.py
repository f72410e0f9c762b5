"""Options of the verbs that connect: ``--cacert``, ``--cert``, ``--key``, ``--resolve``, ``--header``."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from receiver_factories import in_thread, server_factory
from scripted_server import Peer, ScriptedServer

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.cli.connections import connection_flags, read_connection
from tcop_mock.cli.console import target_setting
from tcop_mock.cli.listen import Forwarder
from tcop_mock.cli.options import ReachOptions
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import ConnectionOptions, Target
from tcop_mock.errors import UsageError
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commands import RunCommand

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CVM = "cvm/basic-monitoring"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that the system does not know."""
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """Return PEM files: the authority, a client's certificate with and without its key, and the key."""
    client = authority.issue_cert("client@example.com")
    files = {name: str(tmp_path / f"{name}.pem") for name in ("authority", "both", "cert", "key", "text")}
    authority.cert_pem.write_to_path(files["authority"])
    client.private_key_and_cert_chain_pem.write_to_path(files["both"])
    client.cert_chain_pems[0].write_to_path(files["cert"])
    client.private_key_pem.write_to_path(files["key"])
    (tmp_path / "text.pem").write_text("no PEM", encoding="utf-8")
    return files


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[ScriptedServer]:
    """Start a server for ``alarms.example.com`` that wants a client certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("alarms.example.com").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def script(peer: Peer) -> None:
        peer.start_tls(context).answer(OK)

    with ScriptedServer(script) as scripted:
        yield scripted


def _send(port: int, options: ConnectionOptions) -> Attempt:
    transport = HttpTransport(Target.parse(f"https://alarms.example.com:{port}/hook"), connection=options)
    return asyncio.run(transport(OutgoingRequest(b"{}"), deadline_s=20))


@pytest.mark.parametrize("names", [("both", ""), ("cert", "key")])
def test_a_client_certificate_and_a_private_authority_are_used(
    server: ScriptedServer, pem: dict[str, str], names: tuple[str, str]
) -> None:
    """The key may be in the same file or in another one; --resolve gives the address."""
    addresses = (("other.example.com", server.port, "192.0.2.1"), ("alarms.example.com", server.port, "127.0.0.1"))
    options = ConnectionOptions(pem["authority"], pem[names[0]], names[1] and pem[names[1]], addresses)
    assert _send(server.port, options).outcome is Outcome.ACKED


def test_the_system_does_not_know_the_authority(server: ScriptedServer) -> None:
    """Without --cacert the certificate is not verified, so nothing is sent."""
    options = ConnectionOptions(addresses=(("alarms.example.com", server.port, "127.0.0.1"),))
    assert _send(server.port, options).outcome is Outcome.TLS


def test_send_passes_the_options_on(server: ScriptedServer, pem: dict[str, str], tcop: RunCommand) -> None:
    """The command accepts the options of curl."""
    done = tcop(
        *("send", CVM, "--attempts", "1", "--to", f"https://Alarms.example.com:{server.port}/hook"),
        *("--cacert", pem["authority"], "--cert", pem["cert"], "--key", pem["key"]),
        *("--resolve", f"alarms.example.com:{server.port}:127.0.0.1"),
    )
    assert done.exit_code == 0, done.stderr


def _options(**values: object) -> ReachOptions:
    return ReachOptions(**values)  # type: ignore[arg-type]  # of any option


@pytest.mark.parametrize("option, name, message", [
    ("cacert", "missing", "--cacert .*missing.pem': .* is not there"),
    ("cacert", "text", "--cacert .*text.pem' cannot be used: no certificate or crl found; write PEM"),
    ("cert", "missing", "--cert .*missing.pem': .* is not there"),
    ("cert", "text", "--cert .*text.pem' cannot be used: .*; write PEM, and a key without a password"),
    ("cert", "cert", "--cert .*cert.pem' cannot be used: .*; write PEM, and a key without a password"),
    ("key", "key", "--key: write --cert FILE, too"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_an_error(
    option: str, name: str, message: str, pem: dict[str, str], tmp_path: Path
) -> None:
    """The error names the option, the file and what to do; nothing is sent."""
    with pytest.raises(UsageError, match=message):
        read_connection(_options(**{option: pem.get(name, str(tmp_path / "missing.pem"))}))


def test_a_key_with_a_password_is_an_error(pem: dict[str, str], tmp_path: Path) -> None:
    """Nobody is asked for the password on the terminal."""
    key = serialization.load_pem_private_key(Path(pem["key"]).read_bytes(), None)
    locked = tmp_path / "locked.pem"
    encryption = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    with pytest.raises(UsageError, match=r"--cert .*cert.pem' cannot be used: .*; write PEM, and a key without a pass"):
        read_connection(_options(cert=pem["cert"], key=str(locked)))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The system's reason is in the line."""
    with pytest.raises(UsageError, match=r"--cert .* cannot be"):
        read_connection(_options(cert=str(tmp_path)))


@pytest.mark.parametrize("text", ["", "host", "host:80", "host:80:name", "host:x:127.0.0.1", ":80:127.0.0.1"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """The line shows how to write it."""
    with pytest.raises(UsageError, match=r"write HOST:PORT:ADDRESS, as in alarms\.example\.com:443:127.0.0.1"):
        read_connection(_options(resolve=(text,)))


def test_an_ipv6_address_may_have_brackets() -> None:
    """An IPv6 address may have brackets, as in curl."""
    assert read_connection(_options(resolve=("Host:80:[::1]",))).addresses == (("host", 80, "::1"),)


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a receiver that wants a header and breaks on a resolve without a time, and what it got."""
    seen: list[str] = []

    def receive(request: ReceivedRequest) -> Reply:
        seen.append(request.header("x-gateway-token"))
        if not seen[-1]:
            return Reply(403)
        is_timeless = all(part in request.body for part in (b'"alarmStatus":"0"', b'"recoverTime":"0"'))
        return Reply(500) if is_timeless else correct_receiver(request)

    with in_thread(server_factory(lambda: receive)) as url:
        yield url, seen


def test_check_sends_the_headers_and_shows_no_secret(
    gateway: tuple[str, list[str]], pem: dict[str, str], tcop: RunCommand
) -> None:
    """Each request has them; the commands that show a finding again name them, a secret one by a variable."""
    url, seen = gateway
    done = tcop(
        *("check", url, "--clauses", "TCM302", "--seed", "1", "--json", "--resolve", "example.com:80:127.0.0.1"),
        *("--header", "X-Gateway-Token: s3cret-7Kq2", "--header", "X-Team: payments", "--cacert", pem["authority"]),
    )
    assert done.exit_code == 1
    assert set(seen) == {"s3cret-7Kq2"}
    assert "7Kq2" not in done.stdout + done.stderr
    again = json.loads(done.stdout)["clauses"][0]["findings"][0]["reproduce"]
    for command in (again["cli"], again["curl"], again["replay"]):
        assert f" --cacert {pem['authority']} --resolve " in command
        assert """ --resolve example.com:80:127.0.0.1 --header "$HEADER" --header 'X-Team: payments'""" in command
    assert again["curl"].startswith("curl -sS -i --cacert ")


@pytest.mark.parametrize("arguments", [
    ("check", "http://127.0.0.1:1/"),
    ("send", CVM, "--to", "http://127.0.0.1:1/"),
    ("load", "http://127.0.0.1:1/", "--count", "1"),
    ("replay", "TCM302/1", "--to", "http://127.0.0.1:1/"),
    ("doctor", "http://127.0.0.1:1/"),
    ("console", "http://127.0.0.1:1/"),
    ("listen", "--forward", "http://127.0.0.1:1/"),
    ("listen", "--forward", "http://127.0.0.1:1/", "--console"),
    ("emit", CVM, "--format", "curl", "--to", "http://127.0.0.1:1/"),
])  # fmt: skip
def test_each_verb_that_connects_reads_them(arguments: tuple[str, ...], tcop: RunCommand) -> None:
    """A wrong one ends the call before anything is sent."""
    done = tcop(*arguments, "--resolve", "nonsense")
    assert (done.exit_code, "--resolve 'nonsense': write HOST:PORT:ADDRESS" in done.stderr) == (2, True)


@pytest.mark.parametrize("flags", [("--header", "X-Team: a"), ("--insecure",), ("--resolve", "h:1:127.0.0.1")])
def test_listen_without_a_receiver_refuses_them(flags: tuple[str, ...], tcop: RunCommand) -> None:
    """They say how to connect to the receiver of --forward."""
    done = tcop("listen", *flags)
    assert (done.exit_code, "options of connections: add --forward URL" in done.stderr) == (2, True)


def test_listen_forwards_with_them(server: ScriptedServer, pem: dict[str, str]) -> None:
    """A header replaces one of the same name; the client certificate is shown at the given address."""
    connection = read_connection(
        _options(
            cacert=pem["authority"],
            cert=pem["cert"],
            key=pem["key"],
            resolve=(f"alarms.example.com:{server.port}:127.0.0.1",),
        )
    )
    target = Target.parse(f"https://alarms.example.com:{server.port}/")
    forwarder = Forwarder(target, load_profile("2023").delivery, connection=connection)
    received = ReceivedRequest("POST", "/", (("x-team", "old"),), b"{}", 0.0)
    assert asyncio.run(forwarder.answer(received)).status == 200
    seen: list[str] = []

    def receive(request: ReceivedRequest) -> Reply:
        seen.append(request.header("x-team"))
        return Reply(204)

    with in_thread(server_factory(lambda: receive)) as url:
        forwarder = Forwarder(Target.parse(url), load_profile("2023").delivery, (("X-Team", "new"),))
        assert asyncio.run(forwarder.answer(received)).status == 204
    assert seen == ["new"]


def test_the_page_connects_with_them(server: ScriptedServer, pem: dict[str, str]) -> None:
    """The page sends, checks and loads with these options, and its commands repeat them."""
    reach = _options(
        headers=("X-Team: a",),
        cacert=pem["authority"],
        cert=pem["both"],
        resolve=(f"alarms.example.com:{server.port}:127.0.0.1",),
    )
    setting = target_setting(Target.parse(f"https://alarms.example.com:{server.port}/"), reach)
    with setting.open_transport(setting.require(), 1024) as transport:
        assert asyncio.run(transport(OutgoingRequest(b"{}"), deadline_s=20)).outcome is Outcome.ACKED
    assert setting.flags == tuple(connection_flags(reach))
    assert [flag.name for flag in setting.flags] == ["--cacert", "--cert", "--resolve", "--header"]


def test_load_connects_to_the_given_address(tcop: RunCommand) -> None:
    """The host of the URL stays in the request."""
    hosts: list[str] = []

    def receive(request: ReceivedRequest) -> Reply:
        hosts.append(request.header("host"))
        return Reply()

    with in_thread(server_factory(lambda: receive)) as url:
        port = url.rpartition(":")[2].strip("/")
        done = tcop(
            *("load", f"http://alarms.example.com:{port}/", "--allow-host", "alarms.example.com", "--count", "2"),
            *("--rate", "1000", "--resolve", f"alarms.example.com:{port}:127.0.0.1"),
        )
    assert done.exit_code == 0, done.stderr
    assert set(hosts) == {f"alarms.example.com:{port}"}
