"""The plugin with other plugins, each in a separate process."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from pytester_runs import RunPytest, RunPytestProcess

TOGETHER = """
import unittest, urllib.request
import pytest, tcop_mock

@tcop_mock.parametrize("cvm/*")
def test_shape(tcop_callback, tcop_receiver, record):
    urllib.request.urlopen(tcop_receiver.url, tcop_callback.to_bytes()).close()
    record(tcop_receiver.wait_for(1)[0].body)

@pytest.mark.tcop_clauses("TCM104", "TCM105", "TCM302")
def test_contract(tcop_contract):
    tcop_contract.check()

@pytest.mark.tcop_clauses("TCM104")
class TestTwo(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _tools(self, tcop_contract, tcop_alarm, tcop_sender):
        self.contract, self.alarm, self.sender = tcop_contract, tcop_alarm, tcop_sender

    def test_in_a_class(self):
        self.contract.check()
        self.assertTrue(self.sender.send(self.alarm()).accepted)

@pytest.fixture
def record(request):
    def write(body):
        with open(request.node.name.replace("/", "-"), "wb") as file:
            file.write(body)
    return write
"""


def document_of(pytester: pytest.Pytester) -> dict[str, object]:
    """Return the report of a run, without what differs from run to run: times."""
    text = (pytester.path / "report.json").read_text(encoding="utf-8")
    document: dict[str, object] = json.loads(re.sub(r"after [0-9.]+ s", "after some time", text))
    return {key: value for key, value in document.items() if key not in {"started", "duration_s"}}


def drawn(pytester: pytest.Pytester) -> dict[str, bytes]:
    """Return what each test of shapes has received."""
    return {file.name: file.read_bytes() for file in pytester.path.glob("test_shape*")}


def test_workers_find_what_one_process_finds(
    outer: RunPytestProcess, inner: RunPytest, pytester: pytest.Pytester
) -> None:
    """With pytest-xdist, in any order: the same callbacks, the same verdicts, one report, written once."""
    report = "--tcop-report=json=report.json"
    alone = inner(TOGETHER, report, target="apps.talkative_wsgi")
    assert alone.ret == 0, str(alone.stdout)
    before, bodies = document_of(pytester), drawn(pytester)
    assert len(bodies) > 3
    (pytester.path / "report.json").unlink()
    many = ("-n", "2", "--dist", "loadgroup")
    done = outer(TOGETHER, *many, report, target="apps.talkative_wsgi", beside=("xdist", "randomly"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("tcop-mock: report json=report.json written") == 1
    assert "breaks without counting: TCM105 response-bounded" in done.stdout
    times = ("started", "duration_s")
    assert {key: value for key, value in document_of(pytester).items() if key not in times} == {
        key: value for key, value in before.items() if key not in times
    }
    assert drawn(pytester) == bodies


def test_a_mistake_in_a_mark_is_reported_by_workers(outer: RunPytestProcess) -> None:
    """In a worker of pytest-xdist a wrong mark fails the tests that use us, each in a line, and no other test."""
    tests = """
import pytest

@pytest.mark.tcop(profle="2023")
def test_ours(tcop_alarm):
    tcop_alarm()

def test_theirs():
    pass
"""
    done = outer(tests, "-n", "1", beside=("xdist",))
    assert done.returncode == 1
    assert "1 passed, 1 error" in done.stdout
    assert "unknown argument 'profle' in the mark tcop; did you mean 'profile'?" in done.stdout
    assert "INTERNALERROR" not in done.stdout


ASYNC = """
import asyncio, pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def judged(sender, alarm, contract):
    deliveries = await asyncio.gather(sender.send(alarm()), sender.send(alarm(state="resolved")))
    assert [one.accepted for one in deliveries] == [True, True]
    await contract.check_async()
    contract.check()
    cancelled = asyncio.ensure_future(contract.check_async())
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

@pytest.mark.anyio
@pytest.mark.tcop_clauses("TCM104")
async def test_anyio(tcop_async_sender, tcop_alarm, tcop_contract):
    await judged(tcop_async_sender, tcop_alarm, tcop_contract)

@pytest.mark.asyncio
@pytest.mark.tcop_clauses("TCM104")
async def test_asyncio(tcop_async_sender, tcop_alarm, tcop_contract):
    await judged(tcop_async_sender, tcop_alarm, tcop_contract)

def test_sync(tcop_sender, tcop_alarm):
    assert tcop_sender.send(tcop_alarm()).accepted
"""


def test_asynchronous_tests(outer: RunPytestProcess) -> None:
    """Tests of pytest-asyncio and of anyio await the sender and the contract; synchronous ones stand beside them."""
    scope = "asyncio_default_fixture_loop_scope=function"
    done = outer(ASYNC, "-o", scope, target="apps.asgi", beside=("anyio", "asyncio"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_suite_that_does_not_use_us_is_left_alone(inner: RunPytest) -> None:
    """A suite without our fixtures and marks loads only the plugin's module, and gets no output."""
    tests = """
import sys

def test(request):
    before = request.config.pluginmanager.get_plugin("tcop_mock")
    assert before is not None
    assert not request.config.pluginmanager.hasplugin("tcop_mock.report_collector")
"""
    result = inner(tests)
    result.assert_outcomes(passed=1)
    assert "tcop" not in "".join(line for line in result.outlines if not line.startswith("plugins:"))


def test_the_plugin_can_be_left_out(inner: RunPytest) -> None:
    """With ``-p no:tcop_mock`` there is nothing of ours: no fixture, no mark, no option."""
    result = inner("def test(tcop_alarm): pass", "-p", "no:tcop_mock")
    assert "fixture 'tcop_alarm' not found" in str(result.stdout)
    assert "tcop" not in str(inner("def test(): pass", "-p", "no:tcop_mock", "--help").stdout).partition("[pytest]")[0]


def test_help_shows_options_fixtures_and_marks(inner: RunPytest) -> None:
    """The help of pytest names each option, fixture and mark."""
    options = str(inner("", "--help").stdout)
    assert "--tcop-target=URL|MODULE:APP" in options
    assert "tcop_allow_host (linelist)" in options
    fixtures = str(inner("", "--fixtures").stdout)
    assert "tcop_contract -- " in fixtures
    assert "The contract: ``tcop_contract.check()`` checks" in fixtures
    assert "@pytest.mark.tcop_skip_clause(*globs, reason=)" in str(inner("", "--markers").stdout)
