"""Values that a call names: the target, secrets, files and headers."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import click
from click.core import ParameterSource

from tcop_mock.cli.settings import TARGET_VARIABLE, configured_target
from tcop_mock.domain.target import Secret, Target
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.profile import DeliveryRules

STDIN = "-"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2; the page on templates lists the same
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_SENDER_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "authorization"})
_USERINFO = " from USER:PASSWORD@ in the target"


def is_from_command_line(name: str) -> bool:
    """Return whether a parameter was given in the call, and not by the environment or the settings file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def resolve_target(value: str | None, *, flag: str) -> Target:
    """Return the target of an argument, of ``@FILE``, of the environment or of the settings file.

    Raises:
        UsageError: there is no target, the file cannot be read, or the text is not a target.
    """
    text = target_text(value)
    if not text:
        raise UsageError(
            f"no target: give {flag}, or set {TARGET_VARIABLE} (it keeps passwords out of the process list)"
        )
    return Target.parse(text)


def target_text(value: str | None) -> str:
    """Return the target as it was written in an argument, a file, the environment or the settings; empty if nowhere.

    Raises:
        UsageError: the file cannot be read.
    """
    text = (value or configured_target()).strip()
    return _text_of_file(text[1:], "target", "the URL") if text.startswith("@") else text


def warn_of_other_machine(target: Target, common: CommonOptions) -> None:
    """Print that requests go to another machine, because its host may be mistyped."""
    if not target.is_on_this_machine:
        common.info(f"warning: {target.host} is not this machine: its receiver gets real requests")


def resolve_secret(value: str | None, variable: str, secret_name: str) -> Secret | None:
    """Return the secret of an option, of ``@FILE``, or of the environment; ``None`` without one.

    Raises:
        UsageError: the file cannot be read, or is empty.
    """
    text = (value or os.environ.get(variable, "")).strip()
    if text.startswith("@"):
        return Secret(_text_of_file(text[1:], secret_name, "it"))
    return Secret(text) if text else None


def _text_of_file(name: str, secret_name: str, content: str) -> str:
    if not name:
        raise UsageError(f"{secret_name} '@' does not name a file; write @FILE")
    try:
        text = read_input(name).decode().strip()
    except UnicodeDecodeError:
        raise UsageError(f"{secret_name} file {name!r} is not UTF-8") from None
    if not text:
        raise UsageError(f"{secret_name} file {name!r} is empty; write {content} into it")
    return text


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``.

    Raises:
        UsageError: the file cannot be read.
    """
    if name == STDIN:
        if sys.stdin is None:  # the caller closed it
            raise UsageError("standard input is closed: give a file")
        yield sys.stdin.buffer
        return
    try:
        with open(name, "rb") as stream:  # noqa: PTH123 - the system reports a name that is not a path
            yield stream
    except OSError as problem:
        raise UsageError(f"file {name!r} cannot be read: {problem.strerror}") from None


def read_input(name: str) -> bytes:
    """Return the bytes of a file, or of standard input for ``-``.

    Raises:
        UsageError: the file cannot be read.
    """
    with open_input(name) as stream:
        return stream.read()


def read_text(name: str) -> str:
    """Return the text of a file, or of standard input for ``-``.

    Raises:
        UsageError: the file cannot be read, or is not UTF-8.
    """
    try:
        return read_input(name).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UsageError(f"file {name!r} is not UTF-8 (byte {problem.start})") from None


def parse_header(flag: str, text: str, *, may_authorize: bool = False) -> tuple[str, str]:
    """Return name and value of a header.

    Args:
        flag: where the text stands, for errors.
        text: ``NAME: VALUE``.
        may_authorize: whether it may be ``Authorization``; then errors do not show the text.

    Raises:
        UsageError: the text is not a header, or the sender sets that header.
    """
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        shown = "" if may_authorize else f" {text!r}"
        raise UsageError(f"{flag}{shown}: write NAME:VALUE in printable ASCII, as in 'X-Team: payments'")
    is_authorization = name.lower() == "authorization"
    if name.lower() in _SENDER_HEADERS and not (is_authorization and may_authorize):
        raise UsageError(f"{flag} {name}: the sender sets it" + (_USERINFO if is_authorization else ""))
    return name, value


def add_headers(rules: DeliveryRules, headers: tuple[str, ...]) -> DeliveryRules:
    """Return rules with the headers of ``--header``, which replace those of the same name.

    Raises:
        UsageError: a text is not a header, or the sender sets that header.
    """
    merged = list(rules.headers)
    for text in headers:
        name, value = parse_header("--header", text)
        merged = [(key, old) for key, old in merged if key.lower() != name.lower()] + [(name, value)]
    return replace(rules, headers=tuple(merged))
