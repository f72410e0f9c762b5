"""``tcop-mock list`` and ``tcop-mock show``: what is in the catalogue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.cli.options import with_common
from tcop_mock.contract.schemas import accept_schema, emit_schema
from tcop_mock.generate import Generator
from tcop_mock.lint import Severity
from tcop_mock.model.alarm import State
from tcop_mock.report.document import shapes_document
from tcop_mock.report.lint import lint_document, lint_lines, lint_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import Common
    from tcop_mock.model.shape import Shape


@with_common
def list_shapes(glob: str, *, only_lint: bool, common: Common) -> int:
    """List the shapes whose id matches GLOB (all, where none is given), or what is wrong with the user's own."""
    if only_lint:
        return _lint(glob, common)
    shapes = common.catalog().match(glob)
    if common.as_json:
        _print_json(shapes_document(shapes))
        return 0
    width = max(len(shape.id) for shape in shapes)
    for shape in shapes:
        mark = " " if shape.documented else "?"
        click.echo(f"{shape.id:<{width}} {mark} {shape.kind:<6}  {shape.title.en}")
    unsampled = sum(not shape.documented for shape in shapes)
    note = f"; ? = no page prints a sample of it: {unsampled}" if unsampled else ""
    common.tell(f"{len(shapes)} shapes{note}")
    return 0


def _lint(glob: str, common: Common) -> int:
    report = common.lint(glob)
    if common.as_json:
        _print_json(lint_document(report))
    else:
        for line in lint_lines(report):
            click.echo(line)
        common.tell(lint_summary(report))
    return 1 if report.count(Severity.ERROR) else 0


@with_common
def show_shape(shape_id: str, *, schema: str | None, common: Common) -> None:
    """Show the shape ID: its policy type, dimensions, metrics or events, and which of it no source prints."""
    shape = common.catalog().get(shape_id)
    if schema:
        _print_json(emit_schema(shape, wire=common.profile.wire) if schema == "emit" else accept_schema(shape))
        return
    generator = Generator(common.seed, wire=common.profile.wire)
    example = generator.callback(generator.alarm(shape), State.FIRING).to_wire()
    if common.as_json:
        _print_json({"version": 1, "shape": _document(shape), "example": example})
        return
    for line in _lines(shape, example):
        click.echo(line)
    common.tell(f"seed {common.seed}")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _document(shape: Shape) -> dict[str, Any]:
    [row] = shapes_document([shape])["shapes"]
    metrics = [
        {
            "metricName": metric.name,
            "metricShowName": metric.show_name.en,
            "metricShowName_zh": metric.show_name.zh,
            "unit": metric.unit.en,
            "calcType": metric.calc_type,
            "calcValue": metric.calc_value,
            "namespace": metric.namespace or shape.namespace,
            "source": metric.source,
        }
        for metric in shape.metrics
    ]
    events = [
        {
            "eventName": event.name,
            "eventShowName": event.show_name.en,
            "eventShowName_zh": event.show_name.zh,
            "recoverable": event.recoverable,
            "source": event.source,
        }
        for event in shape.events
    ]
    return {**row, "metrics": metrics, "events": events, "errata": shape.sample.errata if shape.sample else ""}


def _lines(shape: Shape, example: dict[str, Any]) -> Iterator[str]:
    yield f"{shape.id}: {shape.title.en} ({shape.title.zh})"
    yield f"  kind          {shape.kind}"
    yield f"  policy type   {shape.policy.type} ({shape.policy.name.en})"
    yield f"  namespace     {shape.namespace}"
    yield f"  region        {'sent' if shape.regional else 'not sent'}"
    yield f"  source        {shape.source}"
    if shape.sample and shape.sample.errata:
        yield f"  errata        {shape.sample.errata}"
    yield "dimensions, as one alarm has them"
    for line in json.dumps(example["alarmObjInfo"]["dimensions"], ensure_ascii=False, indent=2).splitlines():
        yield f"  {line}"
    if shape.metrics:
        yield f"metrics ({len(shape.metrics)})"
    for at, metric in enumerate(shape.metrics):
        limit = (
            f"{metric.calc_type} {metric.calc_value} {metric.unit.en}".strip() if metric.calc_type else "no threshold"
        )
        yield f"  {metric.name:<28} {limit:<20} {metric.show_name.en}{_assumed(shape, f'metrics.{at}.')}"
    if shape.events:
        yield f"events ({len(shape.events)})"
    for at, event in enumerate(shape.events):
        recovers = "recovers" if event.recoverable else "no recovery"
        yield f"  {event.name:<28} {recovers:<12} {event.show_name.en}{_assumed(shape, f'events.{at}.')}"
    others = [path for path in shape.assumed if not path.startswith(("metrics.", "events."))]
    if others:
        yield f"assumed       {', '.join(others)}"


def _assumed(shape: Shape, prefix: str) -> str:
    keys = [path.removeprefix(prefix) for path in shape.assumed if path.startswith(prefix)]
    return f" (assumed: {', '.join(keys)})" if keys else ""
