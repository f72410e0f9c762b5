"""Stub services as transports of httpx clients, and callbacks as requests of any client."""

from __future__ import annotations

import asyncio

import httpx
import pytest

import tcop_mock
import tcop_mock.testing
from tcop_mock.errors import UsageError

WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"
TEXT = {"msgtype": "text", "text": {"content": "an alarm"}}
MESSAGES = {
    "wecom": (WECOM, TEXT, 200, "errcode"),
    "dingtalk": ("https://oapi.dingtalk.com/robot/send?access_token=abc", TEXT, 200, "errcode"),
    "feishu": (
        "https://open.feishu.cn/open-apis/bot/v2/hook/abc",
        {"msg_type": "text", "content": {"text": "an alarm"}},
        200,
        "StatusCode",
    ),
    "slack": ("https://hooks.slack.com/services/T0/B0/abc", {"text": "an alarm"}, 200, "ok"),
    "pagerduty": (
        "https://events.pagerduty.com/v2/enqueue",
        {
            "routing_key": "0" * 32,
            "event_action": "trigger",
            "payload": {"summary": "s", "source": "s", "severity": "error"},
        },
        202,
        "dedup_key",
    ),
}


@pytest.mark.parametrize("service", MESSAGES)
def test_each_service_answers_as_the_real_one_and_records(service: str) -> None:
    """Both kinds of clients get the real service's answers at its address; no repr shows the key."""
    url, message, status, words = MESSAGES[service]
    transport = getattr(tcop_mock.testing, service)()
    with httpx.Client(transport=transport) as client:
        response = client.post(url, json=message)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.post(url, json={})

    refused = asyncio.run(send())
    assert (response.status_code, words in response.text) == (status, True)
    assert refused.text != response.text
    first, second = transport.callbacks
    assert (first.json, first.service, first.accepted, second.accepted) == (message, service, True, False)
    assert "693axxx6" not in repr(first)
    assert transport.matching(lambda one: one.accepted) == [first]
    transport.clear()
    assert transport.callbacks == []


def test_the_limit_by_the_minute_is_kept_or_lifted() -> None:
    """The clock of the test decides on the limit per minute; it can be lifted."""
    now_s = [0.0]
    limited = tcop_mock.testing.wecom(clock=lambda: now_s[0])
    free = tcop_mock.testing.wecom(rate_limits=False)
    for transport, expected in ((limited, 45009), (free, 0)):
        client = httpx.Client(transport=transport)
        codes = [client.post(WECOM, json=TEXT).json()["errcode"] for _ in range(21)]
        assert codes == [0] * 20 + [expected]
    now_s[0] = 61.0
    assert httpx.Client(transport=limited).post(WECOM, json=TEXT).json()["errcode"] == 0


@pytest.mark.parametrize("fault, error, recorded", [
    ("reset", httpx.ConnectError, 0),
    ("reset-after-request", httpx.ReadError, 1),
    ("empty", httpx.RemoteProtocolError, 1),
    ("delay:6s", httpx.ReadTimeout, 1),
])  # fmt: skip
def test_faults_of_the_connection_are_errors_of_the_client(fault: str, error: type[Exception], recorded: int) -> None:
    """The first request meets the fault, the second one does not."""
    transport = tcop_mock.testing.wecom()
    transport.fault(f"{fault}:1")
    client = httpx.Client(transport=transport)
    with pytest.raises(error):
        client.post(WECOM, json=TEXT)
    assert [one.status for one in transport.callbacks] == [None] * recorded
    assert client.post(WECOM, json=TEXT).json()["errcode"] == 0


def test_a_delay_that_is_shorter_than_the_timeout_is_not_waited_for() -> None:
    """Such a delay takes no time, also for a client without a timeout."""
    transport = tcop_mock.testing.slack()
    transport.fault("delay:1s")
    url, message, *_ = MESSAGES["slack"]
    assert httpx.Client(transport=transport).post(url, json=message).is_success
    assert httpx.Client(transport=transport, timeout=None).post(url, json=message).is_success  # noqa: S113 - wanted


def test_a_status_in_place_of_the_answer_is_recorded() -> None:
    """An injected status is recorded; fault() without a name removes all faults."""
    transport = tcop_mock.testing.pagerduty()
    transport.fault("status:503")
    url, message, *_ = MESSAGES["pagerduty"]
    client = httpx.Client(transport=transport)
    assert client.post(url, json=message).status_code == 503
    transport.fault()
    assert client.post(url, json=message).status_code == 202
    assert [one.status for one in transport.callbacks] == [503, 202]


def test_a_fault_that_needs_a_socket_is_refused() -> None:
    """The message names the fixture that has one."""
    with pytest.raises(UsageError, match="fault 'drip-body' needs a socket; use the fixture tcop_feishu, or one of st"):
        tcop_mock.testing.feishu().fault("drip-body")


def _callback() -> tcop_mock.Callback:
    generator = tcop_mock.Generator(7)
    return generator.callback(
        generator.alarm(tcop_mock.Catalog.load().get("cvm/basic-monitoring")), tcop_mock.State.FIRING
    )


def test_a_callback_is_a_request_of_any_client() -> None:
    """The credentials of the URL become a header, which no repr shows."""
    callback = _callback()
    request = callback.request("http://tcop:s%2Fecret@127.0.0.1:8080/alarm?a=1")
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:8080/alarm?a=1")
    assert request.headers == {"Content-Type": "application/json", "Authorization": "Basic dGNvcDpzL2VjcmV0"}
    assert request.content == callback.to_bytes()
    assert "dGNv" not in repr(request)
    sent: list[httpx.Request] = []

    def receive(taken: httpx.Request) -> httpx.Response:
        sent.append(taken)
        return httpx.Response(204)

    with httpx.Client(transport=httpx.MockTransport(receive), base_url="http://test") as client:
        assert client.request(**request._asdict()).status_code == 204
        assert client.request(**callback.request("/alarm")._asdict()).status_code == 204
    assert [str(one.url) for one in sent] == ["http://127.0.0.1:8080/alarm?a=1", "http://test/alarm"]
    assert sent[0].headers["Authorization"] == "Basic dGNvcDpzL2VjcmV0"
    assert "Authorization" not in sent[1].headers


def test_a_url_without_credentials_has_no_authorization() -> None:
    """Only what the URL says is sent."""
    assert _callback().request("http://127.0.0.1/alarm").headers == {"Content-Type": "application/json"}


def test_a_wrong_url_of_a_request_is_refused() -> None:
    """The error is that of any other target."""
    with pytest.raises(UsageError, match="is not a usable target"):
        _callback().request("http://")
