"""The script of a storm: what is due when, drawn as it is needed, from a seed and a scenario."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Moment, ages_s, place_of, serial_of_own_policy
from tcop_mock.callbacks.pieces import BYTES, FIRST_DAY
from tcop_mock.callbacks.rendering import Bodies
from tcop_mock.callbacks.sampling import Ask, Entropy, Setting, draw_account
from tcop_mock.catalog.data_files import data_root, read_entry, read_schema, walk
from tcop_mock.catalog.pools import region_of
from tcop_mock.domain.alarm import Notify, NotifyType, State
from tcop_mock.domain.callback_view import identity_of
from tcop_mock.domain.load import Due, Group, Scenario
from tcop_mock.domain.shape import Kind
from tcop_mock.errors import EntryError, UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.load import Script
    from tcop_mock.domain.shape import Shape


_POLICIES = 1024

"""Of a shape, that each group has for its own."""

_BITS = 1 << 53

_TOLD_ONCE = Notify(NotifyType.SINGLE, 0)

_FIRST = re.compile(rb'(?<="firstOccurTime":")[^"]*')

_RECOVERED = re.compile(rb'(?<="recoverTime":")\d{4}-[^"]*')

_AGE = re.compile(rb'(?<="durationTime":)\d+')


class Extent(NamedTuple):
    """How much a storm is."""

    notifications: int
    last_s: float
    """When the last one is due."""
    most: int
    """The most that are due in one second."""


class _Telling(NamedTuple):
    """One callback of an alarm; seconds of the storm."""

    at_s: float
    moment: Moment
    born_s: float
    """When this life of the alarm began."""


class _Next(NamedTuple):
    """What an alarm tells next; the earliest first, and of two at once that of the earlier alarm."""

    at_s: float
    order: int
    telling: _Telling
    life: _Life
    rest: Iterator[_Telling]


class Storm:
    """A scenario, ready to be played.

    Args:
        scenario: what happens.
        catalog: has its shapes.
        generator: gives seed, language, form and profile.

    Raises:
        EntryError: a group names a shape, a metric or an event that is not there, or repeats what never repeats.
    """

    def __init__(self, scenario: Scenario, catalog: Catalog, generator: Generator) -> None:
        self.scenario = scenario
        key = (generator.seed, "storm", scenario.name)
        setting = Setting(draw_account(*key), scenario.region)
        used: dict[str, int] = {}
        self._lots = [
            _Lot(scenario, number, _shapes(scenario, number, catalog), generator, setting, used)
            for number in range(len(scenario.groups))
        ]
        self._first_day = FIRST_DAY + timedelta(days=Entropy(*key).below(BYTES))

    def script(self, time_scale: float = 1.0) -> Script:
        """Yield what is due, the earliest first.

        Nothing is kept but what is still to come of alarms that have fired, and when those fire that have not.

        Args:
            time_scale: seconds that a second of the storm takes; the times in bodies are the storm's own.
        """
        for upcoming in self._tellings():
            at_s, _, telling, life, _ = upcoming
            yield life.due(telling, at_s * time_scale, self._first_day)

    def extent(self, time_scale: float = 1.0) -> Extent:
        """Return how much it is; draws none of it."""
        number, last_s, second, in_second, most = 0, 0.0, 0, 0, 0
        for upcoming in self._tellings():
            number, last_s = number + 1, upcoming.at_s * time_scale
            in_second = in_second + 1 if int(last_s) == second else 1
            second, most = int(last_s), max(most, in_second)
        return Extent(number, last_s, most)

    def _tellings(self) -> Iterator[_Next]:
        ends_s = math.inf if self.scenario.ends_s is None else self.scenario.ends_s
        order = itertools.count()
        firings = heapq.merge(*(lot.firings() for lot in self._lots), key=lambda firing: firing[0])
        coming: list[_Next] = []
        for born_s, life in itertools.chain(firings, [(math.inf, None)]):
            while coming and coming[0].at_s < born_s:
                told = coming[0]
                if told.at_s > ends_s:
                    return
                yield told
                following = next(told.rest, None)
                if following is None:
                    heapq.heappop(coming)
                else:
                    heapq.heapreplace(coming, told._replace(at_s=following.at_s, telling=following))
            if life is not None:
                rest = life.tellings(born_s)
                first = next(rest)
                heapq.heappush(coming, _Next(first.at_s, next(order), first, life, rest))


def _shapes(scenario: Scenario, number: int, catalog: Catalog) -> list[Shape]:
    found: dict[str, Shape] = {}
    for pattern in scenario.groups[number].shapes:
        try:
            found |= {shape.id: shape for shape in catalog.match(pattern)}
        except UsageError as problem:
            raise EntryError(scenario.where, f"groups.{number}.shapes", str(problem)) from None
    return list(found.values())


class _Lot:
    """A group of alarms, and what writes their callbacks."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is another thing
        self,
        scenario: Scenario,
        number: int,
        shapes: list[Shape],
        generator: Generator,
        setting: Setting,
        used: dict[str, int],
    ) -> None:
        self.group = group = scenario.groups[number]
        self.generator = generator
        self._key = (generator.seed, "storm", scenario.name, number)
        setting = setting._replace(period_s=group.period_s, period_num=group.period_num)
        self._writers = []
        for shape in shapes:
            first = used.get(shape.id, 0)
            used[shape.id] = first + 1
            try:
                writer = _Writer(generator, shape, _ask(group, shape, setting), serial_of_own_policy(first * _POLICIES))
            except UsageError as problem:
                key = next((name for name in ("metric", "event") if getattr(group, name)), "repeats")
                raise EntryError(scenario.where, f"groups.{number}.{key}", str(problem)) from None
            self._writers.append(writer)

    def firings(self) -> Iterator[tuple[float, _Life]]:
        """Yield when the alarms fire for the first time, in order, each with what becomes of it."""
        group, chance = self.group, Entropy(*self._key)
        moments = sorted(chance.below(_BITS) / _BITS for _ in range(group.alarms))
        for at, moment in enumerate(moments):
            turn, writer = divmod(at, len(self._writers))
            chance = Entropy(*self._key, at)
            yield group.start_s + group.within_s * moment, _Life(group, self._writers[writer], turn, chance)


def _ask(group: Group, shape: Shape, setting: Setting) -> Ask:
    notify = group.notify or _TOLD_ONCE
    ends = bool(group.lasts_s) or group.over_s is not None
    reaching = State.FIRING
    if group.notify:
        reaching = State.REPEATED
    elif shape.kind is Kind.EVENT and ends and group.event is None and shape.recovers:
        reaching = State.RESOLVED
    return Ask(group.metric, group.event, notify=notify, reaching=reaching, setting=setting)


class _Writer:
    """Writes the callbacks of one shape's alarms in one group."""

    def __init__(self, generator: Generator, shape: Shape, ask: Ask, first: int) -> None:
        self.shape, self._ask, self._first = shape, ask, first
        if (ask.metric and shape.kind is Kind.EVENT) or (ask.event and shape.kind is Kind.METRIC):
            raise UsageError(f"{shape.id} is of {shape.kind.value} alarms")
        self._generator = generator
        self._draft = generator.draft(shape)
        self._bodies: dict[State, Bodies] = {}
        self.policy(0)

    def policy(self, turn: int) -> Alarm:
        """Return the policy of the alarm with a number."""
        return self._draft.policy(place_of(self._first + turn).policy, self._ask)

    def body(self, turn: int, moment: Moment) -> bytes:
        """Return a callback; its times are some moment's of that state."""
        bodies = self._bodies.get(moment.state)
        if bodies is None:
            bodies = Bodies(self._generator, self.shape, Moment(moment.state), ask=self._ask)
            self._bodies[moment.state] = bodies
        return bodies.body(self._first + turn, moment)


@dataclass(frozen=True, slots=True)
class _Life:
    """One alarm from its first firing to its last resolve."""

    group: Group
    writer: _Writer
    turn: int
    chance: Entropy

    def tellings(self, born_s: float) -> Iterator[_Telling]:
        """Yield its callbacks in order; of one that repeats and is never over, without end."""
        group, policy = self.group, self.writer.policy(self.turn)
        before: tuple[int, ...] = ()
        for _ in range(group.lives):
            age_s = self._age_s(born_s, policy) if policy.recovers else math.inf
            yield _Telling(born_s, Moment(State.FIRING, 1, before), born_s)
            repeats = itertools.count(1) if policy.repeats else ()
            outlived = 1
            for number in repeats:
                repeat = Moment(State.REPEATED, number, before)
                [repeated_s] = ages_s(policy, repeat)
                if repeated_s >= age_s:
                    break
                yield _Telling(born_s + repeated_s, repeat, born_s)
                outlived = number + 1
            if age_s == math.inf:
                return
            yield _Telling(born_s + age_s, Moment(State.RESOLVED, outlived, before), born_s)
            before = (*before, outlived)
            born_s += age_s + max(self._between(group.between_s), policy.period_s * policy.period_num)

    def _age_s(self, born_s: float, policy: Alarm) -> float:
        """Return how old it gets: whole periods, at the end of which its end is seen; infinitely, where it stays."""
        if self.group.lasts_s:
            lasts_s = self._between(self.group.lasts_s)
        elif self.group.over_s is not None:
            lasts_s = self.group.over_s - born_s
        else:
            return math.inf
        return policy.period_s * max(1, math.ceil(lasts_s / policy.period_s))

    def _between(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + (high - low) * self.chance.below(_BITS) / _BITS

    def due(self, telling: _Telling, at_s: float, first_day: datetime) -> Due:
        """Return a callback as it is due, its times moved to those of the storm."""
        moment = telling.moment
        body = self.writer.body(self.turn, moment)
        age_s = round(telling.at_s - telling.born_s)
        first = first_day + timedelta(seconds=int(telling.born_s))
        body = _FIRST.sub(str(first).encode(), body)
        if self.writer.shape.kind is Kind.METRIC:
            body = _AGE.sub(b"%d" % age_s, body)
        body = _RECOVERED.sub(str(first + timedelta(seconds=age_s)).encode(), body)
        alarm, thing, session, _ = identity_of(body)
        return Due(at_s, body, alarm, thing, moment.state.value, session, self.writer.shape.id)


SCHEMA = "scenario"

_TYPES = {"continuous": NotifyType.CONTINUOUS, "exponential": NotifyType.EXPONENTIAL}


def scenario_names() -> tuple[str, ...]:
    """Return the names of the shipped scenarios."""
    return tuple(name for name, _ in walk(data_root("contracts") / "scenarios", ".toml"))


def load_scenario(name: str) -> Scenario:
    """Return a shipped scenario by name, or the one that a file holds.

    Raises:
        UnknownNameError: there is neither; names near misses.
        EntryError: the file does not keep the format; says file, key and problem.
    """
    shipped = dict(walk(data_root("contracts") / "scenarios", ".toml"))
    if name in shipped:
        return parse_scenario(name, "", read_entry(shipped[name], SCHEMA, check=False))
    file = Path(name)
    if not file.exists():
        listing = f"there is {', '.join(shipped)}; or name a file"
        raise UnknownNameError("scenario", name, shipped, listing=listing)
    return parse_scenario(file.stem, str(file), read_entry(file, SCHEMA, check=True))


def parse_scenario(name: str, file: str, table: dict[str, Any]) -> Scenario:
    """Turn the table of a file that keeps its schema into a scenario.

    Args:
        name: of the scenario.
        file: how an error names the file; empty for a shipped one.
        table: of the file.

    Raises:
        EntryError: what it says does not fit together; says which key.
    """
    groups = tuple(_group(row) for row in table["groups"])
    ends_s = table.get("ends_s")
    for number, group in enumerate(groups):
        for key, problem in _misfits(group, ends_s):
            raise EntryError(file, f"groups.{number}.{key}", problem)
    for key in table.get("assumed", {}):
        _require_key(file, key)
    if region := table.get("region", ""):
        try:
            region_of(region)
        except UnknownNameError as problem:
            raise EntryError(file, "region", str(problem)) from None
    return Scenario(
        name=name,
        title=table["title"],
        source=table["source"],
        assumed=table.get("assumed", {}),
        groups=groups,
        region=region,
        ends_s=ends_s,
        file=file,
    )


def _group(row: dict[str, Any]) -> Group:
    repeats = row.get("repeats")
    given = {key: value for key, value in row.items() if key != "repeats"}
    given |= {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Group(**given, notify=Notify(_TYPES[repeats["type"]], repeats["every_s"]) if repeats else None)


def _misfits(group: Group, ends_s: float | None) -> list[tuple[str, str]]:
    """Return keys that do not fit the others, and why."""
    fired_s = group.start_s + group.within_s
    found = []
    for key in ("lasts_s", "between_s"):
        low, high = getattr(group, key) or (0, 0)
        if low > high:
            found.append((key, f"{low} is more than {high}; the least comes first"))
    if group.lasts_s and group.over_s is not None:
        found.append(("over_s", "does not go with lasts_s: alarms end each by itself, or all together"))
    if group.over_s is not None and group.over_s <= fired_s:
        found.append(("over_s", f"{group.over_s} is not after the last firing, which may come at {fired_s:g}"))
    if group.lives > 1 and not group.lasts_s:
        found.append(("lives", "needs lasts_s: each life has to end before the next one begins"))
    if group.notify and not group.lasts_s and group.over_s is None and ends_s is None:
        found.append(("repeats", "its alarms are never over: give lasts_s or over_s, or the scenario ends_s"))
    return found


def _require_key(file: str, key: str) -> None:
    schema = read_schema(SCHEMA)
    known = {*schema["$defs"]["group"]["properties"], "region", "ends_s"}
    if key not in known:
        near = did_you_mean(key, known)
        hint = f"; did you mean {near}?" if near else ""
        raise EntryError(file, f"assumed.{key}", f"is no key of a group or of the scenario{hint}")
