"""Draw alarms and their callbacks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.compiler import UUID_COLUMNS, Plan, uuid_pieces
from tcop_mock.callbacks.pieces import ALNUM, BYTES, ROWS, Chars, Clock, Piece, alphabet, block_of, text_of
from tcop_mock.callbacks.sampling import Ask, draw_policy, require, require_form, values
from tcop_mock.domain.alarm import Alarm, Callback, Form, NotifyType, State, Wire
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.alarm import Notify
    from tcop_mock.domain.shape import Shape


LANES = 16

"""Policies that raise alarms at a time: consecutive alarms are of different ones."""

_LANE_BLOCKS = 32

"""Blocks of alarms that one policy raises before another takes its place."""

SESSION_CHARS = 24

_UUID_VERSION = 4


class Place(NamedTuple):
    """Where an alarm is drawn."""

    policy: int
    block: int
    row: int


def place_of(serial: int) -> Place:
    """Return where the alarm with a serial is drawn."""
    turn, lane = divmod(serial, LANES)
    block, row = divmod(turn, ROWS)
    epoch, block = divmod(block, _LANE_BLOCKS)
    return Place(epoch * LANES + lane, block, row)


def serial_of_own_policy(number: int) -> int:
    """Return a serial for each number, such that each one's alarm is of another policy."""
    epoch, lane = divmod(number, LANES)
    return epoch * LANES * ROWS * _LANE_BLOCKS + lane


class Draft:
    """Draws one shape's alarms of one seed."""

    def __init__(self, seed: int, lang: Lang, shape: Shape) -> None:
        self.seed, self.lang, self.shape = seed, lang, shape
        self.plan = Plan(shape, seed)
        self.session = self.plan.width
        """First of the columns of the session id; those of the current, the past value and the age follow."""
        self.current = self.session + UUID_COLUMNS
        self.history = self.current + 1
        self.age = self.current + 2
        self.policy = lru_cache(maxsize=1024)(self._policy)
        self.block = lru_cache(maxsize=64)(self._block)

    def _policy(self, number: int, ask: Ask) -> Alarm:
        return draw_policy(self.shape, self.lang, ask, self.seed, self.shape.id, "policy", number)

    def _block(self, policy: int, number: int, moment: Moment) -> bytes:
        """Draw a block: columns of the alarms, and behind them those that decide what is said at a moment."""
        key = (self.seed, self.shape.id, policy, number)
        return block_of(self.plan.width, *key) + block_of(self.age + 1 - self.plan.width, *key, *moment.key)

    @staticmethod
    def built_in(policy: Alarm) -> dict[str, Any]:
        """Return the values that an entry need not declare."""
        account, extras = policy.account, policy.extras
        return {
            "account": {"app_id": account.app_id, "uin": account.uin},
            "region": extras.region_code,
            "region_name": extras.region,
        }

    def session_pieces(self, policy: Alarm, form: Form) -> tuple[Piece, ...]:
        """Return how a session id is written: 24 characters, or a UUID where it was observed so."""
        if form is Form.OBSERVED and policy.extras.session_uuid:
            return uuid_pieces(self.session, _UUID_VERSION)
        return (Chars(self.session, SESSION_CHARS, alphabet(ALNUM)),)


_DAY_S = 86_400

"""The documentation of triggering: after a day an alarm is told once a day, whatever its frequency."""

_UNREPEATED_SPAN_S = 3600

"""How long an alarm that is told once lasts at the most."""


class Moment(NamedTuple):
    """One callback in the life of an alarm."""

    state: State = State.FIRING
    occurrence: int = 1
    """Which repeat it is, from 1; for a resolve, how many repeats it outlived, and one."""
    before: tuple[int, ...] = ()
    """Occurrences of the resolves behind it: an alarm that was over fires again, and is then one more life old."""

    @property
    def key(self) -> tuple[object, ...]:
        """What its chance comes from, beside the alarm's."""
        return (self.state, self.occurrence, self.before) if self.before else (self.state, self.occurrence)


def ages_s(alarm: Alarm, moment: Moment) -> tuple[int, ...]:
    """Return the age, or for a resolve the 256 equally likely ages, at one callback of an alarm.

    Args:
        alarm: gives the policy's periods.
        moment: of the callback.
    """
    state, occurrence, _ = moment
    if state is State.FIRING:
        return (0,)
    if state is State.REPEATED:
        return (_repeated_s(alarm, occurrence),)
    before_s, next_s = _repeated_s(alarm, occurrence - 1), _repeated_s(alarm, occurrence)
    span = (next_s - before_s) // alarm.period_s
    return tuple(before_s + alarm.period_s * (1 + at * span // BYTES) for at in range(BYTES))


def again_s(alarm: Alarm, moment: Moment) -> int:
    """Return how long after its first firing the life of an alarm begins that a moment is of.

    It fires again when each life behind it is over, however long that was, and its condition has held anew for all
    the periods that the policy wants.
    """
    wait_s = alarm.period_s * alarm.period_num
    return sum(max(ages_s(alarm, Moment(State.RESOLVED, outlived))) + wait_s for outlived in moment.before)


def _repeated_s(alarm: Alarm, number: int) -> int:
    """Return how old an alarm is at its n-th repeat.

    An exponential alarm is told on the 1st, 2nd, 4th, 8th ... occurrence, so its n-th repeat is 2**n - 1 periods old.
    """
    every_s = alarm.notify_period_s or _UNREPEATED_SPAN_S
    in_a_day = _DAY_S // every_s
    exponential = alarm.notify_type is NotifyType.EXPONENTIAL
    most = (in_a_day + 1).bit_length() - 1 if exponential else in_a_day
    periods = (1 << min(number, most)) - 1 if exponential else min(number, most)
    return periods * every_s + max(0, number - most) * _DAY_S


class Generator:
    """Draws alarms from a seed.

    Each alarm has a place of its own (seed, shape id, serial), so the 5,000th is drawn without the 4,999 before it;
    language, form, metric and event do not change what else is drawn. Of 16 alarms in a row each is of another policy;
    the 17th is the first policy's next, as a storm is: few policies, many objects.

    Args:
        seed: any integer; the same one gives the same alarms.
        lang: of the accounts.
        form: in which the callbacks are written.
        wire: what the profile's callbacks hold; the alarm callback page's of 2023 where it is not given.
    """

    def __init__(
        self, seed: int, lang: Lang = Lang.EN, *, form: Form = Form.DOCUMENTED, wire: Wire | None = None
    ) -> None:
        self.seed = seed
        self.lang = lang
        self.form = form
        self.wire = wire or Wire()
        self._drafts: dict[str, Draft] = {}

    def alarm(  # noqa: PLR0913 - each is one thing that a user can ask of an alarm
        self,
        shape: Shape,
        serial: int = 0,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: Notify | None = None,
        reaching: State = State.FIRING,
    ) -> Alarm:
        """Draw one alarm.

        Args:
            shape: what product it is about.
            serial: which of the seed's alarms of this shape, from 0.
            metric: metric by name; drawn where it is not given.
            event: event by name; drawn where it is not given.
            threshold: ``False`` for an alarm without a threshold (its conditions have no threshold fields).
            notify: whether and how often it is told again; drawn where it is not given.
            reaching: the state it must be able to reach: repeated, resolved.

        Raises:
            UnknownNameError: the shape has no such metric or event.
            UsageError: it can never reach the state, or the shape has no callbacks of the generator's form.
        """
        require_form(shape, self.form)
        draft, place = self.draft(shape), place_of(serial)
        policy = draft.policy(place.policy, Ask(metric, event, threshold, notify, reaching))
        block = draft.block(place.policy, place.block, Moment())
        drawn = draft.plan.values(block, place.row, self.lang) | draft.built_in(policy)
        objects = draft.plan.objects(drawn, self.lang)
        return replace(
            policy,
            serial=serial,
            dimensions=objects.dimensions,
            first_occur=Clock(Plan.CLOCK).moment(block, place.row),
            extras=objects.extras(policy.extras),
        )

    def callback(self, alarm: Alarm, state: State, occurrence: int = 1, before: tuple[int, ...] = ()) -> Callback:
        """Draw an alarm's callback at one moment of its life.

        Args:
            alarm: drawn by this generator.
            state: firing, repeated or resolved.
            occurrence: which repeat it is, from 1; for a resolve, how many repeats it outlived, and one.
            before: occurrences of the resolves behind it, where it fires again; see :class:`ages.Moment`.

        Raises:
            UsageError: the alarm has no such state, or is none of this generator's.
        """
        require(alarm, state)
        if alarm.shape_id not in self._drafts:
            raise UsageError(f"this generator has drawn no alarm of {alarm.shape_id}; ask the one that has")
        draft, place = self._drafts[alarm.shape_id], place_of(alarm.serial)
        moment = Moment(state, occurrence, before)
        block = draft.block(place.policy, place.block, moment)
        ages = ages_s(alarm, moment)
        if before:
            alarm = replace(alarm, first_occur=alarm.first_occur + timedelta(seconds=again_s(alarm, moment)))

        def byte(column: int) -> int:
            return block[column * ROWS + place.row]

        session_id = text_of(draft.session_pieces(alarm, self.form), block, place.row)
        duration_s = ages[byte(draft.age)] if len(ages) > 1 else ages[0]
        callback = Callback(alarm, state, session_id, duration_s, form=self.form, wire=self.wire)
        if alarm.metric is None or alarm.metric.calc_type is None:
            return callback
        beyond = state is not State.RESOLVED
        return replace(
            callback,
            current_value=values(alarm.metric, beyond=beyond)[byte(draft.current)],
            history_value=values(alarm.metric, beyond=False)[byte(draft.history)],
        )

    def life(self, alarm: Alarm, repeats: int = 0) -> Iterator[Callback]:
        """Yield an alarm's callbacks in order: firing, its repeats, and the resolve where it has one."""
        yield self.callback(alarm, State.FIRING)
        for occurrence in range(1, repeats + 1):
            yield self.callback(alarm, State.REPEATED, occurrence)
        if alarm.recovers:
            yield self.callback(alarm, State.RESOLVED, repeats + 1)

    def draft(self, shape: Shape) -> Draft:
        """Return what draws a shape's alarms."""
        draft = self._drafts.get(shape.id)
        if draft is None or draft.shape is not shape:
            draft = self._drafts[shape.id] = Draft(self.seed, self.lang, shape)
        return draft


_STEPS = {"fire": State.FIRING, "repeat": State.REPEATED, "resolve": State.RESOLVED}

_STEP = re.compile(r"([a-z]+)(?::(\d{1,6}))?")


def parse_lifecycle(text: str) -> tuple[Moment, ...]:
    """Return the callbacks of a life in order; after a resolve the alarm may fire again.

    Raises:
        UsageError: a step that is not there, a count where none belongs, or an order that no alarm has.
    """
    moments: list[Moment] = []
    before: tuple[int, ...] = ()
    repeats = 0
    for step in text.split(","):
        state, count = _read(text, step.strip())
        if moments and state is State.FIRING:
            if moments[-1].state is not State.RESOLVED:
                raise UsageError(f"lifecycle {text!r}: an alarm fires again when it has been resolved")
            before, repeats = (*before, moments[-1].occurrence), 0
        elif moments and moments[-1].state is State.RESOLVED:
            raise UsageError(f"lifecycle {text!r}: behind a resolve comes nothing, or fire")
        if state is State.REPEATED:
            moments += [Moment(state, repeats + number, before) for number in range(1, count + 1)]
            repeats += count
        else:
            moments.append(Moment(state, repeats + 1 if state is State.RESOLVED else 1, before))
    return tuple(moments)


def _read(text: str, step: str) -> tuple[State, int]:
    match = _STEP.fullmatch(step)
    if match is None or match[1] not in _STEPS:
        near = did_you_mean(step.partition(":")[0], _STEPS)
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"lifecycle {text!r}: {step!r} is no step{hint}; write fire,repeat:3,resolve")
    state = _STEPS[match[1]]
    if match[2] and state is not State.REPEATED:
        raise UsageError(f"lifecycle {text!r}: only repeat takes a count; write fire,repeat:3,resolve")
    return state, int(match[2] or 1)
