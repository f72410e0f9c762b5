"""The command group, and ``main``: run a call, print an error as one line, return the exit code."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tcop_mock._version import __version__
from tcop_mock.cli.main_help import COMMANDS, MAX_COLUMNS, main_help
from tcop_mock.cli.signals import INTERRUPTED, signals_as_interrupts
from tcop_mock.cli.stdout import prepare_streams, silence_stdout
from tcop_mock.errors import TcopMockError

_USAGE, _INTERNAL_ERROR = 2, 4
_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class LazyCommands(Mapping[str, click.Command]):
    """The commands by name; the module of a command is imported when it is looked up."""

    def __getitem__(self, name: str) -> click.Command:
        module = importlib.import_module(f"tcop_mock.cli.{COMMANDS[name][0]}")
        found: click.Command = getattr(module, f"{name}_command")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class CommandGroup(click.Group):
    """A group of lazy commands, whose errors suggest similar names."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **attributes)
        self.commands = LazyCommands()  # type: ignore[assignment]  # click only looks names up, which any mapping can

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the help that needs no click."""
        formatter.write(main_help(formatter.width))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with similar names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from tcop_mock.errors import did_you_mean  # noqa: PLC0415 - it loads difflib

            near = did_you_mean(args[0], COMMANDS)
            hint = f"; did you mean {near}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_COLUMNS},
)
@click.version_option(__version__, message="tcop-mock %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Realistic TCOP alarm callbacks, delivered as TCOP delivers them, and a contract test for their receivers."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_USAGE)
    from tcop_mock.cli.settings import Settings  # noqa: PLC0415 - help and version need none

    settings = Settings(cli)
    context.default_map = settings
    if context.invoked_subcommand != "config":  # which lists all of them
        for warning in settings.unknown_variables():
            click.echo(f"warning: {warning}", err=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with signals_as_interrupts() as termination:
        return termination.exit_code(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        prepare_streams()
        return int(cli.main(args=arguments, prog_name="tcop-mock", standalone_mode=False, obj=tuple(arguments)) or 0)
    except click.ClickException as problem:
        return _print_error(_one_line(problem), _USAGE)
    except TcopMockError as problem:
        _print_traceback(debug=debug)
        return _print_error(str(problem), problem.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _print_error("interrupted", INTERRUPTED)
    except OSError as problem:
        _print_traceback(debug=debug)
        silence_stdout()  # perhaps the output cannot be written; it would fail again at exit
        return _print_error(*_describe_os_error(problem))
    except Exception as problem:  # noqa: BLE001 - the last line of defence
        _print_traceback(debug=debug)
        message = f"internal error, a bug in tcop-mock: {problem!r}; --debug prints a traceback"
        return _print_error(message, _INTERNAL_ERROR)


def _describe_os_error(problem: OSError) -> tuple[str, int]:
    """Return the message and the exit code of an error of the system."""
    if problem.filename is None and problem.errno in _WRITE_ERRORS:  # files are named where they are written
        return f"standard output cannot be written: {problem.strerror}", _USAGE
    return f"system error: {problem}; --debug prints a traceback", _INTERNAL_ERROR


def _one_line(problem: click.ClickException) -> str:
    text = " ".join(problem.format_message().split())
    if isinstance(problem, click.NoSuchOption) and problem.possibilities:
        from tcop_mock.errors import did_you_mean  # noqa: PLC0415 - it loads difflib

        near = did_you_mean(problem.option_name, problem.possibilities)  # the nearest first; click sorts by letters
        text = f"No such option {problem.option_name!r}; did you mean {near}?"
    context = getattr(problem, "ctx", None)
    return f"{text} (see `{context.command_path} --help`)" if context else text


def _print_traceback(*, debug: bool) -> None:
    if debug:
        import traceback  # noqa: PLC0415 - only for errors

        traceback.print_exc()


def _print_error(message: str, code: int) -> int:
    click.echo(f"tcop-mock: {' '.join(message.split())}", err=True)
    return code
