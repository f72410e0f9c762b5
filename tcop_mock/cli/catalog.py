"""The work of list, show, validate, diff and export."""

from __future__ import annotations

import fnmatch
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_diff import differences
from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.callbacks.lint import Severity
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.arguments import STDIN, open_input
from tcop_mock.contract.mutators import find_mutator, load_mutators
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, summarize
from tcop_mock.inputs.requests import SkippedInput
from tcop_mock.reports.differences import Comparison, comparison_lines, differences_document
from tcop_mock.reports.export import ExportBuilder, require_export_folder, sync_export
from tcop_mock.reports.json import json_text, mutators_document, shapes_document, write_json
from tcop_mock.reports.shape import lint_document, lint_lines, lint_summary, shape_document, shape_lines
from tcop_mock.reports.text import one_line, pluralize
from tcop_mock.reports.validation import ValidationSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.shape import Shape

_MAX_PATH_CHARS = 300
_NOT_VALID = _NOT_EQUAL = 1
_MAX_SKIPPED_LINES = 50


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
    notes = [f"; {mark} = {told}: {marks.count(mark)}" for mark, told in _MARKS.items() if mark in marks]
    common.info(f"{len(shapes)} shapes{''.join(notes)}")


_MARKS = {"?": "no page prints a sample of it", "+": "no published callback, left out of globs"}


def _mark(shape: Shape) -> str:
    if shape.unpublished:
        return "+"
    return " " if shape.is_documented else "?"


def lint_entries(glob: str, common: CommonOptions) -> int:
    """Print what is wrong with the user's entries; return 1 on errors."""
    report = common.lint(glob)
    if common.as_json:
        _print_json(lint_document(report))
    else:
        for line in lint_lines(report):
            click.echo(line)
        common.info(lint_summary(report))
    return 1 if report.count(Severity.ERROR) else 0


def list_mutators(glob: str, common: CommonOptions) -> None:
    """Print the mutators whose name matches a glob."""
    found = [mutator for name, mutator in load_mutators().items() if fnmatch.fnmatchcase(name, glob)]
    if not found:
        find_mutator(glob)
    if common.as_json:
        _print_json(mutators_document(found))
        return
    width = max(len(mutator.name) for mutator in found)
    for mutator in found:
        click.echo(f"{mutator.name:<{width}}  {mutator.clause}  {mutator.expected_reaction}")
    common.info(f"{pluralize(len(found), 'mutator')}; a receiver must accept the body, reject it, or may do either")


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


def validate(sources: Sequence[str], common: CommonOptions) -> int:
    """Validate the bodies of some files; return 1 if one could not have come from TCOP.

    Raises:
        UsageError: a file cannot be read, or holds nothing that can be validated.
    """
    validator = CallbackValidator(common.catalog(), common.given_profile)
    summary = ValidationSummary()
    skipped: list[str] = []
    for source in sources:
        name = "" if len(sources) == 1 else _file_name(source)
        _validate_file(source, name, validator, summary, skipped)
    for line in skipped[:_MAX_SKIPPED_LINES]:
        common.info(line)
    if len(skipped) > _MAX_SKIPPED_LINES:
        common.info(f"{len(skipped) - _MAX_SKIPPED_LINES} more were skipped")
    if common.as_json:
        write_json(summary.document(), sys.stdout)
    else:
        for line in summary.lines(quiet=common.quiet):
            click.echo(line)
    return 0 if summary.is_valid else _NOT_VALID


def _validate_file(
    source: str, name: str, validator: CallbackValidator, summary: ValidationSummary, skipped: list[str]
) -> None:
    """Add the bodies of a file to a summary; ``name`` is what its places begin with where there are several files."""
    count, skipped_here, is_list = summary.count, list[str](), False
    with open_input(source) as stream:
        for item in read_inputs(stream, source):
            if isinstance(item, SkippedInput):
                skipped_here.append(str(item))
            else:
                summary.add(_place(name, item.location), validator.validate_parsed(item.parsed, item.body))
                is_list = is_list or item.is_list_item
    if summary.count == count:
        note = f" ({summarize(skipped_here)})" if skipped_here else ""
        raise UsageError(f"{source}: there is nothing to validate{note}")
    if is_list:
        summary.add_list(name)
    skipped += [f"{name}: {text}" if name else text for text in skipped_here]


def _file_name(source: str) -> str:
    return "stdin" if source == STDIN else one_line(source, _MAX_PATH_CHARS)


def _place(name: str, location: str) -> str:
    return ", ".join(filter(None, [name, location]))


def diff(sources: Sequence[str], common: CommonOptions) -> int:
    """Compare each body of some files with the one before it; return 1 if two differ."""
    comparisons = []
    for (name, before), (next_name, after) in itertools.pairwise(_bodies(sources, common)):
        found = Comparison(name, next_name, tuple(differences(before, after)))
        comparisons.append(found)
        if not common.as_json:
            for line in comparison_lines(found):
                click.echo(line)
    if not comparisons:
        raise UsageError(f"{', '.join(sources)}: there is one body only; give two files, or a file with several bodies")
    if common.as_json:
        write_json(differences_document(comparisons), sys.stdout)
    return _NOT_EQUAL if any(one.differences for one in comparisons) else 0


def _bodies(sources: Sequence[str], common: CommonOptions) -> Iterator[tuple[str, Any]]:
    """Yield each body with its file and place.

    Raises:
        UsageError: a file cannot be read, or holds a body that is not JSON.
    """
    for source in sources:
        with open_input(source) as stream:
            for item in read_inputs(stream, source):
                if isinstance(item, SkippedInput):
                    common.info(f"{source}: {item}")
                    continue
                place = ", ".join(filter(None, ["stdin" if source == STDIN else source, item.location]))
                if not item.parsed.is_json:
                    raise UsageError(f"{place}: the body {item.parsed.problems[0].message}")
                yield place, item.parsed.tree


def export(
    folder: str, *, shapes: tuple[str, ...], langs: tuple[str, ...], forms: tuple[str, ...], common: CommonOptions
) -> None:
    """Write callbacks, mutated callbacks, schemas and a manifest below a folder."""
    place = Path(folder)
    require_export_folder(place)
    catalog = common.catalog()
    globs = [glob for text in shapes for glob in text.split(",") if glob] or ["*"]
    corpus = ExportBuilder(
        catalog,
        list({shape.id: shape for glob in globs for shape in catalog.match(glob)}.values()),
        common.seed,
        common.profile,
        tuple(map(Lang, langs)) or tuple(Lang),
        tuple(map(Form, forms)) or tuple(Form),
    )
    files = corpus.files()
    if not any(file.metadata["kind"] == "callback" for file in files):
        raise UsageError(f"no shape of {','.join(globs)!r} has a form {' or '.join(forms)}")
    manifest = corpus.manifest(files)
    done = sync_export(place, files, manifest)
    if common.as_json:
        write_json(manifest, sys.stdout)
        return
    for path in done.edited:
        common.info(f"kept {one_line(path, _MAX_PATH_CHARS)}: it is outdated, but was edited since the last export")
    removed = f", {pluralize(done.removed, 'file')} removed" if done.removed else ""
    click.echo(f"{folder}: {pluralize(done.written, 'file')} written, {done.unchanged} unchanged{removed}")
    common.info(f"seed {common.seed}")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json_text(document), nl=False)
