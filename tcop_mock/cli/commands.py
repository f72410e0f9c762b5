"""The command line's verbs, in the order of its help.

Their outsides are loaded one by one, when a verb is called or asked for its help: the list of them needs none.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tcop_mock._version import __version__
from tcop_mock.frontpage import MOST_COLUMNS, VERBS, page

_USAGE = 2


class Outsides(Mapping[str, click.Command]):
    """The verbs' outsides by name, each loaded when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        verb: click.Command = getattr(importlib.import_module(f"tcop_mock.cli.verbs.{VERBS[name][0]}"), name.upper())
        return verb

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class Verbs(click.Group):
    """A group whose help is our first page, and whose errors name near misses."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **options)
        self.commands = Outsides()  # type: ignore[assignment]  # click only looks names up, which any mapping can

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the help."""
        return list(VERBS)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the first page, the one that needs no click."""
        formatter.write(page(formatter.width))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with near misses."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from tcop_mock.errors import did_you_mean  # noqa: PLC0415 - it loads difflib, for mistakes only

            near = did_you_mean(args[0], VERBS)
            hint = f"; did you mean {near}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MOST_COLUMNS},
)
@click.version_option(__version__, message="tcop-mock %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Realistic TCOP alarm callbacks, delivered as TCOP delivers them, and a contract test for their receivers."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_USAGE)
    from tcop_mock.cli.settings import Settings  # noqa: PLC0415 - help and version need none

    context.default_map = Settings(cli)
