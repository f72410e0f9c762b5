"""Write docs/cli.md, the reference of the command line, from what the commands say of themselves.

``python scripts/cli_docs.py`` writes the file; with ``--check`` it writes nothing and exits with 1 when it differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from generated import Page, main

from tcop_mock.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parent.parent / "docs" / "cli.md"
WIDTH = 96

_HEAD = """\
# The command line

<!-- Written by scripts/cli_docs.py from the commands' own help; change that and run `make docs`. -->

Standard output has what was asked for and nothing else; everything beside it, the seed for one, goes to standard error,
and `--quiet` leaves that out. With `--json` standard output is one versioned document; their forms are in
[JSON documents and files](documents.md).

An error is one line on standard error that begins with `tcop-mock:`; nothing is on standard output then. `--debug` adds
where it comes from.

0 means done as asked, 1 that what was looked at is not right, 2 that the call is wrong, 3 that the target is unusable:
[Exit codes](exit-codes.md) says it by verb.

A target is `[http://][USER:PASSWORD@]HOST[:PORT][/PATH]`, as TCOP's console takes it. `@FILE` reads it from a file,
`@-` from standard input, and without one it comes from `TCOP_MOCK_TARGET`: so a password stays out of the process list.
No output ever holds it. A time is `500ms`, `30s`, `10m`, `1h` or bare seconds.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    top = _context(cli, None, "tcop-mock")
    yield _section("tcop-mock", cli.get_help(top))
    for name in cli.list_commands(top):
        command = cli.commands[name]
        yield _section(f"tcop-mock {name}", command.get_help(_context(command, top, name)))


def _context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    return click.Context(
        command,
        parent=parent,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```\n"


PAGE = Page(FILE, reference, "what the commands say of themselves")


if __name__ == "__main__":
    sys.exit(main(PAGE))
