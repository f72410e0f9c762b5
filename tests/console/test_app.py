"""Requests to the page's server, with a receiver on a loopback port."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from console_page import CVM, Page, client_of, new_app, open_page

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.cli.main import main
from tcop_mock.console import app as app_module
from tcop_mock.console.detail import detail_document
from tcop_mock.console.exchange import Direction
from tcop_mock.domain.target import Target
from tcop_mock.inputs.reader import read_requests
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from tcop_mock.console.exchange import Exchange

USERINFO = "alarms:S3ntinel-pw%2F9@"
SENTINEL = ("S3ntinel", "UzNudGluZWwtcHcvO", "YWxhcm1zOl")


async def _compose(page: Page, **wish: Any) -> dict[str, Any]:
    response = await page.post("/api/compose", {"shape": CVM, **wish})
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def _send(page: Page, body: str, **options: Any) -> dict[str, Any]:
    response = await page.post("/api/send", {"body": body, "time_scale": 0, **options})
    assert response.status_code == 200, response.text
    await page.ended()
    detail: dict[str, Any] = (await page.get(f"/api/exchanges/{response.json()['id']}")).json()
    return detail


def test_fire_repeat_and_resolve_are_one_alarm() -> None:
    """Three clicks send the life of one alarm; the resolve differs from the firing where a resolve does."""

    async def play() -> None:
        async with open_page() as page:
            details = []
            for state, repeats in (("firing", 0), ("repeated", 1), ("repeated", 2), ("resolved", 2)):
                composed = await _compose(page, state=state, repeats=repeats)
                assert composed["valid"]
                details.append(await _send(page, composed["text"]))
            assert [one["state"] for one in details] == ["firing", "repeated", "repeated", "resolved"]
            assert len({one["alarm"] for one in details}) == 1
            assert [json.loads(request.body)["durationTime"] for request in page.requests][:3] == [0, 300, 600]
            diffs = details[-1]["diffs"]
            assert diffs["firing"]["heading"].startswith("#1 -> #4: ")
            assert diffs["previous"]["heading"].startswith("#3 -> #4: ")
            assert {"kind": "changed", "text": 'alarmStatus: "1" -> "0"'} in diffs["firing"]["rows"]
            assert "previous" not in details[1]["diffs"]
            assert set(details[0]["diffs"]) == {"sample"}
            state = (await page.get("/api/state")).json()
            assert [one["outcome"] for one in state["exchanges"]] == ["acked"] * 4

    asyncio.run(play())


def test_each_attempt_is_shown() -> None:
    """A receiver that fails gets the retries of the profile; each attempt has its outcome, times, head and body."""
    replies = iter([Reply(500, b'{"error": "\x1b[31mno"}'), Reply(302), Reply()])

    async def play() -> None:
        async with open_page(lambda _: next(replies)) as page:
            detail = await _send(page, "{}")
            assert [one["outcome"] for one in detail["answers"]] == ["rejected", "redirected", "acked"]
            first = detail["answers"][0]
            assert first["status"] == 500
            assert first["body"] == ['{"error": "\\x1b[31mno"}']
            assert first["resolved"] is None  # the target is an address
            assert first["connected"] <= first["first_byte"] <= first["duration"]
            assert not detail["pending"]
            assert page.conversation.get(1).record["status"] == 200  # type: ignore[union-attr]  # it is kept

    asyncio.run(play())


def test_a_profile_decides_what_accepts() -> None:
    """The outcome of the last attempt is the profile's: 2019-ack wants an answer with the session."""

    async def play() -> None:
        async with open_page() as page:
            detail = await _send(page, "{}", profile="2019-ack", attempts=1)
            assert detail["outcome"] == "rejected"
            assert "sessionId and retCode" in detail["answers"][0]["detail"]

    asyncio.run(play())


def test_the_url_is_verified_once() -> None:
    """2021-verify posts its request first, once until the target is set again; the callbacks wait for it."""

    async def play() -> None:
        async with open_page() as page:
            url = f"{page.app.sender.setting.target}"
            for _ in range(2):
                await page.post("/api/send", {"body": '{"a": 1}', "profile": "2021-verify"})
            await page.ended()
            detail = await _send(page, '{"a": 2}', profile="2021-verify")
            assert detail["commands"]["send"].endswith(" --profile 2021-verify")
            assert [request.body for request in page.requests] == [b"{}", b'{"a": 1}', b'{"a": 1}', b'{"a": 2}']
            await page.post("/api/target", {"url": url})
            await _send(page, "[]", profile="2021-verify")
            assert [request.body for request in page.requests[4:]] == [b"{}", b"[]"]
            verification, *_ = page.conversation
            assert (verification.subject.title, verification.outcome) == ("URL verification", "acked")
            assert verification.subject.subtitle == url

    asyncio.run(play())


def test_nothing_is_sent_to_a_url_that_is_not_verified() -> None:
    """A receiver that answers the verification with another status than 200 gets no callback, until it does."""
    replies = iter([Reply(204), Reply(), Reply()])

    async def play() -> None:
        async with open_page(lambda _: next(replies)) as page:
            detail = await _send(page, "[]", profile="2021-verify")
            assert (detail["outcome"], detail["pending"]) == ("not_sent", False)
            assert "does not answer the URL verification" in detail["answers"][0]["detail"]
            [verification, _] = page.conversation
            assert (verification.outcome, len(page.requests)) == ("rejected", 1)
            assert (await _send(page, "[]", profile="2021-verify"))["outcome"] == "acked"
            assert [request.body for request in page.requests] == [b"{}", b"{}", b"[]"]
            assert "not_sent" in (await page.get("/export/conversation.html")).text

    asyncio.run(play())


def test_a_callback_is_sent_again_byte_for_byte() -> None:
    """The button sends the bytes of any callback again, also those that are not text."""
    body = b'{"a": "\xff\xfe"}'

    async def play() -> None:
        async with open_page() as page:
            sent = await page.post("/api/send", {"body_base64": base64.b64encode(body).decode()})
            again = await page.post(f"/api/exchanges/{sent.json()['id']}/send", {"attempts": 1})
            assert again.json() == {"id": 2}
            await page.ended()
            assert [request.body for request in page.requests] == [body, body]
            detail = (await page.get("/api/exchanges/2")).json()
            assert detail["editable"] is None
            assert (await page.get("/api/exchanges/2/body")).content == body

    asyncio.run(play())


def test_a_composed_callback_has_its_command(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Copy as emit prints the same body, because the server remembers which command made it."""
    wish = {"shape": "clb/private-listener", "seed": 5, "state": "resolved", "repeats": 1, "lang": "zh"}

    async def play() -> tuple[str, bytes]:
        async with open_page() as page:
            composed = await _compose(page, **wish)
            detail = await _send(page, composed["text"])
            command: str = detail["commands"]["emit"]
            assert command == composed["command"]
            assert detail["commands"]["send"].startswith(f"{command} | tcop-mock send - --to http://127.0.0.1:")
            edited = await _send(page, composed["text"] + " ")
            assert edited["commands"]["emit"] == "tcop-mock emit clb/private-listener --state resolved"
            assert "base64 -d | tcop-mock send -" in edited["commands"]["send"]
            return command, page.requests[0].body

    command, body = asyncio.run(play())
    emit, pipe, tail = command.partition(" | ")
    assert (pipe, tail) == (" | ", "tail -n 1")
    assert main(shlex.split(emit)[1:]) == 0
    assert capsysbinary.readouterr().out.splitlines()[-1] == body


def test_commands_are_remembered_for_some_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of commands is bounded."""
    monkeypatch.setattr(app_module, "_MAX_COMPOSED", 1)

    async def play() -> None:
        async with open_page() as page:
            first = await _compose(page, seed=1)
            await _compose(page, seed=2)
            assert (await _send(page, first["text"]))["commands"]["emit"] == f"tcop-mock emit {CVM} --state firing"

    asyncio.run(play())


def test_an_edit_is_on_the_tree() -> None:
    """A value changes by path and keeps its JSON type; a wrong path is an error with a suggestion."""

    async def play() -> None:
        async with open_page() as page:
            composed = await _compose(page, shape="clb/private-listener")
            path = "alarmObjInfo.dimensions.vport"
            document = {"body": composed["text"], "sets": [f"{path}=8443"], "unset": ["alarmType"]}
            edited = (await page.post("/api/edit", document)).json()
            tree = json.loads(edited["text"])
            assert tree["alarmObjInfo"]["dimensions"]["vport"] == 8443
            assert "alarmType" not in tree
            assert {"level": "deviation", "path": path}.items() <= edited["notes"][0].items()
            document["sets"] = ["alarmObjInfo.dimensions.vprt=1"]
            wrong = await page.post("/api/edit", document)
            assert wrong.status_code == 422
            assert "did you mean 'alarmObjInfo.dimensions.vport'" in wrong.json()["error"]

    asyncio.run(play())


def test_a_mutated_body_may_be_no_text() -> None:
    """A mutation gives the bytes of its clause; bytes that an editor would change are sent as they are."""

    async def play() -> None:
        async with open_page() as page:
            catalog = (await page.get("/api/catalog")).json()
            assert "invalid-utf-8" in [one["name"] for one in catalog["mutators"]]
            composed = await _compose(page, mutate="invalid-utf-8")
            assert composed["text"] is None
            assert "\\x" in composed["lines"][0]["text"]
            assert not base64.b64decode(composed["base64"]).isascii()

    asyncio.run(play())


@pytest.mark.parametrize(
    "path, document, message",
    [
        ("compose", {"shape": "cvm/basic-monitorin"}, "did you mean 'cvm/basic-monitoring'"),
        ("compose", {"shape": CVM, "state": "burning"}, "unknown state 'burning'"),
        ("compose", {"shape": CVM, "form": "x"}, "unknown form 'x'"),
        ("compose", {"shape": CVM, "lang": "fr"}, "unknown language 'fr'"),
        ("compose", {"shape": CVM, "notify": "hourly"}, "'hourly' is not single"),
        ("compose", {"shape": CVM, "mutate": "nothing"}, "unknown mutator"),
        ("compose", {"shape": CVM, "profile": "../../x"}, "unknown profile"),
        ("compose", {"shape": CVM, "seed": 1.5}, "seed must be an integer"),
        ("compose", {"shape": CVM, "seed": True}, "seed must be an integer"),
        ("compose", {"shape": CVM, "repeats": 5000}, "repeats must be an integer from 0 to 1000"),
        ("compose", {"shape": "x" * 400}, "shape must be a text of at most 300 characters"),
        ("compose", {"shape": 5}, "shape must be a text"),
        ("compose", [], "the request is not a JSON object"),
        ("compose", b"{", "the request is not a JSON object"),
        ("compose", b"[" * 100_000, "the request is not a JSON object"),
        ("edit", {"body": "[]", "sets": ["a=1"]}, "the body is not a JSON object"),
        ("edit", {"body": "{}", "sets": "a=1"}, "sets must be a list"),
        ("edit", {"body": "{}", "sets": [5]}, "sets must be a list"),
        ("edit", {"body": "{}", "sets": ["a=x"]}, "'x' is not JSON"),
        ("send", {"body": ""}, "a body has 1 to"),
        ("send", {"body": "é" * 600_000}, "a body has 1 to"),
        ("send", {"body": "x" * 1_048_577}, "body must be a text of at most"),
        ("send", b'{"body": "\\ud800"}', "half a surrogate pair"),
        ("send", {"body_base64": "%"}, "is not base64"),
        ("send", {"body": "{}", "time_scale": "1"}, "time_scale must be a number from 0 to 1"),
        ("send", b'{"body": "{}", "time_scale": NaN}', "time_scale must be a number"),
        ("send", {"body": "{}", "time_scale": 2}, "time_scale must be a number"),
        ("check", {"fail_on": "most"}, "fail_on must be must, should, may"),
        ("check", {"effects": 1}, "effects must be true or false"),
        ("send", {"body": "{}", "attempts": 11}, "attempts must be an integer from 0 to 10"),
        ("send", {"body": "{}", "profile": "1999"}, "unknown profile '1999'"),
        ("check", {"clauses": ["TCM9999"]}, "unknown clause"),
        ("check", {"profile": "1999"}, "unknown profile"),
        ("check/again", {"code": "TCM101"}, "TCM101 has no finding 1"),
        ("storm", {"scenario": "/etc/passwd"}, "unknown scenario; write"),
        ("target", {"url": "ftp://x/"}, "the scheme must be http or https"),
        ("target", {"url": "app:app"}, "an app in this process"),
        ("target", {"url": "http://10.0.0.1/"}, "start the command with --allow-host 10.0.0.1"),
        ("target", {"url": "http://169.254.169.254/latest"}, "is not this machine"),
        ("target", {"url": "http://" + "x" * 2000}, "at most 2000 characters"),
    ],
)
def test_a_wrong_request_is_an_error_in_one_line(path: str, document: Any, message: str) -> None:
    """A request of a wrong type, size or name is refused with one line, and nothing is sent."""

    async def play() -> None:
        async with open_page() as page:
            response = await page.post(f"/api/{path}", document)
            assert response.status_code == 422
            assert message in response.json()["error"]
            assert page.requests == []
            assert len(page.conversation) == 0

    asyncio.run(play())


def test_a_request_that_is_too_long_is_not_read() -> None:
    """The server does not collect more than a body can have."""

    async def play() -> int:
        async with open_page() as page:
            return (await page.post("/api/send", b" " * 3_000_000)).status_code

    assert asyncio.run(play()) == 413


@pytest.mark.parametrize("path", ["/api/exchanges/9", "/api/exchanges/9/body", "/static/app.py", "/static/..%2fapp.py"])
def test_what_is_not_there_is_not_found(path: str) -> None:
    """An exchange that is not kept, and a file that is not a part of the page, are not found."""

    async def play() -> int:
        async with open_page() as page:
            return (await page.get(path)).status_code

    assert asyncio.run(play()) == 404


def test_sending_again_what_is_not_kept_is_an_error() -> None:
    """A page that still shows a dropped exchange cannot send it."""

    async def play() -> int:
        async with open_page() as page:
            return (await page.post("/api/exchanges/9/send")).status_code

    assert asyncio.run(play()) == 404


def test_deliveries_are_limited() -> None:
    """A page cannot start more deliveries than the ceiling; those under way end when the command ends."""

    async def play() -> None:
        app = new_app("http://192.0.2.1:9/", limits={})
        app.sender.tasks = {asyncio.create_task(asyncio.sleep(60)) for _ in range(20)}
        async with client_of(app) as client:
            response = await Page(app, client).post("/api/send", {"body": "{}"})
        assert response.status_code == 429
        assert "20 deliveries are under way" in response.json()["error"]
        await app.close()
        assert all(task.cancelled() for task in app.sender.tasks)

    asyncio.run(play())


def test_the_target_is_typed_and_its_password_never_shown() -> None:
    """A target on this machine is used. All pages show it without its password."""

    async def play() -> None:
        async with open_page(userinfo="x:y@") as page:
            receiver = page.app.sender.setting.require()
            url = f"http://{USERINFO}127.0.0.1:{receiver.port}/hook?key=S3ntinel-key"
            answer = await page.post("/api/target", {"url": url})
            assert answer.json() == {"target": f"http://***@127.0.0.1:{receiver.port}/hook?key=***"}
            await _send(page, "{}")
            assert page.requests[0].header("authorization").startswith("Basic ")
            assert page.requests[0].path == "/hook?key=S3ntinel-key"
            detail = await page.get("/api/exchanges/1")
            texts = [detail.text, (await page.get("/api/state")).text, (await page.get("/")).text]
            assert not any(part in text for text in texts for part in SENTINEL)

    asyncio.run(play())


def test_without_a_target_nothing_is_sent() -> None:
    """The page opens without a target, and says where to write one."""

    async def play() -> None:
        app = new_app()
        async with client_of(app) as client:
            page = Page(app, client)
            for path, document in (("send", {"body": "{}"}), ("check", {}), ("storm", {"scenario": "flapping"})):
                response = await page.post(f"/api/{path}", document)
                assert "there is no target" in response.json()["error"]
            assert (await page.get("/api/state")).json()["target"] == ""

    asyncio.run(play())


def test_an_allowed_host_can_be_typed() -> None:
    """--allow-host and the host of the command line are allowed; no other host of the network is."""
    app = new_app("http://alarms.example/", allowed_hosts=frozenset({"10.0.0.1"}))
    setting = app.sender.setting
    for url in ("http://10.0.0.1:81/x", "http://alarms.example:8080/", "http://localhost/"):
        setting.set(url)
        assert str(setting.target) == url


def test_a_receiver_that_echoes_the_password_does_not_leak_it() -> None:
    """No page, event, export or file shows the target's password, even if the receiver echoes it."""

    def echo(request: ReceivedRequest) -> Reply:
        text = f"{request.header('authorization')} alarms:S3ntinel-pw/9 S3ntinel-pw%2F9"
        return Reply(500, text.encode() + b"\xff", (("X-Echo", text), ("Authorization", text)))

    async def play() -> None:
        async with open_page(echo, userinfo=USERINFO) as page:
            await _send(page, "{}")
            page.conversation.close()
            paths = ("/", "/api/state", "/api/catalog", "/api/exchanges/1", "/events?after=0")
            exports = ("/export/recording.jsonl", "/export/conversation.html", "/api/exchanges/1/body")
            events = "".join(event.data for event in page.conversation._events)
            texts = [events, *[(await page.get(path)).text for path in (*paths, *exports)]]
            assert "***" in texts[4]
            assert not any(part in text for text in texts for part in SENTINEL)
            assert 'tcop-mock send - --to "$TCOP_MOCK_TARGET"' in texts[4].replace('\\"', '"')

    asyncio.run(play())


HOSTILE = [
    b'"</script><script>alert(1)</script>"',
    b'{"alarmStatus": "1", "alarmObjInfo": {"dimensions": {"objId": "</script>\\u202e\\u001b[2J", "objName": "<i>"}}}',
    '{"a": "\u202e\u2066\u200b\x7f"}'.encode(),
    b'{"alarmObjInfo": {"dimensions": {"\\ud800": "\\udfff"}}, "alarmPolicyInfo": "\\ud83d"}',
    b'{"x": "' + b"A" * 1_048_000 + b'"}',
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 150 + b"1" + b"}" * 150,
    b"\x00\xff\x1b]0;title\x07",
    json.dumps({f"key{number}": number for number in range(5_000)}).encode(),
    json.dumps({"alarmStatus": [], "alarmObjInfo": 5, "alarmPolicyInfo": {"conditions": [], "policyId": {}}}).encode(),
    b'{"a": 1e999, "a": NaN}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_callback_is_text(body: bytes) -> None:
    """Documents about hostile bodies stay small and contain no control character or lone surrogate."""

    async def play() -> None:
        async with open_page() as page:
            await page.post("/api/send", {"body_base64": base64.b64encode(body).decode(), "attempts": 1})
            await page.ended()
            assert page.requests[0].body == body
            page.conversation.close()
            for path in ("/api/state", "/api/exchanges/1", "/events?after=0"):
                response = await page.get(path)
                assert response.status_code == 200
                assert len(response.content) < 900_000
                text = json.dumps([*map(json.loads, _documents(response.text))], ensure_ascii=False)
                for char in ("\x1b", "\u202e", "\u2066", "\u200b", "\x7f", "\x00"):
                    assert char not in text
            inspected = await page.post("/api/inspect", {"body_base64": base64.b64encode(body).decode()})
            assert inspected.status_code == 200
            html = (await page.get("/export/conversation.html")).text
            assert "<script" not in html
            assert "<i>" not in html
            assert len(html) < 400_000
            assert (await page.get("/export/recording.jsonl")).status_code == 200

    asyncio.run(play())


def _documents(text: str) -> list[str]:
    if text.startswith("{"):
        return [text]
    return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


def test_the_recording_is_what_replay_reads() -> None:
    """Sent and received requests are lines of a recording, which replay reads byte for byte."""

    async def play() -> bytes:
        async with open_page() as page:
            for state in ("firing", "resolved"):
                await _send(page, (await _compose(page, state=state))["text"])
            bodies = [request.body for request in page.requests]
            exported = await page.get("/export/recording.jsonl")
            assert exported.headers["content-disposition"].startswith("attachment")
            requests, warnings = read_requests(exported.content, "conversation.jsonl")
            assert [request.body for request in requests] == bodies
            assert list(warnings) == []
            return exported.content

    assert asyncio.run(play()).count(b"\n") == 2


def test_the_exported_page_has_everything_and_no_script() -> None:
    """The HTML file has the table, the bodies, and what validate says at its place."""

    async def play() -> None:
        async with open_page(Reply(500)) as page:
            await _send(page, '{"alarmStatus": 7, "alarmObjInfo": {}, "alarmPolicyInfo": {}}', attempts=2)
            page.conversation.add(Direction.OUT, {**page.conversation.get(1).record, "as": "wecom"}, None)  # type: ignore[union-attr]  # it is kept
            html = (await page.get("/export/conversation.html")).text
            assert "rejected 500, 2 attempts" in html
            assert "under way" in html
            assert 'class="problem"' in html
            assert "<script" not in html

    asyncio.run(play())


def test_events_reach_the_page_and_streams_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream catches up after the number that the browser names; too many streams are refused."""

    async def play() -> None:
        async with open_page() as page:
            await _send(page, "{}")
            stream = page.app._stream(0)
            seen = [(page.app.is_open, page.app.was_opened)]
            await anext(stream)
            seen.append((page.app.is_open, page.app.was_opened))
            await stream.aclose()
            seen.append((page.app.is_open, page.app.was_opened))
            assert seen == [(False, False), (True, True), (False, True)]
            page.conversation.close()
            whole = (await page.get("/events?after=0")).text
            assert whole.count("event: exchange") >= 2
            last = page.conversation.last_event
            assert "event:" not in (await page.get("/events?after=0", **{"Last-Event-ID": str(last)})).text
            assert (await page.get("/events?after=٣")).text.startswith(": tcop-mock")
            monkeypatch.setattr(app_module, "_MAX_STREAMS", 0)
            assert (await page.get("/events?after=0")).status_code == 503

    asyncio.run(play())


def test_the_exchange_of_a_stub_has_a_detail() -> None:
    """A message to a stand-in has lines and commands, and no differences."""
    app = new_app()
    record: dict[str, Any] = {"method": "POST", "path": "/wecom", "headers": [], "body": "hello\nthere"}
    record |= {"auth": "none", "as": "wecom", "status": 200, "fault": "delay:1s", "note": "ok"}
    exchange: Exchange = app.conversation.add(Direction.IN, record, None)
    catalog = app.commands.catalog
    rules = load_profile().delivery
    detail = detail_document(exchange, app.conversation, catalog, None, rules)
    assert [line["text"] for line in detail["lines"]] == ["hello", "there"]
    assert detail["diffs"] == {}
    assert set(detail["commands"]) == {"curl", "pytest", "send"}
    assert detail["fault"] == "delay:1s"
    exchange.body = b"x" * 100_000
    long = detail_document(exchange, app.conversation, catalog, Target.parse("http://127.0.0.1/"), rules)
    assert long["commands"]["send"].startswith("# too long (1")
