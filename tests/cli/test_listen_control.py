"""The control API of ``listen``, and ``--forward``: in this process, on loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from scripted_server import Peer, ScriptedServer

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.cli import listen_control
from tcop_mock.cli.listen import ForwardedReply, Forwarder, open_listener
from tcop_mock.cli.listen_control import NumberedRecord, ReceivedLog
from tcop_mock.cli.options import CommonOptions
from tcop_mock.cli.receive_options import ReceiveOptions
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.recording import Record
from tcop_mock.server.faults import FaultPlan, parse_fault
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Scene = Callable[[httpx.AsyncClient], Awaitable[None]]

API = "/__tcop-mock/"
CALLBACK = {"alarmStatus": "1", "alarmObjInfo": {"region": "gz"}}
COMMON = CommonOptions(fixed_seed=7, quiet=True)
RECORD = Draft202012Validator(read_schema("recording"))


def receiving(**options: Any) -> ReceiveOptions:
    """Return the options of ``listen``."""
    defaults: dict[str, Any] = {"service": "webhook", "auth": None, "faults": (), "fault_file": None, "record": None}
    return ReceiveOptions(**defaults | {"fsync": False, "forward": None, "control_token": None} | options)


@contextlib.asynccontextmanager
async def listening(
    options: ReceiveOptions | None = None, host: str = "127.0.0.1", **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Start ``listen`` and yield a client of it."""
    options = options or receiving()
    plan = FaultPlan([parse_fault(text) for text in options.faults])
    with open_listener(options, COMMON, prints=False, **more) as listener:
        async with (
            listener.server(host, 0, plan) as server,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", verify=False) as client,  # noqa: S501 - plain HTTP; its TLS context costs time
        ):
            client.headers["listener-received"] = "0"
            yield client


def play(scene: Scene, options: ReceiveOptions | None = None, **more: Any) -> None:
    """Run a scene beside ``listen``."""

    async def run() -> None:
        async with listening(options, **more) as client:
            await scene(client)

    asyncio.run(run())


def test_a_test_waits_for_callbacks_that_match() -> None:
    """The wait begins before the callbacks come, and ends with those that match, as they are recorded."""

    async def scene(client: httpx.AsyncClient) -> None:
        waiting = asyncio.ensure_future(
            client.get(f"{API}wait", params={"where": "alarmStatus=0", "count": 2, "timeout": "20s", "path": "/hook"})
        )
        for status in ("1", "0", "0"):
            assert (await client.post("/hook?a=1", json=CALLBACK | {"alarmStatus": status})).status_code == 200
        answer = await waiting
        document = answer.json()
        assert (answer.status_code, document["count"]) == (200, 2)
        assert [one["number"] for one in document["requests"]] == [2, 3]
        for one in document["requests"]:
            del one["number"]
            RECORD.validate(one)

    play(scene)


def test_a_wait_that_is_in_vain_lists_what_came() -> None:
    """408, with the number of the requests in all."""

    async def scene(client: httpx.AsyncClient) -> None:
        await client.post("/", json=CALLBACK)
        answer = await client.get(f"{API}wait?count=2&timeout=0.01")
        assert answer.status_code == 408
        assert answer.json()["error"] == "waited 0.01 s for 2 requests; 1 came, and 1 in all"
        assert answer.json()["requests"][0]["number"] == 1
        answer = await client.get(f"{API}wait?timeout=0&service=wecom")
        assert answer.json()["error"] == "waited 0 s for 1 request that match; 0 came, and 1 in all"

    play(scene)


@pytest.mark.parametrize("query, numbers", [
    ("", [1, 2, 3]),
    ("limit=1", [3]),
    ("limit=0", []),
    ("service=wecom", [2]),
    ("method=get", [3]),
    ("path=/hook", [1]),
    ("status=200", [1, 2, 3]),
    ("shape=cvm/basic-monitoring", [1]),
    ("contains=ins-", [1]),
    ("after=2", [3]),
    ("where=alarmStatus=1", [1]),
    ("where=alarmObjInfo.region=gz&contains=ins-", [1]),
    ("where=msgtype=markdown", []),
    ("where=number=5", [2]),
    ("where=flag=1", []),
    ("where=flag=true", [2]),
    ("where=list.1=b", [2]),
])  # fmt: skip
def test_requests_are_searched(query: str, numbers: list[int]) -> None:
    """Each condition selects requests; a value is compared as text and as JSON."""

    async def scene(client: httpx.AsyncClient) -> None:
        emitted = await client.post(f"{API}emit", json={"form": "documented", "seed": 1})
        body = json.loads(emitted.json()["callbacks"][0]["body"])
        body["alarmObjInfo"]["region"] = "gz"
        await client.post("/hook", json=body)
        message = {"msgtype": "text", "text": {"content": "x"}, "number": 5, "flag": True, "list": ["a", "b"]}
        await client.post("/wecom/cgi-bin/webhook/send?key=k", json=message)
        await client.request("GET", "/json")
        found = (await client.get(f"{API}requests?{query}")).json()
        assert [one["number"] for one in found["requests"]] == numbers

    play(scene)


def test_clearing_drops_the_requests_and_goes_on_counting() -> None:
    """Numbers continue after DELETE, so ``after`` of an earlier answer stays valid."""

    async def scene(client: httpx.AsyncClient) -> None:
        await client.post("/", json=CALLBACK)
        assert (await client.delete(f"{API}requests")).status_code == 204
        assert (await client.get(f"{API}requests")).json() == {"version": 1, "count": 0, "requests": []}
        await client.post("/", json=CALLBACK)
        assert (await client.get(f"{API}requests")).json()["requests"][0]["number"] == 2

    play(scene)


@pytest.mark.parametrize("faults", [(), ("status:500",)])
def test_faults_are_set_while_it_runs(faults: tuple[str, ...]) -> None:
    """New faults apply to open connections and replace those of the start; their counts restart."""

    async def scene(client: httpx.AsyncClient) -> None:
        assert (await client.get(f"{API}faults")).json() == {"version": 1, "faults": list(faults)}
        statuses = [(await client.post("/", json=CALLBACK)).status_code]
        put = await client.put(f"{API}faults", json={"faults": ["status:503:2"]})
        assert put.json()["faults"] == ["status:503:2"]
        statuses += [(await client.post("/", json=CALLBACK)).status_code for _ in range(3)]
        await client.put(f"{API}faults", json={"faults": ["status:418:1"]})
        assert (await client.delete(f"{API}faults")).status_code == 204
        statuses.append((await client.post("/", json=CALLBACK)).status_code)
        assert statuses == [500 if faults else 200, 503, 503, 200, 200]
        assert (await client.get(f"{API}faults")).json()["faults"] == []

    play(scene, receiving(faults=faults))


def test_callbacks_are_emitted_and_delivered() -> None:
    """Callbacks are returned, or sent to a URL with the profile's retries; a seed gives the same bytes."""

    async def scene(client: httpx.AsyncClient) -> None:
        await client.put(f"{API}faults", json={"faults": ["status:503:1"]})
        order = {"shape": "cvm/basic-monitoring", "lifecycle": "fire,resolve", "seed": 3, "time_scale": 0}
        only = (await client.post(f"{API}emit", json=order)).json()
        sent = (await client.post(f"{API}emit", json=order | {"to": f"{client.base_url}/hook"})).json()
        assert only.get("callbacks") == sent.get("callbacks"), (only, sent)
        assert [one["state"] for one in only["callbacks"]] == ["firing", "resolved"]
        assert sent["accepted"] is True
        outcomes = [[attempt["outcome"] for attempt in one["attempts"]] for one in sent["deliveries"]]
        assert outcomes == [["rejected", "acked"], ["acked"]]
        received = (await client.get(f"{API}requests")).json()["requests"]
        assert [one["body"] for one in received[1:]] == [one["body"] for one in sent["callbacks"]]
        once = {"to": f"{client.base_url}", "attempts": 1, "timeout_s": 2, "serial": 4, "form": "observed"}
        assert (await client.post(f"{API}emit", json=once)).json()["deliveries"][0]["attempts"][0]["status"] == 200

    play(scene)


@pytest.mark.parametrize("method, name, body, status, error", [
    ("GET", "wait?cuont=1", None, 400, "unknown parameter 'cuont'; there are count, timeout, service"),
    ("GET", "wait?count=x", None, 400, "count=x: write a number from 0"),
    ("GET", "wait?timeout=nan", None, 400, "timeout=nan: write a number from 0"),
    ("GET", "requests?where=a", None, 400, "where=a: write where=PATH=VALUE"),
    ("PUT", "faults", b"[]", 400, "the body is no JSON object"),
    ("PUT", "faults", b"{", 400, "the body is no JSON object"),
    ("PUT", "faults", b'{"fault": []}', 400, "unknown key 'fault'; there are faults"),
    ("PUT", "faults", b'{"faults": "status:503"}', 400, 'write {"faults": ["status:503:2"]}'),
    ("PUT", "faults", b'{"faults": ["stauts:503"]}', 400, "unknown fault 'stauts'; did you mean 'status'?"),
    ("POST", "emit", b'{"shpae": "x"}', 400, "unknown key 'shpae'; did you mean 'shape'?"),
    ("POST", "emit", b'{"shape": "cvm/basic"}', 400, "cvm/basic"),
    ("POST", "emit", b'{"seed": "7"}', 400, "seed: write a JSON integer"),
    ("POST", "emit", b'{"attempts": true}', 400, "attempts: write a JSON integer"),
    ("POST", "emit", b'{"timeout_s": -1}', 400, "timeout_s: write a number from 0"),
    ("POST", "emit", b'{"to": "module:app"}', 400, "to: module:app is an app; write a URL"),
    ("POST", "wait", b"", 405, "wait takes GET"),
    ("GET", "", None, 404, "there is no /__tcop-mock/; there are /__tcop-mock/readyz"),
])  # fmt: skip
def test_a_wrong_call_gets_one_clear_line(method: str, name: str, body: bytes | None, status: int, error: str) -> None:
    """A wrong call gets the fitting HTTP status and one line."""

    async def scene(client: httpx.AsyncClient) -> None:
        answer = await client.request(method, f"{API}{name}", content=body)
        assert answer.status_code == status
        assert error in answer.json()["error"]

    play(scene)


# --- who may use it


@pytest.mark.parametrize("headers, status", [
    ({}, 200),
    ({"Host": "localhost:80"}, 200),
    ({"Host": "app.localhost"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Host": "rebound.example.com"}, 421),
    ({"Host": "192.0.2.1"}, 421),
    ({"Origin": "https://example.com"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
])  # fmt: skip
def test_no_web_page_may_use_it(headers: dict[str, str], status: int) -> None:
    """Neither another site, nor a name that leads here."""

    async def scene(client: httpx.AsyncClient) -> None:
        assert (await client.get(f"{API}requests", headers=headers)).status_code == status

    play(scene)


@pytest.mark.parametrize("authorization, status", [
    ("Bearer s3cret-token", 200),
    ("Bearer wrong", 401),
    ("Basic s3cret-token", 401),
    ("", 401),
])  # fmt: skip
def test_a_token_is_needed_where_one_is_set(authorization: str, status: int) -> None:
    """A token is needed also on loopback, but not for /readyz and the OpenAPI document. Callbacks have their own."""

    async def scene(client: httpx.AsyncClient) -> None:
        headers = {"Authorization": authorization} if authorization else {}
        assert (await client.get(f"{API}requests", headers=headers)).status_code == status
        assert (await client.get(f"{API}readyz")).json() == {"status": "ready"}
        assert (await client.post("/", json=CALLBACK)).status_code == 401

    play(scene, receiving(control_token="s3cret-token", auth="a:b"))


def test_off_loopback_a_token_is_a_must() -> None:
    """A container that is open to others says how to start it; it is ready all the same."""

    async def scene(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{API}requests")
        assert answer.status_code == 403
        assert "start it with --control-token, or set TCOP_MOCK_CONTROL_TOKEN" in answer.json()["error"]
        assert (await client.get(f"{API}readyz")).status_code == 200
        assert (await client.post("/", json=CALLBACK)).status_code == 200

    play(scene, host="0.0.0.0")  # noqa: S104 - what a container does


def test_the_openapi_document_names_all_operations() -> None:
    """Its references lead somewhere, and each answer of the list keeps its schema."""

    async def scene(client: httpx.AsyncClient) -> None:
        document = (await client.get(f"{API}openapi.json")).json()
        names = {f"{API}{name}" for name in ("readyz", "openapi.json", "requests", "wait", "faults", "emit")}
        assert document["paths"].keys() == names
        schemas = document["components"]["schemas"]
        references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
        assert references <= schemas.keys()
        await client.post("/", json=CALLBACK)
        listed = (await client.get(f"{API}requests")).json()
        Draft202012Validator(schemas["Requests"] | {"components": document["components"]}).validate(listed)

    play(scene)


def test_the_log_is_bounded_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay; one request stays, however large it is."""
    monkeypatch.setattr(listen_control, "_MAX_REQUESTS", 3)
    monkeypatch.setattr(listen_control, "_MAX_BYTES", 25)
    log = ReceivedLog()

    def add(size: int) -> list[int]:
        request = ReceivedRequest("POST", "/", (), b"x" * size, 0.0)
        log.add(Record(request, "", "none", "webhook", 200, None, "", None))
        return [one.number for one in log.records]

    assert [add(1), add(1), add(1), add(1)][-1] == [2, 3, 4]
    assert add(24) == [4, 5]
    assert add(100) == [6]
    assert isinstance(log.records[0], NumberedRecord)


def test_control_requests_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for --count, nor in a recording, nor for a fault by its number."""
    lines: list[str] = []
    monkeypatch.setattr("tcop_mock.reports.recording.Recording.write", lambda _, text: lines.append(text))

    async def run() -> int:
        options = receiving(faults=("status:503:#2",), record="/dev/null")
        with open_listener(options, COMMON, prints=False, count=2) as listener:
            async with (
                listener.server("127.0.0.1", 0, FaultPlan([parse_fault("status:503:#2")])) as server,
                httpx.AsyncClient(base_url=server.url, verify=False) as client,  # noqa: S501 - as above
            ):
                statuses = []
                for _ in range(2):
                    await client.get(f"{API}requests")
                    statuses.append((await client.post("/", json=CALLBACK)).status_code)
                await listener.wait(10.0)
                assert statuses == [200, 503]
        return listener.received

    assert asyncio.run(run()) == 2
    assert len(lines) == 2


# --- --forward


@pytest.mark.parametrize("prefix, path, expected", [
    ("", "/hook?a=1", "/hook?a=1"),
    ("/alarm", "/", "/alarm"),
    ("/alarm/", "/x", "/alarm/x"),
    ("", "/", "/"),
])  # fmt: skip
def test_requests_are_passed_on_and_recorded_on_both_sides(prefix: str, path: str, expected: str) -> None:
    """Method, path, headers and body; the response comes back, and services are answered here."""
    seen: list[ReceivedRequest] = []

    def receiver(request: ReceivedRequest) -> Reply:
        seen.append(request)
        return Reply(202, b"taken", (("X-By", "receiver"), ("Connection", "close")))

    async def run() -> None:
        async with HttpServer(receiver) as server, listening(receiving(forward=f"{server.url}{prefix}")) as client:
            answer = await client.put(path, content=b"{}", headers={"X-Trace": "7", "Authorization": "Basic YTpi"})
            assert (answer.status_code, answer.content, answer.headers["X-By"]) == (202, b"taken", "receiver")
            assert (await client.post("/wecom?key=k", json={"msgtype": "x"})).json()["errcode"] == 40008
            first, second = (await client.get(f"{API}requests")).json()["requests"]
            assert (first["status"], first["forwarded"]["outcome"], first["forwarded"]["status"]) == (202, "acked", 202)
            del first["number"]
            RECORD.validate(first)
            assert "forwarded" not in second

    asyncio.run(run())
    (request,) = seen
    assert (request.method, request.path, request.body) == ("PUT", expected, b"{}")
    assert (request.header("x-trace"), request.header("authorization")) == ("7", "Basic YTpi")


def test_credentials_of_the_url_replace_those_of_the_request() -> None:
    """No record shows either of them."""
    seen: list[str] = []

    def receiver(request: ReceivedRequest) -> Reply:
        seen.append(request.header("authorization"))
        return Reply(204)

    async def run() -> None:
        async with HttpServer(receiver) as server:
            url = server.url.replace("://", "://tcop:s3cret@")
            async with listening(receiving(forward=url)) as client:
                await client.post("/", content=b"{}", headers={"Authorization": "Basic YTpi"})
                assert "s3cret" not in (await client.get(f"{API}requests")).text

    asyncio.run(run())
    assert seen == ["Basic dGNvcDpzM2NyZXQ="]


def _forwarded(url: str, timeout_s: float = 20.0, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    rules = replace(load_profile("2023").delivery, timeout_s=timeout_s)
    return asyncio.run(Forwarder(Target.parse(url), rules).answer(ReceivedRequest("POST", "/", headers, b"{}", 0.0)))


@pytest.mark.parametrize("script, timeout_s, status, outcome", [
    (lambda peer: peer.answer(b"").hold(), 0.05, 504, Outcome.TIMED_OUT),
    (lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").hold(), 0.05, 504, Outcome.TIMED_OUT),
    (lambda peer: peer.answer(b"").reset(), 20.0, 502, Outcome.RESET_BEFORE_ANSWER),
    (lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"), 20.0, 502, Outcome.RESET_IN_ANSWER),
])  # fmt: skip
def test_a_receiver_that_does_not_answer_is_a_504_or_a_502(
    script: Callable[[Peer], object], timeout_s: float, status: int, outcome: Outcome
) -> None:
    """The deadline of TCOP holds for the whole response."""
    with ScriptedServer(script) as server:
        reply = _forwarded(server.url, timeout_s)
    assert isinstance(reply, ForwardedReply)
    assert reply.attempt is not None
    assert (reply.status, reply.attempt.outcome) == (status, outcome)


def test_a_header_that_cannot_be_passed_on_is_a_400() -> None:
    """The answer names the header, and not its value."""
    reply = _forwarded("http://127.0.0.1:1/", headers=(("x-odd", "a\x7f"),))
    assert (reply.status, b"the header x-odd" in reply.body) == (400, True)


def test_what_cannot_be_forwarded_is_refused() -> None:
    """An app has no address."""
    with pytest.raises(UsageError, match="--forward module:app is an app in this process; start it, and give its URL"):
        asyncio.run(listening(receiving(forward="module:app")).__aenter__())


def test_a_forwarded_request_is_printed_with_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """One line shows the request and the receiver's answer."""

    async def run() -> None:
        async with HttpServer(lambda _: Reply(503, b"no")) as server:
            with open_listener(receiving(forward=server.url), COMMON) as listener:
                async with (
                    listener.server("127.0.0.1", 0, FaultPlan()) as own,
                    httpx.AsyncClient(base_url=own.url, verify=False) as client,  # noqa: S501 - as above
                ):
                    await client.post("/", content=b"{}")

    asyncio.run(run())
    assert "POST / 503, forwarded: rejected 503 'no' after 0." in capsys.readouterr().out


PAGE = Path(__file__).parents[2] / "docs/how-to/listen.md"


@pytest.mark.proof
@pytest.mark.checkout
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            command, marks=pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed"), id=tool
        )
        for tool, command in {
            "node": "node --test forwarder.test.cjs",
            "go": "go test forwarder_test.go",
            "javac": "java ForwarderTest.java",
        }.items()
    ],
)
def test_the_tests_of_the_page_drive_listen(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each emits a callback and waits for a request; a wait without a request fails it."""
    name = command.rpartition(" ")[2]
    (code,) = re.findall(rf'title="{name}"\n(.*?)```', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)

    async def run() -> int:
        async with listening() as client:
            monkeypatch.setenv("LISTEN_URL", str(client.base_url))
            process = await asyncio.create_subprocess_exec(*command.split())
            return await process.wait()

    assert asyncio.run(run()) == 0
