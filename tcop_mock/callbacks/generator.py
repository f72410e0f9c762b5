"""Generator of alarms and their callbacks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.compiler import UUID_COLUMNS, compile_shape, uuid_pieces
from tcop_mock.callbacks.pieces import (
    ALNUM,
    BYTE_VALUES,
    HEX,
    LOWER_ALNUM,
    ROWS,
    Piece,
    RandomChars,
    RandomTimestamp,
    alphabet_table,
    random_block,
    render_text,
)
from tcop_mock.callbacks.sampling import (
    AlarmOptions,
    draw_policy,
    require_form,
    require_state,
    sample_value,
    with_level,
)
from tcop_mock.domain.alarm import ALARM_LEVELS, Alarm, NotifyType
from tcop_mock.domain.callback import Callback, Form, State, WireFormat
from tcop_mock.domain.shape import AlarmKind, Lang
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.shape import Shape


POLICIES_IN_ROTATION = 16

"""Number of policies that raise alarms concurrently: consecutive alarms are of different policies."""

_BLOCKS_PER_POLICY = 32

"""Number of blocks of alarms per policy before another policy replaces it."""

SESSION_CHARS = 24

_PROM_RULE_CHARS, _PROM_ALERT_CHARS = 8, 16

_UUID_VERSION = 4


class AlarmPosition(NamedTuple):
    """Position of an alarm's random values."""

    policy: int
    block: int
    row: int


def position_of(serial: int) -> AlarmPosition:
    """Return the position of the alarm with this serial."""
    position, offset = divmod(serial, POLICIES_IN_ROTATION)
    block, row = divmod(position, ROWS)
    rotation, block = divmod(block, _BLOCKS_PER_POLICY)
    return AlarmPosition(rotation * POLICIES_IN_ROTATION + offset, block, row)


def serial_for_policy(number: int) -> int:
    """Return a serial for each number, such that the alarms are all of different policies."""
    rotation, offset = divmod(number, POLICIES_IN_ROTATION)
    return rotation * POLICIES_IN_ROTATION * ROWS * _BLOCKS_PER_POLICY + offset


class AlarmSampler:
    """Draws the alarms of one shape for one seed."""

    def __init__(self, seed: int, lang: Lang, shape: Shape) -> None:
        self.seed, self.lang, self.shape = seed, lang, shape
        self.compiled_shape = compile_shape(shape, seed)
        self.session_column = self.compiled_shape.width
        """First column of the session id; the current value, the past value and the age follow."""
        self.current_column = self.session_column + UUID_COLUMNS
        self.history_column = self.current_column + 1
        self.age_column = self.current_column + 2
        self.policy = lru_cache(maxsize=1024)(self._draw_policy)
        self.block = lru_cache(maxsize=64)(self._draw_block)

    def _draw_policy(self, number: int, options: AlarmOptions) -> Alarm:
        return draw_policy(self.shape, self.lang, options, self.seed, self.shape.id, "policy", number)

    def _draw_block(self, policy: int, number: int, point: LifecyclePoint) -> bytes:
        """Draw a block: columns of the alarms, followed by columns for one point in their lifecycles."""
        key = (self.seed, self.shape.id, policy, number)
        return random_block(self.compiled_shape.width, *key) + random_block(
            self.age_column + 1 - self.compiled_shape.width, *key, *point.random_key
        )

    @staticmethod
    def builtin_values(policy: Alarm) -> dict[str, Any]:
        """Return the values that an entry need not declare."""
        account, optional_fields = policy.account, policy.optional_fields
        return {
            "account": {"app_id": account.app_id, "uin": account.uin},
            "region": optional_fields.region_code,
            "region_name": optional_fields.region,
        }

    def session_pieces(self, policy: Alarm, form: Form) -> tuple[Piece, ...]:
        """Return the pieces of a session id: 24 characters, or a UUID if the policy's observed callbacks use one.

        Those of Prometheus look like ``prom-pysf4frm_3ef6b8b216aa56e9``.
        """
        if policy.kind is AlarmKind.PROMETHEUS:
            rule = RandomChars(self.session_column, _PROM_RULE_CHARS, alphabet_table(LOWER_ALNUM))
            alert = RandomChars(self.session_column + _PROM_RULE_CHARS, _PROM_ALERT_CHARS, alphabet_table(HEX))
            return ("prom-", rule, "_", alert)
        if form is Form.OBSERVED and policy.optional_fields.has_uuid_session_id:
            return uuid_pieces(self.session_column, _UUID_VERSION)
        return (RandomChars(self.session_column, SESSION_CHARS, alphabet_table(ALNUM)),)


_DAY_S = 86_400

"""Documented: after a day an alarm is sent once a day, whatever its frequency."""

_MAX_SINGLE_DURATION_S = 3600

"""Maximum duration of an alarm that is sent only once."""


class LifecyclePoint(NamedTuple):
    """One callback in the lifecycle of an alarm."""

    state: State = State.FIRING
    occurrence: int = 1
    """Number of the repeat, from 1; for a resolve, the number of repeats before it plus 1."""
    earlier_resolves: tuple[int, ...] = ()
    """Occurrences of the earlier resolves: an alarm that fires again starts another life."""
    level: str = ""
    """Level of a hierarchical policy at this point; empty: the policy's."""

    @property
    def random_key(self) -> tuple[object, ...]:
        """Key of its random values, in addition to the alarm's."""
        return (
            (self.state, self.occurrence, self.earlier_resolves)
            if self.earlier_resolves
            else (self.state, self.occurrence)
        )


def possible_ages_s(alarm: Alarm, point: LifecyclePoint) -> tuple[int, ...]:
    """Return the possible ages of an alarm at one callback: one, or for a resolve 256 equally likely ones.

    Args:
        alarm: alarm with the policy's periods.
        point: point in the lifecycle.
    """
    previous_s, steps = _age_range(alarm, point)
    if point.state is not State.RESOLVED:
        return (previous_s,)
    return tuple(previous_s + alarm.period_s * (1 + index * steps // BYTE_VALUES) for index in range(BYTE_VALUES))


def age_s(alarm: Alarm, point: LifecyclePoint, index: int) -> int:
    """Return one of :func:`possible_ages_s`, by a number from 0 to 255."""
    previous_s, steps = _age_range(alarm, point)
    if point.state is not State.RESOLVED:
        return previous_s
    return previous_s + alarm.period_s * (1 + index * steps // BYTE_VALUES)


def _age_range(alarm: Alarm, point: LifecyclePoint) -> tuple[int, int]:
    """Return the age at a point; for a resolve the age at the repeat before it, and the periods up to the next one."""
    if point.state is State.FIRING:
        return 0, 0
    if point.state is State.REPEATED:
        return _age_at_repeat_s(alarm, point.occurrence), 0
    previous_s, next_s = (_age_at_repeat_s(alarm, point.occurrence - earlier) for earlier in (1, 0))
    return previous_s, (next_s - previous_s) // alarm.period_s


def refire_offset_s(alarm: Alarm, point: LifecyclePoint) -> int:
    """Return the seconds from an alarm's first firing to the start of the life that a point belongs to.

    It fires again after each earlier life has ended and the condition has held again for all periods of the policy.
    """
    wait_s = alarm.period_s * alarm.period_num
    return sum(
        age_s(alarm, LifecyclePoint(State.RESOLVED, occurrence), BYTE_VALUES - 1) + wait_s
        for occurrence in point.earlier_resolves
    )


def _age_at_repeat_s(alarm: Alarm, repeat: int) -> int:
    """Return an alarm's age at its n-th repeat.

    An exponential alarm is sent at the 1st, 2nd, 4th, 8th ... occurrence, so its n-th repeat is 2**n - 1 periods old.
    """
    interval_s = alarm.notify_period_s or _MAX_SINGLE_DURATION_S
    per_day = _DAY_S // interval_s
    is_exponential = alarm.notify_type is NotifyType.EXPONENTIAL
    max_regular = (per_day + 1).bit_length() - 1 if is_exponential else per_day
    periods = (1 << min(repeat, max_regular)) - 1 if is_exponential else min(repeat, max_regular)
    return periods * interval_s + max(0, repeat - max_regular) * _DAY_S


class Generator:
    """Generates alarms from a seed.

    Each alarm has its own random position (seed, shape id, serial), so the 5,000th does not need the 4,999 before it.
    Language, form, metric and event do not change the other random values. 16 consecutive alarms are of different
    policies; the 17th is of the first policy again. So, as in a storm, there are few policies and many objects.

    Args:
        seed: any integer; the same seed gives the same alarms.
        lang: language of the accounts.
        form: body format of the callbacks.
        wire_format: format of the profile; the default is profile 2023.
    """

    def __init__(
        self, seed: int, lang: Lang = Lang.EN, *, form: Form = Form.DOCUMENTED, wire_format: WireFormat | None = None
    ) -> None:
        self.seed = seed
        self.lang = lang
        self.form = form
        self.wire_format = wire_format or WireFormat()
        self._samplers: dict[str, AlarmSampler] = {}

    def alarm(  # noqa: PLR0913 - one parameter per property of an alarm
        self,
        shape: Shape,
        serial: int = 0,
        *,
        metric: str | None = None,
        event: str | None = None,
        has_threshold: bool = True,
        repeat_policy: RepeatPolicy | None = None,
        required_state: State = State.FIRING,
    ) -> Alarm:
        """Generate one alarm.

        Args:
            shape: shape of the alarm.
            serial: number of the alarm among those of the seed and shape, from 0.
            metric: name of the metric; random if not given.
            event: name of the event; random if not given.
            has_threshold: ``False`` for an alarm without a threshold (its conditions have no threshold fields).
            repeat_policy: repetition of the alarm; random if not given.
            required_state: state that the alarm must be able to reach: repeated, resolved.

        Raises:
            UnknownNameError: the shape has no such metric or event.
            UsageError: it can never reach the state, or the shape does not support the generator's form.
        """
        require_form(shape, self.form)
        sampler, position = self.sampler_for(shape), position_of(serial)
        policy = sampler.policy(
            position.policy, AlarmOptions(metric, event, has_threshold, repeat_policy, required_state)
        )
        block = sampler.block(position.policy, position.block, LifecyclePoint())
        dimension_values = sampler.compiled_shape.values(block, position.row, self.lang) | sampler.builtin_values(
            policy
        )
        rendered = sampler.compiled_shape.render_dimensions(dimension_values, self.lang)
        return replace(
            policy,
            serial=serial,
            dimensions=rendered.dimensions,
            first_occurred_at=RandomTimestamp(sampler.compiled_shape.TIMESTAMP_COLUMN).timestamp(block, position.row),
            optional_fields=rendered.update_optional_fields(policy.optional_fields),
        )

    def callback(
        self, alarm: Alarm, state: State, occurrence: int = 1, earlier_resolves: tuple[int, ...] = (), level: str = ""
    ) -> Callback:
        """Generate an alarm's callback at one point of its lifecycle.

        Args:
            alarm: alarm of this generator.
            state: firing, repeated or resolved.
            occurrence: number of the repeat, from 1; for a resolve, the number of repeats before it plus 1.
            earlier_resolves: occurrences of the earlier resolves if it fires again; see :class:`LifecyclePoint`.
            level: level of a hierarchical policy; empty: the policy's.

        Raises:
            UsageError: the alarm cannot be in this state or have a level, or is not from this generator.
        """
        require_state(alarm, state)
        alarm = with_level(alarm, level, self.wire_format.envelope(self.form))
        if alarm.shape_id not in self._samplers:
            raise UsageError(f"the alarm of {alarm.shape_id} is from another generator; use that one")
        sampler, position = self._samplers[alarm.shape_id], position_of(alarm.serial)
        point = LifecyclePoint(state, occurrence, earlier_resolves)
        block = sampler.block(position.policy, position.block, point)
        if earlier_resolves:
            alarm = replace(
                alarm, first_occurred_at=alarm.first_occurred_at + timedelta(seconds=refire_offset_s(alarm, point))
            )

        def byte(column: int) -> int:
            return block[column * ROWS + position.row]

        session_id = render_text(sampler.session_pieces(alarm, self.form), block, position.row)
        duration_s = age_s(alarm, point, byte(sampler.age_column))
        callback = Callback(alarm, state, session_id, duration_s, form=self.form, wire_format=self.wire_format)
        if alarm.metric is None or alarm.metric.calc_type is None:
            return callback
        is_breaching = state is not State.RESOLVED
        return replace(
            callback,
            current_value=sample_value(alarm.metric, byte(sampler.current_column), is_breaching=is_breaching),
            history_value=sample_value(alarm.metric, byte(sampler.history_column), is_breaching=False),
        )

    def ids(self, shape: Shape, serial: int, state: State) -> tuple[str, str]:
        """Return the policy id and the session id of an alarm's callback, without the rest of it.

        Args:
            shape: shape of the alarm.
            serial: number of the alarm.
            state: firing, repeated or resolved.
        """
        sampler, position = self.sampler_for(shape), position_of(serial)
        policy = sampler.policy(position.policy, AlarmOptions())
        block = sampler.block(position.policy, position.block, LifecyclePoint(state))
        return policy.policy_id, render_text(sampler.session_pieces(policy, self.form), block, position.row)

    def lifecycle(self, alarm: Alarm, repeats: int = 0) -> Iterator[Callback]:
        """Yield an alarm's callbacks in order: firing, its repeats, and the resolve if it has one."""
        yield self.callback(alarm, State.FIRING)
        for occurrence in range(1, repeats + 1):
            yield self.callback(alarm, State.REPEATED, occurrence)
        if alarm.can_resolve:
            yield self.callback(alarm, State.RESOLVED, repeats + 1)

    def sampler_for(self, shape: Shape) -> AlarmSampler:
        """Return the sampler of a shape's alarms."""
        sampler = self._samplers.get(shape.id)
        if sampler is None or sampler.shape is not shape:
            sampler = self._samplers[shape.id] = AlarmSampler(self.seed, self.lang, shape)
        return sampler


_STATE_BY_STEP = {"fire": State.FIRING, "repeat": State.REPEATED, "resolve": State.RESOLVED}

_STEP_PATTERN = re.compile(r"([a-z]+)(?::(?:(\d{1,6})|([A-Za-z]+)))?")


def parse_lifecycle(text: str) -> tuple[LifecyclePoint, ...]:
    """Return the callbacks of a lifecycle in order. An alarm may fire again after a resolve.

    A step may name the level that an alarm of a hierarchical policy has from there on: ``fire:Remind,repeat:Serious``.

    Raises:
        UsageError: an unknown step, a count on a step other than repeat, or an impossible order.
    """
    points: list[LifecyclePoint] = []
    earlier_resolves: tuple[int, ...] = ()
    repeat_count, level = 0, ""
    for step in text.split(","):
        state, count, new_level = _parse_step(text, step.strip())
        level = new_level or level
        if points and state is State.FIRING:
            if points[-1].state is not State.RESOLVED:
                raise UsageError(f"lifecycle {text!r}: an alarm can fire again only after a resolve")
            earlier_resolves, repeat_count = (*earlier_resolves, points[-1].occurrence), 0
        elif points and points[-1].state is State.RESOLVED:
            raise UsageError(f"lifecycle {text!r}: only fire can follow a resolve")
        if state is State.REPEATED:
            points += [
                LifecyclePoint(state, repeat_count + number, earlier_resolves, level) for number in range(1, count + 1)
            ]
            repeat_count += count
        else:
            occurrence = repeat_count + 1 if state is State.RESOLVED else 1
            points.append(LifecyclePoint(state, occurrence, earlier_resolves, level))
    return tuple(points)


def _parse_step(text: str, step: str) -> tuple[State, int, str]:
    """Return the state of a step, its count, and its level or an empty text."""
    match = _STEP_PATTERN.fullmatch(step)
    if match is None or match[1] not in _STATE_BY_STEP:
        suggestion = did_you_mean(step.partition(":")[0], _STATE_BY_STEP)
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        raise UsageError(f"lifecycle {text!r}: {step!r} is not a step{hint}; write fire,repeat:3,resolve")
    state, level = _STATE_BY_STEP[match[1]], match[3] or ""
    if match[2] and state is not State.REPEATED:
        raise UsageError(f"lifecycle {text!r}: only repeat can have a count; write fire,repeat:3,resolve")
    if level and level not in ALARM_LEVELS:
        raise UsageError(f"lifecycle {text!r}: {level!r} is not a level; the levels are {', '.join(ALARM_LEVELS)}")
    return state, int(match[2] or 1), level
