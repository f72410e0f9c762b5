"""The work of learn: drafts of entries, and the drift of entries that exist."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.callbacks.drafts import Draft, DraftBuilder, drift, find_entry, group_bodies, learned_kind
from tcop_mock.callbacks.lint import Severity, lint_table
from tcop_mock.catalog.loader import Catalog
from tcop_mock.cli.arguments import open_input
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs
from tcop_mock.inputs.requests import InputRequest
from tcop_mock.reports.files import write_report
from tcop_mock.reports.json import VERSION, write_json
from tcop_mock.reports.shape import entry_toml
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.shape import Shape

_DRIFT = 1
_MAX_CHARS = 300


class _Learned(NamedTuple):
    """Drafts from the files."""

    drafts: list[Draft]
    drift: list[dict[str, str]]
    """Differences from entries that exist: id, path, message."""
    left_out: int
    """Number of bodies from which no entry can be drafted."""


def learn(sources: Sequence[str], folder: str | None, common: CommonOptions) -> int:
    """Draft entries, or compare callbacks with the entries that exist; return 1 if these differ.

    Raises:
        UsageError: a file cannot be read, or no file has a callback of a metric or an event.
    """
    shipped = Catalog.load()
    place = Path(folder) if folder else None
    entries = _own_entries(place) if place else list(common.catalog())
    learned = _learn(sources, entries, shipped)
    files = {draft.id: _file(place, draft.id) for draft in learned.drafts} if place else {}
    for draft in learned.drafts:
        if draft.id in files:
            files[draft.id].parent.mkdir(parents=True, exist_ok=True)
            write_report(files[draft.id], entry_toml(draft.table).encode(), label="entry")
    if common.as_json:
        write_json(_document(learned, files), sys.stdout)
    else:
        _print(learned, files, common)
    return _DRIFT if learned.drift else 0


def _own_entries(place: Path) -> list[Shape]:
    """Return the entries of a folder that may not be there yet."""
    return [shape for shape in Catalog.load(place) if shape.file] if place.is_dir() else []


def _learn(sources: Sequence[str], entries: Sequence[Shape], shipped: Catalog) -> _Learned:

    bodies: list[Mapping[str, Any]] = []
    left_out = 0
    for source in sources:
        with open_input(source) as stream:
            for item in read_inputs(stream, source):
                tree = item.parsed.tree if isinstance(item, InputRequest) and item.parsed.is_json else None
                if isinstance(tree, dict) and learned_kind(tree):
                    bodies.append(tree)
                else:
                    left_out += 1
    groups = group_bodies(bodies)
    if not groups:
        raise UsageError(
            f"{', '.join(sources)}: there is nothing to learn: no callback of an alarm of metrics, events or Prometheus"
        )
    builder = DraftBuilder(shipped, (shape.id for shape in (*shipped, *entries)))
    drafts: list[Draft] = []
    differences: list[dict[str, str]] = []
    for group in groups:
        entry = find_entry(group, entries)
        if entry is None:
            drafts.append(builder.build(group))
        else:
            differences += [{"id": entry.id, **issue._asdict()} for issue in drift(group, entry)]
    return _Learned(drafts, [dict(row) for row in dict.fromkeys(tuple(row.items()) for row in differences)], left_out)


def _file(place: Path, entry_id: str) -> Path:
    return place / f"{entry_id}.toml"


def _left_to_decide(draft: Draft) -> list[tuple[Severity, str]]:
    """Return the problems that ``list --lint`` finds in a draft."""
    return [(severity, f"{found.key}: {found.message}") for severity, found in lint_table(draft.id, draft.table)]


def _document(learned: _Learned, files: Mapping[str, Path]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "drafts": [
            {
                "id": draft.id,
                "file": str(files[draft.id]) if draft.id in files else None,
                "bodies": draft.body_count,
                "entry": draft.table,
                "left_to_decide": [text for _, text in _left_to_decide(draft)],
            }
            for draft in learned.drafts
        ],
        "drift": learned.drift,
        "left_out": learned.left_out,
    }


def _print(learned: _Learned, files: Mapping[str, Path], common: CommonOptions) -> None:
    warning_count = 0
    for draft in learned.drafts:
        if draft.id in files:
            click.echo(f"draft      {draft.id}: {files[draft.id]}, from {pluralize(draft.body_count, 'callback')}")
        else:
            click.echo(f"# {draft.id}.toml, from {pluralize(draft.body_count, 'callback')}\n{entry_toml(draft.table)}")
        for severity, line in _left_to_decide(draft):
            warning_count += severity is Severity.WARNING
            if severity is Severity.ERROR:
                common.info(one_line(f"{draft.id}: left to decide: {line}", _MAX_CHARS))
    for row in learned.drift:
        click.echo(one_line(f"drift      {row['id']}: {row['path']}: {row['message']}", _MAX_CHARS))
    if warning_count:
        common.info(f"{pluralize(warning_count, 'warning')} about the drafts: list --lint --catalog DIR lists them")
    if learned.left_out:
        common.info(
            f"{pluralize(learned.left_out, 'part')} left out: only alarms of metrics, events and Prometheus are learned"
        )
