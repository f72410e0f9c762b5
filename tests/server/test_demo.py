"""The two receivers of the demo: the correct one keeps the contract, the buggy one breaks it."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.server.demo_receivers import ActingReceiver, buggy_receiver, correct_receiver, with_basic_auth
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# The sample of the alarm callback page, 2023-08-07, with the dimensions of its CVM sample.
METRIC: dict[str, Any] = {
    "sessionId": "xxxxxxxx",
    "alarmStatus": "1",
    "alarmType": "metric",
    "alarmObjInfo": {
        "region": "gz",
        "namespace": "qce/cvm",
        "appId": "xxxxxxxxxxxx",
        "uin": "xxxxxxxxxxxx",
        "dimensions": {"unInstanceId": "ins-o9p3rg3m", "objId": "xxxxxxxxxxxx", "objName": "172.21.30.15#588789"},
    },
    "alarmPolicyInfo": {
        "policyId": "policy-n4exeh88",
        "policyType": "cvm_device",
        "policyName": "test",
        "policyTypeCName": "CVM - basic monitoring",
        "conditions": {"metricName": "cpu_usage", "calcType": ">", "calcValue": "90", "alarmNotifyPeriod": 300},
    },
    "firstOccurTime": "2017-03-09 07:00:00",
    "durationTime": 500,
    "recoverTime": "0",
}
USER, PASSWORD = "alarms", "päss:word"


def but(**paths: Any) -> dict[str, Any]:
    """Return the sample with other values at paths (``a__b``); ``...`` removes the key."""
    alarm = copy.deepcopy(METRIC)
    for path, value in paths.items():
        *folders, key = path.split("__")
        table = alarm
        for folder in folders:
            table = table[folder]
        if value is ...:
            del table[key]
        else:
            table[key] = value
    return alarm


def post(body: bytes, *headers: tuple[str, str], method: str = "POST") -> ReceivedRequest:
    """Return a request with this body."""
    return ReceivedRequest(method, "/", headers, body, 0.0)


def wire(alarm: Any) -> bytes:
    """Return the bytes of a body."""
    return json.dumps(alarm).encode()


EVENT = but(
    alarmType="event",
    alarmPolicyInfo__conditions={"productName": "cvm", "eventName": "ping_unreachable", "alarmNotifyPeriod": "0"},
    alarmObjInfo={"region": "gz", "dimensions": {"unInstanceId": "ins-pftdvqa2", "objName": "x", "objDetail": {}}},
    durationTime=...,
)
ACCEPTABLE = {
    "firing": METRIC,
    "resolved": but(alarmStatus="0", recoverTime="2017-03-09 07:50:00"),
    "ints": but(alarmStatus=0, durationTime="500", recoverTime="2017-03-09 07:50:00"),
    "resolved-at-zero-text": but(alarmStatus="0"),
    "resolved-at-zero": but(alarmStatus="0", recoverTime=0),
    "resolved-at-nothing": but(alarmStatus="0", recoverTime=""),
    "no-region": but(alarmObjInfo__region=...),
    "no-threshold": but(alarmPolicyInfo__conditions={"metricName": "cpu_usage"}),
    "no-policy-id": but(alarmPolicyInfo__policyId=...),
    "event": EVENT,
    "unknown-type": but(alarmType="weather", alarmPolicyInfo__conditions={}),
    "unknown-product": but(alarmObjInfo__namespace="qce/new", alarmObjInfo__dimensions={"newId": 1}),
    "hostile": but(alarmObjInfo__dimensions__objName='"\r\n{{ x }}<@all>\U0001f525\ud83d'),
    "probe": {},
}
REFUSABLE = {
    "broken": b'{"alarmStatus": "1",}',
    "truncated": wire(METRIC)[:-1],
    "empty": b"",
    "array": b"[]",
    "text": b'"alarm"',
    "null": b"null",
    "number": b"1",
    "invalid-utf-8": b'{"a": "\xff"}',
    "gbk": '{"a": "告警"}'.encode("gbk"),
    "utf-16": '{"a": "b"}'.encode("utf-16"),
    "deep": b"[" * 5000 + b"]" * 5000,
}


@pytest.mark.parametrize("alarm", ACCEPTABLE.values(), ids=ACCEPTABLE)
def test_the_correct_one_accepts_every_callback(alarm: dict[str, Any]) -> None:
    """Every variation gets 200 and the receipt that the contract of 2019 requires."""
    reply = correct_receiver(post(wire(alarm)))
    assert (reply.status, json.loads(reply.body)) == (200, {"sessionId": alarm.get("sessionId"), "retCode": 0})


def test_the_correct_one_accepts_a_byte_order_mark() -> None:
    """A BOM is ignored, as RFC 8259, section 8.1 allows."""
    assert correct_receiver(post(b"\xef\xbb\xbf" + wire(METRIC))).status == 200


@pytest.mark.parametrize("body", REFUSABLE.values(), ids=REFUSABLE)
def test_the_correct_one_rejects_invalid_bodies(body: bytes) -> None:
    """A body that is not a JSON object in UTF-8 gets 400."""
    assert correct_receiver(post(body)).status == 400


@pytest.mark.parametrize("receiver", [buggy_receiver, correct_receiver])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_both_accept_only_post(receiver: Callable[[ReceivedRequest], Reply], method: str) -> None:
    """Another method gets 405 with the allowed one."""
    reply = receiver(post(wire(METRIC), method=method))
    assert (reply.status, reply.headers) == (405, (("Allow", "POST"),))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50)
@given(
    path=st.sampled_from([*METRIC, "alarmObjInfo__dimensions", "alarmPolicyInfo__conditions"]),
    value=JSON | st.just(...),
)
def test_the_correct_one_never_raises_for_json(path: str, value: Any) -> None:
    """With any JSON value at any key, or none, the response is 200."""
    assert correct_receiver(post(wire(but(**{path: value})))).status == 200


@pytest.mark.parametrize("name", ["firing", "resolved", "ints", "no-threshold", "no-policy-id"])
def test_the_buggy_one_accepts_the_sample(name: str) -> None:
    """The first version works with the documented sample."""
    assert buggy_receiver(post(wire(ACCEPTABLE[name]))).status == 200


@pytest.mark.parametrize("body", [b"", REFUSABLE["broken"]], ids=["empty", "broken"])
def test_the_buggy_one_acknowledges_invalid_bodies(body: bytes) -> None:
    """Planted: a body that is not JSON gets 200."""
    assert buggy_receiver(post(body)).status == 200


@pytest.mark.parametrize("name", ["resolved-at-zero-text", "resolved-at-nothing", "no-region", "event"])
def test_the_buggy_one_raises_for_other_callbacks(name: str) -> None:
    """Planted: no recovery time, no region, an event instead of a metric."""

    async def scenario() -> int:
        async with HttpServer(buggy_receiver) as server:
            answer = await server._handle(post(wire(ACCEPTABLE[name])))
            return answer.status

    assert asyncio.run(scenario()) == 500


async def slow_careful(request: ReceivedRequest) -> Reply:
    """Do the same as the correct receiver, in a coroutine."""
    return correct_receiver(request)


def given_credentials(user: str, password: str, scheme: str = "Basic") -> tuple[str, str]:
    """Return the header with these credentials."""
    return ("authorization", f"{scheme} {Credentials(Secret(user), Secret(password)).token().reveal()}")


async def _awaited(answer: Awaitable[Reply]) -> Reply:
    return await answer


@pytest.mark.parametrize("handler", [correct_receiver, slow_careful])
@pytest.mark.parametrize(
    "headers, body, status",
    [
        ([given_credentials(USER, PASSWORD)], b"{}", 200),
        ([given_credentials(USER, PASSWORD, "bASIC")], b"{}", 200),
        ([given_credentials(USER, PASSWORD)], b"{", 400),
        ([], b"{}", 401),
        ([], b"{", 401),
        ([given_credentials(USER, "")], b"{}", 401),
        ([given_credentials("root", PASSWORD)], b"{}", 401),
        ([given_credentials(USER, PASSWORD, "Bearer")], b"{}", 401),
        ([("authorization", "Basic é")], b"{}", 401),
    ],
)
def test_basic_auth_checks_credentials_first(
    handler: Callable[[ReceivedRequest], Reply], headers: list[tuple[str, str]], body: bytes, status: int
) -> None:
    """Without the right credentials the response is 401, whatever the body; with them the handler responds."""
    guard = with_basic_auth(handler, Credentials(Secret(USER), Secret(PASSWORD)))
    answer = guard(post(body, *headers))
    reply = answer if isinstance(answer, Reply) else asyncio.run(_awaited(answer))
    assert reply.status == status
    assert (status == 401) == ("WWW-Authenticate" in dict(reply.headers))


@pytest.mark.parametrize("kind, after", [("correct", [(1, 1), (2, 0)]), ("buggy", [(2, 1), (3, 1)])])
def test_an_acting_receiver_sends_messages_and_keeps_incidents(kind: str, after: list[tuple[int, int]]) -> None:
    """The correct one ignores a retry and closes an incident at its resolve; a body that is no JSON has no effect."""
    receiver = ActingReceiver(buggy_receiver, is_correct=kind == "correct")

    def seen(body: bytes) -> tuple[int, int]:
        receiver(ReceivedRequest("POST", "/", (), body, 0.0))
        snapshot = receiver.observe("any")
        assert snapshot.open_incidents is not None
        return len(snapshot.effects), len(snapshot.open_incidents)

    firing, resolve = wire(METRIC), wire(but(sessionId="y", alarmStatus="0", recoverTime="2017-03-09 07:10:00"))
    assert seen(b"no JSON") == (0, 0)
    assert seen(firing) == (1, 1)
    assert [seen(firing), seen(resolve)] == after


def test_the_correct_receiver_logs_each_callback(caplog: pytest.LogCaptureFixture) -> None:
    """One line with state, time, metric, object and region; only if somebody reads it."""
    caplog.set_level(logging.INFO)
    body = {
        "alarmStatus": "0",
        "recoverTime": "2026-11-30 10:00:00",
        "alarmObjInfo": {"dimensions": {"objName": "web-1"}},
        "alarmPolicyInfo": {"conditions": {"metricName": "cpu_usage"}},
    }
    correct_receiver(post(json.dumps(body).encode()))
    assert caplog.messages == ["resolved at 2026-11-30 10:00:00+08:00: 'cpu_usage' of 'web-1' in 'all regions'"]
    caplog.set_level(logging.WARNING)
    correct_receiver(post(json.dumps(body).encode()))
    assert len(caplog.messages) == 1
