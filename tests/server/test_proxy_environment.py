"""The environment that leads a receiver's calls to the proxy."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tcop_mock.server.certificates import CertificateAuthority
from tcop_mock.server.proxy_environment import proxy_environment

if TYPE_CHECKING:
    from pathlib import Path


def test_every_client_that_reads_variables_is_led_to_the_proxy(tmp_path: Path) -> None:
    """In both cases, but not to this machine; options of the user's are kept."""
    authority = CertificateAuthority.create()
    environ = {"NODE_OPTIONS": "--no-warnings", "JAVA_TOOL_OPTIONS": "-Xmx64m", "PYTHONPATH": "src"}
    found = proxy_environment(8123, tmp_path, authority, environ)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        assert {found[name], found[name.lower()]} == {"http://127.0.0.1:8123"}
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,::1"
    assert found["NODE_OPTIONS"] == f"--no-warnings --require={tmp_path / 'catch.cjs'}"
    assert found["JAVA_TOOL_OPTIONS"].startswith("-Xmx64m -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8123 -Dhttps.")
    assert found["PYTHONPATH"] == f"{tmp_path / 'python'}:src"
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        with open(found[name], encoding="ascii") as stream:  # noqa: PTH123 - short
            assert "BEGIN CERTIFICATE" in stream.read()
    private = [file for file in tmp_path.rglob("*") if file.is_file() and b"PRIVATE" in file.read_bytes()]
    assert private == []
    assert stat.S_ISREG((tmp_path / "ca.p12").stat().st_mode)


def test_without_an_authority_there_are_no_certificates(tmp_path: Path) -> None:
    """Then calls without TLS are caught all the same."""
    found = proxy_environment(8123, tmp_path, None, {})
    assert "SSL_CERT_FILE" not in found
    assert "trustStore" not in found["JAVA_TOOL_OPTIONS"]
    assert found["HTTP_PROXY"] == "http://127.0.0.1:8123"


def test_trustme_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it there is no authority."""
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
    """For clients that ignore the variables; this machine and other ports are left alone, the user's module loaded."""
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
    """By the address of a name and by any other, also of IPv6; those of this machine go where they go."""
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
    """What a receiver prints may be looked at as its effects."""
    found = proxy_environment(8123, tmp_path, None, {})
    done = subprocess.run([sys.executable, "-c", ""], env=found, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_node_leads_connections_to_the_proxy(tmp_path: Path) -> None:
    """Also a version that does not read the variables."""
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
