"""A shape: what one product's callbacks look like. Read from one file of ``payload_catalog/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


PLACEHOLDER = "xxx"

"""What the documentation prints for a value that it does not show."""


MARKER_CHARS = ("\ufdd0", "\ufdd1", "\ufdd2")

"""Stand for holes while a body is compiled. Unicode keeps these for internal use (23.7), so no text may hold them."""


class AlarmKind(StrEnum):
    """What an alarm is about; the wire's ``alarmType``."""

    METRIC = "metric"
    EVENT = "event"


class Lang(StrEnum):
    """Language of the account's notices; it decides display names and the text in ``objName``."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """A display text in both languages."""

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
    """The threshold as it stands on the wire."""
    low: float = 0.0
    """Least value that makes sense, in ``unit``."""
    high: float = 100.0
    """Greatest value that makes sense, in ``unit``."""
    decimals: int = 0
    """How many decimals a value may have, 0 to 3; 0 for what is counted."""
    namespace: str | None = None
    """Namespace on the wire where it is not the shape's own (CVM network metrics: ``qce/lb``)."""
    observed_show_name: LocalizedText | None = None
    """``metricShowName`` as captured callbacks print it, with its trailing blank; ``None`` where none was captured."""
    observed_unit: LocalizedText | None = None
    """``unit`` as captured callbacks print it; ``None`` where none was captured."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event that policies of a shape can alarm on."""

    name: str
    show_name: LocalizedText
    recoverable: bool
    """Whether a resolved callback follows."""
    source: str
    cloud_type: str | None = None
    """``type`` of its CloudEvent, where one is known."""


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
    """``policyTypeEname``, which no page documents: what captured callbacks with English notices print."""


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """How one value of a shape is drawn: a generator by name and its parameters."""

    generator: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """The documentation's example values, as printed."""

    dimensions: Mapping[str, Json]
    agrees: bool
    """Whether the shape could have drawn it; ``False`` means the page contradicts itself, as ``errata`` says."""
    errata: str = ""
    placeholder: bool = False
    """Whether values that are ``PLACEHOLDER`` stand for whatever there is."""


@dataclass(frozen=True, slots=True)
class ObservedFields:
    """What real callbacks carry beside what is documented."""

    dimensions: Mapping[str, Any] = field(default_factory=dict)
    """Templates of keys that stand beside the documented ones."""
    show_name_suffix: str = ""
    """Text that follows ``metricShowName``."""
    additional_msg: tuple[tuple[str, str], ...] = ()
    """``additionalMsg`` of event alarms: keys and templates, in order."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """What CloudEvents that EventBridge posts for a product hold beside the event; texts are templates."""

    source: str
    subject: str
    status: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Erratum:
    """A contradiction or a misprint of the documentation."""

    page: str
    problem: str
    here: str
    """What this catalogue does about it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One catalogue entry: one product's form of ``dimensions`` with its policy type, namespace, metrics or events."""

    id: str
    title: LocalizedText
    kind: AlarmKind
    namespace: str
    regional: bool
    """Whether ``alarmObjInfo.region`` is there (the page: not returned for products that are not region-specific)."""
    source: str
    assumed: tuple[str, ...]
    """Dotted paths of the entry's keys that no source prints."""
    policy: Policy
    values: Mapping[str, ValueSpec]
    dimensions: Mapping[str, Any]
    """Wire keys in wire order. A text is a template; ``{"value": "a.b"}`` is a value with its own JSON type."""
    dimensions_zh: Mapping[str, Any]
    """Templates that take the place of those in ``dimensions`` for accounts in Chinese."""
    metrics: tuple[Metric, ...] = ()
    events: tuple[Event, ...] = ()
    product: Product | None = None
    sample: Sample | None = None
    observed: ObservedFields = field(default_factory=ObservedFields)
    cloud_event: CloudEvent | None = None
    """``None`` for products whose event alarms are not known to come as CloudEvents."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other spellings of documented keys that some official page or capture prints."""
    errata: tuple[Erratum, ...] = ()
    """Contradictions of the documentation about this shape, beyond those of the sample."""
    file: str = field(default="", compare=False)
    """Where a user's own entry was read from; empty for a shipped one."""

    @property
    def location(self) -> str:
        """How an error names the entry."""
        return self.file or self.id

    @property
    def can_resolve(self) -> bool:
        """Whether any of its alarms can be resolved: every metric can, not every event."""
        return bool(self.metrics) or any(event.recoverable for event in self.events)

    @property
    def is_documented(self) -> bool:
        """Whether the documentation prints a sample of this shape."""
        return self.sample is not None


class Problem(NamedTuple):
    """One thing that is wrong."""

    key: str
    """Dotted path of the key in the file; empty where it is about all of it."""
    message: str
    fix: str = ""
    """What to write instead, where the problem does not say it."""
