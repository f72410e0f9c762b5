"""Settings: the values of flags that a call does not give, from the environment or the settings file.

Every flag is a setting; there is no other list. ``--fail-on`` of ``check`` is ``fail-on`` in the table ``[check]``
and the variable ``TCOP_MOCK_FAIL_ON``. Common options may stand above the tables.
"""

from __future__ import annotations

import os
import re
from collections import UserDict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.cli.command import COMMON
from tcop_mock.errors import EntryError, UsageError, did_you_mean
from tcop_mock.reports.text import escape_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "TCOP_MOCK_"
TARGET = "target"
"""Above the tables: the receiver of all commands, which is an argument of this name or ``--to``."""
_TO = "to"
TARGET_VARIABLE = f"{PREFIX}TARGET"
_CLAUSES, _CLAUSE_FILES = "clauses", "clause-files"
"""``clauses`` above the tables is ``--clause-files``."""
_KUBERNETES_ADDRESS = ("tcp://", "udp://")
"""Kubernetes sets TCOP_MOCK_PORT to such an address if a service has our name; that is not a port."""
_OTHER_VARIABLE = re.compile(
    rf"{PREFIX}(?:CONFIG|COMPLETE|TOKEN|WATCHED|ACTION_PYTHON|LOAD_\w+|SERVICE_(?:HOST|PORT)\w*|PORT(?:_\d+_(?:TCP|UDP)\w*)?)"
)
"""Variables that are not settings: of completion, observers, --watch, the action, Locust, and those of Kubernetes."""
FILE_VARIABLE = "TCOP_MOCK_CONFIG"
"""Names the settings file; then no other is searched. ``/dev/null`` means no settings."""
OWN_NAME = "tcop-mock.toml"
_SHARED_NAME = "pyproject.toml"
_TABLE = "tool.tcop-mock"
_ROOTS = (".git", ".hg")


class SettingsFile(NamedTuple):
    """A settings file."""

    path: Path
    table: dict[str, Any]
    prefix: str = ""
    """Prefix of the table in the file: ``tool.tcop-mock.`` in pyproject.toml."""

    def place(self, key: str) -> str:
        """Return file and key, for messages."""
        return f"{self.path}: {self.prefix}{key}"

    def problem(self, key: str, message: str) -> EntryError:
        """Return the error about a key."""
        return EntryError(str(self.path), f"{self.prefix}{key}", message)


def search_path(start: Path, home: Path) -> list[Path]:
    """Return the folders to search for the file, the nearest first.

    They end at the root of the repository; outside a repository at the home folder; elsewhere at the current folder.
    A file further up may be anybody's, and a configuration names commands that are run.
    """
    folders = [start, *start.parents]
    for number, folder in enumerate(folders, start=1):
        if any((folder / mark).exists() for mark in _ROOTS):
            return folders[:number]
    return folders[: folders.index(home) + 1] if home in folders else folders[:1]


def find_file(start: Path, environ: Mapping[str, str]) -> SettingsFile | None:
    """Read the nearest settings file; of two in one folder ``tcop-mock.toml``.

    Raises:
        EntryError: it cannot be read, is not TOML, or TCOP_MOCK_CONFIG names a missing file.
    """
    named = environ.get(FILE_VARIABLE, "")
    if named:
        return _shared(Path(named)) if Path(named).name == _SHARED_NAME else SettingsFile(Path(named), _read(named))
    return next(_found(search_path(start, home_of(environ))), None)


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the user's home folder."""
    return Path(environ.get("HOME") or "~").expanduser()


def _found(folders: list[Path]) -> Iterator[SettingsFile]:
    for folder in folders:
        own, shared = folder / OWN_NAME, folder / _SHARED_NAME
        if own.is_file():
            yield SettingsFile(own, _read(own))
        elif shared.is_file() and (found := _shared(shared)):
            yield found


def _shared(path: Path) -> SettingsFile | None:
    """Return our table of a pyproject.toml; a file that does not mention us is ignored, even if it is broken."""
    if _TABLE.rpartition(".")[2] not in _text(path):
        return None
    tool = _read(path).get("tool")
    table = tool.get("tcop-mock") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise EntryError(str(path), _TABLE, "must be a table; write [tool.tcop-mock] above the settings")
    return SettingsFile(path, table, f"{_TABLE}.")


def _read(path: str | Path) -> dict[str, Any]:
    import tomli  # noqa: PLC0415 - most runs have no file

    try:
        return tomli.loads(_text(path))
    except (tomli.TOMLDecodeError, RecursionError) as problem:  # the latter: nested too deeply
        raise EntryError(str(path), "", f"is not TOML: {problem}") from None


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise EntryError(str(path), "", f"cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError as problem:
        raise EntryError(str(path), "", f"is not UTF-8 (byte {problem.start})") from None


@dataclass(frozen=True, slots=True)
class SettingKey:
    """A flag as a setting."""

    verb: str
    name: str
    """Name in a file: the flag without its dashes."""
    param: click.Parameter
    variable: str
    """Variable of the environment; empty if that name has another meaning."""

    @property
    def kind(self) -> str:
        """Metavar of the flag: ``FILE``, ``KIND=PATH``."""
        return self.param.metavar or ""

    @property
    def is_common(self) -> bool:
        """Whether it is a common option, which may stand above the tables."""
        return getattr(self.param, "group", None) == COMMON

    @property
    def is_target(self) -> bool:
        """Whether it is the address of the receiver."""
        return self.variable == TARGET_VARIABLE

    def from_text(self, text: str) -> Any:  # noqa: ANN401 - what click takes
        """Return the value of a variable; each line is one value of a repeatable flag."""
        return tuple(filter(None, text.splitlines())) if self.param.multiple else text

    def from_file(self, value: object, file: SettingsFile, key: str) -> Any:  # noqa: ANN401 - what click takes
        """Return the value of a file.

        Raises:
            EntryError: it has the wrong type.
        """
        if isinstance(self.param, click.Option) and self.param.is_flag:
            if not isinstance(value, bool):
                raise file.problem(key, f"must be true or false, not {_type_name(value)}")
            return value
        several = value if isinstance(value, list) and self.param.multiple else [value]
        texts = tuple(self._text(one, file, key) for one in several)
        return texts if self.param.multiple else texts[0]

    def _text(self, value: object, file: SettingsFile, key: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            wanted = "texts or numbers, in a list" if self.param.multiple else "a text or a number"
            raise file.problem(key, f"must be {wanted}, not {_type_name(value)}")
        return self._placed(str(value), file.path.parent)

    def _placed(self, text: str, folder: Path) -> str:
        """Resolve a path in a value relative to the folder of the file."""
        if text.startswith("@") and (self.is_target or "@FILE" in self.kind):
            return text if text == "@-" else f"@{_relative_to_cwd(text[1:], folder)}"
        if self.kind == "KIND=PATH":
            kind, equals, path = text.partition("=")
            return f"{kind}{equals}{_relative_to_cwd(path, folder)}" if path else text
        is_path = self.kind in {"FILE", "DIR", "GLOB"} and text != "-"
        return _relative_to_cwd(text, folder) if is_path else text


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value from the environment or the file."""

    value: Any
    source: str
    """``environment`` or ``file``."""
    where: str
    """The variable, or file and key."""


class Settings(UserDict[str, "CommandDefaults"]):
    """Settings of all commands, as click looks up defaults: by command and parameter. Files are read on demand.

    Args:
        group: the command group.
        environ: environment variables.
        start: folder where the search for the file starts.
    """

    def __init__(self, group: click.Group, environ: Mapping[str, str] | None = None, start: Path | None = None) -> None:
        super().__init__()
        self._group = group
        self.environ = os.environ if environ is None else environ
        self.start = Path.cwd() if start is None else start
        self.data = {verb: CommandDefaults(self, verb) for verb in group.list_commands(click.Context(group))}

    @cached_property
    def keys_by_command(self) -> dict[str, dict[str, SettingKey]]:
        """The settings of each command, by their names in a file."""
        context = click.Context(self._group)
        return {verb: _keys(verb, self._group.get_command(context, verb)) for verb in self.data}

    @cached_property
    def common(self) -> dict[str, SettingKey]:
        """The common options by name; their ``verb`` is empty, so that no table is looked up."""
        keys = (key for keys in self.keys_by_command.values() for key in keys.values() if key.is_common)
        return {key.name: replace(key, verb="") for key in keys}

    @cached_property
    def file(self) -> SettingsFile | None:
        """The settings file.

        Raises:
            EntryError: it cannot be read, or has an unknown key.
        """
        file = find_file(self.start, self.environ)
        if file:
            self._require_known(file)
        return file

    def unknown_variables(self) -> Iterator[str]:
        """Yield a sentence for each ``TCOP_MOCK_`` variable that is not a setting: its name, never its value."""
        names = [name for name in self.environ if name.startswith(PREFIX) and not _OTHER_VARIABLE.fullmatch(name)]
        if not names:  # most runs: no command has to be imported
            return
        known = {key.variable for keys in self.keys_by_command.values() for key in keys.values()}
        for name in sorted(set(names) - known):
            near = did_you_mean(name.removeprefix(PREFIX), (one.removeprefix(PREFIX) for one in known))
            near = near.replace(" '", f" '{PREFIX}").replace("'", f"'{PREFIX}", 1)
            yield f"{escape_unsafe(name)} is not a setting{f'; did you mean {near}?' if near else ''}"

    def lookup(self, key: SettingKey) -> SettingValue | None:
        """Return the value of environment or file.

        Raises:
            EntryError: the value of the file has the wrong type.
        """
        text = self.environ.get(key.variable, "") if key.variable else ""
        if text and not (text.startswith(_KUBERNETES_ADDRESS) and key.name == "port"):
            return SettingValue(key.from_text(text), "environment", key.variable)
        file = self.file
        if file is None:
            return None
        table, top = file.table.get(key.verb, {}), self._top_name(key)
        name, value = (
            (f"{key.verb}.{key.name}", table.get(key.name)) if key.name in table else (top, file.table.get(top))
        )
        return None if value is None else SettingValue(key.from_file(value, file, name), "file", file.place(name))

    def validate(self, key: SettingKey, setting: SettingValue, context: click.Context) -> None:
        """Convert a value as its flag does.

        Raises:
            UsageError: the value is invalid; the message says where it came from.
        """
        try:
            key.param.type_cast_value(context, setting.value)
        except click.BadParameter as problem:
            raise UsageError(f"{setting.where}: {problem.message.rstrip('.')}") from None

    def require_valid(self, verb: str, context: click.Context) -> None:
        """Report all mistakes in the settings of a command at once; a single one is raised where it is read.

        Raises:
            UsageError: several settings are invalid; the message has each with its place.
        """
        if self.file is None and not any(name.startswith(PREFIX) for name in self.environ):
            return
        problems = []
        for key in self.keys_by_command[verb].values():
            try:
                setting = None if key.is_target else self.lookup(key)
                if setting:
                    self.validate(key, setting, context)
            except UsageError as problem:
                problems.append(str(problem))
        if len(problems) > 1:
            raise UsageError("; ".join(problems))

    def _top_name(self, key: SettingKey) -> str:
        """Return the name of a key above the tables; empty if it belongs into a table."""
        if key.is_target:
            return TARGET
        if key.name == _CLAUSE_FILES:
            return _CLAUSES
        return key.name if key.is_common else ""

    def _require_known(self, file: SettingsFile) -> None:
        top = {self._top_name(key) for keys in self.keys_by_command.values() for key in keys.values()} - {""}
        for name, value in file.table.items():
            if name in self.keys_by_command:
                if not isinstance(value, dict):
                    raise file.problem(name, f"must be a table; write [{file.prefix}{name}] above its settings")
                for inner in value:
                    if inner not in self.keys_by_command[name]:
                        raise file.problem(f"{name}.{inner}", _unknown(inner, self.keys_by_command[name]))
            elif name not in top:
                raise file.problem(name, self._unknown_top(name, [*top, *self.keys_by_command]))

    def _unknown_top(self, name: str, known: Iterable[str]) -> str:
        verbs = [verb for verb, keys in self.keys_by_command.items() if name in keys]
        if verbs:
            return f"belongs into the table of its command: [{verbs[0]}]" + (f", [{verbs[1]}]" if verbs[1:] else "")
        return _unknown(name, known)


class CommandDefaults(UserDict[str, Any]):
    """Settings of one command, looked up when it runs; help and completion do not use them."""

    def __init__(self, settings: Settings, verb: str) -> None:
        super().__init__()
        self._settings, self._verb = settings, verb
        self._is_checked = False

    def __contains__(self, name: object) -> bool:
        return self._lookup(name) is not None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - what click takes
        found = self._lookup(name)
        if found is None:
            raise KeyError(name)
        return found.value

    def _lookup(self, name: object) -> SettingValue | None:
        context = click.get_current_context()
        keys = {} if context.resilient_parsing else self._settings.keys_by_command[self._verb]
        if keys and not self._is_checked:
            self._is_checked = True
            self._settings.require_valid(self._verb, context)
        key = next((key for key in keys.values() if key.param.name == name and not key.is_target), None)
        setting = self._settings.lookup(key) if key else None
        if key and setting:
            self._settings.validate(key, setting, context)
        return setting


def configured_target() -> str:
    """Return the target of environment or file for the running command, or an empty string.

    It is not the default of the parameter: a command may have another target, such as ``--model``.
    """
    context = click.get_current_context()
    settings = context.find_root().default_map
    assert isinstance(settings, Settings)  # noqa: S101 - cli/main.py sets it
    keys = (key for key in settings.keys_by_command[str(context.info_name)].values() if key.is_target)
    found = next(filter(None, map(settings.lookup, keys)), None)
    return str(found.value) if found else ""


def _keys(verb: str, command: click.Command | None) -> dict[str, SettingKey]:
    found = (_key(verb, param) for param in (command.params if command else ()) if param.expose_value)
    return {key.name: key for key in found if key}


def _key(verb: str, param: click.Parameter) -> SettingKey | None:
    if isinstance(param, click.Option):
        name = max(param.opts, key=len).lstrip("-")
        variable = f"{PREFIX}{name.replace('-', '_').upper()}"
        if name == _TO:
            return SettingKey(verb, name, param, TARGET_VARIABLE)
        return SettingKey(
            verb, name, param, "" if variable == TARGET_VARIABLE else variable
        )  # --target is the kind of service
    return SettingKey(verb, TARGET, param, TARGET_VARIABLE) if param.name == TARGET else None


def _unknown(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"is not a setting{f'; did you mean {near}?' if near else '; tcop-mock config lists them'}"


def _relative_to_cwd(path: str, folder: Path) -> str:
    """Return a path in a folder relative to the current one."""
    return path if folder.resolve() == Path.cwd() else str(folder / path)


def _type_name(value: object) -> str:
    """Return the type of a value for messages; the value may be a secret."""
    names = {bool: "true or false", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "a date or time")
