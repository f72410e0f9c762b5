"""The work of config: print every setting and where its value came from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.cli.arguments import is_from_command_line
from tcop_mock.cli.settings import Settings, home_of, search_path
from tcop_mock.domain.target import MASK, Target, mask_query_secrets
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.reports.json import VERSION, write_json
from tcop_mock.reports.text import escape_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.cli.settings import SettingKey

_USUAL = re.compile(r"\[default: (.+)\]")
_USERINFO = re.compile(r"(?<=://).*@", re.DOTALL)
_SECRET = ("KEY", "PASS")
"""Parts of a metavar that mark a secret."""


@dataclass(frozen=True, slots=True)
class Row:
    """A setting in the output."""

    verb: str
    key: str
    variable: str | None
    value: Any
    source: str
    """``default``, ``file``, ``environment`` or ``flag``."""
    where: str | None
    """File and key, variable, or flag."""
    note: str = ""
    """The default in words, if it is not a value."""

    def line(self, width: int) -> str:
        """Return the row as a line."""
        value = self.note or "-" if self.value is None else _written(self.value)
        return f"  {self.key:<{width}}  {escape_unsafe(value)}  ({escape_unsafe(self.where or 'default')})"


def show_settings(verb: str | None, common: CommonOptions) -> None:
    """Print the settings of a command, or of all."""
    settings = click.get_current_context().find_root().default_map
    assert isinstance(settings, Settings)  # noqa: S101 - cli/main.py sets it
    if verb is not None and verb not in settings:
        raise UnknownNameError("command", verb, settings, listing="tcop-mock --help lists them")
    rows = [row for row in _rows(settings) if verb in {None, row.verb}]
    for warning in settings.unknown_variables():
        common.info(f"warning: {warning}")
    if common.as_json:
        file = str(settings.file.path) if settings.file else None
        write_json({"version": VERSION, "file": file, "settings": [_document(row) for row in rows]}, sys.stdout)
        return
    for line in _lines(settings, rows, verb):
        click.echo(line)


def _rows(settings: Settings) -> Iterator[Row]:
    for keys in settings.keys_by_command.values():
        for key in keys.values():
            yield _row(settings, key)


def _row(settings: Settings, key: SettingKey) -> Row:
    context = click.get_current_context()
    variable = key.variable or None
    if key.is_common and key.param.name in context.params and is_from_command_line(key.param.name):
        return Row(key.verb, key.name, variable, context.params[key.param.name], "flag", f"--{key.name}")
    setting = settings.lookup(key)
    if setting:
        settings.validate(key, setting, context)
        return Row(key.verb, key.name, variable, _redacted(key, setting.value), setting.source, setting.where)
    default = key.param.to_info_dict()["default"]
    match = _USUAL.search(getattr(key.param, "help", None) or "")
    return Row(key.verb, key.name, variable, default, "default", None, match[1] if match else "")


def _redacted(key: SettingKey, value: Any) -> Any:  # noqa: ANN401 - a setting's value
    if isinstance(value, tuple):
        return tuple(_redacted(key, one) for one in value)
    if not isinstance(value, str) or value.startswith("@"):
        return value
    if any(mark in key.kind for mark in _SECRET):
        return MASK
    if key.is_target:
        return _target(value)
    if key.name in {"header", "observe-header"}:
        return f"{value.partition(':')[0]}: {MASK}"
    return mask_query_secrets(_USERINFO.sub(f"{MASK}@", value))


def _target(text: str) -> str:
    try:
        return str(Target.parse(text))
    except UsageError:
        return MASK


def _lines(settings: Settings, rows: list[Row], verb: str | None) -> Iterator[str]:
    yield f"file: {_file_line(settings)}"
    width = max(len(row.key) for row in rows)
    shared = {} if verb else {name: _row(settings, key) for name, key in settings.common.items()}
    if shared:
        yield "every command"
        yield from (row.line(width) for row in shared.values())
    for name in dict.fromkeys(row.verb for row in rows):
        own = [row for row in rows if row.verb == name and not _same(row, shared.get(row.key))]
        if own:
            yield name
            yield from (row.line(width) for row in own)


def _file_line(settings: Settings) -> str:
    if settings.file:
        return escape_unsafe(str(settings.file.path))
    folders = search_path(settings.start, home_of(settings.environ))
    places = " to ".join(dict.fromkeys([str(folders[0]), str(folders[-1])]))
    return f"none (no tcop-mock.toml, and no [tool.tcop-mock] in a pyproject.toml, from {escape_unsafe(places)})"


def _same(row: Row, other: Row | None) -> bool:
    return other is not None and (row.value, row.where) == (other.value, other.where)


def _written(value: Any) -> str:  # noqa: ANN401 - a setting's value
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _document(row: Row) -> dict[str, Any]:
    return {
        "verb": row.verb,
        "key": row.key,
        "variable": row.variable,
        "value": list(row.value) if isinstance(row.value, tuple) else row.value,
        "source": row.source,
        "where": row.where,
    }
