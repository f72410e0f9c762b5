"""The bodies that validate finds in a file."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from typing import Any

import pytest

from tcop_mock.callbacks import strict_json
from tcop_mock.callbacks.strict_json import Issue
from tcop_mock.errors import UsageError
from tcop_mock.inputs import curl, reader
from tcop_mock.inputs.reader import read_inputs
from tcop_mock.inputs.requests import InputRequest, SkippedInput

A, B = {"sessionId": "a", "名": "ü"}, {"sessionId": "b"}
LINE_A, LINE_B = (json.dumps(one, ensure_ascii=False).encode() for one in (A, B))


def found(raw: bytes) -> list[InputRequest]:
    """Return what is found in a file of these bytes."""
    items = list(read_inputs(io.BytesIO(raw), "f"))
    requests = [one for one in items if isinstance(one, InputRequest)]
    assert len(requests) == len(items)
    return requests


def trees(raw: bytes) -> list[tuple[str, Any]]:
    """Return where bodies are and what they are, when they have no problems."""
    assert [one.parsed.problems for one in found(raw) if one.parsed.problems] == []
    return [(one.location, one.parsed.tree) for one in found(raw)]


ONE = {
    "compact": LINE_A,
    "with a line end": LINE_A + b"\r\n",
    "indented": json.dumps(A, indent=2).encode(),
    "indented, blank lines around": b"\n\n" + json.dumps(A, indent=2).encode() + b"\n\n",
    "over two lines": b'{"sessionId": "a",\n "\xe5\x90\x8d": "\xc3\xbc"}',
}


@pytest.mark.parametrize("raw", ONE.values(), ids=ONE)
def test_one_body_is_found(raw: bytes) -> None:
    """A document is one body, however it is written."""
    assert trees(raw) == [("", A)]


MANY = {
    "lines": (LINE_A + b"\n" + LINE_B + b"\n", "line 1", "line 2"),
    "lines without the last end": (LINE_A + b"\n" + LINE_B, "line 1", "line 2"),
    "lines of Windows": (LINE_A + b"\r\n" + LINE_B + b"\r\n", "line 1", "line 2"),
    "blank lines between": (LINE_A + b"\n\n \n" + LINE_B + b"\n", "line 1", "line 4"),
    "a list": (b"[" + LINE_A + b"," + LINE_B + b"]", "item 1", "item 2"),
    "an indented list": (json.dumps([A, B], indent=2).encode(), "item 1", "item 2"),
    "our own document": (
        b'{"version": 1, "seed": 1, "callbacks": [\n{"shape": "x", "state": "firing", "body": '
        + LINE_A
        + b'},\n{"shape": "x", "body": '
        + LINE_B
        + b"}\n]}\n",
        "item 1",
        "item 2",
    ),
}


@pytest.mark.parametrize("raw, first, second", MANY.values(), ids=MANY)
def test_several_bodies_are_found(raw: bytes, first: str, second: str) -> None:
    """Each with its place."""
    assert trees(raw) == [(first, A), (second, B)]


def test_a_broken_line_is_one_of_several() -> None:
    """The first, one between or the last: it is reported by its line, and the others are read."""
    for at in range(3):
        lines = [LINE_A, LINE_B, LINE_A]
        lines[at] = lines[at][:-1]
        reported = found(b"\n".join(lines))
        assert [one.location for one in reported if one.parsed.problems] == [f"line {at + 1}"]
        assert len(reported) == 3


@pytest.mark.parametrize("raw", [b"", b"\n", b"null", b"[]", b"[1, 2]", b"[{}, 1]", b"{", b"x\ny\n", b'{"version": 1}'])
def test_what_has_no_bodies_in_it_is_one(raw: bytes) -> None:
    """An empty file, a scalar, a list of other things: judged as the body that it is."""
    assert [one.location for one in found(raw)] == [""]


def test_problems_of_a_list_are_reported_where_they_belong() -> None:
    """A duplicate key in the second body is reported for that body, by its path."""
    twice = b'[{"a":1},{"b":{"c":1,"c":2}}]'
    assert [[note.path for note in one.parsed.problems] for one in found(twice)] == [[], ["b.c"]]
    ours = b'{"version":1,"callbacks":[{"body":{"c":1,"c":2}}]}'
    assert [[note.path for note in one.parsed.problems] for one in found(ours)] == [["c"]]


def test_lines_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first body is there before the second is read; a line without an end is not read to it."""

    class Endless(io.RawIOBase):
        """A million lines, then one without end."""

        def __init__(self) -> None:
            self.given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            line = LINE_A + b"\n" if self.given < 1_000_000 else b"x" * 1000
            piece = line[: len(buffer)]
            buffer[: len(piece)] = piece
            self.given += len(piece)
            return len(piece)

    source = Endless()
    items = read_inputs(io.BufferedReader(source), "f")
    first = next(items)
    assert isinstance(first, InputRequest)
    assert first.parsed.tree == A
    assert source.given < 200_000
    monkeypatch.setattr(reader, "MAX_BYTES", 100_000)
    monkeypatch.setattr(strict_json, "MAX_BYTES", 100_000)
    *_, last = items
    assert isinstance(last, InputRequest)
    assert last.parsed.is_json is False
    assert source.given < 1_500_000


def test_a_document_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list over many lines is read up to the limit."""
    monkeypatch.setattr(reader, "MAX_BYTES", 1000)
    stream = io.BytesIO(b"[\n" + b"{},\n" * 100_000)
    [one] = read_inputs(stream, "f")
    assert isinstance(one, InputRequest)
    assert not one.parsed.is_json
    assert stream.tell() < 200_000


def request(body: bytes, *headers: str, line: str = "POST /hook HTTP/1.1", end: str = "\r\n") -> bytes:
    """Return a captured request."""
    return end.join([line, "Host: h", *headers, "", ""]).encode() + body


JSON_TYPE = "Content-Type: application/json"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("length", [[], [f"Content-Length: {len(LINE_A)}"]], ids=["no length", "length"])
def test_a_captured_request_is_read(end: str, length: list[str]) -> None:
    """A request is read with LF or CRLF, with or without its length."""
    [one] = found(request(LINE_A, JSON_TYPE, *length, end=end))
    assert (one.location, one.body, one.parsed.tree) == ("request 1", LINE_A, A)
    assert (one.parsed.problems, one.parsed.deviations, one.problem) == ((), (), "")


def test_a_chunked_request_is_read() -> None:
    """Chunks are put together; extensions and trailers are passed over."""
    chunks = b"%x;name=1\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (4, LINE_A[:4], len(LINE_A) - 4, LINE_A[4:])
    [one] = found(request(chunks, JSON_TYPE, "Transfer-Encoding: chunked"))
    assert (one.parsed.tree, one.parsed.problems) == (A, ())


PUT = "was sent by PUT; callbacks are sent by POST"
CAPTURED = {
    "another method": (
        request(LINE_A, JSON_TYPE, line="PUT / HTTP/1.1"),
        "was sent by PUT; callbacks are sent by POST",
    ),
    "a body in part": (
        request(LINE_A, JSON_TYPE, "Content-Length: 900"),
        f"was captured in part: {len(LINE_A)} bytes of 900 by its Content-Length",
    ),
    "a chunk missing": (
        request(b"%x\r\n%b\r\n" % (len(LINE_A), LINE_A), JSON_TYPE, "Transfer-Encoding: chunked"),
        "was captured in part: the last chunk is missing",
    ),
    "a chunk that is cut": (
        request(b"FF\r\n" + LINE_A, JSON_TYPE, "Transfer-Encoding: chunked"),
        "was captured in part: the last chunk is missing",
    ),
    "gzip": (
        request(b"\x8b\x02", JSON_TYPE, "Content-Encoding: br", "Content-Length: 2"),
        "has the Content-Encoding br, which callbacks do not have; decode it first",
    ),
    "broken gzip": (
        request(b"\x1f\x8bx", JSON_TYPE, "Content-Encoding: gzip", "Content-Length: 3"),
        "has the Content-Encoding gzip, which callbacks do not have; decode it first",
    ),
    "no blank line": (
        b"POST / HTTP/1.1\r\nHost: h\r\n",
        "was captured in part: its head ends without a blank line",
    ),
    "a length that is too small": (
        request(LINE_A, JSON_TYPE, "Content-Length: 5"),
        f"was captured in part: its Content-Length is 5, and {len(LINE_A)} bytes stand behind its head",
    ),
    "another message inside its length": (
        request(LINE_A + b"\nHTTP/1.1 200 OK\n\n" + b"x" * 40, JSON_TYPE, "Content-Length: 50"),
        f"was captured in part: {len(LINE_A)} bytes of 50 by its Content-Length",
    ),
    "no length, and not JSON": (
        request(b"x", JSON_TYPE),
        "was captured in part: no Content-Length ends its body, which is not JSON",
    ),
    "a head alone": (request(b"", JSON_TYPE), "was captured in part: it has no body in this file"),
    "no body": (b"POST / HTTP/1.1\r\nHost: h\r\n\r\n", "is empty"),
}


@pytest.mark.parametrize("raw, message", CAPTURED.values(), ids=CAPTURED)
def test_what_is_wrong_with_a_request_is_reported(raw: bytes, message: str) -> None:
    """A property that requests of callbacks do not have is a problem of the whole body."""
    [one] = found(raw)
    assert Issue("", message) in one.parsed.problems


@pytest.mark.parametrize("reported, headers", [("none", []), ("text/plain", ["Content-Type: text/plain"])])
def test_another_content_type_is_a_deviation(reported: str, headers: list[str]) -> None:
    """No page says which it is."""
    [one] = found(request(LINE_A, *headers))
    assert one.parsed.deviations == (Issue("", f"has the Content-Type {reported}; application/json was observed"),)
    assert one.parsed.problems == ()


def test_requests_one_after_the_other_are_all_read() -> None:
    """Requests are split by length or chunks; text between them is reported."""
    length = request(LINE_A, JSON_TYPE, f"Content-Length: {len(LINE_A)}")
    chunks = request(b"%x\r\n%b\r\n0\r\nT: x\r\n\r\n" % (len(LINE_B), LINE_B), JSON_TYPE, "Transfer-Encoding: chunked")
    raw = length + b"\n" + chunks + length
    assert trees(raw) == [("request 1", A), ("request 2", B), ("request 3", A)]
    items = list(read_inputs(io.BytesIO(length + b"\nx\n" + length), "f"))
    assert [type(one) for one in items] == [InputRequest, SkippedInput, InputRequest]
    line = length.count(b"\n") + 2
    assert str(items[1]) == f"line {line} was skipped: it is not an HTTP message, and stands behind one"


@pytest.mark.proof
def test_many_small_chunks_are_read_in_one_pass() -> None:
    """A body in chunks of a byte costs no more than its length."""
    chunks = b"1\r\n \r\n" * 300_000 + b"%x\r\n%b\r\n0\r\n\r\n" % (len(LINE_A), LINE_A)
    assert trees(request(chunks, JSON_TYPE, "Transfer-Encoding: chunked")) == [("request 1", A)]


@pytest.mark.parametrize("indent", [None, 2])
def test_documents_one_behind_the_other_are_all_read(indent: int | None) -> None:
    """JSON documents in sequence, as of ``jq``, are read; a broken one is the last."""
    raw = b" ".join(json.dumps(one, indent=indent).encode() for one in (A, B))
    assert trees(raw) == [("item 1", A), ("item 2", B)]
    *whole, last = found(raw + b"{")
    assert [one.parsed.tree for one in whole] == [A, B]
    assert last.location == "item 3"
    assert not last.parsed.is_json
    [one] = found(raw + b"x")
    assert one.parsed.problems[0].message.startswith("is not JSON: extra data")


def test_lines_behind_one_that_is_too_long_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long one is reported as such, with its number."""
    monkeypatch.setattr(reader, "MAX_BYTES", 1000)
    for blanks in (999, 1000, 1001, 1990):
        reported = found(LINE_A + b"\n" + b"{" * blanks + b"\n" + LINE_B)
        assert [(one.location, one.parsed.is_json) for one in reported] == [
            ("line 1", True),
            ("line 2", False),
            ("line 3", True),
        ]
        reported = found(b"{" * blanks + b"\n" + LINE_B)
        assert [one.parsed.is_json for one in reported] == [False, True]


def test_the_first_body_does_not_wait_for_more_than_its_line() -> None:
    """A writer that sends a body now and then gets an answer for each body."""
    lines = [LINE_A + b"\n", LINE_B + b"\n", b""]

    class Slow(io.BytesIO):
        """A pipe that has a line at a time."""

        def readline(self, _most: int | None = -1, /) -> bytes:
            return lines.pop(0)

    items = read_inputs(Slow(), "f")
    first = next(items)
    assert isinstance(first, InputRequest)
    assert (first.location, first.parsed.tree) == ("line 1", A)
    assert lines == [b""]
    assert [one.location for one in items] == ["line 2"]


TEXT_A = LINE_A.decode()
CURLS = {
    "-d": f"curl -X POST http://u:p@h/ -H 'Content-Type: application/json' -d '{TEXT_A}'",
    "-d, joined": f"curl http://h/ -d'{TEXT_A}'",
    "--data-raw": f"$ curl http://h/ --data-raw '{TEXT_A}' --compressed",
    "--data=": f"curl --data='{TEXT_A}' http://h/",
    "--json over lines": f"curl \\\n  --json \\\n '{TEXT_A}' \\\n  http://h/\n",
    "over lines of Windows": f"curl \\\r\n  -d '{TEXT_A}' \\\r\n  http://h/\r\n",
    "$'...'": 'curl http://h/ --data-raw $\'{"sessionId":"\\u0061","\\u540d":"\\xc3\\xbc"}\'',
    "a here-document": f"curl http://h/ --data-binary @- <<'EOF'\n{TEXT_A}\nEOF\n",
    "a comment before": f"# cvm\n\ncurl -d '{TEXT_A}' h",
    "a bundle of flags": f"curl -sSXPOST -u u:p -sd'{TEXT_A}' h",
    "a flag that takes no value before": f"curl -i -k -d '{TEXT_A}' h",
    "$' inside quotes": """curl -d '{"sessionId":"a",'$'"\\u540d":"\\xc3\\xbc"}' h""",
    "octal bytes": """curl -d $'{"sessionId":"a","\\u540d":"\\303\\274"}' h""",
    "double quotes over lines": "curl -d " + json.dumps(TEXT_A, ensure_ascii=False).replace(":", ":\\\n") + " h",
    "double quotes": "curl http://h/ -d " + json.dumps(TEXT_A, ensure_ascii=False),
}


@pytest.mark.parametrize("line", CURLS.values(), ids=CURLS)
def test_a_curl_line_is_read(line: str) -> None:
    """A curl line is read as a shell would read it."""
    assert trees(line.encode()) == [("command 1", A)]


@pytest.mark.parametrize("text", [r"a\n\t\\\'\"b", r"\x41\u00e9\e", r"\xc3\xbc\303\274", r"\xff", "plain", r"\q"])
def test_quotes_of_a_shell_are_read_as_bash_does(text: str) -> None:
    """``$'...'`` has its own escapes."""
    bash = shutil.which("bash")
    assert bash
    command = [bash, "-c", f"printf %s $'{text}'"]
    done = subprocess.run(command, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})  # noqa: S603 - ours
    [one] = found(f"curl -d $'{text}' h".encode())
    [same] = found(b"curl -d '" + done.stdout.replace(b"'", b"'\\''") + b"' h")
    assert one == same


NOT_HERE = "which is not in this text: give the body itself"
REFUSED = {
    "curl http://h/": "on line 1 has no body: -d, --data, --data-raw, --data-binary or --json gives one",
    "curl -G http://h/ -d a=b": "on line 1 has no body: -d, --data, --data-raw, --data-binary or --json gives one",
    "curl http://h/ -d @body.json": f"on line 1 takes its body from 'body.json', {NOT_HERE}",
    "curl http://h/ -d @-": f"on line 1 takes its body from 'standard input', {NOT_HERE}",
    "jq . x.json | curl http://h/ -d @-": f"on line 1 takes its body from 'jq', {NOT_HERE}",
    "cat x.json | curl http://h/ -d @-": f"on line 1 takes its body from 'cat', {NOT_HERE}",
    "printf '%d' 1 | curl http://h/ -d @-": f"on line 1 takes its body from 'printf', {NOT_HERE}",
    "printf '%s' | curl http://h/ -d @-": f"on line 1 takes its body from 'printf', {NOT_HERE}",
    "curl http://h/ -d @- < x.json": f"on line 1 takes its body from 'x.json', {NOT_HERE}",
    "curl http://h/ -d '{": "this curl line cannot be read: no closing quotation (line 1); quote it as for a shell",
    'curl ^"http://h/" -d "{': "this curl line cannot be read: no closing quotation; quote it as for cmd.exe",
    "curl h -d @- <<EOF\n{}\n": "this here-document does not end: no line is EOF; give the whole command",
    "curl h \\ \n -d '{}'": "line 1 ends with a backslash and a blank, which ends the command there: remove the blank",
    'curl ^"h^" ^ \n -d ^"x^"': "line 1 ends with a caret and a blank, which ends the command there: remove the blank",
    "\ncurl h --data-urlencode '{}'": "on line 2 has --data-urlencode, which is not read: use --data-raw",
    "curl h -F 'a={}'": "on line 1 has --form, which is not read: use --data-raw",
    'TOKEN={}; curl h -d "$TOKEN"': "on line 1 has $TOKEN, which is not replaced here: write the value in its place",
    'curl h -d "$BODY"': "on line 1 has $BODY, which is not replaced here: write the value in its place",
    "curl h -d `cat x`": "on line 1 has `cat x`, which is not replaced here: write the value in its place",
    "curl h -d @- <<EOF\n{$X}\nEOF": "on line 1 has $X, which is not replaced here: write the value in its place",
    'echo "${X}" | curl h -d @-': "on line 1 has ${X}, which is not replaced here: write the value in its place",
}


@pytest.mark.parametrize("line, message", REFUSED.items(), ids=REFUSED)
def test_a_curl_line_without_a_body_is_refused(line: str, message: str) -> None:
    """The message says which line, why, and what to do instead."""
    with pytest.raises(UsageError) as caught:
        found(line.encode())
    assert str(caught.value).startswith("f: ")
    assert str(caught.value).endswith(message)


def test_curl_commands_one_after_the_other_are_all_read() -> None:
    """Comments, here-documents and other commands between curl commands are skipped."""
    raw = (
        f"# first\ncurl h --data-binary @- <<'EOF' -s\n{TEXT_A}\nEOF\n"
        f"sleep 1; echo curl\ncurl h \\\n -d '{LINE_B.decode()}'\n"
    )
    assert trees(raw.encode()) == [("command 1", A), ("command 2", B)]


def test_too_many_commands_are_refused() -> None:
    """Reading them as a shell does would take long."""
    with pytest.raises(UsageError, match="longer than 4 MiB; give their bodies, one a line"):
        found(b"curl -d '" + b"x" * curl.MAX_BYTES + b"'")


def test_a_text_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text over the limit is rejected as a whole."""
    monkeypatch.setattr(reader, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="the file is longer than 0 MiB: cut it into parts"):
        found(b"POST / HTTP/1.1\r\n\r\n" + b"x" * 100)


def test_raw_data_names_no_file() -> None:
    """``--data-raw`` takes an @ as it is; several values are joined as curl joins them."""
    [one] = found(b"curl h --data-raw @x -d y")
    assert one.parsed.problems[0].message.startswith("is not JSON: expecting value (line 1, column 1: '@x&y')")
