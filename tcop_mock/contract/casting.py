"""Alarms that live through a story: each has objects, a policy and sessions of its own, but for what it shares."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.generate.pools import regions
from tcop_mock.model.alarm import Callback, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.contract.workshop import Workshop
    from tcop_mock.model.alarm import Alarm
    from tcop_mock.model.shape import Shape

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
