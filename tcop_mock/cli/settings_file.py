"""The configuration file: where it is looked for, and what it holds, as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_VARIABLE = "TCOP_MOCK_CONFIG"
"""Names the file, so that none is looked for; ``/dev/null`` is one with nothing in it."""
OWN_NAME = "tcop-mock.toml"
_SHARED_NAME = "pyproject.toml"
_TABLE = "tool.tcop-mock"
_ROOTS = (".git", ".hg")


class SettingsFile(NamedTuple):
    """What a file says, and how messages name its keys."""

    path: Path
    table: dict[str, Any]
    prefix: str = ""
    """Where the table is in the file: ``tool.tcop-mock.`` in pyproject.toml."""

    def place(self, key: str) -> str:
        """Return how a key is told: file and key."""
        return f"{self.path}: {self.prefix}{key}"

    def problem(self, key: str, what: str) -> EntryError:
        """Return the error about a key."""
        return EntryError(str(self.path), f"{self.prefix}{key}", what)


def looked_in(start: Path, home: Path) -> list[Path]:
    """Return the folders that may hold the file, the nearest first.

    Up to the root of the repository; outside of one up to the home folder; outside of that the current folder alone.
    A file further up may be anybody's, and a configuration names commands that are run.
    """
    folders = [start, *start.parents]
    for number, folder in enumerate(folders, start=1):
        if any((folder / mark).exists() for mark in _ROOTS):
            return folders[:number]
    return folders[: folders.index(home) + 1] if home in folders else folders[:1]


def find_file(start: Path, environ: Mapping[str, str]) -> SettingsFile | None:
    """Return the nearest configuration file, read; of two in one folder ``tcop-mock.toml``.

    Raises:
        EntryError: it cannot be read, or is no TOML, or the one that TCOP_MOCK_CONFIG names is not there.
    """
    named = environ.get(FILE_VARIABLE, "")
    if named:
        return _shared(Path(named)) if Path(named).name == _SHARED_NAME else SettingsFile(Path(named), _read(named))
    return next(_found(looked_in(start, home_of(environ))), None)


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
    """Return our table of a pyproject.toml; one that does not name us is not our business, broken or not."""
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
    import tomllib  # noqa: PLC0415 - most runs have no file

    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as problem:
        raise EntryError(str(path), "", f"is not TOML: {problem}") from None


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise EntryError(str(path), "", f"cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError as problem:
        raise EntryError(str(path), "", f"is not UTF-8 (byte {problem.start})") from None
