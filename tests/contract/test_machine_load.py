"""A receiver that other programs of its machine made late is not blamed for its burst."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from run_check import failed_codes
from timed_receivers import Timing, check_timed

from tcop_mock.contract.assertions import BUSY_MACHINE
from tcop_mock.contract.attribution import attributed_results
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.machine_load import LoadSample, MachineLoad, share_of_others
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus
from tcop_mock.process.system import ProcessSize
from tcop_mock.reports.summary import reason_text
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from tcop_mock.domain.contract import Clause

START = LoadSample(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
BUSY = LoadSample(at_s=6.0, total_s=12.0, idle_s=0.0, own_s=2.0, thread_s=0.5, waited_s=1.0)
"""Two processors; what the receiver and the run do takes three times as long as alone."""


class SizedReceiver:
    """A receiver whose process has a size, if there is any."""

    def __init__(self, size: ProcessSize | None) -> None:
        self._size = size

    async def size(self) -> ProcessSize | None:
        """Return it."""
        return self._size


def test_others_take_what_the_receiver_and_the_run_do_not() -> None:
    """Ten of twelve seconds."""
    assert share_of_others(START, BUSY) == pytest.approx(10 / 12)


@pytest.mark.parametrize(
    "sample",
    [
        BUSY._replace(idle_s=3.0),
        BUSY._replace(own_s=10.5),
        BUSY._replace(own_s=0.4),
        BUSY._replace(waited_s=0.1),
        BUSY._replace(total_s=0.0),
        BUSY._replace(thread_s=0.0),
        None,
    ],
    ids=["idle", "own work", "sleeps", "undisturbed", "no processors", "no thread", "not measured"],
)
def test_a_receiver_that_is_late_by_itself_has_no_excuse(sample: LoadSample | None) -> None:
    """Where a processor is idle, where it does the work itself, waits for something else, or is not disturbed."""
    assert share_of_others(START, sample) == 0.0
    assert share_of_others(None, sample) == 0.0


def test_a_sample_has_the_times_of_the_receiver_and_of_the_run() -> None:
    """They grow; without a size of the receiver there is no sample."""
    size = ProcessSize(1, 1, 100.0)
    sample = asyncio.run(MachineLoad(cast("Any", SizedReceiver(size)), monotonic_s).sample())
    assert asyncio.run(MachineLoad(cast("Any", SizedReceiver(None)), monotonic_s).sample()) is None
    if sys.platform == "linux":
        assert sample is not None
        assert sample.own_s > 100.0
        assert sample.total_s > sample.idle_s > 0.0


def check_burst(monkeypatch: pytest.MonkeyPatch, *samples: LoadSample | None, answer_s: float = 0.03) -> dict[str, Any]:
    """Return the results of a receiver with one worker, too slow for a burst, where the machine has this load."""
    left = list(samples)

    async def sample(_: MachineLoad) -> LoadSample | None:
        return left.pop(0)

    monkeypatch.setattr(MachineLoad, "sample", sample)
    receiver: Any = SimpleNamespace(leaks=None)
    verdict, _, _ = check_timed(
        lambda _request, _number: Timing(answer_s),
        ["TCM302", "TCM515"],
        workers=1,
        observation=ObservationConfig(receiver=receiver),
    )
    assert not left
    return {"failed": failed_codes(verdict)} | {result.clause.code: result for result in verdict.results}


def test_a_burst_on_a_busy_machine_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what took the time."""
    results = check_burst(monkeypatch, START, START, BUSY)
    assert results["failed"] == set()
    burst = results["TCM515"]
    assert burst.status is ClauseStatus.ERROR
    assert "while other programs took 83% of this machine's processor time" in reason_text(burst)


def test_a_burst_that_leaves_no_time_for_a_second_one_has_no_result_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver still works on the first one when a plain callback is late."""
    results = check_burst(monkeypatch, START, BUSY, answer_s=0.08)
    assert results["TCM515"].status is ClauseStatus.ERROR


def test_a_burst_on_an_idle_machine_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same receiver is too slow."""
    assert check_burst(monkeypatch, START, START, BUSY._replace(idle_s=6.0))["failed"] == {"TCM515"}


def test_what_was_late_beside_others_is_not_added_to_that() -> None:
    """The machine was busy before the burst, too; a rejection beside others still breaks the clause."""
    clauses = load_clauses()
    late = Failure(
        RequestCase("x", OutgoingRequest(b"{}")), Attempt(Outcome.TIMED_OUT, 0.0, 0.0, 5.0), "no answer beside others"
    )
    burst = ClauseResult(find_clause(clauses, "TCM515"), ClauseStatus.ERROR, reason=f"{BUSY_MACHINE}83%")
    results = {"TCM302": ClauseResult(find_clause(clauses, "TCM302"), ClauseStatus.PASS), "TCM515": burst}
    outcomes = {"TCM302": ClauseOutcome(skipped=(Exclusion("x", "x: late (TCM515)", late),))}

    def context_of(_clause: Clause, _codes: tuple[str, ...]) -> Any:
        raise AssertionError("there is no finding")

    assert attributed_results(results, outcomes, context_of)["TCM515"] == burst
