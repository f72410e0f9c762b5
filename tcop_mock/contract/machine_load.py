"""Measures whether other programs of this machine made a receiver late: on Linux, for one that the run has started."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.process.system import processor_times, thread_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.contract.receiver_control import ReceiverControl

_MAX_IDLE_SHARE = 0.1
_MIN_OTHERS_SHARE = 0.2
_MIN_SLOWDOWN = 1.5
_MIN_WORK_SHARE = 0.5
"""Share of the time in which the receiver and the run worked, or waited for a processor. A receiver that waits for
something else is late on an idle machine, too."""


class LoadSample(NamedTuple):
    """Times in seconds at one moment, all of them growing."""

    at_s: float
    total_s: float
    """Of all processors."""
    idle_s: float
    own_s: float
    """Processor time of the receiver and of this process."""
    thread_s: float
    """Processor time of this thread."""
    waited_s: float
    """How long this thread was ready to run and had no processor."""


@dataclass(frozen=True, slots=True)
class MachineLoad:
    """Measures the load of the machine.

    Args:
        receiver: the receiver.
        clock: clock in seconds.
    """

    receiver: ReceiverControl
    clock: Callable[[], float]

    async def sample(self) -> LoadSample | None:
        """Return the times of this moment; ``None`` if the system does not show them."""
        size = await self.receiver.size()
        processors, thread = processor_times(), thread_times()
        if processors is None or thread is None or size is None:
            return None
        own_s = size.cpu_s + time.process_time()
        return LoadSample(self.clock(), processors.total_s, processors.idle_s, own_s, thread.ran_s, thread.waited_s)


def share_of_others(before: LoadSample | None, after: LoadSample | None) -> float:
    """Return the share of the processor time that other programs took, if that made the receiver late; else 0.

    Args:
        before: sample at the begin of the time in which it was late.
        after: sample at its end.
    """
    if before is None or after is None:
        return 0.0
    took = LoadSample(*(end - begin for begin, end in zip(before, after, strict=True)))
    if not took.total_s or not took.thread_s:
        return 0.0
    others = (took.total_s - took.idle_s - took.own_s) / took.total_s
    slowdown = (took.thread_s + took.waited_s) / took.thread_s
    is_short_of_time = took.idle_s <= _MAX_IDLE_SHARE * took.total_s and slowdown >= _MIN_SLOWDOWN
    is_at_work = took.own_s * slowdown >= _MIN_WORK_SHARE * took.at_s
    return others if is_short_of_time and is_at_work and others >= _MIN_OTHERS_SHARE else 0.0
