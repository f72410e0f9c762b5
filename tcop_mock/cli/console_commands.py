"""The command that serves the page: console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli.command import command, option
from tcop_mock.cli.effect_options import page_observer_options
from tcop_mock.cli.options import TARGET, common_options
from tcop_mock.cli.receive_options import LISTEN, receive_options
from tcop_mock.cli.target_options import reach_options
from tcop_mock.cli.value_types import WholeNumber

if TYPE_CHECKING:
    from tcop_mock.cli.effect_options import ObserverOptions
    from tcop_mock.cli.options import CommonOptions, ReachOptions
    from tcop_mock.cli.receive_options import ReceiveOptions

_PORT = WholeNumber(0, 65535)
_PAGE = "Page"


@command(
    "console",
    examples="""
tcop-mock console http://127.0.0.1:8080/ --open
tcop-mock console @url.txt --listen-port 9000 --record got.jsonl
""",
)
@click.argument("target", required=False, metavar="[TARGET]")
@option(
    "--allow-host",
    group=TARGET,
    multiple=True,
    metavar="HOST",
    help="Allow the page to name a target on another machine, by its name; repeatable.",
)
@reach_options(TARGET)
@option("--port", group=_PAGE, type=_PORT, default=0, metavar="N", help="Port of the page.  [default: a free one]")
@option("--open", "opens", group=_PAGE, is_flag=True, help="Open the page in the browser.")
@option(
    "--listen-host",
    group=LISTEN,
    default="127.0.0.1",
    show_default=True,
    metavar="HOST",
    help="Address of the page's receiver.",
)
@option(
    "--listen-port",
    group=LISTEN,
    type=_PORT,
    default=0,
    metavar="N",
    help="Port of the page's receiver.  [default: a free one]",
)
@receive_options
@page_observer_options
@common_options(seed=True, finds_profile=True, catalog=True)
def console_command(
    target: str | None,
    *,
    allow_host: tuple[str, ...],
    reach: ReachOptions,
    port: int,
    opens: bool,
    listen_host: str,
    listen_port: int,
    receiving: ReceiveOptions,
    observer: ObserverOptions,
    common: CommonOptions,
) -> int:
    """Show the conversation of callbacks on a local page, live.

    The page sends callbacks to TARGET, checks it against the contract, and runs storms. It also has a receiver, which
    answers as `listen` does, and shows its requests. A check observes the messages that are sent there. Prints the
    address of the page, which holds a key, and the address of that receiver. The page is for this machine only.
    Needs the extra console. @FILE reads TARGET from a file; the default is TCOP_MOCK_TARGET. Ctrl-C stops it. Exit
    code: 0 it ended as asked, 2 the extra is missing or an option is wrong.
    """
    from tcop_mock.cli.console import ConsoleOptions, console

    return console(
        ConsoleOptions(
            target=target,
            allow_host=allow_host,
            reach=reach,
            port=port,
            opens=opens,
            listen_host=listen_host,
            listen_port=listen_port,
            observer=observer,
        ),
        receiving,
        common,
    )
