"""Shell completion of values: shape ids, clause codes, profiles, commands, files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from click.shell_completion import CompletionItem

    Items = list[CompletionItem]


def shapes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Return the ids of shapes, those of the catalogue and of ``--catalog``."""
    from pathlib import Path  # noqa: PLC0415 - only completion needs it

    from tcop_mock.catalog.data_files import data_root, iter_files  # noqa: PLC0415 - only completion needs it

    folders = [data_root("payload_catalog"), *map(Path, ctx.params.get("catalog_folders") or ())]
    ids = {shape_id for folder in folders if folder.is_dir() for shape_id, _ in iter_files(folder, ".toml")}
    return [_item(shape_id) for shape_id in sorted(ids) if shape_id.startswith(incomplete)]


def clauses(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Return the codes of clauses; after a comma, complete the next one."""
    before, comma, begun = incomplete.rpartition(",")
    codes = (name.partition("-") for name in _names("clauses"))
    return [_item(f"{before}{comma}{code}", help_text=slug) for code, _, slug in codes if code.startswith(begun)]


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Return the names of profiles."""
    return [_item(name) for name in _names("profiles") if name.startswith(incomplete)]


def commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Return the names of the commands."""
    names = ctx.find_root().command.to_info_dict(ctx)["commands"]
    return [_item(name) for name in names if name.startswith(incomplete)]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Let the shell complete files."""
    return [_item(incomplete, "file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Let the shell complete folders."""
    return [_item(incomplete, "dir")]


def shapes_or_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Return ids of shapes, and let the shell complete files."""
    return [*shapes(ctx, param, incomplete), *files(ctx, param, incomplete)]


def clauses_or_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Return codes of clauses, and let the shell complete files."""
    return [*clauses(ctx, param, incomplete), *files(ctx, param, incomplete)]


def _item(value: str, kind: str = "plain", help_text: str | None = None) -> CompletionItem:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only completion needs it

    return CompletionItem(value, kind, help_text)


def _names(folder: str) -> Iterator[str]:
    from tcop_mock.catalog.data_files import data_root, iter_files  # noqa: PLC0415 - only completion needs it

    return (name for name, _ in iter_files(data_root("contracts") / folder, ".toml"))
