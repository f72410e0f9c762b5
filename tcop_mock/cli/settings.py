"""Settings: what a flag's value is where the call does not give it, by environment, file and default.

Nothing lists the settings: they are the flags of the verbs themselves. ``--fail-on`` of ``check`` is ``fail-on`` in the
table ``[check]`` and the variable ``TCOP_MOCK_FAIL_ON``; what all verbs have may stand above the tables.
"""

from __future__ import annotations

import os
from collections import UserDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.cli.settings_file import SettingsFile, find_file
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "TCOP_MOCK_"
TARGET = "target"
"""Above the tables: the receiver, for all verbs that take it from TCOP_MOCK_TARGET: an argument of this name, --to."""
_TO = "to"
TARGET_VARIABLE = f"{PREFIX}TARGET"
_CLAUSES, _CLAUSE_FILES = "clauses", "clause-files"
"""Above the tables, the clauses of a team's own: files, as ``--clause-files`` takes them."""
_SERVICE = ("tcp://", "udp://")
"""Kubernetes sets TCOP_MOCK_PORT to such an address in the neighbours of a service of our name; that is no port."""


@dataclass(frozen=True, slots=True)
class Key:
    """A flag as a setting."""

    verb: str
    name: str
    """As it is written in a file: the flag without its dashes."""
    param: click.Parameter
    variable: str
    """Of the environment; empty where its name means something else."""

    @property
    def kind(self) -> str:
        """What the flag's help writes for its value: ``FILE``, ``KIND=PATH``."""
        return self.param.metavar or ""

    @property
    def is_target(self) -> bool:
        """Whether it is the receiver's address."""
        return self.variable == TARGET_VARIABLE

    def from_text(self, text: str) -> Any:  # noqa: ANN401 - what click takes
        """Return the value of a variable; of a flag that may be repeated, each line is one."""
        return tuple(filter(None, text.splitlines())) if self.param.multiple else text

    def from_file(self, value: object, file: SettingsFile, key: str) -> Any:  # noqa: ANN401 - what click takes
        """Return the value that a file gives.

        Raises:
            EntryError: it is of another type.
        """
        if isinstance(self.param, click.Option) and self.param.is_flag:
            if not isinstance(value, bool):
                raise file.problem(key, f"must be true or false, not {_shown(value)}")
            return value
        several = value if isinstance(value, list) and self.param.multiple else [value]
        texts = tuple(self._text(one, file, key) for one in several)
        return texts if self.param.multiple else texts[0]

    def _text(self, value: object, file: SettingsFile, key: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            wanted = "texts or numbers, in a list" if self.param.multiple else "a text or a number"
            raise file.problem(key, f"must be {wanted}, not {_shown(value)}")
        return self._placed(str(value), file.path.parent)

    def _placed(self, text: str, folder: Path) -> str:
        """Return a value in which the path that it is or names is seen from the current folder."""
        if text.startswith("@") and (self.is_target or "@FILE" in self.kind):
            return text if text == "@-" else f"@{_seen(text[1:], folder)}"
        if self.kind == "KIND=PATH":
            kind, equals, path = text.partition("=")
            return f"{kind}{equals}{_seen(path, folder)}" if path else text
        is_path = self.kind in {"FILE", "DIR"} or self.name == _CLAUSE_FILES
        return _seen(text, folder) if is_path and text != "-" else text


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that neither the call nor the default gave."""

    value: Any
    source: str
    """``environment`` or ``file``."""
    where: str
    """The variable, or file and key."""


class Settings(UserDict[str, "_OfVerb"]):
    """Settings of all verbs, as click looks defaults up: by verb, and then by parameter. Nothing is read before.

    Args:
        group: whose commands are the verbs.
        environ: the environment.
        start: the folder from which the file is looked for.
    """

    def __init__(self, group: click.Group, environ: Mapping[str, str] | None = None, start: Path | None = None) -> None:
        super().__init__()
        self._group = group
        self.environ = os.environ if environ is None else environ
        self.start = Path.cwd() if start is None else start
        self.data = {verb: _OfVerb(self, verb) for verb in group.list_commands(click.Context(group))}

    @cached_property
    def keys_of(self) -> dict[str, dict[str, Key]]:
        """The settings of each verb, by their names in a file."""
        context = click.Context(self._group)
        return {verb: _keys(verb, self._group.get_command(context, verb)) for verb in self.data}

    @cached_property
    def shared(self) -> list[str]:
        """The names that all verbs have."""
        first, *others = self.keys_of.values()
        return [name for name in first if all(name in keys for keys in others)]

    @cached_property
    def file(self) -> SettingsFile | None:
        """The configuration file, whose keys all have a meaning.

        Raises:
            EntryError: it cannot be read, or has a key that nothing is known of.
        """
        file = find_file(self.start, self.environ)
        if file:
            self._require_known(file)
        return file

    def find(self, key: Key) -> Setting | None:
        """Return what environment or file say of a key.

        Raises:
            EntryError: the file's value is of another type.
        """
        text = self.environ.get(key.variable, "") if key.variable else ""
        if text and not (text.startswith(_SERVICE) and key.name == "port"):
            return Setting(key.from_text(text), "environment", key.variable)
        file = self.file
        if file is None:
            return None
        table, top = file.table.get(key.verb, {}), self._top_name(key)
        name, value = (
            (f"{key.verb}.{key.name}", table.get(key.name)) if key.name in table else (top, file.table.get(top))
        )
        return None if value is None else Setting(key.from_file(value, file, name), "file", file.place(name))

    def require_fit(self, key: Key, setting: Setting, context: click.Context) -> None:
        """Hold a value to its flag.

        Raises:
            UsageError: the flag would refuse it; says where it came from.
        """
        try:
            key.param.type_cast_value(context, setting.value)
        except click.BadParameter as problem:
            raise UsageError(f"{setting.where}: {problem.message.rstrip('.')}") from None

    def _top_name(self, key: Key) -> str:
        """Return under which name a key may stand above the tables; empty: it may not."""
        if key.is_target:
            return TARGET
        if key.name == _CLAUSE_FILES:
            return _CLAUSES
        return key.name if key.name in self.shared else ""

    def _require_known(self, file: SettingsFile) -> None:
        top = {self._top_name(key) for keys in self.keys_of.values() for key in keys.values()} - {""}
        for name, value in file.table.items():
            if name in self.keys_of:
                if not isinstance(value, dict):
                    raise file.problem(name, f"must be a table; write [{file.prefix}{name}] above its settings")
                for inner in value:
                    if inner not in self.keys_of[name]:
                        raise file.problem(f"{name}.{inner}", _unknown(inner, self.keys_of[name]))
            elif name not in top:
                raise file.problem(name, self._unknown_top(name, [*top, *self.keys_of]))

    def _unknown_top(self, name: str, known: Iterable[str]) -> str:
        verbs = [verb for verb, keys in self.keys_of.items() if name in keys]
        if verbs:
            return f"belongs into the table of its verb: [{verbs[0]}]" + (f", [{verbs[1]}]" if verbs[1:] else "")
        return _unknown(name, known)


class _OfVerb(UserDict[str, Any]):
    """The settings of one verb, looked up one by one, when a verb runs; help and completion find none."""

    def __init__(self, settings: Settings, verb: str) -> None:
        super().__init__()
        self._settings, self._verb = settings, verb

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - what click takes
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return found.value

    def _find(self, name: object) -> Setting | None:
        context = click.get_current_context()
        keys = {} if context.resilient_parsing else self._settings.keys_of[self._verb]
        key = next((key for key in keys.values() if key.param.name == name and not key.is_target), None)
        setting = self._settings.find(key) if key else None
        if key and setting:
            self._settings.require_fit(key, setting, context)
        return setting


def configured_target() -> str:
    """Return what environment or file say of the receiver of the verb that runs; empty: nothing.

    It is asked for by who needs one, and is no default of the parameter: a verb may have something else to judge.
    """
    context = click.get_current_context()
    settings = context.find_root().default_map
    assert isinstance(settings, Settings)  # noqa: S101 - cli/commands.py sets it
    keys = (key for key in settings.keys_of[str(context.info_name)].values() if key.is_target)
    found = next(filter(None, map(settings.find, keys)), None)
    return str(found.value) if found else ""


def _keys(verb: str, command: click.Command | None) -> dict[str, Key]:
    found = (_key(verb, param) for param in (command.params if command else ()) if param.expose_value)
    return {key.name: key for key in found if key}


def _key(verb: str, param: click.Parameter) -> Key | None:
    if isinstance(param, click.Option):
        name = max(param.opts, key=len).lstrip("-")
        variable = f"{PREFIX}{name.replace('-', '_').upper()}"
        if name == _TO:
            return Key(verb, name, param, TARGET_VARIABLE)
        return Key(verb, name, param, "" if variable == TARGET_VARIABLE else variable)  # --target is the kind of end
    return Key(verb, TARGET, param, TARGET_VARIABLE) if param.name == TARGET else None


def _unknown(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"is no setting{f'; did you mean {near}?' if near else '; tcop-mock config lists them'}"


def _seen(path: str, folder: Path) -> str:
    """Return a path that is relative to a folder as it is seen from the current one."""
    return path if folder.resolve() == Path.cwd() else str(folder / path)


def _shown(value: object) -> str:
    """Return how a wrong value is told: by its kind, because it may be a secret."""
    names = {bool: "true or false", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "a date or time")
