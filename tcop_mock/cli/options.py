"""Options and parameter types that verbs share."""

from __future__ import annotations

import functools
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcop_mock._data import walk
from tcop_mock.catalog import Catalog
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.contract.profiles import DEFAULT, load_profile
from tcop_mock.errors import UsageError
from tcop_mock.model.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.model.profile import Profile

TARGET_VARIABLE = "TCOP_MOCK_TARGET"
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)")
_SEED_BITS = 32


def duration(text: str) -> float:
    """Return the seconds of ``500ms``, ``30s``, ``10m``, ``1h`` or bare seconds.

    Raises:
        click.BadParameter: it is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration; write 500ms, 30s, 10m or bare seconds")
    return float(match[1]) * _UNITS_S[match[2]]


def positive_duration(text: str) -> float:
    """Return the seconds of a duration that is longer than nothing.

    Raises:
        click.BadParameter: it is no duration, or 0.
    """
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter("it must be more than 0")
    return seconds


@dataclass(frozen=True, slots=True)
class Common:
    """What every verb can be told."""

    as_json: bool
    seed: int
    profile: Profile
    catalog_folders: tuple[str, ...]
    quiet: bool

    def catalog(self) -> Catalog:
        """Return the shipped shapes and those of ``--catalog``.

        Raises:
            UsageError: a folder cannot be read, or holds no entry.
            EntryError: an entry does not keep the format.
        """
        try:
            for folder in self.catalog_folders:
                if next(walk(Path(folder), ".toml"), None) is None:
                    raise UsageError(
                        f"--catalog {folder!r} holds no entry; name a folder with .toml files in or below it"
                    )
            return Catalog.load(*self.catalog_folders)
        except OSError as problem:
            raise UsageError(f"--catalog: {problem.filename!r} cannot be read: {problem.strerror}") from None

    def tell(self, line: str) -> None:
        """Write a line to standard error, unless ``--quiet``."""
        if not self.quiet:
            click.echo(line, err=True)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of all verbs; the command gets one ``common`` in their place."""

    @functools.wraps(command)
    def gathered(
        *args: Any,  # noqa: ANN401
        as_json: bool,
        seed: int | None,
        profile: str,
        catalog_folders: tuple[str, ...],
        quiet: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        chosen = secrets.randbits(_SEED_BITS) if seed is None else seed
        common = Common(as_json, chosen, load_profile(profile), catalog_folders, quiet)
        with reader_may_leave():
            return command(*args, common=common, **kwargs)

    return _with(
        gathered,
        click.option("--json", "as_json", is_flag=True, help="One versioned JSON document on standard output."),
        click.option("--seed", type=int, help="What all chance comes from.  [default: a fresh one, printed]"),
        click.option("--profile", default=DEFAULT, show_default=True, help="Generation of the callback contract."),
        click.option(
            "--catalog",
            "catalog_folders",
            type=click.Path(exists=True, file_okay=False),
            multiple=True,
            metavar="DIR",
            help="Your own entries; repeatable.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Only what was asked for: no seed, no progress."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show where an error comes from."),
    )


def target_of(given: str | None, *, flag: str) -> Target:
    """Return the target of an argument, of ``@FILE``, or of the environment.

    Raises:
        UsageError: there is none, the file cannot be read, or it is no target.
    """
    text = (given or os.environ.get(TARGET_VARIABLE, "")).strip()
    if not text:
        raise UsageError(
            f"no target: give {flag}, or set {TARGET_VARIABLE} (it keeps passwords out of the process list)"
        )
    return Target.parse(_target_in(text[1:]) if text.startswith("@") else text)


def _target_in(name: str) -> str:
    if not name:
        raise UsageError("target '@' names no file; write @FILE")
    try:
        text = read_input(name).decode().strip()
    except UnicodeDecodeError:
        raise UsageError(f"target file {name!r} is not UTF-8") from None
    if not text:
        raise UsageError(f"target file {name!r} is empty; write the URL into it")
    return text


def read_input(name: str) -> bytes:
    """Return the bytes of a file, or of standard input for ``-``.

    Raises:
        UsageError: it cannot be read.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        raise UsageError(f"file {name!r} cannot be read: {problem.strerror}") from None


def _with(command: Callable[..., Any], *options: Callable[[Any], Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
