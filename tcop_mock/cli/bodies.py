"""The work of validate and diff."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.json_tree import differences
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.arguments import STDIN, open_input
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, summarize
from tcop_mock.inputs.requests import SkippedInput
from tcop_mock.reports.bodies import Comparison, ValidationSummary, comparison_lines, differences_document
from tcop_mock.reports.json import write_json
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.options import CommonOptions

_MAX_PATH_CHARS = 300
_NOT_VALID = _NOT_EQUAL = 1
_MAX_SKIPPED_LINES = 50


def validate(sources: Sequence[str], common: CommonOptions) -> int:
    """Validate the bodies of some files; return 1 if one could not have come from TCOP.

    Raises:
        UsageError: a file cannot be read, or has nothing to validate.
    """
    validator = CallbackValidator(common.catalog(), common.given_profile)
    summary = ValidationSummary()
    skipped: list[str] = []
    for source in sources:
        name = "" if len(sources) == 1 else _file_name(source)
        _validate_file(source, name, validator, summary, skipped)
    for line in skipped[:_MAX_SKIPPED_LINES]:
        common.info(line)
    if len(skipped) > _MAX_SKIPPED_LINES:
        common.info(f"{len(skipped) - _MAX_SKIPPED_LINES} more were skipped")
    if common.as_json:
        write_json(summary.document(), sys.stdout)
    else:
        for line in summary.lines(quiet=common.quiet):
            click.echo(line)
    return 0 if summary.is_valid else _NOT_VALID


def _validate_file(
    source: str, name: str, validator: CallbackValidator, summary: ValidationSummary, skipped: list[str]
) -> None:
    """Add the bodies of a file to a summary; ``name`` is the prefix of its locations if there are several files."""
    count, skipped_here, is_list = summary.count, list[str](), False
    with open_input(source) as stream:
        for item in read_inputs(stream, source):
            if isinstance(item, SkippedInput):
                skipped_here.append(str(item))
            else:
                summary.add(_place(name, item.location), validator.validate_parsed(item.parsed, item.body))
                is_list = is_list or item.is_list_item
    if summary.count == count:
        note = f" ({summarize(skipped_here)})" if skipped_here else ""
        raise UsageError(f"{source}: there is nothing to validate{note}")
    if is_list:
        summary.add_list(name)
    skipped += [f"{name}: {text}" if name else text for text in skipped_here]


def _file_name(source: str) -> str:
    return "stdin" if source == STDIN else one_line(source, _MAX_PATH_CHARS)


def _place(name: str, location: str) -> str:
    return ", ".join(filter(None, [name, location]))


def diff(sources: Sequence[str], common: CommonOptions) -> int:
    """Compare each body of some files with the one before it; return 1 if two differ."""
    comparisons = []
    for (name, before), (next_name, after) in itertools.pairwise(_bodies(sources, common)):
        found = Comparison(name, next_name, tuple(differences(before, after)))
        comparisons.append(found)
        if not common.as_json:
            for line in comparison_lines(found):
                click.echo(line)
    if not comparisons:
        raise UsageError(f"{', '.join(sources)}: there is one body only; give two files, or a file with several bodies")
    if common.as_json:
        write_json(differences_document(comparisons), sys.stdout)
    return _NOT_EQUAL if any(one.differences for one in comparisons) else 0


def _bodies(sources: Sequence[str], common: CommonOptions) -> Iterator[tuple[str, Any]]:
    """Yield each body with its file and place.

    Raises:
        UsageError: a file cannot be read, or holds a body that is not JSON.
    """
    for source in sources:
        with open_input(source) as stream:
            for item in read_inputs(stream, source):
                if isinstance(item, SkippedInput):
                    common.info(f"{source}: {item}")
                    continue
                place = ", ".join(filter(None, ["stdin" if source == STDIN else source, item.location]))
                if not item.parsed.is_json:
                    raise UsageError(f"{place}: the body {item.parsed.problems[0].message}")
                yield place, item.parsed.tree
