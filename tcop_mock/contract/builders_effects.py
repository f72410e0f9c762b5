"""Request builder for clauses about effects: scenarios of alarms in steps, each with expected effects."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.pools import regions
from tcop_mock.contract.credentials import NO_CREDENTIALS, make_credentials
from tcop_mock.contract.mutations import apply_mutation, change_type, serialize_variant
from tcop_mock.domain.alarm import NotifyType
from tcop_mock.domain.callback import Callback, Form, State
from tcop_mock.domain.contract import (
    ClauseTest,
    CredentialVariant,
    EffectScenario,
    ExpectedContent,
    RequestCase,
    SendMode,
    Step,
)
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.shape import Event, Metric, Shape


_UNIQUE_TEXT = re.compile(r".*(?<![a-z0-9])(?=[a-z0-9]*\d)[a-z0-9]{8,}.*|(?=.*\d)(?=.*[#|(]).{16,}", re.DOTALL)
"""Texts that are long and random enough to belong to one alarm only."""
_OBJECT_NAME = re.compile(r"(?=.*[\d._-]).{6,}", re.DOTALL)

_LONG_TEXT = "order-service/" * 73

_NO_IDENTITY = frozenset(
    {"sessionId", "alertId", "firstOccurTime", "durationTime", "recoverTime", "currentValue", "historyValue"}
)
"""Keys of a callback that do not identify its alarm."""

_ACTIONS: dict[str, tuple[State, int, tuple[int, ...]]] = {
    "fires": (State.FIRING, 1, ()),
    "repeats": (State.REPEATED, 1, ()),
    "resolves": (State.RESOLVED, 2, ()),
    "resolves again": (State.RESOLVED, 3, ()),
    "fires again": (State.FIRING, 1, (2,)),
}


def _without_keys(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return an object without the keys that do not identify its alarm, at any level."""
    if not isinstance(value, dict):
        return value
    return {key: _without_keys(inner) for key, inner in value.items() if key not in _NO_IDENTITY}


@dataclass(slots=True)
class ScenarioAlarm:
    """One alarm of a scenario.

    Args:
        factory: generates the callbacks.
        alarm: the alarm as the callbacks show it.
        session_source: an alarm generated only for its session ids.
        changes: changes to its requests by action; see :func:`changed_request`.
        is_unusual: whether the clause has changed the alarm itself, as no alarm of the catalogue is.
    """

    factory: CaseFactory
    alarm: Alarm
    session_source: Alarm
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_unusual: bool = False
    _callbacks: dict[str, Callback] = field(default_factory=dict)

    def callback(self, action: str) -> Callback:
        """Return the callback of an action; the same one each time.

        Args:
            action: ``fires``, ``repeats``, ``resolves``, ``resolves again`` (in another session), ``fires again``.
        """
        if action not in self._callbacks:
            state, occurrence, previous = _ACTIONS[action]
            generator = self.factory.generator
            session_id = generator.callback(self.session_source, state, occurrence, previous).session_id
            result = generator.callback(self.alarm, state, occurrence, previous)
            if action == "resolves again":  # the same resolve in another session
                result = replace(generator.callback(self.alarm, state, 2), current_value=result.current_value)
            self._callbacks[action] = replace(result, session_id=session_id)
        return self._callbacks[action]

    @property
    def callbacks(self) -> Iterable[Callback]:
        """The callbacks generated so far."""
        return self._callbacks.values()

    def case(self, action: str) -> RequestCase:
        """Return the request of an action."""
        change = self.changes.get(action, {})
        variant = CredentialVariant(change.get("credentials", CredentialVariant.RIGHT))
        callback = self.callback(action)
        if change.get("shows_recover_time"):
            change = {**change, "set": {"recoverTime": str(callback.recovered_at), **change.get("set", {})}}
        request = changed_request(self.factory, callback.to_dict(), change)
        title = f"{self.alarm.shape_id} {action}"
        return RequestCase(title, request, self.alarm.shape_id, variant, is_changed=self.is_unusual or bool(change))

    @property
    def recovered_at(self) -> datetime | None:
        """The end that its resolve shows; ``None`` before there is a resolve."""
        shown = self.changes.get("resolves", {}).get("set", {}).get("recoverTime")
        with contextlib.suppress(ValueError, TypeError):
            return datetime.fromisoformat(shown)
        return next((callback.recovered_at for callback in self.callbacks if callback.recovered_at), None)

    @property
    def identity(self) -> str:
        """The body of its firing callback without session, times and values: what other alarms do not have."""
        return json.dumps(_without_keys(self.callback("fires").to_dict()), sort_keys=True)


def build_alarms(
    factory: CaseFactory, shape: Shape, tables: Mapping[str, Mapping[str, Any]]
) -> dict[str, ScenarioAlarm]:
    """Return the alarms of a scenario by name.

    Args:
        factory: generates the alarms.
        shape: the shape of all alarms.
        tables: by name. ``like`` (another name) and ``differs_in`` (keys of dimensions, ``object``, ``subject`` - its
            metric or event -, ``policy``, ``region``, ``account``): a copy with differences. ``set``: texts of
            dimensions, each followed by a unique suffix; ``policy_name``: the same for the name of the policy.
            ``is_longer = true``: each text of its dimensions that names the object has one more digit.
            ``long_value``: key of a dimension whose text becomes 1 KiB long. ``starts_at``: its first time, in Beijing.
            ``can_resolve = false``: an event that
            never resolves. ``has_threshold = false``: a metric without a threshold. ``changes``: by action, changes to
            its request; see :func:`changed_request`.
    """
    alarms: dict[str, ScenarioAlarm] = {}
    for name, table in tables.items():
        unique = alarm = factory.unique_alarm(
            shape, can_resolve=table.get("can_resolve", True), has_threshold=table.get("has_threshold", True)
        )
        if "like" in table:
            alarm = _vary(alarms[table["like"]].alarm, unique, table.get("differs_in", ()), factory, shape)
        texts = dict(table.get("set", {}))
        if "long_value" in table:  # a message that is cut still names the alarm
            texts[table["long_value"]] = f"{unique.policy_id} {_LONG_TEXT}"
        for key, text in texts.items():
            alarm = replace(alarm, dimensions={**alarm.dimensions, key: f"{text} {unique.policy_id}"})
        if table.get("is_longer"):
            alarm = replace(alarm, dimensions={key: _longer(value) for key, value in alarm.dimensions.items()})
        if "starts_at" in table:
            alarm = replace(alarm, first_occurred_at=datetime.fromisoformat(table["starts_at"]))
        if "policy_name" in table:
            alarm = replace(alarm, policy_name=f"{table['policy_name']} {unique.policy_id}")
        alarms[name] = ScenarioAlarm(
            factory, alarm, unique, table.get("changes", {}), is_unusual=bool(texts) or "policy_name" in table
        )
    return alarms


def changed_request(factory: CaseFactory, tree: dict[str, Any], change: Mapping[str, Any]) -> OutgoingRequest:
    """Return the request with a callback, changed.

    Args:
        factory: makes the request.
        tree: the callback.
        change: keys of :func:`~tcop_mock.contract.mutations.apply_mutation` and
            :func:`~tcop_mock.contract.mutations.serialize_variant`, and ``types`` (path to JSON type),
            ``root = "array"`` (the callback inside an array), ``cut_bytes`` (how many are missing at the end),
            ``append`` (a text after the body), ``segments`` (bytes of each TCP segment), ``credentials`` (a variant).
            ``shows_recover_time = true``, for captured events, is resolved before by :class:`ScenarioAlarm`.

    Raises:
        UnknownNameError: callbacks of the profile lack what is changed.
    """
    tree = apply_mutation(tree, change)
    for path, type_name in change.get("types", {}).items():
        tree = change_type(tree, path, type_name)
    body = serialize_variant([tree] if change.get("root") == "array" else tree, change)
    body = body[: len(body) - change.get("cut_bytes", 0)] + change.get("append", "").encode()
    request = replace(factory.request(body), segment_sizes=tuple(change.get("segments", ())))
    if "credentials" not in change:
        return request
    valid = factory.credentials or NO_CREDENTIALS
    presented = make_credentials(valid, CredentialVariant(change["credentials"]), factory.unique_secret)
    return replace(request, credentials=presented)


def unique_tokens(alarms: Iterable[ScenarioAlarm]) -> frozenset[str]:
    """Return the texts that occur only in callbacks of these alarms."""
    distinctive: set[str] = set()
    for scenario_alarm in alarms:
        alarm = scenario_alarm.alarm
        distinctive |= {text for text in dimension_strings(alarm) if _UNIQUE_TEXT.fullmatch(text)}
        distinctive |= {alarm.policy_id, alarm.policy_name}
        distinctive |= {callback.session_id for callback in scenario_alarm.callbacks}
    return frozenset(text.replace("\\", "") for text in distinctive)


def object_names(alarms: Iterable[ScenarioAlarm]) -> frozenset[str]:
    """Return the texts that name objects of these alarms. Other alarms may share them."""
    return frozenset(
        text for alarm in alarms for text in dimension_strings(alarm.alarm) if _OBJECT_NAME.fullmatch(text)
    )


def unique_tokens_of_body(body: bytes) -> frozenset[str]:
    """Return the texts of a callback that occur only in callbacks of its alarm."""
    tree = json.loads(body)
    policy, dimensions = tree["alarmPolicyInfo"], tree["alarmObjInfo"]["dimensions"]
    distinctive = {text for text in dimensions.values() if isinstance(text, str) and _UNIQUE_TEXT.fullmatch(text)}
    return frozenset({*distinctive, tree["sessionId"], policy["policyId"], policy["policyName"]})


def dimension_strings(alarm: Alarm) -> Iterator[str]:
    """Yield the texts of an alarm's dimensions, including those inside ``objDetail``."""
    values = [*alarm.dimensions.values()]
    for value in values:
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, str):
            yield value


def lifetime(alarms: Iterable[ScenarioAlarm]) -> tuple[datetime, datetime | None]:
    """Return the start and the end of the first of these alarms."""
    first = next(iter(alarms))
    return first.alarm.first_occurred_at, first.recovered_at


def all_sent_text(steps: Iterable[Step]) -> str:
    """Return the bodies of these steps as text, each once."""
    bodies = dict.fromkeys(case.request.body for step in steps for case in step.cases)
    return "\n".join(body.decode("utf-8", "replace") for body in bodies)


def _vary(original: Alarm, unique: Alarm, differences: Sequence[str], factory: CaseFactory, shape: Shape) -> Alarm:
    """Return a copy of an alarm with differences."""
    alarm = original
    for difference in differences:
        if difference == "object":
            alarm = replace(alarm, dimensions=unique.dimensions)
        elif difference == "policy":
            alarm = replace(alarm, policy_id=unique.policy_id, policy_name=unique.policy_name)
        elif difference == "region":
            alarm = replace(alarm, region=_different_region(original))
        elif difference == "account":
            alarm = replace(alarm, account=unique.account)
        elif difference == "subject":
            other_alarm = _about_other_subject(original, factory, shape)
            alarm = replace(other_alarm, policy_id=alarm.policy_id, policy_name=alarm.policy_name)
        else:
            alarm = replace(
                alarm,
                dimensions={**alarm.dimensions, difference: _different_value(original, difference, factory, shape)},
            )
    return alarm


def _longer(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    return f"{value}0" if isinstance(value, str) and _OBJECT_NAME.fullmatch(value) else value


def _about_other_subject(original: Alarm, factory: CaseFactory, shape: Shape) -> Alarm:
    """Return the alarm of the same object about another metric or event; the same alarm if there is none."""
    if original.metric is not None:
        name = original.metric.name
        metric = next((metric for metric in shape.metrics if metric.name != name), original.metric)
        return factory.generator.alarm(
            shape,
            original.serial,
            metric=metric.name,
            has_threshold=original.metric.calc_type is not None,
            required_state=State.REPEATED,
        )
    assert original.event is not None  # noqa: S101 - an alarm without a metric has an event
    recoverable = original.event.recoverable
    event = next(
        (event for event in shape.events if event != original.event and event.recoverable is recoverable),
        original.event,
    )
    return factory.generator.alarm(shape, original.serial, event=event.name)


def _different_value(original: Alarm, key: str, factory: CaseFactory, shape: Shape) -> Any:  # noqa: ANN401 - a JSON value
    """Return another value of a dimension."""
    values = (factory.unique_alarm(shape).dimensions[key] for _ in itertools.count())
    return next(value for value in values if value != original.dimensions[key])


def _different_region(original: Alarm) -> str:
    return next(region.code for region in regions() if region.code != original.region)


_MAX_BYTES = 65_536

_MIN_NAME_CHARS = 4

_COMMON_VALUES = frozenset({"metric", "event", "null", *NotifyType})
"""Values that name no alarm."""
_TIME = re.compile(r"[\d: .-]+")

_SINGLE_ALARM: Mapping[str, Mapping[str, Any]] = {"it": {}}


def effect_scenarios(factory: CaseFactory, *, scenarios: Sequence[Mapping[str, Any]]) -> ClauseTest:
    """Build effect scenarios, which run concurrently.

    Args:
        factory: generates the alarms.
        scenarios: tables of ``steps``; optional: ``title`` (if a shape has several scenarios), ``shapes`` (globs),
            ``forms``, ``needs_credentials = true`` (only where the target has some), ``alarms`` (see
            :func:`build_alarms`; default: one alarm called ``it``), and ``body``: a raw body that is posted in place
            of callbacks. A step is a table of ``title``, ``send`` (a list such as ``it fires``), ``repeat``, ``about``
            (names of alarms, where the step is about others than it sends), and the other fields of
            :class:`~tcop_mock.domain.contract.Step`. A scenario that changes what callbacks of the profile lack is not
            built, and one about what its alarms cannot do is left out.
    """
    return ClauseTest(
        (), effect_scenarios=tuple(scenario for table in scenarios for scenario in _scenarios(factory, table))
    )


def control_scenario(factory: CaseFactory) -> EffectScenario:
    """Return the scenario that every receiver with effects passes: a plain alarm fires."""
    steps = [{"title": "a plain alarm", "send": ["it fires"], "expected_effects": ">=1"}]
    return next(iter(_scenarios(factory, {"steps": steps})))


def lifecycle_scenario(factory: CaseFactory) -> EffectScenario:
    """Return a scenario of a plain alarm that fires and is resolved."""
    steps = [{"title": "an alarm fires", "send": ["it fires"]}, {"title": "it is resolved", "send": ["it resolves"]}]
    return next(iter(_scenarios(factory, {"steps": steps})))


def sent_strings(test: ClauseTest) -> Iterator[str]:
    """Yield everything that a clause sends, as text."""
    for group in test.groups:
        for case in filter(None, (group.control, *group.cases)):
            for request in filter(None, (case.firing, case.request)):
                yield request.body[:_MAX_BYTES].decode("utf-8", "replace")
    for scenario in test.effect_scenarios:
        yield scenario.expected_content.sent_text


def sent_values(sent_text: str) -> frozenset[str]:
    """Return the texts in bodies that a message about an alarm shows: ids and names, no times and no types.

    Args:
        sent_text: bodies, one a line; lines that are not JSON are ignored.
    """
    values: list[Any] = []
    for line in sent_text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            values.append(json.loads(line))
    for value in values:  # grows
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value
    texts = {value for value in values if isinstance(value, str) and len(value) >= _MIN_NAME_CHARS}
    return frozenset(text for text in texts if text not in _COMMON_VALUES and not _TIME.fullmatch(text))


def _scenarios(factory: CaseFactory, table: Mapping[str, Any]) -> Iterator[EffectScenario]:
    if "body" in table:
        yield _raw_scenario(factory, table)
        return
    if table.get("needs_credentials") and not factory.credentials:
        return
    for form in map(Form, table.get("forms", (factory.generator.form,))):
        form_factory = factory.with_form(form)
        for shape in factory.match_shapes(table.get("shapes", (factory.plain_shape,))):
            title_parts = [shape.id, form if "forms" in table else "", table.get("title", "")]
            title = ", ".join(filter(None, title_parts))
            try:
                yield _scenario(form_factory, shape, title, table)
            except UnknownNameError:
                continue
            except UsageError as problem:  # an event does not repeat
                yield _left_out(title, shape, str(problem))


def _left_out(title: str, shape: Shape, reason: str) -> EffectScenario:
    """Return the scenario that cannot be sent, because alarms of the shape lack what it is about."""
    content = ExpectedContent(frozenset(), frozenset(), "")
    return EffectScenario(title, shape.id, "", frozenset(), frozenset(), (), content, left_out=reason)


def _raw_scenario(factory: CaseFactory, table: Mapping[str, Any]) -> EffectScenario:
    """Return the scenario that posts a body which names no alarm."""
    case = RequestCase(table["title"], factory.request(table["body"].encode()))
    step = Step(table["title"], (case,), continue_on_error=True)
    content = ExpectedContent(frozenset(), frozenset(), table["body"])
    return EffectScenario(table["title"], None, "", frozenset(), frozenset(), (step,), content, names_no_alarm=True)


def _scenario(factory: CaseFactory, shape: Shape, title: str, table: Mapping[str, Any]) -> EffectScenario:
    scenario_alarms = build_alarms(factory, shape, table.get("alarms", _SINGLE_ALARM))
    steps = tuple(_step(scenario_alarms, step) for step in table["steps"])
    alarms = [scenario_alarm.alarm for scenario_alarm in scenario_alarms.values()]
    started_at, recovered_at = lifetime(scenario_alarms.values())
    expected_content = ExpectedContent(
        object_names=frozenset(
            text for alarm in alarms for text in dimension_strings(alarm) if len(text) >= _MIN_NAME_CHARS
        ),
        metric_names=frozenset(name for alarm in alarms for name in _metric_names(alarm)),
        sent_text=all_sent_text(steps),
        started_at=started_at,
        recovered_at=recovered_at,
    )
    token, *other_tokens = dict.fromkeys(map(_object_of, alarms))
    return EffectScenario(
        title,
        shape.id,
        token,
        unique_tokens(scenario_alarms.values()),
        object_names(scenario_alarms.values()),
        steps,
        expected_content,
        tuple(other_tokens),
        left_out=_reason_to_leave_out(scenario_alarms),
    )


def _reason_to_leave_out(alarms: Mapping[str, ScenarioAlarm]) -> str:
    """Return why these are not several alarms to a receiver: the bodies of two of them are the same."""
    if len(alarms) < 2 or len({alarm.identity for alarm in alarms.values()}) == len(alarms):  # noqa: PLR2004 - a pair
        return ""
    return "callbacks of this profile tell the two alarms apart by session and times only, so that they are one alarm"


def _object_of(alarm: Alarm) -> str:
    return str(alarm.dimensions.get("objId") or alarm.dimensions.get("unInstanceId") or alarm.policy_id)


def _step(alarms: Mapping[str, ScenarioAlarm], table: Mapping[str, Any]) -> Step:
    sent = [action_text.partition(" ")[::2] for action_text in table["send"]]
    cases = [alarms[name].case(action) for name, action in sent]
    own_names = set(table["about"]) if "about" in table else {name for name, _ in sent}
    own_alarms = [alarm for name, alarm in alarms.items() if name in own_names]
    other_alarms = [alarm for name, alarm in alarms.items() if name not in own_names]
    send_mode = SendMode(table.get("send_mode", SendMode.SEQUENTIAL))
    return Step(
        title=table["title"],
        cases=tuple(cases) * table.get("repeat", 1),
        send_mode=send_mode,
        expected_effects=table.get("expected_effects", ""),
        expected_open=table.get("expected_open", ""),
        continue_on_error=table.get("continue_on_error", False),
        downstream_fault=table.get("downstream_fault", ""),
        fault_steps=table.get("fault_steps", 1),
        tokens=_names_and_tokens(own_alarms) - _names_and_tokens(other_alarms),
        pause_s=table.get("pause_s", 0.0),
        wait_s=table.get("wait_s", 0.0),
    )


def _names_and_tokens(alarms: Collection[ScenarioAlarm]) -> frozenset[str]:
    return unique_tokens(alarms) | object_names(alarms)


def _metric_names(alarm: Alarm) -> Iterator[str]:
    subjects: list[Metric | Event] = [subject for subject in (alarm.metric, alarm.event) if subject is not None]
    for subject in subjects:
        yield subject.name
        yield subject.show_name.for_language(alarm.lang).strip()
