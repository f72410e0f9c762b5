"""Loads scenarios and generates their schedules of notifications from a seed."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import LifecyclePoint, position_of, possible_ages_s, serial_for_policy
from tcop_mock.callbacks.pieces import BYTE_VALUES, FIRST_DAY
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, PolicyContext, SeededRandom, draw_account
from tcop_mock.catalog.data_files import data_root, iter_files, read_entry, read_schema
from tcop_mock.catalog.pools import find_region
from tcop_mock.domain.alarm import NotifyType, RepeatPolicy, State
from tcop_mock.domain.callback_view import key_from_body
from tcop_mock.domain.load import Scenario, ScenarioGroup, ScheduledCallback
from tcop_mock.domain.shape import AlarmKind
from tcop_mock.errors import EntryError, UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.load import Schedule
    from tcop_mock.domain.shape import Shape


_POLICIES_PER_GROUP = 1024

"""The policies of a shape that are reserved for each group."""

_RANDOM_RANGE = 1 << 53

_NOTIFY_ONCE = RepeatPolicy(NotifyType.SINGLE, 0)

_FIRST_OCCUR_TIME = re.compile(rb'(?<="firstOccurTime":")[^"]*')

_RECOVER_TIME = re.compile(rb'(?<="recoverTime":")\d{4}-[^"]*')

_DURATION_TIME = re.compile(rb'(?<="durationTime":)\d+')


class ScenarioSize(NamedTuple):
    """The size of a scenario."""

    notifications: int
    last_s: float
    """When the last notification is due."""
    peak_per_second: int
    """The maximum number of notifications due in one second."""


class _LifecycleCallback(NamedTuple):
    """One callback of an alarm; times are seconds of the scenario."""

    at_s: float
    point: LifecyclePoint
    fired_s: float
    """When this life of the alarm fired."""


class _PendingCallback(NamedTuple):
    """The next callback of an alarm; equal times are ordered by alarm."""

    at_s: float
    order: int
    callback: _LifecycleCallback
    lifecycle: _AlarmLifecycle
    remaining: Iterator[_LifecycleCallback]


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
        for pending in self._callbacks():
            at_s, _, callback, lifecycle, _ = pending
            yield lifecycle.scheduled_callback(callback, at_s * time_scale, self._first_day)

    def size(self, time_scale: float = 1.0) -> ScenarioSize:
        """Return the size without generating bodies."""
        number, last_s, second, count_in_second, peak = 0, 0.0, 0, 0, 0
        for pending in self._callbacks():
            number, last_s = number + 1, pending.at_s * time_scale
            count_in_second = count_in_second + 1 if int(last_s) == second else 1
            second, peak = int(last_s), max(peak, count_in_second)
        return ScenarioSize(number, last_s, peak)

    def _callbacks(self) -> Iterator[_PendingCallback]:
        ends_s = math.inf if self.scenario.ends_s is None else self.scenario.ends_s
        order = itertools.count()
        firings = heapq.merge(*(group.first_firings() for group in self._groups), key=lambda firing: firing[0])
        queue: list[_PendingCallback] = []
        for fired_s, lifecycle in itertools.chain(firings, [(math.inf, None)]):
            while queue and queue[0].at_s < fired_s:
                pending = queue[0]
                if pending.at_s > ends_s:
                    return
                yield pending
                next_callback = next(pending.remaining, None)
                if next_callback is None:
                    heapq.heappop(queue)
                else:
                    heapq.heapreplace(queue, pending._replace(at_s=next_callback.at_s, callback=next_callback))
            if lifecycle is not None:
                remaining = lifecycle.callbacks(fired_s)
                first = next(remaining)
                heapq.heappush(queue, _PendingCallback(first.at_s, next(order), first, lifecycle, remaining))


def _group_shapes(scenario: Scenario, number: int, catalog: Catalog) -> list[Shape]:
    shapes: dict[str, Shape] = {}
    for pattern in scenario.groups[number].shapes:
        try:
            shapes |= {shape.id: shape for shape in catalog.match(pattern)}
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

    def first_firings(self) -> Iterator[tuple[float, _AlarmLifecycle]]:
        """Yield the first firing time and the lifecycle of each alarm, in order."""
        group, random_stream = self.group, SeededRandom(*self._key)
        fractions = sorted(random_stream.randbelow(_RANDOM_RANGE) / _RANDOM_RANGE for _ in range(group.alarms))
        for number, fraction in enumerate(fractions):
            index, writer = divmod(number, len(self._writers))
            random_stream = SeededRandom(*self._key, number)
            yield (
                group.start_s + group.within_s * fraction,
                _AlarmLifecycle(group, self._writers[writer], index, random_stream),
            )


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
        if (options.metric and shape.kind is AlarmKind.EVENT) or (options.event and shape.kind is AlarmKind.METRIC):
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


@dataclass(frozen=True, slots=True)
class _AlarmLifecycle:
    """One alarm from its first firing to its last resolve."""

    group: ScenarioGroup
    writer: _BodyWriter
    index: int
    random_stream: SeededRandom

    def callbacks(self, fired_s: float) -> Iterator[_LifecycleCallback]:
        """Yield its callbacks in order; endless for an alarm that repeats and never resolves."""
        group, policy = self.group, self.writer.policy(self.index)
        earlier_repeats: tuple[int, ...] = ()
        for _ in range(group.lives):
            age_s = self._age_s(fired_s, policy) if policy.can_resolve else math.inf
            yield _LifecycleCallback(fired_s, LifecyclePoint(State.FIRING, 1, earlier_repeats), fired_s)
            repeats = itertools.count(1) if policy.can_repeat else ()
            repeat_count = 1
            for number in repeats:
                repeat = LifecyclePoint(State.REPEATED, number, earlier_repeats)
                [repeated_s] = possible_ages_s(policy, repeat)
                if repeated_s >= age_s:
                    break
                yield _LifecycleCallback(fired_s + repeated_s, repeat, fired_s)
                repeat_count = number + 1
            if age_s == math.inf:
                return
            yield _LifecycleCallback(
                fired_s + age_s, LifecyclePoint(State.RESOLVED, repeat_count, earlier_repeats), fired_s
            )
            earlier_repeats = (*earlier_repeats, repeat_count)
            fired_s += age_s + max(self._random_between(group.between_s), policy.period_s * policy.period_num)

    def _age_s(self, fired_s: float, policy: Alarm) -> float:
        """Return its duration in whole periods, because TCOP evaluates at their end; infinite if it never resolves."""
        if self.group.lasts_s:
            lasts_s = self._random_between(self.group.lasts_s)
        elif self.group.over_s is not None:
            lasts_s = self.group.over_s - fired_s
        else:
            return math.inf
        return policy.period_s * max(1, math.ceil(lasts_s / policy.period_s))

    def _random_between(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + (high - low) * self.random_stream.randbelow(_RANDOM_RANGE) / _RANDOM_RANGE

    def scheduled_callback(self, callback: _LifecycleCallback, at_s: float, first_day: datetime) -> ScheduledCallback:
        """Return a callback with its due time and the times of the scenario in its body."""
        point = callback.point
        body = self.writer.body(self.index, point)
        age_s = round(callback.at_s - callback.fired_s)
        first_occurred = first_day + timedelta(seconds=int(callback.fired_s))
        body = _FIRST_OCCUR_TIME.sub(str(first_occurred).encode(), body)
        if self.writer.shape.kind is AlarmKind.METRIC:
            body = _DURATION_TIME.sub(b"%d" % age_s, body)
        body = _RECOVER_TIME.sub(str(first_occurred + timedelta(seconds=age_s)).encode(), body)
        alarm, object_id, session, _ = key_from_body(body)
        return ScheduledCallback(at_s, body, alarm, object_id, point.state.value, session, self.writer.shape.id)


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
        raise EntryError(file, f"assumed.{key}", f"is no key of a group or of the scenario{hint}")
