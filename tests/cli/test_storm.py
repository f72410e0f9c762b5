"""``load`` with a scenario: objectives, ledger and reports."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from receiver_factories import server_factory
from scenario_samples import SUMMARY, load_result

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.load import _finish
from tcop_mock.cli.load_plan import _storm_inflight
from tcop_mock.cli.options import CommonOptions
from tcop_mock.domain.load import ObjectiveResult, ObjectiveStatus
from tcop_mock.load.scenario import ScenarioSize
from tcop_mock.load.slo import parse_objectives
from tcop_mock.load.timer import max_connections
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

    Open = Callable[[ReceiverFactory], str]

STORM = """
title = "a small one"
source = "ours"

[assumed]
alarms = "six of them"

[[groups]]
title = "hosts"
shapes = ["cvm/basic-monitoring"]
alarms = 6
within_s = 2
over_s = 400
repeats = { type = "continuous", every_s = 300 }
"""
_FAST = ("--time-scale", "0", "--seed", "1")


@pytest.fixture
def storm(tmp_path: Path) -> str:
    """Return a scenario of six alarms with three notifications each."""
    file = tmp_path / "small.toml"
    file.write_text(STORM, encoding="utf-8")
    return str(file)


class _Sieve:
    """A receiver that refuses each callback whose number of hosts is in ``refused``, so often."""

    def __init__(self, refused: int) -> None:
        self.seen: Counter[bytes] = Counter()
        self._refused = refused

    def __call__(self, received: ReceivedRequest) -> Reply:
        self.seen[received.body] += 1
        is_resolve = b'"alarmStatus":"0"' in received.body
        return Reply(503 if is_resolve and self.seen[received.body] <= self._refused else 200)


def test_a_storm_that_all_is_acked_of(tcop: RunCommand, opened: Open, storm: str, tmp_path: Path) -> None:
    """Code 0; what was played, what it came to, objectives and assumptions are shown, and the reports are written."""
    sieve = _Sieve(0)
    url = opened(server_factory(lambda: sieve))
    reports = [f"--report={kind}={tmp_path}/load.{kind}" for kind in ("html", "json", "csv", "junit")]
    done = tcop("load", url, "--scenario", storm, *_FAST, "--slo", "lost=0,errors<1%", *reports)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    head = " ".join(" ".join(lines[:3]).split())
    assert "small, 6 alarms, 18 notifications, a second of it in 0 s" in head
    assert "alarms        6, 18 notifications" in lines
    assert "assumed: six of them" in lines
    assert lines[-2:] == ["objective lost=0: kept, 0 of 18", "objective errors<1%: kept, 0 of 18 (0%)"]
    assert "<svg" in (tmp_path / "load.html").read_text(encoding="utf-8")
    assert (tmp_path / "load.csv").read_text(encoding="utf-8").startswith("at_s,span_s,started")
    [suite] = JUnitXml.fromstring((tmp_path / "load.junit").read_bytes())
    assert (suite.tests, suite.failures) == (2, 0)
    document = json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))
    assert document["attempts_of_alarms"] == [{"attempts": 3, "alarms": 6}]
    assert document["objectives"][0] == {"objective": "lost=0", "kept": True, "measured": "0 of 18"}


def test_a_receiver_that_refuses_is_amplified(tcop: RunCommand, opened: Open, storm: str, tmp_path: Path) -> None:
    """Refused resolves are pushed again; what is refused four times is lost, so that the objective breaks: code 1."""
    sieve = _Sieve(9)
    url = opened(server_factory(lambda: sieve))
    ledger = str(tmp_path / "ledger.jsonl")
    done = tcop("load", url, "--scenario", storm, *_FAST, "--slo", "lost=0", "--json", "--ledger", ledger)
    assert done.exit_code == 1
    Draft202012Validator(read_schema("load-report")).validate(done.document)
    summary = done.document["summary"]
    assert (summary["notifications"], summary["attempts"], summary["lost"]) == (18, 12 + 4 * 6, 6)
    assert sum(sieve.seen.values()) == summary["attempts"] + summary["probes"]
    assert done.document["plan"]["max_inflight"] == 1000
    assert done.document["attempts_of_alarms"] == [{"attempts": 6, "alarms": 6}]
    assert done.document["objectives"] == [{"objective": "lost=0", "kept": False, "measured": "6 of 18"}]
    rows = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    assert Counter((row["state"], row["outcome"], row["attempts"]) for row in rows[1:]) == {
        ("firing", "acked", 1): 6,
        ("repeated", "acked", 1): 6,
        ("resolved", "rejected", 4): 6,
    }
    came = b"".join(body + b"\n" for body in sieve.seen)
    agreed = tcop("reconcile", ledger, "-", stdin=came)
    assert (agreed.exit_code, agreed.stdout.splitlines()[-2]) == (0, "not acknowledged, but received: 6")
    assert agreed.stdout.splitlines()[0].endswith(
        "19 notifications of 7 alarms, 13 acked; 1 of them the probe before the load"
    )
    fewer = came[came.index(b"\n") + 1 :]
    assert "lost: 1 of 1 object, acknowledged, but not received" in tcop("reconcile", ledger, "-", stdin=fewer).stdout


def test_the_default_limit_of_a_storm_does_not_hold_it_back() -> None:
    """The default limit is the number of requests that can be due within one deadline."""
    assert _storm_inflight(ScenarioSize(6800, 12.0, 2000), 5.0) == min(6800, max_connections())
    assert _storm_inflight(ScenarioSize(1_000_000, 12.0, 300), 5.0) == min(1800, max_connections())
    assert _storm_inflight(ScenarioSize(100, 12.0, 10), 5.0) == 1000


@pytest.mark.parametrize(
    "statuses, code",
    [
        ([], 0),
        ([ObjectiveStatus.KEPT], 0),
        ([ObjectiveStatus.KEPT, ObjectiveStatus.INCONCLUSIVE], 3),
        ([ObjectiveStatus.INCONCLUSIVE, ObjectiveStatus.BROKEN], 1),
    ],
)
def test_the_worst_objective_sets_the_exit_code(statuses: list[ObjectiveStatus], code: int) -> None:
    """The exit code is 1 for a broken objective, 3 for an inconclusive one."""
    [objective] = parse_objectives(["p99<1s"], SUMMARY.plan.model)
    results = tuple(ObjectiveResult(objective, status, "2 s") for status in statuses)
    assert _finish(load_result(objectives=results), [], CommonOptions(quiet=True, as_json=False)) == code


@pytest.mark.proof
def test_a_rate_keeps_a_ledger_and_objectives_too(tcop: RunCommand, opened: Open, tmp_path: Path) -> None:
    """Each callback has a line in the ledger, and the probe is the first."""
    url = opened(server_factory(lambda: _Sieve(0)))
    ledger = tmp_path / "ledger.jsonl"
    done = tcop("load", url, "--count", "3", "--rate", "100", "--slo", "acked>=100%", "--ledger", str(ledger), "-q")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "objective acked>=100%: kept, 3 of 3 (100%)"
    assert len(ledger.read_text(encoding="utf-8").splitlines()) == 1 + 3


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--scenario", "{storm}", "--rate", "5"], "--scenario sets the schedule: leave --rate out"),
        (["--scenario", "{storm}", "--mix", "cvm/*"], "--scenario sets the schedule: leave --mix out"),
        (["--scenario", "{storm}", "--concurrency", "5"], "--scenario sets the schedule: leave --concurrency out"),
        (["--scenario", "{storm}", "--workers", "2"], "a scenario runs in one process: leave --workers out"),
        (["--scenario", "zone"], "unknown scenario 'zone'; did you mean 'zone-outage'?"),
        (
            ["--scenario", "{storm}", "--max-count", "5"],
            "18 notifications exceed the ceiling of 5; raise it with --max-count 18",
        ),
        (
            ["--scenario", "{storm}", "--time-scale", "0", "--max-rate", "5/s"],
            "18 notifications in a second exceed the ceiling of 5/s; raise it with --max-rate 18/s, or --time-scale",
        ),
        (["--time-scale", "0.1"], "--time-scale goes with --scenario: a rate is a speed already"),
        (["--slo", "p99<5"], "--slo 'p99<5': p99 is a time: write 500ms, 2s or 1m"),
        (
            ["--slo", "recovery<5s"],
            "--slo recovery: only a scenario has a recovery: run one with --scenario",
        ),
        (["--report", "html"], "--report 'html': write KIND=PATH, as in html=load.html"),
        (["--report", "htm=x"], "--report 'htm=x': unknown report format 'htm'; did you mean 'html'?"),
        (["--report", "pdf=x"], "--report 'pdf=x': unknown report format 'pdf'; use one of csv, html, json, junit"),
        (["--report", "csv=-"], "--report 'csv=-': a report is a file; --json writes the document to standard output"),
        (["--report", "junit=x"], "--report junit has a case per objective: give some with --slo"),
        (["--ledger", "x", "--workers", "2"], "--ledger is written by one process: leave --workers out"),
        (["--ledger", "/"], "--ledger '/' cannot be written: Is a directory"),
        (["--report", "csv=/nosuch/x"], "report '/nosuch/x': there is no folder '/nosuch'; create it first"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tcop: RunCommand, closed_url: str, storm: str, arguments: list[str], complaint: str
) -> None:
    """One line and code 2, before anything is sent."""
    done = tcop("load", closed_url, *(part.format(storm=storm) for part in arguments))
    assert (done.exit_code, done.error_message) == (2, complaint)


@pytest.mark.proof
def test_a_ledger_that_cannot_be_finished_is_reported(tcop: RunCommand, opened: Open, storm: str) -> None:
    """Code 2 at the end, after the load and its summary."""
    url = opened(server_factory(lambda: _Sieve(0)))
    done = tcop("load", url, "--scenario", storm, *_FAST, "--ledger", "/dev/full")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == "tcop-mock: --ledger '/dev/full' cannot be written: No space left on device"
    assert "18 of 18 attempts acked" in done.stdout
