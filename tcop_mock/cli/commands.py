"""The command line's verbs, in the order of its help."""

from __future__ import annotations

import click

from tcop_mock import __version__
from tcop_mock.cli.verbs import catalogue, contract, delivery, setup
from tcop_mock.errors import did_you_mean

_USAGE = 2


class Verbs(click.Group):
    """A group whose help keeps our order and whose errors name near misses."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with near misses."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = did_you_mean(args[0], self.commands)
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


for _verb in (
    catalogue.LIST,
    catalogue.SHOW,
    catalogue.EMIT,
    catalogue.VALIDATE,
    catalogue.EXPORT,
    delivery.SEND,
    delivery.REPLAY,
    contract.CHECK,
    delivery.LISTEN,
    contract.EXPLAIN,
    contract.DEMO,
    setup.DOCTOR,
    setup.INIT,
    setup.CONFIG,
    setup.COMPLETION,
):
    cli.add_command(_verb)
