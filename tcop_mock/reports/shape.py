"""One shape in full: as lines for people, as a document for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.lint import Severity
from tcop_mock.callbacks.sampling import forms
from tcop_mock.reports.console import WIDTH
from tcop_mock.reports.json import VERSION, shapes_document
from tcop_mock.reports.text import columns, counted, escaped, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tcop_mock.callbacks.lint import LintReport, Remark
    from tcop_mock.domain.shape import Event, Metric, Shape, Text


_LABEL = 16

"""Columns of what stands before a fact."""

_NAME, _LIMIT = 27, 16

_BELOW = " " * 6


def shape_document(shape: Shape, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``show --json`` prints: a row of ``list --json`` with metrics and events in full, and an example."""
    [row] = shapes_document([shape])["shapes"]
    metrics = [_metric_document(metric, shape) for metric in shape.metrics]
    events = [_event_document(event) for event in shape.events]
    return {"version": VERSION, "shape": {**row, "metrics": metrics, "events": events}, "example": example}


def _metric_document(metric: Metric, shape: Shape) -> dict[str, Any]:
    return {
        "metricName": metric.name,
        "metricShowName": metric.show_name.en,
        "metricShowName_zh": metric.show_name.zh,
        "unit": metric.unit.en,
        "calcType": metric.calc_type,
        "calcValue": metric.calc_value,
        "range": [metric.low, metric.high] if metric.calc_type else None,
        "decimals": metric.decimals,
        "namespace": metric.namespace or shape.namespace,
        "observedShowName": _both(metric.observed_show_name),
        "observedUnit": _both(metric.observed_unit),
        "source": metric.source,
    }


def _event_document(event: Event) -> dict[str, Any]:
    return {
        "eventName": event.name,
        "eventShowName": event.show_name.en,
        "eventShowName_zh": event.show_name.zh,
        "recoverable": event.recoverable,
        "cloudEventType": event.cloud_type,
        "source": event.source,
    }


def _both(text: Text | None) -> dict[str, str] | None:
    return {"en": text.en, "zh": text.zh} if text else None


def shape_lines(shape: Shape, example: Mapping[str, Any]) -> Iterator[str]:
    """Yield all that is known of a shape, in 80 columns but for JSON and for words that are longer.

    Args:
        shape: any.
        example: one of its callbacks in the documented form.
    """
    for line in _lines(shape, example):
        yield escaped(line)


def _lines(shape: Shape, example: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(f"{shape.id}: {shape.title.en} ({shape.title.zh})", WIDTH, hanging="  ")
    yield from _fact("kind", shape.kind)
    yield from _fact("policy type", f"{shape.policy.type} ({shape.policy.name.en})")
    yield from _fact("namespace", shape.namespace)
    yield from _fact("region", "sent" if shape.regional else "not sent")
    yield from _fact("forms", ", ".join(forms(shape)))
    yield from _fact("source", shape.source)
    yield "dimensions, as one alarm has them"
    yield from _json(example["alarmObjInfo"]["dimensions"])
    for section in (_aliases, _observed, _cloud_events, _metrics, _events, _sample, _errata, _assumed):
        yield from section(shape)


def _aliases(shape: Shape) -> Iterator[str]:
    if shape.aliases:
        yield "aliases, other spellings that some page or capture prints"
    for key, others in shape.aliases.items():
        yield from _fact(key, ", ".join(others))


def _observed(shape: Shape) -> Iterator[str]:
    seen = shape.observed
    if seen.dimensions:
        yield "observed dimensions, beside the documented ones"
        yield from _json(seen.dimensions)
    if seen.additional_msg:
        yield "observed additionalMsg"
    for key, value in seen.additional_msg:
        yield from _fact(key, value)
    captured = [metric for metric in shape.metrics if metric.observed_show_name or metric.observed_unit]
    if captured or seen.show_name_suffix:
        yield "observed texts, blanks included"
    if seen.show_name_suffix:
        yield from _row("any metric", "", f"metricShowName ends with {seen.show_name_suffix!r}")
    for metric in captured:
        name, unit = metric.observed_show_name, metric.observed_unit
        told = [f"{text.en!r} ({text.zh!r})" for text in (name, unit) if text]
        yield from _row(metric.name, "", ", unit ".join(told) if name else f"unit {told[0]}")


def _cloud_events(shape: Shape) -> Iterator[str]:
    cloud = shape.cloud_event
    if cloud:
        yield "CloudEvents, as EventBridge posts them"
        yield from _json(
            {"source": cloud.source, "subject": cloud.subject, "status": cloud.status, "data": dict(cloud.data)}
        )


def _metrics(shape: Shape) -> Iterator[str]:
    if shape.metrics:
        yield f"metrics ({len(shape.metrics)})"
    for at, metric in enumerate(shape.metrics):
        limit = f"{metric.calc_type} {metric.calc_value} {metric.unit.en}" if metric.calc_type else "no threshold"
        yield from _row(metric.name, limit.rstrip(), metric.show_name.en, _assumed_of(shape, f"metrics.{at}."))


def _events(shape: Shape) -> Iterator[str]:
    if shape.events:
        yield f"events ({len(shape.events)})"
    for at, event in enumerate(shape.events):
        recovers = "recovers" if event.recoverable else "no recovery"
        yield from _row(event.name, recovers, event.show_name.en, _assumed_of(shape, f"events.{at}."))


def _sample(shape: Shape) -> Iterator[str]:
    sample = shape.sample
    if sample is None:
        yield "no page prints a sample"
        return
    yield "sample, as its source above prints it"
    yield from _json(sample.dimensions)
    yield from _fact("agrees", "yes: it could have been drawn" if sample.agrees else "no: it could not have been drawn")
    if sample.errata:
        yield from _fact("errata", sample.errata)


def _errata(shape: Shape) -> Iterator[str]:
    if shape.errata:
        yield "errata, what the documentation contradicts or misprints"
    for erratum in shape.errata:
        yield from _fact("page", erratum.page)
        yield from _fact("problem", erratum.problem)
        yield from _fact("here", erratum.here)


def _assumed(shape: Shape) -> Iterator[str]:
    others = [path for path in shape.assumed if not path.startswith(("metrics.", "events."))]
    if others:
        yield "assumed, what no source prints"
        yield from wrap(", ".join(others), WIDTH, "  ")


def _assumed_of(shape: Shape, prefix: str) -> str:
    keys = [path.removeprefix(prefix) for path in shape.assumed if path.startswith(prefix)]
    return f"(assumed: {', '.join(keys)})" if keys else ""


def _fact(label: str, text: str) -> Iterable[str]:
    head = f"  {label}".ljust(_LABEL - 1) + " "
    return wrap(text, WIDTH, head, " " * _LABEL)


def _row(name: str, limit: str, text: str, note: str = "") -> list[str]:
    """Return a row of a table in one line; what does not fit there stands below."""
    head = f"  {name:<{_NAME}} " + (f"{limit:<{_LIMIT}} " if limit else "")
    fits = columns(f"{head}{text}") <= WIDTH
    first = [f"{head}{text}"] if fits else [head.rstrip(), *wrap(text, WIDTH, _BELOW)]
    if note and columns(f"{first[-1]} {note}") <= WIDTH:
        return [*first[:-1], f"{first[-1]} {note}"]
    return [*first, *(wrap(note, WIDTH, _BELOW) if note else ())]


def _json(tree: Mapping[str, Any]) -> Iterator[str]:
    for line in json.dumps(dict(tree), ensure_ascii=False, indent=2).splitlines():
        yield f"  {line}"


def lint_document(report: LintReport) -> dict[str, Any]:
    """Return what ``list --lint --json`` prints."""
    return {
        "version": VERSION,
        "entries": report.entries,
        "findings": [_finding(remark) for remark in report.remarks],
        "summary": {"errors": report.count(Severity.ERROR), "warnings": report.count(Severity.WARNING)},
    }


def lint_lines(report: LintReport) -> Iterator[str]:
    """Yield a line for each problem, as compilers write it, and one for its remedy where the problem has none."""
    for remark in report.remarks:
        key, problem, fix = remark.problem
        yield escaped(f"{remark.file}: {remark.severity}: {f'{key}: ' if key else ''}{problem}")
        if fix:
            yield escaped(f"  fix: {fix}")


def lint_summary(report: LintReport) -> str:
    """Return the line that counts."""
    errors, warnings = (counted(report.count(severity), severity.value) for severity in Severity)
    entries = "1 entry" if report.entries == 1 else f"{report.entries} entries"
    return f"{errors} and {warnings} in {entries}"


def _finding(remark: Remark) -> dict[str, Any]:
    return {
        "file": remark.file,
        "shape": remark.shape_id,
        "severity": remark.severity.value,
        "key": remark.problem.key,
        "problem": remark.problem.problem,
        "fix": remark.problem.fix,
    }
