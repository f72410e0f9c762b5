"""Assertions about effects, for cases that no test receiver covers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tcop_mock.contract.assertions import NO_FIRST_EFFECT
from tcop_mock.contract.effect_assertions import EFFECT_ASSERTIONS
from tcop_mock.contract.mutations import serialize_variant
from tcop_mock.domain.contract import (
    EffectScenario,
    EffectScenarioResult,
    ExpectedContent,
    Inconclusive,
    RequestCase,
    SendMode,
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


@pytest.mark.parametrize("text", ["2023-08-07T00:00:00+08:00", "2023-08-07 00:00:00", "2023-08-06T16:00:00Z"])
def test_a_day_with_zeros_as_its_time_is_wrong(text: str) -> None:
    """A receiver that reads only the day of a time shows midnight and fails. A day without a time passes."""
    check = EFFECT_ASSERTIONS["timestamps_match"]
    assert check(result_of(text)) == "firstOccurTime is shown with its day, and zeros as its time of day"
    assert check(result_of(f"{text}: 2023-08-07 12:30:15")) is None
    assert isinstance(check(result_of("on 2023-08-07")), Inconclusive)
    assert isinstance(check(result_of(text), only_with_offset=True), Inconclusive)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("2023-08-07 12:30:15+08:00", None),
        ("2023-08-07 12:30:15+08:00, 2023-08-07 17:15:15+08:00", None),
        ("2023-08-07 12:30:15+08:00, 2023-08-08 01:15:15+08:00", "recoverTime is shown 8 hours too late"),
        ("2023-08-07 20:30:15+08:00, 2023-08-07 17:15:15+08:00", "firstOccurTime is shown 8 hours too late"),
    ],
)
def test_the_start_of_an_alarm_is_not_taken_for_its_end(text: str, problem: str | None) -> None:
    """Where an alarm lasts a multiple of a quarter of an hour, its start looks like its end in another zone."""
    result = result_of(f"web-1 {text}")
    content = replace(EXPECTED_CONTENT, recovered_at=datetime(2023, 8, 7, 17, 15, 15))  # noqa: DTZ001 - as TCOP sends it
    result = result._replace(scenario=replace(result.scenario, expected_content=content))
    assert EFFECT_ASSERTIONS["timestamps_match"](result) == problem


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


@pytest.mark.parametrize(
    "text, problem",
    [
        ("web-1 cpu_usage 状态null", "the message to /wecom shows an empty value: null"),
        ("web-1 cpu_usage 值None", "the message to /wecom shows an empty value: None"),
        ("web-1 cpu_usage undefined%", "the message to /wecom shows an empty value: undefined%"),
        ("web-1 cpu_usage nullable NoneType_x", None),
        ('web-1 {"alarmObjInfo": {"x": 1}} cpu_usage', None),
        ('{"alarmPolicyInfo": {"x": "web-1 cpu_usage"}}', "the message to /wecom is the callback as it was received"),
    ],
)
def test_a_chat_message_is_written_for_people(text: str, problem: str | None) -> None:
    """Empty words between Chinese and before units are found; a callback beside a message is not a problem."""
    result = _at("/wecom", result_of({"markdown": {"content": text}}))
    assert EFFECT_ASSERTIONS["message_complete"](result) == problem


def test_a_program_may_get_the_callback_as_it_is() -> None:
    """A service that no person reads may get the body of the callback."""
    text = '{"alarmPolicyInfo": {"x": "web-1 cpu_usage"}}'
    assert EFFECT_ASSERTIONS["message_complete"](result_of({"raw": text})) is None


def test_a_resolve_without_a_payload_is_no_message_of_its_own() -> None:
    """A follow-up to an event need not name the object again."""
    result = result_of("web-1 cpu_usage")
    step_result = result.step_results[0]
    follow_up = Effect('{"event_action": "resolve"}', "/pagerduty", "resolve k", "r", "k", is_follow_up=True)
    after = EffectSnapshot((*step_result.after.effects, follow_up))
    result = result._replace(step_results=(step_result._replace(after=after),))
    assert EFFECT_ASSERTIONS["message_complete"](result) is None


def test_words_of_the_receivers_own_name_a_metric() -> None:
    """The message about another metric of the same object differs in words; a unit alone is not a word."""
    first = result_of("web-1 is busy 90%")
    before = first.step_results[0].after

    def is_distinguished(other: str) -> str | Inconclusive | None:
        after = EffectSnapshot((*before.effects, Effect(other, "/json")))
        steps = (*first.step_results, first.step_results[0]._replace(before=before, after=after))
        return EFFECT_ASSERTIONS["message_complete"](first._replace(step_results=steps))

    assert is_distinguished("web-1 is full 70 %") is None
    assert is_distinguished("web-1 is busy 70 MB") == "the message to /json names neither metric nor event"


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("of a1生产库b2", None),
        (r"of a1\u751f\u4ea7\u5e93b2", None),
        ("of a1&#29983;&#20135;&#24211;b2", None),
        ("of a1%E7%94%9F%E4%BA%A7%E5%BA%93b2", None),
        ("of a1___b2", None),
        ("of a1???b2", "'生产库' is shown as '???'"),
        ("of a1ç\x94\x9fäº§åº\x93b2", "'生产库' is shown as 'ç\\x94\\x9fäº§åº\\x93'"),
        ("of a1生", Inconclusive("no Chinese text of the alarm is shown whole", not_applicable=True)),
    ],
)
def test_chinese_is_kept_in_any_spelling(text: str, verdict: str | Inconclusive | None) -> None:
    """Escapes of JSON, HTML and URLs are spellings; other characters and question marks are none."""
    assert EFFECT_ASSERTIONS["texts_kept"](result_of(text), texts=["a1生产库b2"]) == verdict


def test_chinese_of_an_alarm_without_effects_is_inconclusive() -> None:
    """Another clause reports missing effects."""
    assert EFFECT_ASSERTIONS["texts_kept"](result_of(), texts=["a1生产库b2"]) == Inconclusive(NO_FIRST_EFFECT)


def test_a_resolve_that_is_worded_like_a_firing_is_found() -> None:
    """Four steps: the first resolve differs from the firing, the second one does not."""
    texts = ["web-1 FIRING", "web-1 RESOLVED", "web-1 FIRING 2", "web-1 FIRING 3"]
    effects = [Effect(text, "/wecom") for text in texts]
    steps = tuple(
        StepResult(
            STEP, (REFUSED,), EffectSnapshot(tuple(effects[:number])), EffectSnapshot(tuple(effects[: number + 1]))
        )
        for number in range(4)
    )
    result = result_of()._replace(step_results=steps)
    assert (
        EFFECT_ASSERTIONS["resolves_forwarded_alike"](result)
        == "it fires: the message is worded like the one for its firing"
    )
    assert EFFECT_ASSERTIONS["resolves_forwarded_alike"](result._replace(step_results=steps[:2])) is None


def _at(location: str, result: EffectScenarioResult) -> EffectScenarioResult:
    """Return a result whose effects were seen at another place."""
    [step_result] = result.step_results
    effects = tuple(replace(effect, location=location) for effect in step_result.after.effects)
    return result._replace(step_results=(step_result._replace(after=EffectSnapshot(effects)),))


@pytest.mark.parametrize(
    "name, attempt, effects, verdict",
    [
        ("answered_in_time", REFUSED, (), None),
        (
            "answered_in_time",
            replace(REFUSED, outcome=Outcome.TIMED_OUT),
            (),
            "it fires: no answer inside the deadline",
        ),
        ("not_acked_if_lost", REFUSED, (), None),
        ("not_acked_if_lost", replace(REFUSED, outcome=Outcome.ACKED, status=200), ("web-1",), None),
        (
            "not_acked_if_lost",
            replace(REFUSED, outcome=Outcome.ACKED, status=200),
            (),
            "it fires: answered 200, and never forwarded afterwards",
        ),
    ],
)
def test_answers_and_lost_messages(name: str, attempt: Attempt, effects: tuple[str, ...], verdict: str | None) -> None:
    """A late answer fails, and so does an acknowledged alarm that is never forwarded."""
    result = result_of(*effects)
    steps = (result.step_results[0]._replace(attempts=(attempt,)),)
    assert EFFECT_ASSERTIONS[name](result._replace(step_results=steps)) == verdict


@pytest.mark.parametrize(
    "keys, verdict",
    [
        (("first", "first", "second"), None),
        (("first", "first", "first"), "another instance has the same dedup_key"),
        (("first", "first"), None),  # it never closed: the run ended before the other instance
        (("first", "second"), "trigger, repeat and resolve have different dedup_keys"),
    ],
)
def test_the_events_of_two_alarms_have_different_keys(keys: tuple[str, ...], verdict: str | None) -> None:
    """Events of one alarm share a key, also if the scenario ends before the other alarm."""
    step = result_of().step_results[0]
    results = tuple(
        step._replace(after=EffectSnapshot((Effect("web-1", "/pagerduty", dedup_key=f"trigger {key}"),)))
        for key in keys
    )
    scenario = replace(result_of().scenario, steps=(step.step,) * 3)
    assert EFFECT_ASSERTIONS["dedup_key_stable"](EffectScenarioResult(scenario, results)) == verdict


def _alarm_case(name: str) -> RequestCase:
    policy = {"policyId": f"policy-{name}", "policyName": f"name of {name}"}
    tree = {
        "sessionId": f"session-{name}",
        "alarmPolicyInfo": policy,
        "alarmObjInfo": {"dimensions": {"host": f"host-{name}"}},
    }
    return RequestCase(name, OutgoingRequest(json.dumps(tree).encode()), None)


@pytest.mark.parametrize(
    "mode, accepted, effects, is_cut_short, verdict",
    [
        ("then-killed", True, ("policy-before", "policy-one", "session-two"), False, None),
        ("then-killed", True, ("policy-before", "policy-one", "on host-two"), False, None),
        ("then-killed", True, ("policy-before", "policy-one"), False, "acknowledged, and without effect after the"),
        ("then-killed", True, (), False, "acknowledged, and without effect after the restart, as is the alarm before"),
        ("then-killed", True, ("policy-one",), True, "the crash: --max-time ends before 15 s"),
        ("then-killed", False, ("policy-before",), False, "the crash: answered 503"),
        ("while-stopped", False, ("policy-before",), False, None),
        ("while-stopped", True, ("policy-before",), False, "acknowledged, and without effect after the restart"),
    ],
)
def test_what_was_acknowledged_survives(
    mode: str, *, accepted: bool, effects: tuple[str, ...], is_cut_short: bool, verdict: str | None
) -> None:
    """Only acknowledged alarms must have an effect; the effect may name the object of the alarm."""
    answer = Attempt(Outcome.from_status(200 if accepted else 503), 0.0, 0.0, 0.1, status=200 if accepted else 503)
    acked = Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=200)
    cases = (_alarm_case("one"), _alarm_case("two"))
    first = Step("before", (_alarm_case("before"),), tokens=frozenset({"policy-before"}))
    last = Step("the crash", cases, send_mode=SendMode(mode), wait_s=15)
    seen = EffectSnapshot(tuple(map(Effect, effects)))
    scenario = replace(result_of().scenario, unique_tokens=frozenset({"host-one", "host-two"}))
    result = EffectScenarioResult(
        scenario,
        (
            StepResult(first, (acked,), EffectSnapshot(), EffectSnapshot((Effect("policy-before"),))),
            StepResult(last, (answer, answer), EffectSnapshot(), seen, is_cut_short=is_cut_short),
        ),
    )
    found = EFFECT_ASSERTIONS["acked_survives"](result)
    text = found.reason if isinstance(found, Inconclusive) else found
    assert (text or "").startswith(verdict or "")
    assert (text is None) is (verdict is None)
    alone = result._replace(step_results=result.step_results[:1])
    assert EFFECT_ASSERTIONS["acked_survives"](alone) == Inconclusive(NO_FIRST_EFFECT)


@pytest.mark.parametrize(
    "text, failure",
    [
        ("恢复时间: 2023-08-07 14:30:15", "'恢复时间'"),
        ("**恢复时间**：2023-08-07 14:30:15", "'恢复时间'"),
        ("<b>Recovered at:</b> 2023-08-07 14:30:15", "'Recovered at'"),
        ('{"until": "2023-08-07T14:30:15+08:00"}', "'until'"),
        ('{"title": "End time", "value": "2023-08-07 14:30:15"}', "'End time'"),
        ("Resolved at 2023-08-07 14:30:15, recoverTime 2023-08-07 13:01:02", None),
        ("Send: 2023-08-07 14:30:15", None),
        ("RESOLVED 2023-08-07 14:30:15", None),
        ("no time", None),
    ],
)
def test_what_is_shown_as_the_end_is_compared(text: str, failure: str | None) -> None:
    """Only where its name says that it is the end, and the right one is shown nowhere."""
    result = result_of(text)
    content = replace(EXPECTED_CONTENT, recovered_at=STARTED.replace(hour=13, minute=1, second=2))
    found = EFFECT_ASSERTIONS["end_is_sent"](
        result._replace(scenario=replace(result.scenario, expected_content=content))
    )
    assert found is None if failure is None else str(found).endswith(failure)
    assert EFFECT_ASSERTIONS["end_is_sent"](result) is None


def test_a_leap_day_is_in_no_other_year() -> None:
    """The years beside it have no such day."""
    result = result_of("2023-02-28 12:30:15")
    content = replace(EXPECTED_CONTENT, started_at=datetime(2024, 2, 29, 12, 30, 15))  # noqa: DTZ001 - Beijing time
    found = EFFECT_ASSERTIONS["timestamps_match"](
        result._replace(scenario=replace(result.scenario, expected_content=content))
    )
    assert isinstance(found, Inconclusive)


@pytest.mark.parametrize("name", ["not_forwarded_as_resolve", "states_not_exchanged"])
def test_a_scenario_that_ended_early_is_not_compared(name: str) -> None:
    """The clause about its first step reports it."""
    assert EFFECT_ASSERTIONS[name](result_of("web-1 RESOLVED")) is None


def alarm_body(number: int) -> bytes:
    """Return a callback with ids of its own."""
    policy = {"policyId": f"policy-{number}000", "policyName": f"policy name {number}000"}
    info = {"dimensions": {"objId": f"ins-{number}234567x"}}
    return json.dumps({"sessionId": f"session-{number}", "alarmPolicyInfo": policy, "alarmObjInfo": info}).encode()


def burst_result(*texts: str, opened: tuple[str, ...] = (), still_open: tuple[str, ...] = ()) -> EffectScenarioResult:
    """Return the result of two acknowledged pushes, with effects and open incidents of these texts."""
    cases = tuple(RequestCase("x", OutgoingRequest(alarm_body(number))) for number in (1, 2))
    acked = replace(REFUSED, status=200, outcome=Outcome.ACKED)
    before = EffectSnapshot((), tuple(map(Effect, opened)))
    after = EffectSnapshot(tuple(map(Effect, texts)), tuple(map(Effect, still_open)))
    result = result_of()
    step_result = StepResult(replace(STEP, cases=cases), (acked, acked), before, after)
    return result._replace(step_results=(step_result,))


@pytest.mark.parametrize(
    "texts, failure",
    [
        (("ins-1234567x policy-1000", "policy-2000 ins-2234567x"), None),
        (("ins-1234567x policy-1000 and ins-2234567x policy-2000",), None),
        (("ins-1234567x",), None),
        (("ins-1234567x policy-2000", "x"), "1 effect with the object of one alarm and the policy of another"),
    ],
)
def test_effects_that_mix_two_alarms_are_counted(texts: tuple[str, ...], failure: str | None) -> None:
    """A summary of several alarms shows both of each."""
    assert EFFECT_ASSERTIONS["texts_unmixed"](burst_result(*texts)) == failure


def test_resolves_that_close_nothing_are_counted() -> None:
    """Unless nothing was open, or nothing is ever closed: other clauses report that."""
    check = EFFECT_ASSERTIONS["acked_resolves_close"]
    both = ("ins-1234567x", "ins-2234567x")
    assert check(burst_result()) == Inconclusive(NO_FIRST_EFFECT)
    assert check(burst_result(opened=both)) is None
    assert check(burst_result(opened=both, still_open=both[:1])) == "1 of 2 acknowledged resolves close nothing"
    all_open = check(burst_result(opened=both, still_open=both))
    assert isinstance(all_open, Inconclusive)
    assert "TCM505" in all_open.reason


def test_a_retry_that_is_refused_again_decides_nothing() -> None:
    """TCOP pushes it once more; the clause is about retries that are acknowledged."""
    first = result_of()
    acked = replace(REFUSED, status=200, outcome=Outcome.ACKED)
    for attempt, is_failed in ((REFUSED, False), (acked, True)):
        retry = first.step_results[0]._replace(attempts=(attempt,))
        found = EFFECT_ASSERTIONS["retry_forwarded"](first._replace(step_results=(*first.step_results, retry)))
        assert bool(found) is is_failed


def shown_result(text: str, location: str = "/json", **conditions: str) -> EffectScenarioResult:
    """Return the result of a callback with a value, and of one message about it."""
    policy = {"conditions": {"currentValue": "98.5", "unit": "MB"} | conditions}
    body = json.dumps({"alarmObjInfo": {"region": "de"}, "alarmPolicyInfo": policy, "durationTime": 1380}).encode()
    result = result_of()
    step = replace(STEP, cases=(RequestCase("x", OutgoingRequest(body)),))
    after = EffectSnapshot((Effect(text, location),))
    return result._replace(step_results=(StepResult(step, (REFUSED,), EffectSnapshot(), after),))


@pytest.mark.parametrize(
    "text, problem",
    [
        ("98.5MB in 1380 s, region: de", None),
        ("98.5 mb, 区域：法兰克福 and Region: Frankfurt", None),
        ("98.5 of 100 GB in 23 min, region: central", None),
        ("region", None),
        ("98.5 GB", "98.5 GB, and 98.5 MB was sent"),
        ("持续1380分钟", "1380分钟, and durationTime is 1380 s"),
        ("地域: <b>广州</b>", "the region 广州, and de was sent"),
    ],
)
def test_values_are_compared_where_they_are_shown(text: str, problem: str | None) -> None:
    """What a receiver converts or leaves out passes."""
    expected = None if problem is None else f"it fires: the message to /json shows {problem}"
    assert EFFECT_ASSERTIONS["values_right"](shown_result(text)) == expected


def test_units_without_a_scale_are_not_compared() -> None:
    """Receivers have words of their own for them."""
    assert EFFECT_ASSERTIONS["values_right"](shown_result("98.5 GB", unit="Count")) is None
    assert EFFECT_ASSERTIONS["values_right"](shown_result("5 GB", currentValue="5")) is None
    result = shown_result("region: gz")
    [step_result] = result.step_results
    bare = replace(
        step_result.step, cases=(RequestCase("x", OutgoingRequest(b'{"alarmPolicyInfo":{"conditions":{}}}')),)
    )
    found = EFFECT_ASSERTIONS["values_right"](result._replace(step_results=(step_result._replace(step=bare),)))
    assert found == "it fires: the message to /json shows the region gz, and none was sent"


@pytest.mark.parametrize(
    "location, message, is_failed",
    [
        ("/dingtalk", '{"msgtype": "text", "text": {"content": "R&amp;D"}}', True),
        ("/dingtalk", '{"msgtype": "markdown", "markdown": {"text": "R&amp;D"}}', False),
        ("/feishu", '{"msg_type": "text", "content": {"text": "R&D &lt;3"}}', False),
        ("/slack", '{"text": "R&amp;D"}', False),
        ("/slack", '{"text": "a &amp;lt; b"}', True),
        ("/feishu", "R&amp;D", False),
    ],
)
def test_escapes_of_html_are_found_in_plain_text(location: str, message: str, *, is_failed: bool) -> None:
    """Slack and markdown need some of them, and none of them twice."""
    assert bool(EFFECT_ASSERTIONS["escaped_for_its_place"](shown_result(message, location))) is is_failed


@pytest.mark.parametrize(
    "location, text, is_failed",
    [
        ("/slack", '{"text": "<!channel>"}', True),
        ("/slack", '{"text": "<@all> @everyone"}', False),
        ("/wecom", '{"text": {"content": "<@all>"}}', True),
        ("/feishu", '{"content": {"text": "<at user_id=\\"all\\">x</at>"}}', True),
        ("/discord", '{"content": "@everyone"}', True),
        ("/discord", '{"content": "@everyone", "allowed_mentions": {"parse": []}}', False),
        ("/telegram", '{"text": "@everyone"}', False),
    ],
)
def test_each_service_has_its_own_mention_of_everybody(location: str, text: str, *, is_failed: bool) -> None:
    """What is a mention for one is a text for another."""
    assert bool(EFFECT_ASSERTIONS["no_mass_mention"](shown_result(text, location))) is is_failed


def test_a_missing_effect_names_the_rejection_of_its_message() -> None:
    """The service said what is wrong with it."""
    result = result_of()
    [step_result] = result.step_results
    refused = Effect("web-1", "/telegram", dedup_key="Bad Request: can't parse entities")
    step_result = step_result._replace(
        step=replace(STEP, expected_effects=">=1"), after=EffectSnapshot(rejected=(refused,))
    )
    found = EFFECT_ASSERTIONS["effects_match"](result._replace(step_results=(step_result,)), fail_if_no_effect=True)
    reason = "/telegram rejects the message: Bad Request: can't parse entities"
    assert found == f"it fires: no effects in place of at least 1; {reason}"


@pytest.mark.parametrize(
    "text, recovered_at, failure",
    [
        ("2023-08-07 12:30:15", "2023-08-07 13:00:15", None),
        ("2023-08-07 12:30:15 to 2023-08-07 01:01:02", "2023-08-07 13:01:02", "12 hours too early"),
        ("2023-08-07 12:30:15 to 2023-08-07 13:01:02", "2023-08-07 13:01:02", None),
        ("2023-08-07 04:30:15 to 2023-08-07 05:01:02", "2023-08-07 13:01:02", None),
        ("2023-08-07 12:30:15+08:00", "2023-08-08 12:30:15", None),
        ("2023-08-07 12:30:15", "2023-08-07 13:01:02", None),
    ],
)
def test_start_and_end_have_one_time_zone(text: str, recovered_at: str, failure: str | None) -> None:
    """A receiver that shows one of them only is not blamed for the other."""
    result = result_of(text)
    content = replace(EXPECTED_CONTENT, recovered_at=datetime.fromisoformat(recovered_at))
    found = EFFECT_ASSERTIONS["timestamps_match"](
        result._replace(scenario=replace(result.scenario, expected_content=content))
    )
    assert (failure in str(found)) if failure else found is None


def test_an_alarm_that_is_not_open_has_an_effect_nevertheless() -> None:
    """It may be the receiver's rule for this product; only the clause about resolves says that it is wrong."""
    result = result_of()
    [step_result] = result.step_results
    after = EffectSnapshot((Effect("web-1 fires"),), ())
    step_result = step_result._replace(
        step=replace(STEP, expected_open="more"), before=EffectSnapshot((), ()), after=after
    )
    result = result._replace(step_results=(step_result,))
    text = "its first push has an effect, and leaves no open incident"
    assert EFFECT_ASSERTIONS["effects_match"](result) == Inconclusive(text)
    assert EFFECT_ASSERTIONS["effects_match"](result, fail_if_not_closed=True) == text
