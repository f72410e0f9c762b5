"""When an alarm is told: how old it is at its firing, at its repeats and at its end, and when it fires again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.generate.cells import BYTES
from tcop_mock.model.alarm import NotifyType, State

if TYPE_CHECKING:
    from tcop_mock.model.alarm import Alarm

_DAY_S = 86_400
"""The documentation of triggering: after a day an alarm is told once a day, whatever its frequency."""
_UNREPEATED_SPAN_S = 3600
"""How long an alarm that is told once lasts at the most."""


class Moment(NamedTuple):
    """One callback in the life of an alarm."""

    state: State = State.FIRING
    occurrence: int = 1
    """Which repeat it is, from 1; for a resolve, how many repeats it outlived, and one."""
    before: tuple[int, ...] = ()
    """Occurrences of the resolves behind it: an alarm that was over fires again, and is then one more life old."""

    @property
    def key(self) -> tuple[object, ...]:
        """What its chance comes from, beside the alarm's."""
        return (self.state, self.occurrence, self.before) if self.before else (self.state, self.occurrence)


def ages_s(alarm: Alarm, moment: Moment) -> tuple[int, ...]:
    """Return the age, or for a resolve the 256 equally likely ages, at one callback of an alarm.

    Args:
        alarm: gives the policy's periods.
        moment: of the callback.
    """
    state, occurrence, _ = moment
    if state is State.FIRING:
        return (0,)
    if state is State.REPEATED:
        return (_repeated_s(alarm, occurrence),)
    before_s, next_s = _repeated_s(alarm, occurrence - 1), _repeated_s(alarm, occurrence)
    span = (next_s - before_s) // alarm.period_s
    return tuple(before_s + alarm.period_s * (1 + at * span // BYTES) for at in range(BYTES))


def again_s(alarm: Alarm, moment: Moment) -> int:
    """Return how long after its first firing the life of an alarm begins that a moment is of.

    It fires again when each life behind it is over, however long that was, and its condition has held anew for all
    the periods that the policy wants.
    """
    wait_s = alarm.period_s * alarm.period_num
    return sum(max(ages_s(alarm, Moment(State.RESOLVED, outlived))) + wait_s for outlived in moment.before)


def _repeated_s(alarm: Alarm, number: int) -> int:
    """Return how old an alarm is at its n-th repeat.

    An exponential alarm is told on the 1st, 2nd, 4th, 8th ... occurrence, so its n-th repeat is 2**n - 1 periods old.
    """
    every_s = alarm.notify_period_s or _UNREPEATED_SPAN_S
    in_a_day = _DAY_S // every_s
    exponential = alarm.notify_type is NotifyType.EXPONENTIAL
    most = (in_a_day + 1).bit_length() - 1 if exponential else in_a_day
    periods = (1 << min(number, most)) - 1 if exponential else min(number, most)
    return periods * every_s + max(0, number - most) * _DAY_S
