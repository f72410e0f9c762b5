"""Factory of a clause's alarms, callbacks and request cases, which request builders use."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator, serial_for_policy
from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.domain.callback import State, encode_json
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.shape import without_unpublished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.callback import Form
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Credentials

PLAIN_SHAPE = "cvm/basic-monitoring"
"""The shape that every receiver knows: the page's first and only complete sample."""
PLAIN_METRIC = "cpu_usage"
_POLICIES_PER_CLAUSE = 10_000
_POLICIES_PER_RERUN = 5_000
_POLICIES_PER_FORM = 1_000
_FIRST_CUSTOM_NUMBER = 1_000
_PLAIN_REGION = "gz"
"""The region of the page's sample. Random regions include edge zones, which not every receiver knows."""
_PLAIN_SERIAL = serial_for_policy(0)
"""Serial of the alarm of all plain callbacks of a run, so that they differ only in what a clause changes."""


@dataclass(slots=True)
class CaseFactory:
    """Makes the cases of one clause.

    Each callback has a session and a policy that no other callback of the run has, whichever clauses run concurrently.
    All other values come from the alarm, so callbacks of one alarm differ only in what the clause changes.

    Args:
        catalog: the shapes.
        generator: generates the alarms.
        code: code of the clause.
        credentials: the credentials that the receiver accepts.
        headers: headers of each request.
        exhaustive: whether requests are cheap, so that more may be sent.
        template: the user's own template, which replaces TCOP's own callbacks.
        has_capitalized_keys: spelling of the keys in EventBridge's form.
        rerun: number of earlier runs of the clause. A rerun uses the same alarms with other policies.
        plain_shape: id of the shape of plain callbacks.
    """

    catalog: Catalog
    generator: Generator
    code: str
    credentials: Credentials | None = None
    headers: tuple[tuple[str, str], ...] = ()
    exhaustive: bool = False
    template: NotificationTemplate | None = None
    has_capitalized_keys: bool = False
    rerun: int = 0
    _form_factories: dict[tuple[Form, bool], CaseFactory] = field(default_factory=dict, repr=False)
    plain_shape: str = PLAIN_SHAPE
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
        """Return the clause's next alarm; for the plain shape always the run's plain alarm.

        Args:
            shape: shape of the alarm.
            required_state: the state it must be able to reach.
            has_threshold: whether its metric has a threshold.
            like: an alarm of this shape, to get the same one with or without a threshold.
        """
        is_plain = shape.id == self.plain_shape
        if like is None and not is_plain:
            self._alarm_count += 1
        serial = like.serial if like else _PLAIN_SERIAL if is_plain else self._serial(self._alarm_count)
        is_default = shape.id == PLAIN_SHAPE and is_plain
        metric = PLAIN_METRIC if is_default else None
        alarm = self.generator.alarm(
            shape, serial, metric=metric, has_threshold=has_threshold, required_state=required_state
        )
        spelling = replace(alarm.optional_fields, has_capitalized_keys=self.has_capitalized_keys)
        alarm = replace(alarm, optional_fields=spelling)
        return replace(alarm, region=_PLAIN_REGION) if is_default else alarm

    def unique_alarm(self, shape: Shape, *, can_resolve: bool = True, has_threshold: bool = True) -> Alarm:
        """Return an alarm with objects, a policy and sessions that no other alarm of the run has.

        Args:
            shape: shape of the alarm.
            can_resolve: for events: whether the event resolves.
            has_threshold: whether its metric has a threshold.
        """
        self._alarm_count += 1
        serial = self._serial(_POLICIES_PER_RERUN * self.rerun + self._alarm_count)
        event = None
        if shape.events:
            event = next((event.name for event in shape.events if event.recoverable is can_resolve), None)
        required_state = State.REPEATED if shape.metrics else State.FIRING
        alarm = self.generator.alarm(
            shape, serial, event=event, has_threshold=has_threshold, required_state=required_state
        )
        return replace(alarm, policy_name=f"{alarm.policy_name} {alarm.policy_id.rpartition('-')[2]}")

    def with_form(self, form: Form, *, has_capitalized_keys: bool = False) -> CaseFactory:
        """Return a factory that writes callbacks of another form, about different objects.

        Args:
            form: the form.
            has_capitalized_keys: spelling of the keys in EventBridge's form.
        """
        if form is self.generator.form:
            return self
        key = (form, has_capitalized_keys)
        if key not in self._form_factories:
            generator = Generator(
                self.generator.seed, self.generator.lang, form=form, wire_format=self.generator.wire_format
            )
            used = _POLICIES_PER_FORM * (1 + has_capitalized_keys)
            self._form_factories[key] = replace(
                self,
                generator=generator,
                has_capitalized_keys=has_capitalized_keys,
                _form_factories={},
                _alarm_count=self._alarm_count + used,
                _callback_count=self._callback_count + used,
            )
        return self._form_factories[key]

    def tree(self, alarm: Alarm, state: State) -> dict[str, Any]:
        """Return an alarm's callback as a tree, with a policy and a session used for nothing else."""
        self._callback_count += 1
        serial = self._serial(_POLICIES_PER_RERUN * self.rerun + self._callback_count)
        policy_id, session_id = self.generator.ids(self.catalog.get(alarm.shape_id), serial, state)
        callback = self.generator.callback(replace(alarm, policy_id=policy_id), state)
        return replace(callback, session_id=session_id).to_dict()

    def firing_of(self, alarm: Alarm, resolved: dict[str, Any]) -> OutgoingRequest:
        """Return the firing callback of the alarm that a resolved tree of :meth:`tree` ends."""
        firing = self.generator.callback(alarm, State.FIRING).to_dict()
        policy_id = resolved.get("alarmPolicyInfo", {}).get("policyId")
        if policy_id is not None:
            firing["alarmPolicyInfo"]["policyId"] = policy_id
        return self.request(encode_json(firing))

    def match_shapes(self, globs: Sequence[str]) -> list[Shape]:
        """Return the shapes that match the globs, each once. Unpublished ones are left out if there are others."""
        return without_unpublished({shape.id: shape for glob in globs for shape in self.catalog.match(glob)}.values())

    def case(self, title: str, tree: Any, shape: Shape) -> RequestCase:  # noqa: ANN401 - a JSON tree
        """Return the case that posts a body, or its templated form, with the valid credentials.

        Documented: templates are for alarms of cloud products. Other bodies, such as CloudEvents, come as they are.
        """
        has_template = self.template is not None and "alarmStatus" in tree and not shape.unpublished
        return RequestCase(
            title, self.request(self.render_notice(tree, shape) if has_template else encode_json(tree)), shape.id
        )

    def render_notice(self, tree: dict[str, Any], shape: Shape, default_template: str = "") -> bytes:
        """Return a callback rendered by a notification template.

        Args:
            tree: the callback.
            shape: shape of the callback.
            default_template: the template, if the user has given none.

        Raises:
            UsageError: the result is longer than TCOP allows.
        """
        state = State.RESOLVED if str(tree["alarmStatus"]) == "0" else State.FIRING
        template = self.template or NotificationTemplate(default_template, "the default template")
        return template.render(shape, state, self.generator.lang, tree)

    def plain_case(self, title: str = "a plain firing callback") -> RequestCase:
        """Return the case that posts the body that the receiver accepts: of the plain shape."""
        shape = self.catalog.get(self.plain_shape)
        return self.case(title, self.tree(self.alarm(shape), State.FIRING), shape)

    def request(self, body: bytes) -> OutgoingRequest:
        """Return the POST of a body with the profile's headers and the valid credentials."""
        return OutgoingRequest(body, headers=self.headers, credentials=self.credentials)

    @property
    def unique_secret(self) -> str:
        """A made-up user or password that nothing else in the run contains and the receiver does not know."""
        unique_alarm = self.generator.alarm(self.catalog.get(PLAIN_SHAPE), self._serial(0))
        return f"sentinel-{unique_alarm.policy_id}"

    def _serial(self, number: int) -> int:
        return serial_for_policy(_POLICIES_PER_CLAUSE * _clause_number(self.code) + number)


def _clause_number(code: str) -> int:
    """Return a number for a code: the digits of built-in codes, a greater number for custom codes."""
    digits = code.removeprefix("TCM")
    return int(digits) if digits.isdecimal() else _FIRST_CUSTOM_NUMBER + zlib.crc32(code.encode())
