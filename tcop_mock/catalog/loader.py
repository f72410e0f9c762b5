"""The catalogue: all shapes by id. One TOML file is one shape; its path is the id."""

from __future__ import annotations

import fnmatch
from decimal import Decimal
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import data_root, iter_files, read_entry
from tcop_mock.domain.shape import (
    AlarmKind,
    CloudEvent,
    Erratum,
    Event,
    LocalizedText,
    Metric,
    ObservedFields,
    Policy,
    Problem,
    Product,
    Sample,
    Shape,
    ValueSpec,
)
from tcop_mock.errors import EntryError, UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

SCHEMA = "catalog-entry"
_GLOB_CHARS = frozenset("*?[")
_LISTING = "`tcop-mock list` shows all shapes"


class Catalog:
    """All shapes by id, in the order of their ids. A shipped shape is read when it is first needed."""

    def __init__(self, shapes: Iterable[Shape], shipped: Iterable[str] = ()) -> None:
        """Hold shapes, and the ids of shipped shapes; a shape replaces a shipped one with the same id."""
        known: dict[str, Shape | None] = dict.fromkeys(shipped)
        known.update((shape.id, shape) for shape in shapes)
        self._shapes = {shape_id: known[shape_id] for shape_id in sorted(known)}

    @classmethod
    def load(cls, *folders: str | Path) -> Catalog:
        """Return the shipped shapes and those of the user's folders. An entry replaces an earlier one with the same id.

        Raises:
            UsageError: a folder does not exist.
            EntryError: an entry is invalid; names file, key and problem.
        """
        shapes: dict[str, Shape] = {}
        for folder in map(Path, folders):
            if not folder.is_dir():
                raise UsageError(f"catalogue folder {str(folder)!r} does not exist; name a folder of TOML entries")
            shapes.update(_read_folder(folder))
        return cls(shapes.values(), _shipped_files())

    def __iter__(self) -> Iterator[Shape]:
        return map(self.get, self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def get(self, shape_id: str) -> Shape:
        """Return one shape.

        Raises:
            UnknownNameError: there is no shape with that id; suggests similar ones.
        """
        if shape_id not in self._shapes:
            raise UnknownNameError("shape", shape_id, self._shapes, listing=_LISTING)
        return self._shapes[shape_id] or _read_shipped(shape_id)

    def match(self, pattern: str) -> list[Shape]:
        """Return the shapes whose id matches a glob (``cvm/*``). A pattern without wildcards is an id.

        Raises:
            UnknownNameError: no id matches.
        """
        if not _GLOB_CHARS.intersection(pattern):
            return [self.get(pattern)]
        names = [name for name in self._shapes if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            raise UnknownNameError("shape", pattern, self._shapes, listing=_LISTING)
        return list(map(self.get, names))


@cache
def _shipped_files() -> dict[str, Traversable]:
    return dict(iter_files(data_root("payload_catalog"), ".toml"))


@cache
def _read_shipped(shape_id: str) -> Shape:
    """Read a shipped entry, once per process, because it does not change."""
    return parse_shape(shape_id, read_entry(_shipped_files()[shape_id], SCHEMA, check=False))


def _read_folder(folder: Path) -> Iterator[tuple[str, Shape]]:
    for shape_id, file in iter_files(folder, ".toml"):
        shape = parse_shape(shape_id, read_entry(file, SCHEMA, check=True), str(file))
        for problem in contradictions(shape):
            raise EntryError(str(file), problem.key, problem.message)
        yield shape_id, shape


def contradictions(shape: Shape) -> Iterator[Problem]:
    """Yield problems of an entry that a JSON Schema cannot express."""
    yield from _misplaced_keys(shape)
    for name, spec in shape.values.items():
        problem = undrawable(spec)
        if problem:
            yield Problem(f"values.{name}", problem)
    for index, event in enumerate(shape.events):
        if shape.cloud_event and not event.cloud_type:
            yield Problem(f"events.{index}", "'cloudEventType' is missing; with [cloudevent] each event needs one")
    for index, metric in enumerate(shape.metrics):
        problem = _unreachable_threshold(metric)
        if problem:
            yield Problem(f"metrics.{index}.calcValue", problem, _RANGE_ADVICE)


def _misplaced_keys(shape: Shape) -> Iterator[Problem]:
    for table, keys in (
        ("dimensions_zh", shape.dimensions_zh),
        ("aliases", shape.aliases),
        ("optional", shape.optional),
    ):
        for key in keys:
            if key not in shape.dimensions:
                suggestion = did_you_mean(key, shape.dimensions)
                yield Problem(
                    table,
                    f"{key!r} is not a key of [dimensions]" + (f"; did you mean {suggestion}?" if suggestion else ""),
                )
    for key in shape.observed.dimensions:
        if key in shape.dimensions:
            problem = f"{key!r} is already a key of [dimensions]; list only additional keys here"
            yield Problem("observed.dimensions", problem)


_RANGE_ADVICE = "firing values lie beyond the threshold and resolved ones within it; widen the range to both sides"


def undrawable(spec: ValueSpec) -> str:
    """Return why no value can be generated, or an empty string."""
    if spec.generator == "integer" and spec.params["low"] > spec.params["high"]:
        return "low is greater than high"
    if spec.generator == "ipv4":
        try:
            IPv4Network(spec.params["network"])
        except ValueError as problem:
            return f"network {problem}"
    return ""


def _unreachable_threshold(metric: Metric) -> str:
    """Return why the range lacks values on one side of the threshold, or an empty string."""
    if metric.calc_value is None:
        return ""
    step = Decimal(1).scaleb(-metric.decimals)
    threshold, low, high = Decimal(metric.calc_value), Decimal(str(metric.low)), Decimal(str(metric.high))
    if threshold % step:
        return f"{threshold} has more decimals than the metric's values ({metric.decimals})"
    least = low + step if metric.calc_type in {"<", ">="} else low
    greatest = high - step if metric.calc_type in {">", "<="} else high
    if least <= threshold <= greatest and low < high:
        return ""
    return f"range [{low}, {high}] has values on one side of {metric.calc_type} {threshold} only"


def parse_shape(shape_id: str, table: dict[str, Any], file: str = "") -> Shape:
    """Convert the table of a valid entry to a shape; error messages about the shape name ``file``."""
    observed = _parse_observed(table.get("observed", {}))
    return Shape(
        id=shape_id,
        title=_parse_text(table, "title"),
        kind=AlarmKind(table["kind"]),
        namespace=table.get("namespace", ""),
        regional=table.get("regional", False),
        source=table["source"],
        assumed=tuple(table.get("assumed", ())),
        policy=_parse_policy(table["policy"]) if "policy" in table else Policy("", _parse_text(table, "title")),
        values={name: _parse_value_spec(spec) for name, spec in table.get("values", {}).items()},
        dimensions=table["dimensions"],
        dimensions_zh=table.get("dimensions_zh", {}),
        metrics=tuple(_parse_metric(row, observed.show_name_suffix) for row in table.get("metrics", ())),
        events=tuple(map(_parse_event, table.get("events", ()))),
        product=_parse_product(table["product"]) if "product" in table else None,
        sample=_parse_sample(table["sample"]) if "sample" in table else None,
        observed=observed,
        cloud_event=_parse_cloud_event(table["cloudevent"]) if "cloudevent" in table else None,
        aliases={key: tuple(others) for key, others in table.get("aliases", {}).items()},
        optional=tuple(table.get("optional", ())),
        retired=table.get("retired", ""),
        extra=table.get("extra", ""),
        in_object_info=table.get("in_object_info", False),
        alert_texts=table.get("alert", {}),
        errata=tuple(Erratum(row["page"], row["problem"], row["here"]) for row in table.get("errata", ())),
        file=file,
    )


def _parse_text(table: dict[str, Any], key: str) -> LocalizedText:
    return LocalizedText(table[key], table.get(f"{key}_zh", table[key]))


def _parse_policy(table: dict[str, Any]) -> Policy:
    return Policy(table["type"], _parse_text(table, "name"), table.get("ename"))


def _parse_value_spec(spec: dict[str, Any]) -> ValueSpec:
    return ValueSpec(spec["generator"], {key: value for key, value in spec.items() if key != "generator"})


def _parse_metric(table: dict[str, Any], suffix: str) -> Metric:
    low, high = table.get("range", (0.0, 0.0))
    show_name, unit = _parse_text(table, "metricShowName"), _parse_text(table, "unit")
    return Metric(
        name=table["metricName"],
        show_name=show_name,
        unit=unit,
        source=table["source"],
        calc_type=table.get("calcType"),
        calc_value=table.get("calcValue"),
        low=low,
        high=high,
        decimals=table.get("decimals", 0),
        namespace=table.get("namespace"),
        observed_show_name=_parse_observed_text(
            table, "observedShowName", LocalizedText(f"{show_name.en}{suffix}", f"{show_name.zh}{suffix}")
        ),
        observed_unit=_parse_observed_text(table, "observedUnit", unit),
    )


def _parse_observed_text(table: dict[str, Any], key: str, fallback: LocalizedText) -> LocalizedText | None:
    """Return the captured text; for a language without a capture, the text it would have."""
    if key not in table and f"{key}_zh" not in table:
        return None
    return LocalizedText(table.get(key, fallback.en), table.get(f"{key}_zh", fallback.zh))


def _parse_observed(table: dict[str, Any]) -> ObservedFields:
    return ObservedFields(
        dimensions=table.get("dimensions", {}),
        show_name_suffix=table.get("showNameSuffix", ""),
        additional_msg=tuple((row["key"], row["value"]) for row in table.get("additionalMsg", ())),
    )


def _parse_sample(table: dict[str, Any]) -> Sample:
    return Sample(table["dimensions"], table["agrees"], table.get("errata", ""), table.get("placeholder", False))


def _parse_event(table: dict[str, Any]) -> Event:
    return Event(
        name=table["eventName"],
        show_name=_parse_text(table, "eventShowName"),
        recoverable=table["recoverable"],
        source=table["source"],
        cloud_type=table.get("cloudEventType"),
    )


def _parse_cloud_event(table: dict[str, Any]) -> CloudEvent:
    status, resource = table.get("status", ""), table.get("resource", "")
    return CloudEvent(table["source"], table["subject"], status, table["data"], resource)


def _parse_product(table: dict[str, Any]) -> Product:
    return Product(table["productName"], _parse_text(table, "productShowName"))
