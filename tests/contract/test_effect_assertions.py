"""Assertions about effects, for cases that no test receiver covers."""

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
EXPECTED_CONTENT = ExpectedContent(frozenset({"web-1"}), frozenset({"cpu_usage"}), "sent", STARTED)
STEP = Step("it fires", (RequestCase("x", OutgoingRequest(b"{}")),))
REFUSED = Attempt(Outcome.REJECTED, intended_s=0.0, started_s=0.0, ended_s=0.1, status=503)


def result_of(*texts: Any, before: tuple[Effect, ...] = ()) -> EffectScenarioResult:
    """Return a result whose last step added effects with these texts to the ones before."""
    scenario = EffectScenario("s", None, "web-1", frozenset({"web-1"}), frozenset(), (STEP,), EXPECTED_CONTENT)
    effects = tuple(Effect(text if isinstance(text, str) else json.dumps(text), "/json") for text in texts)
    return EffectScenarioResult(
        scenario, (StepResult(STEP, (REFUSED,), EffectSnapshot(before), EffectSnapshot((*before, *effects))),)
    )


@pytest.mark.parametrize(
    "name", ["message_complete", "states_distinguishable", "acked_implies_effect", "dedup_key_stable"]
)
def test_a_scenario_without_effects_is_inconclusive(name: str) -> None:
    """Another clause reports missing effects."""
    assert isinstance(EFFECT_ASSERTIONS[name](result_of()), Inconclusive)


@pytest.mark.parametrize(
    "attempt, verdict",
    [
        (REFUSED, Inconclusive("it fires: answered 503 (TCM515)")),
        (replace(REFUSED, status=500), "it fires: answered 500"),
        (replace(REFUSED, status=409), None),
        (replace(REFUSED, status=None, outcome=Outcome.TIMED_OUT), "TCM102"),
    ],
)
def test_a_rejected_retry_fails(attempt: Attempt, verdict: str | Inconclusive | None) -> None:
    """409 passes; timeouts and statuses that ask for a retry are reported by other clauses."""
    first = result_of("web-1")
    scenario = first._replace(step_results=(*first.step_results, first.step_results[0]._replace(attempts=(attempt,))))
    found = EFFECT_ASSERTIONS["retries_accepted"](scenario)
    assert verdict in found.reason if verdict == "TCM102" and isinstance(found, Inconclusive) else found == verdict


def test_messages_without_a_time_are_inconclusive() -> None:
    """The clause does not apply to such a receiver."""
    verdict = EFFECT_ASSERTIONS["timestamps_match"](result_of("web-1 fires"))
    assert verdict == Inconclusive("no time of the alarm is shown", not_applicable=True)


def test_a_time_with_an_offset_takes_precedence() -> None:
    """A message with both kinds of times passes if the time with an offset is correct."""
    check = EFFECT_ASSERTIONS["timestamps_match"]
    assert check(result_of("2023-08-07T12:30:15+08:00 (2023-08-07 20:30:15)")) is None
    assert check(result_of("2023-08-07T12:30:15Z")) == "firstOccurTime is shown 8 hours too late"
    assert check(result_of("2023-08-07 04:30:15")) is None  # UTC without an offset is correct, too


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
    """Strings are read inside JSON, even nested JSON; other values are ignored."""
    assert EFFECT_ASSERTIONS["message_complete"](result_of(message)) == problem


def test_the_order_of_keys_is_that_of_all_levels() -> None:
    """Keys are ordered at all levels, including objects inside lists."""
    assert (
        serialize_variant([{"b": 1, "a": [{"d": 1, "c": 2}]}], {"key_order": "sorted"})
        == b'[{"a":[{"c":2,"d":1}],"b":1}]'
    )
