"""Sampler of alarm policies: the values that all alarms of a policy share, and their metric values."""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tcop_mock.callbacks.pieces import ALNUM, BYTE_VALUES, FIRST_DAY, LOWER_ALNUM
from tcop_mock.catalog.pools import find_region, names_of_pool, regions
from tcop_mock.domain.alarm import REPEAT_PERIODS_S, Account, Alarm, NotifyType, OptionalFields
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Event, Lang, Metric
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tcop_mock.catalog.pools import Region
    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.shape import Shape

    Subject = TypeVar("Subject", Metric, Event)


T = TypeVar("T")


_INITIAL_BYTES = 336

_WORD_BYTES = 8


class SeededRandom:
    """Random numbers from SHAKE-128 of a key. The same key gives the same numbers in the same order."""

    __slots__ = ("_bytes", "_key", "_next")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._bytes = hashlib.shake_128(self._key).digest(_INITIAL_BYTES)
        self._next = 0

    def randbelow(self, bound: int) -> int:
        """Return an integer from 0 to ``bound`` - 1; with 64 bits the bias is not observable."""
        return int.from_bytes(self._read_bytes(_WORD_BYTES), "big") % bound

    def randint(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return low + self.randbelow(high - low + 1)

    def choice(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.randbelow(len(items))]

    def text(self, alphabet: str, length: int) -> str:
        """Return ``length`` characters of an alphabet, each from 16 bits."""
        size = len(alphabet)
        return "".join([alphabet[word % size] for word in struct.unpack(f">{length}H", self._read_bytes(2 * length))])

    def _read_bytes(self, count: int) -> bytes:
        end = self._next + count
        while end > len(self._bytes):
            self._bytes = hashlib.shake_128(self._key).digest(2 * len(self._bytes))
        data = self._bytes[self._next : end]
        self._next = end
        return data


_POLICY_CHARS = 8

_LINK_CHARS = 12

_PERIODS_S = (60, 300)

_PERIOD_NUMS = (1, 2, 3, 4, 5)

_APP_ID = (1_250_000_000, 1_259_999_999)

_UIN = (100_000_000_000, 100_099_999_999)

_LEVELS = ("", "", "", "Remind")

"""The only level in a documented callback; most policies have none."""

_POLICY_PREFIXES = {AlarmKind.PROMETHEUS: "alert"}

"""Prefixes of policy ids other than ``policy``."""

_TAGS = ((), (("env", "prod"),), (("team", "payments"), ("env", "test")))


class PolicyContext(NamedTuple):
    """Properties shared by policies of a scenario; random if not given."""

    account: Account | None = None
    region: str = ""
    """Short code of the region; ignored for products without regions."""
    period_s: int | None = None
    """Statistical period in seconds."""
    period_num: int | None = None
    """Number of breaching periods before an alarm fires."""


_ANY_CONTEXT = PolicyContext()


@dataclass(frozen=True, slots=True)
class AlarmOptions:
    """Required properties of an alarm; random if not given."""

    metric: str | None = None
    event: str | None = None
    has_threshold: bool = True
    """``False`` for an alarm without a threshold (its conditions have no threshold fields)."""
    repeat_policy: RepeatPolicy | None = None
    required_state: State = State.FIRING
    """State that the alarm must be able to reach: repeated, resolved."""
    context: PolicyContext = _ANY_CONTEXT


def draw_policy(shape: Shape, lang: Lang, options: AlarmOptions, *key: object) -> Alarm:
    """Generate the common values of one policy's alarms, without their objects and times.

    Args:
        shape: shape of the alarms.
        lang: language of the account.
        options: required properties of the policy.
        key: key of all random values, which language and options do not change.

    Raises:
        UnknownNameError: the shape has no such metric or event.
        UsageError: its alarms can never reach the state: events do not repeat, and some cannot be resolved.
    """
    rng = SeededRandom(*key)
    account = _account(rng)
    region = rng.choice(regions())
    context = options.context
    if context.region:
        region = find_region(context.region)
    policy = Alarm(
        shape_id=shape.id,
        serial=0,
        kind=shape.kind,
        lang=lang,
        account=context.account or account,
        region=region.code if shape.regional else None,
        namespace=shape.namespace,
        dimensions={},
        policy_id=f"{_POLICY_PREFIXES.get(shape.kind, 'policy')}-{rng.text(LOWER_ALNUM, _POLICY_CHARS)}",
        policy_name=rng.choice(names_of_pool("policy", lang)),
        policy=shape.policy,
        first_occurred_at=FIRST_DAY,
        product=shape.product,
        in_object_info=shape.in_object_info,
    )
    subject_index = rng.randbelow(1 << 32)
    with_repeats = _with_repeats(policy, rng)
    with_repeats = replace(
        with_repeats,
        period_s=context.period_s or with_repeats.period_s,
        period_num=context.period_num or with_repeats.period_num,
    )
    with_optional_fields = replace(with_repeats, optional_fields=_optional_fields(shape, region, lang, rng))
    if shape.kind is AlarmKind.EVENT:
        return _with_event(with_optional_fields, shape, options, subject_index)
    if shape.kind is AlarmKind.METRIC:
        return _with_metric(with_optional_fields, shape, options, subject_index)
    return _without_subject(with_optional_fields, options)


def draw_account(*key: object) -> Account:
    """Generate a customer's account."""
    return _account(SeededRandom(*key))


def _account(rng: SeededRandom) -> Account:
    return Account(rng.randint(*_APP_ID), str(rng.randint(*_UIN)))


def forms_of(shape: Shape) -> tuple[Form, ...]:
    """Return the forms that a shape supports."""
    if shape.kind is AlarmKind.METRIC:
        return (Form.DOCUMENTED, Form.OBSERVED)
    if shape.kind is not AlarmKind.EVENT:
        return (Form.DOCUMENTED,)
    return tuple(form for form in Form if form is not Form.CLOUDEVENTS or shape.cloud_event)


def supports(shape: Shape, states: Collection[State], form: Form) -> bool:
    """Return whether a shape supports a form and some of its alarms can be in each of these states."""
    if form not in forms_of(shape):
        return False
    if shape.kind is AlarmKind.METRIC:
        return True
    return State.REPEATED not in states and (State.RESOLVED not in states or shape.can_resolve)


def require_form(shape: Shape, form: Form) -> None:
    """Raise an error if a shape does not support a form.

    Raises:
        UsageError: the form is not supported; lists those that are.
    """
    if form not in forms_of(shape):
        raise UsageError(f"{shape.id} has no form {form}; it comes as {', '.join(forms_of(shape))}")


def require_state(alarm: Alarm, state: State) -> None:
    """Raise an error if an alarm cannot be in a state.

    Raises:
        UsageError: the alarm cannot be in the state; gives the reason.
    """
    if state is State.REPEATED and not alarm.can_repeat:
        reason = _WITHOUT_REPEATS.get(alarm.kind) or f"its alarmNotifyType is {alarm.notify_type.value}"
        raise UsageError(f"{alarm.shape_id}: no repeated callback: {reason}")
    if state is State.RESOLVED and not alarm.can_resolve:
        reason = f"event {alarm.event.name!r} has no recovery; choose another" if alarm.event else _CLS_HAS_NO_STATE
        raise UsageError(f"{alarm.shape_id}: no resolved callback: {reason}")


_CLS_HAS_NO_STATE = "callbacks of CLS have no field for the state"

_WITHOUT_REPEATS = {
    AlarmKind.EVENT: "event alarms never repeat",
    AlarmKind.PROMETHEUS: "no source shows one of Prometheus",
    AlarmKind.CLS: _CLS_HAS_NO_STATE,
}


def with_level(alarm: Alarm, level: str, envelope: Envelope) -> Alarm:
    """Return an alarm at another level of its hierarchical policy; the same alarm for an empty level.

    Raises:
        UsageError: its callbacks have no level.
    """
    if not level:
        return alarm
    if alarm.kind is not AlarmKind.METRIC or not envelope.fields & {"alertId", "alarmLevel"}:
        raise UsageError(f"{alarm.shape_id}: only metric alarms of --profile 2025 have a level; leave {level} out")
    return replace(alarm, optional_fields=replace(alarm.optional_fields, level=level))


def _with_repeats(alarm: Alarm, rng: SeededRandom) -> Alarm:
    """Set the policy's periods and repetition."""
    period_s, period_num = rng.choice(_PERIODS_S), rng.choice(_PERIOD_NUMS)
    notify_type = rng.choice(tuple(NotifyType))
    interval_s = rng.choice(REPEAT_PERIODS_S)
    return replace(
        alarm,
        period_s=period_s,
        period_num=period_num,
        notify_type=notify_type,
        notify_period_s=0 if notify_type is NotifyType.SINGLE else interval_s,
    )


def _optional_fields(shape: Shape, region: Region, lang: Lang, rng: SeededRandom) -> OptionalFields:
    return OptionalFields(
        has_uuid_session_id=rng.choice((False, True)),
        level=rng.choice(_LEVELS),
        policy_tags=rng.choice(_TAGS),
        detail_url_suffix=rng.text(ALNUM, _LINK_CHARS),
        has_capitalized_keys=rng.choice((False, True)),
        show_name_suffix=shape.observed.show_name_suffix,
        region=region.full_name,
        region_code=region.code,
        city=region.city_zh if lang is Lang.ZH else region.city,
    )


def _without_subject(alarm: Alarm, options: AlarmOptions) -> Alarm:
    """Return the policy of an alarm that has neither a metric nor an event."""
    name = options.metric or options.event
    if name is not None:
        raise UnknownNameError("metric", name, [], where=alarm.shape_id)
    require_state(alarm, options.required_state)
    return alarm


def _with_metric(alarm: Alarm, shape: Shape, options: AlarmOptions, subject_index: int) -> Alarm:
    requested = _find_by_name("metric", options.metric or options.event, shape.metrics, shape.id)
    metric = requested or shape.metrics[subject_index % len(shape.metrics)]
    if not options.has_threshold:
        metric = replace(metric, calc_type=None, calc_value=None)
    alarm = replace(alarm, metric=metric, namespace=metric.namespace or alarm.namespace)
    if options.repeat_policy:
        alarm = replace(alarm, notify_type=options.repeat_policy.type, notify_period_s=options.repeat_policy.every_s)
        require_state(alarm, options.required_state)
    if options.required_state is State.REPEATED and not alarm.can_repeat:
        interval_s = REPEAT_PERIODS_S[subject_index % len(REPEAT_PERIODS_S)]
        return replace(alarm, notify_type=NotifyType.CONTINUOUS, notify_period_s=interval_s)
    return alarm


def _with_event(alarm: Alarm, shape: Shape, options: AlarmOptions, subject_index: int) -> Alarm:
    index, name = subject_index % len(shape.events), options.event or options.metric
    event = _find_by_name("event", name, shape.events, shape.id) or shape.events[index]
    if name is None and options.required_state is State.RESOLVED and not event.recoverable:
        candidates = itertools.chain(shape.events[index:], shape.events[:index])
        event = next((candidate for candidate in candidates if candidate.recoverable), event)
    alarm = replace(alarm, event=event)
    if options.repeat_policy and options.repeat_policy.type is not NotifyType.SINGLE:
        raise UsageError(f"{shape.id}: event alarms never repeat; only single is possible")
    require_state(alarm, options.required_state)
    return alarm


def _find_by_name(kind: str, name: str | None, candidates: tuple[Subject, ...], location: str) -> Subject | None:
    match = next((item for item in candidates if item.name == name), None)
    if name is not None and match is None:
        raise UnknownNameError(kind, name, [item.name for item in candidates], where=location)
    return match


_DISTANCE_DIVISOR = 2

"""A generated value differs from the threshold by at most half of it."""

_MIN_STEPS = 10


@lru_cache(maxsize=4096)
def sample_values(metric: Metric, *, is_breaching: bool) -> tuple[str, ...]:
    """Return 256 values on one side of the metric's threshold, evenly spread, in wire format.

    Up to ``metric.decimals`` decimals, no trailing zeros (captured callbacks: ``96.739``, ``26.14``, ``100``).
    """
    low, high = _sampling_range(metric, is_breaching=is_breaching)
    steps = [_step_at(low, high, index) for index in range(BYTE_VALUES)]
    texts = {step: _format_step(metric, step) for step in dict.fromkeys(steps)}
    return tuple(map(texts.__getitem__, steps))


def sample_value(metric: Metric, index: int, *, is_breaching: bool) -> str:
    """Return one of :func:`sample_values`, without the others."""
    return _format_step(metric, _step_at(*_sampling_range(metric, is_breaching=is_breaching), index))


def _step_at(low: int, high: int, index: int) -> int:
    return low + (high - low) * index // (BYTE_VALUES - 1)


def _format_step(metric: Metric, step: int) -> str:
    return format_number(Decimal(step).scaleb(-metric.decimals))


def format_number(value: Decimal) -> str:
    """Format a number without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=4096)
def _sampling_range(metric: Metric, *, is_breaching: bool) -> tuple[int, int]:
    """Return the smallest and largest step (units of the last decimal) on one side of the threshold."""
    steps = 10**metric.decimals
    threshold = int(Decimal(metric.calc_value or "0") * steps)
    max_distance = max(abs(threshold) // _DISTANCE_DIVISOR, _MIN_STEPS)
    low = max(int(Decimal(str(metric.low)) * steps), threshold - max_distance)
    high = min(int(Decimal(str(metric.high)) * steps), threshold + max_distance)
    above, not_below, below, not_above = (
        (threshold + 1, high),
        (threshold, high),
        (low, threshold - 1),
        (low, threshold),
    )
    exactly, elsewhere = (threshold, threshold), (above if high > threshold else below)
    sides = {
        ">": (above, not_above),
        ">=": (not_below, below),
        "<": (below, not_below),
        "<=": (not_above, above),
        "=": (exactly, elsewhere),
        "!=": (elsewhere, exactly),
    }
    return sides[metric.calc_type or ">"][0 if is_breaching else 1]
