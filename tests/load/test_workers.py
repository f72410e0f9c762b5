"""A load in several processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import branch_coverage
import pytest
from load_samples import constant_stages, make_plan, run_load

from tcop_mock.callbacks.generator import Generator
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.target import Target
from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.load import worker_main
from tcop_mock.load.workers import WorkerPool, encode_frame
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from tcop_mock.load.stats import SecondStats


@pytest.fixture
def measured_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the branch coverage of the workers, too."""
    for name, value in branch_coverage.command_environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.proof
def test_several_processes_share_a_load() -> None:
    """Together they push what one would, no body twice, with the credentials; what they tell is added up."""
    sessions: list[str] = []
    seen: set[str] = set()

    def take(received: ReceivedRequest) -> Reply:
        sessions.append(json.loads(received.body)["sessionId"])
        seen.add(received.header("authorization"))
        return Reply(200)

    plan = make_plan("http://u:p@127.0.0.1:9/", stages=constant_stages(100, 0.6), workers=2)
    summary = run_load(take, plan).summary
    assert (summary.acked, summary.attempts, len(sessions), len(set(sessions))) == (60, 60, 60, 60)
    assert seen == {"Basic dTpw"}
    assert summary.connections >= 2
    assert sum(one.acked for one in summary.series) == 60


@pytest.mark.usefixtures("measured_workers")
@pytest.mark.parametrize("end_s", [20.0, 0.0], ids=["in time", "too late"])
def test_a_load_in_several_processes_can_be_cut_short(end_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers report their last results, cancelled ones included. A worker that takes too long is ended."""
    monkeypatch.setattr("tcop_mock.load.workers._STOP_TIMEOUT_S", end_s)

    async def run() -> tuple[set[int], dict[Outcome, int]]:
        first, counts = asyncio.Event(), dict.fromkeys(Outcome, 0)
        lanes: set[int] = set()

        async def take(_: ReceivedRequest) -> Reply:
            first.set()
            await asyncio.sleep(0.01)
            return Reply(200)

        def tell(lane: int, beat: SecondStats | None) -> None:
            lanes.add(lane)
            for (outcome, _), times in beat.counters.outcomes.items() if beat else ():
                counts[outcome] += times

        async with HttpServer(take) as sink:
            plan = make_plan(model=LoadModel.CLOSED, concurrency=2, workers=2)
            plan = replace(plan, target=Target.parse(sink.url))
            running = asyncio.create_task(WorkerPool(plan, Generator(1), (), "asyncio").run(tell))
            await first.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        return lanes, counts

    lanes, counts = asyncio.run(run())
    assert lanes <= {0, 1}
    assert counts[Outcome.REJECTED] == 0
    if end_s:
        assert lanes == {0, 1}
        assert counts[Outcome.CANCELLED] >= 1


@pytest.mark.usefixtures("measured_workers")
def test_a_worker_that_fails_says_so() -> None:
    """The error of a worker ends the load with its message."""
    plan = make_plan(workers=2, stages=constant_stages(10, 1), mix=(("nosuch/shape", 1.0),))
    with pytest.raises(TcopMockError, match="a worker failed: unknown shape 'nosuch/shape'"):
        asyncio.run(WorkerPool(plan, Generator(1), (), "asyncio").run(lambda *_: None))


def test_a_worker_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends without a word, for whatever reason, ends the load; its exit code is reported."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TcopMockError, match="ended without a report, with exit code 1"):
        asyncio.run(WorkerPool(make_plan(workers=1), Generator(1), (), "asyncio").run(lambda *_: None))


def test_who_started_a_worker_may_leave() -> None:
    """A worker whose standard input ends before it has its job ends, and says that there was none."""
    command = [sys.executable, "-m", "tcop_mock.load.worker_main", "asyncio"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=True)  # noqa: S603 - our own
    assert b"0 bytes read on a total of 4 expected bytes" in done.stdout
    assert done.stderr == b""
    assert len(encode_frame("x")) > 4


def test_what_a_worker_cannot_begin_is_reported(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error before the event loop exists is reported."""

    def missing(name: str) -> None:
        raise UsageError(f"no {name}")

    monkeypatch.setattr(worker_main, "loop_factory", missing)
    worker_main.main("uvloop")
    assert capsysbinary.readouterr().out == encode_frame("no uvloop")
