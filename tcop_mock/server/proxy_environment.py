"""The environment by which a receiver calls the catching proxy, and files that it needs for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.server.certificates import TRUST_STORE_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tcop_mock.server.certificates import CertificateAuthority

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK = "localhost,127.0.0.1,::1"
_OWN_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Read by clients that the proxy always gets, so they need no other certificates, which take long to read."""
_NODE_HOOK, _PYTHON_HOOK = "catch.cjs", "sitecustomize.py"
_NODE_SCRIPT = """\
// Written by tcop-mock for one test run: what Node sends to other machines goes to a proxy, which passes nothing on.
const net = require('net')
const loopback = /^(localhost|127\\..*|::1|\\[::1\\]|0\\.0\\.0\\.0|::)$/i
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const list = Array.isArray(args[0]) ? args[0] : args
  const options = list[0]
  if (options && typeof options === 'object' && !options.path && [80, 443].includes(Number(options.port))) {
    const host = String(options.host || 'localhost')
    if (!loopback.test(host)) {
      list[0] = { ...options, host: '127.0.0.1', port: PROXY_PORT, lookup: undefined }
    }
  }
  return connect.apply(this, args)
}
"""
_PYTHON_SCRIPT = """\
# Written by tcop-mock for one test run: other machines' ports of HTTP lead to its proxy, which passes nothing on.
import os
import socket
import sys

_resolve = socket.getaddrinfo
_LOOPBACK = {"", "localhost", "::1", "0.0.0.0", "::"}
_LED = "127.84.67.79"  # the address of each name that is led; some clients keep the port of their URL


def _is_led(host, port):
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    is_local = name.lower() in _LOOPBACK or name.startswith(("127.", "::ffff:127."))
    return name == _LED or not is_local and str(port) in {"80", "443", "http", "https"}


def getaddrinfo(host, port, *arguments, **keywords):
    if _is_led(host, port):
        return _resolve(_LED, port, type=socket.SOCK_STREAM)
    return _resolve(host, port, *arguments, **keywords)


def _leading(call):
    def connect(sock, address, /):
        loopback = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::ffff:127.0.0.1"}.get(sock.family)
        is_tcp = loopback and sock.type == socket.SOCK_STREAM and isinstance(address, tuple)
        return call(sock, (loopback, PROXY_PORT) if is_tcp and _is_led(*address[:2]) else address)

    return connect


socket.getaddrinfo = getaddrinfo
socket.socket.connect = _leading(socket.socket.connect)  # loops that resolve names by themselves end up here
socket.socket.connect_ex = _leading(socket.socket.connect_ex)
_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
_own = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # the one that this file stands before
except ImportError:
    sys.modules["sitecustomize"] = _own  # site looks for it there
"""


def proxy_environment(
    port: int, folder: Path, authority: CertificateAuthority | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a receiver whose calls the proxy at a port of 127.0.0.1 is to get.

    Args:
        port: where the proxy listens.
        folder: where files are written.
        authority: its certificates are to be trusted; without one, only calls without TLS can be answered.
        environ: the variables that the receiver has anyway; options of Node, Java and Python are kept.
    """
    url = f"http://127.0.0.1:{port}"
    variables = {name: url for variable in _PROXY_VARIABLES for name in (variable, variable.lower())}
    variables |= {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK, "NODE_USE_ENV_PROXY": "1"}
    java = [
        f"-Dhttp{s}.proxy{key}={value}" for s in ("", "s") for key, value in (("Host", "127.0.0.1"), ("Port", port))
    ]
    if authority is not None:
        files = authority.write_files(folder)
        variables |= {"SSL_CERT_FILE": str(files.bundle), **dict.fromkeys(_OWN_VARIABLES, str(files.certificate))}
        java += [
            f"-Djavax.net.ssl.trustStore={files.trust_store}",
            f"-Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}",
            "-Djavax.net.ssl.trustStoreType=PKCS12",
        ]
    node, python = folder / _NODE_HOOK, folder / "python"
    node.write_text(_NODE_SCRIPT.replace("PROXY_PORT", str(port)), encoding="utf-8")
    python.mkdir(exist_ok=True)
    (python / _PYTHON_HOOK).write_text(_PYTHON_SCRIPT.replace("PROXY_PORT", str(port)), encoding="utf-8")
    variables["JAVA_TOOL_OPTIONS"] = _joined(environ.get("JAVA_TOOL_OPTIONS"), " ", " ".join(java))
    variables["NODE_OPTIONS"] = _joined(environ.get("NODE_OPTIONS"), " ", f"--require={node}")
    variables["PYTHONPATH"] = _joined(str(python), ":", environ.get("PYTHONPATH"))
    return variables


def _joined(first: str | None, separator: str, second: str | None) -> str:
    return separator.join(filter(None, (first, second)))
