"""The command line: a thin shell. It parses, calls, and turns errors into one line and an exit code.

Exit codes: 0 kept · 1 broken contract or delivery not accepted · 2 usage or configuration · 3 target unusable, nothing
(or not everything that counts) could be judged · 4 our own fault · 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback

import click

from tcop_mock.cli.commands import cli
from tcop_mock.cli.stdout import discard, write_utf8
from tcop_mock.errors import TcopMockError

_USAGE, _OURS, _INTERRUPTED = 2, 4, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    write_utf8()
    try:
        return int(cli.main(args=arguments, prog_name="tcop-mock", standalone_mode=False) or 0)
    except click.ClickException as problem:
        return _complain(_one_line(problem), _USAGE)
    except TcopMockError as problem:
        if debug:
            traceback.print_exc()
        return _complain(str(problem), problem.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", _INTERRUPTED)
    except OSError as problem:
        if debug:
            traceback.print_exc()
        discard()  # it may be the output that cannot be written, and would fail again at exit
        return _complain(f"the system refused: {problem}; --debug shows where", _OURS)
    except Exception as problem:  # noqa: BLE001 - the last line of defence: our fault, told as such
        if debug:
            traceback.print_exc()
        return _complain(f"internal error, our fault: {problem!r}; --debug shows where", _OURS)


def _one_line(problem: click.ClickException) -> str:
    text = " ".join(problem.format_message().split())
    context = getattr(problem, "ctx", None)
    return f"{text} (`{context.command_path} --help` shows how)" if context else text


def _complain(message: str, code: int) -> int:
    click.echo(f"tcop-mock: {' '.join(message.split())}", err=True)
    return code
