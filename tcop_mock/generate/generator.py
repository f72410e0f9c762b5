"""Draw alarms and their callbacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tcop_mock.errors import UsageError
from tcop_mock.generate.ages import Moment, again_s, ages_s
from tcop_mock.generate.cells import ROWS, Clock, text_of
from tcop_mock.generate.draft import Draft, place_of
from tcop_mock.generate.plan import Plan
from tcop_mock.generate.policies import Ask, require, require_form
from tcop_mock.generate.thresholds import values
from tcop_mock.model.alarm import Alarm, Callback, State
from tcop_mock.model.form import Form, Wire
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.alarm import Notify
    from tcop_mock.model.shape import Shape


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
