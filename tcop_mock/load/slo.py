"""``p99<500ms,errors<0.1%,lost=0``: read objectives, and hold a load to them."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.load import Held, Model, Objective
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.domain.load_summary import LoadSummary

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_OBJECTIVE = re.compile(r"([A-Za-z][\w.-]*)\s*(<=|>=|==|=|<|>)\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|%|/s|)")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
_COUNTS: dict[str, Callable[[LoadSummary], tuple[int, int]]] = {
    "errors": lambda load: (load.failed, load.attempts),
    "acked": lambda load: (load.acked, load.attempts),
    "late": lambda load: (load.late, load.attempts),
    "over5s": lambda load: (load.over_limit, load.over_limit_of),
    "dropped": lambda load: (load.dropped, load.attempts + load.dropped),
    "lost": lambda load: (load.lost, load.notifications),
    "duplicates": lambda load: (load.duplicates, load.notifications),
}
"""How many, and of how many."""
_NUMBERS: dict[str, Callable[[LoadSummary], float]] = {
    "rate": lambda load: load.rate,
    "amplification": lambda load: load.amplification,
}
_ONLY_OF = {
    "amplification": ({Model.SCRIPT}, "nothing is pushed again but in a storm: play one with --scenario"),
    "duplicates": ({Model.SCRIPT}, "nothing is pushed again but in a storm: play one with --scenario"),
    "recovery": ({Model.SCRIPT}, "it is measured of a storm's end: play one with --scenario"),
    "late": ({Model.OPEN, Model.SCRIPT}, "a closed load has no schedule to be late for: leave --concurrency out"),
    "dropped": ({Model.OPEN}, "only an open load gives up what it cannot begin: leave --concurrency or --scenario out"),
}
"""Measures that the other models have none of, and why."""
_TIMES = ("max", "mean", "recovery")
NAMES = ("p50", "p90", "p95", "p99", "p99.9", *_TIMES, *_COUNTS, *_NUMBERS)
"""What can be measured; any other percentile, too."""


class _Measure(NamedTuple):
    """What a name of an objective stands for."""

    units: frozenset[str]
    hint: str


def _measure(name: str) -> _Measure | None:
    if name in _TIMES or _PERCENTILE.fullmatch(name):
        return _Measure(frozenset(_UNITS_S), "is a time: write 500ms, 2s or 1m")
    if name in _COUNTS:
        return _Measure(frozenset({"%", ""}), "is counted: write a share as in 0.1%, or a whole number")
    if name == "rate":
        return _Measure(frozenset({"/s", ""}), "is a number a second: write 1000 or 1000/s")
    return _Measure(frozenset({""}), "is a ratio: write a number as in 1.5") if name in _NUMBERS else None


def parse_objectives(texts: Iterable[str], model: Model) -> tuple[Objective, ...]:
    """Read the objectives of each ``--slo``.

    Args:
        texts: each holds one or several, with commas between them.
        model: of the load that is held to them.

    Raises:
        UsageError: what is wrong with one, and how it should look; also of one that such a load could not break.
    """
    found = tuple(_objective(part.strip()) for text in texts for part in text.split(","))
    for one in found:
        models, why = _ONLY_OF.get(one.name, ({model}, ""))
        if model not in models:
            raise UsageError(f"--slo {one.name}: {why}")
    return found


def _objective(text: str) -> Objective:
    match = _OBJECTIVE.fullmatch(text)
    if match is None:
        raise UsageError(f"--slo {text!r}: write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0")
    name, relation, number, unit = match.groups()
    measure = _measure(name)
    if measure is None:
        near = did_you_mean(name, NAMES)
        hint = f"; did you mean {near}?" if near else f"; one of {', '.join(NAMES)}"
        raise UsageError(f"--slo {text!r}: nothing called {name!r} is measured{hint}")
    if unit not in measure.units or (name in _COUNTS and not unit and not number.isdecimal()):
        raise UsageError(f"--slo {text!r}: {name} {measure.hint}")
    bound = float(number) * _UNITS_S.get(unit, 0.01 if unit == "%" else 1.0)
    return Objective(text, name, relation.replace("==", "="), bound, is_share=unit == "%")


def hold(objectives: Iterable[Objective], load: LoadSummary) -> tuple[Held, ...]:
    """Hold a load to its objectives; one of which nothing was measured is broken."""
    return tuple(_hold(one, load) for one in objectives)


def _hold(objective: Objective, load: LoadSummary) -> Held:
    value, measured = _measured(objective, load)
    kept = value is not None and _RELATIONS[objective.relation](value, objective.bound)
    return Held(objective, kept, measured)


def _measured(objective: Objective, load: LoadSummary) -> tuple[float | None, str]:
    name = objective.name
    if name in _COUNTS:
        part, whole = _COUNTS[name](load)
        if not objective.is_share:
            return part, f"{part} of {whole}"
        return (part / whole, f"{part} of {whole} ({100 * part / whole:.4g}%)") if whole else (None, "nothing was sent")
    if name in _NUMBERS:
        value = _NUMBERS[name](load)
        return (value, f"{value:.4g}") if load.attempts else (None, "nothing was sent")
    if name == "recovery":
        seconds, nothing = None if load.interrupted else load.recovery_s, "the storm did not come to its end"
    else:
        seconds, nothing = _time_s(name, load), "nothing was acked"
    return (None, nothing) if seconds is None else (seconds, _shown_s(seconds))


def _time_s(name: str, load: LoadSummary) -> float | None:
    acks = load.acks
    if not acks.count:
        return None
    if name == "max":
        return acks.max_s
    return acks.mean_s if name == "mean" else acks.percentile(float(name[1:]))


def _shown_s(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms" if seconds < 1 else f"{seconds:.4g} s"
