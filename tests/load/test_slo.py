"""Objectives, and loads that are measured by them."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from functools import partial

import pytest
from scenario_samples import SUMMARY

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel, ObjectiveStatus
from tcop_mock.domain.load_summary import ACK_LIMIT_S, Bucket, Distribution
from tcop_mock.errors import UsageError
from tcop_mock.load.slo import OBJECTIVE_NAMES, evaluate, parse_objectives

_TOLD = {
    "p50<50ms": "p50<50ms: kept, 20 ms",
    "p99<500ms": "p99<500ms: broken, 2 s",
    "p99.9 <= 2s": "p99.9 <= 2s: kept, 2 s",
    "p75<0.1s": "p75<0.1s: kept, 20 ms",
    "max<1m": "max<1m: kept, 2 s",
    "mean>1ms": "mean>1ms: kept, 218 ms",
    "errors<20%": "errors<20%: kept, 20 of 120 (16.67%)",
    "errors<20": "errors<20: broken, 20 of 120",
    "acked>=100": "acked>=100: kept, 100 of 120",
    "lost=0": "lost=0: broken, 2 of 102",
    "lost==2": "lost==2: kept, 2 of 102",
    "late<1%": "late<1%: kept, 1 of 120 (0.8333%)",
    "over5s=0%": "over5s=0%: broken, 2 of 102 (1.961%)",
    "dropped=0": "dropped=0: kept, 0 of 120",
    "duplicates<20%": "duplicates<20%: kept, 12 of 102 (11.76%)",
    "rate>100/s": "rate>100/s: broken, 2",
    "rate>1": "rate>1: kept, 2",
    "amplification<1.2": "amplification<1.2: kept, 1.176",
    "recovery<=6s": "recovery<=6s: kept, 5.5 s",
}


def test_a_load_is_held_to_its_objectives() -> None:
    """Each is kept or broken by what was measured, and says so."""
    before, behind = ",".join(_TOLD).split(",dropped=0")
    storm, opened = (partial(parse_objectives, model=model) for model in (LoadModel.SCRIPT, LoadModel.OPEN))
    held = evaluate([*storm([before]), *opened(["dropped=0"]), *storm([behind.lstrip(",")])], SUMMARY)
    assert [one.summary for one in held] == list(_TOLD.values())
    assert [one.is_met for one in held] == [": kept," in one for one in _TOLD.values()]


def test_what_was_not_measured_is_broken() -> None:
    """Without acks no time is kept, without attempts no share, without an end no recovery; a count of nothing is 0."""
    nothing = replace(
        SUMMARY,
        ack_times=Distribution(),
        attempts=0,
        outcomes={},
        notifications=0,
        lost=0,
        late=0,
        duplicates=0,
        recovery_s=None,
    )
    asked = "p99<1s,max<1s,mean<1s,errors<1%,rate>=0,amplification<2,recovery<1m,lost=0"
    held = evaluate(parse_objectives([asked], LoadModel.SCRIPT), nothing)
    assert [one.is_met for one in held] == [False] * 7 + [True]
    assert [one.measurement for one in held] == [
        *["nothing was acked"] * 3,
        *["nothing was sent"] * 3,
        "the storm did not come to its end",
        "0 of 0",
    ]


def test_over_five_seconds_is_what_it_says() -> None:
    """The name of the objective is the limit of the page."""
    assert f"over{ACK_LIMIT_S:g}s" in OBJECTIVE_NAMES


def test_a_storm_that_was_cut_short_has_not_recovered() -> None:
    """An interrupted storm breaks the objective of recovery."""
    [held] = evaluate(parse_objectives(["recovery<1m"], LoadModel.SCRIPT), replace(SUMMARY, interrupted=True))
    assert held.summary == "recovery<1m: broken, the storm did not come to its end"


def test_several_flags_add_up() -> None:
    """--slo may be given again."""
    assert [one.name for one in parse_objectives(["lost=0", "p99<1s, late<1%"], LoadModel.OPEN)] == [
        "lost",
        "p99",
        "late",
    ]


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_each_name_that_is_listed_can_be_asked_for(name: str) -> None:
    """Each objective accepts its unit or a plain number, in a load that has it."""
    taken: set[str] = set()
    for model, bound in itertools.product(LoadModel, ("1s", "1")):
        with contextlib.suppress(UsageError):
            taken |= {one.name for one in parse_objectives([f"{name}<{bound}"], model)}
    assert taken == {name}


@pytest.mark.parametrize(
    "model, text, complaint",
    [
        (
            LoadModel.OPEN,
            "recovery<1s",
            "recovery: only a scenario has a recovery: run one with --scenario",
        ),
        (
            LoadModel.OPEN,
            "duplicates=0",
            "duplicates: only a scenario retries callbacks: run one with --scenario",
        ),
        (
            LoadModel.CLOSED,
            "amplification<2",
            "amplification: only a scenario retries callbacks: run one with --scenario",
        ),
        (LoadModel.CLOSED, "late<1%", "late: a closed load has no schedule to be late for: leave --concurrency out"),
        (
            LoadModel.SCRIPT,
            "dropped=0",
            "dropped: only an open load gives up what it cannot begin: leave --concurrency or --scenario out",
        ),
    ],
)
def test_an_objective_that_cannot_fail_is_rejected(model: LoadModel, text: str, complaint: str) -> None:
    """An objective that cannot fail is rejected."""
    with pytest.raises(UsageError) as raised:
        parse_objectives([f"lost=0,{text}"], model)
    assert str(raised.value) == f"--slo {complaint}"


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "--slo '': write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0"),
        ("p99<500ms,", "--slo '': write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0"),
        ("p99", "--slo 'p99': write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0"),
        ("p99<500h", "--slo 'p99<500h': write NAME, a relation and a bound, as in p99<500ms,errors<0.1%,lost=0"),
        ("p99<500", "--slo 'p99<500': p99 is a time: write 500ms, 2s or 1m"),
        ("p99<5%", "--slo 'p99<5%': p99 is a time: write 500ms, 2s or 1m"),
        ("error<1%", "--slo 'error<1%': nothing called 'error' is measured; did you mean 'errors'?"),
        ("x<1", f"--slo 'x<1': nothing called 'x' is measured; one of {', '.join(OBJECTIVE_NAMES)}"),
        ("p101<1s", f"--slo 'p101<1s': nothing called 'p101' is measured; one of {', '.join(OBJECTIVE_NAMES)}"),
        ("errors<0.1", "--slo 'errors<0.1': errors is counted: write a share as in 0.1%, or a whole number"),
        ("lost=0s", "--slo 'lost=0s': lost is counted: write a share as in 0.1%, or a whole number"),
        ("rate>5%", "--slo 'rate>5%': rate is a number a second: write 1000 or 1000/s"),
        ("amplification<2s", "--slo 'amplification<2s': amplification is a ratio: write a number as in 1.5"),
    ],
)
def test_what_is_no_objective_is_refused(text: str, complaint: str) -> None:
    """An invalid objective is an error of one line with the right form."""
    with pytest.raises(UsageError) as raised:
        parse_objectives([text], LoadModel.OPEN)
    assert str(raised.value) == complaint


LATE = replace(SUMMARY, is_held_back=True)


@pytest.mark.parametrize(
    "text, reported",
    [
        ("p99<5s", "p99<5s: kept, 2 s"),
        (
            "p99<500ms",
            "p99<500ms: inconclusive, 2 s; 30 ms from the actual starts, because this tool held callbacks back",
        ),
        ("p99<10ms", "p99<10ms: broken, 2 s"),
        ("max<1s", "max<1s: inconclusive, 2 s; 30 ms from the actual starts, because this tool held callbacks back"),
        ("over5s=0", "over5s=0: inconclusive, 2 of 102; this tool held callbacks back"),
        ("over5s=0%", "over5s=0%: inconclusive, 2 of 102 (1.961%); this tool held callbacks back"),
        ("recovery<1s", "recovery<1s: inconclusive, 5.5 s; this tool held callbacks back"),
        ("rate>100", "rate>100: inconclusive, 2; this tool held callbacks back"),
        ("late=0", "late=0: broken, 1 of 120"),
        ("lost=0", "lost=0: broken, 2 of 102"),
    ],
)
def test_what_the_tool_held_back_does_not_break_an_objective(text: str, reported: str) -> None:
    """An objective that holds from the actual starts on is inconclusive; counts of answers are checked."""
    load = replace(
        LATE,
        service_times=Distribution((Bucket(0.02, 50), Bucket(0.03, 50)), 0.03, 2.5),
        outcomes={Outcome.ACKED: 100, Outcome.REJECTED: 20},
    )
    [held] = evaluate(parse_objectives([text], LoadModel.SCRIPT), load)
    assert held.summary == reported
    [without] = evaluate(parse_objectives([text], LoadModel.SCRIPT), replace(load, is_held_back=False))
    assert without.status is not ObjectiveStatus.INCONCLUSIVE


def test_what_had_no_connection_does_not_break_an_objective() -> None:
    """Attempts that were cancelled for want of descriptors say nothing of the receiver."""
    objectives = parse_objectives(["errors=0,p99<1s"], LoadModel.OPEN)
    errors, p99 = evaluate(objectives, replace(SUMMARY, is_exhausted=True))
    assert errors.summary == "errors=0: inconclusive, 20 of 120; this machine had nothing left for more connections"
    assert p99.status is ObjectiveStatus.BROKEN


def test_a_receiver_without_an_ack_is_checked_too() -> None:
    """Without acks there are no times from actual starts, so the objective is broken."""
    load = replace(LATE, service_times=Distribution())
    [held] = evaluate(parse_objectives(["p99<500ms"], LoadModel.SCRIPT), load)
    assert held.status is ObjectiveStatus.BROKEN
