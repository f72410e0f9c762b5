"""Service level objectives such as ``p99<500ms,errors<0.1%,lost=0``: parse and evaluate them."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel, Objective, ObjectiveResult, ObjectiveStatus
from tcop_mock.domain.load_summary import ACK_LIMIT_S
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.domain.load_summary import Distribution, LoadSummary

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
_COUNT_MEASURES: dict[str, Callable[[LoadSummary], tuple[int, int]]] = {
    "errors": lambda load: (load.failed, load.attempts),
    "acked": lambda load: (load.acked, load.attempts),
    "late": lambda load: (load.late, load.attempts),
    "over5s": lambda load: (load.over_limit_count, load.over_limit_total),
    "dropped": lambda load: (load.dropped, load.attempts + load.dropped),
    "lost": lambda load: (load.lost, load.notifications),
    "duplicates": lambda load: (load.duplicates, load.notifications),
}
"""The count and the total of each measure."""
_NUMBER_MEASURES: dict[str, Callable[[LoadSummary], float]] = {
    "rate": lambda load: load.rate,
    "amplification": lambda load: load.amplification,
}
_SUPPORTED_MODELS = {
    "amplification": ({LoadModel.SCRIPT}, "only a scenario retries callbacks: run one with --scenario"),
    "duplicates": ({LoadModel.SCRIPT}, "only a scenario retries callbacks: run one with --scenario"),
    "recovery": ({LoadModel.SCRIPT}, "only a scenario has a recovery: run one with --scenario"),
    "late": (
        {LoadModel.OPEN, LoadModel.SCRIPT},
        "a closed load has no schedule to be late for: leave --concurrency out",
    ),
    "dropped": (
        {LoadModel.OPEN},
        "only an open load gives up what it cannot begin: leave --concurrency or --scenario out",
    ),
}
"""Measures that only some load models have, and the message for the others."""
_OWN_MEASURES = frozenset({"late", "dropped", "amplification"})
"""Measures of this tool, and measures that do not depend on its waits."""
_CANCELLED_MEASURES = frozenset({"errors", "acked", "lost", "rate", "over5s"})
"""Measures that count attempts which this machine could not make."""
_TIME_NAMES = ("max", "mean", "recovery")
OBJECTIVE_NAMES = ("p50", "p90", "p95", "p99", "p99.9", *_TIME_NAMES, *_COUNT_MEASURES, *_NUMBER_MEASURES)
"""The names of the measures; any other percentile is allowed, too."""


class _Measure(NamedTuple):
    """The units of a measure and the hint for a wrong bound."""

    units: frozenset[str]
    hint: str


def _measure_named(name: str) -> _Measure | None:
    if name in _TIME_NAMES or _PERCENTILE.fullmatch(name):
        return _Measure(frozenset(_UNITS_S), "is a time: write 500ms, 2s or 1m")
    if name in _COUNT_MEASURES:
        return _Measure(frozenset({"%", ""}), "is counted: write a share as in 0.1%, or a whole number")
    if name == "rate":
        return _Measure(frozenset({"/s", ""}), "is a number a second: write 1000 or 1000/s")
    return _Measure(frozenset({""}), "is a ratio: write a number as in 1.5") if name in _NUMBER_MEASURES else None


def parse_objectives(texts: Iterable[str], model: LoadModel) -> tuple[Objective, ...]:
    """Parse the objectives of all ``--slo`` options.

    Args:
        texts: the option values, each with one or more comma-separated objectives.
        model: the model of the load.

    Raises:
        UsageError: an objective is invalid, or cannot be broken by this model.
    """
    objectives = tuple(_parse_objective(part.strip()) for text in texts for part in text.split(","))
    for objective in objectives:
        models, why = _SUPPORTED_MODELS.get(objective.name, ({model}, ""))
        if model not in models:
            raise UsageError(f"--slo {objective.name}: {why}")
    return objectives


def _parse_objective(text: str) -> Objective:
    match = _OBJECTIVE.fullmatch(text)
    if match is None:
        raise UsageError(f"--slo {text!r}: write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0")
    name, relation, number, unit = match.groups()
    measure = _measure_named(name)
    if measure is None:
        suggestions = did_you_mean(name, OBJECTIVE_NAMES)
        hint = f"; did you mean {suggestions}?" if suggestions else f"; one of {', '.join(OBJECTIVE_NAMES)}"
        raise UsageError(f"--slo {text!r}: nothing called {name!r} is measured{hint}")
    if unit not in measure.units or (name in _COUNT_MEASURES and not unit and not number.isdecimal()):
        raise UsageError(f"--slo {text!r}: {name} {measure.hint}")
    bound = float(number) * _UNITS_S.get(unit, 0.01 if unit == "%" else 1.0)
    return Objective(text, name, relation.replace("==", "="), bound, is_share=unit == "%")


def evaluate(objectives: Iterable[Objective], load: LoadSummary) -> tuple[ObjectiveResult, ...]:
    """Evaluate the objectives of a load.

    An objective without data is broken. One that is broken only by the waits of this tool is inconclusive.
    """
    return tuple(_evaluate(objective, load) for objective in objectives)


def _evaluate(objective: Objective, load: LoadSummary) -> ObjectiveResult:
    value, measured = _value_of(objective, load)
    if value is None:
        return ObjectiveResult(objective, ObjectiveStatus.BROKEN, measured)
    if _RELATIONS[objective.relation](value, objective.bound):
        return ObjectiveResult(objective, ObjectiveStatus.KEPT, measured)
    excuse = _excuse(objective, load)
    if excuse:
        return ObjectiveResult(objective, ObjectiveStatus.INCONCLUSIVE, f"{measured}; {excuse}")
    return ObjectiveResult(objective, ObjectiveStatus.BROKEN, measured)


def _excuse(objective: Objective, load: LoadSummary) -> str:
    """Return why this tool, and not the receiver, broke an objective; empty if the receiver did."""
    name = objective.name
    if load.is_exhausted and name in _CANCELLED_MEASURES:
        return "this machine had nothing left for more connections"
    if not load.is_held_back or name in _OWN_MEASURES:
        return ""
    if name in _COUNT_MEASURES and name != "over5s":
        return ""
    if name in _NUMBER_MEASURES or name == "recovery":
        return "this tool held callbacks back"
    value = _service_value(objective, load)
    if value is None or not _RELATIONS[objective.relation](value, objective.bound):
        return ""
    text = f"{_format_seconds(value)} from the actual starts, because " if name != "over5s" else ""
    return f"{text}this tool held callbacks back"


def _service_value(objective: Objective, load: LoadSummary) -> float | None:
    """Return the value measured from the actual starts, without the waits of this tool."""
    if objective.name != "over5s":
        return _time_s(objective.name, load.service_times)
    over = load.service_times.count_over(ACK_LIMIT_S) + load.outcomes.get(Outcome.TIMED_OUT, 0)
    return over / load.over_limit_total if objective.is_share else over


def _value_of(objective: Objective, load: LoadSummary) -> tuple[float | None, str]:
    name = objective.name
    if name in _COUNT_MEASURES:
        part, total = _COUNT_MEASURES[name](load)
        if not objective.is_share:
            return part, f"{part} of {total}"
        return (part / total, f"{part} of {total} ({100 * part / total:.4g}%)") if total else (None, "nothing was sent")
    if name in _NUMBER_MEASURES:
        value = _NUMBER_MEASURES[name](load)
        return (value, f"{value:.4g}") if load.attempts else (None, "nothing was sent")
    if name == "recovery":
        seconds, reason = None if load.interrupted else load.recovery_s, "the storm did not come to its end"
    else:
        seconds, reason = _time_s(name, load.ack_times), "nothing was acked"
    return (None, reason) if seconds is None else (seconds, _format_seconds(seconds))


def _time_s(name: str, acks: Distribution) -> float | None:
    if not acks.count:
        return None
    if name == "max":
        return acks.max_s
    return acks.mean_s if name == "mean" else acks.percentile(float(name[1:]))


def _format_seconds(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms" if seconds < 1 else f"{seconds:.4g} s"
