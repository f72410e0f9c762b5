"""The player of clauses about effects: alarms that live through acts, after each of which something is to be seen."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.pools import regions
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.domain.alarm import Callback, Form, State
from tcop_mock.domain.contract import ClauseTest, EffectScenario, ExpectedContent, RequestCase, SendMode, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Event, Metric, Shape


_UNIQUE_TEXT = re.compile(r".*(?<![a-z0-9])(?=[a-z0-9]*\d)[a-z0-9]{8,}.*|(?=.*\d)(?=.*[#|(]).{16,}", re.DOTALL)

"""What is long enough, and drawn from enough, to be nobody else's."""

_OBJECT_NAME = re.compile(r"(?=.*[\d._-]).{6,}", re.DOTALL)

_LONG_TEXT = "order-service/" * 73

_ACTIONS: dict[str, tuple[State, int, tuple[int, ...]]] = {
    "fires": (State.FIRING, 1, ()),
    "repeats": (State.REPEATED, 1, ()),
    "resolves": (State.RESOLVED, 2, ()),
    "resolves anew": (State.RESOLVED, 3, ()),
    "fires again": (State.FIRING, 1, (2,)),
}


@dataclass(slots=True)
class ScenarioAlarm:
    """One alarm of a story.

    Args:
        factory: draws.
        alarm: as it is told.
        session_source: drawn for it alone: gives its sessions.
    """

    factory: CaseFactory
    alarm: Alarm
    session_source: Alarm
    _callbacks: dict[str, Callback] = field(default_factory=dict)

    def callback(self, action: str) -> Callback:
        """Return the callback of a step of its life; the same one each time.

        Args:
            action: ``fires``, ``repeats``, ``resolves``, ``resolves anew`` (told in another session), ``fires again``.
        """
        if action not in self._callbacks:
            state, occurrence, previous = _ACTIONS[action]
            generator = self.factory.generator
            session_id = generator.callback(self.session_source, state, occurrence, previous).session_id
            result = generator.callback(self.alarm, state, occurrence, previous)
            if action == "resolves anew":  # another session tells the same end
                result = replace(generator.callback(self.alarm, state, 2), current_value=result.current_value)
            self._callbacks[action] = replace(result, session_id=session_id)
        return self._callbacks[action]

    @property
    def callbacks(self) -> Iterable[Callback]:
        """What has been told of it."""
        return self._callbacks.values()


def build_alarms(
    factory: CaseFactory, shape: Shape, tables: Mapping[str, Mapping[str, Any]]
) -> dict[str, ScenarioAlarm]:
    """Return the alarms of a story by their names.

    Args:
        factory: draws.
        shape: of all of them.
        tables: by name; ``like`` (another name) and ``other`` (what differs from it: keys of dimensions, ``object``,
            ``metric``, ``policy``, ``region``, ``account``); ``set`` (key of a dimension to text, behind which comes
            something of its own); ``long`` (a key whose text gets 1 KiB long); and ``recovers = false`` for an event
            that has no end.
    """
    alarms: dict[str, ScenarioAlarm] = {}
    for name, table in tables.items():
        unique = alarm = factory.unique_alarm(shape, can_resolve=table.get("recovers", True))
        if "like" in table:
            alarm = _vary(alarms[table["like"]].alarm, unique, table.get("other", ()), factory, shape)
        texts = dict(table.get("set", {})) | ({table["long"]: _LONG_TEXT} if "long" in table else {})
        for key, text in texts.items():
            alarm = replace(alarm, dimensions={**alarm.dimensions, key: f"{text} {unique.policy_id}"})
        alarms[name] = ScenarioAlarm(factory, alarm, unique)
    return alarms


def unique_tokens(alarms: Iterable[ScenarioAlarm]) -> frozenset[str]:
    """Return the texts that only callbacks of these alarms have."""
    distinctive: set[str] = set()
    for scenario_alarm in alarms:
        alarm = scenario_alarm.alarm
        distinctive |= {text for text in dimension_strings(alarm) if _UNIQUE_TEXT.fullmatch(text)}
        distinctive |= {alarm.policy_id, alarm.policy_name}
        distinctive |= {callback.session_id for callback in scenario_alarm.callbacks}
    return frozenset(text.replace("\\", "") for text in distinctive)


def object_names(alarms: Iterable[ScenarioAlarm]) -> frozenset[str]:
    """Return the texts that name objects of these alarms, and may name others, too."""
    return frozenset(
        text for alarm in alarms for text in dimension_strings(alarm.alarm) if _OBJECT_NAME.fullmatch(text)
    )


def unique_tokens_of_body(body: bytes) -> frozenset[str]:
    """Return the texts of a callback that only callbacks of its alarm have."""
    tree = json.loads(body)
    policy, dimensions = tree["alarmPolicyInfo"], tree["alarmObjInfo"]["dimensions"]
    distinctive = {text for text in dimensions.values() if isinstance(text, str) and _UNIQUE_TEXT.fullmatch(text)}
    return frozenset({*distinctive, tree["sessionId"], policy["policyId"], policy["policyName"]})


def dimension_strings(alarm: Alarm) -> Iterator[str]:
    """Yield the texts of an alarm's dimensions, also those inside ``objDetail``."""
    values = [*alarm.dimensions.values()]
    for value in values:
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, str):
            yield value


def lifetime(alarms: Iterable[ScenarioAlarm]) -> tuple[datetime, datetime | None]:
    """Return when the first of these alarms began and ended."""
    first = next(iter(alarms))
    return first.alarm.first_occurred_at, next(
        (callback.recovered_at for callback in first.callbacks if callback.recovered_at), None
    )


def all_sent_text(alarms: Iterable[ScenarioAlarm]) -> str:
    """Return all that was told of these alarms as text."""
    return json.dumps([callback.to_dict() for alarm in alarms for callback in alarm.callbacks], ensure_ascii=False)


def _vary(original: Alarm, unique: Alarm, differences: Sequence[str], factory: CaseFactory, shape: Shape) -> Alarm:
    """Return an alarm like another one, but for what differs."""
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
        elif difference == "metric":
            metric = next(metric for metric in shape.metrics if metric != original.metric)
            other_alarm = factory.generator.alarm(
                shape, original.serial, metric=metric.name, required_state=State.REPEATED
            )
            alarm = replace(other_alarm, policy_id=alarm.policy_id, policy_name=alarm.policy_name)
        else:
            alarm = replace(
                alarm,
                dimensions={**alarm.dimensions, difference: _different_value(original, difference, factory, shape)},
            )
    return alarm


def _different_value(original: Alarm, key: str, factory: CaseFactory, shape: Shape) -> Any:  # noqa: ANN401 - a JSON value
    """Draw another value of a dimension."""
    values = (factory.unique_alarm(shape).dimensions[key] for _ in itertools.count())
    return next(value for value in values if value != original.dimensions[key])


def _different_region(original: Alarm) -> str:
    return next(region.code for region in regions() if region.code != original.region)


_MAX_BYTES = 65_536

_MIN_NAME_CHARS = 4

_SINGLE_ALARM: Mapping[str, Mapping[str, Any]] = {"it": {}}


def effect_scenarios(factory: CaseFactory, *, scenarios: Sequence[Mapping[str, Any]]) -> ClauseTest:
    """Tell stories of alarms, side by side.

    Args:
        factory: makes the alarms.
        scenarios: tables of ``acts``; ``title`` where there are several for a shape; ``shapes`` (globs), ``forms``, and
            ``cast`` (see :func:`build_alarms`; one alarm called ``it``, where it is not given). An
            act is a table of ``title``, ``send`` (``it fires``, several), ``times``, and what
            :class:`~tcop_mock.domain.contract.Step` has.
    """
    return ClauseTest(
        (), effect_scenarios=tuple(scenario for table in scenarios for scenario in _scenarios(factory, table))
    )


def control_scenario(factory: CaseFactory) -> EffectScenario:
    """Return the story that every receiver with effects passes: a plain alarm that fires."""
    steps = [{"title": "a plain alarm", "send": ["it fires"], "effects": ">=1"}]
    return next(iter(_scenarios(factory, {"acts": steps})))


def sent_strings(test: ClauseTest) -> Iterator[str]:
    """Yield what a play sends, as text."""
    for group in test.groups:
        for case in group.cases:
            yield case.request.body[:_MAX_BYTES].decode("utf-8", "replace")
    for scenario in test.effect_scenarios:
        yield scenario.expected_content.sent_text


def _scenarios(factory: CaseFactory, table: Mapping[str, Any]) -> Iterator[EffectScenario]:
    for form in map(Form, table.get("forms", (Form.DOCUMENTED,))):
        form_factory = factory.with_form(form)
        for shape in factory.match_shapes(table.get("shapes", (PLAIN_SHAPE,))):
            title_parts = [shape.id, form if "forms" in table else "", table.get("title", "")]
            yield _scenario(form_factory, shape, ", ".join(filter(None, title_parts)), table)


def _scenario(factory: CaseFactory, shape: Shape, title: str, table: Mapping[str, Any]) -> EffectScenario:
    scenario_alarms = build_alarms(factory, shape, table.get("cast", _SINGLE_ALARM))
    steps = tuple(_step(factory, shape, scenario_alarms, step) for step in table["acts"])
    alarms = [scenario_alarm.alarm for scenario_alarm in scenario_alarms.values()]
    started_at, recovered_at = lifetime(scenario_alarms.values())
    expected_content = ExpectedContent(
        object_names=frozenset(
            text for alarm in alarms for text in dimension_strings(alarm) if len(text) >= _MIN_NAME_CHARS
        ),
        metric_names=frozenset(name for alarm in alarms for name in _metric_names(alarm)),
        sent_text=all_sent_text(scenario_alarms.values()),
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
    )


def _object_of(alarm: Alarm) -> str:
    return str(alarm.dimensions.get("objId") or alarm.dimensions.get("unInstanceId") or alarm.policy_id)


def _step(factory: CaseFactory, shape: Shape, alarms: Mapping[str, ScenarioAlarm], table: Mapping[str, Any]) -> Step:
    cases = []
    for action_text in table["send"]:
        alarm_name, _, action = action_text.partition(" ")
        request = factory.request(alarms[alarm_name].callback(action).to_bytes())
        cases.append(RequestCase(f"{shape.id} {action}", request, shape.id))
    send_mode = SendMode(table.get("manner", SendMode.SEQUENTIAL))
    return Step(
        title=table["title"],
        cases=tuple(cases) * table.get("times", 1),
        send_mode=send_mode,
        expected_effects=table.get("effects", ""),
        expected_open=table.get("open", ""),
        continue_on_error=table.get("any_answer", False),
        downstream_fault=table.get("trouble", ""),
    )


def _metric_names(alarm: Alarm) -> Iterator[str]:
    subjects: list[Metric | Event] = [subject for subject in (alarm.metric, alarm.event) if subject is not None]
    for subject in subjects:
        yield subject.name
        yield subject.show_name.for_language(alarm.lang).strip()
