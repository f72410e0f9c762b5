"""The command line's verbs, in the order of its help.

Their outsides are loaded one by one, when a verb is called or asked for its help: the list of them needs none.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tcop_mock._version import __version__

_USAGE = 2
_VERBS = {
    "list": ("catalogue", "List the shapes of the catalogue, or the mutators; check your own entries."),
    "show": ("catalogue", "Show one shape: dimensions, metrics or events, sources; or its JSON Schemas."),
    "emit": ("catalogue", "Write callbacks to standard output."),
    "validate": ("catalogue", "Say what a body is, what is wrong with it, what deviates."),
    "export": ("catalogue", "Write callbacks, changed ones, schemas and a manifest to files."),
    "send": ("delivery", "Deliver a callback as TCOP does: deadline, retries, BasicAuth."),
    "replay": ("delivery", "Send again what was recorded, captured or judged."),
    "check": ("contract", "Judge a receiver by the contract."),
    "listen": ("delivery", "Receive callbacks, tell and record them, misbehave on request."),
    "explain": ("contract", "Explain a clause: what it demands, by which source, and how to keep it."),
    "demo": ("contract", "Judge a built-in receiver with planted bugs, then the corrected one."),
    "doctor": ("setup", "Look at the way to a receiver: DNS, TLS, time, credentials, clock."),
    "init": ("setup", "Write settings, a test and a CI job for the receiver in this folder."),
    "config": ("setup", "Show every setting and where its value came from."),
}
"""Of each verb the module of ``tcop_mock.cli.verbs`` that has it, by its name in capitals, and a word on it."""


class Outsides(Mapping[str, click.Command]):
    """The verbs' outsides by name, each loaded when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        verb: click.Command = getattr(importlib.import_module(f"tcop_mock.cli.verbs.{_VERBS[name][0]}"), name.upper())
        return verb

    def __iter__(self) -> Iterator[str]:
        return iter(_VERBS)

    def __len__(self) -> int:
        return len(_VERBS)


class Verbs(click.Group):
    """A group whose help keeps our order and loads no verb, and whose errors name near misses."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **options)
        self.commands = Outsides()  # type: ignore[assignment]  # click only looks names up, which any mapping can

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the help."""
        return list(_VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the verbs, each with a word on it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with near misses."""
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            from tcop_mock.errors import did_you_mean  # noqa: PLC0415 - it loads difflib, for mistakes only

            near = did_you_mean(args[0], _VERBS)
            hint = f"; did you mean {near}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 kept, 1 broken or not accepted, 2 usage, 3 target unusable, 4 our fault, 130 interrupted.",
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
