"""``fire,repeat:3,resolve``: the callbacks of an alarm's life, written down."""

from __future__ import annotations

import re

from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.model.alarm import State

_STEPS = {"fire": State.FIRING, "repeat": State.REPEATED, "resolve": State.RESOLVED}
_STEP = re.compile(r"([a-z]+)(?::(\d{1,6}))?")


def parse_lifecycle(text: str) -> tuple[tuple[State, int], ...]:
    """Return the states of a life in order, each with which occurrence it is (see ``Generator.callback``).

    Raises:
        UsageError: a step that is not there, a count where none belongs, or an order that no alarm has.
    """
    moments: list[tuple[State, int]] = []
    repeats = 0
    for step in text.split(","):
        match = _STEP.fullmatch(step.strip())
        if match is None or match[1] not in _STEPS:
            near = did_you_mean(step.strip().partition(":")[0], _STEPS)
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(f"lifecycle {text!r}: {step.strip()!r} is no step{hint}; write fire,repeat:3,resolve")
        state = _STEPS[match[1]]
        if match[2] and state is not State.REPEATED:
            raise UsageError(f"lifecycle {text!r}: only repeat takes a count; write fire,repeat:3,resolve")
        count = int(match[2] or 1)
        moments += [(state, repeats + number) for number in range(1, count + 1)]
        repeats += count if state is State.REPEATED else 0
    states = [state for state, _ in moments]
    if states != sorted(states, key=list(State).index) or max(map(states.count, (State.FIRING, State.RESOLVED))) > 1:
        raise UsageError(f"lifecycle {text!r}: an alarm fires, repeats and resolves in this order, once each")
    return tuple(moments)
