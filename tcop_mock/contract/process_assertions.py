"""Assertions about the process of a receiver that the run has started: they push to it, end it and measure it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.contract.effect_assertions import Inconclusive
from tcop_mock.contract.receiver_control import shut_down_during

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.contract.receiver_control import ReceiverControl
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.process.system import ProcessSize

_OWN_TEXT = re.compile(rb'"(?:sessionId|policyId)"\s*:\s*"([^"\\]{8,})"')
"""What no other alarm has."""
_PUSHES_AT_STOP = 8
_OUTPUT_DELAY_S = 0.3
"""How long the output of a callback may take to come."""
_MIB = 1024 * 1024
_PACE = 0.8
"""Many callbacks are sent in this part of their time, as far as retries can help."""
_ENOUGH = 0.85
"""This part of the callbacks shows what all of them would."""
_ATTEMPTS = 4
"""At least one of so many is no retry, as TCOP pushes."""
_IDLE_WINDOW_S = 0.2
_IDLE_SHARE = 0.1
"""A process that computes for less than this part of the time has nothing to do."""
_SETTLE_S = 1.0
_LONG_SETTLE_S = 10.0
"""How long to wait until a receiver that has grown has worked off its queue."""


class ProcessFailure(NamedTuple):
    """What is wrong with a process."""

    text: str
    cause: str
    """The same in words that are the same in each run."""


ProcessResult: TypeAlias = ProcessFailure | Inconclusive | None


@dataclass(slots=True)
class ProcessProbe:
    """What assertions about a process use.

    Args:
        receiver: the receiver.
        cases: the callbacks of the clause.
        transport: sends a request.
        clock: returns seconds.
        sleep: pauses.
        deadline_s: of one attempt.
        in_flight: how many requests may be in flight.
        is_fresh: whether the receiver has started and got no callback yet.
    """

    receiver: ReceiverControl
    cases: Sequence[RequestCase]
    transport: Transport
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    in_flight: int
    is_fresh: bool = False
    last_attempt: Attempt | None = field(default=None, init=False)
    """The last attempt that was accepted, or else the last one."""
    retries: int = field(default=0, init=False)
    """How many of many callbacks were retries."""

    async def send(self, request: OutgoingRequest, deadline_s: float | None = None) -> Attempt:
        """Send one request."""
        self.is_fresh = False
        attempt = await self.transport(request, deadline_s=deadline_s or self.deadline_s)
        if attempt.accepted or self.last_attempt is None or not self.last_attempt.accepted:
            self.last_attempt = attempt
        return attempt

    async def send_many(self, numbers: range, limit_s: float) -> int:
        """Send numbered variants of the first case until the time is over; return how many requests had an answer.

        Where a receiver is too slow for all of them, retries take the place of most: one that has dealt with a session
        answers it at once.
        """
        request, started_s = self.cases[0].request, self.clock()
        remaining, answered, answered_index = iter(range(len(numbers))), 0, -1

        async def send_some() -> None:
            nonlocal answered, answered_index
            for place in remaining:
                elapsed_s = self.clock() - started_s
                if elapsed_s >= limit_s:
                    return
                is_late = elapsed_s > _PACE * limit_s * place / len(numbers)
                is_retry = is_late and answered_index >= 0 and place % _ATTEMPTS > 0
                self.retries += is_retry
                index = answered_index if is_retry else place
                attempt = await self.send(numbered(request, numbers[index]), min(self.deadline_s, limit_s - elapsed_s))
                if attempt.status is not None:
                    answered += 1
                    answered_index = index

        await asyncio.gather(*(send_some() for _ in range(self.in_flight)))
        return answered

    async def settled_size(self, limit_s: float) -> tuple[ProcessSize | None, bool]:
        """Return the size of the receiver when it computes no more, or the time is over; and whether it does not."""
        until_s = self.clock() + limit_s
        size, is_idle = await self.receiver.size(), False
        while size and not is_idle and self.clock() < until_s:
            before, started_s = size, self.clock()
            await self.sleep(_IDLE_WINDOW_S)
            size = await self.receiver.size()
            is_idle = size is not None and size.cpu_s - before.cpu_s <= _IDLE_SHARE * (self.clock() - started_s)
        return size, is_idle


def numbered(request: OutgoingRequest, number: int) -> OutgoingRequest:
    """Return a callback in a session of its own and about a policy of its own; other requests stay as they are."""
    body = request.body
    for text in _OWN_TEXT.findall(body):
        body = body.replace(text, text[:-4] + b"%04d" % number)
    return replace(request, body=body)


async def stops_in_time(probe: ProcessProbe, *, within_s: float) -> ProcessResult:
    """Assert that the receiver ends in time after SIGTERM, also while pushes are in flight.

    Args:
        probe: the receiver.
        within_s: how long it may take, in seconds.
    """
    request = probe.cases[0].request

    await probe.send(request)
    sends = [partial(probe.send, numbered(request, number)) for number in range(_PUSHES_AT_STOP)]
    stop = await shut_down_during(probe.receiver, sends, probe.sleep, within_s)
    await probe.receiver.restart()
    probe.is_fresh = True
    if stop.took_s is None:
        text = f"still runs {within_s:g} s after SIGTERM"
        return ProcessFailure(text, text)
    return None


async def size_bounded(  # noqa: PLR0913 - the keys of a clause file
    probe: ProcessProbe, *, first: int, further: int, max_mib: float, max_files: int, limit_s: float
) -> ProcessResult:
    """Assert that memory and open files of the receiver are bounded.

    Memory that grows too much is measured once more, after further callbacks: the heap of a fresh process grows without
    anything being kept.

    Args:
        probe: the receiver.
        first: after how many callbacks it is measured.
        further: after how many further ones it is measured again.
        max_mib: how much its memory may grow between the two, in MiB.
        max_files: how many more files it may have open.
        limit_s: how long the callbacks may take, in seconds.
    """
    if not probe.is_fresh:
        await probe.receiver.restart()
    first_limit_s = limit_s * first / (first + further)
    missing = first - await probe.send_many(range(first), first_limit_s)
    before, _ = await probe.settled_size(_SETTLE_S)
    if before is None:
        return Inconclusive("this system does not tell the size of a process (/proc)", not_applicable=True)
    growth = _Growth(0, 0.0, 0, is_idle=True)
    for start in (first, first + further):
        numbers = range(start, start + further)
        growth, after = await _grow(probe, before, numbers, limit_s - first_limit_s, (max_mib, max_files))
        missing += further - growth.callbacks
        if growth.files > max_files:
            text = f"{growth.files} more open files after {growth.callbacks} more callbacks"
            return ProcessFailure(text, "the number of open files grows")
        if growth.mib <= max_mib or not growth.is_idle:
            return _unclear(growth, max_mib, numbers.stop - missing, numbers.stop, limit_s)
        before = after
    kib = growth.mib * 1024 / growth.callbacks
    text = f"{growth.mib:.0f} MiB more memory after {growth.callbacks} more callbacks, {kib:.0f} KiB for each"
    return ProcessFailure(text, "the memory grows")


class _Growth(NamedTuple):
    """How much a process has grown."""

    files: int
    mib: float
    callbacks: int
    """After how many callbacks."""
    is_idle: bool
    """Whether it computes no more."""


async def _grow(
    probe: ProcessProbe, before: ProcessSize, numbers: range, limit_s: float, limits: tuple[float, int]
) -> tuple[_Growth, ProcessSize]:
    """Send callbacks and return how much the receiver has grown, and its size.

    Memory that says nothing of what is kept does not count. A receiver that has grown too much gets time to work off
    its queue. One that has ended has not grown.
    """
    answered = await probe.send_many(numbers, limit_s)
    growth, size = _Growth(0, 0.0, answered, is_idle=False), before
    for settle_s in (_SETTLE_S, _LONG_SETTLE_S):
        after, is_idle = await probe.settled_size(settle_s)
        size = after or before
        grown_bytes = 0 if size.reserves_memory else size.memory_bytes - before.memory_bytes
        growth = _Growth(size.open_files - before.open_files, grown_bytes / _MIB, answered, is_idle)
        if growth.mib <= limits[0] and growth.files <= limits[1]:
            break
    return growth, size


def _unclear(growth: _Growth, max_mib: float, answered: int, sent: int, limit_s: float) -> Inconclusive | None:
    """Return why the size of a receiver proves nothing; ``None`` if it is bounded."""
    if growth.mib > max_mib:
        return Inconclusive(f"it has grown by {growth.mib:.0f} MiB, but still has something to do")
    if answered < _ENOUGH * sent:
        reason = f"it answered {answered} of {sent} callbacks in {limit_s:g} s, too few to see what it keeps"
        return Inconclusive(reason, not_applicable=True)
    return None


async def output_keeps_secrets(probe: ProcessProbe) -> ProcessResult:
    """Assert that the receiver has printed neither the password nor the token during the whole run."""
    for case in probe.cases:
        await probe.send(case.request)
    await probe.sleep(_OUTPUT_DELAY_S)
    count, first = probe.receiver.leaks.result() if probe.receiver.leaks else (0, None)
    if first is None:
        return None
    more = f", and in {count - 1} more" if count > 1 else ""
    text = f"its output shows the credentials in line {first.line_number}{more}: {first.excerpt}"
    return ProcessFailure(text, "its output shows the credentials")


PROCESS_ASSERTIONS: dict[str, Callable[..., Awaitable[ProcessResult]]] = {
    assertion.__name__: assertion for assertion in (stops_in_time, size_bounded, output_keeps_secrets)
}
