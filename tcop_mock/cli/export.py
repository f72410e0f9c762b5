"""``tcop-mock export``: the corpus as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.options import with_common
from tcop_mock.domain.alarm import Form
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError
from tcop_mock.reports.export import ExportBuilder, require_export_folder, sync_export
from tcop_mock.reports.json import write_json
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common

_MOST_CHARS = 300


@with_common
def export(folder: str, *, shapes: str, langs: tuple[str, ...], only: tuple[str, ...], common: Common) -> None:
    """Write callbacks, changed callbacks, schemas and a manifest of them below DIR."""
    place = Path(folder)
    require_export_folder(place)
    catalog = common.catalog()
    corpus = ExportBuilder(
        catalog,
        catalog.match(shapes),
        common.seed,
        common.profile,
        tuple(map(Lang, langs)) or tuple(Lang),
        tuple(map(Form, only)) or tuple(Form),
    )
    files = corpus.files()
    if not any(file.metadata["kind"] == "callback" for file in files):
        raise UsageError(f"no shape of {shapes!r} has a form {' or '.join(only)}")
    manifest = corpus.manifest(files)
    done = sync_export(place, files, manifest)
    if common.as_json:
        write_json(manifest, sys.stdout)
        return
    for path in done.edited:
        common.tell(f"kept {one_line(path, _MOST_CHARS)}: of the last export and not of this one, but edited since")
    removed = f", {pluralize(done.removed, 'file')} removed" if done.removed else ""
    click.echo(f"{folder}: {pluralize(done.written, 'file')} written, {done.unchanged} unchanged{removed}")
    common.tell(f"seed {common.seed}")
