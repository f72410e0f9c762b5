"""A shape: the format of one product's callbacks, read from one file of ``payload_catalog/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


PLACEHOLDER = "xxx"

"""Placeholder that the documentation prints instead of a value."""


MARKER_CHARS = ("\ufdd0", "\ufdd1", "\ufdd2")

"""Characters that mark values while a body is compiled. Unicode reserves them for internal use (23.7), so no text may
contain them."""


class AlarmKind(StrEnum):
    """Kind of an alarm; the wire's ``alarmType``, which callbacks of CLS do not have."""

    METRIC = "metric"
    EVENT = "event"
    PROMETHEUS = "prometheus"
    """Alarm of Managed Service for Prometheus: labels in ``alarmObjInfo.tags``, no dimensions, no conditions."""
    CLS = "cls"
    """Alarm of Cloud Log Service, which sends callbacks of its own."""


class Lang(StrEnum):
    """Language of the account. It decides display names and the text in ``objName``."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """Display text in both languages."""

    en: str
    zh: str

    def for_language(self, lang: Lang) -> str:
        """Return the text in one language."""
        return self.zh if lang is Lang.ZH else self.en


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric that policies of a shape can alarm on."""

    name: str
    show_name: LocalizedText
    unit: LocalizedText
    source: str
    calc_type: str | None = None
    """Comparison of the current value with the threshold; ``None`` for a metric without a threshold."""
    calc_value: str | None = None
    """The threshold in wire format."""
    low: float = 0.0
    """Smallest plausible value, in ``unit``."""
    high: float = 100.0
    """Largest plausible value, in ``unit``."""
    decimals: int = 0
    """Maximum number of decimals of a value, 0 to 3; 0 for counts."""
    namespace: str | None = None
    """Wire namespace if it differs from the shape's (CVM network metrics: ``qce/lb``)."""
    observed_show_name: LocalizedText | None = None
    """``metricShowName`` as captured callbacks print it, with its trailing blank; ``None`` if never captured."""
    observed_unit: LocalizedText | None = None
    """``unit`` as captured callbacks print it; ``None`` if never captured."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event that policies of a shape can alarm on."""

    name: str
    show_name: LocalizedText
    recoverable: bool
    """Whether a resolved callback follows."""
    source: str
    cloud_type: str | None = None
    """``type`` of its CloudEvent; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Product:
    """``productName`` and ``productShowName`` of event alarms."""

    name: str
    show_name: LocalizedText


@dataclass(frozen=True, slots=True)
class Policy:
    """Alarm policy type: ``policyType`` and its display name ``policyTypeCName``."""

    type: str
    name: LocalizedText
    ename: str | None = None
    """``policyTypeEname``, which is undocumented: captured callbacks of English accounts contain it."""


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """Generator of one value of a shape, with its parameters."""

    generator: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """The documentation's example values, as printed."""

    dimensions: Mapping[str, Json]
    agrees: bool
    """Whether the shape could generate it; ``False`` means the page contradicts itself, as ``errata`` explains."""
    errata: str = ""
    placeholder: bool = False
    """Whether values equal to ``PLACEHOLDER`` match anything."""


@dataclass(frozen=True, slots=True)
class ObservedFields:
    """Fields of captured callbacks in addition to the documented ones."""

    dimensions: Mapping[str, Any] = field(default_factory=dict)
    """Templates of dimension keys in addition to the documented ones."""
    show_name_suffix: str = ""
    """Suffix of ``metricShowName``."""
    additional_msg: tuple[tuple[str, str], ...] = ()
    """``additionalMsg`` of event alarms: keys and templates, in order."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """Fields of the CloudEvents that EventBridge posts for a product; texts are templates."""

    source: str
    subject: str
    status: str
    """Empty if it is that of the alarm: 1 or 0."""
    data: Mapping[str, Any]
    resource: str = ""
    """The one item of ``resource`` in a standard event of EventBridge; empty in the events of Anti-DDoS."""


@dataclass(frozen=True, slots=True)
class Erratum:
    """A contradiction or misprint in the documentation."""

    page: str
    problem: str
    here: str
    """How this catalogue resolves it."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One catalogue entry: a product's form of ``dimensions`` with its policy type, namespace, metrics or events.

    Compared by identity, so that derived objects can be cached.
    """

    id: str
    title: LocalizedText
    kind: AlarmKind
    namespace: str
    regional: bool
    """Whether ``alarmObjInfo.region`` is present (documented: absent for products that are not region-specific)."""
    source: str
    assumed: tuple[str, ...]
    """Dotted paths of the entry's keys that are not taken from a source."""
    policy: Policy
    values: Mapping[str, ValueSpec]
    dimensions: Mapping[str, Any]
    """Wire keys in wire order. A string is a template; ``{"value": "a.b"}`` is a value with its own JSON type."""
    dimensions_zh: Mapping[str, Any]
    """Templates that replace those in ``dimensions`` for Chinese accounts."""
    metrics: tuple[Metric, ...] = ()
    events: tuple[Event, ...] = ()
    product: Product | None = None
    sample: Sample | None = None
    observed: ObservedFields = field(default_factory=ObservedFields)
    cloud_event: CloudEvent | None = None
    """``None`` if the product's event alarms are not known to come as CloudEvents."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other spellings of documented keys in official pages or captures."""
    optional: tuple[str, ...] = ()
    """Keys of ``dimensions`` that some page or capture lacks."""
    retired: str = ""
    """Month from which TCOP has no such policies any more, like ``2022-09``; empty if it has them."""
    unpublished: str = ""
    """Why it is not a published alarm callback of TCOP; empty if it is. See :func:`without_unpublished`."""
    in_object_info: bool = False
    """Whether the keys of ``dimensions`` stand in ``alarmObjInfo`` itself (APM, RUM)."""
    alert_texts: Mapping[str, str] = field(default_factory=dict)
    """Templates of the texts in ``alarmObjInfo`` of an alarm of Prometheus, in wire order."""
    errata: tuple[Erratum, ...] = ()
    """Contradictions in the documentation of this shape, other than those of the sample."""
    file: str = ""
    """File of a user's own entry; empty for a shipped one."""

    @property
    def location(self) -> str:
        """Name of the entry in error messages."""
        return self.file or self.id

    @property
    def can_resolve(self) -> bool:
        """Whether any of its alarms can be resolved. Some events cannot, and callbacks of CLS do not say so."""
        if self.kind is AlarmKind.EVENT:
            return any(event.recoverable for event in self.events)
        return self.kind is not AlarmKind.CLS

    @property
    def is_documented(self) -> bool:
        """Whether the documentation prints a sample of this shape."""
        return self.sample is not None


def without_unpublished(shapes: Iterable[Shape]) -> list[Shape]:
    """Return the shapes of TCOP's published alarm callbacks; all shapes if there is none of these."""
    shapes = list(shapes)
    return [shape for shape in shapes if not shape.unpublished] or shapes


class Problem(NamedTuple):
    """One problem of an entry."""

    key: str
    """Dotted path of the key in the file; empty for the whole file."""
    message: str
    fix: str = ""
    """What to write instead, unless the message already says it."""
