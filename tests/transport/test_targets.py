"""Messages to PagerDuty and WeCom's robots, and their rate."""

from __future__ import annotations

import asyncio
import json
import traceback
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run_in_virtual_time

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.shape import AlarmKind, Lang, Shape, without_unpublished
from tcop_mock.domain.target import Secret
from tcop_mock.errors import UsageError
from tcop_mock.transport.delivery import RateLimitedTransport
from tcop_mock.transport.service_messages import dedup_key, pagerduty_event, wecom_message

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOG = Catalog.load()
PROFILES = ("2019-ack", "2021-verify", "2023", "2025")
KEY = Secret("0123456789abcdef0123456789ABCDEF")


def reported(  # noqa: PLR0913 - all that can vary
    shape: Shape, seed: int, state: State, profile: str, *, form: Form = Form.DOCUMENTED, serial: int = 0
) -> CallbackView:
    """Return what a drawn callback tells."""
    generator = Generator(seed, form=form, wire_format=load_profile(profile).wire_format)
    alarm = generator.alarm(shape, serial, required_state=state)
    return CallbackView(json.loads(generator.callback(alarm, state).to_bytes()))


@given(st.integers(0, 10**6), st.sampled_from(without_unpublished(CATALOG)), st.sampled_from(PROFILES), st.data())
def test_an_event_is_one_that_pagerduty_takes(seed: int, shape: Shape, profile: str, data: st.DataObject) -> None:
    """Every shape, state, profile and form: the required fields are there, of the right types and lengths."""
    form = data.draw(st.sampled_from([form for form in forms_of(shape) if form is not Form.CLOUDEVENTS]))
    state = data.draw(st.sampled_from([State.FIRING, State.RESOLVED] if shape.can_resolve else [State.FIRING]))
    tree = json.loads(pagerduty_event(reported(shape, seed, state, profile, form=form), KEY))
    assert tree["routing_key"] == KEY.reveal()
    assert tree["event_action"] == ("resolve" if state is State.RESOLVED else "trigger")
    assert 0 < len(tree["dedup_key"]) <= 255
    payload = tree["payload"]
    assert 0 < len(payload["summary"]) <= 1024
    assert payload["source"]
    assert payload["severity"] in {"critical", "error", "warning", "info"}
    assert datetime.fromisoformat(payload["timestamp"]).utcoffset()
    assert all(payload.values())


@given(st.integers(0, 10**6), st.sampled_from(without_unpublished(CATALOG)), st.sampled_from(PROFILES))
def test_a_dedup_key_is_an_alarms_own(seed: int, shape: Shape, profile: str) -> None:
    """It is the same in all callbacks of an alarm, when it fires again too, and another one for another object."""
    states = [State.FIRING]
    states += [State.REPEATED] * (shape.kind is AlarmKind.METRIC) + [State.RESOLVED] * shape.can_resolve
    generator = Generator(seed, wire_format=load_profile(profile).wire_format)
    alarm = generator.alarm(shape, required_state=states[-1] if shape.kind is AlarmKind.EVENT else State.REPEATED)
    lives = [(state, before) for before in ((), (3,)) for state in states]
    keys = {
        dedup_key(CallbackView(json.loads(generator.callback(alarm, state, 1, before).to_bytes())))
        for state, before in lives
    }
    [mine] = keys
    others = {dedup_key(reported(shape, seed, State.FIRING, profile, serial=serial)) for serial in (1, 16)}
    assert mine not in others
    assert len(others) == 2


def test_what_is_not_there_is_not_reported() -> None:
    """A body of the user's own that says nothing still becomes a whole event and message."""
    tree = json.loads(pagerduty_event(CallbackView({"alarmStatus": 1, "alarmObjInfo": [], "durationTime": {}}), None))
    assert tree["routing_key"] == "***"
    assert tree["payload"]["source"] == "tcop"
    assert "timestamp" not in tree["payload"]
    assert json.loads(wecom_message(CallbackView({}), Lang.EN))["markdown"]["content"] == (
        '**<font color="warning">Alarm triggered</font>**'
    )


def test_a_summary_is_cut_and_an_event_that_is_too_large_is_refused() -> None:
    """A summary is cut at 1,024 characters; an event over 512 KiB is an error without the key in its trace."""
    policy = {"policyTypeCName": "x" * 3000}
    assert (
        len(json.loads(pagerduty_event(CallbackView({"alarmPolicyInfo": policy}), KEY))["payload"]["summary"]) == 1024
    )
    with pytest.raises(UsageError, match=r"has \d{7} bytes; PagerDuty accepts 524288") as caught:
        pagerduty_event(CallbackView({"alarmPolicyInfo": {"policyName": "\ud800" + "é" * 262_000}}), KEY)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if frame.filename.endswith("pagerduty.py")]
    assert [value for frame in frames for value in (frame.locals or {}).values() if KEY.reveal() in value[:200]] == []


@given(
    st.integers(0, 10**6),
    st.sampled_from(without_unpublished(CATALOG)),
    st.sampled_from(Lang),
    st.sampled_from(PROFILES),
)
def test_a_message_reports_what_where_and_since_when(seed: int, shape: Shape, lang: Lang, profile: str) -> None:
    """Firing and resolved differ in both languages, and no placeholder is left."""
    texts = {}
    for state in [State.FIRING] + [State.RESOLVED] * shape.can_resolve:
        one = reported(shape, seed, state, profile)
        texts[state] = json.loads(wecom_message(one, lang))["markdown"]["content"]
        assert len(texts[state].encode()) <= 4096
        assert one.metric_label in texts[state]
        assert str(one.policy["policyName"]) in texts[state]
        assert not [word for word in ("None", "null", "{", "undefined") if word in texts[state]]
    assert len(set(texts.values())) == len(texts)
    assert ("告警" in texts[State.FIRING].splitlines()[0]) == (lang is Lang.ZH)


def test_a_message_is_cut_at_a_character() -> None:
    """4,096 bytes of UTF-8, never half a character."""
    for blanks in range(3):
        body = json.loads(
            wecom_message(CallbackView({"alarmPolicyInfo": {"policyName": " a" * blanks + "警" * 3000}}), Lang.ZH)
        )
        size = len(body["markdown"]["content"].encode())
        assert 4094 <= size <= 4096


def test_names_in_a_message_act_on_nothing() -> None:
    """A name mentions nobody, begins no line, sets no tag and no link."""
    name = "<@all> [click](http://h/)\n>**x** <font color='info'>"
    content = json.loads(wecom_message(CallbackView({"alarmObjInfo": {"dimensions": {"objName": name}}}), Lang.EN))
    last = content["markdown"]["content"].splitlines()[-1]
    assert last == ">Alarm object: ＜@all> ［click](http://h/) >**x** ＜font color='info'>"


def test_what_comes_too_fast_waits_for_its_turn() -> None:
    """No 60 s have more attempts than are allowed; each wait is reported; the intended time stays."""
    waits: list[float] = []

    async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        started_s = asyncio.get_running_loop().time()
        assert (request.body, deadline_s) == (b"x", 5.0)
        return Attempt(Outcome.ACKED, -1.0 if intended_s is None else intended_s, started_s, started_s)

    async def fifty(clock: Callable[[], float]) -> list[Attempt]:
        paced = RateLimitedTransport(post, 20, clock=clock, sleep=asyncio.sleep, on_wait=waits.append)
        sent: list[Any] = [paced(OutgoingRequest(b"x"), deadline_s=5.0, intended_s=at or None) for at in range(45)]
        sent += [_later(paced, 500.0)]
        attempts: list[Attempt] = await asyncio.gather(*sent)
        return attempts

    async def _later(paced: RateLimitedTransport, seconds: float) -> Attempt:
        await asyncio.sleep(seconds)
        return await paced(OutgoingRequest(b"x"), deadline_s=5.0)

    attempts = run_in_virtual_time(fifty)
    assert [attempt.started_s for attempt in attempts] == [0.0] * 20 + [60.0] * 20 + [120.0] * 5 + [500.0]
    assert waits == [60.0] * 20 + [120.0] * 5
    assert [attempt.intended_s for attempt in attempts] == [*map(float, range(45)), 500.0]
