"""The catching proxy: it answers for known hosts, and refuses all others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.server.catching_proxy import CallLog, CatchingProxy, QuickReader, TlsStream, proxy_environment
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.server.certificates import CertificateAuthority
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

WECOM = {"msgtype": "text", "text": {"content": "ins-1 is down"}}
WECOM_HOST = "qyapi.weixin.qq.com"


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    """Give an authority."""
    made = CertificateAuthority.create()
    assert made is not None
    return made


class Client:
    """One connection to the proxy.

    Args:
        reader: what the proxy sends.
        writer: what it gets.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> bytes:
        """Send bytes and return the head and the body of the answer; nothing if the proxy hangs up."""
        self.writer.write(data)
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            return end.partial
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
        )
        return head + await self.reader.readexactly(length)

    async def start_tls(self, trust: Path | None, name: str | None) -> None:
        """Begin TLS as a client that trusts the certificates of a file."""
        context = ssl.create_default_context(cafile=trust)
        context.check_hostname = name is not None
        await self.writer.start_tls(context, server_hostname=name)


def run(
    talk: Callable[[Client, Any], Awaitable[Any]], *, authority: CertificateAuthority | None = None, hosts: Any = None
) -> tuple[Any, DownstreamRecorder, CallLog]:
    """Talk to a proxy; return what the talk returns, what was recorded, and the calls without an answer."""

    async def serve() -> tuple[Any, DownstreamRecorder, CallLog]:
        recorder = DownstreamRecorder()
        async with CatchingProxy(recorder.answer, hosts, authority) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            with contextlib.closing(writer):
                async with asyncio.timeout(20):
                    return await talk(Client(reader, writer), proxy), recorder, proxy.log

    return asyncio.run(serve())


def post(target: str, host: str, document: Any, *headers: str) -> bytes:
    """Return the bytes of a POST."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_call_through_connect_is_answered_in_place_of_the_host(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    """The proxy has a certificate for the host; the message is an effect, and the connection stays."""
    files = authority.write_files(tmp_path)

    async def talk(client: Client, _proxy: Any) -> list[bytes]:
        tunnel = await client.send(f"CONNECT {WECOM_HOST}:443 HTTP/1.1\r\nHost: {WECOM_HOST}:443\r\n\r\n".encode())
        await client.start_tls(files.certificate, WECOM_HOST)
        path = "/cgi-bin/webhook/send?key=k"
        return [tunnel, *[await client.send(post(path, WECOM_HOST, WECOM)) for _ in range(2)]]

    [tunnel, *answers], recorder, log = run(talk, authority=authority)
    assert tunnel.startswith(b"HTTP/1.1 200 ")
    assert [answer.endswith(b'{"errcode": 0, "errmsg": "ok"}') for answer in answers] == [True, True]
    assert [(message.service, message.is_accepted) for message in recorder.messages] == [("wecom", True)] * 2
    assert log.hints() == []


@pytest.mark.parametrize("name", [WECOM_HOST, "api.example.com", None])
def test_a_client_that_was_led_here_names_its_host_in_tls(
    name: str | None, authority: CertificateAuthority, tmp_path: Path
) -> None:
    """Without CONNECT the SNI names the host; without both it is unknown."""
    trust = authority.write_files(tmp_path).bundle

    async def talk(client: Client, _proxy: Any) -> bytes:
        await client.start_tls(trust, name)
        return await client.send(post("/cgi-bin/webhook/send?key=k", "ignored", WECOM))

    answer, recorder, log = run(talk, authority=authority)
    is_caught = name == WECOM_HOST
    assert answer.startswith(b"HTTP/1.1 200 " if is_caught else b"HTTP/1.1 403 ")
    assert (len(recorder.messages), dict(log.refused)) == (int(is_caught), {} if is_caught else {name or "unknown": 1})


@pytest.mark.parametrize("target", [f"http://{WECOM_HOST}/send?key=k", "/send?key=k"])
def test_a_call_without_tls_is_answered(target: str) -> None:
    """A plain call is answered with a whole URL as its target, and with the host in its header."""

    async def talk(client: Client, _proxy: Any) -> bytes:
        return await client.send(post(target, WECOM_HOST, WECOM))

    answer, recorder, _ = run(talk)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(recorder.messages) == 1


def test_connect_without_tls_is_answered() -> None:
    """Some clients make a tunnel for plain HTTP, too, and some send the request at once."""
    connect = f"CONNECT {WECOM_HOST}:80 HTTP/1.1\r\n\r\n".encode()
    request = post("/send?key=k", WECOM_HOST, WECOM)

    async def talk(client: Client, _proxy: Any) -> list[bytes]:
        client.writer.write(connect[:20])
        await asyncio.sleep(0.01)
        return [await client.send(connect[20:] + request), await client.send(b"")]

    answers, recorder, _ = run(talk)
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * 2
    assert len(recorder.messages) == 1


def test_any_other_host_is_refused_and_named() -> None:
    """In the reason of the status, which clients show, in the body, and in the log; a proxy loop is such a host."""

    async def talk(client: Client, proxy: Any) -> list[bytes]:
        plain = await client.send(post("http://api.example.com/x", "api.example.com", {}))
        loop = await client.send(post(f"http://127.0.0.1:{proxy.port}/", "127.0.0.1", {}))
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with contextlib.closing(writer):
            tunnel = await Client(reader, writer).send(b"CONNECT Api.Example.com:443 HTTP/1.1\r\n\r\n")
        return [plain, loop, tunnel]

    [plain, loop, tunnel], recorder, log = run(talk)
    assert b"api.example.com is not caught; --catch-host api.example.com=json answers in its place" in plain
    assert loop.startswith(b"HTTP/1.1 403 ")
    assert tunnel.startswith(b"HTTP/1.1 403 not caught by tcop-mock (--catch-host api.example.com=json)\r\n")
    assert recorder.messages == []
    assert log.hints() == [
        "2 calls to api.example.com were refused: --catch-host api.example.com=json answers",
        "1 call to 127.0.0.1 was refused: --catch-host 127.0.0.1=json answers",
    ]


def test_a_client_that_does_not_trust_us_is_named(authority: CertificateAuthority) -> None:
    """It pins certificates, or does not read the variables."""

    async def talk(client: Client, _proxy: Any) -> None:
        await client.send(f"CONNECT {WECOM_HOST}:443 HTTP/1.1\r\n\r\n".encode())
        with pytest.raises(ssl.SSLError):
            await client.start_tls(None, WECOM_HOST)
        await asyncio.sleep(0.01)

    _, _, log = run(talk, authority=authority)
    assert log.hints() == [
        f"1 call to {WECOM_HOST} was ended by a client that does not trust the certificate of this run"
    ]


def test_a_client_that_is_ended_in_the_handshake_does_not_fail(authority: CertificateAuthority, tmp_path: Path) -> None:
    """A receiver that is killed after it accepted the certificate counts as trusting it."""
    files = authority.write_files(tmp_path)

    async def talk(client: Client, proxy: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with contextlib.closing(writer):
            await Client(reader, writer).start_tls(files.certificate, WECOM_HOST)
        await client.send(f"CONNECT {WECOM_HOST}:443 HTTP/1.1\r\n\r\n".encode())
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=WECOM_HOST)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        client.writer.write(outgoing.read())
        await client.reader.read(1)
        client.writer.write_eof()
        await client.reader.read()

    _, recorder, log = run(talk, authority=authority)
    assert (recorder.messages, log.hints()) == ([], [])


def test_a_client_that_trusts_nobody_is_refused_where_nothing_is_caught(authority: CertificateAuthority) -> None:
    """The flag is what helps, not the certificate."""

    async def talk(client: Client, _proxy: Any) -> None:
        with pytest.raises(ssl.SSLError):
            await client.start_tls(None, "api.example.com")
        await asyncio.sleep(0.01)

    _, _, log = run(talk, authority=authority)
    assert log.hints() == ["1 call to api.example.com was refused: --catch-host api.example.com=json answers"]


@pytest.mark.parametrize("name", ["alert_sink", "-a", f"{'a' * 64}.example"])
def test_a_name_that_is_no_domain_name_gets_a_certificate(
    name: str, authority: CertificateAuthority, tmp_path: Path
) -> None:
    """Containers have such names, and clients check them as they are written."""
    files = authority.write_files(tmp_path)

    async def talk(client: Client, _proxy: Any) -> bytes:
        await client.send(f"CONNECT {name}:443 HTTP/1.1\r\n\r\n".encode())
        await client.start_tls(files.certificate, name if len(name) < 64 else None)
        return await client.send(post("/x", name, {"text": "ins-1"}))

    answer, recorder, log = run(talk, authority=authority, hosts=CaughtHosts.parse([f"{name}=json"]))
    assert answer.endswith(b'{"ok": true}')
    assert (len(recorder.messages), log.hints()) == (1, [])


def test_a_name_that_no_certificate_can_hold_is_reported(authority: CertificateAuthority) -> None:
    """The connection ends; the line names the host."""

    async def talk(client: Client, _proxy: Any) -> None:
        await client.send("CONNECT \xbf.example:443 HTTP/1.1\r\n\r\n".encode("latin-1"))
        with pytest.raises((OSError, ssl.SSLError)):
            await client.start_tls(None, None)

    _, recorder, log = run(talk, authority=authority, hosts=CaughtHosts.parse(["*.example=json"]))
    assert (recorder.messages, log.hints()) == (
        [],
        ["1 call to \xbf.example was not answered, because no certificate can hold this name: use an ASCII name"],
    )


@pytest.mark.parametrize("through", [True, False])
def test_tls_without_an_authority_is_reported(*, through: bool) -> None:
    """The line names the extra to install."""

    async def talk(client: Client, _proxy: Any) -> None:
        if through:
            await client.send(f"CONNECT {WECOM_HOST}:443 HTTP/1.1\r\n\r\n".encode())
        with pytest.raises((OSError, ssl.SSLError)):
            await client.start_tls(None, WECOM_HOST)

    _, _, log = run(talk)
    assert log.hints() == [
        f"1 call to {WECOM_HOST if through else '?'} was not answered, because they use TLS: install tcop-mock[run]"
    ]


@pytest.mark.parametrize("data", [b"", b"CONNECT qyapi", f"CONNECT {WECOM_HOST}:443 HTTP/1.1\r\n\r\n".encode()])
def test_a_client_that_leaves_is_no_error(data: bytes) -> None:
    """A client may disconnect at any point."""

    async def talk(client: Client, _proxy: Any) -> None:
        client.writer.write(data)
        client.writer.write_eof()
        await client.reader.read()

    _, recorder, log = run(talk)
    assert (recorder.messages, log.hints()) == ([], [])


def test_a_client_that_leaves_within_tls_is_no_error(authority: CertificateAuthority, tmp_path: Path) -> None:
    """A client may disconnect without close_notify, or within a request."""
    files = authority.write_files(tmp_path)

    async def talk(client: Client, _proxy: Any) -> None:
        await client.start_tls(files.certificate, WECOM_HOST)
        client.writer.write(b"POST /x HTTP/1.1\r\nContent-Le")
        await client.writer.drain()
        client.writer.transport.abort()
        await asyncio.sleep(0.01)

    _, recorder, log = run(talk, authority=authority)
    assert (recorder.messages, log.hints()) == ([], [])


def test_the_number_of_hosts_is_bounded() -> None:
    """A receiver that calls endlessly many hosts does not fill the memory."""
    log = CallLog()
    for number in range(500):
        log.count(log.refused, f"h{number}.example.com")
    assert len(log.refused) == 200


@pytest.mark.parametrize(
    "host, service",
    [
        ("qyapi.weixin.qq.com", "wecom"),
        ("OAPI.dingtalk.com.", "dingtalk"),
        ("open.larksuite.com", "feishu"),
        ("hooks.slack.com", "slack"),
        ("events.eu.pagerduty.com", "pagerduty"),
        ("api.telegram.org", "telegram"),
        ("discord.com", "discord"),
        ("acme.webhook.office.com", "teams"),
        ("alerts.example.com", "json"),
        ("a.corp.example", "slack"),
        ("slack.com", "json"),
        ("evil-qyapi.weixin.qq.com", ""),
        ("qyapi.weixin.qq.com.example", ""),
    ],
)
def test_hosts_have_services(host: str, service: str) -> None:
    """Known ones, one's own, and those below a domain; one's own come first."""
    hosts = CaughtHosts.parse(["alerts.example.com=json", "*.corp.example = slack", "Slack.com=json"])
    assert hosts.service_of(host) == service


@pytest.mark.parametrize(
    "text, message",
    [
        ("alerts.example.com", "--catch-host 'alerts.example.com': write HOST=KIND, as in alerts.example.com=json"),
        ("=json", "write HOST=KIND"),
        ("http://h=json", "write HOST=KIND"),
        ("h:80=json", "write HOST=KIND"),
        ("h=slak", "unknown service 'slak' in --catch-host h; did you mean 'slack'?"),
    ],
)
def test_a_host_that_cannot_be_caught_is_reported(text: str, message: str) -> None:
    """An invalid host is one line."""
    with pytest.raises(UsageError) as problem:
        CaughtHosts.parse([text])
    assert message in str(problem.value)


@pytest.mark.parametrize(
    "host, path, document, answer, is_message",
    [
        (WECOM_HOST, "/cgi-bin/gettoken?corpid=c&corpsecret=s", b"", b'"access_token": "tcop-mock"', False),
        (WECOM_HOST, "/cgi-bin/message/send?access_token=t", {**WECOM, "touser": "@all"}, b'"errcode": 0', True),
        ("oapi.dingtalk.com", "/gettoken", b"", b'"access_token"', False),
        ("oapi.dingtalk.com", "/robot/send?access_token=t", WECOM, b'"errcode": 0', True),
        ("open.feishu.cn", "/open-apis/auth/v3/tenant_access_token/internal", {}, b'"tenant_access_token"', False),
        (
            "open.feishu.cn",
            "/open-apis/bot/v2/hook/x",
            {"msg_type": "text", "content": {"text": "x"}},
            b'"code": 0',
            True,
        ),
        ("hooks.slack.com", "/services/T/B/X", {"text": "x"}, b"ok", True),
        ("slack.com", "/api/chat.postMessage", {"channel": "c", "text": "x"}, b'"ok": true', True),
        ("slack.com", "/api/chat.postMessage", {"text": "x"}, b'"error": "channel_not_found"', True),
        ("slack.com", "/api/chat.postMessage", {"channel": "c"}, b'"error": "no_text"', True),
        ("api.telegram.org", "/bot1:t/sendMessage", {"chat_id": 1, "text": "x"}, b'"ok": true', True),
        ("api.telegram.org", "/bot1:t/sendMessage?chat_id=1&text=x", b"", b'"ok": true', True),
        ("api.telegram.org", "/bot1:t/sendMessage", {"text": "x"}, b"chat_id is empty", True),
        ("api.telegram.org", "/bot1:t/sendMessage", {"chat_id": 1}, b"message text is empty", True),
        ("api.telegram.org", "/bot1:t/sendMessage", {"chat_id": 1, "text": "x" * 4097}, b"message is too long", True),
        ("discord.com", "/api/webhooks/1/t", {"content": "x"}, b"204 ", True),
        ("discord.com", "/api/webhooks/1/t?wait=true", {"content": "x"}, b'"id": "1"', True),
        ("discord.com", "/api/webhooks/1/t", {}, b"Cannot send an empty message", True),
        ("discord.com", "/api/webhooks/1/t", {"content": "x" * 2001}, b"2000 or fewer", True),
        ("acme.webhook.office.com", "/webhookb2/x", {"text": "x"}, b"1", True),
        ("acme.webhook.office.com", "/webhookb2/x", {}, b"Summary or Text is required.", True),
        ("prod-1.westeurope.logic.azure.com", "/workflows/x/triggers", {"attachments": [1]}, b"202 ", True),
        ("alerts.example.com", "/a", {"any": 1}, b'"ok": true', True),
    ],
)
def test_services_answer_as_they_do(host: str, path: str, document: Any, answer: bytes, *, is_message: bool) -> None:
    """Requests for access tokens are not messages."""

    async def talk(client: Client, _proxy: Any) -> bytes:
        return await client.send(post(f"http://{host}{path}", host, document))

    got, recorder, log = run(talk, hosts=CaughtHosts.parse(["alerts.example.com=json"]))
    assert answer in got
    assert (bool(recorder.messages), log.hints()) == (is_message, [])


def test_forms_are_read() -> None:
    """Slack and Telegram take them; the fields are the message, with its text as people read it."""

    async def talk(client: Client, _proxy: Any) -> list[bytes]:
        form = "Content-Type: application/x-www-form-urlencoded"
        slack = post(
            "http://hooks.slack.com/services/x", "hooks.slack.com", b"payload=%7B%22text%22%3A%22a%22%7D", form
        )
        telegram = post(
            "http://api.telegram.org/bot1:t/sendMessage", "api.telegram.org", b"chat_id=1&text=%E5%90%8D", form
        )
        return [await client.send(slack), await client.send(telegram)]

    answers, recorder, _ = run(talk)
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert [message.text for message in recorder.messages] == ['{"text": "a"}', '{"chat_id": "1", "text": "名"}']


def test_one_json_service_is_reported_from_another() -> None:
    """Each host is a recipient of its own."""

    async def talk(client: Client, _proxy: Any) -> None:
        for host in ("a.example", "b.example"):
            await client.send(post(f"http://{host}/x", host, {"name": "ins-1"}))

    _, recorder, _ = run(talk, hosts=CaughtHosts.parse(["a.example=json", "b.example=json"]))
    assert asyncio.run(recorder.observe("")).count == 1


def test_requests_for_tokens_and_of_applications() -> None:
    """A request for a token is not a message; an application of WeCom sends with a token; a host may end in a dot."""

    async def talk(client: Client, _proxy: Any) -> list[bytes]:
        token = await client.send(post(f"http://{WECOM_HOST}./cgi-bin/gettoken?corpid=c", WECOM_HOST, b""))
        path = "/cgi-bin/message/send?access_token=t&debug=1"
        return [token, await client.send(post(f"http://{WECOM_HOST}{path}", WECOM_HOST, WECOM))]

    [token, sent], recorder, _ = run(talk)
    assert b'"access_token": "tcop-mock"' in token
    assert b'"errcode": 0' in sent
    assert len(recorder.messages) == 1


def test_a_tls_stream_knows_its_connection(authority: CertificateAuthority) -> None:
    """A faulty reply finds the socket of a TLS stream; a client that closes TLS has ended its request."""

    class Ends:
        async def read(self, _n: int = -1, /) -> bytes:
            return b""

        def write(self, data: bytes, /) -> None: ...

        async def drain(self) -> None: ...

        def get_extra_info(self, name: str, default: Any = None, /) -> Any:
            return name or default

    stream = TlsStream(Ends(), Ends(), authority.server_context("h"), b"\x16\x03\x01\xff\xff no TLS")
    assert stream.get_extra_info("socket") == "socket"
    assert asyncio.run(stream.read()) == b""


def test_every_client_that_reads_variables_is_led_to_the_proxy(tmp_path: Path) -> None:
    """Variables in both cases point to the proxy, except for this machine; the user's options stay."""
    authority = CertificateAuthority.create()
    environ = {"NODE_OPTIONS": "--no-warnings", "JAVA_TOOL_OPTIONS": "-Xmx64m", "PYTHONPATH": "src", "RUBYOPT": "-W0"}
    found = proxy_environment(8123, tmp_path, authority, environ)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        assert {found[name], found[name.lower()]} == {"http://127.0.0.1:8123"}
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,::1"
    assert found["NODE_OPTIONS"] == f"--no-warnings --require={tmp_path / 'catch.cjs'}"
    assert found["JAVA_TOOL_OPTIONS"].startswith("-Xmx64m -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8123 -Dhttps.")
    assert found["RUBYOPT"] == f"-W0 -r{tmp_path / 'catch.rb'}"
    assert found["PYTHONPATH"] == f"{tmp_path / 'python'}:src"
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        with open(found[name], encoding="ascii") as stream:  # noqa: PTH123 - short
            assert "BEGIN CERTIFICATE" in stream.read()
    private = [file for file in tmp_path.rglob("*") if file.is_file() and b"PRIVATE" in file.read_bytes()]
    assert private == []
    assert stat.S_ISREG((tmp_path / "ca.p12").stat().st_mode)


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby, which is not installed")
def test_ruby_asks_no_name_server_about_a_host_behind_the_proxy(tmp_path: Path) -> None:
    """Net::HTTP looks for hosts of this machine first; the hosts file tells it, and other look-ups stay as they are."""
    script = """
    require "net/http"
    def IPSocket.getaddress(host) = host == "127.0.0.1" ? host : raise("a name server is asked about #{host}")
    puts %w[https://hooks.slack.com/x http://localhost/x].map { |url| URI(url).find_proxy.inspect }
    puts IPSocket.getaddress("127.0.0.1")
    """
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | {
        name: value
        for name, value in proxy_environment(8123, tmp_path, None, {}).items()
        if name == "RUBYOPT" or name.endswith("proxy")
    }
    done = subprocess.run(["ruby", "-e", script], env=environ, capture_output=True, text=True, check=True)  # noqa: S603 - a script of this test
    assert done.stdout.splitlines() == ["#<URI::HTTP http://127.0.0.1:8123>", "nil", "127.0.0.1"]


def test_without_an_authority_there_are_no_certificates(tmp_path: Path) -> None:
    """Then calls without TLS are caught all the same."""
    found = proxy_environment(8123, tmp_path, None, {})
    assert "SSL_CERT_FILE" not in found
    assert "trustStore" not in found["JAVA_TOOL_OPTIONS"]
    assert found["HTTP_PROXY"] == "http://127.0.0.1:8123"


def test_trustme_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without trustme there is no certificate authority."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert CertificateAuthority.create() is None


@pytest.mark.parametrize("path", [None, "/nowhere/certificates.pem"])
def test_a_system_without_certificates_has_ours(
    path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle then holds nothing else."""

    class Paths:
        cafile = path

    monkeypatch.setattr("ssl.get_default_verify_paths", Paths)
    authority = CertificateAuthority.create()
    assert authority is not None
    files = authority.write_files(tmp_path)
    assert files.bundle.read_bytes() == files.certificate.read_bytes()


def test_python_leads_names_of_other_machines_to_the_proxy(tmp_path: Path) -> None:
    """Python clients that ignore the variables reach the proxy; this machine and other ports are untouched."""
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "sitecustomize.py").write_text("import builtins; builtins.of_the_user = True\n")
    found = proxy_environment(8123, tmp_path, None, {"PYTHONPATH": str(tmp_path / "user")})
    code = (
        "import socket as s\n"
        "def to(*a):\n"
        "    try: return s.getaddrinfo(*a)[0][4][:2]\n"
        "    except OSError: return None\n"
        "print([to('qyapi.weixin.qq.com', 443), to(b'h.invalid', 'http'), to('127.0.0.1', 443), to('h.invalid', 5432), "
        "of_the_user])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=found, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    led = ("127.84.67.79", 443), ("127.84.67.79", 80)
    assert done.stdout.strip() == repr([*led, ("127.0.0.1", 443), None, True])


def test_python_leads_connections_to_the_proxy(tmp_path: Path) -> None:
    """Connections to other machines, also by IPv6, go to the proxy; those to this machine do not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = proxy_environment(server.getsockname()[1], tmp_path, None, {})
        code = (
            "import socket as s\n"
            "def to(*a, family=s.AF_INET):\n"
            "    with s.socket(family) as sock:\n"
            "        return sock.connect_ex(a) or sock.getpeername()[1]\n"
            "port = s.create_connection(('qyapi.weixin.qq.com', 443)).getpeername()[1]\n"
            "other = s.create_server(('127.0.0.1', 0))\n"
            "own = other.getsockname()[1]\n"
            "print(port, to('192.0.2.1', 80), to('2001:db8::1', 443, family=s.AF_INET6), to('127.0.0.1', own) == own)"
        )
        command = [sys.executable, "-W", "ignore", "-c", code]
        done = subprocess.run(command, env=found, capture_output=True, text=True, check=True)  # noqa: S603 - ours
        assert done.stdout.split() == [str(server.getsockname()[1])] * 3 + ["True"]


def test_python_prints_nothing_without_a_module_of_the_user(tmp_path: Path) -> None:
    """A receiver in Python prints nothing of ours, because its output may be observed."""
    found = proxy_environment(8123, tmp_path, None, {})
    done = subprocess.run([sys.executable, "-c", ""], env=found, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_node_leads_connections_to_the_proxy(tmp_path: Path) -> None:
    """Node connects to the proxy, also in versions that ignore the variables."""
    import shutil  # noqa: PLC0415 - to find Node

    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed (Debian: nodejs)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        found = proxy_environment(server.getsockname()[1], tmp_path, None, {})
        code = "require('net').connect({host: 'qyapi.weixin.qq.com', port: 443}, function () { this.end('hello') })"
        with subprocess.Popen([node, "-e", code], env={"NODE_OPTIONS": found["NODE_OPTIONS"]}):  # noqa: S603 - ours
            connection, _ = server.accept()
            with connection:
                assert connection.recv(5) == b"hello"


class RecordingSocket:
    """A socket that records its options, and may be closed."""

    def __init__(self, *, is_closed: bool = False) -> None:
        self.options: list[tuple[int, ...]] = []
        self._is_closed = is_closed

    def setsockopt(self, *option: int) -> None:
        """Record an option."""
        if self._is_closed:
            raise OSError(9, "Bad file descriptor")
        self.options.append(option)


@pytest.mark.parametrize("option", [12, None], ids=["Linux", "other systems"])
def test_what_arrived_is_acknowledged_before_more_is_waited_for(
    option: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client with Nagle's algorithm sends the body then; without that each message takes 40 ms on Linux."""
    monkeypatch.setattr("tcop_mock.server.catching_proxy._QUICKACK", option)
    for found in (RecordingSocket(), RecordingSocket(is_closed=True), None):

        async def read(found: RecordingSocket | None = found) -> list[bytes]:
            received = asyncio.StreamReader()
            writer: Any = SimpleNamespace(get_extra_info=lambda _name: found)
            reader = QuickReader(received, writer)
            received.feed_data(b"head")
            parts = [await reader.read()]
            received.feed_data(b"body")
            return [*parts, await reader.read(2)]

        assert asyncio.run(read()) == [b"head", b"bo"]
        if found is not None:
            is_set = option is not None and not found._is_closed
            assert found.options == [(socket.IPPROTO_TCP, option, 1)] * 2 * is_set
