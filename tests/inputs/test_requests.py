"""Requests that were kept, found again byte for byte."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.alarm import State
from tcop_mock.errors import UsageError
from tcop_mock.inputs.requests import RecordedRequest, apply_edits, read_requests, shift_times

GENERATOR = Generator(7)
ALARM = GENERATOR.alarm(Catalog.load().get("cvm/basic-monitoring"))
FIRING, RESOLVED = (GENERATOR.callback(ALARM, state).to_bytes() for state in (State.FIRING, State.RESOLVED))
SPACED = b'{ "a":\t1.0, "a":1 }'
RECORD: dict[str, Any] = {
    "version": 1,
    "received": "2026-11-23T22:31:05.250+00:00",
    "method": "PUT",
    "path": "/x",
    "headers": [["host", "h"], ["authorization", "***"], ["x-key", "***"], ["x-team", "sre"]],
    "body": SPACED.decode(),
}


def _found(raw: bytes) -> list[RecordedRequest]:
    found, warning = read_requests(raw, "f")
    assert warning == ""
    return found


def _bodies(raw: bytes) -> list[bytes]:
    return [one.body for one in _found(raw)]


def test_a_recording_keeps_bytes_methods_headers_and_times() -> None:
    """Credentials and headers of the old connection are left behind."""
    binary = {key: value for key, value in RECORD.items() if key != "body"}
    binary["body_base64"] = base64.b64encode(b"\xff\n").decode()
    raw = "\n".join(json.dumps(row) for row in ({"version": 1, "url": "http://h"}, RECORD, binary)).encode() + b"\n"
    at = datetime(2026, 11, 23, 22, 31, 5, 250_000, UTC)
    assert _found(raw) == [
        RecordedRequest("line 2", SPACED, "PUT", (("x-team", "sre"),), at),
        RecordedRequest("line 3", b"\xff\n", "PUT", (("x-team", "sre"),), at),
    ]
    assert _found(json.dumps(RECORD).encode())[0].body == SPACED


def test_a_torn_last_line_is_left_out_and_told() -> None:
    """As a kill in the middle of a write would leave it."""
    line = json.dumps(RECORD).encode()
    found, warning = read_requests(line + b"\n" + line[:50], "f")
    assert [one.body for one in found] == [SPACED]
    assert warning == "line 2 is torn: it ends in the middle, and was left out"


def test_bodies_a_line_are_kept_as_they_are() -> None:
    """Broken ones, too, where others are JSON; blank lines are none."""
    assert _bodies(FIRING + b"\n\n" + RESOLVED + b"\n") == [FIRING, RESOLVED]
    assert _bodies(FIRING + b"\n{broken\n" + SPACED + b"\n") == [FIRING, b"{broken", SPACED]


@pytest.mark.parametrize("raw", [SPACED, b"[1,2]", b'"x"', b"{broken", b"\xff\xfe", b"a b\nc\n", b'{\n "a": 1\n}\n'])
def test_what_is_nothing_of_ours_is_a_body(raw: bytes) -> None:
    """Whole, with all its bytes."""
    assert _bodies(raw) == [raw]


def test_documents_of_ours_hold_bodies() -> None:
    """What emit --json printed, and lists of objects."""
    tree = json.loads(FIRING)
    assert _bodies(json.dumps([tree, tree]).encode()) == [FIRING, FIRING]
    assert _bodies(json.dumps({"version": 1, "seed": 1, "callbacks": [{"body": tree}]}).encode()) == [FIRING]


def test_a_report_holds_what_its_findings_show() -> None:
    """The request of each finding, without the line break that a here-document adds."""
    here = f"curl -sS -i -X PUT http://h/ -H 'X-A: 1' --data-binary @- <<'TCOP_BODY'\n{FIRING.decode()}\nTCOP_BODY"
    quoted = "curl -sS -i -X POST http://h/ --data-binary ''"
    clauses = [
        {"code": "TCM1", "findings": [{"title": "t", "reproduce": {"curl": here}}]},
        {"code": "TCM2", "findings": [{"title": "u", "reproduce": {"curl": quoted}}]},
        {"code": "TCM3", "findings": []},
    ]
    raw = json.dumps({"version": 1, "clauses": clauses}).encode()
    assert _found(raw) == [RecordedRequest("TCM1 t", FIRING, "PUT", (("X-A", "1"),)), RecordedRequest("TCM2 u", b"")]


def test_a_har_holds_requests() -> None:
    """With times, bodies as text or base64, or none; pseudo headers of HTTP/2 are none."""
    first = {
        "method": "POST",
        "headers": [{"name": ":authority", "value": "h"}, {"name": "X-A", "value": "1"}],
        "postData": {"mimeType": "application/json", "text": SPACED.decode()},
    }
    second = {"method": "POST", "postData": {"text": "/w==", "encoding": "base64"}}
    entries = [
        {"startedDateTime": "2026-11-23T22:31:05.000Z", "request": first},
        {"startedDateTime": "some day", "request": second},
        {"request": {"method": "GET"}},
    ]
    assert _found(json.dumps({"log": {"entries": entries}}).encode()) == [
        RecordedRequest("entry 1", SPACED, "POST", (("X-A", "1"),), datetime(2026, 11, 23, 22, 31, 5, tzinfo=UTC)),
        RecordedRequest("entry 2", b"\xff", "POST"),
        RecordedRequest("entry 3", b"", "GET"),
    ]


def test_captured_requests_and_curl_lines_are_read() -> None:
    """Several of each, with their own headers."""
    one = b"POST /a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: %d\r\n\r\n%s"
    raw = b"\n" + b"".join(one % (len(body), body) for body in (FIRING, SPACED))
    assert _found(raw) == [
        RecordedRequest(f"request {number}", body, "POST", (("X-A", "1"),))
        for number, body in enumerate((FIRING, SPACED), 1)
    ]
    curl = b"curl -XPUT --header='X-A: 1' -H broken http://h -d '{}'\ncurl --request DELETE http://h --data-raw x\n"
    assert _found(curl) == [
        RecordedRequest("command 1", b"{}", "PUT", (("X-A", "1"),)),
        RecordedRequest("command 2", b"x", "DELETE"),
    ]


@pytest.mark.parametrize(
    "raw, message",
    [
        (b" \n", "f: there is nothing to replay: the file is empty"),
        (b'{"log": {"entries": []}}', "f: there is nothing to replay: it holds no request"),
        (b'{"version": 1, "url": "http://h"}\n{"version": 1, "url": "http://h"}', "it holds no request"),
        (b'{"log": {"entries": [{}]}}', "f looks like a recording, a report or a HAR file, and is damaged"),
        (b'{"version": 1, "callbacks": [3]}', "f looks like a recording"),
        (b'{"version":1,"received":"x","method":"P","path":"/","headers":[[1]],"body":""}\n1', "f, line 1 looks like"),
    ],
)
def test_what_holds_nothing_is_told(raw: bytes, message: str) -> None:
    """One line that says where."""
    with pytest.raises(UsageError) as caught:
        read_requests(raw, "f")
    assert message in str(caught.value)


def test_times_move_together_and_nothing_else_does() -> None:
    """The first callback is told now; what follows keeps its distance; all other bytes are as they were."""
    now = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    first, second, other = shift_times([FIRING, RESOLVED, b"no callback"], now)
    assert b'"firstOccurTime":"2030-01-02 03:04:05"' in first
    was, came = json.loads(RESOLVED), json.loads(second)
    assert came["firstOccurTime"] == "2030-01-02 03:04:05"
    assert came["recoverTime"] > came["firstOccurTime"]
    assert came["durationTime"] == was["durationTime"]
    assert len(second) == len(RESOLVED)
    assert other == b"no callback"
    resolved = json.loads(shift_times([RESOLVED], now)[0])
    assert resolved["recoverTime"] == "2030-01-02 03:04:05"


def test_a_repeat_is_told_when_its_duration_is_over() -> None:
    """Its first occurrence lies as far back as it says; without a duration it is told then."""
    now = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    body = b'{"firstOccurTime": "2020-01-01 00:00:00", "durationTime": "3600", "recoverTime": "0"}'
    assert b'"2030-01-02 02:04:05"' in shift_times([body], now)[0]
    assert b'"2030-01-02 03:04:05"' in shift_times([b'{"firstOccurTime":"2020-01-01 00:00:00"}'], now)[0]
    nonsense = b'{"firstOccurTime":"2020-13-01 00:00:00"}'
    assert shift_times([nonsense], now) == [nonsense]
    assert shift_times([body, nonsense], now)[1] == nonsense


def test_values_are_changed_by_path() -> None:
    """What is no object cannot be changed so; a path that is not there is told."""
    assert apply_edits(b'{"a": 1, "b": {"c": 2}}', [("a", "x")], ["b.c"], "f") == b'{"a":"x","b":{}}'
    for raw in (b"[1]", b"{"):
        with pytest.raises(UsageError, match=r"^f is no JSON object: --set and --unset change values by path$"):
            apply_edits(raw, [("a", 1)], [], "f")
