"""Options and errors of the generator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from thresholds import breaches

from tcop_mock.callbacks.generator import Generator, parse_lifecycle
from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.callbacks.sampling import SeededRandom, sample_values
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.pools import names_of_pool
from tcop_mock.domain.alarm import NotifyType
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import Lang, LocalizedText, Metric, ObservedFields, Shape, ValueSpec
from tcop_mock.errors import EntryError, UnknownNameError, UsageError

CATALOG = Catalog.load()
CVM = CATALOG.get("cvm/basic-monitoring")
CVM_EVENTS = CATALOG.get("cvm/events")


def _shape(values: dict[str, ValueSpec], dimensions: dict[str, Any]) -> Shape:
    return replace(CVM, values=values, dimensions=dimensions, observed=ObservedFields())


def test_a_metric_by_name() -> None:
    """The alarm has the requested metric, whatever the seed."""
    drawn = [Generator(seed).alarm(CVM, metric="outratio").metric for seed in range(5)]
    assert {metric and metric.name for metric in drawn} == {"outratio"}


def test_an_event_by_name() -> None:
    """The alarm has the requested event, whatever the seed."""
    drawn = [Generator(seed).alarm(CVM_EVENTS, event="guest_reboot").event for seed in range(5)]
    assert {event and event.name for event in drawn} == {"guest_reboot"}


@pytest.mark.parametrize(
    "shape, asked, message",
    [
        (CVM, {"metric": "cpu_usge"}, "unknown metric 'cpu_usge' in cvm/basic-monitoring; did you mean 'cpu_usage'"),
        (CVM, {"event": "ping_unreachable"}, "unknown metric 'ping_unreachable' in cvm/basic-monitoring"),
        (
            CVM_EVENTS,
            {"event": "guest_rebot"},
            "unknown event 'guest_rebot' in cvm/events; did you mean 'guest_reboot'",
        ),
        (CVM_EVENTS, {"metric": "cpu_usage"}, "unknown event 'cpu_usage' in cvm/events"),
    ],
)
def test_unknown_metrics_and_events_are_errors(shape: Shape, asked: dict[str, Any], message: str) -> None:
    """An unknown metric or event is an error that suggests similar names."""
    with pytest.raises(UnknownNameError) as caught:
        Generator(1).alarm(shape, **asked)
    assert message in str(caught.value)


def test_a_named_event_without_recovery_cannot_be_resolved() -> None:
    """A resolve of an event without recovery is an error, not a different event."""
    with pytest.raises(UsageError, match="event 'guest_reboot' has no recovery"):
        Generator(1).alarm(CVM_EVENTS, event="guest_reboot", required_state=State.RESOLVED)


def test_events_without_recovery_end_with_their_firing() -> None:
    """The lifecycle of an event without recovery is one firing callback."""
    generator = Generator(1)
    alarm = generator.alarm(CVM_EVENTS, event="guest_reboot")
    assert [callback.state for callback in generator.lifecycle(alarm)] == [State.FIRING]


def test_an_alarm_of_another_generator_is_an_error() -> None:
    """Only the generator that generated an alarm can generate its other callbacks."""
    with pytest.raises(UsageError, match="the alarm of cvm/basic-monitoring is from another generator"):
        Generator(1).callback(Generator(1).alarm(CVM), State.FIRING)


def test_a_shape_whose_events_never_recover_cannot_be_resolved() -> None:
    """If no event can be resolved, a resolved callback is an error."""
    fatal = replace(CVM_EVENTS, events=tuple(event for event in CVM_EVENTS.events if not event.recoverable))
    with pytest.raises(UsageError, match="has no recovery"):
        Generator(1).alarm(fatal, required_state=State.RESOLVED)


def test_a_single_alarm_has_no_repeat() -> None:
    """A repeated callback of an alarm that is sent once is an error."""
    generator = Generator(1)
    single = replace(generator.alarm(CVM), notify_type=NotifyType.SINGLE)
    with pytest.raises(UsageError, match="alarmNotifyType is singleAlarm"):
        generator.callback(single, State.REPEATED)


def test_an_exponential_alarm_repeats_at_doubling_ages() -> None:
    """Sent on the 1st, 2nd, 4th, 8th occurrence: ages of 0, 1, 3, 7 periods."""
    generator = Generator(1)
    alarm = replace(generator.alarm(CVM), notify_type=NotifyType.EXPONENTIAL, notify_period_s=300, period_s=60)
    ages = [callback.duration_s for callback in generator.lifecycle(alarm, repeats=3)]
    assert ages[:4] == [0, 300, 900, 2100]
    assert 2100 < ages[4] <= 4500


def test_a_continuous_alarm_repeats_at_even_ages() -> None:
    """Sent every period: ages of 0, 1, 2, 3 periods, resolved before the next."""
    generator = Generator(1)
    alarm = replace(generator.alarm(CVM), notify_type=NotifyType.CONTINUOUS, notify_period_s=600, period_s=60)
    ages = [callback.duration_s for callback in generator.lifecycle(alarm, repeats=3)]
    assert ages[:4] == [0, 600, 1200, 1800]
    assert 1800 < ages[4] <= 2400


def test_a_shape_with_the_same_id_is_compiled_again() -> None:
    """A generator does not confuse a user's replacement of an entry with the shipped one."""
    generator = Generator(1)
    generator.alarm(CVM)
    other = _shape({}, {"lane": "fast"})
    assert generator.alarm(other).dimensions == {"lane": "fast"}


@pytest.mark.parametrize(
    "values, dimensions, message",
    [
        ({}, {"a": "{instnce}"}, "'instnce' is not a declared value"),
        ({}, {"a": "{acount.app_id}"}, "did you mean 'account.app_id'"),
        ({"vip": ValueSpec("hex", {"length": 4})}, {"a": "x"}, "values.vip: never used"),
        ({"vip": ValueSpec("hex", {"length": 4})}, {"a": "{vip.port}"}, "'vip.port' is not a declared value"),
        ({"p": ValueSpec("pick", {"from": [{"a": 1}]})}, {"a": "{p}"}, "'p' is not a declared value"),
        ({"p": ValueSpec("pick", {"from": [{"a": 1}]})}, {"a": "{p.b}"}, "'p.b' is not a declared value"),
        ({"p": ValueSpec("pick", {"from": [{"a": 1}]})}, {"a": "{p.a.b}"}, "'p.a.b' is not a declared value"),
        ({"p": ValueSpec("pick", {"from": [1]})}, {"a": "{p.a}"}, "'p.a' is not a declared value"),
        ({}, {"a": "{Not A Field}"}, "has a brace outside of a {field}"),
    ],
)
def test_templates_and_values_must_fit(values: dict[str, ValueSpec], dimensions: dict[str, Any], message: str) -> None:
    """An undeclared value and an unused value are errors of the entry."""
    with pytest.raises(EntryError) as caught:
        Generator(1).alarm(_shape(values, dimensions))
    assert message in str(caught.value)
    assert str(caught.value).startswith("cvm/basic-monitoring: ")


def test_observed_fields_use_values() -> None:
    """A value used only in observed fields counts as used; values used there must be declared."""
    values = {"name": ValueSpec("name", {"of": "instance"})}
    for observed in (ObservedFields({"deviceName": "{name}"}), ObservedFields(additional_msg=(("alias", "{name}"),))):
        shape = replace(_shape(values, {"a": "x"}), observed=observed)
        assert Generator(1).alarm(shape).dimensions == {"a": "x"}
        with pytest.raises(EntryError, match="'name' is not a declared value"):
            Generator(1).alarm(replace(shape, values={}))


def test_unknown_generators_and_pools_are_errors() -> None:
    """An unknown generator or pool is an error that suggests similar names."""
    with pytest.raises(UnknownNameError, match="unknown generator 'ipv6' in cvm/basic-monitoring"):
        Generator(1).alarm(_shape({"a": ValueSpec("ipv6")}, {"a": "{a}"}))
    with pytest.raises(UnknownNameError, match="unknown pool of names 'instances'; did you mean 'instance'"):
        Generator(1).alarm(_shape({"a": ValueSpec("name", {"of": "instances"})}, {"a": "{a}"}))


@pytest.mark.parametrize(
    "spec",
    [
        ValueSpec("ipv4", {"network": "0.0.0.0/0"}),
        ValueSpec("ipv4", {"network": "10.1.2.3/32"}),
        ValueSpec("resource_id", {"prefix": "lb"}),
        ValueSpec("uuid", {"version": 1}),
        ValueSpec("uuid", {"version": 4}),
        ValueSpec("hex", {"length": 40}),
        ValueSpec("digits", {"length": 1}),
        ValueSpec("digits", {"length": 12}),
        ValueSpec("integer", {"low": -5, "high": 5}),
        ValueSpec("name", {"of": "instance"}),
        ValueSpec("pick", {"from": ["a", "b"]}),
        ValueSpec("pick", {"from": [{"b": 1}, {"b": "1"}]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("lang", Lang)
def test_every_generated_value_matches_its_pattern(spec: ValueSpec, lang: Lang) -> None:
    """A generated value matches the pattern of its generator, as text and with its own type."""
    path = "a.b" if isinstance(spec.params.get("from", [""])[0], dict) else "a"
    shape = _shape(
        {"a": spec}, {"as_text": f"<{{{path}}}>", "nested": {"again": f"{{{path}}}"}, "typed": {"value": path}}
    )
    for seed in range(40):
        assert sample_matches(shape, Generator(seed, lang).alarm(shape).dimensions)


def test_pools_have_english_names_where_there_are_no_chinese_ones() -> None:
    """A pool of technical names is the same in both languages; a pool of human text is not."""
    assert names_of_pool("topic", Lang.ZH) == names_of_pool("topic", Lang.EN)
    assert names_of_pool("policy", Lang.ZH) != names_of_pool("policy", Lang.EN)


def test_a_long_draw_continues_after_the_first_bytes() -> None:
    """The random stream is endless and does not repeat."""
    long, short = SeededRandom("key"), SeededRandom("key")
    drawn = [long.randbelow(1 << 64) for _ in range(1000)]
    assert drawn[:10] == [short.randbelow(1 << 64) for _ in range(10)]
    assert len(set(drawn)) == 1000


@pytest.mark.parametrize("calc_type", [">", ">=", "<", "<=", "=", "!="])
@pytest.mark.parametrize(
    "calc_value, low, high, decimals",
    [("95", 0, 100, 2), ("1", 0, 2, 0), ("0", -5, 5, 0), ("0.5", 0, 1, 3), ("1000000", 0, 10_000_000_000, 0)],
)
def test_values_are_on_the_requested_side(
    calc_type: str, calc_value: str, low: float, high: float, decimals: int
) -> None:
    """For every operator a value is beyond the threshold or within it, as requested, and inside the range."""
    text = LocalizedText("", "")
    metric = Metric("m", text, text, "test", calc_type, calc_value, low=low, high=high, decimals=decimals)
    for beyond in (True, False):
        drawn = sample_values(metric, is_breaching=beyond)
        assert len(drawn) == 256
        for value in drawn:
            assert breaches(value, calc_type, calc_value) is beyond
            assert low <= float(value) <= high


def test_not_equal_at_the_top_of_the_range_goes_below() -> None:
    """If nothing lies above the threshold, a different value lies below."""
    metric = Metric("m", LocalizedText("", ""), LocalizedText("", ""), "test", "!=", "1", low=0, high=1)
    assert set(sample_values(metric, is_breaching=True)) == {"0"}


@pytest.mark.parametrize(
    "text, moments",
    [
        ("fire", [(State.FIRING, 1, ())]),
        ("fire,resolve", [(State.FIRING, 1, ()), (State.RESOLVED, 1, ())]),
        (
            "fire, repeat:2, resolve",
            [(State.FIRING, 1, ()), (State.REPEATED, 1, ()), (State.REPEATED, 2, ()), (State.RESOLVED, 3, ())],
        ),
        ("repeat,repeat", [(State.REPEATED, 1, ()), (State.REPEATED, 2, ())]),
        (
            "repeat,resolve,fire,resolve,fire",
            [
                (State.REPEATED, 1, ()),
                (State.RESOLVED, 2, ()),
                (State.FIRING, 1, (2,)),
                (State.RESOLVED, 1, (2,)),
                (State.FIRING, 1, (2, 1)),
            ],
        ),
    ],
)
def test_lifecycles_are_parsed(text: str, moments: list[tuple[State, int, tuple[int, ...]]]) -> None:
    """Steps become states with the number of their occurrence and the resolves before a new firing."""
    assert [tuple(moment) for moment in parse_lifecycle(text)] == [(*moment, "") for moment in moments]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "'' is not a step"),
        ("fire,resovle", "did you mean 'resolve'"),
        ("fire:2", "only repeat can have a count"),
        ("resolve,repeat", "only fire can follow a resolve"),
        ("resolve,resolve", "only fire can follow a resolve"),
        ("fire,fire", "can fire again only after a resolve"),
        ("repeat:1x", "'repeat:1x' is not a step"),
        ("repeat:x", "'x' is not a level; the levels are Remind, Warn, Serious"),
    ],
)
def test_impossible_lifecycles_are_errors(text: str, message: str) -> None:
    """The error for a wrong step, count or order shows the right syntax."""
    with pytest.raises(UsageError) as caught:
        parse_lifecycle(text)
    assert message in str(caught.value)
