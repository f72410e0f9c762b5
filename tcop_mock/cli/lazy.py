"""A click group that imports a command's module only when the command is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """Knows its commands' names and summaries without importing them, so that ``--help`` is quick."""

    def __init__(self, *args: Any, commands_in: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which help shows them."""
        return list(self._commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in self._commands_in:
            return None
        module, _summary = self._commands_in[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with near misses."""
        if args and args[0] not in self._commands_in and not args[0].startswith("-"):
            near = did_you_mean(args[0], self._commands_in)
            hint = f"; did you mean {near}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the names and summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._commands_in.items()])
