"""``tcop-mock list`` and ``tcop-mock show``: what is in the catalogue."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.callbacks.lint import Severity
from tcop_mock.cli.options import with_common
from tcop_mock.contract.mutators import find_mutator, load_mutators
from tcop_mock.domain.alarm import State
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import json_text, mutators_document, shapes_document
from tcop_mock.reports.shape import lint_document, lint_lines, lint_summary, shape_document, shape_lines
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common


@with_common
def list_shapes(glob: str, *, mutators: bool, only_lint: bool, common: Common) -> int:
    """List the shapes whose id matches GLOB (all, where none is given), the mutators, or what is wrong with entries."""
    if mutators and only_lint:
        raise UsageError("--mutators and --lint exclude each other: one lists mutators, the other checks entries")
    if only_lint:
        return _lint(glob, common)
    if mutators:
        _list_mutators(glob, common)
        return 0
    shapes = common.catalog().match(glob)
    if common.as_json:
        _print_json(shapes_document(shapes))
        return 0
    width = max(len(shape.id) for shape in shapes)
    for shape in shapes:
        mark = " " if shape.is_documented else "?"
        click.echo(f"{shape.id:<{width}} {mark} {shape.kind:<6}  {shape.title.en}")
    unsampled = sum(not shape.is_documented for shape in shapes)
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


def _list_mutators(glob: str, common: Common) -> None:
    found = [mutator for name, mutator in load_mutators().items() if fnmatch.fnmatchcase(name, glob)]
    if not found:
        find_mutator(glob)
    if common.as_json:
        _print_json(mutators_document(found))
        return
    width = max(len(mutator.name) for mutator in found)
    for mutator in found:
        click.echo(f"{mutator.name:<{width}}  {mutator.clause}  {mutator.expected_reaction}")
    common.tell(f"{pluralize(len(found), 'mutator')}; each is a body to take, to refuse, or to do either with")


@with_common
def show_shape(shape_id: str, *, schema: str | None, common: Common) -> None:
    """Show the shape ID: its policy type, dimensions, metrics or events, and which of it no source prints."""
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
    common.tell(f"seed {common.seed}")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json_text(document), nl=False)
