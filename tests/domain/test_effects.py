"""Which effects belong to an alarm."""

from __future__ import annotations

from tcop_mock.domain.effects import Effect, EffectSnapshot


def event(action: str, key: str, text: str = "", recipient: str = "team") -> Effect:
    """Return an event of PagerDuty."""
    return Effect(f"{action} {text}", "/pagerduty", f"{action} {key}", recipient, key, is_follow_up=action != "trigger")


def test_a_resolve_belongs_to_the_alarm_of_its_key() -> None:
    """An event without the text of an alarm belongs to it if its key is that of an event with the text."""
    trigger, resolve = event("trigger", "k", "ins-1"), event("resolve", "k")
    others = (event("resolve", "other"), event("resolve", "k", recipient="other team"), Effect("ins-2", "/wecom"))
    snapshot = EffectSnapshot((trigger, *others, resolve), open_incidents=(trigger,))
    found = snapshot.filter_by_tokens({"ins-1"}, {})
    assert found.effects == (trigger, resolve)
    assert found.open_incidents == (trigger,)


def test_the_resolve_of_a_refused_trigger_belongs_to_its_alarm() -> None:
    """The receiver has sent the trigger, whatever the end said of it."""
    snapshot = EffectSnapshot((event("resolve", "k"),), rejected=(event("trigger", "k", "ins-1"),))
    assert snapshot.filter_by_tokens({"ins-1"}, {}).effects == (event("resolve", "k"),)


def test_a_key_of_all_alarms_belongs_to_none() -> None:
    """A key that every alarm uses does not assign an event without a text to an alarm."""
    trigger = event("trigger", "k", "ins-1")
    snapshot = EffectSnapshot((trigger, event("trigger", "k", "ins-2"), event("resolve", "k")))
    assert snapshot.filter_by_tokens({"ins-1"}, {}).effects == (trigger,)
