"""``tcop-mock validate``: what bodies are, and what is wrong with them."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.options import with_common
from tcop_mock.errors import UsageError
from tcop_mock.inputs.bodies import read_bodies
from tcop_mock.reports.json import write_json
from tcop_mock.reports.validation import ValidationSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import Common

_NOT_VALID = 1


@with_common
def validate(source: str, *, common: Common) -> int:
    """Say what the bodies in FILE (-: standard input) are and what is wrong with them.

    Exit code 0: all could have come from TCOP, 1: not.
    """
    judge = CallbackValidator(common.catalog(), common.profile)
    tally = ValidationSummary()
    with _opened(source) as stream:
        for found in read_bodies(stream):
            tally.add(found.location, judge.validate_parsed(found.parsed))
    if common.as_json:
        write_json(tally.document(), sys.stdout)
    else:
        for line in tally.lines(quiet=common.quiet):
            click.echo(line)
    return 0 if tally.is_valid else _NOT_VALID


@contextlib.contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    try:
        with open(source, "rb") as stream:  # noqa: PTH123 - a name that is no path is told by the system
            yield stream
    except OSError as problem:
        raise UsageError(f"file {source!r} cannot be read: {problem.strerror}") from None
