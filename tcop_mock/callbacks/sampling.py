"""Draw a policy: what all the alarms that it raises have in common."""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tcop_mock.callbacks.pieces import ALNUM, BYTES, FIRST_DAY, LOWER_ALNUM
from tcop_mock.catalog.pools import names, region_of, regions
from tcop_mock.domain.alarm import REPEAT_PERIODS_S, Account, Alarm, Extras, Form, NotifyType, State
from tcop_mock.domain.shape import Event, Kind, Lang, Metric
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tcop_mock.domain.alarm import Notify
    from tcop_mock.domain.shape import Shape

    Named = TypeVar("Named", Metric, Event)


T = TypeVar("T")


_FIRST_BYTES = 336

_WORD_BYTES = 8


class Entropy:
    """Draws from SHAKE-128 over a key. The same key gives the same draws in the same order."""

    __slots__ = ("_bytes", "_key", "_next")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._bytes = hashlib.shake_128(self._key).digest(_FIRST_BYTES)
        self._next = 0

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to ``bound`` - 1; the bias of 64 bits over ``bound`` is not observable."""
        return int.from_bytes(self._take(_WORD_BYTES), "big") % bound

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def text(self, alphabet: str, length: int) -> str:
        """Return ``length`` characters of an alphabet, each from 16 bits."""
        size = len(alphabet)
        return "".join([alphabet[word % size] for word in struct.unpack(f">{length}H", self._take(2 * length))])

    def _take(self, count: int) -> bytes:
        end = self._next + count
        while end > len(self._bytes):
            self._bytes = hashlib.shake_128(self._key).digest(2 * len(self._bytes))
        taken = self._bytes[self._next : end]
        self._next = end
        return taken


_POLICY_CHARS = 8

_LINK_CHARS = 12

_PERIODS_S = (60, 300)

_PERIOD_NUMS = (1, 2, 3, 4, 5)

_APP_ID = (1_250_000_000, 1_259_999_999)

_UIN = (100_000_000_000, 100_099_999_999)

_LEVELS = ("", "", "", "Remind")

"""The only level that a page shows inside a callback; most policies have none."""

_TAGS = ((), (("env", "prod"),), (("team", "payments"), ("env", "test")))


class Setting(NamedTuple):
    """Where policies are, whose they are and how they watch; what is not said is drawn."""

    account: Account | None = None
    region: str = ""
    """Short code of the region; of no account to products without regions."""
    period_s: int | None = None
    """Statistical period."""
    period_num: int | None = None
    """How many breaching periods it takes to fire."""


_ANYWHERE = Setting()


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of an alarm beyond its shape; what is not asked is drawn."""

    metric: str | None = None
    event: str | None = None
    threshold: bool = True
    """``False`` for an alarm without a threshold (its conditions have no threshold fields)."""
    notify: Notify | None = None
    reaching: State = State.FIRING
    """The state it must be able to reach: repeated, resolved."""
    setting: Setting = _ANYWHERE


def draw_policy(shape: Shape, lang: Lang, ask: Ask, *key: object) -> Alarm:
    """Draw what the alarms of one policy share; their objects and times are still to be filled in.

    Args:
        shape: what product it is about.
        lang: of the account.
        ask: what the policy has to be.
        key: decides all that is drawn; language and what is asked change nothing else.

    Raises:
        UnknownNameError: the shape has no such metric or event.
        UsageError: its alarms can never reach the state: events do not repeat, some have no recovery.
    """
    entropy = Entropy(*key)
    account = _account(entropy)
    region = entropy.pick(regions())
    setting = ask.setting
    if setting.region:
        region = region_of(setting.region)
    first = Alarm(
        shape_id=shape.id,
        serial=0,
        kind=shape.kind,
        lang=lang,
        account=setting.account or account,
        region=region.code if shape.regional else None,
        namespace=shape.namespace,
        dimensions={},
        policy_id=f"policy-{entropy.text(LOWER_ALNUM, _POLICY_CHARS)}",
        policy_name=entropy.pick(names("policy", lang)),
        policy=shape.policy,
        first_occur=FIRST_DAY,
        product=shape.product,
    )
    subject = entropy.below(1 << 32)
    notified = _notified(first, entropy)
    notified = replace(
        notified,
        period_s=setting.period_s or notified.period_s,
        period_num=setting.period_num or notified.period_num,
    )
    drawn = replace(notified, extras=_extras(shape, region.full, region.code, entropy))
    if shape.kind is Kind.EVENT:
        return _about_event(drawn, shape, ask, subject)
    return _about_metric(drawn, shape, ask, subject)


def draw_account(*key: object) -> Account:
    """Draw a customer's account."""
    return _account(Entropy(*key))


def _account(entropy: Entropy) -> Account:
    return Account(entropy.between(*_APP_ID), str(entropy.between(*_UIN)))


def forms(shape: Shape) -> tuple[Form, ...]:
    """Return the forms that callbacks of a shape come in."""
    if shape.kind is Kind.METRIC:
        return (Form.DOCUMENTED, Form.OBSERVED)
    return tuple(form for form in Form if form is not Form.CLOUDEVENTS or shape.cloud_event)


def comes(shape: Shape, states: Collection[State], form: Form) -> bool:
    """Tell whether callbacks of a shape come in a form, and some of its alarms can be in each of these states."""
    if form not in forms(shape):
        return False
    if shape.kind is Kind.METRIC:
        return True
    return State.REPEATED not in states and (State.RESOLVED not in states or shape.recovers)


def require_form(shape: Shape, form: Form) -> None:
    """Hold a shape to a form.

    Raises:
        UsageError: its callbacks do not come in it; says in which they do.
    """
    if form not in forms(shape):
        raise UsageError(f"{shape.id} has no form {form}; it comes as {', '.join(forms(shape))}")


def require(alarm: Alarm, state: State) -> None:
    """Hold an alarm to a state.

    Raises:
        UsageError: it has no such state; says why.
    """
    if state is State.REPEATED and not alarm.repeats:
        why = "event alarms never repeat" if alarm.event else f"its alarmNotifyType is {alarm.notify_type.value}"
        raise UsageError(f"{alarm.shape_id}: no repeated callback: {why}")
    if state is State.RESOLVED and not alarm.recovers:
        name = alarm.event.name if alarm.event else ""
        raise UsageError(f"{alarm.shape_id}: no resolved callback: event {name!r} has no recovery; choose another")


def _notified(alarm: Alarm, entropy: Entropy) -> Alarm:
    """Draw the policy's periods and how it repeats."""
    period_s, period_num = entropy.pick(_PERIODS_S), entropy.pick(_PERIOD_NUMS)
    notify_type = entropy.pick(tuple(NotifyType))
    every_s = entropy.pick(REPEAT_PERIODS_S)
    return replace(
        alarm,
        period_s=period_s,
        period_num=period_num,
        notify_type=notify_type,
        notify_period_s=0 if notify_type is NotifyType.SINGLE else every_s,
    )


def _extras(shape: Shape, region: str, code: str, entropy: Entropy) -> Extras:
    return Extras(
        session_uuid=entropy.pick((False, True)),
        level=entropy.pick(_LEVELS),
        policy_tags=entropy.pick(_TAGS),
        link=entropy.text(ALNUM, _LINK_CHARS),
        capitals=entropy.pick((False, True)),
        show_name_suffix=shape.observed.show_name_suffix,
        region=region,
        region_code=code,
    )


def _about_metric(alarm: Alarm, shape: Shape, ask: Ask, subject: int) -> Alarm:
    named = _named("metric", ask.metric or ask.event, shape.metrics, shape.id)
    metric = named or shape.metrics[subject % len(shape.metrics)]
    if not ask.threshold:
        metric = replace(metric, calc_type=None, calc_value=None)
    alarm = replace(alarm, metric=metric, namespace=metric.namespace or alarm.namespace)
    if ask.notify:
        alarm = replace(alarm, notify_type=ask.notify.type, notify_period_s=ask.notify.every_s)
        require(alarm, ask.reaching)
    if ask.reaching is State.REPEATED and not alarm.repeats:
        every_s = REPEAT_PERIODS_S[subject % len(REPEAT_PERIODS_S)]
        return replace(alarm, notify_type=NotifyType.CONTINUOUS, notify_period_s=every_s)
    return alarm


def _about_event(alarm: Alarm, shape: Shape, ask: Ask, subject: int) -> Alarm:
    at, name = subject % len(shape.events), ask.event or ask.metric
    event = _named("event", name, shape.events, shape.id) or shape.events[at]
    if name is None and ask.reaching is State.RESOLVED and not event.recoverable:
        following = itertools.chain(shape.events[at:], shape.events[:at])
        event = next((other for other in following if other.recoverable), event)
    alarm = replace(alarm, event=event)
    if ask.notify and ask.notify.type is not NotifyType.SINGLE:
        raise UsageError(f"{shape.id}: event alarms never repeat, so they are told once: single")
    require(alarm, ask.reaching)
    return alarm


def _named(what: str, name: str | None, known: tuple[Named, ...], where: str) -> Named | None:
    found = next((item for item in known if item.name == name), None)
    if name is not None and found is None:
        raise UnknownNameError(what, name, [item.name for item in known], where=where)
    return found


_SPREAD = 2

"""A drawn value lies at most a half of the threshold away from it."""

_LEAST_STEPS = 10


@lru_cache(maxsize=4096)
def values(metric: Metric, *, beyond: bool) -> tuple[str, ...]:
    """Return 256 values beyond the metric's threshold or within it, evenly spread, as the wire writes numbers.

    Up to ``metric.decimals`` decimals, no trailing zeros (captured callbacks: ``96.739``, ``26.14``, ``100``).
    """
    low, high = _span(metric, beyond=beyond)
    steps = [low + (high - low) * at // (BYTES - 1) for at in range(BYTES)]
    return tuple(number(Decimal(step).scaleb(-metric.decimals)) for step in steps)


def number(value: Decimal) -> str:
    """Write a number without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_beyond(value: str, calc_type: str, calc_value: str) -> bool:
    """Tell whether a value breaches a threshold."""
    have, limit = Decimal(value), Decimal(calc_value)
    return {
        ">": have > limit,
        ">=": have >= limit,
        "<": have < limit,
        "<=": have <= limit,
        "=": have == limit,
        "!=": have != limit,
    }[calc_type]


def _span(metric: Metric, *, beyond: bool) -> tuple[int, int]:
    """Return the least and the greatest step (units of the last decimal) on one side of the threshold."""
    steps = 10**metric.decimals
    limit = int(Decimal(metric.calc_value or "0") * steps)
    reach = max(abs(limit) // _SPREAD, _LEAST_STEPS)
    low = max(int(Decimal(str(metric.low)) * steps), limit - reach)
    high = min(int(Decimal(str(metric.high)) * steps), limit + reach)
    above, not_below, below, not_above = (limit + 1, high), (limit, high), (low, limit - 1), (low, limit)
    exactly, elsewhere = (limit, limit), (above if high > limit else below)
    sides = {
        ">": (above, not_above),
        ">=": (not_below, below),
        "<": (below, not_below),
        "<=": (not_above, above),
        "=": (exactly, elsewhere),
        "!=": (elsewhere, exactly),
    }
    return sides[metric.calc_type or ">"][0 if beyond else 1]
