"""Preamble of exported tests: sends one request over a socket and asserts the response.

The functions mirror the assertions of ``contract/assertions.py``.
"""

from __future__ import annotations

from string import Template

TEMPLATE = Template('''\
"""Findings about a receiver of TCOP alarm callbacks, as tests. $written_by

Run ``TCOP_MOCK_TARGET=http://USER:PASSWORD@127.0.0.1:8080/hook pytest FILE``. It needs only pytest.
"""

import base64
import contextlib
import gzip
import html
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.parse

import pytest

TARGET = os.environ.get("TCOP_MOCK_TARGET") or $target
DEADLINE_S = $deadline_s
MAX_BYTES = 64 * 1024
TRACE = re.compile($trace, re.MULTILINE)


class Answer:
    """A response. ``status`` is None if there was none; ``whole`` is true if it ended in time."""

    def __init__(self):
        self.status, self.headers, self.body = None, [], b""
        self.whole = self.too_long = self.closed = False
        self.duration_s = 0.0
        self.sent, self.secrets = b"", ()


def send(*, method="POST", query="", headers=(), body=b"", segments=(), chunked=False, cut=None, credentials="right"):
    """Send one request and return the response within the deadline."""
    if not TARGET:
        pytest.fail("set TCOP_MOCK_TARGET to the receiver's URL")
    url = urllib.parse.urlsplit(TARGET if "://" in TARGET else "http://" + TARGET)
    pair = credentials_of(url, credentials)
    answer = Answer()
    answer.sent, answer.secrets = body, secrets_of(pair)
    started = time.monotonic()
    port = url.port or (443 if url.scheme == "https" else 80)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection((url.hostname, port), timeout=DEADLINE_S))
        if url.scheme == "https":
            sock = stack.enter_context(ssl.create_default_context().wrap_socket(sock, server_hostname=url.hostname))
        with contextlib.suppress(OSError):  # the receiver may respond and close before it has read everything
            for part in pieces_of(head(method, url, query, headers, len(body), chunked, pair), body[:cut], segments):
                sock.sendall(part)
                time.sleep(0.005 if segments else 0)
            if cut is not None:
                sock.shutdown(socket.SHUT_WR)
        receive(sock, method, answer, started + DEADLINE_S)
    answer.duration_s = time.monotonic() - started
    return answer


def head(method, url, query, headers, length, chunked, pair):
    """Return the head of a request; the given headers replace default ones."""
    path = (url.path or "/") + ("?" + url.query if url.query else "")
    path += ("&" if url.query else "?") + query if query else ""
    own = [("Host", url.netloc.rpartition("@")[2])]
    own.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(length)))
    own.append(("Connection", "close"))
    if pair:
        own.append(("Authorization", "Basic " + token(pair)))
    given = {name.lower() for name, _ in headers}
    fields = [(name, value) for name, value in own if name.lower() not in given] + list(headers)
    lines = [method + " " + path + " HTTP/1.1", *(name + ": " + value for name, value in fields), "", ""]
    return "\\r\\n".join(lines).encode("latin-1")


def pieces_of(first, body, segments):
    """Return the pieces to write separately."""
    if not segments:
        return [first + body]
    pieces, sizes = [first], list(segments)
    while body:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        pieces.append(body[:size])
        body = body[size:]
    return pieces


def receive(sock, method, answer, until):
    """Read a response up to its end, the deadline, or 64 KiB."""
    response = http.client.HTTPResponse(sock, method=method)
    try:
        response.begin()
        answer.status, answer.headers = response.status, response.getheaders()
        while len(answer.body) <= MAX_BYTES:
            sock.settimeout(max(0.001, until - time.monotonic()))
            piece = response.read1(MAX_BYTES)
            answer.body += piece
            if not piece:
                answer.whole = not response.length and time.monotonic() <= until
                return
        answer.too_long = True
    except ConnectionError:
        answer.closed = answer.status is None
    except (OSError, http.client.HTTPException):
        return
    finally:
        response.close()


def credentials_of(url, credentials):
    """Return the user and the password to send, or None."""
    if url.username is None or credentials in ("none", "malformed"):
        return None
    user, password = (urllib.parse.unquote(part or "") for part in (url.username, url.password))
    return {
        "right": (user, password),
        "wrong-user": ("tcop-mock-stranger", password),
        "wrong-password": (user, "tcop-mock-wrong"),
        "empty-password": (user, ""),
        "longer-password": (user, password + "0"),
        "shorter-password": (user, password[:-1]),
        "similar-password": (user, password[:-1] + ("!" if password.endswith("~") else "~")),
        "other-case-password": (user, password.swapcase()),
        "blank-before-password": (user, " " + password),
        "blank-after-password": (user, password + " "),
    }[credentials]


def token(pair):
    """Return the token of the Basic scheme (RFC 7617)."""
    return base64.b64encode(":".join(pair).encode()).decode()


def secrets_of(pair):
    """Return texts that the response must not contain."""
    return tuple(filter(None, (token(pair).rstrip("="), pair[1]))) if pair else ()


def decompress(text):
    """Return a decompressed body."""
    return gzip.decompress(base64.b64decode(text))


def is_one_of(answer, patterns):
    """Return whether the status matches one of these numbers or classes (2xx)."""
    return answer.status is not None and not {str(answer.status), f"{answer.status // 100}xx"}.isdisjoint(patterns)


def status(answer, allow=(), forbid=(), also_accept=(), no_response_ok=False, connection_closed_ok=False):
    """Assert the status."""
    if (connection_closed_ok and answer.closed) or is_one_of(answer, also_accept):
        return
    if answer.status is None:
        assert no_response_ok, "no answer inside the deadline"
        return
    assert not allow or is_one_of(answer, allow), f"answered {answer.status}, wanted {' or '.join(allow)}"
    assert not is_one_of(answer, forbid), f"answered {answer.status}"


is_alive = status


def answered_in_time(answer):
    """Assert the whole response within the deadline."""
    assert answer.status is not None, "no answer inside the deadline"
    assert answer.whole or answer.too_long, "the answer did not end inside the deadline"


def body_bounded(answer):
    """Assert that the response ends."""
    assert not answer.too_long, "the answer goes on past 64 KiB"
    assert answer.status is None or answer.whole, "the answer does not end"


def has_header(answer, name, pattern=""):
    """Assert that the response has a header whose whole value matches a regular expression."""
    assert answer.status is not None, "no answer inside the deadline"
    values = [value for key, value in answer.headers if key.lower() == name.lower()]
    assert values, f"the answer has no header {name}"
    assert not pattern or any(re.fullmatch(pattern, value) for value in values), f"{name} is {values}, not {pattern}"


def is_acked(answer):
    """Assert a whole 2xx response within the deadline."""
    status(answer, allow=["2xx"])
    answered_in_time(answer)


def within_share_of_deadline(answer, share):
    """Assert a response within a share of the deadline."""
    assert answer.duration_s <= share * DEADLINE_S, f"answered after {answer.duration_s:.3f} s"


def no_credential_echo(answer):
    """Assert that the response does not contain the credentials sent."""
    lines = [f"{name}: {value}" for name, value in answer.headers]
    text = "\\n".join([*lines, answer.body.decode("utf-8", "replace")])
    for decoded in (text, text.replace("\\\\/", "/"), html.unescape(text), urllib.parse.unquote(text)):
        assert not any(secret in decoded for secret in answer.secrets), "the answer repeats the credentials"


def no_stack_trace(answer):
    """Assert that the response contains no stack trace."""
    assert not TRACE.search(answer.body), "the answer shows a stack trace"


def retcode_zero(answer):
    """Assert the callback's own sessionId and retCode 0."""
    document = json.loads(answer.body)
    assert document["sessionId"] == json.loads(answer.sent)["sessionId"], "the answer does not repeat the sessionId"
    assert document["retCode"] == 0, "the answer's retCode is not 0"
''')
"""Placeholders: ``written_by``, and as Python literals ``target``, ``deadline_s``, ``trace``."""
