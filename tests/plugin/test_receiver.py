"""``tcop_receiver``, ``tcop_pagerduty`` and the robots: requests are recorded, faults apply, no error is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from pytester_runs import RunPytest

POSTS = '''
import asyncio, http.client, json, pytest, socket, threading, urllib.error, urllib.request
from tcop_mock.server.messages import Reply

def post(url, body=b'{"alarmStatus":"1"}', **headers):
    """Return status and body of an answer, or the kind of error that came in its place."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read()
    except urllib.error.URLError as problem:
        return type(problem.reason).__name__, b""
    except (OSError, http.client.HTTPException) as problem:
        return type(problem).__name__, b""
'''


def suite(inner: RunPytest, tests: str, *arguments: str) -> pytest.RunResult:
    """Run a suite whose tests can ``post``."""
    return inner(POSTS + tests, *arguments)


def test_what_has_come_is_there(inner: RunPytest) -> None:
    """Callbacks are kept as they came, with what was answered; waiting is by number and by what they say."""
    suite(
        inner,
        """
def test(tcop_receiver, tcop_lifecycle):
    bodies = [one.to_bytes() for one in tcop_lifecycle()]
    for body in bodies:
        assert post(tcop_receiver.url, body, **{"X-Team": "payments"})[0] == 200
    assert [one.body for one in tcop_receiver.callbacks] == bodies
    first, *_, last = tcop_receiver.wait_for(4)
    assert first.header("x-team") == "payments"
    assert (first.method, first.path, first.status, first.header("no")) == ("POST", "/", 200, "")
    assert last.callback.is_resolved and not first.callback.is_resolved
    assert last.at("alarmPolicyInfo.conditions.metricName") == last.json["alarmPolicyInfo"]["conditions"]["metricName"]
    assert (last.at("alarmObjInfo.nosuch"), last.at("alarmStatus.0")) == (None, None)
    assert tcop_receiver.wait_for(where={"alarmStatus": "0"}) == [last]
    assert tcop_receiver.wait_for(3, where=lambda one: not one.callback.is_resolved)[0] == first
    tcop_receiver.clear()
    assert tcop_receiver.callbacks == []
    assert post(tcop_receiver.url, b"[1, [2]]")[0] == 400
    [other] = tcop_receiver.callbacks
    assert (other.at("1.0"), other.at("7"), other.callback.is_resolved) == (2, None, False)
    post(tcop_receiver.url, b"{")
    assert tcop_receiver.callbacks[1].json is None

def test_waits(tcop_receiver):
    threading.Timer(0.05, post, [tcop_receiver.url]).start()
    assert len(tcop_receiver.wait_for(timeout=30)) == 1
""",
    ).assert_outcomes(passed=2)


def test_a_wait_in_vain_says_what_has_come(inner: RunPytest) -> None:
    """The failure says what was waited for and what came instead: bounded, inert, without a secret."""
    output = str(
        suite(
            inner,
            """
def test_all(tcop_receiver):
    body = b'{"alarmStatus":"1","x":"\\\\u001b[31m' + b"y" * 1000 + b'"}'
    post(tcop_receiver.url + "?key=geheim", body, Authorization="Basic geheim")
    tcop_receiver.wait_for(2, timeout=0.01)

def test_where(tcop_receiver):
    for _ in range(12):
        post(tcop_receiver.url)
    tcop_receiver.wait_for(1, timeout=0.01, where={"alarmStatus": "0"})

def test_callable(tcop_receiver):
    tcop_receiver.wait_for(1, timeout=0.01, where=lambda one: one.callback.is_resolved)

def test_builtin(tcop_pagerduty):
    post(tcop_pagerduty.url, b'{"routing_key":"geheim"}')
    tcop_pagerduty.wait_for(1, timeout=0.01, where=callable)
    tcop_pagerduty.wait_for(2, timeout=0.01, where=callable)
""",
            "--show-capture=no",
        ).stdout
    )
    assert "waited 0.01 s for 2 callbacks; 1 came:" in output
    assert '  * <POST /?key=*** answered 200: {"alarmStatus":"1","x":"' in output
    assert "more characters)>" in output
    assert "waited 0.01 s for 1 callback where alarmStatus == '0'; 0 came, and 12 others:" in output
    assert "  … 2 earlier ones" in output
    assert (
        "where `tcop_receiver.wait_for(1, timeout=0.01, where=lambda one: one.callback.is_resolved)`; 0 came" in output
    )
    assert "where `<built-in function callable>`; " in output
    assert "geheim" not in output


FAULTS = {
    "status:503": (503, b"requested by --fault\n"),
    "401": (401, b""),
    "reset": ("ConnectionResetError", b""),
    "reset-after-request": ("ConnectionResetError", b""),
    "empty": ("RemoteDisconnected", b""),
    "garbage": ("BadStatusLine", b""),
    "wrong-length:+5": ("IncompleteRead", b""),
    "endless-body": ("IncompleteRead", b""),
    "drip-headers:1ms": (200, None),
    "drip-body:1ms": (200, None),
    "delay:10ms": (200, None),
    "delay-headers:10ms": (200, None),
}


def test_faults_are_played_on_the_wire(inner: RunPytest) -> None:
    """Each fault of ``listen`` is seen by a client that is not ours, as often as it was asked for, and then no more."""
    faults = {name: wanted for name, wanted in FAULTS.items() if name != "endless-body"}
    result = suite(
        inner,
        f"""
@pytest.mark.parametrize("fault, wanted", {faults!r}.items())
def test(tcop_receiver, fault, wanted):
    tcop_receiver.fault(f"{{fault}}:1")
    status, body = post(tcop_receiver.url)
    assert status == wanted[0]
    assert wanted[1] is None or body == wanted[1]
    assert post(tcop_receiver.url)[0] == 200
    assert len(tcop_receiver.callbacks) == 2 - (fault == "reset")
    if fault in ("reset-after-request", "empty", "garbage"):
        assert tcop_receiver.callbacks[0].status is None
    else:
        assert tcop_receiver.callbacks[0].status == (wanted[0] if wanted[0] in (503, 401) else 200)

def test_no_more(tcop_receiver):
    tcop_receiver.fault("status:500")
    assert post(tcop_receiver.url)[0] == 500
    tcop_receiver.fault()
    assert post(tcop_receiver.url)[0] == 200
    with pytest.raises(Exception, match="fault 'statsu:503': unknown fault 'statsu'; did you mean 'status'"):
        tcop_receiver.fault("statsu:503")

def test_endless(tcop_receiver):
    tcop_receiver.fault("endless-body")
    with urllib.request.urlopen(tcop_receiver.url, b"{{}}") as answer:
        assert len(answer.read(5000)) == 5000

def test_delays_end_with_the_test(tcop_receiver):
    tcop_receiver.fault("delay:1h")
    address = tcop_receiver.server.host, tcop_receiver.server.port
    waiting = socket.create_connection(address)
    waiting.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{{}}")
    tcop_receiver.wait_for(1)
    waiting.close()
""",
    )
    result.assert_outcomes(passed=len(faults) + 3)


def test_the_test_may_answer_itself(inner: RunPytest) -> None:
    """A test answers with a status, a reply, or the end's own answer; expectations of pytest-httpserver come first."""
    suite(
        inner,
        """
def test(tcop_receiver):
    answers = iter([503, Reply(202, b"later"), None])
    tcop_receiver.answer_with(lambda one: next(answers))
    assert [post(tcop_receiver.url)[0] for _ in range(3)] == [503, 202, 200]
    assert [one.accepted for one in tcop_receiver.callbacks] == [False, True, True]
    tcop_receiver.answer_with(None)
    tcop_receiver.server.expect_oneshot_request("/").respond_with_data("mine", status=418)
    assert post(tcop_receiver.url) == (418, b"mine")
    assert tcop_receiver.callbacks[-1].status == 418
    assert post(tcop_receiver.url)[0] == 200
""",
    ).assert_outcomes(passed=1)


def test_errors_in_the_servers_threads_reach_the_test(inner: RunPytest) -> None:
    """All errors of a test's own handler fail the test: while it waits, or at its end."""
    result = suite(
        inner,
        """
def fails(request):
    raise KeyError("lost")

def asserts(request):
    assert request.body == b"never"

def test_waits(tcop_receiver):
    tcop_receiver.answer_with(fails)
    assert post(tcop_receiver.url)[0] == 500
    assert tcop_receiver.callbacks[0].status == 500
    with pytest.raises(KeyError, match="lost"):
        tcop_receiver.wait_for(2)

def test_is_over(tcop_receiver):
    tcop_receiver.answer_with(asserts)
    post(tcop_receiver.url)

def test_several(tcop_receiver):
    tcop_receiver.answer_with(fails)
    post(tcop_receiver.url)
    tcop_receiver.server.expect_ordered_request("/never").respond_with_data("")
    post(tcop_receiver.url + "other")

def test_still_at_it(tcop_receiver):
    def slow(request):
        started.set()
        over.wait(20)
        raise KeyError("late")
    started, over = threading.Event(), threading.Event()
    tcop_receiver.answer_with(slow)
    threading.Thread(target=post, args=[tcop_receiver.url]).start()
    started.wait(20)
    threading.Timer(0.1, over.set).start()
""",
        "--show-capture=no",
    )
    assert result.parseoutcomes() == {"passed": 4, "errors": 3}
    output = str(result.stdout)
    assert "b'never'" in output
    assert "KeyError: 'late'" in output
    assert "raised while requests were answered (2 sub-exceptions)" in output


def test_stand_ins_answer_as_the_real_ends(inner: RunPytest) -> None:
    """Each by its own rules; WeCom's robot takes 20 messages a minute of ``tcop_clock``; look-ups are not messages."""
    suite(
        inner,
        """
EVENT = {
    "routing_key": "0" * 32, "event_action": "trigger", "dedup_key": "k",
    "payload": {"summary": "s", "source": "s", "severity": "error"},
}

def test_pagerduty(tcop_pagerduty):
    assert post(tcop_pagerduty.url, b"{}")[0] == 400
    assert post(tcop_pagerduty.url, json.dumps(EVENT).encode())[0] == 202
    refused, taken = tcop_pagerduty.callbacks
    assert (refused.accepted, taken.accepted, taken.note) == (False, True, "trigger k")
    assert taken.service == "pagerduty"

@pytest.mark.filterwarnings("ignore")
def test_wecom(tcop_wecom, tcop_clock):
    message = b'{"msgtype":"text","text":{"content":"an alarm"}}'
    codes = [json.loads(post(tcop_wecom.url, message)[1])["errcode"] for _ in range(21)]
    assert codes == [0] * 20 + [45009]
    tcop_clock.advance(61)
    assert json.loads(post(tcop_wecom.url, message)[1])["errcode"] == 0
    with pytest.raises(ValueError, match="time does not go back: -1 s"):
        tcop_clock.advance(-1)
    assert (tcop_clock(), tcop_clock.now_s) == (61, 61)

def test_dingtalk(tcop_dingtalk):
    assert json.loads(post(tcop_dingtalk.url, b'{"msgtype":"x"}')[1])["errcode"] == 400105
    assert json.loads(post(tcop_dingtalk.url, b'{"msgtype":"text","text":{"content":"an alarm"}}')[1])["errcode"] == 0
    assert [one.accepted for one in tcop_dingtalk.callbacks] == [False, True]

def test_feishu(tcop_feishu):
    assert json.loads(post(tcop_feishu.url, b'{"msg_type":"x"}')[1])["code"] == 9499
    assert json.loads(post(tcop_feishu.url, b'{"msg_type":"text","content":{"text":"an alarm"}}')[1])["code"] == 0
    assert [one.accepted for one in tcop_feishu.callbacks] == [False, True]

def test_slack(tcop_slack):
    assert post(tcop_slack.url, b"{}") == (400, b"no_text")
    assert post(tcop_slack.url, b'{"text":"an alarm"}') == (200, b"ok")
    assert post(tcop_slack.server.url_for("/slack/api/auth.test"), b"{}") == (200, b'{"ok": true}')
    assert [(one.accepted, one.is_message) for one in tcop_slack.callbacks] == [
        (False, True), (True, True), (True, False)
    ]
    [effect] = asyncio.run(tcop_slack.observe("any")).effects
    assert "an alarm" in effect.text
""",
    ).assert_outcomes(passed=5)
