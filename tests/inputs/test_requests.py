"""The requests that replay finds in a file, byte for byte, and the changes it makes to bodies."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.errors import UsageError
from tcop_mock.inputs.documents import parse_request
from tcop_mock.inputs.reader import read_requests
from tcop_mock.inputs.requests import apply_edits, shift_times

if TYPE_CHECKING:
    from tcop_mock.inputs.requests import InputRequest

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


Row = tuple[str, bytes, str, tuple[tuple[str, str], ...], datetime | None]


def _row(
    location: str,
    body: bytes,
    method: str = "POST",
    headers: tuple[tuple[str, str], ...] = (),
    received_at: datetime | None = None,
) -> Row:
    return location, body, method, headers, received_at


def _requests(raw: bytes) -> list[InputRequest]:
    requests, warnings = read_requests(raw, "f")
    assert warnings == []
    return requests


def _found(raw: bytes) -> list[Row]:
    return [(one.location, one.body, one.method, one.headers, one.received_at) for one in _requests(raw)]


def _bodies(raw: bytes) -> list[bytes]:
    return [one.body for one in _requests(raw)]


def test_a_recording_keeps_bytes_methods_headers_and_times() -> None:
    """Credentials and headers of the old connection are left behind."""
    binary = {key: value for key, value in RECORD.items() if key != "body"}
    binary["body_base64"] = base64.b64encode(b"\xff\n").decode()
    raw = "\n".join(json.dumps(row) for row in ({"version": 1, "url": "http://h"}, RECORD, binary)).encode() + b"\n"
    at = datetime(2026, 11, 23, 22, 31, 5, 250_000, UTC)
    assert _found(raw) == [
        _row("line 2", SPACED, "PUT", (("x-team", "sre"),), at),
        _row("line 3", b"\xff\n", "PUT", (("x-team", "sre"),), at),
    ]
    assert _bodies(json.dumps(RECORD).encode()) == [SPACED]


def test_a_torn_last_line_is_left_out_and_reported() -> None:
    """An incomplete last line, as after a kill during a write, is reported and not sent."""
    line = json.dumps(RECORD).encode()
    found, warnings = read_requests(line + b"\n" + line[:50], "f")
    assert [one.body for one in found] == [SPACED]
    assert warnings == ["line 2 is torn: it ends in the middle, and was left out"]


def test_bodies_a_line_are_sent_as_they_are() -> None:
    """Blank lines are none; lines that are not JSON objects are reported and not sent."""
    assert _bodies(FIRING + b"\n\n" + RESOLVED + b"\n") == [FIRING, RESOLVED]
    found, warnings = read_requests(FIRING + b"\n{broken\n3\n" + SPACED + b"\n", "f")
    assert [one.body for one in found] == [FIRING, SPACED]
    assert warnings == [
        "line 2 is not JSON, and was left out",
        "line 3 holds no JSON object, and was left out",
    ]


def test_documents_one_behind_the_other_keep_their_bytes() -> None:
    """A broken last one is reported."""
    found, warnings = read_requests(b'{\n"a": 1.0} {"b":\n2}\n{', "f")
    assert [one.body for one in found] == [b'{\n"a": 1.0}', b'{"b":\n2}']
    assert warnings == ["item 3 is not JSON, and was left out"]


@pytest.mark.parametrize("raw", [SPACED, b"[1,2]", b'"x"', b'{\n "a": 1\n}\n'])
def test_another_json_document_is_a_body(raw: bytes) -> None:
    """Whole, with all its bytes."""
    assert _bodies(raw) == [raw]


@pytest.mark.parametrize("raw", [b"{broken", b"\xff\xfe", b"a b\nc\n"])
def test_what_is_not_json_is_not_sent(raw: bytes) -> None:
    """A text that nothing recognises may hold anybody's secrets."""
    with pytest.raises(UsageError, match="there is nothing to replay: it holds no whole request"):
        read_requests(raw, "f")


def test_documents_of_ours_hold_bodies() -> None:
    """Bodies are read from a list of objects and from the output of emit --json."""
    tree = json.loads(FIRING)
    assert _bodies(json.dumps([tree, tree]).encode()) == [FIRING, FIRING]
    assert _bodies(json.dumps({"version": 1, "seed": 1, "callbacks": [{"body": tree}]}).encode()) == [FIRING]


def test_half_a_surrogate_pair_stays_escaped() -> None:
    """A lone surrogate in an item of a list stays escaped."""
    assert _bodies(b'[{"a":"\\ud800"}]') == [b'{"a":"\\ud800"}']


def test_a_report_holds_the_requests_of_its_findings() -> None:
    """Requests of a report are sent as ``check`` sent them; a finding without one has its command."""
    plain: dict[str, Any] = {"method": "PUT", "url": "http://h/", "headers": [["X-A", "1"], ["Host", "h"]]}
    plain |= {"body": "a=b", "body_encoding": "utf-8", "credentials": "wrong-user", "asserted": False}
    plain |= {"truncate_at": 3, "segments": [2, 1], "chunked": False}
    plain |= {"query": "q=1", "keep_alive": True, "reuse_connection": False}
    binary = plain | {"headers": [], "body": "/w==", "body_encoding": "base64", "chunked": True, "segments": []}
    findings: list[dict[str, Any]] = [
        {"title": "t", "reproduce": {"requests": [plain, binary]}},
        {"title": "v", "reproduce": {"curl": "curl h -d {}", "requests": []}},
    ]
    clauses: list[dict[str, Any]] = [{"code": "TCM1", "findings": findings}, {"code": "TCM3", "findings": []}]
    (first, second), warnings = read_requests(json.dumps({"version": 1, "clauses": clauses}).encode(), "f")
    outgoing = first.to_outgoing(None)
    assert (first.location, first.body, first.method, first.headers) == ("TCM1 t", b"a=b", "PUT", (("X-A", "1"),))
    assert (outgoing.truncate_at, outgoing.segment_sizes, outgoing.chunked) == (3, (2, 1), False)
    assert (outgoing.query, outgoing.keep_alive, outgoing.reuse_connection) == ("q=1", True, False)
    assert first.reproduced is not None
    assert (first.reproduced.credential_variant, first.reproduced.is_asserted) == ("wrong-user", False)
    assert (second.location, second.body, second.to_outgoing(None).chunked) == ("TCM1 t", b"\xff", True)
    reason = "one request does not show it; run `tcop-mock check TARGET --clauses TCM1`"
    assert warnings == [f"TCM1 v was skipped: {reason}"]
    clauses[0]["findings"] = findings[1:]
    with pytest.raises(UsageError, match="--clauses TCM1"):
        read_requests(json.dumps({"version": 1, "clauses": clauses}).encode(), "f")


def test_a_damaged_body_of_a_report_is_not_sent() -> None:
    """The error is one of those that the reader reports as a damaged document."""
    with pytest.raises(ValueError, match="the compressed body is damaged: "):
        parse_request({"method": "POST", "url": "", "headers": [], "body": "e30=", "body_encoding": "gzip+base64"})


def _entry(method: str, url: str = "http://h/a", body: str = "", time: str = "", **post_data: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"method": method, "url": url}
    if body or post_data:
        request["postData"] = {"text": body, "mimeType": "application/json", **post_data}
    return {"startedDateTime": time, "request": request}


def _har(*entries: Any, **log: Any) -> bytes:
    return json.dumps({"log": {"entries": entries, **log}}).encode()


def test_a_har_holds_requests() -> None:
    """Times without an offset are UTC, bodies are text or base64, and pseudo headers are dropped."""
    first = _entry("POST", body=SPACED.decode(), time="2026-11-23T22:31:05.000Z")
    first["request"]["headers"] = [{"name": ":authority", "value": "h"}, {"name": "X-A", "value": "1"}]
    second = _entry("POST", body="/w==", encoding="base64", time="some day")
    third = _entry("PUT", body="{}", time="2026-11-23T22:31:06")
    at = datetime(2026, 11, 23, 22, 31, 5, tzinfo=UTC)
    assert _found(_har(first, second, third)) == [
        _row("entry 1", SPACED, "POST", (("X-A", "1"),), at),
        _row("entry 2", b"\xff"),
        _row("entry 3", b"{}", "PUT", (), at.replace(second=6)),
    ]


def test_entries_that_are_no_callbacks_are_skipped() -> None:
    """Pages, forms, and what goes to another address; nothing of their bodies, queries and passwords is shown."""
    callback = json.dumps({"alarmStatus": "1"})
    form = {"mimeType": "application/x-www-form-urlencoded"}
    params = {"request": {"method": "POST", "url": "http://h/a", "postData": {"params": [{"name": "a"}], **form}}}
    raw = _har(
        _entry("GET", "http://u:PASS@h/?q=PASS"),
        _entry("POST", "http://h/a", callback),
        _entry("POST", "http://[", "user=PASS", **form),
        _entry("POST", "http://other/login", '{"password": "PASS"}'),
        _entry("POST", "http://h/a", '{"another": "body"}'),
        params,
        _entry("POST", "http://h/a"),
        creator="x",
    )
    found, warnings = read_requests(raw, "f")
    assert [one.location for one in found] == ["entry 2", "entry 5"]
    assert warnings == [
        "entry 1 was skipped: GET http://h/: callbacks are sent by POST",
        "entry 3 was skipped: POST: its body is not JSON (application/x-www-form-urlencoded)",
        "entry 4 was skipped: POST http://other/login: callbacks go to another address",
        "entry 6 was skipped: POST http://h/a: its body is not JSON (application/x-www-form-urlencoded)",
        "entry 7 has no body in this file: save the HAR file with content",
    ]


def test_a_har_of_ours_is_sent_as_it_is() -> None:
    """Its findings have any method and any body, or none."""
    raw = _har(_entry("GET"), _entry("POST", body="a=b", mimeType=""), _entry("POST"), creator={"name": "tcop-mock"})
    assert [(one.method, one.body) for one in _requests(raw)] == [("GET", b""), ("POST", b"a=b"), ("POST", b"")]


def test_entries_without_callbacks_go_to_one_address() -> None:
    """Bodies of a user's own template are not recognised, so another site's JSON must not be among them."""
    assert len(_requests(_har(_entry("POST", body="{}"), _entry("POST", body="{}")))) == 2
    with pytest.raises(UsageError, match="go to several addresses, and none is a callback"):
        _requests(_har(_entry("POST", body="{}"), _entry("POST", "/b", "{}")))


def test_captured_requests_and_curl_lines_are_read() -> None:
    """Several of each, with their own headers."""
    one = b"POST /a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: %d\r\n\r\n%s"
    raw = b"\n" + b"".join(one % (len(body), body) for body in (FIRING, SPACED))
    assert _found(raw) == [
        _row(f"request {number}", body, "POST", (("X-A", "1"),)) for number, body in enumerate((FIRING, SPACED), 1)
    ]
    curl = b"curl -XPUT --header='X-A: 1' -H broken http://h -d '{}'\ncurl --request DELETE http://h --data-raw x\n"
    assert _found(curl) == [
        _row("command 1", b"{}", "PUT", (("X-A", "1"),)),
        _row("command 2", b"x", "DELETE"),
    ]


@pytest.mark.parametrize(
    "raw, message",
    [
        (b" \n", "f: there is nothing to replay: the file is empty"),
        (b'{"log": {"entries": []}}', "f: the HAR file has no entries: save it after the requests were sent"),
        (b'{"version": 1, "url": "http://h"}\n{"version": 1, "url": "http://h"}', "it holds no whole request"),
        (b'{"log": {"entries": [{}]}}', "f: entry 1 of the HAR file is damaged"),
        (b'{"version": 1, "callbacks": [3]}', "f: it looks like a recording, a report or a HAR file, and is damaged"),
        (b'{"version":1,"received":"x","method":"P","path":"/","headers":[[1]],"body":""}\n1', "f: line 1 looks like"),
    ],
)
def test_what_holds_nothing_is_reported(raw: bytes, message: str) -> None:
    """One line that says where."""
    with pytest.raises(UsageError) as caught:
        read_requests(raw, "f")
    assert message in str(caught.value)


def test_times_move_together_and_nothing_else_does() -> None:
    """The first callback is reported now; what follows keeps its distance; all other bytes are as they were."""
    now = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    (first, second, other), unmoved = shift_times([FIRING, RESOLVED, b"no callback"], now)
    assert unmoved == 0
    assert b'"firstOccurTime":"2030-01-02 03:04:05"' in first
    was, came = json.loads(RESOLVED), json.loads(second)
    assert came["firstOccurTime"] == "2030-01-02 03:04:05"
    assert came["recoverTime"] > came["firstOccurTime"]
    assert came["durationTime"] == was["durationTime"]
    assert len(second) == len(RESOLVED)
    assert other == b"no callback"
    resolved = json.loads(shift_times([RESOLVED], now)[0][0])
    assert resolved["recoverTime"] == "2030-01-02 03:04:05"


def test_a_repeat_is_reported_when_its_duration_is_over() -> None:
    """Its first occurrence lies as far back as it says; without a duration it is reported then."""
    now = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    body = b'{"firstOccurTime": "2020-01-01 00:00:00", "durationTime": "3600", "recoverTime": "0"}'
    assert b'"2030-01-02 02:04:05"' in shift_times([body], now)[0][0]
    assert b'"2030-01-02 03:04:05"' in shift_times([b'{"firstOccurTime":"2020-01-01 00:00:00"}'], now)[0][0]
    nonsense = b'{"firstOccurTime":"2020-13-01 00:00:00"}'
    assert shift_times([nonsense], now) == ([nonsense], 0)
    assert shift_times([body, nonsense], now)[0][1] == nonsense


def test_times_that_cannot_be_moved_stay_and_are_counted() -> None:
    """Years before 1000 or after 9999 cannot be written."""
    now = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    never = b'{"firstOccurTime":"2025-06-05 22:07:41","recoverTime":"9999-12-31 23:59:59"}'
    [body], unmoved = shift_times([never], now)
    assert (body, unmoved) == (never.replace(b"9999-12-31 23:59:59", b"2030-01-02 03:04:05"), 1)
    far = b'{"firstOccurTime":"9999-12-31 23:59:59","durationTime":9}'
    early = b'{"firstOccurTime":"1020-01-01 00:00:00"}'
    assert shift_times([far], now) == ([far], 0)
    assert shift_times([b'{"firstOccurTime":"2020-01-01 00:00:00"}', far], now)[1] == 1
    late = datetime(2000, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Beijing time without offset
    assert shift_times([b'{"firstOccurTime":"2030-01-01 00:00:00"}', early], late)[1] == 1


def test_values_are_changed_by_path() -> None:
    """A body that is not an object cannot be changed by path; a missing path is reported."""
    assert apply_edits(b'{"a": 1, "b": {"c": 2}}', [("a", "x")], ["b.c"], "f") == b'{"a":"x","b":{}}'
    for raw in (b"[1]", b"{"):
        with pytest.raises(UsageError, match=r"^f is not a JSON object: --set and --unset change values by path$"):
            apply_edits(raw, [("a", 1)], [], "f")
