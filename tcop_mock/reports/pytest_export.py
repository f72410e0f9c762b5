"""Export findings as a pytest module that sends the failing requests and asserts the clauses.

The module is self-contained: it needs only pytest and the standard library. It uses its own socket, because HTTP
clients refuse to send many of the requests. All texts are written as Python literals, whatever their origin. The
functions of ``TEMPLATE`` mirror the assertions of ``contract/assertions.py``.
"""

from __future__ import annotations

import base64
import gzip
import re
from string import Template
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.contract.assertions import STACK_TRACE
from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.target import MASK
from tcop_mock.reports.findings import baseline_status
from tcop_mock.reports.summary import TOOL
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Exchange, Finding, Verdict

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
        "empty-user": ("", password),
        "neither-user-nor-password": ("", ""),
        "user-as-password": (user, user),
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


_MAX_CHARS = 300
_MAX_READABLE_BYTES = 2_000
"""A longer body is compressed."""
_DEADLINE_S = 5.0
"""The deadline of all profiles."""
_SUPPORTED_ASSERTIONS = frozenset(
    {
        "answered_in_time",
        "body_bounded",
        "has_header",
        "is_acked",
        "is_alive",
        "no_credential_echo",
        "no_stack_trace",
        "retcode_zero",
        "status",
        "within_share_of_deadline",
    }
)
"""Assertions that the template implements."""


def pytest_module(verdict: Verdict) -> str:
    """Return all findings of a verdict as tests, in the order of the clauses.

    A known finding is expected to fail. A finding that needs several requests becomes a skipped test; the reason has
    the command that reproduces it.
    """
    pairs = [(result, finding) for result in verdict.results for finding in result.findings]
    return _module(pairs, verdict.run_info.deadline_s if verdict.run_info else _DEADLINE_S)


def finding_test_module(result: ClauseResult, finding: Finding) -> str:
    """Return a module with the test of one finding; empty if a single request does not reproduce it."""
    return "" if _skip_reason(result, finding) else _module([(result, finding)], _DEADLINE_S)


def _module(pairs: Sequence[tuple[ClauseResult, Finding]], deadline_s: float) -> str:
    preamble = TEMPLATE.substitute(
        written_by=f"Written by {TOOL} {__version__}.",
        target=repr(next((_target_url(finding.exchanges[0]) for _, finding in pairs if finding.exchanges), "")),
        deadline_s=repr(deadline_s),
        trace=repr(STACK_TRACE.pattern),
    )
    tests = ("\n".join(_test(number, *pair)) for number, pair in enumerate(pairs, start=1))
    return "\n\n\n".join([preamble.rstrip("\n"), *tests]) + "\n"


def _target_url(exchange: Exchange) -> str:
    """Return the receiver's URL; empty if it has secrets, which have to come from the environment."""
    query = exchange.case.request.query
    url = exchange.url.removesuffix(query).rstrip("?&") if query else exchange.url
    return "" if exchange.has_credentials or MASK in url else url


def _test(number: int, result: ClauseResult, finding: Finding) -> Iterator[str]:
    clause = result.clause
    skip_reason = _skip_reason(result, finding)
    if skip_reason:
        yield f"@pytest.mark.skip(reason={_text_literal(skip_reason)})"
    elif not finding.is_gating:
        yield f"@pytest.mark.xfail(reason={_text_literal(baseline_status(finding))})"
    yield f"def test_{re.sub(r'[^A-Za-z0-9]', '_', clause.id)}_{number}():"
    yield f"    {_text_literal(f'{clause.id}: {finding.title}')}"
    if skip_reason:
        return
    exchange = finding.exchanges[0]
    yield "    answer = send("
    yield from (f"        {name}={value}," for name, value in _request_arguments(exchange))
    yield "    )"
    if exchange.case.also_accept:
        yield f"    if is_one_of(answer, {list(exchange.case.also_accept)!r}):"
        yield "        return"
    for assertion in clause.assertions:
        yield f"    {assertion.name}(answer{_format_parameters(assertion.params)})"


def _skip_reason(result: ClauseResult, finding: Finding) -> str:
    """Return why a single request does not reproduce a finding; empty: it does."""
    is_supported = all(call.name in _SUPPORTED_ASSERTIONS for call in result.clause.assertions)
    is_plain = not any(
        exchange.case.request.lower_case_names or exchange.case.credential_variant is CredentialVariant.BEARER
        for exchange in finding.exchanges[:1]
    )
    is_single = bool(finding.reproduction.replay) and len(finding.reproduction.requests) <= 1
    if is_supported and is_plain and finding.exchanges and is_single:
        return ""
    return f"a single request does not show it: {one_line(finding.reproduction.cli, _MAX_CHARS)}"


def _request_arguments(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield the differences from a plain request as Python source."""
    request, credentials = exchange.case.request, exchange.case.credential_variant
    if request.method != "POST":
        yield "method", repr(request.method)
    if request.query:
        yield "query", repr(request.query)
    yield "headers", repr(list(request.headers))
    yield "body", _bytes_literal(request.framed_body())
    if request.segment_sizes and not request.chunked:
        yield "segments", repr(request.segment_sizes)
    if request.chunked:
        yield "chunked", "True"
    if request.truncate_at is not None:
        yield "cut", repr(request.truncate_at)
    yield "credentials", repr(credentials.value)


def _format_parameters(params: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in params.items())


def _bytes_literal(body: bytes) -> str:
    if len(body) <= _MAX_READABLE_BYTES:
        return repr(body)
    return f'decompress("{base64.b64encode(gzip.compress(body, mtime=0)).decode()}")'


def _text_literal(text: str) -> str:
    """Return a text as a printable Python literal that cannot be escaped from."""
    return repr(one_line(text, _MAX_CHARS))
