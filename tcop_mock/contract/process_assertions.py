"""Assertions about the process of a receiver that the run has started: they push to it, end it and measure it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tcop_mock.contract.receiver_control import shut_down_during
from tcop_mock.domain.contract import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.contract.receiver_control import ReceiverControl
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport
    from tcop_mock.process.system import ProcessSize

_OWN_TEXT = re.compile(rb'"(?:sessionId|policyId)"\s*:\s*"([^"\\]{8,})"')
"""A value that no other alarm has."""
_PUSHES_AT_STOP = 8
_OUTPUT_DELAY_S = 0.3
"""Maximum time in seconds until the output about a callback appears."""
_KIB = 1024
_ROUNDS = 3
"""Number of consecutive measurements with too much growth that fail a receiver."""
_PACE = 0.8
"""Many callbacks are sent in this part of their time, as far as retries can help."""
_ATTEMPTS = 4
"""Number of requests of which at least one is not a retry, as in TCOP's deliveries."""
_IDLE_WINDOW_S = 0.2
_IDLE_SHARE = 0.1
"""A process that computes for less than this part of the time has nothing to do."""
_SETTLE_S = 1.0
_LONG_SETTLE_S = 10.0
"""Maximum time in seconds to wait until a receiver that has grown has processed its queue."""


class ProcessFailure(NamedTuple):
    """Failure of a process."""

    text: str
    cause: str
    """The same in words that are the same in each run."""


ProcessResult: TypeAlias = ProcessFailure | Inconclusive | None


@dataclass(slots=True)
class ProcessProbe:
    """Context of assertions about a process.

    Args:
        receiver: the receiver.
        cases: the callbacks of the clause.
        transport: sends a request.
        clock: clock in seconds.
        sleep: coroutine that pauses.
        deadline_s: deadline of one attempt.
        in_flight: maximum number of requests in flight.
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
    """Number of retries among many callbacks."""
    note: str = field(default="", init=False)
    """Notes of a passed clause for the reader."""

    async def send(self, request: OutgoingRequest, deadline_s: float | None = None) -> Attempt:
        """Send one request."""
        self.is_fresh = False
        attempt = await self.transport(request, deadline_s=deadline_s or self.deadline_s)
        if attempt.accepted or self.last_attempt is None or not self.last_attempt.accepted:
            self.last_attempt = attempt
        return attempt

    async def send_many(self, numbers: range, limit_s: float) -> int:
        """Send numbered variants of the first case until the time is over; return how many requests were accepted.

        Where a receiver is too slow for all of them, retries take the place of most: one that has dealt with a session
        answers it at once.
        """
        request, started_s = self.cases[0].request, self.clock()
        remaining, accepted, accepted_index = iter(range(len(numbers))), 0, -1

        async def send_some() -> None:
            nonlocal accepted, accepted_index
            for place in remaining:
                elapsed_s = self.clock() - started_s
                if elapsed_s >= limit_s:
                    return
                is_late = elapsed_s > _PACE * limit_s * place / len(numbers)
                is_retry = is_late and accepted_index >= 0 and place % _ATTEMPTS > 0
                self.retries += is_retry
                index = accepted_index if is_retry else place
                attempt = await self.send(numbered(request, numbers[index]), min(self.deadline_s, limit_s - elapsed_s))
                if attempt.accepted or attempt.status == HTTPStatus.CONFLICT:  # the receiver has it already
                    accepted += 1
                    accepted_index = index

        await asyncio.gather(*(send_some() for _ in range(self.in_flight)))
        return accepted

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
    """Return a callback with a new session and policy; other requests stay unchanged."""
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


class _Limits(NamedTuple):
    """Limits of the growth of a process."""

    kib: float
    """Memory for each callback."""
    noise_mib: float
    """Memory that it may always take."""
    files: int


class _Growth(NamedTuple):
    """Growth of a process."""

    files: int
    mib: float
    callbacks: int
    """After how many callbacks."""
    is_idle: bool
    """Whether it computes no more."""

    def has_too_much_memory(self, limits: _Limits) -> bool:
        """Return whether it has more memory than it may have."""
        return self.mib > max(limits.noise_mib, limits.kib * self.callbacks / _KIB)


async def size_bounded(  # noqa: PLR0913 - the keys of a clause file
    probe: ProcessProbe,
    *,
    first: int,
    further: int,
    max_kib: float,
    noise_mib: float,
    max_files: int,
    limit_s: float,
) -> ProcessResult:
    """Assert that memory and open files of the receiver are bounded.

    Memory that grows too much is measured twice more, after as many callbacks again: the heap of a fresh process grows
    without anything being kept.

    Args:
        probe: the receiver.
        first: after how many callbacks it is measured.
        further: after how many further ones it is measured again.
        max_kib: how much its memory may grow between the two for each callback, in KiB.
        noise_mib: how much it may grow in any case, in MiB.
        max_files: how many more files it may have open.
        limit_s: how long the callbacks may take, in seconds.
    """
    limits = _Limits(max_kib, noise_mib, max_files)
    if not probe.is_fresh:
        await probe.receiver.restart()
    first_limit_s = limit_s * first / (first + further)
    accepted = await probe.send_many(range(first), first_limit_s)
    before, _ = await probe.settled_size(_SETTLE_S)
    if before is None:
        return Inconclusive("this system does not tell the size of a process (/proc)", not_applicable=True)
    growth = _Growth(0, 0.0, 0, is_idle=True)
    for number in range(_ROUNDS):
        numbers = range(first + number * further, first + (number + 1) * further)
        growth, after = await _grow(probe, before, numbers, limit_s - first_limit_s, limits)
        accepted += growth.callbacks
        if growth.files > max_files:
            text = f"{growth.files} more open files after {growth.callbacks} more callbacks"
            return ProcessFailure(text, "the number of open files grows")
        if not growth.has_too_much_memory(limits) or not growth.is_idle:
            return _without_failure(probe, growth, limits, f"{accepted} of {numbers.stop} callbacks")
        before = after
    kib = growth.mib * _KIB / max(growth.callbacks, 1)
    text = f"{growth.mib:.0f} MiB more memory after {growth.callbacks} more callbacks, {kib:.0f} KiB for each"
    return ProcessFailure(text, "the memory grows")


async def _grow(
    probe: ProcessProbe, before: ProcessSize, numbers: range, limit_s: float, limits: _Limits
) -> tuple[_Growth, ProcessSize]:
    """Send callbacks and return the growth of the receiver, and its resource use.

    Memory of runtimes with late garbage collection does not count. A receiver that has grown too much gets time to
    process its queue. One that has ended has not grown.
    """
    accepted = await probe.send_many(numbers, limit_s)
    growth, size = _Growth(0, 0.0, accepted, is_idle=False), before
    for settle_s in (_SETTLE_S, _LONG_SETTLE_S):
        after, is_idle = await probe.settled_size(settle_s)
        size = after or before
        grown_bytes = 0 if size.reserves_memory else size.memory_bytes - before.memory_bytes
        growth = _Growth(size.open_files - before.open_files, grown_bytes / _KIB**2, accepted, is_idle)
        if not growth.has_too_much_memory(limits) and growth.files <= limits.files:
            break
    return growth, size


def _without_failure(probe: ProcessProbe, growth: _Growth, limits: _Limits, counts: str) -> Inconclusive | None:
    """Return why the growth of a receiver is inconclusive; ``None`` if it is bounded."""
    if growth.has_too_much_memory(limits):
        return Inconclusive(f"it has grown by {growth.mib:.0f} MiB, but still has something to do")
    if growth.callbacks * limits.kib < limits.noise_mib * _KIB:
        return Inconclusive(f"{counts} were accepted in time, too few to see what it keeps", not_applicable=True)
    if probe.retries:
        probe.note = f"the receiver is slow: {counts} were accepted in time, {probe.retries} of them retries"
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
