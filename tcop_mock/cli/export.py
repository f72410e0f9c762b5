"""The work of export, and the list of the mutators whose bodies it writes."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tcop_mock.contract.mutators import find_mutator, load_mutators
from tcop_mock.domain.callback import Form
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError
from tcop_mock.reports.export import ExportBuilder, pact_document, require_export_folder, sync_export
from tcop_mock.reports.files import require_writable, write_report
from tcop_mock.reports.json import json_text, mutators_document, write_json
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions

_MAX_PATH_CHARS = 300


def list_mutators(glob: str, common: CommonOptions) -> None:
    """Print the mutators whose name matches a glob."""
    found = [mutator for name, mutator in load_mutators().items() if fnmatch.fnmatchcase(name, glob)]
    if not found:
        find_mutator(glob)
    if common.as_json:
        click.echo(json_text(mutators_document(found)), nl=False)
        return
    width = max(len(mutator.name) for mutator in found)
    for mutator in found:
        click.echo(f"{mutator.name:<{width}}  {mutator.clause}  {mutator.expected_reaction}")
    common.info(f"{pluralize(len(found), 'mutator')}; a receiver must accept the body, reject it, or may do either")


def export(
    folder: str, *, shapes: tuple[str, ...], langs: tuple[str, ...], forms: tuple[str, ...], common: CommonOptions
) -> None:
    """Write callbacks, mutated callbacks, schemas and a manifest below a folder."""
    place = Path(folder)
    require_export_folder(place)
    catalog = common.catalog()
    globs = _globs(shapes)
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


def export_pact(
    file: str, path: str | None, *, shapes: tuple[str, ...], has_others: bool, common: CommonOptions
) -> None:
    """Write a pact.

    Raises:
        UsageError: options contradict each other, or the file cannot be written.
    """
    path = path or "/"
    if has_others:
        raise UsageError("--pact writes what TCM101 posts: leave DIR, --lang and --form out")
    if not path.startswith("/"):
        raise UsageError(f"--pact-path {path!r}: write a path that starts with /, such as /alarm")
    require_writable(file, label="--pact")
    catalog = common.catalog()
    ids = {shape.id for glob in _globs(shapes) for shape in catalog.match(glob)}
    document = pact_document(catalog, ids, common.profile, common.seed, path)
    if not document["interactions"]:
        raise UsageError(f"TCM101 posts no shape of {','.join(_globs(shapes))!r}")
    write_report(file, json_text(document).encode(), label="--pact")
    if common.as_json:
        write_json(document, sys.stdout)
        return
    click.echo(f"{file}: {pluralize(len(document['interactions']), 'interaction')}")
    common.info(f"seed {common.seed}")


def _globs(shapes: tuple[str, ...]) -> list[str]:
    """Return the globs of ``--shapes``."""
    return [glob for text in shapes for glob in text.split(",") if glob] or ["*"]
