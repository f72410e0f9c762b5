"""A shape: what one product's callbacks look like. Read from one file of ``payload_catalog/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Kind(StrEnum):
    """What an alarm is about; the wire's ``alarmType``."""

    METRIC = "metric"
    EVENT = "event"


class Lang(StrEnum):
    """Language of the account's notices; it decides display names and the text in ``objName``."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class Text:
    """A display text in both languages."""

    en: str
    zh: str

    def in_(self, lang: Lang) -> str:
        """Return the text in one language."""
        return self.zh if lang is Lang.ZH else self.en


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric that policies of a shape can alarm on."""

    name: str
    show_name: Text
    unit: Text
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


@dataclass(frozen=True, slots=True)
class Event:
    """One event that policies of a shape can alarm on."""

    name: str
    show_name: Text
    recoverable: bool
    """Whether a resolved callback follows."""
    source: str


@dataclass(frozen=True, slots=True)
class Product:
    """``productName`` and ``productShowName`` of event alarms."""

    name: str
    show_name: Text


@dataclass(frozen=True, slots=True)
class Policy:
    """Alarm policy type: ``policyType`` and its display name ``policyTypeCName``."""

    type: str
    name: Text


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


@dataclass(frozen=True, slots=True)
class Shape:
    """One catalogue entry: one product's form of ``dimensions`` with its policy type, namespace, metrics or events."""

    id: str
    title: Text
    kind: Kind
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

    @property
    def documented(self) -> bool:
        """Whether the documentation prints a sample of this shape."""
        return self.sample is not None
