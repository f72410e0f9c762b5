"""``tcop-mock completion``: the script that teaches a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from tcop_mock.cli.options import with_common
from tcop_mock.reports.json import VERSION, write_json

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common

_PROGRAM, _VARIABLE = "tcop-mock", "_TCOP_MOCK_COMPLETE"


@with_common
def completion(shell: str, *, common: Common) -> None:
    """Print the script for bash, zsh or fish."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - the flag offers what click knows
    complete = made(click.get_current_context().find_root().command, {}, _PROGRAM, _VARIABLE)
    script = complete.source_template % complete.source_vars()  # source() would ask for the bash of this machine
    if common.as_json:
        write_json({"version": VERSION, "shell": shell, "script": script}, sys.stdout)
    else:
        click.echo(script.strip("\n"))
