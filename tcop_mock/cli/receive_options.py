"""The options of commands that receive requests: service, credentials, faults, recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.choices import FAULTS, STUB_SERVICES
from tcop_mock.cli.command import option
from tcop_mock.cli.options import OUTPUT, listed, with_options

if TYPE_CHECKING:
    from tcop_mock.cli.command import Function

LISTEN = "Address and services"
_FAULTS = "Faults"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiveOptions:
    """Options that set the answers to requests, and the file that records them."""

    service: str
    """Service that answers on paths without the name of a service."""
    auth: str | None
    faults: tuple[str, ...]
    fault_file: str | None
    record: str | None
    fsync: bool
    forward: str | None
    control_token: str | None


def receive_options(function: Function) -> Function:
    """Add the options of a receiver; pass ``receiving``."""
    return with_options(
        ReceiveOptions,
        "receiving",
        [
            option(
                "--service",
                metavar="NAME",
                group=LISTEN,
                type=click.Choice(["webhook", *STUB_SERVICES]),
                default="webhook",
                show_default=True,
                help="Service that answers on paths that name none: " + ", ".join(("webhook", *STUB_SERVICES)) + ".",
            ),
            option(
                "--auth",
                group=LISTEN,
                metavar="USER:PASS|@FILE",
                help="Require these credentials.  [default: $TCOP_MOCK_AUTH]",
            ),
            option(
                "--forward",
                group=LISTEN,
                metavar="URL|@FILE",
                help="Pass each request on to this receiver, and its response back, inside the deadline of TCOP. Paths "
                "of services, such as /wecom, are answered here.",
            ),
            option(
                "--control-token",
                group=LISTEN,
                metavar="TOKEN|@FILE",
                help="Token of the control API below /__tcop-mock/; without one, it is open to loopback addresses "
                "only.  [default: $TCOP_MOCK_CONTROL_TOKEN]",
            ),
            option(
                "--fault",
                "faults",
                group=_FAULTS,
                multiple=True,
                metavar="NAME[:ARG][:WHEN]",
                help=f"Fault: {listed(FAULTS)}. WHEN: 3 (the first three requests), 0.1 (each with that probability), "
                "#2-5, %4 (every fourth), @10s-30s. Repeatable; the first fault that is due applies.",
            ),
            option(
                "--fault-file",
                group=_FAULTS,
                metavar="FILE",
                shell_complete=completers.files,
                help="Script with a line per request, ok or a fault; :N at its end for N requests.",
            ),
            option(
                "--record",
                group=OUTPUT,
                metavar="FILE",
                shell_complete=completers.files,
                help="Append a JSON line per request, before the response.",
            ),
            option(
                "--fsync",
                group=OUTPUT,
                is_flag=True,
                help="Wait until the disk has the lines of --record, so that they survive a loss of power. Without it "
                "they survive the end of the command, not of the machine.",
            ),
        ],
    )(function)
