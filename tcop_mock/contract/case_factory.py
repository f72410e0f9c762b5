"""What players draw from: one clause's own alarms, and requests made of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator, serial_for_policy
from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.domain.alarm import State, encode_json
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import OutgoingRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Alarm, Form
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Credentials

PLAIN_SHAPE = "cvm/basic-monitoring"
"""The shape that receivers know if they know any: the page's first and only complete sample."""
PLAIN_METRIC = "cpu_usage"
_POLICIES_PER_CLAUSE = 10_000
_POLICIES_PER_RERUN = 5_000
_POLICIES_PER_FORM = 1_000
_FIRST_CUSTOM_NUMBER = 1_000
_PLAIN_REGION = "gz"
"""That of the page's sample; some that are drawn are edge zones, which not every receiver knows."""
_PLAIN_SERIAL = serial_for_policy(0)
"""Of the alarm that all plain callbacks of a run tell, so that nothing but what a clause tries tells them apart."""


@dataclass(slots=True)
class CaseFactory:
    """Makes the cases of one clause.

    Each callback it writes has a session and a policy of its own that no other callback of the run has, whichever
    clauses are played beside it; what else it tells comes from the alarm, so that callbacks of one alarm differ in
    what the clause changes and nowhere else.

    Args:
        catalog: the shapes.
        generator: draws the alarms.
        code: of the clause.
        credentials: that the receiver wants.
        headers: of each request.
        exhaustive: whether requests cost nothing, so that more may be sent.
        template: of the user's own notices, which are posted in place of TCOP's own callbacks.
        rerun: how often the clause has been played before: the same alarms, told by other policies.
    """

    catalog: Catalog
    generator: Generator
    code: str
    credentials: Credentials | None = None
    headers: tuple[tuple[str, str], ...] = ()
    exhaustive: bool = False
    template: NotificationTemplate | None = None
    rerun: int = 0
    _alarm_count: int = 0
    _callback_count: int = 0

    def alarm(
        self,
        shape: Shape,
        *,
        required_state: State = State.FIRING,
        has_threshold: bool = True,
        like: Alarm | None = None,
    ) -> Alarm:
        """Draw the clause's next alarm; of the plain shape always the run's plain one.

        Args:
            shape: what product it is about.
            required_state: the state it must be able to reach.
            has_threshold: whether its metric has a threshold.
            like: an alarm of this shape, for the same one with or without a threshold.
        """
        is_plain = shape.id == PLAIN_SHAPE
        if like is None and not is_plain:
            self._alarm_count += 1
        serial = like.serial if like else _PLAIN_SERIAL if is_plain else self._serial(self._alarm_count)
        metric = PLAIN_METRIC if is_plain else None
        alarm = self.generator.alarm(
            shape, serial, metric=metric, has_threshold=has_threshold, required_state=required_state
        )
        return replace(alarm, region=_PLAIN_REGION) if is_plain else alarm

    def unique_alarm(self, shape: Shape, *, can_resolve: bool = True) -> Alarm:
        """Draw an alarm with objects, a policy and sessions that no other alarm of the run has.

        Args:
            shape: what product it is about.
            can_resolve: whether it ends, where that is up to the event.
        """
        self._alarm_count += 1
        serial = self._serial(_POLICIES_PER_RERUN * self.rerun + self._alarm_count)
        event = None
        if shape.events:
            event = next((event.name for event in shape.events if event.recoverable is can_resolve), None)
        required_state = State.REPEATED if shape.metrics else State.FIRING
        alarm = self.generator.alarm(shape, serial, event=event, required_state=required_state)
        return replace(alarm, policy_name=f"{alarm.policy_name} {alarm.policy_id.rpartition('-')[2]}")

    def with_form(self, form: Form) -> CaseFactory:
        """Return a workshop that writes callbacks of another form, about objects of their own."""
        if form is self.generator.form:
            return self
        generator = Generator(
            self.generator.seed, self.generator.lang, form=form, wire_format=self.generator.wire_format
        )
        return replace(self, generator=generator, _alarm_count=self._alarm_count + _POLICIES_PER_FORM)

    def tree(self, alarm: Alarm, state: State) -> dict[str, Any]:
        """Return an alarm's callback as a tree, as a policy tells it that has told nothing else."""
        self._callback_count += 1
        shape, serial = (
            self.catalog.get(alarm.shape_id),
            self._serial(_POLICIES_PER_RERUN * self.rerun + self._callback_count),
        )
        unique_alarm = self.generator.alarm(shape, serial, required_state=state)
        session_id = self.generator.callback(unique_alarm, state).session_id
        callback = self.generator.callback(replace(alarm, policy_id=unique_alarm.policy_id), state)
        return replace(callback, session_id=session_id).to_dict()

    def match_shapes(self, globs: Sequence[str]) -> list[Shape]:
        """Return the shapes that globs name, each once."""
        return list({shape.id: shape for glob in globs for shape in self.catalog.match(glob)}.values())

    def case(self, title: str, tree: Any, shape: Shape) -> RequestCase:  # noqa: ANN401 - a JSON tree
        """Return the case of posting a body, or the notice that stands for it, with the right credentials."""
        return RequestCase(
            title, self.request(self.render_notice(tree, shape) if self.template else encode_json(tree)), shape.id
        )

    def render_notice(self, tree: dict[str, Any], shape: Shape, default_template: str = "") -> bytes:
        """Return what a template makes of a callback.

        Args:
            tree: the callback.
            shape: what it is about.
            default_template: the template, where the user has given none.

        Raises:
            UsageError: it is longer than TCOP lets it be.
        """
        state = State.RESOLVED if str(tree["alarmStatus"]) == "0" else State.FIRING
        template = self.template or NotificationTemplate(default_template, "the usual template")
        return template.render(shape, state, self.generator.lang, tree)

    def plain_case(self, title: str = "a plain firing callback") -> RequestCase:
        """Return the case of posting the body that every receiver takes."""
        shape = self.catalog.get(PLAIN_SHAPE)
        return self.case(title, self.tree(self.alarm(shape), State.FIRING), shape)

    def request(self, body: bytes) -> OutgoingRequest:
        """Return the POST of a body as the profile sends it."""
        return OutgoingRequest(body, headers=self.headers, credentials=self.credentials)

    @property
    def unique_secret(self) -> str:
        """What a made-up user or password is: nothing else that the run sends or the receiver knows."""
        unique_alarm = self.generator.alarm(self.catalog.get(PLAIN_SHAPE), self._serial(0))
        return f"sentinel-{unique_alarm.policy_id}"

    def _serial(self, number: int) -> int:
        return serial_for_policy(_POLICIES_PER_CLAUSE * _clause_number(self.code) + number)


def _clause_number(code: str) -> int:
    """Return a number for each code: of ours its digits, of others one that is greater than these."""
    digits = code.removeprefix("TCM")
    return int(digits) if digits.isdecimal() else _FIRST_CUSTOM_NUMBER + zlib.crc32(code.encode())
