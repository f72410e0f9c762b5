"""Texts that people paste: curl commands of shells and browsers, captures, editors' files, other tools' formats."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import subprocess
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, read_requests
from tcop_mock.inputs.requests import InputRequest, SkippedInput

BODY = {"alarmStatus": "1", "policyName": 'disk "full" & it\'s <50%>', "objName": "10.0.0.1#7"}
TEXT = json.dumps(BODY, separators=(",", ":"))
QUOTED = "'" + TEXT.replace("'", "'\\''") + "'"
"""As a POSIX shell has it."""
CARETS = "".join(
    f"^{char}" if char in '"{}#&<>%' else char for char in TEXT.replace("\\", "^\\^\\").replace('"', '^\\"')
)
"""As Chrome writes it for cmd.exe, without the quotes around it."""


def read(text: str | bytes) -> list[Any]:
    """Return the bodies in a text, those of skipped parts left out."""
    raw = text if isinstance(text, bytes) else text.encode()
    items = list(read_inputs(io.BytesIO(raw), "f"))
    assert not [one.problem for one in items if isinstance(one, InputRequest) and one.problem]
    return [one.parsed.tree for one in items if isinstance(one, InputRequest)]


ONE = {
    "cmd, carets before all quotes": f'curl ^"http://h/a^" ^\r\n  -H ^"a: b^" ^\r\n  --data-raw ^"{CARETS}^"\r\n',
    "cmd, plain quotes around carets": f'curl "http://h/a" -H "a: b" --data-binary "{CARETS}" --compressed\r\n',
    "piped into another program": f"curl -s http://h/ -d {QUOTED} | jq -d .status\n",
    "or another program": f"curl h -d {QUOTED} -o /dev/null -w '%{{http_code}}' || echo -d failed\n",
    "piped into tr": f"curl h -d {QUOTED} | tr -d '\\r'\n",
    "in the background": f"curl h -d {QUOTED} &\n",
    "a full path": f"/usr/bin/curl -sS h -d {QUOTED}\n",
    "a full path of Windows": f'"C:/Windows/System32/curl.exe" h -d {QUOTED}\n',
    "a variable before": f"LANG=C TZ=UTC curl h -d {QUOTED}\n",
    "another program before": f"sudo -E timeout 5s curl h -d {QUOTED}\n",
    "another user": f"sudo -u app curl h -d {QUOTED}\n",
    "in a container": f"docker exec -i web curl h -d {QUOTED}\n",
    "in a pod": f"apt-get install curl; sudo grep curl x\nkubectl exec -it web-0 -- curl h -d {QUOTED}\n",
    "for a variable": f"set -e\nexport ANSWER=$(curl -s h -d {QUOTED})\necho $ANSWER\n",
    "for a variable in quotes": f'A="$( /usr/bin/curl -s h -d {QUOTED})"; echo "($A)"\n',
    "inside a loop": f"while true; do curl h -d {QUOTED}; sleep 1; done\n",
    "in parentheses": f"(curl h -d {QUOTED})\n",
    "a prompt, and one of the next line": f"dev@box:~$ curl -sS h \\\n> -d {QUOTED}\n",
    "a prompt in brackets": f"[root@box ~]# curl h -d {QUOTED}\n",
    "a prompt of PowerShell": f"PS C:\\x> curl.exe h -d {QUOTED}\n",
    "lines of PowerShell": f"PS C:\\x> curl.exe h `\n  -H 'A: b' `\n  -d {QUOTED}\n",
    "a here-document as a word": f"curl h -d \"$(cat <<'EOF'\n{TEXT}\nEOF\n)\" -H 'A: b'\n",
    "a here-document without quotes as a word": f'curl h -d "$(cat <<EOF\n{TEXT}\nEOF\n)"\n',
    "a byte order mark": f"\ufeffcurl h -d {QUOTED}\n",
    "a here-document with tabs": f"curl h --data-binary @- <<-'EOF'\n\t{TEXT}\n\tEOF\n",
    "a here-document without quotes": "curl h -d @- <<EOF\n" + TEXT.replace("\\", "\\\\") + "\nEOF\n",
    "a here-document of cat": f"cat <<'EOF' | curl h -d @-\n{TEXT}\nEOF\n",
    "a here-string": f"curl h -d @- <<< {QUOTED}\n",
    "echo": f"echo {QUOTED} | curl h -d @-\n",
    "echo -e": "echo -ne '" + TEXT.replace("\\", "\\\\").replace("'", "\\x27") + "' | curl h -d @/dev/stdin\n",
    "printf": f"printf '%s\\n' {QUOTED} |& curl h -d @-\n",
    "printf in octal": "printf '" + "".join(f"\\{byte:03o}" for byte in TEXT.encode()) + "' | curl h -d @-\n",
    "printf without values": f'printf \'{{"a":"%%"}}\' >/dev/null; curl h -d {QUOTED}\n',
    "--json twice": f"curl --json '{TEXT[:12]}' --json {QUOTED[0] + QUOTED[13:]} h\n",
    "a script": f'#!/bin/bash\nset -e\nURL=http://h/\ncurl -sS "$URL" -d {QUOTED} 2>&1 >out # comment\n',
    "a body in a variable": f'BODY={QUOTED}\ncurl h -d "$BODY"\n',
    "a variable of another program": f"NOW=$(date)\ncurl h -d {QUOTED} \\",
    "a Markdown fence": f"```bash\ncurl h -d {QUOTED}\n```\n",
    "prose around a fence": f"It's so:\n\n```json\n{TEXT}\n```\n\nThat's all.\n",
    "captured HTTP in a fence": f"~~~\nPOST / HTTP/1.1\nContent-Type: application/json\n\n{TEXT}\n~~~\n",
    "$'...'": "curl h --data-raw $'" + TEXT.replace("\\", "\\\\").replace("'", "\\'") + "'\n",
    "$'...' with \\U": "curl h --data-raw $'" + TEXT.replace("\\", "\\\\").replace("'", "\\U00000027") + "'\n",
    "a request to another place first": f"curl http://h/health; curl h -d {QUOTED}\n",
    "a dollar and a grave accent": f"echo $ 'x' $; curl h -d {QUOTED} -H \"x: $\" \\\n",
    "file descriptors": f"curl h -d {QUOTED} 2>/dev/null <<< x\n",
    "an editor's file": f"### fire\nPOST http://h/a HTTP/1.1\nContent-Type: a/b\n\n{TEXT}\n\n> {{% x %}}\n",
    "an editor's file with a query": f"@h = x\n// note\nPOST {{{{h}}}}/a\n  ?b=c\n  &d=e\nX-A: b\n\n{TEXT}\n###\n\n",
    "a GET in an editor's file": f"GET http://h/\n\n### b\nPOST http://h/\n\n{TEXT}\n",
    "a response behind a request": f"POST / HTTP/1.1\nContent-Length: {len(TEXT)}\n\n{TEXT}\n\nHTTP/1.1 200 OK\n\nok\n",
    "an interim response": f"POST / HTTP/1.1\nContent-Length: {len(TEXT)}\n\nHTTP/1.1 100 Continue\n\n{TEXT}",
    "chunks that were decoded": f"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{TEXT}",
    "gzip that was decoded": f"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n{TEXT}",
    "a byte order mark before HTTP": f"\ufeffPOST / HTTP/1.1\r\nContent-Length: {len(TEXT)}\r\n\r\n{TEXT}",
    "folded headers": f"POST / HTTP/1.1\r\nX: a\r\n b\r\n\tc\r\nContent-Length: {len(TEXT)}\r\n\r\n{TEXT}",
    "a comment before HTTP": f"# from the proxy\n\nPOST / HTTP/2\n\n{TEXT}\n",
    "GoReplay": f"1 a 1700000000 0\nPOST / HTTP/1.1\r\n\r\n{TEXT}\n🐵🙈🙉\n2 a 1 1\nHTTP/1.1 200 OK\r\n\r\n\n🐵🙈🙉\n",
    "vegeta": '{"method": "POST", "url": "http://h/", "body": "eyJhIjoxfQ=="}\n'.replace(
        "eyJhIjoxfQ==", base64.b64encode(TEXT.encode()).decode()
    ),
}


@pytest.mark.parametrize("text", ONE.values(), ids=ONE)
def test_one_callback_is_read(text: str) -> None:
    """However it was pasted, it is the one body, byte for byte."""
    assert read(text) == [BODY]


TWO = {
    "&&": f"curl h -d {QUOTED} && curl h -d {QUOTED}\n",
    "--next": f"curl h -d {QUOTED} --next h -d {QUOTED}\n",
    "-:": f"curl h -d {QUOTED} -: h -d {QUOTED}\n",
    "cmd": f'curl ^"h^" -d ^"{CARETS}^" &\r\ncurl ^"h^" -d ^"{CARETS}^"',
    "an editor's file": f"### a\nPOST http://h/\n\n{TEXT}\n\n### b\nPOST http://h/\nX-A: b\n\n{TEXT}\n",
    "captures without lengths": f"POST / HTTP/1.1\nA: b\n\n{TEXT}\n\nPOST / HTTP/1.1\nA: b\n\n{TEXT}\n",
    "documents in lists, a line each": f"[{TEXT}]\n[{TEXT}]\n",
}


@pytest.mark.parametrize("text", TWO.values(), ids=TWO)
def test_two_callbacks_are_read(text: str) -> None:
    """None of them is lost."""
    assert read(text) == [BODY, BODY]


REFUSED = {
    "PowerShell": ('$s = New-Object X\r\nInvoke-WebRequest -Uri "h" -Body "{}"', 'PowerShell.*"Copy as cURL"'),
    "PowerShell with its prompt": ("PS C:\\x> Invoke-RestMethod -Body '{}' h\n", 'PowerShell.*"Copy as cURL"'),
    "the output of another program": (
        "curl h -d \"$(jq -n \\\n '{}')\"\n",
        r"line 1 has \$\(...\), which is not replaced here: write the value in its place",
    ),
    "a here-document with variables": (
        'curl h -d "$(cat <<EOF\n{$x}\nEOF\n)"\n',
        r"line 1 has \$x, which is not replaced here: write the value in its place",
    ),
    "a command of another shell": ("ssh app@web 'curl h -d {}'\n", "a curl command inside quotes"),
    "HTTPie": ("http POST http://h/alarm alarmStatus=1\n", "an HTTPie command"),
    "wget": ("wget --post-data '{}' http://h/\n", "a wget command"),
    "fetch": ('await fetch("http://h/", {"body": "{}"});\n', "a fetch call of JavaScript"),
    "k6": ("// x\nimport http from 'k6/http';\n", "a k6 script"),
    "Python": ("import requests\n\nrequests.post('h')\n", "a Python program"),
    "curl -v": (f"> POST /a HTTP/1.1\n> Host: h\n>\n{TEXT}\n< HTTP/1.1 200 OK\n", "the output of curl -v"),
    "tcpdump": (f"06:00:00.0 IP a > b\nE..POST / HTTP/1.1\nHost: h\n\n{TEXT}", "the output of tcpdump"),
    "HTTP/2": (f":method: POST\n:path: /\n\n{TEXT}", "headers of HTTP/2"),
    "gzip": (gzip.compress(b"{}"), "a gzip file"),
    "a pcap file": (b"\xd4\xc3\xb2\xa1" + b"\0" * 20, "a packet capture"),
    "responses alone": ("HTTP/1.1 200 OK\n\nok\n", "the file holds no request"),
    "an empty HAR": ('{"log": {"entries": []}}', "the HAR file has no entries"),
    "Postman": ('{"info": {"name": "x"}, "item": []}', "a Postman collection"),
    "a document of ours": ('{"version": 1, "deliveries": []}', "holds no requests: give a recording"),
    "HTTPie with a quote that is open": ("curl it's\nhttp POST http://h/ a=1\n", "an HTTPie command"),
}


@pytest.mark.parametrize("text, message", REFUSED.values(), ids=REFUSED)
def test_another_format_is_named(text: str | bytes, message: str) -> None:
    """One line says what the text looks like and what to do; validate and replay agree."""
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(UsageError, match=f"^f: .*{message}"):
        list(read_inputs(io.BytesIO(raw), "f"))
    with pytest.raises(UsageError, match=f"^f: .*{message}"):
        read_requests(raw, "f")


UNSENT = {
    "a log": (f"2026-11-30 14:00:00,123 INFO body={TEXT}\n", "the body looks like a log: cut out the bodies"),
    "headers": (f"Authorization: Bearer S\n\n{TEXT}\n", "the body looks like HTTP headers without a request line"),
    "XML": ("<a/>", "the body looks like XML or HTML"),
    "prose": ("CPU is high, it can't curl now", "the body has no format that is read"),
    "broken JSON": ("{broken", "the body is not JSON: "),
    "a form": ("curl h -d 'user=a&password=b'", "command 1 is a form, not JSON"),
    "a form by its type": ("curl h -H 'Content-Type: multipart/x' -d 'x'", "command 1 is a form, not JSON"),
    "a credential": ("curl h -d '<token>: x'", "command 1 is not JSON and holds what looks like a credential"),
    "an editor's variable": ("POST http://h/\n\n{{body}}", "request 1 has the variable {{body}} in its body"),
    "an editor's file name": ("POST http://h/\n\n< ./x.json", "request 1 takes its body from a file"),
    "an editor's head": ("POST http://h/\nbroken\n\n{}", "its head ends without a blank line"),
    "an editor's POST without a body": ("POST http://h/\nA: b\n", "request 1 has no body in this file"),
    "a torn head": ("POST / HTTP/1.1\nA: b\nbroken\n\n{}", "request 1 was captured in part: its head ends"),
}


@pytest.mark.parametrize("text, reason", UNSENT.values(), ids=UNSENT)
def test_a_text_that_is_not_a_request_is_not_sent(text: str, reason: str) -> None:
    """Validate judges it as a body; replay says why it is not sent."""
    [one] = read_inputs(io.BytesIO(text.encode()), "f")
    assert isinstance(one, InputRequest)
    if reason.startswith("the body looks like"):
        assert reason in f"the body {one.parsed.problems[-1].message}"
    with pytest.raises(UsageError) as caught:
        read_requests(text.encode(), "f")
    assert str(caught.value).startswith("f: there is nothing to replay: it holds no whole request (")
    assert reason in str(caught.value)


@pytest.mark.parametrize("encoding, window", [("gzip", 31), ("deflate", 15)])
def test_a_compressed_body_is_checked_decoded_and_sent_as_it_was(encoding: str, window: int) -> None:
    """Its header goes with it; that of a body that a proxy decoded does not."""
    compressor = zlib.compressobj(wbits=window)
    packed = compressor.compress(TEXT.encode()) + compressor.flush()
    head = f"POST / HTTP/1.1\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n"
    [one], _ = read_requests(head.encode() + packed, "f")
    assert (one.body, one.parsed.tree, one.headers) == (packed, BODY, (("Content-Encoding", encoding),))
    [one], _ = read_requests(ONE["gzip that was decoded"].encode(), "f")
    assert (one.body, one.headers) == (TEXT.encode(), ())


def test_times_of_goreplay_are_kept() -> None:
    """They are the gaps of the replay."""
    raw = ONE["GoReplay"].replace("1700000000", "1700000000000000000").encode()
    assert read_requests(raw, "f")[0][0].received_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert read_requests(raw.replace(b"1 a 1700000000000000000 0", b"1 a 17"), "f")[0][0].received_at is None


def test_secret_headers_are_left_out_and_named() -> None:
    """Their values go nowhere."""
    text = f"curl h -H 'Authorization: Bearer S' -H 'X-Api-Key: S' -H 'X-Team: sre' -H \"X-B: $B\" -d {QUOTED}"
    [one], warnings = read_requests(text.encode(), "f")
    assert one.headers == (("X-Team", "sre"),)
    assert warnings == ["headers that hold secrets are not sent: authorization, x-api-key; --header gives a value"]


def test_a_byte_order_mark_is_a_deviation_of_json_alone() -> None:
    """It is not sent; behind it, the first body has the note."""
    items = list(read_inputs(io.BytesIO(b"\xef\xbb\xbf{}\n{}\n"), "f"))
    assert [len(one.parsed.deviations) for one in items if isinstance(one, InputRequest)] == [1, 0]
    assert read_requests(b"\xef\xbb\xbf{}", "f")[0][0].body == b"{}"
    assert read_requests(b"\xef\xbb\xbf# note\n{}", "f")[0][0].body == b"{}"


@pytest.mark.parametrize("escaped", [r"\U0001F525", r"\cA", r"\U00110000", r"\E", r"\u20ac", r"\x7"])
def test_escapes_are_read_as_bash_does(escaped: str) -> None:
    """All of those of ``$'...'``."""
    bash = shutil.which("bash")
    assert bash
    printed = subprocess.run(  # noqa: S603 - our own words
        [bash, "-c", f"printf %s $'{escaped}'"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    ).stdout
    [one] = read_inputs(io.BytesIO(f"curl h --data-raw $'{escaped}'".encode()), "f")
    assert isinstance(one, InputRequest)
    expected = escaped.encode() if escaped == r"\U00110000" else printed  # bash writes bytes that are not UTF-8
    assert one.body == expected


def test_commands_without_a_body_are_skipped_by_name() -> None:
    """Commands without a body are skipped if other commands have one."""
    items = list(read_inputs(io.BytesIO(ONE["a request to another place first"].encode()), "f"))
    assert isinstance(items[0], SkippedInput)
    assert str(items[0]) == "command 1 was skipped: it sends no body"


def test_words_of_cmd_are_split_as_its_programs_do() -> None:
    """Backslashes count before a quote alone; two quotes inside quotes are one; a caret and two line ends are one."""
    text = 'curl ^\r\n h --data-raw "a\\\\b\\\\" -H "x: ""y""" -o c:\\x & echo ^& "" & curl.exe h -d x^\n\ny'
    items = list(read_inputs(io.BytesIO(text.encode()), "f"))
    assert [one.body for one in items if isinstance(one, InputRequest)] == [b"a\\\\b\\", b"x\ny"]
    assert isinstance(items[0], InputRequest)
    assert items[0].headers == (("x", '"y"'),)
