"""Reports of ``show``, ``lint`` and ``learn``: a shape, the findings about entries, and the TOML text of an entry."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.lint import Severity
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.shape import AlarmKind
from tcop_mock.reports.json import VERSION, shapes_document
from tcop_mock.reports.text import WIDTH, display_width, escape_unsafe, pluralize, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tcop_mock.callbacks.lint import LintFinding, LintReport
    from tcop_mock.domain.shape import Event, LocalizedText, Metric, Shape

_LABEL_WIDTH = 16
"""Columns of the label of a fact."""

_NAME_WIDTH, _THRESHOLD_WIDTH = 27, 16

_EXAMPLE_TITLES = {AlarmKind.PROMETHEUS: "tags of alarmObjInfo", AlarmKind.CLS: "body"}

_AS_ONE_ALARM = ", as one alarm has them"

_WRAPPED_INDENT = " " * 6
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_LINE = 120


def shape_document(shape: Shape, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of ``show --json``: the row of ``list --json`` with all details, and an example."""
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
        "observedShowName": _bilingual(metric.observed_show_name),
        "observedUnit": _bilingual(metric.observed_unit),
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


def _bilingual(text: LocalizedText | None) -> dict[str, str] | None:
    return {"en": text.en, "zh": text.zh} if text else None


def shape_lines(shape: Shape, example: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything about a shape, in 80 columns except for JSON and long words.

    Args:
        shape: catalogue entry.
        example: callback of the shape in the documented form.
    """
    for line in _lines(shape, example):
        yield escape_unsafe(line)


def _lines(shape: Shape, example: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(f"{shape.id}: {shape.title.en} ({shape.title.zh})", WIDTH, hanging="  ")
    yield from _labelled_lines("kind", shape.kind)
    if shape.policy.type:
        yield from _labelled_lines("policy type", f"{shape.policy.type} ({shape.policy.name.en})")
    yield from _labelled_lines("namespace", shape.namespace or "not sent")
    yield from _labelled_lines("region", "sent" if shape.regional else "not sent")
    yield from _labelled_lines("forms", ", ".join(forms_of(shape)))
    if shape.retired:
        yield from _labelled_lines("retired", f"{shape.retired}: TCOP has no such policies any more")
    if shape.unpublished:
        yield from _labelled_lines("unpublished", f"{shape.unpublished}; * and other globs leave it out")
    yield from _labelled_lines("source", shape.source)
    yield (
        _EXAMPLE_TITLES.get(shape.kind, "keys of alarmObjInfo" if shape.in_object_info else "dimensions")
        + _AS_ONE_ALARM
    )
    yield from _json(CallbackView(example).object_keys or example)
    for section in (_aliases, _optional, _observed, _cloud_events, _metrics, _events, _sample, _errata, _assumed):
        yield from section(shape)


def _aliases(shape: Shape) -> Iterator[str]:
    if shape.aliases:
        yield "aliases: other spellings in pages or captures"
    for key, others in shape.aliases.items():
        yield from _labelled_lines(key, ", ".join(others))


def _optional(shape: Shape) -> Iterator[str]:
    if shape.optional:
        yield from _labelled_lines("optional", f"{', '.join(shape.optional)}: some page or capture has no such key")


def _observed(shape: Shape) -> Iterator[str]:
    observed = shape.observed
    if observed.dimensions:
        yield "observed dimensions, in addition to the documented ones"
        yield from _json(observed.dimensions)
    if observed.additional_msg:
        yield "observed additionalMsg"
    for key, value in observed.additional_msg:
        yield from _labelled_lines(key, value)
    observed_metrics = [metric for metric in shape.metrics if metric.observed_show_name or metric.observed_unit]
    if observed_metrics or observed.show_name_suffix:
        yield "observed texts, blanks included"
    if observed.show_name_suffix:
        yield from _table_row("any metric", "", f"metricShowName ends with {observed.show_name_suffix!r}")
    for metric in observed_metrics:
        name, unit = metric.observed_show_name, metric.observed_unit
        texts = [f"{text.en!r} ({text.zh!r})" for text in (name, unit) if text]
        yield from _table_row(metric.name, "", ", unit ".join(texts) if name else f"unit {texts[0]}")


def _cloud_events(shape: Shape) -> Iterator[str]:
    cloud = shape.cloud_event
    if cloud:
        yield "CloudEvents, as EventBridge posts them"
        yield from _json({key: value for key, value in asdict(cloud).items() if value})


def _metrics(shape: Shape) -> Iterator[str]:
    if shape.metrics:
        yield f"metrics ({len(shape.metrics)})"
    for index, metric in enumerate(shape.metrics):
        threshold = f"{metric.calc_type} {metric.calc_value} {metric.unit.en}" if metric.calc_type else "no threshold"
        yield from _table_row(
            metric.name, threshold.rstrip(), metric.show_name.en, _assumed_of(shape, f"metrics.{index}.")
        )


def _events(shape: Shape) -> Iterator[str]:
    if shape.events:
        yield f"events ({len(shape.events)})"
    for index, event in enumerate(shape.events):
        recovery_text = "recovers" if event.recoverable else "no recovery"
        yield from _table_row(event.name, recovery_text, event.show_name.en, _assumed_of(shape, f"events.{index}."))


def _sample(shape: Shape) -> Iterator[str]:
    sample = shape.sample
    if sample is None:
        yield "no page prints a sample"
        return
    yield "sample, as its source above prints it"
    yield from _json(sample.dimensions)
    yield from _labelled_lines(
        "agrees", "yes: the generator could produce it" if sample.agrees else "no: the generator could not produce it"
    )
    if sample.errata:
        yield from _labelled_lines("errata", sample.errata)


def _errata(shape: Shape) -> Iterator[str]:
    if shape.errata:
        yield "errata: contradictions and misprints of the documentation"
    for erratum in shape.errata:
        yield from _labelled_lines("page", erratum.page)
        yield from _labelled_lines("problem", erratum.problem)
        yield from _labelled_lines("here", erratum.here)


def _assumed(shape: Shape) -> Iterator[str]:
    other_paths = [path for path in shape.assumed if not path.startswith(("metrics.", "events."))]
    if other_paths:
        yield "assumed: not in any source"
        yield from wrap(", ".join(other_paths), WIDTH, "  ")


def _assumed_of(shape: Shape, prefix: str) -> str:
    keys = [path.removeprefix(prefix) for path in shape.assumed if path.startswith(prefix)]
    return f"(assumed: {', '.join(keys)})" if keys else ""


def _labelled_lines(label: str, text: str) -> Iterable[str]:
    prefix = f"  {label}".ljust(_LABEL_WIDTH - 1) + " "
    return wrap(text, WIDTH, prefix, " " * _LABEL_WIDTH)


def _table_row(name: str, threshold: str, text: str, note: str = "") -> list[str]:
    """Return a table row in one line; a long text follows in separate lines."""
    prefix = f"  {name:<{_NAME_WIDTH}} " + (f"{threshold:<{_THRESHOLD_WIDTH}} " if threshold else "")
    fits = display_width(f"{prefix}{text}") <= WIDTH
    lines = [f"{prefix}{text}"] if fits else [prefix.rstrip(), *wrap(text, WIDTH, _WRAPPED_INDENT)]
    if note and display_width(f"{lines[-1]} {note}") <= WIDTH:
        return [*lines[:-1], f"{lines[-1]} {note}"]
    return [*lines, *(wrap(note, WIDTH, _WRAPPED_INDENT) if note else ())]


def _json(tree: Mapping[str, Any]) -> Iterator[str]:
    for line in json.dumps(dict(tree), ensure_ascii=False, indent=2).splitlines():
        yield f"  {line}"


def lint_document(report: LintReport) -> dict[str, Any]:
    """Return the document of ``list --lint --json``."""
    return {
        "version": VERSION,
        "entries": report.entry_count,
        "findings": [_lint_finding_document(finding) for finding in report.findings],
        "summary": {"errors": report.count(Severity.ERROR), "warnings": report.count(Severity.WARNING)},
    }


def lint_lines(report: LintReport) -> Iterator[str]:
    """Yield a line per problem, in the format of compilers, and a line with the fix if there is one."""
    for finding in report.findings:
        key, problem, fix = finding.problem
        yield escape_unsafe(f"{finding.file}: {finding.severity}: {f'{key}: ' if key else ''}{problem}")
        if fix:
            yield escape_unsafe(f"  fix: {fix}")


def lint_summary(report: LintReport) -> str:
    """Return the line with the counts."""
    errors, warnings = (pluralize(report.count(severity), severity.value) for severity in Severity)
    entries = "1 entry" if report.entry_count == 1 else f"{report.entry_count} entries"
    return f"{errors} and {warnings} in {entries}"


def _lint_finding_document(finding: LintFinding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "shape": finding.shape_id,
        "severity": finding.severity.value,
        "key": finding.problem.key,
        "problem": finding.problem.message,
        "fix": finding.problem.fix,
    }


def entry_toml(table: Mapping[str, Any]) -> str:
    """Return the text of an entry's file, in the order of the table."""
    return "\n".join(_toml_lines(table)) + "\n"


def _toml_lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, dict) and not _is_list_of_tables(value):
            yield _assignment(key, value)
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield f"\n[{_key(key)}]"
            yield from (_assignment(name, child) for name, child in value.items())
        elif _is_list_of_tables(value):
            for row in value:
                yield f"\n[[{_key(key)}]]"
                yield from (_assignment(name, child) for name, child in row.items())


def _is_list_of_tables(value: Any) -> bool:  # noqa: ANN401 - a TOML value
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _assignment(key: str, value: Any) -> str:  # noqa: ANN401 - a TOML value
    line = f"{_key(key)} = {_value(value)}"
    if isinstance(value, list) and len(line) > _MAX_LINE:
        items = "\n".join(f"  {_value(item)}," for item in value)
        return f"{_key(key)} = [\n{items}\n]"
    return line


def _value(value: Any) -> str:  # noqa: ANN401 - a TOML value
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(name)} = {_value(child)}' for name, child in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """Return a TOML string: as JSON has it, and without the one control character that JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
