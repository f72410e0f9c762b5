"""What verbs share: the flags of all of them, the target, files."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tcop_mock.callbacks.lint import lint
from tcop_mock.catalog.data_files import iter_files
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.cli.settings import TARGET_VARIABLE, configured_target
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.domain.target import Secret, Target
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.callbacks.lint import LintReport
    from tcop_mock.domain.profile import DeliveryRules, Profile

INTEGRATION_KEY_VARIABLE = "TCOP_MOCK_INTEGRATION_KEY"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2; the page on templates lists the same
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "authorization"})
_USERINFO = " from USER:PASSWORD@ in the target"
_SEED_BITS = 32


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
        with _unreadable_told():
            self._require_entries()
            return Catalog.load(*self.catalog_folders)

    def lint(self, pattern: str) -> LintReport:
        """Return all that is wrong with the entries of ``--catalog`` whose id matches a glob.

        Raises:
            UsageError: there is no folder, one cannot be read or holds no entry, or no id matches.
        """
        if not self.catalog_folders:
            raise UsageError("--lint checks your own entries: name their folder with --catalog DIR")
        with _unreadable_told():
            self._require_entries()
            return lint(map(Path, self.catalog_folders), pattern)

    def _require_entries(self) -> None:
        for folder in self.catalog_folders:
            if next(iter_files(Path(folder), ".toml"), None) is None:
                raise UsageError(f"--catalog {folder!r} holds no entry; name a folder with .toml files in or below it")

    def tell(self, line: str) -> None:
        """Write a line to standard error, unless ``--quiet``."""
        if not self.quiet:
            click.echo(line, err=True)


@contextlib.contextmanager
def _unreadable_told() -> Iterator[None]:
    """Tell as a mistake of the call that a folder cannot be read."""
    try:
        yield
    except OSError as problem:
        raise UsageError(f"--catalog: {problem.filename!r} cannot be read: {problem.strerror}") from None


def with_common(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a verb one ``common`` in place of the flags of all verbs."""

    @functools.wraps(verb)
    def gathered(
        *,
        as_json: bool,
        seed: int | None,
        profile: str,
        catalog_folders: tuple[str, ...],
        quiet: bool,
        **given: Any,  # noqa: ANN401 - click's values
    ) -> Any:  # noqa: ANN401 - click's values
        chosen = secrets.randbits(_SEED_BITS) if seed is None else seed
        common = Common(as_json, chosen, load_profile(profile), catalog_folders, quiet)
        with reader_may_leave():
            return verb(common=common, **given)

    return gathered


def on_command_line(name: str) -> bool:
    """Tell whether a parameter of the verb that runs was given in the call, and not by environment or file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def target_of(given: str | None, *, flag: str) -> Target:
    """Return the target of an argument, of ``@FILE``, or of environment or configuration.

    Raises:
        UsageError: there is none, the file cannot be read, or it is no target.
    """
    text = (given or configured_target()).strip()
    if not text:
        raise UsageError(
            f"no target: give {flag}, or set {TARGET_VARIABLE} (it keeps passwords out of the process list)"
        )
    return Target.parse(_target_in(text[1:]) if text.startswith("@") else text)


def _target_in(name: str) -> str:
    return _text_in(name, "target", "the URL")


def secret_of(given: str | None, variable: str, what: str) -> Secret | None:
    """Return the secret of an option, of ``@FILE``, or of the environment; ``None`` where there is none.

    Raises:
        UsageError: the file cannot be read, or holds nothing.
    """
    text = (given or os.environ.get(variable, "")).strip()
    if text.startswith("@"):
        return Secret(_text_in(text[1:], what, "it"))
    return Secret(text) if text else None


def _text_in(name: str, what: str, content: str) -> str:
    if not name:
        raise UsageError(f"{what} '@' names no file; write @FILE")
    try:
        text = read_input(name).decode().strip()
    except UnicodeDecodeError:
        raise UsageError(f"{what} file {name!r} is not UTF-8") from None
    if not text:
        raise UsageError(f"{what} file {name!r} is empty; write {content} into it")
    return text


def read_input(name: str) -> bytes:
    """Return the bytes of a file, or of standard input for ``-``.

    Raises:
        UsageError: it cannot be read.
    """
    if name == "-":
        if sys.stdin is None:  # the caller closed it
            raise UsageError("standard input is closed: give a file")
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        raise UsageError(f"file {name!r} cannot be read: {problem.strerror}") from None


def read_text(name: str) -> str:
    """Return a file's text.

    Raises:
        UsageError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_input(name).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UsageError(f"file {name!r} is not UTF-8 (byte {problem.start})") from None


def with_headers(rules: DeliveryRules, given: tuple[str, ...]) -> DeliveryRules:
    """Return rules with headers of the user's own, which take the place of those of the same name.

    Raises:
        UsageError: no header, or one that is the sender's own business.
    """
    headers = list(rules.headers)
    for text in given:
        name, colon, value = (part.strip() for part in text.partition(":"))
        if not colon or not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"--header {text!r}: write NAME:VALUE in printable ASCII, as in 'X-Team: payments'")
        if name.lower() in _OURS:
            raise UsageError(
                f"--header {name}: the sender sets it" + (_USERINFO if name.lower() == "authorization" else "")
            )
        headers = [(key, old) for key, old in headers if key.lower() != name.lower()] + [(name, value)]
    return replace(rules, headers=tuple(headers))
