"""Scripts that post callbacks, in the formats of curl, raw HTTP, Hurl, k6, Postman, pytest and vegeta.

No script holds credentials. If the target has some, the script reads ``TCOP_USER`` and ``TCOP_PASSWORD`` when it runs;
formats that cannot do that are rejected.
"""

from __future__ import annotations

import base64
import json
import shlex
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.contract.reproduce import curl_command
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import DEFAULTS
from tcop_mock.errors import UsageError
from tcop_mock.transport.http1 import request_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import ConnectionOptions, Target

_MAX_CALLBACKS_PER_SCRIPT = 10_000
_WRITTEN_BY = f"Written by tcop-mock {__version__}"
_HURL = """\
# {name}
POST {url}
{headers}
{sections}
base64,{body};
HTTP *
[Asserts]
status >= 200
status < 300

"""
_POSTMAN_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_POSTMAN_TEST = 'pm.test("answered 2xx", () => pm.expect(pm.response.code).to.be.within(200, 299));'
_K6 = """\
// {written_by}. Run: k6 run -e RATE=10 -e DURATION=10s callbacks.js
// Environment: URL; TCOP_USER and TCOP_PASSWORD if the receiver requires credentials.
import http from 'k6/http';
import encoding from 'k6/encoding';
import {{ check }} from 'k6';
import {{ scenario }} from 'k6/execution';

const bodies = {bodies};
const url = __ENV.URL || {url};
const headers = {headers};
if (__ENV.TCOP_USER) {{
  headers.Authorization = 'Basic ' + encoding.b64encode(__ENV.TCOP_USER + ':' + (__ENV.TCOP_PASSWORD || ''));
}}

export const options = {{
  scenarios: {{
    callbacks: {{
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE || 10),
      timeUnit: '1s',
      duration: __ENV.DURATION || '10s',
      preAllocatedVUs: 50,
      maxVUs: 1000,
    }},
  }},
}};

export default function () {{
  const body = encoding.b64decode(bodies[scenario.iterationInTest % bodies.length]);
  const answer = http.post(url, body, {{ headers, timeout: '{timeout_s:g}s', redirects: 0 }});
  check(answer, {{ 'answered 2xx': (r) => r.status >= 200 && r.status < 300 }});
}}
"""
_PYTEST = '''\
"""Post callbacks of Tencent Cloud alarms to the receiver at ``URL``. {written_by}.

Run ``URL=http://127.0.0.1:8080/hook pytest``. If the receiver requires credentials, set ``TCOP_USER`` and
``TCOP_PASSWORD``.
"""

import base64
import os
import urllib.error
import urllib.request

import pytest

URL = os.environ.get("URL", {url})
HEADERS = {headers}
if "TCOP_USER" in os.environ:
    pair = os.environ["TCOP_USER"] + ":" + os.environ.get("TCOP_PASSWORD", "")
    HEADERS["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
TIMEOUT_S = {timeout_s:g}

CALLBACKS = {{
{callbacks}
}}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


def post(body):
    """Return the status of the response to a callback."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}), NoRedirects)
    request = urllib.request.Request(URL, data=body, headers=HEADERS, method="POST")
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code


@pytest.mark.parametrize("body", CALLBACKS.values(), ids=CALLBACKS)
def test_the_callback_is_accepted(body):
    """A receiver answers 2xx in time; otherwise the callback is retried, and the alarm may be lost."""
    assert 200 <= post(base64.b64decode(body)) < 300
'''


class NamedBody(NamedTuple):
    """The body of a callback, and its name."""

    name: str
    body: bytes


def request_script(  # noqa: PLR0913 - what a script is made of
    format_name: str,
    named_bodies: Iterable[NamedBody],
    target: Target,
    rules: DeliveryRules,
    *,
    insecure: bool = False,
    connection: ConnectionOptions = DEFAULTS,
) -> Iterator[bytes]:
    """Return the parts of a script that posts callbacks.

    Args:
        format_name: a key of :data:`SCRIPT_FORMATS`.
        named_bodies: callbacks.
        target: receiver.
        rules: headers and timeout of the profile.
        insecure: do not verify the certificate of an https URL.
        connection: authorities, client certificate, addresses of host names. curl and hurl have options for them.

    Raises:
        UsageError: the format cannot read credentials when it runs, has no options for connections, cannot hold a
            body, or has too many callbacks.
    """
    options = list(_connection_options(connection, insecure=insecure))
    if options and format_name not in _WITH_CONNECTION:
        raise UsageError(
            f"--{options[0][0]}: --format {format_name} has no such option; use --format "
            f"{' or '.join(sorted(_WITH_CONNECTION))}, or configure what runs the script"
        )
    if target.credentials and format_name in {"http", "vegeta"}:
        others = ", ".join(sorted(SCRIPT_FORMATS - {"http", "vegeta"}))
        raise UsageError(
            f"--format {format_name} would hold the target's password; omit USER:PASSWORD@, or use one of {others}"
        )
    if options:
        return _WITH_CONNECTION[format_name](named_bodies, target, rules, options)
    return _WRITERS[format_name](named_bodies, target, rules)


def _connection_options(connection: ConnectionOptions, *, insecure: bool) -> Iterator[tuple[str, str]]:
    """Yield names and values of connection options, which curl and hurl name alike."""
    if insecure:
        yield "insecure", ""
    for name in ("cacert", "cert", "key"):
        if file := getattr(connection, name):
            yield name, file
    for host, port, address in connection.addresses:
        yield "resolve", f"{host}:{port}:{f'[{address}]' if ':' in address else address}"


def _curl(
    named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules, options: Sequence[tuple[str, str]] = ()
) -> Iterator[bytes]:
    flags = "".join(f" --{name}{f' {shlex.quote(value)}' if value else ''}" for name, value in options)
    for name, body in named_bodies:
        case = RequestCase(name, OutgoingRequest(body, headers=rules.headers))
        yield f"# {name}\n".encode()
        yield curl_command(case, target, flags=flags).encode() + b"\n"


def _http(named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules) -> Iterator[bytes]:
    for _, body in named_bodies:
        yield request_head(target, OutgoingRequest(body, headers=rules.headers)) + body + b"\n"


def _hurl(
    named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules, options: Sequence[tuple[str, str]] = ()
) -> Iterator[bytes]:
    """Yield an entry per callback. A body in base64 arrives byte for byte, and no ``{{`` in it is a variable."""
    headers = "\n".join(f"{name}: {_hurl_escaped(value)}" for name, value in rules.headers)
    sections = f"[Options]\nmax-time: {rules.timeout_s * 1000:.0f}ms"
    for name, value in options:
        sections += f"\n{name}: {_hurl_escaped(value).replace(' ', chr(92) + ' ') if value else 'true'}"
    if target.credentials:
        sections = "[BasicAuth]\n{{TCOP_USER}}: {{TCOP_PASSWORD}}\n" + sections
    yield f"# {_WRITTEN_BY}. Run: hurl --test FILE\n".encode()
    if target.credentials:
        yield b"# The receiver requires credentials: --variable TCOP_USER=... --variable TCOP_PASSWORD=...\n"
    for name, body in named_bodies:
        encoded = base64.b64encode(body).decode()
        entry = _HURL.format(name=name, url=target.url, headers=headers, sections=sections, body=encoded)
        yield entry.encode()


def _hurl_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("#", "\\#")


def _postman(named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules) -> Iterator[bytes]:
    headers = [{"key": name, "value": value} for name, value in rules.headers]
    script = {"listen": "test", "script": {"type": "text/javascript", "exec": [_POSTMAN_TEST]}}
    items = [
        {
            "name": f"{number} {name}",
            "request": {
                "method": "POST",
                "url": "{{url}}",
                "header": headers,
                "body": {"mode": "raw", "raw": _text(name, body), "options": {"raw": {"language": "json"}}},
            },
        }
        for number, (name, body) in enumerate(_take_limited(named_bodies), start=1)
    ]
    collection = {
        "info": {"name": "TCOP alarm callbacks", "description": _WRITTEN_BY, "schema": _POSTMAN_SCHEMA},
        "variable": [{"key": "url", "value": target.url}],
        "event": [script],
        "item": items,
    }
    if target.credentials:
        pairs = {"username": "{{TCOP_USER}}", "password": "{{TCOP_PASSWORD}}"}
        basic = [{"key": key, "value": value, "type": "string"} for key, value in pairs.items()]
        collection["auth"] = {"type": "basic", "basic": basic}
    yield json.dumps(collection, ensure_ascii=False, indent=1).encode() + b"\n"


def _text(name: str, body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise UsageError(f"a Postman collection holds text, and the body of {name} is not UTF-8; use curl") from None


def _vegeta(named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules) -> Iterator[bytes]:
    headers = {name: [value] for name, value in rules.headers}
    for _, body in named_bodies:
        row = {"method": "POST", "url": target.url, "header": headers, "body": base64.b64encode(body).decode()}
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _k6(named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules) -> Iterator[bytes]:
    bodies = [base64.b64encode(body).decode() for _, body in _take_limited(named_bodies)]
    yield _K6.format(
        written_by=_WRITTEN_BY,
        bodies=json.dumps(bodies, indent=1),
        url=json.dumps(target.url),
        headers=json.dumps(dict(rules.headers)),
        timeout_s=rules.timeout_s,
    ).encode()


def _pytest(named_bodies: Iterable[NamedBody], target: Target, rules: DeliveryRules) -> Iterator[bytes]:
    rows = [
        f"    {json.dumps(f'{number} {name}')}: {json.dumps(base64.b64encode(body).decode())},"
        for number, (name, body) in enumerate(_take_limited(named_bodies), start=1)
    ]
    yield _PYTEST.format(
        written_by=_WRITTEN_BY,
        callbacks="\n".join(rows),
        url=json.dumps(target.url),
        headers=json.dumps(dict(rules.headers)),
        timeout_s=rules.timeout_s,
    ).encode()


def _take_limited(named_bodies: Iterable[NamedBody]) -> list[NamedBody]:
    taken: list[NamedBody] = []
    for named_body in named_bodies:
        if len(taken) == _MAX_CALLBACKS_PER_SCRIPT:
            raise UsageError(
                f"a script holds at most {_MAX_CALLBACKS_PER_SCRIPT} callbacks; write several, or use vegeta"
            )
        taken.append(named_body)
    return taken


_WRITERS: dict[str, Callable[[Iterable[NamedBody], Target, DeliveryRules], Iterator[bytes]]] = {
    "curl": _curl,
    "http": _http,
    "hurl": _hurl,
    "k6": _k6,
    "postman": _postman,
    "pytest": _pytest,
    "vegeta": _vegeta,
}
_WITH_CONNECTION = {"curl": _curl, "hurl": _hurl}
SCRIPT_FORMATS = frozenset(_WRITERS)
"""Formats that post callbacks. The other formats of ``emit`` are bodies."""
