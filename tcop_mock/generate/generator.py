"""Draw alarms and their callbacks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.generate.entropy import ALNUM, LOWER_ALNUM, Entropy
from tcop_mock.generate.plan import Plan
from tcop_mock.generate.pools import names, regions
from tcop_mock.generate.thresholds import draw_value
from tcop_mock.model.alarm import Account, Alarm, Callback, NotifyType, State
from tcop_mock.model.shape import Event, Kind, Lang, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.shape import Shape

    Named = TypeVar("Named", Metric, Event)

_FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001 - Beijing time without offset, as TCOP writes it
_SECONDS_OF_YEAR = 365 * 24 * 3600
_SESSION_CHARS = 24
_POLICY_CHARS = 8
_PERIODS_S = (60, 300)
_PERIOD_NUMS = (1, 2, 3, 4, 5)
_REPEAT_PERIODS_S = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_UNREPEATED_SPAN_S = 3600
"""How long an alarm that is told once lasts at the most."""
_APP_ID = (1_250_000_000, 1_259_999_999)
_UIN = (100_000_000_000, 100_099_999_999)


class Generator:
    """Draws alarms from a seed.

    Each alarm has a stream of its own (seed, shape id, serial), so the 5,000th is drawn without the 4,999 before it;
    language, metric and event do not change what else is drawn.
    """

    def __init__(self, seed: int, lang: Lang = Lang.EN) -> None:
        self.seed = seed
        self.lang = lang
        self._plans: dict[str, Plan] = {}

    def alarm(  # noqa: PLR0913 - each is one thing that a user can ask of an alarm
        self,
        shape: Shape,
        serial: int = 0,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        reaching: State = State.FIRING,
    ) -> Alarm:
        """Draw one alarm.

        Args:
            shape: what product it is about.
            serial: which of the seed's alarms of this shape, from 0.
            metric: metric by name; drawn where it is not given.
            event: event by name; drawn where it is not given.
            threshold: ``False`` for an alarm without a threshold (its conditions have no threshold fields).
            reaching: the state it must be able to reach: repeated, resolved.

        Raises:
            UnknownNameError: the shape has no such metric or event.
            UsageError: it can never reach the state: events do not repeat, some have no recovery.
        """
        entropy = Entropy(self.seed, shape.id, serial)
        account = Account(entropy.between(*_APP_ID), str(entropy.between(*_UIN)))
        region = entropy.pick(regions()).code
        first = Alarm(
            shape_id=shape.id,
            serial=serial,
            kind=shape.kind,
            lang=self.lang,
            account=account,
            region=region if shape.regional else None,
            namespace=shape.namespace,
            dimensions={},
            policy_id=f"policy-{entropy.text(LOWER_ALNUM, _POLICY_CHARS)}",
            policy_name=entropy.pick(names("policy", self.lang)),
            policy=shape.policy,
            first_occur=_FIRST_DAY + timedelta(seconds=entropy.below(_SECONDS_OF_YEAR)),
            product=shape.product,
        )
        subject = entropy.below(1 << 32)
        notified = _notified(first, entropy)
        drawn = replace(notified, dimensions=self._plan(shape).draw_dimensions(entropy, self.lang, account, region))
        if shape.kind is Kind.EVENT:
            return _about_event(drawn, shape, event or metric, subject, reaching)
        return _about_metric(drawn, shape, metric or event, subject, reaching, threshold=threshold)

    def callback(self, alarm: Alarm, state: State, occurrence: int = 1) -> Callback:
        """Draw an alarm's callback at one moment of its life.

        Args:
            alarm: drawn by this generator.
            state: firing, repeated or resolved.
            occurrence: which repeat it is, from 1; for a resolve, how many repeats it outlived, and one.

        Raises:
            UsageError: the alarm has no such state.
        """
        _require(alarm, state)
        entropy = Entropy(self.seed, alarm.shape_id, alarm.serial, state.value, occurrence)
        session_id = entropy.text(ALNUM, _SESSION_CHARS)
        duration_s = _duration_s(alarm, state, occurrence, entropy)
        if alarm.metric is None or alarm.metric.calc_type is None:
            return Callback(alarm, state, session_id, duration_s)
        return Callback(
            alarm,
            state,
            session_id,
            duration_s,
            current_value=draw_value(entropy, alarm.metric, beyond=state is not State.RESOLVED),
            history_value=draw_value(entropy, alarm.metric, beyond=False),
        )

    def life(self, alarm: Alarm, repeats: int = 0) -> Iterator[Callback]:
        """Yield an alarm's callbacks in order: firing, its repeats, and the resolve where it has one."""
        yield self.callback(alarm, State.FIRING)
        for occurrence in range(1, repeats + 1):
            yield self.callback(alarm, State.REPEATED, occurrence)
        if alarm.recovers:
            yield self.callback(alarm, State.RESOLVED, repeats + 1)

    def _plan(self, shape: Shape) -> Plan:
        plan = self._plans.get(shape.id)
        if plan is None or plan.shape is not shape:
            plan = self._plans[shape.id] = Plan(shape)
        return plan


def _notified(alarm: Alarm, entropy: Entropy) -> Alarm:
    """Draw the policy's periods and how it repeats."""
    period_s, period_num = entropy.pick(_PERIODS_S), entropy.pick(_PERIOD_NUMS)
    notify_type = entropy.pick(tuple(NotifyType))
    every_s = entropy.pick(_REPEAT_PERIODS_S)
    return replace(
        alarm,
        period_s=period_s,
        period_num=period_num,
        notify_type=notify_type,
        notify_period_s=0 if notify_type is NotifyType.SINGLE else every_s,
    )


def _about_metric(  # noqa: PLR0913 - the last step of one drawing, split off for its length
    alarm: Alarm, shape: Shape, name: str | None, subject: int, reaching: State, *, threshold: bool
) -> Alarm:
    metric = _named("metric", name, shape.metrics, shape.id) or shape.metrics[subject % len(shape.metrics)]
    if not threshold:
        metric = replace(metric, calc_type=None, calc_value=None)
    alarm = replace(alarm, metric=metric, namespace=metric.namespace or alarm.namespace)
    if reaching is State.REPEATED and not alarm.repeats:
        every_s = _REPEAT_PERIODS_S[subject % len(_REPEAT_PERIODS_S)]
        return replace(alarm, notify_type=NotifyType.CONTINUOUS, notify_period_s=every_s)
    return alarm


def _about_event(alarm: Alarm, shape: Shape, name: str | None, subject: int, reaching: State) -> Alarm:
    at = subject % len(shape.events)
    event = _named("event", name, shape.events, shape.id) or shape.events[at]
    if name is None and reaching is State.RESOLVED and not event.recoverable:
        following = itertools.chain(shape.events[at:], shape.events[:at])
        event = next((other for other in following if other.recoverable), event)
    alarm = replace(alarm, event=event)
    _require(alarm, reaching)
    return alarm


def _named(what: str, name: str | None, known: tuple[Named, ...], where: str) -> Named | None:
    found = next((item for item in known if item.name == name), None)
    if name is not None and found is None:
        raise UnknownNameError(what, name, [item.name for item in known], where=where)
    return found


def _require(alarm: Alarm, state: State) -> None:
    if state is State.REPEATED and not alarm.repeats:
        why = "event alarms never repeat" if alarm.event else f"its alarmNotifyType is {alarm.notify_type.value}"
        raise UsageError(f"{alarm.shape_id}: no repeated callback: {why}")
    if state is State.RESOLVED and not alarm.recovers:
        name = alarm.event.name if alarm.event else ""
        raise UsageError(f"{alarm.shape_id}: no resolved callback: event {name!r} has no recovery; choose another")


def _duration_s(alarm: Alarm, state: State, occurrence: int, entropy: Entropy) -> int:
    """Return the alarm's age: nothing when it fires, whole periods at a repeat, and somewhere after them at its end.

    An exponential alarm is told on the 1st, 2nd, 4th, 8th ... occurrence, so its n-th repeat is 2**n - 1 periods old.
    """
    if state is State.FIRING:
        return 0
    every_s = alarm.notify_period_s or _UNREPEATED_SPAN_S
    if alarm.notify_type is NotifyType.EXPONENTIAL:
        before, reached = (1 << occurrence - 1) - 1, (1 << occurrence) - 1
    else:
        before, reached = occurrence - 1, occurrence
    if state is State.REPEATED:
        return reached * every_s
    span = (reached - before) * every_s // alarm.period_s
    return before * every_s + alarm.period_s * entropy.between(1, span)
