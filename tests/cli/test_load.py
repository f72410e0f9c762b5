"""``load``: open and closed loads."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from receiver_factories import server_factory

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

LOAD = ("load", "--mix", "cvm/basic-monitoring", "--seed", "7")
AWAY = "http://127.0.0.1:9/"


@pytest.fixture
def acking(opened: Callable[[ReceiverFactory], str]) -> str:
    """Give the URL of a receiver that acks all."""
    return opened(server_factory(lambda: lambda _: Reply(200)))


@pytest.mark.proof
def test_an_open_load_is_the_usual_one(tcop: RunCommand, acking: str) -> None:
    """A head, counts, times, a plot, what is assumed, and an end; the code is 0."""
    done = tcop(*LOAD, acking, "--duration", "0.4s", "--rate", "50")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"loads {acking}/ with profile 2023: 50/s for 0.4 s, evenly spaced, seed 7" in " ".join(done.stdout.split())
    assert "20 of 20 attempts acked" in done.stdout
    assert "assumed: Content-Type is application/json" in done.stdout
    assert "pauses of 1, 2 and 4 s" not in done.stdout, "nothing is pushed again in it"


def test_quiet_reports_the_summary_only(tcop: RunCommand, acking: str) -> None:
    """--quiet prints the summary without a heading; a note about a late start may come first."""
    done = tcop(*LOAD, acking, "--count", "5", "--quiet")
    assert (done.exit_code, f"loads {acking}" in done.stdout) == (0, False)
    assert re.search(r"^attempts      5 in ", done.stdout, re.MULTILINE)


def test_the_document_keeps_its_schema(tcop: RunCommand, acking: str) -> None:
    """--json prints one document with the plan and the results, and nothing else."""
    done = tcop(*LOAD, acking, "--stages", "0.1s:100,0.1s:0", "--arrivals", "poisson", "--rate", "20", "--json")
    assert [
        error.message for error in Draft202012Validator(read_schema("load-report")).iter_errors(done.document)
    ] == []
    plan, summary = done.document["plan"], done.document["summary"]
    assert (plan["model"], plan["arrivals"], plan["title"]) == (
        "open",
        "poisson",
        "20 to 100 to 0/s for 0.2 s, Poisson",
    )
    assert plan["stages"] == [
        {"duration_s": 0.1, "from_rate": 20.0, "to_rate": 100.0},
        {"duration_s": 0.1, "from_rate": 100.0, "to_rate": 0.0},
    ]
    assert summary["acked"] == done.document["acks"]["count"]
    assert done.exit_code == 0


@pytest.mark.proof
def test_a_closed_load_on_request(tcop: RunCommand, acking: str) -> None:
    """--concurrency makes a closed load, which ends by count, by time, by both, or after the default time."""
    counted = tcop(*LOAD, acking, "--concurrency", "3", "--count", "20", "--json", "--timeout", "20s").document
    assert (counted["plan"]["model"], counted["summary"]["acked"]) == ("closed", 20)
    assert counted["plan"]["deadline_s"] == 20
    assert not [text for text in counted["assumptions"] if "5 s" in text]
    timed = tcop(*LOAD, acking, "--concurrency", "2", "--duration", "0.1s", "--json").document
    assert timed["plan"]["title"] == "2 at a time for 0.1 s"


@pytest.mark.proof
def test_a_ramp_comes_before_the_level(tcop: RunCommand, acking: str) -> None:
    """Half as many as without it, while it lasts; and nothing but it, where it lasts as long as the load."""
    plan = tcop(*LOAD, acking, "--rate", "100/s", "--ramp", "0.1s", "--duration", "0.3s", "--json").document
    assert [one["to_rate"] for one in plan["plan"]["stages"]] == [100.0, 100.0]
    assert plan["summary"]["acked"] == 25
    only = tcop(*LOAD, acking, "--rate", "6000/m", "--ramp", "0.2s", "--duration", "0.2s", "--json").document
    assert (len(only["plan"]["stages"]), only["summary"]["acked"]) == (1, 10)
    counted = tcop(*LOAD, acking, "--rate", "100", "--ramp", "0.1s", "--count", "10", "--json").document
    assert counted["summary"]["acked"] == 10


def test_several_processes_on_request(tcop: RunCommand, acking: str) -> None:
    """Several processes share the load, and the report has their number."""
    done = tcop(*LOAD, acking, "--workers", "2", "--rate", "100", "--count", "20", "--warm-up", "0s")
    assert (done.exit_code, "2 processes" in done.stdout, "20 of 20 attempts acked" in done.stdout) == (0, True, True)


def test_a_load_of_which_nothing_was_acked_is_broken(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """A receiver that refuses all makes 1."""
    done = tcop(*LOAD, opened(server_factory(lambda: lambda _: Reply(503))), "--count", "3", "--rate", "100")
    assert (done.exit_code, "rejected      3 (100.00 %)" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "status, why", [(401, "wants credentials"), (403, "wants credentials"), (404, "is the path right?")]
)
def test_a_target_that_cannot_be_used_is_reported_first(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], status: int, why: str
) -> None:
    """One request finds out, and nothing more is sent."""
    requests: list[ReceivedRequest] = []

    def refuse(received: ReceivedRequest) -> Reply:
        requests.append(received)
        return Reply(status)

    done = tcop(*LOAD, opened(server_factory(lambda: refuse)), "--count", "3")
    assert (done.exit_code, why in done.error_message, len(requests)) == (3, True, 1)


def test_a_target_that_is_not_there_is_reported(tcop: RunCommand, closed_url: str) -> None:
    """An unreachable target is one line with code 3, without a flag that load does not have."""
    done = tcop(*LOAD, closed_url)
    assert done.exit_code == 3
    assert done.error_message.endswith("; is it running?")


@pytest.mark.parametrize(
    "flags, complaint",
    [
        (("http://example.com/",), "example.com is not this machine, and a load can take a service down"),
        (("http://10.0.0.1/", "--allow-host", "10.0.0.2"), "add --allow-host 10.0.0.1"),
        (("tcop_mock.nosuch:app",), "load needs a URL"),
        ((AWAY, "--rate", "5001"), "5001/s exceeds the ceiling of 5000/s; raise it with --max-rate 5001/s"),
        ((AWAY, "--rate", "5000", "--duration", "1h"), "18000000 callbacks exceed the ceiling of 1000000"),
        ((AWAY, "--concurrency", "2", "--count", "2000000"), "--count 2000000 exceeds the ceiling of 1000000"),
        (
            (AWAY, "--concurrency", "2", "--rate", "5"),
            "responses decide when the next callback starts: leave --rate out",
        ),
        ((AWAY, "--concurrency", "2", "--arrivals", "poisson"), "leave --arrivals out"),
        ((AWAY, "--rate", "fast"), "'fast' is not a rate; write 200/s, 12000/m or a bare number a second"),
        ((AWAY, "--rate", "0"), "--rate must be more than 0"),
        ((AWAY, "--max-rate", "x"), "'x' is not a rate"),
        ((AWAY, "--ramp", "20s"), "--ramp 20s is longer than the load, which lasts 10s"),
        ((AWAY, "--stages", "10s"), "--stages '10s': write TIME:RATE, as in 10s:500"),
        ((AWAY, "--stages", "10s:0"), "nothing would ever be sent"),
        ((AWAY, "--stages", "1s:5", "--duration", "5s"), "leave --duration out"),
        ((AWAY, "--stages", "1s:5", "--ramp", "5s"), "leave --ramp out"),
        ((AWAY, "--stages", "x:5"), "'x' is not a duration"),
        ((AWAY, "--mix", "cvm/*=0"), "--mix 'cvm/*=0': write GLOB=WEIGHT with a weight above 0"),
        ((AWAY, "--mix", "cvm/*=x"), "write GLOB=WEIGHT"),
        ((AWAY, "--mix", "cvm/nosuch"), "unknown shape 'cvm/nosuch'"),
        ((AWAY, "--max-inflight", "100000000"), "file descriptors"),
        ((AWAY, "--header", "Host: x"), "--header Host: the sender sets it"),
        ((), "no target"),
    ],
)
def test_a_wrong_call_is_reported_in_a_line(tcop: RunCommand, flags: tuple[str, ...], complaint: str) -> None:
    """The error names the problem and what to do; the exit code is 2, and nothing is sent."""
    done = tcop("load", *flags)
    assert (done.exit_code, complaint in done.error_message) == (2, True), done.error_message


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://[::1]:1/", "http://x.localhost:1/", "127.5.0.1:1"])
def test_this_machine_is_allowed(tcop: RunCommand, url: str) -> None:
    """Each name of this machine is allowed as a target."""
    assert tcop(*LOAD, url, "--timeout", "5s").exit_code == 3


def test_another_machine_is_allowed_by_name(tcop: RunCommand, no_names: str) -> None:
    """Then it is tried; here it does not resolve."""
    assert tcop(*LOAD, no_names, "--allow-host", "NOSUCH").exit_code == 3


def test_an_unverified_certificate_is_warned_of(tcop: RunCommand, closed_url: str) -> None:
    """The warning is on standard error, before anything is sent."""
    done = tcop(*LOAD, closed_url.replace("http:", "https:"), "--insecure")
    assert (done.exit_code, "warning: the receiver's certificate is not verified" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "flags", [("--rate", "20"), ("--concurrency", "2", "--json"), ("--rate", "20", "--workers", "2")]
)
def test_ctrl_c_ends_it_with_a_report(
    flags: tuple[str, ...], start: Callable[..., subprocess.Popen[str]], opened: Callable[[ReceiverFactory], str]
) -> None:
    """Ctrl-C ends each kind of load with a report so far, as text or JSON, and code 130."""
    seen, enough = 0, threading.Event()

    async def take(_: ReceivedRequest) -> Reply:
        nonlocal seen
        seen += 1
        if seen == 8:
            enough.set()
        await asyncio.sleep(0.01)
        return Reply(200)

    url = opened(server_factory(lambda: take))
    process = start(*LOAD, url, "--duration", "60s", *flags)
    assert enough.wait(60)
    number, code = (signal.SIGTERM, 143) if "--json" in flags else (signal.SIGINT, 130)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    if "--json" in flags:
        assert json.loads(out)["summary"]["interrupted"]
    else:
        assert "interrupted: " in out.splitlines()[-1]
