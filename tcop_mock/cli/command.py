"""A click command whose help leads with examples and lists its options in groups."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.cli.stdout import ignore_broken_pipe

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]
    Decorator = Callable[[Function], Function]

COMMON = "Common"
_MAX_FIRST_COLUMN = 24
_RANGE_ONLY = re.compile(r"\s*\[[\d.<=]*x[\d.<>=]*\]")
_RANGE = re.compile(r"; [\d.<=]*x[\d.<>=]*\]")


class Option(click.Option):
    """An option with the name of its group in the help."""

    def __init__(self, *arguments: Any, group: str, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **attributes)
        self.group = group

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the rows of the help, without the ranges that click appends, such as ``x>=1``."""
        record = super().get_help_record(ctx)
        return record and (record[0], _RANGE_ONLY.sub("", _RANGE.sub("]", record[1])))


class Command(click.Command):
    """A command with examples.

    Args:
        arguments: those of :class:`click.Command`.
        examples: lines for a shell, shown above the options.
        attributes: those of :class:`click.Command`.
    """

    def __init__(self, *arguments: Any, examples: str, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **attributes)
        self.examples = examples.strip().splitlines()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse a call, and print a note about repeated options, of which the last one counts."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            *_, order = self.make_parser(ctx).parse_args(args=given)
            for param in dict.fromkeys(order):
                takes_one = isinstance(param, click.Option) and not (param.multiple or param.is_flag or param.count)
                if takes_one and order.count(param) > 1:
                    click.echo(f"warning: {param.opts[-1]} is given more than once; the last one counts", err=True)
        return rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - a command's exit code
        """Run the command; a reader that closes our output early is not an error."""
        with ignore_broken_pipe():
            return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, summary, examples, details and options."""
        summary, _, details = inspect.cleandoc(self.help or "").partition("\n\n")
        self.format_usage(ctx, formatter)
        _write_text(formatter, summary)
        with formatter.section("Examples"):
            formatter.write("".join(f"{' ' * formatter.current_indent}{line}\n" for line in self.examples))
        _write_text(formatter, details)
        self.format_options(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group, all with the same first column."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                groups.setdefault(getattr(param, "group", COMMON), []).append(record)
        groups[COMMON] = groups.pop(COMMON)  # to the end
        longest = max(len(first) for rows in groups.values() for first, _ in rows)
        column = min(longest, _MAX_FIRST_COLUMN)
        for group, rows in groups.items():
            widest = min(max(len(first) for first, _ in rows), _MAX_FIRST_COLUMN)
            with formatter.section(group):
                formatter.write_dl(rows, _MAX_FIRST_COLUMN, column - widest + 2)


def _write_text(formatter: click.HelpFormatter, text: str) -> None:
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text)


def command(name: str, examples: str) -> Callable[[Function], Command]:
    """Make a function a command; its docstring is the help, and the first paragraph the summary."""

    def decorate(function: Function) -> Command:
        return click.command(name, cls=Command, examples=examples)(function)

    return decorate


def option(*names: str, group: str, help: str, **attributes: Any) -> Decorator:  # noqa: A002, ANN401 - click's own
    """Add an option to one of the groups of the help."""
    return click.option(*names, cls=Option, group=group, help=help, **attributes)
