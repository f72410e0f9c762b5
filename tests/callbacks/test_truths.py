"""Properties of callbacks for every seed, shape, language and state."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thresholds import breaches

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.pools import regions
from tcop_mock.domain.alarm import REPEAT_PERIODS_S, Alarm, NotifyType, RepeatPolicy
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import AlarmKind, Lang, Shape, without_unpublished
from tcop_mock.errors import UsageError

CATALOG = Catalog.load()
SEEDS = st.integers(min_value=-(2**63), max_value=2**63)
SERIALS = st.integers(min_value=0, max_value=10**6)
SHAPES = st.sampled_from(without_unpublished(CATALOG))
METRIC_SHAPES = st.sampled_from([shape for shape in without_unpublished(CATALOG) if shape.kind is AlarmKind.METRIC])
EVENT_SHAPES = st.sampled_from([shape for shape in CATALOG if shape.kind is AlarmKind.EVENT])
RECOVERING = st.sampled_from([shape for shape in without_unpublished(CATALOG) if shape.can_resolve])
LANGS = st.sampled_from(Lang)
THRESHOLD_FIELDS = {
    "calcType", "calcValue", "calcUnit", "currentValue", "historyValue",
    "unit", "period", "periodNum", "alarmNotifyType", "alarmNotifyPeriod",
}  # fmt: skip  # a list of words, not a column


def _body(callback: Any) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(callback.to_bytes())
    return tree


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - Beijing time without offset


@given(SEEDS, SERIALS, SHAPES, LANGS)
def test_same_seed_same_bytes(seed: int, serial: int, shape: Shape, lang: Lang) -> None:
    """The same seed, shape and serial give the same bytes, whatever was generated before."""
    used = Generator(seed, lang)
    used.alarm(shape, serial + 1)
    [one, two] = [
        [callback.to_bytes() for callback in generator.lifecycle(generator.alarm(shape, serial))]
        for generator in (used, Generator(seed, lang))
    ]
    assert one == two


@given(SEEDS, SHAPES)
def test_each_alarm_has_its_own_ids(seed: int, shape: Shape) -> None:
    """Two alarms of one seed differ in policy, object and session."""
    generator = Generator(seed)
    one, two = generator.alarm(shape, 0), generator.alarm(shape, 1)
    assert one.policy_id != two.policy_id
    assert one.dimensions != two.dimensions
    assert generator.callback(one, State.FIRING).session_id != generator.callback(two, State.FIRING).session_id


@given(SEEDS, SERIALS, SHAPES)
def test_dimensions_match_their_own_shape(seed: int, serial: int, shape: Shape) -> None:
    """Generated dimensions match their shape: keys, order, JSON types, and each id the same wherever it is used."""
    assert sample_matches(shape, Generator(seed).alarm(shape, serial).dimensions)


@given(SEEDS, SERIALS, METRIC_SHAPES, LANGS)
def test_current_value_is_beyond_the_threshold_exactly_while_firing(
    seed: int, serial: int, shape: Shape, lang: Lang
) -> None:
    """The currentValue breaches calcValue while firing and while repeated, and is back within it when resolved."""
    generator = Generator(seed, lang)
    alarm = generator.alarm(shape, serial, required_state=State.REPEATED)
    for callback in generator.lifecycle(alarm, repeats=2):
        conditions = _body(callback)["alarmPolicyInfo"]["conditions"]
        beyond = breaches(conditions["currentValue"], conditions["calcType"], conditions["calcValue"])
        assert beyond is (callback.state is not State.RESOLVED)
        assert not breaches(conditions["historyValue"], conditions["calcType"], conditions["calcValue"])


@given(SEEDS, SERIALS, METRIC_SHAPES)
def test_numbers_are_written_as_captured_ones(seed: int, serial: int, shape: Shape) -> None:
    """Values have at most the metric's decimals, no trailing zeros, and stay inside the metric's range."""
    generator = Generator(seed)
    alarm = generator.alarm(shape, serial)
    assert alarm.metric is not None
    for text in (
        generator.callback(alarm, State.FIRING).current_value,
        generator.callback(alarm, State.RESOLVED).current_value,
    ):
        whole, _, decimals = text.partition(".")
        assert re.fullmatch(r"-?(0|[1-9]\d*)", whole)
        assert len(decimals) <= alarm.metric.decimals
        assert not decimals.endswith("0")
        assert alarm.metric.low <= float(text) <= alarm.metric.high


@given(SEEDS, SERIALS, METRIC_SHAPES, st.integers(min_value=0, max_value=6))
def test_times_agree(seed: int, serial: int, shape: Shape, repeats: int) -> None:
    """Durations grow from 0 and recoverTime is firstOccurTime plus durationTime, or "0" while unresolved."""
    generator = Generator(seed)
    alarm = generator.alarm(shape, serial, required_state=State.REPEATED)
    trees = [_body(callback) for callback in generator.lifecycle(alarm, repeats)]
    durations = [tree["durationTime"] for tree in trees]
    assert durations[0] == 0
    assert durations == sorted(set(durations))
    assert {tree["firstOccurTime"] for tree in trees} == {trees[0]["firstOccurTime"]}
    assert [tree["recoverTime"] for tree in trees[:-1]] == ["0"] * (repeats + 1)
    end = _instant(trees[-1]["firstOccurTime"]) + timedelta(seconds=durations[-1])
    assert _instant(trees[-1]["recoverTime"]) == end


@given(SEEDS, SERIALS, RECOVERING)
def test_a_life_keeps_policy_and_object_and_changes_session(seed: int, serial: int, shape: Shape) -> None:
    """Each callback of an alarm has its own session, and the same policy, object and region."""
    generator = Generator(seed)
    alarm = generator.alarm(shape, serial, required_state=State.RESOLVED)
    trees = [_body(callback) for callback in generator.lifecycle(alarm, repeats=3 if alarm.can_repeat else 0)]
    assert len({tree["sessionId"] for tree in trees}) == len(trees)
    assert all(tree["alarmObjInfo"] == trees[0]["alarmObjInfo"] for tree in trees)
    assert len({tree["alarmPolicyInfo"]["policyId"] for tree in trees}) == 1
    assert [tree["alarmStatus"] for tree in trees] == ["1"] * (len(trees) - 1) + ["0"]


@given(SEEDS, SERIALS, SHAPES)
def test_ids_have_their_documented_forms(seed: int, serial: int, shape: Shape) -> None:
    """Session ids have 24 characters, policy ids policy- and 8; regions are short codes, absent where not regional."""
    generator = Generator(seed)
    tree = _body(generator.callback(generator.alarm(shape, serial), State.FIRING))
    assert re.fullmatch(r"[A-Za-z0-9]{24}", tree["sessionId"])
    assert re.fullmatch(r"policy-[a-z0-9]{8}", tree["alarmPolicyInfo"]["policyId"])
    codes = {region.code for region in regions()}
    assert (tree["alarmObjInfo"].get("region") in codes) is shape.regional


@given(SEEDS, SERIALS, METRIC_SHAPES)
def test_account_agrees_everywhere(seed: int, serial: int, shape: Shape) -> None:
    """The account in the dimensions, as string or as integer, is the account of the alarm."""
    generator = Generator(seed)
    info = _body(generator.callback(generator.alarm(shape, serial), State.FIRING))["alarmObjInfo"]
    assert info["appId"].isdecimal()
    assert str(info["dimensions"].get("appid", info["appId"])) == info["appId"]
    assert info["dimensions"].get("__region__", info.get("region")) == info.get("region")


@given(SEEDS, SERIALS, METRIC_SHAPES, LANGS)
def test_without_a_threshold_all_threshold_fields_are_absent(seed: int, serial: int, shape: Shape, lang: Lang) -> None:
    """An alarm without a threshold has only the metric's names in its conditions."""
    generator = Generator(seed, lang)
    alarm = generator.alarm(shape, serial, has_threshold=False)
    for state in (State.FIRING, State.RESOLVED):
        conditions = _body(generator.callback(alarm, state))["alarmPolicyInfo"]["conditions"]
        assert list(conditions) == ["metricName", "metricShowName"]
    with_one = _body(generator.callback(generator.alarm(shape, serial), State.FIRING))
    assert with_one["alarmPolicyInfo"]["conditions"].keys() >= THRESHOLD_FIELDS


@given(SEEDS, SERIALS, EVENT_SHAPES, LANGS)
def test_events_have_the_classic_envelope(seed: int, serial: int, shape: Shape, lang: Lang) -> None:
    """Event callbacks have no durationTime, namespace or account, but names of product and event."""
    generator = Generator(seed, lang)
    tree = _body(generator.callback(generator.alarm(shape, serial), State.FIRING))
    assert list(tree) == [
        "sessionId", "alarmStatus", "alarmType", "alarmObjInfo", "alarmPolicyInfo", "firstOccurTime", "recoverTime",
    ]  # fmt: skip  # a list of words, not a column
    assert list(tree["alarmObjInfo"]) == ["region", "dimensions"]
    assert list(tree["alarmPolicyInfo"]) == ["policyId", "policyType", "policyName", "conditions", "policyTypeCName"]
    assert list(tree["alarmPolicyInfo"]["conditions"]) == [
        "productName", "productShowName", "eventName", "eventShowName", "alarmNotifyType", "alarmNotifyPeriod",
    ]  # fmt: skip  # a list of words, not a column
    assert tree["alarmPolicyInfo"]["conditions"]["alarmNotifyPeriod"] == "0"


@given(SEEDS, SERIALS, SHAPES)
def test_language_changes_names_and_nothing_else(seed: int, serial: int, shape: Shape) -> None:
    """The same alarm in English and Chinese has the same ids, times and values."""
    english, chinese = (Generator(seed, lang) for lang in (Lang.EN, Lang.ZH))
    one, two = (
        _body(generator.callback(generator.alarm(shape, serial), State.FIRING)) for generator in (english, chinese)
    )
    for key in ("sessionId", "firstOccurTime", "alarmStatus"):
        assert one[key] == two[key]
    assert one["alarmPolicyInfo"]["policyId"] == two["alarmPolicyInfo"]["policyId"]
    assert one["alarmObjInfo"]["dimensions"].keys() == two["alarmObjInfo"]["dimensions"].keys()
    assert one["alarmPolicyInfo"]["policyTypeCName"] == shape.policy.name.en
    assert two["alarmPolicyInfo"]["policyTypeCName"] == shape.policy.name.zh


@given(SEEDS, SERIALS, SHAPES, st.sampled_from(State))
def test_a_state_is_reached_or_an_error(seed: int, serial: int, shape: Shape, state: State) -> None:
    """An alarm generated for a state has a callback in it, or an error says why not."""
    generator = Generator(seed)
    if shape.kind is AlarmKind.EVENT and state is State.REPEATED:
        with pytest.raises(UsageError, match="never repeat"):
            generator.alarm(shape, serial, required_state=state)
    elif state is State.RESOLVED and not shape.can_resolve:
        with pytest.raises(UsageError, match="has no recovery"):
            generator.alarm(shape, serial, required_state=state)
    else:
        assert generator.callback(generator.alarm(shape, serial, required_state=state), state).state is state


@given(SEEDS, SERIALS)
def test_cvm_network_metrics_have_the_namespace_of_the_load_balancer(seed: int, serial: int) -> None:
    """CVM's network metrics have the namespace qce/lb, others qce/cvm (page's note on network-related metrics)."""
    alarm: Alarm = Generator(seed).alarm(CATALOG.get("cvm/basic-monitoring"), serial)
    assert alarm.metric is not None
    network = alarm.metric.name.startswith(("wan_", "acc_out", "outratio"))
    assert alarm.namespace == ("qce/lb" if network else "qce/cvm")


@given(SEEDS, SERIALS, RECOVERING, st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=3))
def test_an_alarm_fires_again_after_its_end(seed: int, serial: int, shape: Shape, outlived: list[int]) -> None:
    """A new life starts after the last recovery, with its own session and the same object."""
    generator = Generator(seed)
    alarm = generator.alarm(shape, serial, required_state=State.RESOLVED)
    sessions = set()
    over = alarm.first_occurred_at
    for number, occurrence in enumerate(outlived):
        before = tuple(outlived[:number])
        fired = generator.callback(alarm, State.FIRING, 1, before)
        resolved = generator.callback(alarm, State.RESOLVED, occurrence, before)
        assert fired.alarm.first_occurred_at == resolved.alarm.first_occurred_at
        assert (
            fired.alarm.first_occurred_at > over if before else fired.alarm.first_occurred_at == alarm.first_occurred_at
        )
        assert (fired.alarm.policy_id, fired.alarm.dimensions) == (alarm.policy_id, alarm.dimensions)
        assert resolved.recovered_at is not None
        over = resolved.recovered_at
        sessions |= {fired.session_id, resolved.session_id}
    assert len(sessions) == 2 * len(outlived)


@pytest.mark.parametrize("every_s", REPEAT_PERIODS_S)
@pytest.mark.parametrize("kind", NotifyType)
def test_an_alarm_repeats_at_the_requested_frequency(kind: NotifyType, every_s: int) -> None:
    """For every documented frequency, the repeats have the documented ages."""
    shape = next(shape for shape in CATALOG if shape.kind is AlarmKind.METRIC)
    generator = Generator(3)
    single = kind is NotifyType.SINGLE
    alarm = generator.alarm(shape, repeat_policy=RepeatPolicy(kind, 0 if single else every_s))
    if single:
        with pytest.raises(UsageError, match="its alarmNotifyType is singleAlarm"):
            generator.callback(alarm, State.REPEATED)
        return
    ages = [generator.callback(alarm, State.REPEATED, number).duration_s for number in range(1, 300)]
    occurrences = [2**n for n in range(1, 300)] if kind is NotifyType.EXPONENTIAL else range(2, 301)
    repeat_ages = [(occurrence - 1) * every_s for occurrence in occurrences]
    first_day = [age for age in repeat_ages if age <= 86_400]
    later = [first_day[-1] + 86_400 * day for day in range(1, 300)]
    assert ages == (first_day + later)[:299]
    conditions = _body(generator.callback(alarm, State.REPEATED))["alarmPolicyInfo"]["conditions"]
    assert (conditions["alarmNotifyType"], conditions["alarmNotifyPeriod"]) == (kind.value, every_s)


def test_events_never_repeat() -> None:
    """A repeat policy for an event is an error; single is accepted."""
    shape = next(shape for shape in CATALOG if shape.kind is AlarmKind.EVENT)
    assert Generator(1).alarm(shape, repeat_policy=RepeatPolicy(NotifyType.SINGLE, 0)) == Generator(1).alarm(shape)
    with pytest.raises(UsageError, match="event alarms never repeat; only single is possible"):
        Generator(1).alarm(shape, repeat_policy=RepeatPolicy(NotifyType.CONTINUOUS, 300))
