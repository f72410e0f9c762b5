"""``tcop_contract``: one line checks a receiver, with a result for each clause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tcop_mock import pytest_plugin
from tcop_mock.reports.formats import format_names
from tcop_mock.testing.report_collector import merge_verdicts

if TYPE_CHECKING:
    from pytester_runs import RunPytest, RunPytestProcess

ONE_LINE = "def test_contract(tcop_contract): tcop_contract.check()"
FEW = "--tcop-clauses=TCM302,TCM104,TCM401"
TWO = """
import pytest

@pytest.mark.tcop_clauses("TCM302", "TCM104")
def test_one(tcop_contract):
    tcop_contract.check()

@pytest.mark.tcop(profile="2019-ack")
@pytest.mark.tcop_clauses("TCM104", "TCM401")
def test_two(tcop_contract):
    tcop_contract.check()
"""


def text_of(result: pytest.RunResult) -> str:
    """Return all that a run said."""
    return str(result.stdout) + str(result.stderr)


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    """Return what became of the tests, and of their subtests."""
    return dict(result.parseoutcomes())


@pytest.mark.parametrize("target", ["apps.wsgi", "apps.asgi", "'apps:wsgi'", "'apps:asgi/alarms'"])
def test_one_line_is_the_whole_contract_of_a_good_receiver(inner: RunPytest, target: str) -> None:
    """An app, or its name, is a target, and a receiver that keeps the contract passes each clause that is played."""
    result = inner(ONE_LINE, FEW, "-v", target=target)
    assert outcomes(result) == {"passed": 1, "subtests": 3}
    result.stdout.fnmatch_lines(["*SUBPASSED?TCM302 recover-time-zero?*"])


@pytest.mark.proof
def test_a_broken_clause_is_a_subtest_that_says_all(inner: RunPytest) -> None:
    """A finding names its clause, its source, and how to see it again; nothing in it can act on a terminal."""
    result = inner(ONE_LINE, FEW, target="apps.hasty_wsgi")
    output = text_of(result)
    assert result.ret == 1
    assert "SUBFAILED[TCM302 recover-time-zero] test_it.py::test_contract" in output
    assert "SUBFAILED[TCM401" not in output
    assert "TCM302 recover-time-zero [must] is broken: recoverTime" in output
    assert "  Source: alarm callback page, 2023-08-07" in output
    assert "curl -sS -i -X POST http://127.0.0.1:8000/ -H 'Content-Type: application/json'" in output
    assert "\npytest test_it.py::test_contract --tcop-clauses TCM302\n" in output
    assert "\x1b[31mno" not in output
    assert "\\x1b[31mno" in output


def test_what_it_says_to_see_it_again_does_so(inner: RunPytest) -> None:
    """The command of a finding fails in the same way, with the same bytes."""
    first = text_of(inner(ONE_LINE, "--tcop-seed=7", FEW, target="apps.hasty_wsgi"))
    [command] = {line for line in first.splitlines() if line.startswith("pytest test_it.py")}
    assert command == "pytest test_it.py::test_contract --tcop-clauses TCM302 --tcop-seed 7"
    again = text_of(inner(ONE_LINE, *command.split()[1:], target="apps.hasty_wsgi"))
    mark = " --data-raw '{"
    bodies = [{line.partition(mark)[2] for line in output.splitlines() if mark in line} for output in (first, again)]
    assert bodies[0]
    assert bodies[0] == bodies[1]


def test_a_receiver_that_logs_each_failure_does_not_hide_the_findings(inner: RunPytest) -> None:
    """Ten log records of an app under test are shown, and the others are counted."""
    output = text_of(inner(ONE_LINE, "--tcop-clauses=TCM3*", target="apps.hasty_wsgi"))
    assert output.count("a resolved alarm") == 10
    assert "more records were logged during the check" in output


@pytest.mark.parametrize("target", ["apps.wsgi", "apps.hasty_wsgi"])
def test_without_subtests_all_is_one_failure(inner: RunPytest, target: str) -> None:
    """Without subtests (pytest before 9) a good receiver passes, and one failure lists all broken clauses."""
    result = inner(ONE_LINE, FEW, "-p", "no:subtests", target=target)
    if target == "apps.wsgi":
        assert outcomes(result) == {"passed": 1}
        return
    output = text_of(result)
    assert outcomes(result) == {"failed": 1}
    assert "3 clauses: 2 passed, 1 failed, 0 inconclusive, 0 not run. Broken: 1 must clause." in output
    assert "== TCM302 recover-time-zero [must] ==" in output


@pytest.mark.parametrize("subtests", [[], ["-p", "no:subtests"]], ids=["subtests", "one-text"])
def test_a_should_clause_counts_when_it_is_reported_to(inner: RunPytest, subtests: list[str]) -> None:
    """A broken should clause is reported at the end and fails nothing; with --tcop-fail-on should it fails the test."""
    clauses = "--tcop-clauses=TCM105,TCM104"
    lenient = inner(ONE_LINE, clauses, *subtests, target="apps.talkative_wsgi")
    assert lenient.ret == 0
    lenient.stdout.fnmatch_lines(
        ["tcop-mock: test_it.py::test_contract breaks without counting: TCM105 response-bounded"]
    )
    strict = inner(ONE_LINE, clauses, *subtests, "--tcop-fail-on=should", target="apps.talkative_wsgi")
    assert strict.ret == 1
    by_mark = f"import pytest\n@pytest.mark.tcop_clauses('TCM105', 'TCM104', fail_on='should')\n{ONE_LINE}"
    assert inner(by_mark, *subtests, target="apps.talkative_wsgi").ret == 1


@pytest.mark.parametrize("subtests", [[], ["-p", "no:subtests"]], ids=["subtests", "one-text"])
def test_a_contract_that_checked_nothing_is_no_pass(inner: RunPytest, subtests: list[str]) -> None:
    """A run in which no must clause was judged fails: here, all that is asked for needs an observer."""
    result = inner(ONE_LINE, "--tcop-clauses=TCM501", *subtests, target="apps.wsgi")
    assert result.ret == 1
    assert "Inconclusive: no must clause was checked." in text_of(result)


def test_what_is_left_out_says_why(inner: RunPytest) -> None:
    """Clauses that a mark leaves out are skipped with its reason; those of --tcop-skip are not there at all."""
    tests = f"import pytest\n@pytest.mark.tcop_skip_clause('TCM302', reason='mended next week')\n{ONE_LINE}"
    result = inner(tests, FEW, "--tcop-skip=TCM401", "-v", "-rs", target="apps.hasty_wsgi")
    output = text_of(result)
    assert result.ret == 0
    assert "SUBSKIPPED[TCM302 recover-time-zero]" in output
    assert "left out by the test: mended next week" in output
    assert "TCM401" not in output
    nothing = f"import pytest\n@pytest.mark.tcop_clauses('TCM302')\n{ONE_LINE}"
    result = inner(nothing, "--tcop-skip=TCM302", target="apps.wsgi")
    assert "tcop-mock: test_it.py::test_contract: --tcop-skip leaves no clause to check" in text_of(result)
    skipped_all = "import pytest\n@pytest.mark.tcop_skip_clause('TCM*', reason='all')\n" + ONE_LINE
    assert "no must clause was checked" in text_of(inner(skipped_all, FEW, target="apps.wsgi"))


def test_the_marks_of_a_test_change_what_is_sent(inner: RunPytest) -> None:
    """The profile of a mark decides which clauses hold, and its deadline how long an answer may take."""
    tests = """
import time, pytest, apps

def late(environ, start):
    time.sleep(0.3)
    return apps.wsgi(environ, start)

@pytest.fixture
def tcop_target():
    return late

@pytest.mark.tcop(profile="2025", deadline="10s")
@pytest.mark.tcop(profile="2019-ack")
@pytest.mark.tcop_clauses("TCM104")
def test_nearest_mark(tcop_contract):
    verdict = tcop_contract.check()
    assert verdict.profile == "2019-ack"

@pytest.mark.tcop(deadline=0.05)
@pytest.mark.tcop_clauses("TCM102")
def test_deadline(tcop_contract):
    tcop_contract.check()
"""
    result = inner(tests)
    assert "SUBFAILED[TCM102 ack-within-deadline] test_it.py::test_deadline" in text_of(result)
    assert outcomes(result)["passed"] == 1


def test_a_callable_is_checked_by_what_it_makes_of_callbacks(inner: RunPytest) -> None:
    """A callable gets callbacks as trees: what it raises breaks clauses about bodies, those about HTTP are not run."""
    for target in ("apps.takes", "apps.takes_later"):
        result = inner(ONE_LINE, "--tcop-clauses=TCM302,TCM401", "-v", target=target)
        assert outcomes(result) == {"passed": 1, "subtests": 1, "skipped": 1}
    output = text_of(inner(ONE_LINE, "--tcop-clauses=TCM302", "-v", target="apps.refuses_timeless"))
    assert "TCM302 recover-time-zero [must] is broken" in output
    assert "HTTP/1.1 400" in output
    assert "ValueError: when, please?" in output
    assert "needs http: tcop_target is a callable" in text_of(inner(ONE_LINE, "-v", FEW, "-rs", target="apps.takes"))


OBSERVED = """
import json, pytest, urllib.request, apps

@pytest.fixture
def incidents():
    return []

@pytest.fixture
def tcop_target(incidents):
    def receive(alarm):
        key = json.dumps([alarm["alarmPolicyInfo"]["policyId"], alarm["alarmObjInfo"]["dimensions"]])
        if key not in incidents:
            incidents.append(key)
    return receive

@pytest.fixture
def tcop_observer(incidents):
    return OBSERVER

@pytest.mark.tcop_clauses("TCM501")
def test_effects(tcop_contract):
    verdict = tcop_contract.check(effect_timeout_s=1.0)
"""


def test_an_observer_shows_what_a_receiver_did(inner: RunPytest) -> None:
    """With ``tcop_observer`` overridden by a callable, clauses about effects are judged."""
    result = inner(OBSERVED.replace("OBSERVER", 'lambda token: {"effects": incidents}'), "-v")
    assert outcomes(result) == {"passed": 1, "subtests": 1}
    blind = inner(OBSERVED.replace("OBSERVER", 'lambda token: {"effects": []}'))
    assert "TCM501 retry-idempotent [must] is inconclusive: " in text_of(blind)
    wrong = text_of(inner(OBSERVED.replace("OBSERVER", "7")))
    assert "tcop-mock: tcop_observer is of type int; give a callable that takes an object's id" in wrong


def test_a_stand_in_is_an_observer(inner: RunPytest) -> None:
    """A receiver that forwards to ``tcop_wecom`` is seen there, also when that is more than 20 messages a minute."""
    tests = """
import json, pytest, urllib.request

@pytest.fixture
def tcop_target(tcop_wecom):
    def receive(alarm):
        text = json.dumps(alarm["alarmObjInfo"]["dimensions"])
        message = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
        for _ in range(1 if tcop_wecom.callbacks else 30):
            urllib.request.urlopen(urllib.request.Request(tcop_wecom.url, message))
    return receive

@pytest.fixture
def tcop_observer(tcop_wecom):
    return tcop_wecom

@pytest.mark.tcop_clauses("TCM514")
def test_effects(tcop_contract, tcop_wecom):
    tcop_contract.check(effect_timeout_s=1.0)

def test_end(tcop_contract, tcop_wecom):
    tcop_contract
"""
    result = inner(tests, "--tcop-clauses=TCM506", "-k", "end or effects")
    assert "errcode 45009" not in text_of(result)


def test_reports_hold_what_all_tests_found(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """One file holds the results of all contract tests: of each clause the worst."""
    result = inner(
        TWO,
        "--tcop-report=json=report.json",
        "--tcop-report=junit=report.xml,text=report.txt",
        target="apps.hasty_wsgi",
    )
    result.stdout.fnmatch_lines(["tcop-mock: report json=report.json written"])
    document = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    assert [(clause["code"], clause["result"]) for clause in document["clauses"]] == [
        ("TCM104", "pass"),
        ("TCM302", "fail"),
        ("TCM401", "pass"),
    ]
    assert document["profile"] == "2023, 2019-ack"
    cases = ET.parse(pytester.path / "report.xml").getroot().iter("testcase")  # noqa: S314 - our own
    assert sum(case.find("failure") is not None for case in cases) == 1
    assert "TCM302" in (pytester.path / "report.txt").read_text(encoding="utf-8")


def test_a_report_of_one_test_is_its_verdict(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """The report of a single contract test names its own seed, profile and target."""
    inner(ONE_LINE, "--tcop-clauses=TCM104", "--tcop-report=json=report.json", target="'http://127.0.0.1:9/'")
    assert not (pytester.path / "report.json").exists()
    inner(ONE_LINE, "--tcop-clauses=TCM104", "--tcop-report=json=report.json", target="apps.wsgi")
    document = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    assert (document["target"], document["profile"]) == ("apps:wsgi", "2023")
    assert document["seed"] > 0


def test_a_report_that_cannot_be_is_reported(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """A report without a contract test, and one that cannot be written at the end, are reported; the last by code 4."""
    nothing = inner("def test(): pass", "--tcop-report=json=report.json")
    nothing.stdout.fnmatch_lines(["tcop-mock: no report report.json: no test called tcop_contract.check()"])
    tests = f"import os\n{ONE_LINE}\ndef test_spoils(): os.mkdir('report.json')"
    spoilt = inner(tests, "--tcop-clauses=TCM104", "--tcop-report=json=report.json", target="apps.wsgi")
    assert spoilt.ret == pytest.ExitCode.USAGE_ERROR
    spoilt.stdout.fnmatch_lines(["tcop-mock: no report: report 'report.json' is a folder; name a file"])
    assert pytester.path.exists()


def test_a_receiver_that_is_not_there_is_reported_in_a_line(inner: RunPytest) -> None:
    """A target that refuses connections fails the test in one line, which says how to wait for it."""
    output = text_of(inner(ONE_LINE, target="'http://u:secret@127.0.0.1:9/'"))
    [line] = [line for line in output.splitlines() if line.startswith("tcop-mock: ")]
    assert line.startswith("tcop-mock: http://***@127.0.0.1:9/ cannot be reached: ")
    assert line.endswith("tcop_contract.check(wait_s=30) gives a starting receiver time")
    assert "secret" not in output.replace("u:secret@127.0.0.1:9/'", "", 1)


def test_an_app_that_does_not_start_is_reported_in_a_line(inner: RunPytest) -> None:
    """The start-up error of an ASGI app is the message of the test that needs it."""
    output = text_of(inner(ONE_LINE, target="apps.sick_asgi"))
    assert "tcop-mock: apps:sick_asgi: the app did not start up: no database" in output


def test_ctrl_c_keeps_what_was_found(outer: RunPytestProcess, pytester: pytest.Pytester) -> None:
    """A contract that is interrupted ends at once, and its report holds what was found until then."""
    tests = """
import os, pytest, signal, threading, apps

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs in the background is started without it

def interrupting(environ, start):
    if environ["REQUEST_METHOD"] == "GET":
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()
    return apps.wsgi(environ, start)

@pytest.fixture
def tcop_target():
    return interrupting

def test_contract(tcop_contract):
    tcop_contract.check()
"""
    result = outer(tests, "--tcop-clauses=TCM104,TCM106", "--tcop-report=json=report.json")
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    document = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    assert "interrupted" in {clause["reason"] for clause in document["clauses"]}


def test_what_all_say_is_bounded(monkeypatch: pytest.MonkeyPatch, inner: RunPytest) -> None:
    """Of many broken clauses in one text, the first are reported in full, the others in one line each."""
    monkeypatch.setattr("tcop_mock.testing.contract._MAX_CHARS", 300)
    output = text_of(inner(ONE_LINE, FEW, "-p", "no:subtests", target="apps.hasty_wsgi"))
    assert "\n… and 1 more clause:\nTCM302 recover-time-zero [must] is broken: recoverTime" in output


def test_known_findings_fail_no_test(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """A finding in the baseline is skipped as known, a stale entry is shown, and other findings fail."""
    report = ["--tcop-report=json=report.json", FEW]
    (pytester.path / "known.json").write_text('{"version": 1, "findings": []}', encoding="utf-8")
    assert inner(ONE_LINE, *report, "--tcop-baseline=known.json", target="apps.hasty_wsgi").ret == 1
    document = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    [finding] = [one for clause in document["clauses"] for one in clause["findings"]]
    row = {"fingerprint": finding["fingerprint"], "clause": "TCM302", "first_seen": "2026-01-01"}
    gone = row | {"fingerprint": "0" * 16, "clause": "TCM104"}
    known = json.dumps({"version": 1, "findings": [row, gone]})
    (pytester.path / "known.json").write_text(known, encoding="utf-8")
    result = inner(TWO, *report[:1], "--tcop-baseline=known.json", "-v", "-rs", target="apps.hasty_wsgi")
    assert result.ret == 0
    assert "SUBSKIPPED[TCM302 recover-time-zero]" in text_of(result)
    assert "is known to be broken: recoverTime" in text_of(result)
    result.stdout.fnmatch_lines(["tcop-mock: test_it.py::test_one finds no more what known.json lists of TCM104"])
    document = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    assert document["summary"] == {"passed": 2, "failed": 0, "errors": 0, "not_run": 0, "known": 1}
    assert document["baseline"]["stale"] != []


def test_nothing_merges_to_nothing() -> None:
    """Verdicts are merged by clause, also where there is none."""
    assert merge_verdicts([], 7).results == ()


def test_the_help_names_all_report_formats() -> None:
    """The formats in the help of ``--tcop-report`` are those that reports have."""
    assert format_names() == pytest_plugin._REPORT_FORMATS
