"""Checks and storms that a page starts."""

from __future__ import annotations

import asyncio
import json
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from console_page import new_app, open_page

from tcop_mock.console.contract_check import ForwardedMessages, Observation
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.load_summary import SecondElapsed, SeriesPoint
from tcop_mock.domain.verdict import ReproducedRequest, Reproduction
from tcop_mock.errors import TargetError
from tcop_mock.load.scenario import parse_scenario
from tcop_mock.server.downstream import DownstreamRecorder, hang
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console_page import Page

    from tcop_mock.console.contract_check import ContractCheck
    from tcop_mock.console.storm import Storm

CLAUSE = "TCM302"
QUICK = Observation(lambda: ObservationConfig(effect_timeout_s=0.2))
SMALL = """
title = "Four alarms"
source = "this test"
[[groups]]
title = "CPU"
shapes = ["cvm/basic-monitoring"]
alarms = 4
within_s = 10
lives = 1
lasts_s = [60, 120]
period_s = 60
period_num = 1
"""


def _rejects_resolved(request: ReceivedRequest) -> Reply:
    tree = json.loads(request.body)
    return Reply(500 if (tree["alarmStatus"], tree["recoverTime"]) == ("0", "0") else 200)


async def _end(run: ContractCheck | Storm) -> None:
    while run._task is not None:
        await asyncio.wait([run._task])


async def _check(page: Page, **settings: Any) -> dict[str, Any]:
    started = await page.post("/api/check", {"clauses": [CLAUSE], "seed": 1, **settings})
    assert started.json()["running"]
    assert started.json()["clauses"][0]["result"] == "waiting"
    await _end(page.app.check)
    document: dict[str, Any] = (await page.get("/api/state")).json()["check"]
    return document


def test_a_finding_is_shown_and_seen_again() -> None:
    """The clauses turn, a finding has its evidence, and a button sends its requests again."""

    async def play() -> None:
        async with open_page(_rejects_resolved, userinfo="alarms:S3ntinel-pw@") as page:
            check = await _check(page)
            assert check["headline"].startswith("Broken: 1 must clause")
            assert check["counts"]["failed"] == 1
            [clause] = check["clauses"]
            assert (clause["code"], clause["result"], clause["level"]) == (CLAUSE, "fail", "must")
            finding = clause["findings"][0]
            assert any("HTTP/1.1 500" in line for line in finding["evidence"])
            assert any(command.startswith("curl") for command in finding["commands"])
            events = [json.loads(one.data)["result"] for one in page.conversation._events if one.name == "clause"]
            assert events == ["running", "fail"]

            page.requests.clear()
            again = await page.post("/api/check/again", {"code": CLAUSE, "finding": 0})
            assert again.json() == {"sent": finding["requests"]}
            await page.ended()
            assert len(page.requests) == finding["requests"]
            assert page.requests[-1].header("authorization")
            assert [one.outcome for one in page.conversation][-1] == "rejected"

            html = (await page.get("/api/check/report.html")).text
            assert CLAUSE in html
            assert (await page.get("/api/check/report.json")).json()["summary"]["failed"] == 1
            assert (await page.get("/api/check/report.junit")).status_code == 404
            text = html + json.dumps(check) + "".join(one.data for one in page.conversation._events)
            assert "S3ntinel" not in text

    asyncio.run(play())


def test_an_honest_receiver_keeps_the_clause() -> None:
    """The same check of a receiver without the bug passes."""

    async def play() -> None:
        async with open_page() as page:
            check = await _check(page)
            assert check["counts"]["passed"] == 1
            assert check["clauses"][0]["findings"] == []

    asyncio.run(play())


EFFECTS = "TCM501"
"""The receiver forwards an alarm once, also if the alarm is sent again."""


def _forwards(page: list[Page], *, is_idempotent: bool) -> Callable[[ReceivedRequest], Awaitable[Reply]]:
    """Return a receiver that forwards each callback to the stub services of the page, or each body once."""
    seen: set[bytes] = set()

    async def answer(request: ReceivedRequest) -> Reply:
        if not (is_idempotent and request.body in seen):
            seen.add(request.body)
            content = json.dumps({"msgtype": "text", "text": {"content": request.body.decode()[:1_900]}}).encode()
            message = ReceivedRequest("POST", "/wecom/send?key=k", (), content, 0.0)
            reply = page[0].app.check.forwarded.reply_to(message)
            if reply is not None:
                await reply
        return Reply()

    return answer


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_the_stub_services_of_the_page_show_effects(is_idempotent: bool) -> None:  # noqa: FBT001 - a parameter
    """A check sees what the receiver forwards to the page: once for each alarm is right, once for each request not."""

    async def play() -> None:
        pages: list[Page] = []
        async with open_page(_forwards(pages, is_idempotent=is_idempotent)) as page:
            pages.append(page)
            page.app.check.receiver_url = "http://127.0.0.1:9000"
            page.app.check.observation = QUICK
            check = await _check(page, clauses=[EFFECTS])
            [clause] = check["clauses"]
            assert (clause["result"], clause["reason"]) == ("pass" if is_idempotent else "fail", "")
            commands = [command for one in clause["findings"] for command in one["commands"]]
            assert all("--downstream 127.0.0.1:9000" in one for one in commands if one.startswith("tcop-mock check"))
            assert bool(commands) is not is_idempotent
            assert page.app.check.forwarded.reply_to(ReceivedRequest("POST", "/wecom", (), b"", 0.0)) is None

    asyncio.run(play())


def test_a_receiver_that_forwards_nothing_does_not_fail() -> None:
    """Clauses about effects are not run if no message came, or if the user does not want them."""

    async def play() -> None:
        async with open_page() as page:
            page.app.check.receiver_url = "http://127.0.0.1:9000"
            page.app.check.observation = QUICK
            [clause] = (await _check(page, clauses=[EFFECTS]))["clauses"]
            assert clause["result"] == "not-run"
            assert "none came to http://127.0.0.1:9000; let it send to a path there" in clause["reason"]
            [clause] = (await _check(page, clauses=[EFFECTS], effects=False))["clauses"]
            assert (clause["result"], clause["reason"].split(":")[0]) == ("not-run", "needs observer")

    asyncio.run(play())


def test_a_message_at_the_end_of_a_check_gets_an_answer() -> None:
    """A service that hangs for the check ends with it, and the receiver gets 503."""

    async def play() -> None:
        forwarded, recorder = ForwardedMessages(), DownstreamRecorder()
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def check() -> None:
            async def run() -> None:
                async with forwarded.passed_to(recorder):
                    loop.call_soon_threadsafe(started.set)
                    with recorder.inject_fault({"ins-1"}, hang) as fault:
                        await fault.triggered.wait()

            asyncio.run(run())

        running = asyncio.create_task(asyncio.to_thread(check))
        await started.wait()
        body = b'{"msgtype": "text", "text": {"content": "ins-1"}}'
        reply = forwarded.reply_to(ReceivedRequest("POST", "/wecom/send?key=k", (), body, 0.0))
        assert reply is not None
        assert (await reply).status == 503
        await running

    asyncio.run(play())


def test_a_finding_that_cannot_be_sent_alone_says_so() -> None:
    """A finding of a burst has no requests to send one by one; the message names the command instead."""

    async def play() -> None:
        async with open_page(_rejects_resolved) as page:
            await _check(page)
            finding = page.app.check._findings[CLAUSE][0]
            alone = replace(finding, reproduction=Reproduction("", "tcop-mock check"))
            request = ReproducedRequest("http://127.0.0.1/", OutgoingRequest(b"{}"))
            first = replace(finding, reproduction=Reproduction("", "", requests=(request, request)))
            page.app.check._findings[CLAUSE] = (alone, first)
            response = await page.post("/api/check/again", {"code": CLAUSE, "finding": 0})
            assert "run its command" in response.json()["error"]
            assert (await page.post("/api/check/again", {"code": CLAUSE, "finding": 1})).json() == {"sent": 2}

    asyncio.run(play())


def test_one_check_at_a_time_and_it_can_be_stopped() -> None:
    """A second check is refused while one runs; a stopped one says so and has no report."""

    async def play() -> None:
        async with open_page() as page:
            await page.post("/api/check/stop")
            await page.post("/api/check")
            second = await page.post("/api/check")
            assert "a check runs already" in second.json()["error"]
            assert (await page.post("/api/check/stop")).json() == {}
            check = (await page.get("/api/state")).json()["check"]
            assert (check["running"], check["headline"], check["report"]) == (False, "stopped", False)
            assert (await page.get("/api/check/report.html")).status_code == 404

    asyncio.run(play())


@pytest.mark.parametrize("name", ["check", "storm"])
def test_the_run_of_a_command_can_be_stopped(name: str) -> None:
    """Stop asks the command to end its run; no other one starts meanwhile, and the end of the page ends nothing."""
    stopped: list[str] = []

    async def play() -> None:
        async with open_page() as page:
            run: ContractCheck | Storm = getattr(page.app, name)
            run.follow(lambda: stopped.append(name))
            second = await page.post(f"/api/{name}", {"scenario": "flapping"})
            assert "runs already" in second.json()["error"]
            assert (await page.post(f"/api/{name}/stop")).status_code == 200
            assert stopped == [name]

    asyncio.run(play())
    assert stopped == [name]


def test_a_target_that_is_down_is_reported() -> None:
    """A target that refuses connections ends the check with the reason."""

    async def play() -> None:
        async with open_page() as page:

            async def fail(*_arguments: Any, **_options: Any) -> Any:
                raise TargetError("http://127.0.0.1:1/ cannot be reached: refused")

            page.app.check.run = fail
            check = await _check(page)
            assert "cannot be reached" in check["headline"]

    asyncio.run(play())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each scenario a small one of one shape."""
    scenario = parse_scenario("small", "", tomllib.loads(SMALL))
    monkeypatch.setattr("tcop_mock.cli.console.load_scenario", lambda _name: scenario)


def test_a_storm_is_live_and_has_a_report(small: None) -> None:  # noqa: ARG001 - a scenario
    """A storm shows each second, and ends with its summary and the reports of load."""

    async def play() -> None:
        async with open_page() as page:
            started = await page.post("/api/storm", {"scenario": "deploy-noise", "time_scale": 0.001, "seed": 1})
            assert started.json()["running"]
            assert "a storm runs already" in (await page.post("/api/storm", {"scenario": "flapping"})).json()["error"]
            await _end(page.app.storm)
            storm = (await page.get("/api/state")).json()["storm"]
            assert storm["headline"].startswith("small")
            assert storm["points"][-1]["total"] == storm["summary"]["attempts"] > 0
            assert storm["summary"]["lost"] == 0
            assert {"storm", "second"} <= {one.name for one in page.conversation._events}
            assert (await page.get("/api/storm/report.html")).text.startswith("<!doctype html>")
            assert (await page.get("/api/storm/report.csv")).status_code == 404

    asyncio.run(play())


def test_a_storm_can_be_stopped(small: None) -> None:  # noqa: ARG001 - a scenario
    """A stopped storm keeps what it has measured."""

    async def play() -> None:
        async with open_page() as page:
            assert (await page.get("/api/storm/report.html")).status_code == 404
            await page.post("/api/storm/stop")
            await page.post("/api/storm", {"scenario": "flapping", "seed": 1})
            stream = page.conversation.stream(page.conversation.last_event)
            async for event in stream:
                if b"small, " in event:
                    break
            await page.post("/api/storm/stop")
            storm = (await page.get("/api/state")).json()["storm"]
            assert storm["headline"].startswith("stopped: ")
            assert storm["summary"] is not None

    asyncio.run(play())


def test_a_storm_needs_a_receiver(small: None) -> None:  # noqa: ARG001 - a scenario
    """A target that does not take a callback gets no storm."""

    async def play() -> None:
        async with open_page(Reply(404)) as page:
            await page.post("/api/storm", {"scenario": "flapping", "time_scale": 0.001})
            await _end(page.app.storm)
            storm = (await page.get("/api/state")).json()["storm"]
            assert storm["summary"] is None
            assert "404" in storm["headline"]
            assert len(page.requests) == 1

    asyncio.run(play())


def test_the_points_of_a_storm_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A very long storm keeps a limited number of points in memory."""
    monkeypatch.setattr("tcop_mock.console.storm._MAX_POINTS", 0)

    storm = new_app().storm
    storm._add(SecondElapsed(SeriesPoint(0.0, 1.0, 1, 1, 0, 0, 0, 0, 0.1, 0.2, 0.3), 1, 0))
    assert storm.document()["points"] == []
    [event] = storm.conversation._events
    assert json.loads(event.data)["p99"] == 0.2
