"""HTTP Archive report."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from verdict_samples import EXCHANGE, FAILED, FINDING_WITH_EXCHANGE, RUN_INFO, make_verdict

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.verdict import Exchange, Verdict
from tcop_mock.inputs.reader import read_requests
from tcop_mock.reports.har import har_document


def of(*exchanges: Exchange) -> Verdict:
    """Return a verdict with one finding of these exchanges."""
    return replace(
        make_verdict(replace(FAILED, findings=(replace(FINDING_WITH_EXCHANGE, exchanges=exchanges),))),
        run_info=RUN_INFO,
    )


def test_an_exchange_is_an_entry() -> None:
    """Requests and responses are complete, with their times and the keys that HAR 1.2 requires."""
    log = har_document(of(EXCHANGE))["log"]
    assert log["version"] == "1.2"
    [entry] = log["entries"]
    assert entry["startedDateTime"] == "2026-11-23T18:31:00.500+08:00"
    assert (entry["time"], entry["timings"]) == (3.0, {"send": 0, "wait": 2.0, "receive": 1.0})
    request, response = entry["request"], entry["response"]
    assert (request["method"], request["url"]) == ("POST", "http://127.0.0.1:8080/alarm")
    assert request["postData"] == {"mimeType": "application/json", "params": [], "text": '{"recoverTime":"0"}'}
    assert {"name": "Content-Length", "value": "19"} in request["headers"]
    assert (response["status"], response["statusText"]) == (500, "Internal Server Error")
    assert response["content"] == {"size": 12, "mimeType": "text/plain", "text": "系统错误"}
    assert response["redirectURL"] == "/elsewhere"
    for part, keys in (
        (request, {"cookies", "headers", "queryString", "headersSize", "bodySize", "httpVersion"}),
        (response, {"cookies", "headers", "headersSize", "bodySize", "httpVersion"}),
        (entry, {"cache"}),
    ):
        assert keys <= part.keys()


def test_a_request_without_a_response_has_status_0() -> None:
    """A request without a response has status 0, as browsers write it; credentials are masked."""
    silent = Attempt(Outcome.TIMED_OUT, 100.0, 100.0, 105.0, detail="no answer")
    push = replace(EXCHANGE.case.request, method="GET", headers=(), body=b"", query="a=1&b=")
    one = Exchange("http://h/x?a=1&b=", replace(EXCHANGE.case, request=push), silent, has_credentials=True)
    [entry] = har_document(of(one))["log"]["entries"]
    assert (entry["response"]["status"], entry["response"]["statusText"]) == (0, "")
    assert entry["timings"] == {"send": 0, "wait": 5000.0, "receive": 0.0}
    assert {"name": "Authorization", "value": "Basic ***"} in entry["request"]["headers"]
    assert entry["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert "postData" not in entry["request"]


def test_replay_reads_the_archive() -> None:
    """Replay reads the same bytes from the archive, also bodies that are not UTF-8."""
    bodies = (b'{"a":"\xe4\xba\x91"}', b"\xff\x00\xfe", "\u202e".encode())
    exchanges = [
        replace(EXCHANGE, case=replace(EXCHANGE.case, request=replace(EXCHANGE.case.request, body=body)))
        for body in bodies
    ]
    document = har_document(of(*exchanges))
    kept, warnings = read_requests(json.dumps(document).encode(), "x.har")
    assert warnings == []
    assert tuple(one.body for one in kept) == bodies
    assert {one.headers for one in kept} == {(("Content-Type", "application/json"),)}
    encoded = document["log"]["entries"][1]["request"]["postData"]
    assert base64.b64decode(encoded["text"]) == bodies[1]


def test_a_verdict_without_a_start_time_has_an_archive() -> None:
    """Without a start time, entries keep the intervals between them."""
    document = har_document(replace(of(EXCHANGE), run_info=None))
    assert document["log"]["entries"][0]["startedDateTime"].startswith("1970-01-01T00:01:41.500")
