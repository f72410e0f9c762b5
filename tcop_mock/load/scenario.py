"""Loads scenarios and generates their schedules of notifications from a seed."""

from __future__ import annotations

import heapq
import itertools
import math
import re
import struct
from array import array
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import LifecyclePoint, position_of, possible_ages_s, serial_for_policy
from tcop_mock.callbacks.pieces import BYTE_VALUES, FIRST_DAY
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, PolicyContext, SeededRandom, draw_account
from tcop_mock.catalog.data_files import data_root, iter_files, read_entry, read_schema
from tcop_mock.catalog.pools import find_region
from tcop_mock.domain.alarm import NotifyType, RepeatPolicy
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import key_from_body
from tcop_mock.domain.load import Scenario, ScenarioGroup, ScheduledCallback
from tcop_mock.domain.shape import AlarmKind, without_unpublished
from tcop_mock.errors import EntryError, UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.load import Schedule
    from tcop_mock.domain.shape import Shape


_POLICIES_PER_GROUP = 1024

"""The policies of a shape that are reserved for each group."""

_RANDOM_RANGE = 1 << 53

_TIME, _TIME_BITS = struct.Struct(">d"), struct.Struct(">Q")

_ALARM_BITS = 32

_STATES = (State.FIRING, State.REPEATED, State.RESOLVED)

_FIRING, _REPEATED, _RESOLVED = range(len(_STATES))

_NOTIFY_ONCE = RepeatPolicy(NotifyType.SINGLE, 0)

_FIRST_OCCUR_TIME = re.compile(rb'(?<="firstOccurTime":")[^"]*')

_RECOVER_TIME = re.compile(rb'(?<="recoverTime":")\d{4}-[^"]*')

_DURATION_TIME = re.compile(rb'(?<="durationTime":)\d+')


class ScenarioSize(NamedTuple):
    """The size of a scenario."""

    notifications: int
    last_s: float
    """Due time of the last notification."""
    peak_per_second: int
    """The maximum number of notifications due in one second."""


class _DueCallback(NamedTuple):
    """One callback of an alarm; times are seconds of the scenario."""

    at_s: float
    order: int
    """Number of the alarm in the order in which alarms fire first."""
    writer: _BodyWriter
    serial: int
    """Number of the alarm among those of the writer."""
    point: LifecyclePoint
    fired_s: float
    """Time of the firing in this life of the alarm."""


class ScenarioSchedule:
    """The schedule of a scenario.

    Args:
        scenario: the scenario.
        catalog: the catalogue with its shapes.
        generator: the seed, language, form and profile.

    Raises:
        EntryError: a group names an unknown shape, metric or event, or repeats an alarm that never repeats.
    """

    def __init__(self, scenario: Scenario, catalog: Catalog, generator: Generator) -> None:
        self.scenario = scenario
        key = (generator.seed, "storm", scenario.name)
        context = PolicyContext(draw_account(*key), scenario.region)
        used_policies: dict[str, int] = {}
        self._groups = [
            _AlarmGroup(scenario, number, _group_shapes(scenario, number, catalog), generator, context, used_policies)
            for number in range(len(scenario.groups))
        ]
        self._first_day = FIRST_DAY + timedelta(days=SeededRandom(*key).randbelow(BYTE_VALUES))

    def schedule(self, time_scale: float = 1.0) -> Schedule:
        """Yield the notifications, the earliest first.

        Only the state of open alarms and the firing times of the others are kept in memory.

        Args:
            time_scale: real seconds per second of the scenario; times in bodies are not scaled.
        """
        for due in self._callbacks():
            body = _with_times(due, self._first_day)
            alarm, object_id, session, _ = key_from_body(body)
            yield ScheduledCallback(
                due.at_s * time_scale,
                body,
                alarm,
                object_id,
                due.point.state.value,
                session,
                due.writer.shape.id,
                due.order,
            )

    def size(self, time_scale: float = 1.0) -> ScenarioSize:
        """Return the size without generating bodies."""
        number, last_s, second, count_in_second, peak = 0, 0.0, 0, 0, 0
        for pending in self._callbacks():
            number, last_s = number + 1, pending.at_s * time_scale
            count_in_second = count_in_second + 1 if int(last_s) == second else 1
            second, peak = int(last_s), max(peak, count_in_second)
        return ScenarioSize(number, last_s, peak)

    def _callbacks(self) -> Iterator[_DueCallback]:
        """Yield the callbacks, the earliest first; those of one time in the order in which their alarms fired first."""
        ends_s = math.inf if self.scenario.ends_s is None else self.scenario.ends_s
        alarms = _Alarms(self._groups)
        firings = heapq.merge(*(group.first_firings(number) for number, group in enumerate(self._groups)))
        queue: list[int] = []
        for fired_s, group_number, number in itertools.chain(firings, [(math.inf, 0, 0)]):
            while queue and (due := _unpack(queue[0]))[0] < fired_s:
                at_s, alarm = due
                if at_s > ends_s:
                    return
                yield alarms.callback(alarm, at_s)
                next_s = alarms.advance(alarm)
                if next_s is None:
                    heapq.heappop(queue)
                else:
                    heapq.heapreplace(queue, _pack(next_s, alarm))
            if fired_s < math.inf:
                heapq.heappush(queue, _pack(fired_s, alarms.fire(group_number, number, fired_s)))


def _pack(at_s: float, alarm: int) -> int:
    """Return a time and the number of an alarm as one integer of the same order, in a third of the memory."""
    [bits] = _TIME_BITS.unpack(_TIME.pack(at_s))  # the bits of floats from 0 on have the order of the floats
    return int(bits) << _ALARM_BITS | alarm


def _unpack(key: int) -> tuple[float, int]:
    [at_s] = _TIME.unpack(_TIME_BITS.pack(key >> _ALARM_BITS))
    return at_s, key & (1 << _ALARM_BITS) - 1


def _group_shapes(scenario: Scenario, number: int, catalog: Catalog) -> list[Shape]:
    shapes: dict[str, Shape] = {}
    for pattern in scenario.groups[number].shapes:
        try:
            shapes |= {shape.id: shape for shape in without_unpublished(catalog.match(pattern))}
        except UsageError as problem:
            raise EntryError(scenario.location, f"groups.{number}.shapes", str(problem)) from None
    return list(shapes.values())


class _AlarmGroup:
    """A group of alarms and the writers of their callbacks."""

    def __init__(  # noqa: PLR0913, PLR0917 - they are independent values
        self,
        scenario: Scenario,
        number: int,
        shapes: list[Shape],
        generator: Generator,
        context: PolicyContext,
        used_policies: dict[str, int],
    ) -> None:
        self.group = group = scenario.groups[number]
        self.generator = generator
        self._key = (generator.seed, "storm", scenario.name, number)
        context = context._replace(period_s=group.period_s, period_num=group.period_num)
        self._writers = []
        for shape in shapes:
            first = used_policies.get(shape.id, 0)
            used_policies[shape.id] = first + 1
            try:
                writer = _BodyWriter(
                    generator,
                    shape,
                    _alarm_options(group, shape, context),
                    serial_for_policy(first * _POLICIES_PER_GROUP),
                )
            except UsageError as problem:
                key = next((name for name in ("metric", "event") if getattr(group, name)), "repeats")
                raise EntryError(scenario.location, f"groups.{number}.{key}", str(problem)) from None
            self._writers.append(writer)

    def first_firings(self, group_number: int) -> Iterator[tuple[float, int, int]]:
        """Yield the first firing time of each alarm in order, with the numbers of the group and the alarm."""
        group, random_stream = self.group, SeededRandom(*self._key)
        fractions = array(
            "d", sorted(random_stream.randbelow(_RANDOM_RANGE) / _RANDOM_RANGE for _ in range(group.alarms))
        )
        for number, fraction in enumerate(fractions):
            yield group.start_s + group.within_s * fraction, group_number, number

    def random_stream(self, number: int) -> SeededRandom:
        """Return the random numbers of an alarm."""
        return SeededRandom(*self._key, number)

    def writer(self, number: int) -> tuple[_BodyWriter, int]:
        """Return the writer of an alarm, and the number of the alarm among those of the writer."""
        index, writer = divmod(number, len(self._writers))
        return self._writers[writer], index


def _alarm_options(group: ScenarioGroup, shape: Shape, context: PolicyContext) -> AlarmOptions:
    notify = group.repeat_policy or _NOTIFY_ONCE
    can_end = bool(group.lasts_s) or group.over_s is not None
    last_state = State.FIRING
    if group.repeat_policy:
        last_state = State.REPEATED
    elif shape.kind is AlarmKind.EVENT and can_end and group.event is None and shape.can_resolve:
        last_state = State.RESOLVED
    return AlarmOptions(group.metric, group.event, repeat_policy=notify, required_state=last_state, context=context)


class _BodyWriter:
    """Writes the callbacks of one shape in one group."""

    def __init__(self, generator: Generator, shape: Shape, options: AlarmOptions, first_index: int) -> None:
        self.shape, self._options, self._first_index = shape, options, first_index
        if (options.metric and not shape.metrics) or (options.event and not shape.events):
            raise UsageError(f"{shape.id} is of {shape.kind.value} alarms")
        self._generator = generator
        self._sampler = generator.sampler_for(shape)
        self._renderers: dict[State, BodyRenderer] = {}
        self.policy(0)

    def policy(self, index: int) -> Alarm:
        """Return the policy of an alarm."""
        return self._sampler.policy(position_of(self._first_index + index).policy, self._options)

    def body(self, index: int, point: LifecyclePoint) -> bytes:
        """Return a callback of a state; its times are replaced later."""
        renderer = self._renderers.get(point.state)
        if renderer is None:
            renderer = BodyRenderer(self._generator, self.shape, LifecyclePoint(point.state), options=self._options)
            self._renderers[point.state] = renderer
        return renderer.body(self._first_index + index, point)


class _EarlierLives(NamedTuple):
    """State of an alarm that fires more than once."""

    random_stream: SeededRandom
    earlier_resolves: tuple[int, ...]


class _Alarms:
    """The state of all alarms that have fired. Each takes a few bytes, because a storm may have a million.

    Alarms have numbers in the order in which they fired first.
    """

    def __init__(self, groups: Sequence[_AlarmGroup]) -> None:
        self._groups = groups
        self._group_numbers, self._numbers = array("H"), array("I")
        self._fired_s, self._ages_s = array("d"), array("d")
        self._occurrences, self._states = array("I"), bytearray()
        self._lives: dict[int, _EarlierLives] = {}

    def fire(self, group_number: int, number: int, fired_s: float) -> int:
        """Add an alarm, whose first callback is due now; return its number."""
        group = self._groups[group_number]
        random_stream = group.random_stream(number)
        writer, index = group.writer(number)
        self._group_numbers.append(group_number)
        self._numbers.append(number)
        self._fired_s.append(fired_s)
        self._ages_s.append(_age_s(group.group, fired_s, writer.policy(index), random_stream))
        self._occurrences.append(1)
        self._states.append(_FIRING)
        if group.group.lives > 1:
            self._lives[len(self._states) - 1] = _EarlierLives(random_stream, ())
        return len(self._states) - 1

    def callback(self, alarm: int, at_s: float) -> _DueCallback:
        """Return the callback of an alarm that is due next."""
        writer, index = self._groups[self._group_numbers[alarm]].writer(self._numbers[alarm])
        return _DueCallback(at_s, alarm, writer, index, self._point(alarm), self._fired_s[alarm])

    def advance(self, alarm: int) -> float | None:
        """Move to the next callback of an alarm; return when it is due, or ``None`` if there is none."""
        group = self._groups[self._group_numbers[alarm]]
        writer, index = group.writer(self._numbers[alarm])
        policy = writer.policy(index)
        if self._states[alarm] == _RESOLVED:
            return self._fire_again(alarm, group.group, policy)
        self._occurrences[alarm] += self._states[alarm] == _REPEATED
        fired_s, age_s = self._fired_s[alarm], self._ages_s[alarm]
        if policy.can_repeat:
            self._states[alarm] = _REPEATED
            [repeated_s] = possible_ages_s(policy, self._point(alarm))
            if repeated_s < age_s:
                return fired_s + repeated_s
        self._states[alarm] = _RESOLVED
        return None if age_s == math.inf else fired_s + age_s

    def _fire_again(self, alarm: int, group: ScenarioGroup, policy: Alarm) -> float | None:
        lives = self._lives.get(alarm)
        if lives is None:
            return None
        random_stream, earlier_resolves = lives
        earlier_resolves = (*earlier_resolves, self._occurrences[alarm])
        if len(earlier_resolves) == group.lives:
            del self._lives[alarm]
            return None
        pause_s = max(_random_between(group.between_s, random_stream), policy.period_s * policy.period_num)
        fired_s = self._fired_s[alarm] + (self._ages_s[alarm] + pause_s)
        self._lives[alarm] = _EarlierLives(random_stream, earlier_resolves)
        self._fired_s[alarm], self._ages_s[alarm] = fired_s, _age_s(group, fired_s, policy, random_stream)
        self._occurrences[alarm], self._states[alarm] = 1, _FIRING
        return fired_s

    def _point(self, alarm: int) -> LifecyclePoint:
        lives = self._lives.get(alarm)
        return LifecyclePoint(
            _STATES[self._states[alarm]], self._occurrences[alarm], lives.earlier_resolves if lives else ()
        )


def _age_s(group: ScenarioGroup, fired_s: float, policy: Alarm, random_stream: SeededRandom) -> float:
    """Return its duration in whole periods, because TCOP evaluates at their end; infinite if it never resolves."""
    if not policy.can_resolve:
        return math.inf
    if group.lasts_s:
        lasts_s = _random_between(group.lasts_s, random_stream)
    elif group.over_s is not None:
        lasts_s = group.over_s - fired_s
    else:
        return math.inf
    return policy.period_s * max(1, math.ceil(lasts_s / policy.period_s))


def _random_between(bounds: tuple[float, float], random_stream: SeededRandom) -> float:
    low, high = bounds
    return low + (high - low) * random_stream.randbelow(_RANDOM_RANGE) / _RANDOM_RANGE


def _with_times(due: _DueCallback, first_day: datetime) -> bytes:
    """Return the body of a callback with the times of the scenario."""
    body = due.writer.body(due.serial, due.point)
    age_s = round(due.at_s - due.fired_s)
    first_occurred = first_day + timedelta(seconds=int(due.fired_s))
    body = _FIRST_OCCUR_TIME.sub(str(first_occurred).encode(), body)
    if due.writer.shape.kind is not AlarmKind.EVENT:
        body = _DURATION_TIME.sub(b"%d" % age_s, body)
    return _RECOVER_TIME.sub(str(first_occurred + timedelta(seconds=age_s)).encode(), body)


SCHEMA = "scenario"

_NOTIFY_TYPES = {"continuous": NotifyType.CONTINUOUS, "exponential": NotifyType.EXPONENTIAL}


def scenario_names() -> tuple[str, ...]:
    """Return the names of the shipped scenarios."""
    return tuple(name for name, _ in iter_files(data_root("contracts") / "scenarios", ".toml"))


def load_scenario(name: str) -> Scenario:
    """Return a shipped scenario by name, or the scenario in a file.

    Raises:
        UnknownNameError: there is neither; suggests similar names.
        EntryError: the file violates the format.
    """
    shipped = dict(iter_files(data_root("contracts") / "scenarios", ".toml"))
    if name in shipped:
        return parse_scenario(name, "", read_entry(shipped[name], SCHEMA, check=False))
    file = Path(name)
    if not file.exists():
        listing = f"there is {', '.join(shipped)}; or name a file"
        raise UnknownNameError("scenario", name, shipped, listing=listing)
    return parse_scenario(file.stem, str(file), read_entry(file, SCHEMA, check=True))


def parse_scenario(name: str, file: str, table: dict[str, Any]) -> Scenario:
    """Convert the table of a valid file into a scenario.

    Args:
        name: the name of the scenario.
        file: the name of the file in errors; empty for a shipped scenario.
        table: the parsed file.

    Raises:
        EntryError: two keys contradict each other.
    """
    groups = tuple(_parse_group(row) for row in table["groups"])
    ends_s = table.get("ends_s")
    for number, group in enumerate(groups):
        for key, problem in _contradictions(group, ends_s):
            raise EntryError(file, f"groups.{number}.{key}", problem)
    for key in table.get("assumed", {}):
        _require_key(file, key)
    if region := table.get("region", ""):
        try:
            find_region(region)
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


def _parse_group(row: dict[str, Any]) -> ScenarioGroup:
    repeats = row.get("repeats")
    fields = {key: value for key, value in row.items() if key != "repeats"}
    fields |= {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return ScenarioGroup(
        **fields, repeat_policy=RepeatPolicy(_NOTIFY_TYPES[repeats["type"]], repeats["every_s"]) if repeats else None
    )


def _contradictions(group: ScenarioGroup, ends_s: float | None) -> list[tuple[str, str]]:
    """Return the keys that contradict others, and the reasons."""
    last_firing_s = group.start_s + group.within_s
    problems = []
    for key in ("lasts_s", "between_s"):
        low, high = getattr(group, key) or (0, 0)
        if low > high:
            problems.append((key, f"{low} is more than {high}; the least comes first"))
    if group.lasts_s and group.over_s is not None:
        problems.append(("over_s", "does not go with lasts_s: alarms end each by itself, or all together"))
    if group.over_s is not None and group.over_s <= last_firing_s:
        problems.append(("over_s", f"{group.over_s} is not after the last firing, which may come at {last_firing_s:g}"))
    if group.lives > 1 and not group.lasts_s:
        problems.append(("lives", "needs lasts_s: each life has to end before the next one begins"))
    if group.repeat_policy and not group.lasts_s and group.over_s is None and ends_s is None:
        problems.append(("repeats", "its alarms are never over: give lasts_s or over_s, or the scenario ends_s"))
    return problems


def _require_key(file: str, key: str) -> None:
    schema = read_schema(SCHEMA)
    known = {*schema["$defs"]["group"]["properties"], "region", "ends_s"}
    if key not in known:
        suggestions = did_you_mean(key, known)
        hint = f"; did you mean {suggestions}?" if suggestions else ""
        raise EntryError(file, f"assumed.{key}", f"is not a key of a group or of the scenario{hint}")
