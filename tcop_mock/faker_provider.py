"""TCOP's callbacks, ids and names for Faker, factory_boy and whatever else takes Faker's providers.

>>> from faker import Faker
>>> from tcop_mock.faker_provider import TcopProvider
>>> fake = Faker()
>>> fake.add_provider(TcopProvider)
>>> fake.tcop_callback("cvm/*", state="resolved")["alarmStatus"]
'0'

Faker's own seed decides what comes, as ever:

>>> Faker.seed(7)
>>> first = fake.tcop_alarm()
>>> Faker.seed(7)
>>> fake.tcop_alarm() == first
True

factory_boy: ``factory.Faker.add_provider(TcopProvider)``, then ``factory.Faker("tcop_callback", shape="cvm/*")``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import comes
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.shape import Kind, Lang, Shape
from tcop_mock.errors import UnknownNameError, UsageError

try:
    from faker.providers import BaseProvider
except ModuleNotFoundError as missing:
    raise ImportError('tcop_mock.faker_provider needs Faker: pip install "tcop-mock[faker]"') from missing

if TYPE_CHECKING:
    from enum import StrEnum

    from tcop_mock.domain.alarm import Alarm, Callback

    Choice = TypeVar("Choice", bound=StrEnum)

_SERIALS = 1 << 32
_MACHINES = "cvm/basic-monitoring"


class TcopProvider(BaseProvider):
    """What TCOP posts and names.

    Where a ``shape`` is asked for it is an id (``cvm/basic-monitoring``), a glob (``cvm/*``) or a ``Shape`` of a
    catalogue of your own; by itself any shape that has what is asked for. All methods raise ``UnknownNameError``, with
    near misses, for a shape, state, form or language that is not there.
    """

    def tcop_alarm(self, shape: str | Shape | None = None) -> dict[str, Any]:
        """Return the body of a callback that an alarm fires with, as a tree of JSON values.

        >>> list(fake.tcop_alarm("mysql/instance")["alarmObjInfo"]["dimensions"])
        ['uInstanceId', 'objId', 'objName']
        """
        return self.tcop_callback(shape)

    def tcop_callback(
        self, shape: str | Shape | None = None, *, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> dict[str, Any]:
        """Return the body of a callback, as a tree of JSON values in wire order.

        Args:
            shape: as the class says.
            state: ``firing``, ``repeated`` or ``resolved``.
            form: ``documented``, ``observed``, ``eventbridge`` or ``cloudevents``.
            lang: ``en`` or ``zh``.

        Raises:
            UsageError: no such shape has this state in this form: events never repeat, not all recover.

        >>> fake.tcop_callback("cvm/events", form="cloudevents")
        Traceback (most recent call last):
        ...
        tcop_mock.errors.UsageError: cvm/events has no form cloudevents; it comes as documented, observed, eventbridge
        """
        return self._callback(shape, state, form, lang).to_wire()

    def tcop_body(
        self, shape: str | Shape | None = None, *, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> bytes:
        """Return the body of a callback as it is posted; arguments and errors are those of :meth:`tcop_callback`.

        >>> fake.tcop_body("cdn/domain")[:16]
        b'{"sessionId":"...'
        """
        return self._callback(shape, state, form, lang).body()

    def tcop_instance_id(self) -> str:
        """Return the id of a CVM instance.

        >>> fake.tcop_instance_id()
        'ins-...'
        """
        return str(self._alarm(_MACHINES).dimensions["unInstanceId"])

    def tcop_policy_id(self) -> str:
        """Return the id of an alarm policy.

        >>> fake.tcop_policy_id()
        'policy-...'
        """
        return self._alarm(_MACHINES).policy_id

    def tcop_region(self) -> str:
        """Return the short code of a region.

        >>> fake.tcop_region().isalpha()
        True
        """
        return self._alarm(_MACHINES).extras.region_code

    def tcop_app_id(self) -> int:
        """Return the id of an account as ``appId`` has it.

        >>> len(str(fake.tcop_app_id()))
        10
        """
        return self._alarm(_MACHINES).account.app_id

    def tcop_uin(self) -> str:
        """Return the id of an account as ``uin`` has it.

        >>> len(fake.tcop_uin())
        12
        """
        return self._alarm(_MACHINES).account.uin

    def tcop_session_id(self) -> str:
        """Return the id of one callback.

        >>> len(fake.tcop_session_id())
        24
        """
        return self._callback(_MACHINES).session_id

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
        return str(self.random_element([metric.name for metric in self._shape(shape, Kind.METRIC).metrics]))

    def tcop_event_name(self, shape: str | Shape | None = None) -> str:
        """Return the name of an event.

        >>> fake.tcop_event_name("cvm/basic-monitoring")
        Traceback (most recent call last):
        ...
        tcop_mock.errors.UsageError: cvm/basic-monitoring has no events
        """
        return str(self.random_element([event.name for event in self._shape(shape, Kind.EVENT).events]))

    def _callback(
        self, shape: str | Shape | None, state: str = "firing", form: str = "documented", lang: str = "en"
    ) -> Callback:
        told, written = _choice(State, state, "state"), _choice(Form, form, "form")
        found = _matching(shape)
        able = [one for one in found if len(found) == 1 or comes(one, {told}, written)]
        if not able:
            raise UsageError(f"no shape {shape or '*'!r} has callbacks {state}, {form}")
        generator = _generator(_choice(Lang, lang, "language"), written)
        alarm = generator.alarm(self.random_element(able), self._serial(), reaching=told)
        return generator.callback(alarm, told)

    def _alarm(self, shape: str) -> Alarm:
        return _generator(Lang.EN, Form.DOCUMENTED).alarm(self._shape(shape), self._serial())

    def _serial(self) -> int:
        """Draw which of the alarms it is; that, and no seed of the generator's, is what Faker's random decides."""
        serial: int = self.generator.random.randrange(_SERIALS)
        return serial

    def _shape(self, shape: str | Shape | None, kind: Kind | None = None) -> Shape:
        able = [one for one in _matching(shape) if kind in (None, one.kind)]
        if not able:
            raise UsageError(f"{shape.id if isinstance(shape, Shape) else shape} has no {kind}s")
        return self.random_element(able)


def _matching(shape: str | Shape | None) -> list[Shape]:
    return [shape] if isinstance(shape, Shape) else Catalog.load().match(shape or "*")


def _choice(choices: type[Choice], name: str, what: str) -> Choice:
    known = {choice.value: choice for choice in choices}
    if name not in known:
        raise UnknownNameError(what, name, known, listing=f"there are {', '.join(known)}")
    return known[name]


@lru_cache
def _generator(lang: Lang, form: Form) -> Generator:
    return Generator(0, lang, form=form)
