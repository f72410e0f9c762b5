"""The work of list and show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.callbacks.lint import Severity
from tcop_mock.domain.callback import State
from tcop_mock.reports.json import json_text, shapes_document
from tcop_mock.reports.shape import lint_document, lint_lines, lint_summary, shape_document, shape_lines

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.shape import Shape


def list_shapes(glob: str, common: CommonOptions) -> None:
    """Print the shapes whose id matches a glob."""
    shapes = common.catalog().match(glob)
    if common.as_json:
        _print_json(shapes_document(shapes))
        return
    width = max(len(shape.id) for shape in shapes)
    kind_width = max(len(shape.kind) for shape in shapes)
    for shape in shapes:
        click.echo(f"{shape.id:<{width}} {_mark(shape)} {shape.kind:<{kind_width}}  {shape.title.en}")
    marks = [_mark(shape) for shape in shapes]
    notes = [f"; {mark} = {meaning}: {marks.count(mark)}" for mark, meaning in _MARKS.items() if mark in marks]
    common.info(f"{len(shapes)} shapes{''.join(notes)}")


_MARKS = {"?": "no page prints a sample of it", "+": "no published callback, left out of globs"}


def _mark(shape: Shape) -> str:
    if shape.unpublished:
        return "+"
    return " " if shape.is_documented else "?"


def lint_entries(glob: str, common: CommonOptions) -> int:
    """Print the problems of the user's entries; return 1 on errors."""
    report = common.lint(glob)
    if common.as_json:
        _print_json(lint_document(report))
    else:
        for line in lint_lines(report):
            click.echo(line)
        common.info(lint_summary(report))
    return 1 if report.count(Severity.ERROR) else 0


def show_shape(shape_id: str, schema: str | None, common: CommonOptions) -> None:
    """Print a shape, or its JSON Schema ``emit`` or ``accept``."""
    shape = common.catalog().get(shape_id)
    if schema:
        _print_json(emit_schema(shape, wire=common.profile.wire_format) if schema == "emit" else accept_schema(shape))
        return
    generator = Generator(common.seed, wire_format=common.profile.wire_format)
    example = generator.callback(generator.alarm(shape), State.FIRING).to_dict()
    if common.as_json:
        _print_json(shape_document(shape, example))
        return
    for line in shape_lines(shape, example):
        click.echo(line)
    common.info(f"seed {common.seed}")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json_text(document), nl=False)
