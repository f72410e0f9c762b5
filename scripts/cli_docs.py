"""Write docs/cli.md, the reference of the command line, and tcop_mock/cli/choices.py, the names that help lists.

``python scripts/cli_docs.py`` writes the files; with ``--check`` it writes nothing and exits with 1 when one differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from generated import Page, main

from tcop_mock.catalog.data_files import data_root, iter_files
from tcop_mock.contract.clauses import LANGUAGE_BY_FRAMEWORK
from tcop_mock.load import slo, timer
from tcop_mock.load.scenario import scenario_names
from tcop_mock.reports.scripts import SCRIPT_FORMATS
from tcop_mock.server.faults import FAULTS
from tcop_mock.server.stubs import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
CHOICES = ROOT / "tcop_mock" / "cli" / "choices.py"
FILE = ROOT / "docs" / "cli.md"
WIDTH = 68
_MAX_CODE_COLUMNS = 120
_CHOICES_HEAD = '"""Names that help lists, written by scripts/cli_docs.py from the registries, whose import is slow."""'

_HEAD = """\
# The command line

<!-- Written by scripts/cli_docs.py from the help of the commands; change that and run `make docs`. -->

Standard output has the result and nothing else. Seeds, hints and progress go to standard error, and `--quiet` leaves
them out. With `--json`, standard output is one versioned document: [JSON documents and files](documents.md).

An error is one line on standard error that begins with `tcop-mock:`; then standard output is empty. `--debug` adds a
traceback.

Exit code 0 means success, 1 that the receiver or the input failed, 2 that the call is wrong, and 3 that the target is
unusable. [Exit codes](exit-codes.md) lists them by command.

A target is `[http://][USER:PASSWORD@]HOST[:PORT][/PATH]`, as in the console of TCOP. `@FILE` reads it from a file, `@-`
from standard input, and the default is `TCOP_MOCK_TARGET`: all three keep a password out of the process list. Output
never contains it. A time is `500ms`, `30s`, `10m`, `1h` or a number of seconds.
"""


def choices() -> str:
    """Return the module with the names of the registries, whose import is too slow for help."""
    from tcop_mock.cli.framework_detection import FRAMEWORKS  # noqa: PLC0415 - tcop_mock.cli reads choices.py

    names = {
        "PROFILES": (name for name, _ in iter_files(data_root("contracts") / "profiles", ".toml")),
        "SCRIPT_FORMATS": sorted(SCRIPT_FORMATS),
        "STUB_SERVICES": SERVICES,
        "FAULTS": FAULTS,
        "FRAMEWORKS": FRAMEWORKS,
        "FIX_FRAMEWORKS": LANGUAGE_BY_FRAMEWORK,
        "SCENARIOS": scenario_names(),
        "OBJECTIVES": slo.OBJECTIVE_NAMES,
        "EVENT_LOOPS": timer.LOOP_NAMES,
    }
    lists = "".join(_tuple(name, list(values)) for name, values in names.items())
    return f"{_CHOICES_HEAD}\n\n{lists}"


def _tuple(name: str, values: list[str]) -> str:
    quoted = [f'"{value}"' for value in values]
    line = f"{name} = ({', '.join(quoted)})\n"
    if len(line) <= _MAX_CODE_COLUMNS:
        return line
    return f"{name} = (\n" + "".join(f"    {value},\n" for value in quoted) + ")\n"


def page() -> str:
    """Return the page; the commands are imported after choices.py is written."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    from tcop_mock.cli.main import cli  # noqa: PLC0415 - it reads choices.py

    root_context = _context(cli, None, "tcop-mock")
    yield _section("tcop-mock", cli.get_help(root_context))
    for name in cli.list_commands(root_context):
        command = cli.commands[name]
        yield _section(f"tcop-mock {name}", command.get_help(_context(command, root_context, name)))


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


_SOURCE = "what the registries and the commands say"
PAGES = (Page(CHOICES, choices, _SOURCE), Page(FILE, page, _SOURCE))

if __name__ == "__main__":
    sys.exit(main(*PAGES))
