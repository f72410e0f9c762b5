"""``fire,repeat:3,resolve,fire``: the callbacks of an alarm's life, or of several, written down."""

from __future__ import annotations

import re

from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.generate.ages import Moment
from tcop_mock.model.alarm import State

_STEPS = {"fire": State.FIRING, "repeat": State.REPEATED, "resolve": State.RESOLVED}
_STEP = re.compile(r"([a-z]+)(?::(\d{1,6}))?")


def parse_lifecycle(text: str) -> tuple[Moment, ...]:
    """Return the callbacks of a life in order; after a resolve the alarm may fire again.

    Raises:
        UsageError: a step that is not there, a count where none belongs, or an order that no alarm has.
    """
    moments: list[Moment] = []
    before: tuple[int, ...] = ()
    repeats = 0
    for step in text.split(","):
        state, count = _read(text, step.strip())
        if moments and state is State.FIRING:
            if moments[-1].state is not State.RESOLVED:
                raise UsageError(f"lifecycle {text!r}: an alarm fires again when it has been resolved")
            before, repeats = (*before, moments[-1].occurrence), 0
        elif moments and moments[-1].state is State.RESOLVED:
            raise UsageError(f"lifecycle {text!r}: behind a resolve comes nothing, or fire")
        if state is State.REPEATED:
            moments += [Moment(state, repeats + number, before) for number in range(1, count + 1)]
            repeats += count
        else:
            moments.append(Moment(state, repeats + 1 if state is State.RESOLVED else 1, before))
    return tuple(moments)


def _read(text: str, step: str) -> tuple[State, int]:
    match = _STEP.fullmatch(step)
    if match is None or match[1] not in _STEPS:
        near = did_you_mean(step.partition(":")[0], _STEPS)
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"lifecycle {text!r}: {step!r} is no step{hint}; write fire,repeat:3,resolve")
    state = _STEPS[match[1]]
    if match[2] and state is not State.REPEATED:
        raise UsageError(f"lifecycle {text!r}: only repeat takes a count; write fire,repeat:3,resolve")
    return state, int(match[2] or 1)
