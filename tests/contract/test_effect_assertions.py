"""What the effects of a few alarms say about a clause, where whole receivers do not show it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tcop_mock.contract.effect_assertions import EFFECT_ASSERTIONS, Inconclusive
from tcop_mock.contract.mutations import serialize_variant
from tcop_mock.domain.contract import (
    EffectScenario,
    EffectScenarioResult,
    ExpectedContent,
    RequestCase,
    Step,
    StepResult,
)
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.effects import Effect, EffectSnapshot

STARTED = datetime(2023, 8, 7, 12, 30, 15)  # noqa: DTZ001 - Beijing time without offset
FACTS = ExpectedContent(frozenset({"web-1"}), frozenset({"cpu_usage"}), "sent", STARTED)
ACT = Step("it fires", (RequestCase("x", OutgoingRequest(b"{}")),))
REFUSED = Attempt(Outcome.REJECTED, intended_s=0.0, started_s=0.0, ended_s=0.1, status=503)


def told(*texts: Any, before: tuple[Effect, ...] = ()) -> EffectScenarioResult:
    """Return a story whose last act left these texts beside what was there before."""
    story = EffectScenario("s", None, "web-1", frozenset({"web-1"}), frozenset(), (ACT,), FACTS)
    effects = tuple(Effect(text if isinstance(text, str) else json.dumps(text), "/json") for text in texts)
    return EffectScenarioResult(
        story, (StepResult(ACT, (REFUSED,), EffectSnapshot(before), EffectSnapshot((*before, *effects))),)
    )


@pytest.mark.parametrize("judge", ["whole", "told_apart", "each_told"])
def test_what_left_no_effect_tells_nothing(judge: str) -> None:
    """That is the business of another clause."""
    assert isinstance(EFFECT_ASSERTIONS[judge](told()), Inconclusive)


@pytest.mark.parametrize(
    "attempt, verdict",
    [
        (REFUSED, Inconclusive("it fires: answered 503 (TCM515)")),
        (replace(REFUSED, status=500), "it fires: answered 500"),
        (replace(REFUSED, status=409), None),
        (replace(REFUSED, status=None, outcome=Outcome.TIMED_OUT), "TCM102"),
    ],
)
def test_a_later_push_that_is_refused_is_told(attempt: Attempt, verdict: str | Inconclusive | None) -> None:
    """409 is no refusal; being late, or asked to come again, is the business of other clauses."""
    first = told("web-1")
    story = first._replace(step_results=(*first.step_results, first.step_results[0]._replace(attempts=(attempt,))))
    found = EFFECT_ASSERTIONS["not_refused"](story)
    assert verdict in found.reason if verdict == "TCM102" and isinstance(found, Inconclusive) else found == verdict


def test_what_shows_no_time_is_not_judged_on_times() -> None:
    """It does not do what the clause is about."""
    verdict = EFFECT_ASSERTIONS["same_instants"](told("web-1 fires"))
    assert verdict == Inconclusive("no time of the alarm is shown", not_applicable=True)


def test_an_instant_with_an_offset_counts_for_more_than_one_without() -> None:
    """Who shows both is right when the first is."""
    assert EFFECT_ASSERTIONS["same_instants"](told("2023-08-07T12:30:15+08:00 (2023-08-07 20:30:15)")) is None
    assert (
        EFFECT_ASSERTIONS["same_instants"](told("2023-08-07T12:30:15Z")) == "firstOccurTime is shown 8 hours too late"
    )
    assert EFFECT_ASSERTIONS["same_instants"](told("2023-08-07 04:30:15")) is None  # shown in UTC, honestly


@pytest.mark.parametrize(
    "message, problem",
    [
        ("web-1: cpu_usage", None),
        (["web-1", ["cpu_usage", 7, None]], None),
        ({"text": '{"name": "web-1", "what": "cpu_usage", "value": null}'}, None),
        ({"text": "WEB-1: CPU_USAGE"}, None),
        ({"text": "web-1: cpu_usage is NaN"}, "the message to /json shows an empty value: NaN"),
        ({"text": "web-1: cpu_usage of [object Object]"}, "the message to /json shows an empty value: [object Object]"),
        ({"text": "web-1: cpu_usage {'a': 1}"}, "the message to /json shows a dict: {'a': "),
        ({"text": "web-1: cpu_usage ${value}"}, "the message to /json shows a placeholder: ${value}"),
        ({"text": "web-1 fires"}, "the message to /json names neither metric nor event"),
        ({"text": "cpu_usage fires"}, "the message to /json names no object"),
    ],
)
def test_a_message_is_read_as_people_read_it(message: object, problem: str | None) -> None:
    """Texts inside JSON, also inside JSON inside JSON; values that are no texts are for machines."""
    assert EFFECT_ASSERTIONS["whole"](told(message)) == problem


def test_the_order_of_keys_is_that_of_all_levels() -> None:
    """Also of objects inside lists."""
    assert (
        serialize_variant([{"b": 1, "a": [{"d": 1, "c": 2}]}], {"order": "sorted"}) == b'[{"a":[{"c":2,"d":1}],"b":1}]'
    )
