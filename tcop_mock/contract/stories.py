"""The player of clauses about effects: alarms that live through acts, after each of which something is to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.contract.casting import cast, moments, names, sent, texts_of, tokens
from tcop_mock.contract.workshop import PLAIN_SHAPE
from tcop_mock.model.case import Case, Play
from tcop_mock.model.form import Form
from tcop_mock.model.story import Act, Facts, Manner, Story

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.contract.casting import Role
    from tcop_mock.contract.workshop import Workshop
    from tcop_mock.model.alarm import Alarm
    from tcop_mock.model.shape import Event, Metric, Shape

_MOST_BYTES = 65_536
_LEAST_NAME_CHARS = 4
_SOLO: Mapping[str, Mapping[str, Any]] = {"it": {}}


def stories(shop: Workshop, *, stories: Sequence[Mapping[str, Any]]) -> Play:
    """Tell stories of alarms, side by side.

    Args:
        shop: makes the alarms.
        stories: tables of ``acts``; ``title`` where there are several for a shape; ``shapes`` (globs), ``forms``, and
            ``cast`` (see :func:`~tcop_mock.contract.casting.cast`; one alarm called ``it``, where it is not given). An
            act is a table of ``title``, ``send`` (``it fires``, several), ``times``, and what
            :class:`~tcop_mock.model.story.Act` has.
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
