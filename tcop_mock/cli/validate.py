"""``tcop-mock validate``: what bodies are, and what is wrong with them."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.options import with_common
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, summarize
from tcop_mock.inputs.requests import SkippedInput
from tcop_mock.reports.json import write_json
from tcop_mock.reports.validation import ValidationSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import Common

_NOT_VALID = 1
_MAX_LINES = 50


@with_common
def validate(source: str, *, common: Common) -> int:
    """Say what the bodies in FILE (-: standard input) are and what is wrong with them.

    Exit code 0: all could have come from TCOP, 1: not.
    """
    judge = CallbackValidator(common.catalog(), common.profile)
    tally = ValidationSummary()
    skipped: list[str] = []
    with _opened(source) as stream:
        for item in read_inputs(stream, source):
            if isinstance(item, SkippedInput):
                skipped.append(str(item))
            else:
                tally.add(item.location, judge.validate_parsed(item.parsed))
    if not tally.count:
        raise UsageError(f"{source}: there is nothing to validate{f' ({summarize(skipped)})' if skipped else ''}")
    for line in skipped[:_MAX_LINES]:
        common.tell(line)
    if len(skipped) > _MAX_LINES:
        common.tell(f"{len(skipped) - _MAX_LINES} more were skipped")
    if common.as_json:
        write_json(tally.document(), sys.stdout)
    else:
        for line in tally.lines(quiet=common.quiet):
            click.echo(line)
    return 0 if tally.is_valid else _NOT_VALID


@contextlib.contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        if sys.stdin is None:  # the caller closed it
            raise UsageError("standard input is closed: give a file")
        yield sys.stdin.buffer
        return
    try:
        with open(source, "rb") as stream:  # noqa: PTH123 - a name that is no path is told by the system
            yield stream
    except OSError as problem:
        raise UsageError(f"file {source!r} cannot be read: {problem.strerror}") from None
