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

from tcop_mock.catalog import Catalog
from tcop_mock.contract.profiles import DEFAULT
from tcop_mock.errors import UsageError
from tcop_mock.model.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_VARIABLE = "TCOP_MOCK_TARGET"
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)")
_SEED_BITS = 32


class Duration(click.ParamType[float]):
    """``500ms``, ``30s``, ``10m``, ``1h`` or bare seconds; a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Return seconds."""
        if isinstance(value, float | int):
            return float(value)
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no duration; write 500ms, 30s, 10m or bare seconds", param, ctx)
        return float(match[1]) * _UNITS_S[match[2]]


DURATION = Duration()


@dataclass(frozen=True, slots=True)
class Common:
    """What every verb can be told."""

    as_json: bool
    seed: int
    profile: str
    catalog_folders: tuple[str, ...]
    quiet: bool

    def catalog(self) -> Catalog:
        """Return the shipped shapes and those of ``--catalog``."""
        return Catalog.load(*self.catalog_folders)

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
        return command(*args, common=Common(as_json, chosen, profile, catalog_folders, quiet), **kwargs)

    return _with(
        gathered,
        click.option("--json", "as_json", is_flag=True, help="One versioned JSON document on standard output."),
        click.option("--seed", type=int, help="What all chance comes from.  [default: a fresh one, printed]"),
        click.option("--profile", default=DEFAULT, show_default=True, help="Generation of the callback contract."),
        click.option(
            "--catalog", "catalog_folders", multiple=True, metavar="DIR", help="Your own entries; repeatable."
        ),
        click.option("-q", "--quiet", is_flag=True, help="Only what was asked for: no seed, no progress."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show where an error comes from."),
    )


def target_of(given: str | None, *, flag: str) -> Target:
    """Return the target of an argument, of ``@FILE``, or of the environment.

    Raises:
        UsageError: there is none, the file cannot be read, or it is no target.
    """
    text = given or os.environ.get(TARGET_VARIABLE, "")
    if not text.strip():
        raise UsageError(
            f"no target: give {flag}, or set {TARGET_VARIABLE} (it keeps passwords out of the process list)"
        )
    if text.startswith("@"):
        text = read_input(text[1:]).decode("utf-8", "replace").strip()
    return Target.parse(text)


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
