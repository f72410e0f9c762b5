"""A Faker provider of TCOP callbacks, ids and names, also for factory_boy and other users of Faker providers.

>>> from faker import Faker
>>> from tcop_mock.faker_provider import TcopProvider
>>> fake = Faker()
>>> fake.add_provider(TcopProvider)
>>> fake.tcop_callback("cvm/*", state="resolved")["alarmStatus"]
'0'

Faker's seed decides the values, as usual:

>>> Faker.seed(7)
>>> first = fake.tcop_alarm()
>>> Faker.seed(7)
>>> fake.tcop_alarm() == first
True

factory_boy: ``factory.Faker.add_provider(TcopProvider)``, then ``factory.Faker("tcop_callback", shape="cvm/*")``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import supports
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang, Shape, without_unpublished
from tcop_mock.errors import UsageError, enum_member

try:
    from faker.providers import BaseProvider
except ModuleNotFoundError as missing:
    raise ImportError('tcop_mock.faker_provider needs Faker: pip install "tcop-mock[faker]"') from missing

if TYPE_CHECKING:
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.callback import Callback

_SERIALS = 1 << 32
_CVM_SHAPE = "cvm/basic-monitoring"


class TcopProvider(BaseProvider):
    """Faker provider of TCOP callbacks and names.

    ``shape`` is an id (``cvm/basic-monitoring``), a glob (``cvm/*``) or a ``Shape`` of your own catalogue; the default
    is any shape that fits. All methods raise ``UnknownNameError``, with similar names, for an unknown shape, state,
    form or language.
    """

    def tcop_alarm(self, shape: str | Shape | None = None) -> dict[str, Any]:
        """Return the body of a firing alarm's callback, as a tree of JSON values.

        >>> list(fake.tcop_alarm("mysql/instance")["alarmObjInfo"]["dimensions"])
        ['uInstanceId', 'objId', 'objName']
        """
        return self.tcop_callback(shape)

    def tcop_callback(
        self, shape: str | Shape | None = None, *, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> dict[str, Any]:
        """Return the body of a callback, as a tree of JSON values in wire order.

        Args:
            shape: see the class.
            state: ``firing``, ``repeated`` or ``resolved``.
            form: ``documented``, ``observed``, ``eventbridge`` or ``cloudevents``.
            lang: ``en`` or ``zh``.

        Raises:
            UsageError: no such shape has this state in this form; events never repeat, and some never resolve.

        >>> fake.tcop_callback("mysql/events", form="cloudevents")
        Traceback (most recent call last):
        ...
        tcop_mock.errors.UsageError: mysql/events has no form cloudevents; it comes as documented, observed, eventbridge
        """
        return self._callback(shape, state, form, lang).to_dict()

    def tcop_body(
        self, shape: str | Shape | None = None, *, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> bytes:
        """Return the body of a callback as bytes; arguments and errors are those of :meth:`tcop_callback`.

        >>> fake.tcop_body("cdn/domain")[:16]
        b'{"sessionId":"...'
        """
        return self._callback(shape, state, form, lang).to_bytes()

    def tcop_instance_id(self) -> str:
        """Return the id of a CVM instance.

        >>> fake.tcop_instance_id()
        'ins-...'
        """
        return str(self._alarm(_CVM_SHAPE).dimensions["unInstanceId"])

    def tcop_policy_id(self) -> str:
        """Return the id of an alarm policy.

        >>> fake.tcop_policy_id()
        'policy-...'
        """
        return self._alarm(_CVM_SHAPE).policy_id

    def tcop_region(self) -> str:
        """Return the short code of a region.

        >>> fake.tcop_region().isalpha()
        True
        """
        return self._alarm(_CVM_SHAPE).optional_fields.region_code

    def tcop_app_id(self) -> int:
        """Return an account id in the format of ``appId``.

        >>> len(str(fake.tcop_app_id()))
        10
        """
        return self._alarm(_CVM_SHAPE).account.app_id

    def tcop_uin(self) -> str:
        """Return an account id in the format of ``uin``.

        >>> len(fake.tcop_uin())
        12
        """
        return self._alarm(_CVM_SHAPE).account.uin

    def tcop_session_id(self) -> str:
        """Return the id of one callback.

        >>> len(fake.tcop_session_id())
        24
        """
        return self._callback(_CVM_SHAPE).session_id

    def tcop_shape_id(self) -> str:
        """Return the id of a shape.

        >>> fake.tcop_shape_id().count("/")
        1
        """
        return self._shape(None).id

    def tcop_metric_name(self, shape: str | Shape | None = None) -> str:
        """Return the name of a metric.

        >>> fake.tcop_metric_name("cdn/domain") in [metric.name for metric in Catalog.load().get("cdn/domain").metrics]
        True
        """
        return str(self.random_element([metric.name for metric in self._shape(shape, AlarmKind.METRIC).metrics]))

    def tcop_event_name(self, shape: str | Shape | None = None) -> str:
        """Return the name of an event.

        >>> fake.tcop_event_name("cvm/basic-monitoring")
        Traceback (most recent call last):
        ...
        tcop_mock.errors.UsageError: cvm/basic-monitoring has no events
        """
        return str(self.random_element([event.name for event in self._shape(shape, AlarmKind.EVENT).events]))

    def _callback(
        self, shape: str | Shape | None, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> Callback:
        wanted_state, body_form = enum_member(State, "state", state), enum_member(Form, "form", form)
        shapes = _matching_shapes(shape)
        candidates = [
            candidate for candidate in shapes if len(shapes) == 1 or supports(candidate, {wanted_state}, body_form)
        ]
        if not candidates:
            raise UsageError(f"no shape {shape or '*'!r} has {state} callbacks in the form {form}")
        generator = _generator(enum_member(Lang, "language", lang), body_form)
        alarm = generator.alarm(self.random_element(candidates), self._serial(), required_state=wanted_state)
        return generator.callback(alarm, wanted_state)

    def _alarm(self, shape: str) -> Alarm:
        return _generator(Lang.EN, Form.DOCUMENTED).alarm(self._shape(shape), self._serial())

    def _serial(self) -> int:
        """Draw the serial of the alarm. Faker's random decides only this; the generator's seed is fixed."""
        serial: int = self.generator.random.randrange(_SERIALS)
        return serial

    def _shape(self, shape: str | Shape | None, kind: AlarmKind | None = None) -> Shape:
        candidates = [candidate for candidate in _matching_shapes(shape) if kind in (None, candidate.kind)]
        if not candidates:
            raise UsageError(f"{shape.id if isinstance(shape, Shape) else shape} has no {kind}s")
        return self.random_element(candidates)


def _matching_shapes(shape: str | Shape | None) -> list[Shape]:
    return [shape] if isinstance(shape, Shape) else without_unpublished(Catalog.load().match(shape or "*"))


@lru_cache
def _generator(lang: Lang, form: Form) -> Generator:
    return Generator(0, lang, form=form)
