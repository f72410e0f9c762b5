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
from tcop_mock.domain.contract import Act, Case, Facts, Manner, Play, Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.contract.case_factory import Workshop
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Event, Metric, Shape


_TELLING = re.compile(r".*(?<![a-z0-9])(?=[a-z0-9]*\d)[a-z0-9]{8,}.*|(?=.*\d)(?=.*[#|(]).{16,}", re.DOTALL)

"""What is long enough, and drawn from enough, to be nobody else's."""

_NAMING = re.compile(r"(?=.*[\d._-]).{6,}", re.DOTALL)

_LONG = "order-service/" * 73

_STEPS: dict[str, tuple[State, int, tuple[int, ...]]] = {
    "fires": (State.FIRING, 1, ()),
    "repeats": (State.REPEATED, 1, ()),
    "resolves": (State.RESOLVED, 2, ()),
    "resolves anew": (State.RESOLVED, 3, ()),
    "fires again": (State.FIRING, 1, (2,)),
}


@dataclass(slots=True)
class Role:
    """One alarm of a story.

    Args:
        shop: draws.
        alarm: as it is told.
        own: drawn for it alone: gives its sessions.
    """

    shop: Workshop
    alarm: Alarm
    own: Alarm
    _told: dict[str, Callback] = field(default_factory=dict)

    def callback(self, step: str) -> Callback:
        """Return the callback of a step of its life; the same one each time.

        Args:
            step: ``fires``, ``repeats``, ``resolves``, ``resolves anew`` (told in another session), ``fires again``.
        """
        if step not in self._told:
            state, occurrence, before = _STEPS[step]
            generator = self.shop.generator
            session = generator.callback(self.own, state, occurrence, before).session_id
            told = generator.callback(self.alarm, state, occurrence, before)
            if step == "resolves anew":  # another session tells the same end
                told = replace(generator.callback(self.alarm, state, 2), current_value=told.current_value)
            self._told[step] = replace(told, session_id=session)
        return self._told[step]

    @property
    def told(self) -> Iterable[Callback]:
        """What has been told of it."""
        return self._told.values()


def cast(shop: Workshop, shape: Shape, roles: Mapping[str, Mapping[str, Any]]) -> dict[str, Role]:
    """Return the alarms of a story by their names.

    Args:
        shop: draws.
        shape: of all of them.
        roles: by name; ``like`` (another name) and ``other`` (what differs from it: keys of dimensions, ``object``,
            ``metric``, ``policy``, ``region``, ``account``); ``set`` (key of a dimension to text, behind which comes
            something of its own); ``long`` (a key whose text gets 1 KiB long); and ``recovers = false`` for an event
            that has no end.
    """
    found: dict[str, Role] = {}
    for name, role in roles.items():
        own = alarm = shop.own_alarm(shape, recovers=role.get("recovers", True))
        if "like" in role:
            alarm = _like(found[role["like"]].alarm, own, role.get("other", ()), shop, shape)
        said = dict(role.get("set", {})) | ({role["long"]: _LONG} if "long" in role else {})
        for key, text in said.items():
            alarm = replace(alarm, dimensions={**alarm.dimensions, key: f"{text} {own.policy_id}"})
        found[name] = Role(shop, alarm, own)
    return found


def tokens(roles: Iterable[Role]) -> frozenset[str]:
    """Return the texts that only callbacks of these alarms have."""
    found: set[str] = set()
    for role in roles:
        alarm = role.alarm
        found |= {text for text in texts_of(alarm) if _TELLING.fullmatch(text)}
        found |= {alarm.policy_id, alarm.policy_name}
        found |= {callback.session_id for callback in role.told}
    return frozenset(text.replace("\\", "") for text in found)


def names(roles: Iterable[Role]) -> frozenset[str]:
    """Return the texts that name objects of these alarms, and may name others, too."""
    return frozenset(text for role in roles for text in texts_of(role.alarm) if _NAMING.fullmatch(text))


def tokens_of_body(body: bytes) -> frozenset[str]:
    """Return the texts of a callback that only callbacks of its alarm have."""
    tree = json.loads(body)
    policy, dimensions = tree["alarmPolicyInfo"], tree["alarmObjInfo"]["dimensions"]
    found = {text for text in dimensions.values() if isinstance(text, str) and _TELLING.fullmatch(text)}
    return frozenset({*found, tree["sessionId"], policy["policyId"], policy["policyName"]})


def texts_of(alarm: Alarm) -> Iterator[str]:
    """Yield the texts of an alarm's dimensions, also those inside ``objDetail``."""
    values = [*alarm.dimensions.values()]
    for value in values:
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, str):
            yield value


def moments(roles: Iterable[Role]) -> tuple[datetime, datetime | None]:
    """Return when the first of these alarms began and ended."""
    first = next(iter(roles))
    return first.alarm.first_occur, next((told.recovered for told in first.told if told.recovered), None)


def sent(roles: Iterable[Role]) -> str:
    """Return all that was told of these alarms as text."""
    return json.dumps([callback.to_wire() for role in roles for callback in role.told], ensure_ascii=False)


def _like(model: Alarm, own: Alarm, others: Sequence[str], shop: Workshop, shape: Shape) -> Alarm:
    """Return an alarm like another one, but for what differs."""
    alarm = model
    for other in others:
        if other == "object":
            alarm = replace(alarm, dimensions=own.dimensions)
        elif other == "policy":
            alarm = replace(alarm, policy_id=own.policy_id, policy_name=own.policy_name)
        elif other == "region":
            alarm = replace(alarm, region=_another_region(model))
        elif other == "account":
            alarm = replace(alarm, account=own.account)
        elif other == "metric":
            metric = next(metric for metric in shape.metrics if metric != model.metric)
            told = shop.generator.alarm(shape, model.serial, metric=metric.name, reaching=State.REPEATED)
            alarm = replace(told, policy_id=alarm.policy_id, policy_name=alarm.policy_name)
        else:
            alarm = replace(alarm, dimensions={**alarm.dimensions, other: _another(model, other, shop, shape)})
    return alarm


def _another(model: Alarm, key: str, shop: Workshop, shape: Shape) -> Any:  # noqa: ANN401 - a JSON value
    """Draw another value of a dimension."""
    drawn = (shop.own_alarm(shape).dimensions[key] for _ in itertools.count())
    return next(value for value in drawn if value != model.dimensions[key])


def _another_region(model: Alarm) -> str:
    return next(region.code for region in regions() if region.code != model.region)


_MOST_BYTES = 65_536

_LEAST_NAME_CHARS = 4

_SOLO: Mapping[str, Mapping[str, Any]] = {"it": {}}


def stories(shop: Workshop, *, stories: Sequence[Mapping[str, Any]]) -> Play:
    """Tell stories of alarms, side by side.

    Args:
        shop: makes the alarms.
        stories: tables of ``acts``; ``title`` where there are several for a shape; ``shapes`` (globs), ``forms``, and
            ``cast`` (see :func:`cast`; one alarm called ``it``, where it is not given). An
            act is a table of ``title``, ``send`` (``it fires``, several), ``times``, and what
            :class:`~tcop_mock.domain.contract.Act` has.
    """
    return Play((), stories=tuple(story for table in stories for story in _told(shop, table)))


def control(shop: Workshop) -> Story:
    """Return the story that every receiver with effects passes: a plain alarm that fires."""
    acts = [{"title": "a plain alarm", "send": ["it fires"], "effects": ">=1"}]
    return next(iter(_told(shop, {"acts": acts})))


def texts(play: Play) -> Iterator[str]:
    """Yield what a play sends, as text."""
    for scene in play.scenes:
        for case in scene.cases:
            yield case.push.body[:_MOST_BYTES].decode("utf-8", "replace")
    for story in play.stories:
        yield story.facts.sent


def _told(shop: Workshop, table: Mapping[str, Any]) -> Iterator[Story]:
    for form in map(Form, table.get("forms", (Form.DOCUMENTED,))):
        writer = shop.writing(form)
        for shape in shop.shapes(table.get("shapes", (PLAIN_SHAPE,))):
            named = [shape.id, form if "forms" in table else "", table.get("title", "")]
            yield _story(writer, shape, ", ".join(filter(None, named)), table)


def _story(shop: Workshop, shape: Shape, title: str, table: Mapping[str, Any]) -> Story:
    roles = cast(shop, shape, table.get("cast", _SOLO))
    acts = tuple(_act(shop, shape, roles, act) for act in table["acts"])
    alarms = [role.alarm for role in roles.values()]
    started, recovered = moments(roles.values())
    facts = Facts(
        objects=frozenset(text for alarm in alarms for text in texts_of(alarm) if len(text) >= _LEAST_NAME_CHARS),
        whats=frozenset(name for alarm in alarms for name in _names(alarm)),
        sent=sent(roles.values()),
        started=started,
        recovered=recovered,
    )
    token, *others = dict.fromkeys(map(_object, alarms))
    return Story(title, shape.id, token, tokens(roles.values()), names(roles.values()), acts, facts, tuple(others))


def _object(alarm: Alarm) -> str:
    return str(alarm.dimensions.get("objId") or alarm.dimensions.get("unInstanceId") or alarm.policy_id)


def _act(shop: Workshop, shape: Shape, roles: Mapping[str, Role], table: Mapping[str, Any]) -> Act:
    cases = []
    for line in table["send"]:
        name, _, step = line.partition(" ")
        push = shop.push(roles[name].callback(step).body())
        cases.append(Case(f"{shape.id} {step}", push, shape.id))
    manner = Manner(table.get("manner", Manner.IN_TURN))
    return Act(
        title=table["title"],
        cases=tuple(cases) * table.get("times", 1),
        manner=manner,
        effects=table.get("effects", ""),
        open=table.get("open", ""),
        any_answer=table.get("any_answer", False),
        trouble=table.get("trouble", ""),
    )


def _names(alarm: Alarm) -> Iterator[str]:
    whats: list[Metric | Event] = [what for what in (alarm.metric, alarm.event) if what is not None]
    for what in whats:
        yield what.name
        yield what.show_name.in_(alarm.lang).strip()
