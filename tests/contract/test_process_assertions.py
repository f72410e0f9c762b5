"""Assertions about a process: each finds its bug, and none fails a conforming receiver."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from run_check import CATALOG
from virtual_time import run_in_virtual_time

from tcop_mock.callbacks.generator import Generator
from tcop_mock.contract.builders import process_callbacks
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.process_assertions import numbered
from tcop_mock.contract.process_runner import ProcessRunner
from tcop_mock.contract.receiver_control import OutputLeaks
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.errors import TargetError
from tcop_mock.process.system import ProcessSize

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

KIB = 1024
CREDENTIALS = Credentials(Secret("tcop"), Secret("hunter2"))


@dataclass
class SimulatedReceiver:
    """A receiver that is a few numbers: what it keeps of each callback, and how long it takes.

    Args:
        kib: how much memory it keeps of each alarm.
        files: how many files it leaves open for each alarm.
        heap_kib: how much its heap grows with each alarm until it is full.
        heap_limit_kib: where the heap is full.
        reserves_memory: whether its runtime is Java's or .NET's.
        delay_s: how long it takes for a new alarm.
        dies_after: after how many alarms it ends.
        queue_kib: how much memory a waiting alarm takes.
        works_s: how long it works on an alarm after its answer; without end if it is more than 1000.
        stop_s: how long it takes to end; ``None``: forever.
        output: what it prints for each callback.
        has_size: whether the system reports its size.
        starts: how often it can start again.
    """

    kib: float = 0.0
    files: int = 0
    heap_kib: float = 0.0
    heap_limit_kib: float = 0.0
    reserves_memory: bool = False
    delay_s: float = 0.001
    dies_after: int = 1_000_000
    queue_kib: float = 0.0
    works_s: float = 0.0
    stop_s: float | None = 0.1
    output: bytes = b""
    has_size: bool = True
    starts: int = 9
    leaks: OutputLeaks | None = None
    clock: Callable[[], float] = lambda: 0.0
    alarms: set[bytes] = field(default_factory=set)
    busy_until_s: float = 0.0

    async def crash(self) -> None:
        """End it and start it again."""
        await self.restart()

    async def restart(self) -> None:
        """Start it again, without memory."""
        if not self.starts:
            raise TargetError("it does not listen")
        self.starts -= 1
        self.alarms.clear()

    async def shut_down(self, limit_s: float) -> float | None:
        """Return how long it took to end."""
        await asyncio.sleep(self.stop_s or limit_s)
        return self.stop_s

    async def size(self) -> ProcessSize | None:
        """Return its size."""
        count = len(self.alarms)
        if not self.has_size or count >= self.dies_after:
            return None
        waiting_s = max(0.0, self.busy_until_s - self.clock())
        waiting = waiting_s / self.works_s if self.works_s else 0.0
        kept_kib = self.kib * count + min(self.heap_kib * count, self.heap_limit_kib) + self.queue_kib * waiting
        cpu_s = min(self.clock(), self.busy_until_s) if self.works_s else 0.0
        return ProcessSize(int(kept_kib * KIB), 5 + self.files * count, cpu_s, self.reserves_memory)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Answer a request."""
        started_s, is_new = self.clock(), request.body not in self.alarms
        await asyncio.sleep(min(self.delay_s, deadline_s) if is_new else 0.001)
        self.alarms.add(request.body)
        self.busy_until_s = max(self.busy_until_s, self.clock()) + self.works_s * is_new
        if self.leaks:
            self.leaks.feed(self.output)
        is_answered = len(self.alarms) < self.dies_after and self.delay_s <= deadline_s
        outcome = Outcome.ACKED if is_answered else Outcome.TIMED_OUT
        status = 200 if is_answered else None
        return Attempt(outcome, intended_s or started_s, started_s, self.clock(), status=status)


TENTH = {"first": 50, "further": 150, "max_kib": 16, "noise_mib": 0.6, "max_files": 10, "limit_s": 0.6}
"""The parameters of TCM704, each but that for one callback a tenth of what it is."""


def outcome_of(code: str, receiver: SimulatedReceiver) -> ClauseOutcome:
    """Return the outcome of a clause; that about the size sends a tenth of its callbacks."""
    clause = find_clause(load_clauses(), code)
    if code == "TCM704":
        [invocation] = clause.assertions
        assert {name: value / 10 for name, value in invocation.params.items()} == {**TENTH, "max_kib": 1.6}
        clause = replace(clause, assertions=(replace(invocation, params=TENTH),))
    factory = CaseFactory(CATALOG, Generator(7), code, CREDENTIALS)
    test = process_callbacks(factory, **clause.builder.params)

    def run(clock: Callable[[], float]) -> Coroutine[Any, Any, ClauseOutcome]:
        receiver.clock = clock
        runner = ProcessRunner(receiver, receiver, clock, asyncio.sleep, 5.0, 4)
        return runner.run(clause, test)

    return run_in_virtual_time(run)


@pytest.mark.parametrize(
    "receiver, text",
    [
        (SimulatedReceiver(kib=20.5), "3 MiB more memory after 150 more callbacks, 20 KiB for each"),
        (SimulatedReceiver(kib=30, delay_s=0.009), "KiB for each"),
        (SimulatedReceiver(files=1), "150 more open files after 150 more callbacks"),
        (SimulatedReceiver(files=1, reserves_memory=True), "150 more open files after 150 more callbacks"),
        (SimulatedReceiver(files=1, delay_s=0.05), "36 more open files after "),
    ],
    ids=["memory", "memory-of-a-slow-one", "files", "files-of-java", "files-of-a-slow-one"],
)
def test_a_receiver_that_keeps_too_much_of_each_callback_fails(receiver: SimulatedReceiver, text: str) -> None:
    """A leak fails in each runtime and for slow receivers; its cause has no numbers."""
    [failure] = outcome_of("TCM704", receiver).failures
    assert text in failure.text
    assert failure.cause in {"the memory grows", "the number of open files grows"}


@pytest.mark.parametrize(
    "receiver",
    [
        SimulatedReceiver(kib=12),
        SimulatedReceiver(kib=8, heap_kib=40, heap_limit_kib=6 * KIB),
        SimulatedReceiver(kib=150, reserves_memory=True),
        SimulatedReceiver(queue_kib=30, works_s=0.004),
    ],
    ids=["keeps-alarms", "has-a-heap", "java", "has-a-queue"],
)
def test_a_receiver_of_bounded_size_does_not_fail(receiver: SimulatedReceiver) -> None:
    """It keeps alarms, grows its heap until it is warm, reserves memory, or works after its answers."""
    outcome = outcome_of("TCM704", receiver)
    assert (outcome.failures, outcome.inconclusive, outcome.not_applicable) == ((), (), ())
    assert outcome.asserted


def test_retries_help_a_slow_receiver() -> None:
    """A slow receiver that handles retries fast is measured with them, and a note says so."""
    outcome = outcome_of("TCM704", SimulatedReceiver(delay_s=0.01))
    assert outcome.asserted
    [note] = outcome.notes
    assert re.fullmatch(r"the receiver is slow: \d+ of 200 callbacks were accepted in time, \d+ of them retries", note)


@pytest.mark.parametrize(
    "receiver, reason",
    [
        (SimulatedReceiver(delay_s=0.5), "callbacks were accepted in time, too few to see what it keeps"),
        (SimulatedReceiver(has_size=False), "does not tell the size of a process (/proc)"),
        (SimulatedReceiver(dies_after=70), "too few to see what it keeps"),
        (SimulatedReceiver(queue_kib=30, works_s=1.0), "MiB, but still has something to do"),
        (SimulatedReceiver(starts=0), "it does not listen"),
    ],
    ids=["slow", "no-proc", "dies", "never-idle", "does-not-start"],
)
def test_a_size_that_cannot_be_checked_is_reported(receiver: SimulatedReceiver, reason: str) -> None:
    """A size that cannot be measured is inconclusive with a reason, and no failure."""
    outcome = outcome_of("TCM704", receiver)
    [reported] = outcome.inconclusive or outcome.not_applicable
    assert reason in reported
    assert not outcome.failures


def test_a_receiver_that_does_not_end_fails() -> None:
    """After 10 s; one that ends in time is not, and is started again."""
    [failure] = outcome_of("TCM703", SimulatedReceiver(stop_s=None)).failures
    assert failure.text == "still runs 10 s after SIGTERM"
    assert failure.title == "the receiver"
    receiver = SimulatedReceiver(stop_s=9.0)
    assert not outcome_of("TCM703", receiver).failures
    assert receiver.starts == 8


def test_credentials_in_the_output_are_a_failure() -> None:
    """The finding says in which line, and masks them."""
    line = f"POST / Basic {CREDENTIALS.token().reveal()}\n".encode()
    [failure] = outcome_of("TCM705", SimulatedReceiver(output=line, leaks=OutputLeaks(CREDENTIALS))).failures
    assert failure.text == "its output shows the credentials in line 1, and in 3 more: POST / Basic ***"
    quiet = SimulatedReceiver(output=b"POST / of tcop\n", leaks=OutputLeaks(CREDENTIALS))
    assert not outcome_of("TCM705", quiet).failures


def test_each_callback_is_another_alarm() -> None:
    """Session and policy differ, the length does not."""
    request = CaseFactory(CATALOG, Generator(7), "TCM704").plain_case().request
    bodies = {numbered(request, number).body for number in range(100)}
    assert (len(bodies), {len(body) for body in bodies}) == (100, {len(request.body)})


def test_a_clause_that_is_cut_short_has_no_result() -> None:
    """A clause about the process that is cut short has an empty outcome."""
    outcome = ProcessRunner.outcome_so_far(
        load_clauses()[0], process_callbacks(CaseFactory(CATALOG, Generator(7), "X"))
    )
    assert outcome == ClauseOutcome()
