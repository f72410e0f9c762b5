"""Properties of any text: no secret is sent, and no request is lost."""

from __future__ import annotations

import io
import json

import h11
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, read_requests
from tcop_mock.inputs.requests import InputRequest

SECRET = "S3CR3T"
BODY = b'{"alarmStatus":"1","name":"a b"}'
LINES = st.sampled_from(
    [
        f"Authorization: Bearer {SECRET}",
        f"Cookie: sid={SECRET}",
        f"> Authorization: Basic {SECRET}",
        f"X-Api-Key: {SECRET}",
        f"export TOKEN={SECRET}",
        f"TOKEN={SECRET}",
        f"curl h -H 'Authorization: Bearer {SECRET}' -d '{{}}'",
        f"curl h -b sid={SECRET} -u a:{SECRET} --oauth2-bearer {SECRET} \\",
        f"curl http://h/?token={SECRET} -d token={SECRET}",
        f"/usr/bin/curl h -H 'Cookie: {SECRET}' \\",
        f"-H 'X-Auth-Token: {SECRET}'",
        f"http POST h Authorization:{SECRET}",
        f'2026-11-30 14:00:00 INFO token="{SECRET}" body={{}}',
        "-d '{\"a\":1}'",
        'curl h -d "$TOKEN"',
        "curl h -d @- <<EOF",
        "EOF",
        "POST /alarm HTTP/1.1",
        "POST http://h/alarm",
        "HTTP/1.1 200 OK",
        "Content-Length: 30",
        "Transfer-Encoding: chunked",
        "Content-Type: application/json",
        "1e",
        "### next",
        "```",
        "{}",
        "",
        "'",
        "it's",
        "{",
        "1 abc 1700000000 0",
        "# note",
        "dev@box:~$ ls",
    ]
)


@settings(max_examples=200)
@given(st.lists(LINES | st.text(max_size=8), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_no_secret_of_a_text_goes_out(lines: list[str], end: str) -> None:
    """A text that is not JSON is sent without secrets or not at all."""
    raw = end.join(lines).encode("utf-8", "surrogatepass")
    try:
        requests, _ = read_requests(raw, "f")
    except UsageError:
        return
    assert requests
    for request in requests:
        outgoing = request.to_outgoing(None)
        assert SECRET.encode() not in outgoing.body
        assert SECRET not in repr((outgoing.method, outgoing.headers))


@given(st.text() | st.binary())
def test_a_text_that_is_not_json_is_not_sent(text: str | bytes) -> None:
    """Unless it is recognised: nothing that is read ends in an error of another kind."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        assume(not raw.lstrip().startswith((b"{", b"[")))
        assume(b"HTTP/" not in raw and b"curl" not in raw)
        with pytest.raises(UsageError):
            read_requests(raw, "f")


def _message(kind: str, end: bytes) -> bytes:
    head = [b"POST /a HTTP/1.1", b"Host: h", b"Content-Type: application/json"]
    body = BODY
    if kind == "length":
        head.append(b"Content-Length: %d" % len(body))
    elif kind == "chunks":
        head.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:])
    elif kind == "response":
        return end.join([b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok"]) + end
    elif kind == "response without a length":
        return end.join([b"HTTP/1.1 200 OK", b"", b"ok"]) + end
    return end.join([*head, b"", body]) + (end if kind == "rest" else b"")


KINDS = ["length", "chunks", "rest"]


@given(
    st.lists(st.sampled_from([*KINDS, "response", "response without a length"]), max_size=5),
    st.sampled_from(KINDS),
    st.sampled_from([b"\r\n", b"\n"]),
    st.data(),
)
def test_no_request_of_a_capture_is_lost(kinds: list[str], last: str, end: bytes, data: st.DataObject) -> None:
    """Requests that are sent and requests that are reported are those of the file; the last one of a cut file too."""
    before = end.join(_message(kind, end) for kind in kinds) + (end if kinds else b"")
    cut = _message(last, end)
    size = data.draw(st.integers(len(b"POST /a HTTP/1.1\r\n"), len(cut)))
    items = list(read_inputs(io.BytesIO(before + cut[:size]), "f"))
    requests = [one for one in items if isinstance(one, InputRequest)]
    assert len(requests) == len(items) == sum(kind in KINDS for kind in kinds) + 1
    assert all(one.body == BODY for one in requests if not one.problem)
    assert all(not one.problem for one in requests[:-1])
    if size == len(cut):
        assert not requests[-1].problem


@given(st.lists(st.sampled_from([BODY, b"{}", b"no json", b"3", b""]), min_size=1), st.booleans(), st.booleans())
def test_no_line_is_lost(lines: list[bytes], ends: bool, torn: bool) -> None:  # noqa: FBT001 - drawn
    """Lines that are sent and lines that are reported are those of the file."""
    raw = b"\n".join([BODY, *lines]) + (b"\n" if ends or torn else b"") + (BODY[:9] if torn else b"")
    requests, warnings = read_requests(raw, "f")
    assert len(requests) + len(warnings) == 1 + len([line for line in lines if line]) + torn


@given(
    st.sampled_from(["POST", "PUT", "PATCH"]),
    st.lists(st.binary(min_size=1, max_size=40), max_size=4),
    st.booleans(),
    st.sampled_from(["a", "a b", "é"]),
)
def test_a_capture_is_read_as_h11_writes_it(method: str, parts: list[bytes], chunked: bool, value: str) -> None:  # noqa: FBT001 - drawn
    """Method, headers and body, by length or in chunks."""
    body = b"".join(parts)
    assume(b"HTTP/" not in body)
    client = h11.Connection(h11.CLIENT)
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))
    pairs = [(b"Host", b"h"), (b"X-A", value.encode("latin-1")), (framing[0].encode(), framing[1].encode())]
    head = h11.Request(method=method, target="/a", headers=pairs)
    raw = client.send(head) or b""
    raw += b"".join(client.send(h11.Data(data=part)) or b"" for part in parts)
    raw += client.send(h11.EndOfMessage()) or b""
    [one] = read_inputs(io.BytesIO(raw), "f")
    assert isinstance(one, InputRequest)
    assert (one.method, one.body) == (method, body)
    assert ("X-A", value) in one.headers
